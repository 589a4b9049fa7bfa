/* SPDX-License-Identifier: Apache-2.0 */
/* chacha20-poly1305@openssh.com, OpenSSH PROTOCOL.chacha20poly1305.
 *
 * Two ChaCha20 keys: the second half of the key material hides the 4 bytes of the length, the first half the rest. The
 * nonce is the packet's sequence number. Block 0 of the main key stream gives the Poly1305 key, the text starts at
 * block 1; taking all 64 bytes of block 0 leaves the stream exactly there, which saves setting the nonce a second time.
 *
 * Whole blocks of the stream for up to SHORT_BLOCKS of them cost the library hardly more than one, and the end of a
 * text that is no whole block costs it another, so a short packet's stream is taken in one piece of whole blocks.
 *
 * A connection keeps its keys and nothing else. The library's contexts, forty times as large, belong to threads: one
 * packet is done from beginning to end by one thread, and loading a key costs no more than loading a nonce. */
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
    LENGTH_LEN = 4,
    SHORT_BLOCKS = 8,
    SHORT_TEXT = (SHORT_BLOCKS - 1) * CHACHA_BLOCK
};

struct cipher {
    struct nacre_crypto *c; /* borrowed */
    const EVP_CIPHER *chacha;
    uint8_t body[CHACHA_KEY], head[CHACHA_KEY];
};

/* What a thread works with. */
struct desk {
    struct nacre_crypto *c; /* whose contexts they are; referenced */
    EVP_CIPHER_CTX *stream;
    EVP_MAC_CTX *poly;
};

static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
static CRYPTO_THREAD_LOCAL desk_key; /* set once, then only read */
static bool has_desk_key;

static void desk_free(void *at)
{
    struct desk *d = at;
    if (d == NULL)
        return;
    EVP_CIPHER_CTX_free(d->stream);
    EVP_MAC_CTX_free(d->poly);
    nacre_crypto_unref(d->c);
    free(d);
}

static void make_desk_key(void)
{
    has_desk_key = CRYPTO_THREAD_init_local(&desk_key, desk_free) == 1;
}

/* Overwrites what the contexts know of a key. */
static bool desk_clear(struct desk *d, const EVP_CIPHER *chacha)
{
    static const uint8_t zeros[CHACHA_KEY];
    return EVP_EncryptInit_ex2(d->stream, chacha, zeros, zeros, NULL) == 1 &&
           EVP_MAC_init(d->poly, zeros, POLY_KEY, NULL) == 1;
}

static struct desk *desk_new(struct cipher *x)
{
    struct desk *d = calloc(1, sizeof *d);
    if (d == NULL)
        return NULL;
    d->c = nacre_crypto_ref(x->c);
    d->stream = EVP_CIPHER_CTX_new();
    d->poly = EVP_MAC_CTX_new(x->c->poly1305);
    if (d->stream != NULL && d->poly != NULL && desk_clear(d, x->chacha) && CRYPTO_THREAD_set_local(&desk_key, d) == 1)
        return d;
    desk_free(d);
    return NULL;
}

/* This thread's desk, made when it is first needed, and anew when another library context than before works here. */
static struct desk *desk_of(struct cipher *x)
{
    struct desk *d = CRYPTO_THREAD_get_local(&desk_key);
    if (d != NULL && d->c == x->c)
        return d;
    if (d != NULL) {
        (void)CRYPTO_THREAD_set_local(&desk_key, NULL);
        desk_free(d);
    }
    return desk_new(x);
}

/* The thread that closes has as a rule worked with the key last. */
static void chapoly_close(struct cipher *x)
{
    if (x == NULL)
        return;
    struct desk *d = CRYPTO_THREAD_get_local(&desk_key);
    if (d != NULL)
        (void)desk_clear(d, NULL);
    nacre_wipe(x, sizeof *x);
    free(x);
}

/* ChaCha20 is its own inverse: the library is told to encrypt in both directions. */
static struct cipher *chapoly_open(const struct nacre_crypto *c, const struct cipher_alg *alg, const uint8_t *key,
                                   const uint8_t *iv, bool seal)
{
    (void)iv;
    (void)seal;
    if (CRYPTO_THREAD_run_once(&once, make_desk_key) != 1 || !has_desk_key)
        return NULL;
    struct cipher *x = calloc(1, sizeof *x);
    if (x == NULL)
        return NULL;
    x->c = (struct nacre_crypto *)(uintptr_t)c; /* its count is the one part that changes after it opened */
    x->chacha = nacre_cipher_fetched(c, alg);
    memcpy(x->body, key, CHACHA_KEY);
    memcpy(x->head, key + CHACHA_KEY, CHACHA_KEY);
    return x;
}

/* The library's IV is a 64-bit little-endian block counter, here 0, and the 8 bytes of the nonce. */
static bool stream_start(struct desk *d, const uint8_t *key, uint32_t seq)
{
    uint8_t iv[CHACHA_IV];
    struct wr w = wr_over(iv, sizeof iv);
    wr_u64(&w, 0);
    wr_u64(&w, seq);
    return EVP_EncryptInit_ex2(d->stream, NULL, key, iv, NULL) == 1;
}

