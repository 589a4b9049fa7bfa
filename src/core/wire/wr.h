/* SPDX-License-Identifier: Apache-2.0 */
/* Writer into memory of a given size, RFC 4251 section 5.
 *
 * What does not fit makes the writer full for good; the caller asks once, with wr_done(). Nothing is written past the
 * end. */
#ifndef WIRE_WR_H
#define WIRE_WR_H

#include "base/span.h"

struct wr {
    uint8_t *start, *at, *end;
    bool full;
};

static inline struct wr wr_over(void *at, size_t size)
{
    uint8_t *p = (uint8_t *)at;
    return (struct wr){p, p, p == NULL ? p : p + size, p == NULL};
}

/* The only function that moves the cursor: `n` bytes to fill, or NULL. */
static inline uint8_t *wr_take(struct wr *w, size_t n)
{
    if (w->full || n > (size_t)(w->end - w->at)) {
        w->full = true;
        return NULL;
    }
    uint8_t *p = w->at;
    w->at += n;
    return p;
}

static inline void wr_bytes(struct wr *w, const void *bytes, size_t len)
{
    uint8_t *p = wr_take(w, len);
    if (p != NULL && len != 0)
        memcpy(p, bytes, len);
}

static inline void wr_u8(struct wr *w, uint8_t v)
{
    wr_bytes(w, &v, 1);
}

static inline void wr_bool(struct wr *w, bool v)
{
    wr_u8(w, v ? 1 : 0);
}

static inline void wr_u32(struct wr *w, uint32_t v)
{
    const uint8_t b[4] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};
    wr_bytes(w, b, 4);
}

static inline void wr_u64(struct wr *w, uint64_t v)
{
    wr_u32(w, (uint32_t)(v >> 32));
    wr_u32(w, (uint32_t)v);
}

/* RFC 4251 "string". */
static inline void wr_string(struct wr *w, struct span s)
{
    if (s.len > UINT32_MAX) {
        w->full = true;
        return;
    }
    wr_u32(w, (uint32_t)s.len);
    wr_bytes(w, s.at, s.len);
}

static inline void wr_cstring(struct wr *w, const char *text)
{
    wr_string(w, span_str(text));
}

/* A string whose length is not known yet: write its bytes between open and close. */
static inline uint8_t *wr_string_open(struct wr *w)
{
    return wr_take(w, 4);
}

static inline void wr_string_close(struct wr *w, uint8_t *length)
{
    if (w->full || length == NULL)
        return;
    struct wr back = wr_over(length, 4);
    wr_u32(&back, (uint32_t)(w->at - length - 4));
}

static inline size_t wr_len(const struct wr *w)
{
    return (size_t)(w->at - w->start);
}

static inline struct span wr_span(const struct wr *w)
{
    return (struct span){w->start, wr_len(w)};
}

/* True when everything fitted. */
static inline bool wr_done(const struct wr *w)
{
    return !w->full;
}

#endif
