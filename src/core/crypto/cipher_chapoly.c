/* SPDX-License-Identifier: Apache-2.0 */
/* chacha20-poly1305@openssh.com, OpenSSH PROTOCOL.chacha20poly1305.
 *
 * Two ChaCha20 keys: the second half of the key material hides the 4 bytes of the length, the first half the rest. The
 * nonce is the packet's sequence number. Block 0 of the main key stream gives the Poly1305 key, the text starts at
 * block 1; taking all 64 bytes of block 0 leaves the stream exactly there, which saves setting the nonce a second time.
 */
#include "crypto/context.h"

#include <limits.h>
#include <stdlib.h>

#include "base/secret.h"
#include "wire/rd.h"
#include "wire/wr.h"

enum {
    CHACHA_KEY = 32,
    CHACHA_BLOCK = 64,
    CHACHA_IV = 16,
    POLY_KEY = 32,
    POLY_TAG = 16,
    LENGTH_LEN = 4
};

struct cipher {
    EVP_CIPHER_CTX *body, *head;
    EVP_MAC_CTX *poly;
};

static void chapoly_close(struct cipher *x)
{
    if (x == NULL)
        return;
    EVP_CIPHER_CTX_free(x->body);
    EVP_CIPHER_CTX_free(x->head);
    EVP_MAC_CTX_free(x->poly);
    free(x);
}

/* ChaCha20 is its own inverse: the library is told to encrypt in both directions. */
static struct cipher *chapoly_open(const struct nacre_crypto *c, const struct cipher_alg *alg, const uint8_t *key,
                                   const uint8_t *iv, bool seal)
{
    (void)iv;
    (void)seal;
    struct cipher *x = calloc(1, sizeof *x);
    if (x == NULL)
        return NULL;
    const EVP_CIPHER *chacha = nacre_cipher_fetched(c, alg);
    x->body = EVP_CIPHER_CTX_new();
    x->head = EVP_CIPHER_CTX_new();
    x->poly = EVP_MAC_CTX_new(c->poly1305);
    if (x->body != NULL && x->head != NULL && x->poly != NULL &&
        EVP_EncryptInit_ex2(x->body, chacha, key, NULL, NULL) == 1 &&
        EVP_EncryptInit_ex2(x->head, chacha, key + CHACHA_KEY, NULL, NULL) == 1)
        return x;
    chapoly_close(x);
    return NULL;
}

/* The library's IV is a 64-bit little-endian block counter, here 0, and the 8 bytes of the nonce. */
static bool set_nonce(EVP_CIPHER_CTX *stream, uint32_t seq)
{
    uint8_t iv[CHACHA_IV];
    struct wr w = wr_over(iv, sizeof iv);
    wr_u64(&w, 0);
    wr_u64(&w, seq);
    return EVP_EncryptInit_ex2(stream, NULL, NULL, iv, NULL) == 1;
}

static bool stream_run(EVP_CIPHER_CTX *stream, uint8_t *out, const uint8_t *in, size_t len)
{
    int n = 0;
    return len <= INT_MAX && EVP_EncryptUpdate(stream, out, &n, in, (int)len) == 1 && (size_t)n == len;
}

/* Starts a packet: the main stream stands at block 1 and Poly1305 has its key. */
static bool packet_start(struct cipher *x, uint32_t seq)
{
    static const uint8_t zeros[CHACHA_BLOCK];
    uint8_t block[CHACHA_BLOCK];
    bool ok = set_nonce(x->body, seq) && stream_run(x->body, block, zeros, sizeof block) &&
              EVP_MAC_init(x->poly, block, POLY_KEY, NULL) == 1;
    nacre_wipe(block, sizeof block);
    return ok;
}

static bool poly_sum(struct cipher *x, const uint8_t *packet, size_t len, uint8_t tag[POLY_TAG])
{
    size_t n = 0;
    return EVP_MAC_update(x->poly, packet, len) == 1 && EVP_MAC_final(x->poly, tag, &n, POLY_TAG) == 1 && n == POLY_TAG;
}

static bool chapoly_length(struct cipher *x, uint32_t seq, const uint8_t *first4, uint32_t *length)
{
    uint8_t plain[LENGTH_LEN];
    if (!set_nonce(x->head, seq) || !stream_run(x->head, plain, first4, sizeof plain))
        return false;
    struct rd r = rd_over(span_of(plain, sizeof plain));
    *length = rd_u32(&r);
    return rd_end(&r);
}

static bool chapoly_seal(struct cipher *x, uint32_t seq, uint8_t *packet, size_t len)
{
    uint8_t *text = packet + LENGTH_LEN;
    return packet_start(x, seq) && set_nonce(x->head, seq) && stream_run(x->head, packet, packet, LENGTH_LEN) &&
           stream_run(x->body, text, text, len) && poly_sum(x, packet, LENGTH_LEN + len, text + len);
}

static bool chapoly_open_packet(struct cipher *x, uint32_t seq, uint8_t *packet, size_t len)
{
    uint8_t tag[POLY_TAG];
    uint8_t *text = packet + LENGTH_LEN;
    return packet_start(x, seq) && poly_sum(x, packet, LENGTH_LEN + len, tag) &&
           nacre_secret_eq(tag, text + len, POLY_TAG) && stream_run(x->body, text, text, len);
}

const struct cipher_ops nacre_cipher_chapoly = {
    .open = chapoly_open,
    .close = chapoly_close,
    .length = chapoly_length,
    .seal = chapoly_seal,
    .open_packet = chapoly_open_packet,
};
