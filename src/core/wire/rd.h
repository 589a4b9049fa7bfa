/* SPDX-License-Identifier: Apache-2.0 */
/* Reader over received bytes, RFC 4251 section 5.
 *
 * One function moves the cursor. The first read that does not fit makes the reader bad, and every later read gives zero
 * or an empty span, so decoders need no branches and ask once at the end with rd_end(). */
#ifndef WIRE_RD_H
#define WIRE_RD_H

#include "base/span.h"

struct rd {
    const uint8_t *at, *end;
    bool bad;
};

static inline struct rd rd_over(struct span s)
{
    static const uint8_t none[1];
    const uint8_t *at = s.at == NULL ? none : s.at;
    return (struct rd){at, at + (s.at == NULL ? 0 : s.len), false};
}

/* The only function that moves the cursor. */
static inline struct span rd_take(struct rd *r, size_t n)
{
    if (r->bad || n > (size_t)(r->end - r->at)) {
        r->bad = true;
        return (struct span){NULL, 0};
    }
    struct span s = {r->at, n};
    r->at += n;
    return s;
}

static inline uint8_t rd_u8(struct rd *r)
{
    struct span s = rd_take(r, 1);
    return s.len == 0 ? 0 : s.at[0];
}

/* RFC 4251: all values but zero are true. */
static inline bool rd_bool(struct rd *r)
{
    return rd_u8(r) != 0;
}

static inline uint32_t rd_u32(struct rd *r)
{
    struct span s = rd_take(r, 4);
    return s.len == 0 ? 0 : (uint32_t)s.at[0] << 24 | (uint32_t)s.at[1] << 16 | (uint32_t)s.at[2] << 8 | s.at[3];
}

static inline uint64_t rd_u64(struct rd *r)
{
    uint64_t high = rd_u32(r);
    return high << 32 | rd_u32(r);
}

/* RFC 4251 "string". Longer than `max` is bad, not truncated. */
static inline struct span rd_string(struct rd *r, size_t max)
{
    uint32_t n = rd_u32(r);
    if (n > max)
        r->bad = true;
    return rd_take(r, n);
}

/* True when `item` is among the strings that `list` is made of. */
static inline bool rd_is_among(struct span list, struct span item, size_t max)
{
    struct rd r = rd_over(list);
    while (!r.bad && r.at != r.end) {
        if (span_eq(rd_string(&r, max), item))
            return true;
    }
    return false;
}

static inline struct span rd_rest(struct rd *r)
{
    return rd_take(r, r->bad ? 0 : (size_t)(r->end - r->at));
}

static inline size_t rd_left(const struct rd *r)
{
    return r->bad ? 0 : (size_t)(r->end - r->at);
}

/* True when nothing failed and nothing is left over. */
static inline bool rd_end(const struct rd *r)
{
    return !r->bad && r->at == r->end;
}

#endif
