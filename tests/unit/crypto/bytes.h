/* SPDX-License-Identifier: Apache-2.0 */
/* Hexadecimal in tests of the crypto and keys layers. */
#ifndef UNIT_CRYPTO_BYTES_H
#define UNIT_CRYPTO_BYTES_H

#include <stdio.h>
#include <string.h>

#include "base/span.h"

static inline size_t unhex(const char *text, uint8_t *out)
{
    size_t n = 0;
    for (unsigned v; sscanf(text + 2 * n, "%2x", &v) == 1; n++)
        out[n] = (uint8_t)v;
    return n;
}

static inline bool is_hex(const void *at, size_t len, const char *text)
{
    uint8_t want[4096];
    return unhex(text, want) == len && memcmp(at, want, len) == 0;
}

/* Takes the next of several comma-separated names. */
static inline bool next_name(const char **list, struct span *name)
{
    size_t len = strcspn(*list, ",");
    *name = span_of(*list, len);
    *list += (*list)[len] == ',' ? len + 1 : len;
    return len != 0;
}

#endif
