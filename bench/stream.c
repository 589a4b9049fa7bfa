/* SPDX-License-Identifier: Apache-2.0 */
/* Word n of the stream is splitmix64's output for a counter: every word depends on all bits of n and the seed, and none
 * on the word before it. */
#include "stream.h"

#include <string.h>

static uint64_t word(uint64_t seed, uint64_t n)
{
    uint64_t z = seed + (n + 1) * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* Bytes of one word: from `offset` to its end or as many as are left. */
static size_t part(uint64_t offset, size_t len)
{
    size_t room = 8 - (size_t)(offset % 8);
    return len < room ? len : room;
}

void bench_stream_fill(uint64_t seed, uint64_t offset, uint8_t *at, size_t len)
{
    while (len != 0) {
        uint64_t w = word(seed, offset / 8);
        size_t n = part(offset, len);
        memcpy(at, (const uint8_t *)&w + offset % 8, n);
        offset += n;
        at += n;
        len -= n;
    }
}

bool bench_stream_matches(uint64_t seed, uint64_t offset, const uint8_t *at, size_t len)
{
    uint8_t wrong = 0;
    while (len != 0) {
        uint64_t w = word(seed, offset / 8);
        size_t n = part(offset, len);
        wrong |= memcmp(at, (const uint8_t *)&w + offset % 8, n) != 0;
        offset += n;
        at += n;
        len -= n;
    }
    return wrong == 0;
}
