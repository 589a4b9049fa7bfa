/* SPDX-License-Identifier: Apache-2.0 */
/* A pseudo-random byte stream whose bytes can be made and checked at any offset, so that what comes back is compared
 * with what was sent without keeping it. */
#ifndef BENCH_STREAM_H
#define BENCH_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes offset to offset + len of the stream of that seed. */
void bench_stream_fill(uint64_t seed, uint64_t offset, uint8_t *at, size_t len);

/* True when `at` holds exactly these bytes. */
bool bench_stream_matches(uint64_t seed, uint64_t offset, const uint8_t *at, size_t len);

#endif
