/* SPDX-License-Identifier: Apache-2.0 */
/* aes*-ctr, RFC 4344 section 4: one key stream over all packets of a direction, the MAC being somebody else's.
 *
 * Packets are whole blocks, so the counter says all about where the stream stands: it goes on from there in whatever
 * context is lent next (crypto/keyed.h). */
#include "crypto/context.h"

#include <limits.h>
#include <stdlib.h>

#include "base/secret.h"
#include "crypto/keyed.h"

enum {
    CTR_KEY_MAX = 32,
    CTR_BLOCK = 16
};

struct cipher {
    struct tenant lent;
    const EVP_CIPHER *aes;
    uint8_t counter[CTR_BLOCK]; /* of the next block */
    uint8_t key[CTR_KEY_MAX];
};

static void ctr_close(struct cipher *x)
{
    if (x == NULL)
        return;
    nacre_keyed_leave(&x->lent);
    nacre_wipe(x, sizeof *x);
    free(x);
}

static struct cipher *ctr_open(const struct nacre_crypto *c, const struct cipher_alg *alg, const uint8_t *key,
                               const uint8_t *iv, bool seal)
{
    (void)seal;
    struct cipher *x = alg->key_len > CTR_KEY_MAX ? NULL : calloc(1, sizeof *x);
    if (x == NULL)
        return NULL;
    x->aes = nacre_cipher_fetched(c, alg);
    memcpy(x->counter, iv, CTR_BLOCK);
    memcpy(x->key, key, alg->key_len);
    return x;
}

static void counter_add(uint8_t counter[CTR_BLOCK], uint64_t blocks)
{
    for (size_t i = CTR_BLOCK; i-- > 0 && blocks != 0; blocks >>= 8) {
        blocks += counter[i];
        counter[i] = (uint8_t)blocks;
    }
}

/* Encrypting and decrypting are the same. */
static bool ctr_run(struct cipher *x, uint32_t seq, uint8_t *packet, size_t len)
{
    (void)seq;
    struct keying k = {.cipher = x->aes, .key = x->key, .iv = x->counter, .seal = true};
    int n = 0;
    if (len > INT_MAX || len % CTR_BLOCK != 0)
        return false;
    EVP_CIPHER_CTX *stream = nacre_keyed_take(&x->lent, &k);
    if (stream == NULL || EVP_EncryptUpdate(stream, packet, &n, packet, (int)len) != 1 || (size_t)n != len)
        return false;
    counter_add(x->counter, len / CTR_BLOCK);
    return true;
}

const struct cipher_ops nacre_cipher_ctr = {
    .open = ctr_open,
    .close = ctr_close,
    .length = NULL,
    .seal = ctr_run,
    .open_packet = ctr_run,
};
