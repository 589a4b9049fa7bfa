/* SPDX-License-Identifier: Apache-2.0 */
/* 3des-ctr, RFC 4344 section 4: the library has the block cipher but no such mode, so counters are encrypted here,
 * many at a time, and their key stream is laid over the packets. */
#include "crypto/context.h"

#include <stdlib.h>

#include "base/secret.h"
#include "wire/rd.h"
#include "wire/wr.h"

enum {
    DES_BLOCK = 8,
    BATCH = 64 * DES_BLOCK
};

struct cipher {
    EVP_CIPHER_CTX *block;
    uint64_t counter;      /* of the next block */
    uint8_t stream[BATCH]; /* key stream; what is used of it is zero */
    size_t left;           /* unused bytes at the end of `stream` */
};

static void ctr_close(struct cipher *x)
{
    if (x == NULL)
        return;
    EVP_CIPHER_CTX_free(x->block);
    nacre_wipe(x, sizeof *x);
    free(x);
}

/* Both directions encrypt counters. */
static struct cipher *ctr_open(const struct nacre_crypto *c, const struct cipher_alg *alg, const uint8_t *key,
                               const uint8_t *iv, bool seal)
{
    (void)seal;
    struct cipher *x = calloc(1, sizeof *x);
    if (x == NULL)
        return NULL;
    struct rd r = rd_over(span_of(iv, alg->iv_len));
    x->counter = rd_u64(&r);
    x->block = EVP_CIPHER_CTX_new();
    if (rd_end(&r) && x->block != NULL &&
        EVP_EncryptInit_ex2(x->block, nacre_cipher_fetched(c, alg), key, NULL, NULL) == 1 &&
        EVP_CIPHER_CTX_set_padding(x->block, 0) == 1)
        return x;
    ctr_close(x);
    return NULL;
}

static bool refill(struct cipher *x)
{
    struct wr w = wr_over(x->stream, sizeof x->stream);
    int n = 0;
    for (size_t i = 0; i < BATCH / DES_BLOCK; i++)
        wr_u64(&w, x->counter++);
    if (EVP_EncryptUpdate(x->block, x->stream, &n, x->stream, BATCH) != 1 || n != BATCH)
        return false;
    x->left = BATCH;
    return true;
}

static bool ctr_run(struct cipher *x, uint32_t seq, uint8_t *packet, size_t len)
{
    (void)seq;
    while (len != 0) {
        if (x->left == 0 && !refill(x))
            return false;
        size_t part = len < x->left ? len : x->left;
        uint8_t *stream = x->stream + BATCH - x->left;
        for (size_t i = 0; i < part; i++) {
            packet[i] ^= stream[i];
            stream[i] = 0;
        }
        x->left -= part;
        packet += part;
        len -= part;
    }
    return true;
}

const struct cipher_ops nacre_cipher_3des_ctr = {
    .open = ctr_open,
    .close = ctr_close,
    .length = NULL,
    .seal = ctr_run,
    .open_packet = ctr_run,
};
