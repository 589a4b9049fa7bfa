/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes that nobody may read afterwards. Any thread. */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

/* Overwrites memory in a way the compiler keeps. `at` may be NULL when `len` is 0. */
void nacre_wipe(void *at, size_t len);

/* Compares without telling by its time where two runs differ. Lengths are not secret. */
bool nacre_secret_eq(const void *a, const void *b, size_t len);

enum {
    SECRET_MAX = 128
};

/* A short secret held in place: session keys, exchange hashes. Wiped by secret_clear(). */
struct secret {
    uint8_t bytes[SECRET_MAX];
    size_t len;
};

static inline void secret_clear(struct secret *s)
{
    nacre_wipe(s, sizeof *s);
}

#endif
