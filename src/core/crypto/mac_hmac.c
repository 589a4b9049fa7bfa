/* SPDX-License-Identifier: Apache-2.0 */
/* HMAC, RFC 2104, RFC 4253 section 6.4 and RFC 6668, over sequence number and packet; the -96 ones are cut to 12 bytes.
 *
 * The key's inner and outer block are hashed once; each packet goes on from copies of the two states. That is a third
 * to a half cheaper for small packets than hashing the blocks again, and an idle direction keeps two states, not the
 * library's three. */
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
    EVP_MD_CTX *inner, *outer; /* the state behind the key's block */
    size_t size, tag_len;
};

static void hmac_close(struct mac *m)
{
    if (m == NULL)
        return;
    EVP_MD_CTX_free(m->inner);
    EVP_MD_CTX_free(m->outer);
    free(m);
}

/* The state of the hash behind the padded key, or NULL. */
static EVP_MD_CTX *keyed(const EVP_MD *md, const uint8_t *key, size_t key_len, uint8_t pad)
{
    uint8_t block[HASH_BLOCK_MAX];
    int size = EVP_MD_get_block_size(md);
    if (size <= 0 || size > HASH_BLOCK_MAX || key_len > (size_t)size)
        return NULL;
    memset(block, pad, sizeof block);
    for (size_t i = 0; i < key_len; i++)
        block[i] ^= key[i];
    EVP_MD_CTX *x = EVP_MD_CTX_new();
    bool ok = x != NULL && EVP_DigestInit_ex2(x, md, NULL) == 1 && EVP_DigestUpdate(x, block, (size_t)size) == 1;
    nacre_wipe(block, sizeof block);
    if (ok)
        return x;
    EVP_MD_CTX_free(x);
    return NULL;
}

static struct mac *hmac_open(const struct nacre_crypto *c, const struct mac_alg *alg, const uint8_t *key)
{
    struct mac *m = calloc(1, sizeof *m);
    if (m == NULL)
        return NULL;
    m->size = nacre_hash_size(alg->hash);
    m->tag_len = alg->tag_len;
    m->inner = keyed(c->md[alg->hash], key, alg->key_len, INNER_PAD);
    m->outer = keyed(c->md[alg->hash], key, alg->key_len, OUTER_PAD);
    if (m->inner != NULL && m->outer != NULL)
        return m;
    hmac_close(m);
    return NULL;
}

static bool hmac_sum(struct mac *m, uint32_t seq, const uint8_t *packet, size_t len, uint8_t *tag)
{
    uint8_t number[4], inner[HASH_MAX], whole[HASH_MAX];
    struct wr w = wr_over(number, sizeof number);
    wr_u32(&w, seq);
    EVP_MD_CTX *x = EVP_MD_CTX_new();
    bool ok = x != NULL && EVP_MD_CTX_copy_ex(x, m->inner) == 1 && EVP_DigestUpdate(x, number, sizeof number) == 1 &&
              EVP_DigestUpdate(x, packet, len) == 1 && EVP_DigestFinal_ex(x, inner, NULL) == 1 &&
              EVP_MD_CTX_copy_ex(x, m->outer) == 1 && EVP_DigestUpdate(x, inner, m->size) == 1 &&
              EVP_DigestFinal_ex(x, whole, NULL) == 1;
    EVP_MD_CTX_free(x);
    if (ok)
        memcpy(tag, whole, m->tag_len);
    return ok;
}

const struct mac_ops nacre_mac_hmac = {.open = hmac_open, .close = hmac_close, .sum = hmac_sum};
