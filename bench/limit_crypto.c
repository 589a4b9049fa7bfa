/* SPDX-License-Identifier: Apache-2.0 */
/* The bare operations, straight from libcrypto with everything prepared that can be: what is left is what a handshake
 * or a packet cannot do without. Of Ed25519 libsodium's as well, which nacre takes where it is there. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#ifdef NACRE_HAVE_SODIUM
#include <sodium.h>
#endif

#include "limit.h"

enum {
    PACKET = 32768,
    LENGTH = 4,
    TAG = 16,
    ROUND = 16 /* operations between two looks at the clock */
};

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Seconds of CPU time that one call of `run` takes, or NAN when one fails. */
static double measure(double seconds, bool (*run)(void *context), void *context)
{
    double start = cpu_seconds(), now = start;
    unsigned long done = 0;
    while (now - start < seconds) {
        for (int i = 0; i < ROUND; i++) {
            if (!run(context))
                return NAN;
        }
        done += ROUND;
        now = cpu_seconds();
    }
    return (now - start) / (double)done;
}

/* ---- public keys ----------------------------------------------------------------------------------------------- */

static bool generate(void *context)
{
    EVP_PKEY *key = NULL;
    bool ok = EVP_PKEY_generate(context, &key) == 1;
    EVP_PKEY_free(key);
    return ok;
}

static bool derive(void *context)
{
    unsigned char secret[32];
    size_t len = sizeof secret;
    return EVP_PKEY_derive(context, secret, &len) == 1;
}

static void measure_exchange(double seconds, struct limit_crypto *out)
{
    EVP_PKEY_CTX *generator = EVP_PKEY_CTX_new_from_name(NULL, "X25519", NULL), *deriver = NULL;
    EVP_PKEY *own = EVP_PKEY_Q_keygen(NULL, NULL, "X25519"), *peer = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
    if (generator != NULL && EVP_PKEY_keygen_init(generator) == 1)
        out->x25519_keygen = measure(seconds, generate, generator);
    if (own != NULL && peer != NULL)
        deriver = EVP_PKEY_CTX_new_from_pkey(NULL, own, NULL);
    if (deriver != NULL && EVP_PKEY_derive_init(deriver) == 1 && EVP_PKEY_derive_set_peer(deriver, peer) == 1)
        out->x25519_derive = measure(seconds, derive, deriver);
    EVP_PKEY_CTX_free(deriver);
    EVP_PKEY_CTX_free(generator);
    EVP_PKEY_free(own);
    EVP_PKEY_free(peer);
}

/* A context signs or verifies once: OpenSSL 3.4 and later refuse it a second time. */
struct signing {
    EVP_MD_CTX *ready, *x;
    unsigned char data[32], signature[64];
};

static bool sign(void *context)
{
    struct signing *s = context;
    size_t len = sizeof s->signature;
    return EVP_MD_CTX_copy_ex(s->x, s->ready) == 1 &&
           EVP_DigestSign(s->x, s->signature, &len, s->data, sizeof s->data) == 1;
}

static bool verify(void *context)
{
    struct signing *s = context;
    return EVP_MD_CTX_copy_ex(s->x, s->ready) == 1 &&
           EVP_DigestVerify(s->x, s->signature, sizeof s->signature, s->data, sizeof s->data) == 1;
}

static void measure_signatures(double seconds, struct limit_crypto *out)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    struct signing s = {.ready = EVP_MD_CTX_new(), .x = EVP_MD_CTX_new()};
    bool able = key != NULL && s.ready != NULL && s.x != NULL;
    if (able && EVP_DigestSignInit(s.ready, NULL, NULL, NULL, key) == 1)
        out->ed25519_sign = measure(seconds, sign, &s);
    if (able && EVP_MD_CTX_reset(s.ready) == 1 && EVP_DigestVerifyInit(s.ready, NULL, NULL, NULL, key) == 1)
        out->ed25519_verify = measure(seconds, verify, &s);
    EVP_MD_CTX_free(s.ready);
    EVP_MD_CTX_free(s.x);
    EVP_PKEY_free(key);
}

#ifdef NACRE_HAVE_SODIUM

struct sodium {
    unsigned char public[crypto_sign_PUBLICKEYBYTES], secret[crypto_sign_SECRETKEYBYTES], data[32];
    unsigned char signature[crypto_sign_BYTES];
};

static bool sodium_sign(void *context)
{
    struct sodium *s = context;
    return crypto_sign_detached(s->signature, NULL, s->data, sizeof s->data, s->secret) == 0;
}

static bool sodium_verify(void *context)
{
    struct sodium *s = context;
    return crypto_sign_verify_detached(s->signature, s->data, sizeof s->data, s->public) == 0;
}

static void measure_sodium(double seconds, struct limit_crypto *out)
{
    struct sodium s = {.data = {0}};
    if (sodium_init() < 0 || crypto_sign_keypair(s.public, s.secret) != 0)
        return;
    out->sodium_sign = measure(seconds, sodium_sign, &s);
    out->sodium_verify = measure(seconds, sodium_verify, &s);
}

#else

static void measure_sodium(double seconds, struct limit_crypto *out)
{
    (void)seconds;
    (void)out;
}

#endif

/* ---- ciphers --------------------------------------------------------------------------------------------------- */

struct sealing {
    EVP_CIPHER_CTX *x;
    EVP_MAC_CTX *poly; /* NULL: the cipher authenticates itself */
    bool seal;
    unsigned char packet[LENGTH + PACKET + TAG], was[LENGTH + PACKET + TAG];
};

