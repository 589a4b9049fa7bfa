/* SPDX-License-Identifier: Apache-2.0 */
/* A borrowed run of bytes. Never freed through the span; valid as long as what it was taken from. */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
    const uint8_t *at;
    size_t len;
};

static inline struct span span_of(const void *at, size_t len)
{
    return (struct span){(const uint8_t *)at, len};
}

static inline struct span span_str(const char *text)
{
    return (struct span){(const uint8_t *)text, text == NULL ? 0 : strlen(text)};
}

/* Not for secrets: the time taken tells where they differ (base/secret.h compares those). */
static inline bool span_eq(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

static inline bool span_is(struct span a, const char *text)
{
    return span_eq(a, span_str(text));
}

static inline bool span_has_nul(struct span a)
{
    return a.len != 0 && memchr(a.at, 0, a.len) != NULL;
}

#endif
