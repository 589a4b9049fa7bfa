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

/* Bytes up to the next whole word, or as many as are left. */
static size_t odd_part(uint64_t offset, size_t len)
{
    size_t room = 8 - (size_t)(offset % 8);
    return offset % 8 == 0 && len >= 8 ? 0 : len < room ? len : room;
}

static void fill_part(uint64_t seed, uint64_t offset, uint8_t *at, size_t len)
{
    uint64_t w = word(seed, offset / 8);
    memcpy(at, (const uint8_t *)&w + offset % 8, len);
}

static bool part_matches(uint64_t seed, uint64_t offset, const uint8_t *at, size_t len)
{
    uint64_t w = word(seed, offset / 8);
    return memcmp(at, (const uint8_t *)&w + offset % 8, len) == 0;
}

void bench_stream_fill(uint64_t seed, uint64_t offset, uint8_t *at, size_t len)
{
    for (size_t n; len != 0; offset += n, at += n, len -= n) {
        n = odd_part(offset, len);
        if (n != 0) {
            fill_part(seed, offset, at, n);
            continue;
        }
        for (; n + 8 <= len; n += 8) {
            uint64_t w = word(seed, (offset + n) / 8);
            memcpy(at + n, &w, 8);
        }
    }
}

bool bench_stream_matches(uint64_t seed, uint64_t offset, const uint8_t *at, size_t len)
{
    uint64_t wrong = 0;
    for (size_t n; len != 0; offset += n, at += n, len -= n) {
        n = odd_part(offset, len);
        if (n != 0) {
            wrong |= !part_matches(seed, offset, at, n);
            continue;
        }
        for (; n + 8 <= len; n += 8) {
            uint64_t w;
            memcpy(&w, at + n, 8);
            wrong |= w ^ word(seed, (offset + n) / 8);
        }
    }
    return wrong == 0;
}
