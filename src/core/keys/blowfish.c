/* SPDX-License-Identifier: Apache-2.0 */
/* bcrypt_pbkdf: PBKDF2's shape with a bcrypt over SHA-512 hashes as its function. */
#include "keys/blowfish.h"

#include <stdlib.h>

#include "base/secret.h"
#include "wire/rd.h"
#include "wire/wr.h"

enum {
    BCRYPT_LEN = 32,
    SHA512_LEN = 64,
    SALT_MAX = 64
};

static uint32_t mix(const struct blowfish *b, uint32_t x)
{
    return ((b->s[0][x >> 24] + b->s[1][x >> 16 & 0xff]) ^ b->s[2][x >> 8 & 0xff]) + b->s[3][x & 0xff];
}

static void encrypt(const struct blowfish *b, uint32_t half[2])
{
    uint32_t l = half[0] ^ b->p[0], r = half[1];
    for (size_t i = 1; i < 17; i += 2) {
        r ^= mix(b, l) ^ b->p[i];
        l ^= mix(b, r) ^ b->p[i + 1];
    }
    half[0] = r ^ b->p[17];
    half[1] = l;
}

/* The next word of a hash that is read over and over. */
static uint32_t next_word(const uint8_t hash[SHA512_LEN], size_t *at)
{
    struct rd r = rd_over(span_of(hash + *at, 4));
    *at = (*at + 4) % SHA512_LEN;
    return rd_u32(&r);
}

/* bcrypt's key schedule: the key into the subkeys, then everything replaced by the cipher's output, with the salt mixed
 * in where there is one. */
static void expand(struct blowfish *b, const uint8_t *salt, const uint8_t key[SHA512_LEN])
{
    uint32_t half[2] = {0, 0};
    size_t in_key = 0, in_salt = 0;
    uint32_t *const s = &b->s[0][0];
    for (size_t i = 0; i < 18; i++)
        b->p[i] ^= next_word(key, &in_key);
    for (size_t i = 0; i < 18 + 1024; i += 2) {
        if (salt != NULL) {
            half[0] ^= next_word(salt, &in_salt);
            half[1] ^= next_word(salt, &in_salt);
        }
        encrypt(b, half);
        uint32_t *at = i < 18 ? &b->p[i] : &s[i - 18];
        at[0] = half[0];
        at[1] = half[1];
    }
}

static void bcrypt_hash(struct blowfish *b, const uint8_t password[SHA512_LEN], const uint8_t salt[SHA512_LEN],
                        uint8_t out[BCRYPT_LEN])
{
    struct rd r = rd_over(span_str("OxychromaticBlowfishSwatDynamite"));
    *b = nacre_blowfish_start;
    expand(b, salt, password);
    for (size_t i = 0; i < 64; i++) {
        expand(b, NULL, salt);
        expand(b, NULL, password);
    }
    for (size_t i = 0; i < BCRYPT_LEN; i += 8) {
        uint32_t half[2] = {rd_u32(&r), 0};
        half[1] = rd_u32(&r);
        for (size_t n = 0; n < 64; n++)
            encrypt(b, half);
        for (size_t n = 0; n < 8; n++)
            out[i + n] = (uint8_t)(half[n / 4] >> 8 * (n % 4));
    }
}

struct work {
    struct blowfish state;
    uint8_t password[HASH_MAX], salt[HASH_MAX], turn[BCRYPT_LEN], sum[BCRYPT_LEN];
};

/* One block of output: the rounds of one counter, added up. */
static bool derive_block(const struct nacre_crypto *c, struct work *w, struct span salt, uint32_t count,
                         uint32_t rounds)
{
    uint8_t number[4];
    struct wr n = wr_over(number, sizeof number);
    wr_u32(&n, count);
    const struct span salted[] = {salt, wr_span(&n)};
    if (!nacre_hash(c, HASH_SHA512, salted, 2, w->salt))
        return false;
    bcrypt_hash(&w->state, w->password, w->salt, w->turn);
    memcpy(w->sum, w->turn, BCRYPT_LEN);
    for (uint32_t i = 1; i < rounds; i++) {
        const struct span turn = span_of(w->turn, BCRYPT_LEN);
        if (!nacre_hash(c, HASH_SHA512, &turn, 1, w->salt))
            return false;
        bcrypt_hash(&w->state, w->password, w->salt, w->turn);
        for (size_t j = 0; j < BCRYPT_LEN; j++)
            w->sum[j] ^= w->turn[j];
    }
    return true;
}

bool nacre_bcrypt_pbkdf(const struct nacre_crypto *c, struct span password, struct span salt, uint32_t rounds,
                        uint8_t *out, size_t need)
{
    if (password.len == 0 || salt.len == 0 || salt.len > SALT_MAX || rounds == 0 || rounds > BCRYPT_ROUNDS_MAX ||
        need == 0 || need > BCRYPT_OUT_MAX)
        return false;
    struct work *w = calloc(1, sizeof *w);
    bool ok = w != NULL && nacre_hash(c, HASH_SHA512, &password, 1, w->password);
    /* The blocks are not put one after the other but dealt out in turn, so that every byte costs all of them. */
    const size_t blocks = (need + BCRYPT_LEN - 1) / BCRYPT_LEN;
    for (size_t n = 0; ok && n < blocks; n++) {
        ok = derive_block(c, w, salt, (uint32_t)n + 1, rounds);
        for (size_t i = 0; ok && i < BCRYPT_LEN && i * blocks + n < need; i++)
            out[i * blocks + n] = w->sum[i];
    }
    if (w != NULL)
        nacre_wipe(w, sizeof *w);
    free(w);
    if (!ok)
        nacre_wipe(out, need);
    return ok;
}