static bool stream_run(struct desk *d, uint8_t *out, const uint8_t *in, size_t len)
{
    int n = 0;
    return len <= INT_MAX && EVP_EncryptUpdate(d->stream, out, &n, in, (int)len) == 1 && (size_t)n == len;
}

/* Starts on the text of a packet: the main stream stands at block 1 and Poly1305 has its key. */
static bool text_start(struct desk *d, const struct cipher *x, uint32_t seq)
{
    static const uint8_t zeros[CHACHA_BLOCK];
    uint8_t block[CHACHA_BLOCK];
    bool ok = stream_start(d, x->body, seq) && stream_run(d, block, zeros, sizeof block) &&
              EVP_MAC_init(d->poly, block, POLY_KEY, NULL) == 1;
    nacre_wipe(block, sizeof block);
    return ok;
}

/* The same for a short text: block 0 is used up, and `made` has the text behind it, worked through. It is a secret. */
static bool short_text(struct desk *d, const struct cipher *x, uint32_t seq, const uint8_t *text, size_t len,
                       uint8_t made[SHORT_BLOCKS * CHACHA_BLOCK])
{
    size_t whole = (len + 2 * CHACHA_BLOCK - 1) / CHACHA_BLOCK * CHACHA_BLOCK;
    memset(made, 0, CHACHA_BLOCK);
    memcpy(made + CHACHA_BLOCK, text, len);
    memset(made + CHACHA_BLOCK + len, 0, whole - CHACHA_BLOCK - len);
    return stream_start(d, x->body, seq) && stream_run(d, made, made, whole) &&
           EVP_MAC_init(d->poly, made, POLY_KEY, NULL) == 1;
}

static bool poly_sum(struct desk *d, const uint8_t *packet, size_t len, uint8_t tag[POLY_TAG])
{
    size_t n = 0;
    return EVP_MAC_update(d->poly, packet, len) == 1 && EVP_MAC_final(d->poly, tag, &n, POLY_TAG) == 1 && n == POLY_TAG;
}

static bool chapoly_length(struct cipher *x, uint32_t seq, const uint8_t *first4, uint32_t *length)
{
    uint8_t plain[LENGTH_LEN];
    struct desk *d = desk_of(x);
    if (d == NULL || !stream_start(d, x->head, seq) || !stream_run(d, plain, first4, sizeof plain))
        return false;
    struct rd r = rd_over(span_of(plain, sizeof plain));
    *length = rd_u32(&r);
    return rd_end(&r);
}

static bool seal_text(struct desk *d, const struct cipher *x, uint32_t seq, uint8_t *text, size_t len)
{
    uint8_t made[SHORT_BLOCKS * CHACHA_BLOCK];
    if (len > SHORT_TEXT)
        return text_start(d, x, seq) && stream_run(d, text, text, len);
    bool ok = short_text(d, x, seq, text, len, made);
    if (ok)
        memcpy(text, made + CHACHA_BLOCK, len);
    nacre_wipe(made, sizeof made);
    return ok;
}

static bool chapoly_seal(struct cipher *x, uint32_t seq, uint8_t *packet, size_t len)
{
    uint8_t *text = packet + LENGTH_LEN;
    struct desk *d = desk_of(x);
    return d != NULL && stream_start(d, x->head, seq) && stream_run(d, packet, packet, LENGTH_LEN) &&
           seal_text(d, x, seq, text, len) && poly_sum(d, packet, LENGTH_LEN + len, text + len);
}

/* Poly1305 has its key. */
static bool is_genuine(struct desk *d, const uint8_t *packet, size_t len)
{
    uint8_t tag[POLY_TAG];
    return poly_sum(d, packet, len, tag) && nacre_secret_eq(tag, packet + len, POLY_TAG);
}

static bool open_short(struct desk *d, const struct cipher *x, uint32_t seq, uint8_t *packet, size_t len)
{
    uint8_t made[SHORT_BLOCKS * CHACHA_BLOCK];
    uint8_t *text = packet + LENGTH_LEN;
    bool ok = short_text(d, x, seq, text, len, made) && is_genuine(d, packet, LENGTH_LEN + len);
    if (ok)
        memcpy(text, made + CHACHA_BLOCK, len);
    nacre_wipe(made, sizeof made);
    return ok;
}

static bool chapoly_open_packet(struct cipher *x, uint32_t seq, uint8_t *packet, size_t len)
{
    uint8_t *text = packet + LENGTH_LEN;
    struct desk *d = desk_of(x);
    if (d != NULL && len <= SHORT_TEXT)
        return open_short(d, x, seq, packet, len);
    return d != NULL && text_start(d, x, seq) && is_genuine(d, packet, LENGTH_LEN + len) &&
           stream_run(d, text, text, len);
}

const struct cipher_ops nacre_cipher_chapoly = {
    .open = chapoly_open,
    .close = chapoly_close,
    .length = chapoly_length,
    .seal = chapoly_seal,
    .open_packet = chapoly_open_packet,
};
