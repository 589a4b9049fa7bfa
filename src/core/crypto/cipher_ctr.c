/* SPDX-License-Identifier: Apache-2.0 */
/* aes*-ctr, RFC 4344 section 4: one key stream over all packets of a direction. A MAC goes with it. */
#include "crypto/context.h"

#include <limits.h>
#include <stdlib.h>

struct cipher {
    EVP_CIPHER_CTX *stream;
};

static void ctr_close(struct cipher *x)
{
    if (x == NULL)
        return;
    EVP_CIPHER_CTX_free(x->stream);
    free(x);
}

static struct cipher *ctr_open(const struct nacre_crypto *c, const struct cipher_alg *alg, const uint8_t *key,
                               const uint8_t *iv, bool seal)
{
    struct cipher *x = calloc(1, sizeof *x);
    if (x == NULL)
        return NULL;
    x->stream = EVP_CIPHER_CTX_new();
    if (x->stream != NULL &&
        EVP_CipherInit_ex2(x->stream, nacre_cipher_fetched(c, alg), key, iv, seal ? 1 : 0, NULL) == 1)
        return x;
    ctr_close(x);
    return NULL;
}

/* The key stream goes on from packet to packet, so both directions do the same and the sequence number plays no part.
 */
static bool ctr_run(struct cipher *x, uint32_t seq, uint8_t *packet, size_t len)
{
    (void)seq;
    int n = 0;
    return len <= INT_MAX && EVP_CipherUpdate(x->stream, packet, &n, packet, (int)len) == 1 && (size_t)n == len;
}

const struct cipher_ops nacre_cipher_ctr = {
    .open = ctr_open,
    .close = ctr_close,
    .length = NULL,
    .seal = ctr_run,
    .open_packet = ctr_run,
};
