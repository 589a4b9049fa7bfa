/* SPDX-License-Identifier: Apache-2.0 */
/* Sources as keys. The hash is SipHash-2-4 over the 17 bytes (Aumasson and Bernstein, 2012): a peer chooses its
 * addresses, so a weaker one would let it put them all into one chain. */
#include "engine/source.h"

#include <string.h>

struct source nacre_source_of(const uint8_t *address, unsigned size, unsigned bits)
{
    struct source s = {.size = (uint8_t)size};
    if (size > sizeof s.bytes)
        return (struct source){.size = 0};
    unsigned whole = bits / 8 < size ? bits / 8 : size;
    memcpy(s.bytes, address, whole);
    if (whole < size && bits % 8 != 0)
        s.bytes[whole] = (uint8_t)(address[whole] & (0xff00U >> (bits % 8)));
    return s;
}

bool nacre_source_eq(const struct source *a, const struct source *b)
{
    return a->size == b->size && memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

static uint64_t rotate(uint64_t v, unsigned by)
{
    return v << by | v >> (64 - by);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    sip_round(v);
    sip_round(v);
    v[0] ^= word;
}

uint64_t nacre_source_hash(const struct source *s, const uint64_t seed[2])
{
    uint64_t words[2], v[4] = {seed[0] ^ UINT64_C(0x736f6d6570736575), seed[1] ^ UINT64_C(0x646f72616e646f6d),
                               seed[0] ^ UINT64_C(0x6c7967656e657261), seed[1] ^ UINT64_C(0x7465646279746573)};
    memcpy(words, s->bytes, sizeof words);
    sip_word(v, words[0]);
    sip_word(v, words[1]);
    sip_word(v, UINT64_C(17) << 56 | s->size);
    v[2] ^= 0xff;
    for (int i = 0; i < 4; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}
