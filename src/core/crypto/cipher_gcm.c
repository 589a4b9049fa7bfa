/* SPDX-License-Identifier: Apache-2.0 */
/* aes*-gcm@openssh.com, RFC 5647: the length is authenticated and travels in clear; the last 8 bytes of the nonce count
 * the packets of the key. The expanded key is lent (crypto/keyed.h), each packet only gets a nonce. */
#include "crypto/context.h"

#include <limits.h>
#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/params.h>

#include "base/secret.h"
#include "crypto/keyed.h"
#include "wire/rd.h"

enum {
    GCM_KEY_MAX = 32,
    GCM_NONCE = 12,
    GCM_FIXED = 4,
    GCM_TAG = 16,
    GCM_AAD = 4
};

struct cipher {
    struct tenant lent;
    const EVP_CIPHER *aes;
    bool seal;
    uint8_t nonce[GCM_NONCE];
    uint8_t key[GCM_KEY_MAX];
};

static void gcm_close(struct cipher *x)
{
    if (x == NULL)
        return;
    nacre_keyed_leave(&x->lent);
    nacre_wipe(x, sizeof *x);
    free(x);
}

static struct cipher *gcm_open(const struct nacre_crypto *c, const struct cipher_alg *alg, const uint8_t *key,
                               const uint8_t *iv, bool seal)
{
    struct cipher *x = alg->key_len > GCM_KEY_MAX ? NULL : calloc(1, sizeof *x);
    if (x == NULL)
        return NULL;
    x->aes = nacre_cipher_fetched(c, alg);
    x->seal = seal;
    memcpy(x->nonce, iv, GCM_NONCE);
    memcpy(x->key, key, alg->key_len);
    return x;
}

static bool gcm_length(struct cipher *x, uint32_t seq, const uint8_t *first4, uint32_t *length)
{
    (void)x;
    (void)seq;
    struct rd r = rd_over(span_of(first4, 4));
    *length = rd_u32(&r);
    return rd_end(&r);
}

/* RFC 5647 section 7.1: the invocation counter is a 64-bit number that goes up by one a packet. */
static void nonce_step(struct cipher *x)
{
    for (size_t i = GCM_NONCE; i-- > GCM_FIXED;) {
        if (++x->nonce[i] != 0)
            return;
    }
}

/* The context, at the start of a packet. NULL: the library failed. */
static EVP_CIPHER_CTX *packet_start(struct cipher *x)
{
    struct keying k = {.cipher = x->aes, .key = x->key, .iv = x->nonce, .seal = x->seal};
    EVP_CIPHER_CTX *aead = nacre_keyed_take(&x->lent, &k);
    if (aead == NULL || EVP_CipherInit_ex2(aead, NULL, NULL, x->nonce, -1, NULL) != 1)
        return NULL;
    nonce_step(x);
    return aead;
}

/* Length and text; the tag is the caller's. */
static bool gcm_run(EVP_CIPHER_CTX *aead, uint8_t *packet, size_t len)
{
    int n = 0;
    return aead != NULL && len <= INT_MAX && EVP_CipherUpdate(aead, NULL, &n, packet, GCM_AAD) == 1 &&
           EVP_CipherUpdate(aead, packet + GCM_AAD, &n, packet + GCM_AAD, (int)len) == 1 && (size_t)n == len;
}

static bool gcm_seal(struct cipher *x, uint32_t seq, uint8_t *packet, size_t len)
{
    (void)seq;
    int n = 0;
    uint8_t *tag = packet + GCM_AAD + len;
    OSSL_PARAM p[] = {OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, tag, GCM_TAG),
                      OSSL_PARAM_construct_end()};
    EVP_CIPHER_CTX *aead = packet_start(x);
    return gcm_run(aead, packet, len) && EVP_CipherFinal_ex(aead, tag, &n) == 1 && n == 0 &&
           EVP_CIPHER_CTX_get_params(aead, p) == 1;
}

static bool gcm_open_packet(struct cipher *x, uint32_t seq, uint8_t *packet, size_t len)
{
    (void)seq;
    int n = 0;
    uint8_t *tag = packet + GCM_AAD + len;
    OSSL_PARAM p[] = {OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, tag, GCM_TAG),
                      OSSL_PARAM_construct_end()};
    EVP_CIPHER_CTX *aead = packet_start(x);
    return gcm_run(aead, packet, len) && EVP_CIPHER_CTX_set_params(aead, p) == 1 &&
           EVP_CipherFinal_ex(aead, tag, &n) == 1;
}

const struct cipher_ops nacre_cipher_gcm = {
    .open = gcm_open,
    .close = gcm_close,
    .length = gcm_length,
    .seal = gcm_seal,
    .open_packet = gcm_open_packet,
};
