/* SPDX-License-Identifier: Apache-2.0 */
/* HMAC with SHA-2, RFC 2104 and RFC 6668, over sequence number and packet.
 *
 * One digest context and the padded key are all that a direction keeps: hashing the key block anew costs one
 * compression, which is less than copying a prepared context of the library, and half the memory. */
#include "crypto/context.h"

#include <stdlib.h>

#include "base/secret.h"
#include "wire/wr.h"

enum {
    INNER_PAD = 0x36,
    OUTER_PAD = 0x5c,
    HASH_BLOCK_MAX = 128
};

struct mac {
    EVP_MD_CTX *digest;
    size_t block, size;
    uint8_t inner[HASH_BLOCK_MAX]; /* key XOR inner pad; the outer one differs by a constant */
};

static void hmac_close(struct mac *m)
{
    if (m == NULL)
        return;
    EVP_MD_CTX_free(m->digest);
    nacre_wipe(m, sizeof *m);
    free(m);
}

static struct mac *hmac_open(const struct nacre_crypto *c, const struct mac_alg *alg, const uint8_t *key)
{
    const EVP_MD *md = c->md[alg->hash];
    int block = EVP_MD_get_block_size(md);
    if (block <= 0 || block > HASH_BLOCK_MAX || alg->key_len > (size_t)block)
        return NULL;
    struct mac *m = calloc(1, sizeof *m);
    if (m == NULL)
        return NULL;
    m->block = (size_t)block;
    m->size = nacre_hash_size(alg->hash);
    memset(m->inner, INNER_PAD, sizeof m->inner);
    for (size_t i = 0; i < alg->key_len; i++)
        m->inner[i] ^= key[i];
    m->digest = EVP_MD_CTX_new();
    if (m->digest != NULL && EVP_DigestInit_ex2(m->digest, md, NULL) == 1)
        return m;
    hmac_close(m);
    return NULL;
}

static bool sum_inner(struct mac *m, uint32_t seq, const uint8_t *packet, size_t len, uint8_t *out)
{
    uint8_t first[HASH_BLOCK_MAX + 4];
    struct wr w = wr_over(first, sizeof first);
    wr_bytes(&w, m->inner, m->block);
    wr_u32(&w, seq);
    bool ok = EVP_DigestInit_ex2(m->digest, NULL, NULL) == 1 && EVP_DigestUpdate(m->digest, first, wr_len(&w)) == 1 &&
              EVP_DigestUpdate(m->digest, packet, len) == 1 && EVP_DigestFinal_ex(m->digest, out, NULL) == 1;
    nacre_wipe(first, sizeof first);
    return ok;
}

static bool sum_outer(struct mac *m, const uint8_t *inner, uint8_t *tag)
{
    uint8_t last[HASH_BLOCK_MAX + HASH_MAX];
    for (size_t i = 0; i < m->block; i++)
        last[i] = m->inner[i] ^ (INNER_PAD ^ OUTER_PAD);
    memcpy(last + m->block, inner, m->size);
    bool ok = EVP_DigestInit_ex2(m->digest, NULL, NULL) == 1 &&
              EVP_DigestUpdate(m->digest, last, m->block + m->size) == 1 &&
              EVP_DigestFinal_ex(m->digest, tag, NULL) == 1;
    nacre_wipe(last, sizeof last);
    return ok;
}

static bool hmac_sum(struct mac *m, uint32_t seq, const uint8_t *packet, size_t len, uint8_t *tag)
{
    uint8_t inner[HASH_MAX];
    return sum_inner(m, seq, packet, len, inner) && sum_outer(m, inner, tag);
}

const struct mac_ops nacre_mac_hmac = {.open = hmac_open, .close = hmac_close, .sum = hmac_sum};