static bool gcm_packet(void *context)
{
    static const unsigned char nonce[12];
    struct sealing *s = context;
    int n = 0;
    unsigned char *text = s->packet + LENGTH, *tag = text + PACKET;
    bool ok = EVP_CipherInit_ex2(s->x, NULL, NULL, nonce, -1, NULL) == 1 &&
              EVP_CipherUpdate(s->x, NULL, &n, s->packet, LENGTH) == 1 &&
              EVP_CipherUpdate(s->x, text, &n, s->seal ? text : s->was + LENGTH, PACKET) == 1;
    if (!s->seal)
        ok = ok && EVP_CIPHER_CTX_ctrl(s->x, EVP_CTRL_AEAD_SET_TAG, TAG, s->was + LENGTH + PACKET) == 1;
    ok = ok && EVP_CipherFinal_ex(s->x, tag, &n) == 1;
    return ok && (!s->seal || EVP_CIPHER_CTX_ctrl(s->x, EVP_CTRL_AEAD_GET_TAG, TAG, tag) == 1);
}

/* The stream over the packet and the sum over the packet: the same work in both directions. */
static bool chapoly_packet(void *context)
{
    static const unsigned char iv[16], key[32];
    struct sealing *s = context;
    int n = 0;
    size_t len = 0;
    unsigned char *text = s->packet + LENGTH;
    return EVP_CipherInit_ex2(s->x, NULL, NULL, iv, 1, NULL) == 1 &&
           EVP_CipherUpdate(s->x, text, &n, text, PACKET) == 1 && EVP_MAC_init(s->poly, key, sizeof key, NULL) == 1 &&
           EVP_MAC_update(s->poly, s->packet, LENGTH + PACKET) == 1 &&
           EVP_MAC_final(s->poly, text + PACKET, &len, TAG) == 1;
}

static double a_gib(double packet_seconds)
{
    return packet_seconds * (1024.0 * 1024 * 1024 / (double)PACKET);
}

static bool open_cipher(struct sealing *s, const char *name, bool seal)
{
    static const unsigned char key[32];
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, name, NULL);
    s->x = EVP_CIPHER_CTX_new();
    s->seal = seal;
    bool ok = cipher != NULL && s->x != NULL && EVP_CipherInit_ex2(s->x, cipher, key, NULL, seal ? 1 : 0, NULL) == 1;
    EVP_CIPHER_free(cipher);
    return ok;
}

static double measure_cipher(double seconds, struct sealing *s, const char *name, bool seal)
{
    bool (*run)(void *) = s->poly == NULL ? gcm_packet : chapoly_packet;
    double taken = open_cipher(s, name, seal) ? a_gib(measure(seconds, run, s)) : NAN;
    EVP_CIPHER_CTX_free(s->x);
    return taken;
}

/* What a packet is when sealed, to be opened again and again. */
static bool prepare_gcm(struct sealing *s, const char *name)
{
    memset(s->packet, 0, sizeof s->packet);
    bool ok = open_cipher(s, name, true) && gcm_packet(s);
    EVP_CIPHER_CTX_free(s->x);
    memcpy(s->was, s->packet, sizeof s->was);
    return ok;
}

static void measure_gcm(double seconds, const char *name, struct limit_cipher *out)
{
    struct sealing *s = calloc(1, sizeof *s);
    if (s != NULL)
        out->seal = measure_cipher(seconds, s, name, true);
    if (s != NULL && prepare_gcm(s, name))
        out->open_packet = measure_cipher(seconds, s, name, false);
    free(s);
}

static void measure_chapoly(double seconds, struct limit_cipher *out)
{
    struct sealing *s = calloc(1, sizeof *s);
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "POLY1305", NULL);
    if (s != NULL && mac != NULL && (s->poly = EVP_MAC_CTX_new(mac)) != NULL)
        out->seal = out->open_packet = measure_cipher(seconds, s, "ChaCha20", true);
    if (s != NULL)
        EVP_MAC_CTX_free(s->poly);
    EVP_MAC_free(mac);
    free(s);
}

void bench_limit_crypto(double seconds, struct limit_crypto *out)
{
    *out = (struct limit_crypto){
        .x25519_keygen = NAN,
        .x25519_derive = NAN,
        .ed25519_sign = NAN,
        .ed25519_verify = NAN,
        .sodium_sign = NAN,
        .sodium_verify = NAN,
        .ciphers = {{"aes128-gcm@openssh.com", NAN, NAN},
                    {"aes256-gcm@openssh.com", NAN, NAN},
                    {"chacha20-poly1305@openssh.com", NAN, NAN}},
    };
    measure_exchange(seconds, out);
    measure_signatures(seconds, out);
    measure_sodium(seconds, out);
    measure_gcm(seconds, "AES-128-GCM", &out->ciphers[0]);
    measure_gcm(seconds, "AES-256-GCM", &out->ciphers[1]);
    measure_chapoly(seconds, &out->ciphers[2]);
    out->login_password = out->x25519_keygen + out->x25519_derive + out->ed25519_sign;
    out->login_key = out->login_password + out->ed25519_verify;
    out->least_password = out->x25519_keygen + out->x25519_derive + fmin(out->ed25519_sign, out->sodium_sign);
    out->least_key = out->least_password + fmin(out->ed25519_verify, out->sodium_verify);
}
