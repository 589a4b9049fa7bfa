/* SPDX-License-Identifier: Apache-2.0 */
/* An owned byte buffer that grows up to a maximum given at init and never past it. Not thread-safe. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

struct buf {
    uint8_t *at;
    size_t len;
    size_t room; /* bytes allocated */
    size_t max;  /* never grows past this */
};

/* An empty buffer; allocates nothing. */
void nacre_buf_init(struct buf *b, size_t max);

/* Frees the bytes and returns the buffer to its state after init. */
void nacre_buf_free(struct buf *b);

/* As nacre_buf_free(), wiping the bytes first. */
void nacre_buf_wipe(struct buf *b);

/* Makes room for `more` bytes after b->len and returns where they go, or NULL when memory or `max` does not allow it;
 * the buffer is then as it was. The caller adds to b->len what it wrote. Valid until the next call on `b`. */
uint8_t *nacre_buf_reserve(struct buf *b, size_t more);

/* Appends a copy. False and unchanged when it does not fit. */
bool nacre_buf_append(struct buf *b, const void *bytes, size_t len);

/* Drops `len` bytes (at most b->len) from the front. */
void nacre_buf_drop(struct buf *b, size_t len);

static inline struct span buf_span(const struct buf *b)
{
    return (struct span){b->at, b->len};
}

#endif
