/* SPDX-License-Identifier: Apache-2.0 */
/* Where a connection comes from, as far as limits look at it: the first bits of the peer's address, so that all
 * addresses one customer has count as one. */
#ifndef ENGINE_SOURCE_H
#define ENGINE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct source {
    uint8_t bytes[16]; /* in network order, zeros behind the bits that count */
    uint8_t size;      /* 4 or 16; 0: the peer has no address, so no limit a source knows it */
};

/* The block of `bits` bits that the address (of 4 or 16 bytes) lies in. */
struct source nacre_source_of(const uint8_t *address, unsigned size, unsigned bits);

bool nacre_source_eq(const struct source *a, const struct source *b);

/* A keyed hash that nobody can aim at who does not know the seed. */
uint64_t nacre_source_hash(const struct source *s, const uint64_t seed[2]);

#endif
