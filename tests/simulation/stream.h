/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes that say which ones they are: a key and a length, then bytes that follow from the key. Whoever receives them
 * sees at once what is lost, doubled or out of order (rule R46). */
#ifndef SIM_STREAM_H
#define SIM_STREAM_H

#include "simulation/sim.h"

enum {
    STREAM_HEAD = 16
};

struct stream {
    uint64_t key, len; /* len: without the head */
    uint64_t at;       /* bytes sent or received, the head among them */
};

static inline uint8_t stream_byte(const struct stream *s, uint64_t at)
{
    if (at < 8)
        return (uint8_t)(s->key >> (8 * at));
    if (at < STREAM_HEAD)
        return (uint8_t)(s->len >> (8 * (at - 8)));
    return (uint8_t)((s->key + at) * UINT64_C(0x9e3779b97f4a7c15) >> 56);
}

static inline uint64_t stream_left(const struct stream *s)
{
    return STREAM_HEAD + s->len - s->at;
}

/* The bytes from where it stands, without going on. */
static inline void stream_fill(const struct stream *s, uint8_t *to, size_t len)
{
    for (size_t i = 0; i < len; i++)
        to[i] = stream_byte(s, s->at + i);
}

static inline void stream_take(struct stream *s, const uint8_t *bytes, size_t len, const char *who)
{
    for (size_t i = 0; i < len; i++, s->at++) {
        if (s->at < 8)
            s->key |= (uint64_t)bytes[i] << (8 * s->at);
        else if (s->at < STREAM_HEAD)
            s->len |= (uint64_t)bytes[i] << (8 * (s->at - 8));
        else
            sim_must(s->at - STREAM_HEAD < s->len && bytes[i] == stream_byte(s, s->at),
                     "R46: byte %llu to the %s is not the next one", (unsigned long long)s->at, who);
    }
}

static inline bool stream_is_whole(const struct stream *s)
{
    return s->at >= STREAM_HEAD && s->at == STREAM_HEAD + s->len;
}

#endif
