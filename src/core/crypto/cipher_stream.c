/* SPDX-License-Identifier: Apache-2.0 */
/* Ciphers that the library runs over all packets of a direction as one text, the MAC being somebody else's:
 * *-cbc (RFC 4253 section 6.3), arcfour* (RFC 4253, RFC 4345) and the *-ctr (RFC 4344 section 4) that is not AES.
 *
 * In CBC the last block of a packet is the next one's initialization vector, in the others the key stream goes on:
 * either way the library's own state is all there is to keep. */
#include "crypto/context.h"

#include <limits.h>
#include <stdlib.h>

struct cipher {
    EVP_CIPHER_CTX *stream;
};

static void stream_close(struct cipher *x)
{
    if (x == NULL)
        return;
    EVP_CIPHER_CTX_free(x->stream);
    free(x);
}

/* Packets are whole blocks: the sequence number plays no part, and nothing is held back between calls. */
static bool stream_run(struct cipher *x, uint32_t seq, uint8_t *packet, size_t len)
{
    (void)seq;
    int n = 0;
    return len <= INT_MAX && EVP_CipherUpdate(x->stream, packet, &n, packet, (int)len) == 1 && (size_t)n == len;
}

/* RFC 4345 section 4: the start of the key stream says something about the key and is thrown away. */
static bool discard(struct cipher *x, size_t len)
{
    uint8_t bytes[256] = {0};
    bool ok = true;
    for (size_t left = len, part; ok && left != 0; left -= part) {
        part = left < sizeof bytes ? left : sizeof bytes;
        ok = stream_run(x, 0, bytes, part);
    }
    nacre_wipe(bytes, sizeof bytes);
    return ok;
}

/* The cipher first, since the length of the key is part of some of them. */
static bool stream_key(EVP_CIPHER_CTX *stream, const EVP_CIPHER *cipher, const struct cipher_alg *alg,
                       const uint8_t *key, const uint8_t *iv, bool seal)
{
    return stream != NULL && EVP_CipherInit_ex2(stream, cipher, NULL, NULL, seal ? 1 : 0, NULL) == 1 &&
           (EVP_CIPHER_get_key_length(cipher) == (int)alg->key_len ||
            EVP_CIPHER_CTX_set_key_length(stream, (int)alg->key_len) == 1) &&
           EVP_CIPHER_get_iv_length(cipher) == (int)alg->iv_len && EVP_CIPHER_CTX_set_padding(stream, 0) == 1 &&
           EVP_CipherInit_ex2(stream, NULL, key, alg->iv_len == 0 ? NULL : iv, seal ? 1 : 0, NULL) == 1;
}

static struct cipher *stream_open(const struct nacre_crypto *c, const struct cipher_alg *alg, const uint8_t *key,
                                  const uint8_t *iv, bool seal)
{
    struct cipher *x = calloc(1, sizeof *x);
    if (x == NULL)
        return NULL;
    x->stream = EVP_CIPHER_CTX_new();
    if (stream_key(x->stream, nacre_cipher_fetched(c, alg), alg, key, iv, seal) && discard(x, alg->discard))
        return x;
    stream_close(x);
    return NULL;
}

const struct cipher_ops nacre_cipher_stream = {
    .open = stream_open,
    .close = stream_close,
    .length = NULL,
    .seal = stream_run,
    .open_packet = stream_run,
};
