/* SPDX-License-Identifier: Apache-2.0 */
/* chacha20-poly1305@openssh.com, OpenSSH PROTOCOL.chacha20poly1305.
 *
 * Two ChaCha20 keys: the second half of the key material hides the 4 bytes of the length, the first half the rest. The
 * nonce is the packet's sequence number. Block 0 of the main key stream gives the Poly1305 key, the text starts at
 * block 1; taking all 64 bytes of block 0 leaves the stream exactly there, which saves setting the nonce a second time.
 *
 * A short packet is taken in one piece, by libsodium where it is there: it has no context to give a nonce to, which
 * costs libcrypto more than such a packet does, but is slower for long ones. To libcrypto whole blocks of the stream
 * for up to SHORT_BLOCKS of them cost hardly more than one, and the end of a text that is no whole block costs another.
 *
 * A connection keeps its keys and nothing else. libcrypto's contexts, forty times as large, belong to threads: one
 * packet is done from beginning to end by one thread, and loading a key costs no more than loading a nonce. */
#include "crypto/context.h"

#include <limits.h>
#include <stdlib.h>

#ifdef NACRE_HAVE_SODIUM
#include <sodium.h>
#endif

#include "base/secret.h"
#include "wire/rd.h"
#include "wire/wr.h"

enum {
    CHACHA_KEY = 32,
    CHACHA_BLOCK = 64,
    CHACHA_NONCE = 8,
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

static bool poly_sum(struct desk *d, const uint8_t key[POLY_KEY], const uint8_t *packet, size_t len, uint8_t *tag)
{
    size_t n = 0;
    return EVP_MAC_init(d->poly, key, POLY_KEY, NULL) == 1 && EVP_MAC_update(d->poly, packet, len) == 1 &&
           EVP_MAC_final(d->poly, tag, &n, POLY_TAG) == 1 && n == POLY_TAG;
}

/* ---- a length, or a short packet --------------------------------------------------------------------------- */

#ifdef NACRE_HAVE_SODIUM

_Static_assert(crypto_stream_chacha20_KEYBYTES == CHACHA_KEY && crypto_stream_chacha20_NONCEBYTES == CHACHA_NONCE,
               "the first ChaCha20, with 64 bits of a nonce");
_Static_assert(crypto_onetimeauth_poly1305_KEYBYTES == POLY_KEY && crypto_onetimeauth_poly1305_BYTES == POLY_TAG,
               "Poly1305");

static bool sodium_run(const uint8_t *key, uint32_t seq, uint8_t *out, const uint8_t *in, size_t len)
{
    uint8_t nonce[CHACHA_NONCE];
    struct wr w = wr_over(nonce, sizeof nonce);
    wr_u64(&w, seq);
    return crypto_stream_chacha20_xor(out, in, len, nonce, key) == 0;
}

#endif

/* A stream from block 0 on. */
static bool short_run(struct cipher *x, const uint8_t *key, uint32_t seq, uint8_t *out, const uint8_t *in, size_t len)
{
#ifdef NACRE_HAVE_SODIUM
    if (x->c->sodium)
        return sodium_run(key, seq, out, in, len);
#endif
    struct desk *d = desk_of(x);
    return d != NULL && stream_start(d, key, seq) && stream_run(d, out, in, len);
}

static bool short_sum(struct cipher *x, const uint8_t key[POLY_KEY], const uint8_t *packet, size_t len, uint8_t *tag)
{
#ifdef NACRE_HAVE_SODIUM
    if (x->c->sodium)
        return crypto_onetimeauth_poly1305(tag, packet, len, key) == 0;
#endif
    struct desk *d = desk_of(x);
    return d != NULL && poly_sum(d, key, packet, len, tag);
}

static bool chapoly_length(struct cipher *x, uint32_t seq, const uint8_t *first4, uint32_t *length)
{
    uint8_t plain[LENGTH_LEN];
    if (!short_run(x, x->head, seq, plain, first4, sizeof plain))
        return false;
    struct rd r = rd_over(span_of(plain, sizeof plain));
    *length = rd_u32(&r);
    return rd_end(&r);
}

/* `made` begins with the Poly1305 key, and has the text, worked through, at block 1. It is a secret. */
static bool short_text(struct cipher *x, uint32_t seq, const uint8_t *text, size_t len,
                       uint8_t made[SHORT_BLOCKS * CHACHA_BLOCK])
{
    size_t whole = (len + 2 * CHACHA_BLOCK - 1) / CHACHA_BLOCK * CHACHA_BLOCK;
    memset(made, 0, CHACHA_BLOCK);
    memcpy(made + CHACHA_BLOCK, text, len);
    memset(made + CHACHA_BLOCK + len, 0, whole - CHACHA_BLOCK - len);
    return short_run(x, x->body, seq, made, made, whole);
}

static bool seal_short(struct cipher *x, uint32_t seq, uint8_t *packet, size_t len)
{
    uint8_t made[SHORT_BLOCKS * CHACHA_BLOCK];
    uint8_t *text = packet + LENGTH_LEN;
    bool ok = short_text(x, seq, text, len, made);
    if (ok) {
        memcpy(text, made + CHACHA_BLOCK, len);
        ok = short_sum(x, made, packet, LENGTH_LEN + len, text + len);
    }
    nacre_wipe(made, sizeof made);
    return ok;
}

static bool open_short(struct cipher *x, uint32_t seq, uint8_t *packet, size_t len)
{
    uint8_t made[SHORT_BLOCKS * CHACHA_BLOCK], tag[POLY_TAG];
    uint8_t *text = packet + LENGTH_LEN;
    bool ok = short_text(x, seq, text, len, made) && short_sum(x, made, packet, LENGTH_LEN + len, tag) &&
              nacre_secret_eq(tag, text + len, POLY_TAG);
    if (ok)
        memcpy(text, made + CHACHA_BLOCK, len);
    nacre_wipe(made, sizeof made);
    return ok;
}

/* ---- a long one -------------------------------------------------------------------------------------------- */

/* Gives the Poly1305 key; the main stream then stands at block 1. */
static bool text_start(struct desk *d, const struct cipher *x, uint32_t seq, uint8_t block[CHACHA_BLOCK])
{
    static const uint8_t zeros[CHACHA_BLOCK];
    return stream_start(d, x->body, seq) && stream_run(d, block, zeros, CHACHA_BLOCK);
}

static bool seal_long(struct cipher *x, uint32_t seq, uint8_t *packet, size_t len)
{
    uint8_t block[CHACHA_BLOCK];
    uint8_t *text = packet + LENGTH_LEN;
    struct desk *d = desk_of(x);
    bool ok = d != NULL && text_start(d, x, seq, block) && stream_run(d, text, text, len) &&
              poly_sum(d, block, packet, LENGTH_LEN + len, text + len);
    nacre_wipe(block, sizeof block);
    return ok;
}

static bool open_long(struct cipher *x, uint32_t seq, uint8_t *packet, size_t len)
{
    uint8_t block[CHACHA_BLOCK], tag[POLY_TAG];
    uint8_t *text = packet + LENGTH_LEN;
    struct desk *d = desk_of(x);
    bool ok = d != NULL && text_start(d, x, seq, block) && poly_sum(d, block, packet, LENGTH_LEN + len, tag) &&
              nacre_secret_eq(tag, text + len, POLY_TAG) && stream_run(d, text, text, len);
    nacre_wipe(block, sizeof block);
    return ok;
}

static bool chapoly_seal(struct cipher *x, uint32_t seq, uint8_t *packet, size_t len)
{
    return short_run(x, x->head, seq, packet, packet, LENGTH_LEN) &&
           (len <= SHORT_TEXT ? seal_short(x, seq, packet, len) : seal_long(x, seq, packet, len));
}

static bool chapoly_open_packet(struct cipher *x, uint32_t seq, uint8_t *packet, size_t len)
{
    return len <= SHORT_TEXT ? open_short(x, seq, packet, len) : open_long(x, seq, packet, len);
}

const struct cipher_ops nacre_cipher_chapoly = {
    .open = chapoly_open,
    .close = chapoly_close,
    .length = chapoly_length,
    .seal = chapoly_seal,
    .open_packet = chapoly_open_packet,
};
