/* SPDX-License-Identifier: Apache-2.0 */
/* What all readers of containers need: telling why, taking the key, comparing subjects, base64. */
#include "keys/container.h"

#include <stdarg.h>
#include <stdio.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/secret.h"
#include "crypto/context.h"
#include "keys/certificate.h"
#include "keys/numbers.h"

enum {
    LINE_LEN = 64 /* that the library decodes at once */
};

enum nacre_error nacre_container_fail(struct container *k, enum nacre_error code, const char *text, ...)
{
    ERR_clear_error();
    if (k->why_size == 0)
        return code;
    int n = snprintf(k->why, k->why_size, "%s ", k->name);
    if (n < 0 || (size_t)n >= k->why_size)
        return code;
    va_list arguments;
    va_start(arguments, text);
    vsnprintf(k->why + n, k->why_size - (size_t)n, text, arguments);
    va_end(arguments);
    return code;
}

/* The first usable signature algorithm that fits the key. */
static const struct sig_alg *fitting(const struct nacre_crypto *c, const struct key *key)
{
    struct span names = span_str(nacre_algs_usable(c, ALG_KEY));
    while (names.len != 0) {
        const uint8_t *comma = memchr(names.at, ',', names.len);
        size_t len = comma == NULL ? names.len : (size_t)(comma - names.at);
        const struct sig_alg *alg = nacre_sig_find(c, span_of(names.at, len));
        if (alg != NULL && nacre_key_can_sign(key, alg))
            return alg;
        size_t skip = comma == NULL ? names.len : len + 1;
        names = span_of(names.at + skip, names.len - skip);
    }
    return NULL;
}

/* A file may hold the public half of another key; a server with such a key would fail every client. */
static bool halves_match(const struct nacre_crypto *c, const struct key *key)
{
    struct buf signature;
    const struct span data = span_str("nacre");
    const struct sig_alg *alg = fitting(c, key);
    nacre_buf_init(&signature, SIGNATURE_MAX);
    bool ok = alg != NULL && nacre_key_sign(c, key, alg, data, &signature) &&
              nacre_key_verify(c, key, alg, data, buf_span(&signature));
    nacre_buf_free(&signature);
    return ok;
}

static enum nacre_error fail_damaged(struct container *k)
{
    return nacre_container_fail(k, NACRE_E_KEY, "is damaged: its private and public halves do not belong together.");
}

enum nacre_error nacre_container_take(struct container *k, void *evp_pkey, struct key **out)
{
    EVP_PKEY *pkey = evp_pkey;
    char type[64];
    const char *name = EVP_PKEY_get0_type_name(pkey);
    snprintf(type, sizeof type, "%s", name == NULL ? "unknown" : name);
    int bits = EVP_PKEY_get_bits(pkey);
    if (!nacre_numbers_bounded(pkey)) {
        EVP_PKEY_free(pkey);
        return fail_damaged(k);
    }
    struct key *key = nacre_key_take(k->c, pkey);
    if (key == NULL)
        return nacre_container_fail(k, NACRE_E_KEY_TYPE,
                                    "holds a key of type %s with %d bits; usable are ED25519, EC over P-256, P-384 and "
                                    "P-521, and RSA of %d to %d bits, as far as OpenSSL permits them here.",
                                    type, bits, KEY_RSA_MIN_BITS, KEY_RSA_MAX_BITS);
    return nacre_container_give(k, key, out);
}

enum nacre_error nacre_container_give(struct container *k, struct key *key, struct key **out)
{
    enum nacre_error e = NACRE_OK;
    if (!nacre_key_is_private(key) && k->public_only_will_do)
        e = NACRE_OK;
    else if (!nacre_key_is_private(key))
        e = nacre_container_fail(k, NACRE_E_NO_CERTIFICATE, "holds no private key.");
    else if (!halves_match(k->c, key))
        e = fail_damaged(k);
    if (e != NACRE_OK) {
        nacre_key_unref(key);
        return e;
    }
    *out = key;
    return NACRE_OK;
}

void nacre_container_subject(struct container *k, struct span text)
{
    if (k->subject_size == 0)
        return;
    size_t len = text.len < k->subject_size ? text.len : k->subject_size - 1;
    if (len != 0)
        memcpy(k->subject_out, text.at, len);
    k->subject_out[len] = 0;
}

/* Names are compared without the blanks behind commas, which people write or not. */
static void squeeze(const char *text, char *out, size_t size)
{
    size_t len = 0;
    for (; *text != 0 && len + 1 < size; text++) {
        if (*text != ' ' || len == 0 || out[len - 1] != ',')
            out[len++] = *text;
    }
    out[len] = 0;
}

enum subject_rank nacre_container_rank(const struct container *k, const char *name)
{
    char a[512], b[512];
    if (k->subject[0] == 0 || strcmp(k->subject, "*") == 0)
        return SUBJECT_EXACT;
    squeeze(name, a, sizeof a);
    squeeze(k->subject, b, sizeof b);
    if (strcmp(a, b) == 0)
        return SUBJECT_EXACT;
    return strstr(a, b) != NULL ? SUBJECT_PART : SUBJECT_OTHER;
}

enum nacre_error nacre_container_absent(struct container *k)
{
    return nacre_container_fail(k, NACRE_E_NO_CERTIFICATE, "holds no certificate for \"%s\".", k->subject);
}

bool nacre_container_certificate(struct container *k, void *x509)
{
    char text[512] = "";
    unsigned char *der = NULL;
    (void)nacre_certificate_subject(x509, text, sizeof text); /* a name too long to tell is none */
    if (nacre_container_rank(k, text) == SUBJECT_OTHER)
        return false;
    nacre_container_subject(k, span_str(text));
    int len = k->certificate == NULL ? 0 : i2d_X509(x509, &der);
    bool kept = len <= 0 || nacre_buf_append(k->certificate, der, (size_t)len);
    OPENSSL_free(der);
    return kept;
}

enum nacre_error nacre_container_take_certified(struct container *k, void *evp_pkey, void *x509, struct key **out)
{
    struct key *key = NULL;
    if (evp_pkey == NULL)
        return nacre_container_fail(k, NACRE_E_KEY_TYPE, "holds a certificate with a key that cannot be used here.");
    enum nacre_error e = nacre_container_take(k, evp_pkey, &key);
    if (e == NACRE_OK && !nacre_container_certificate(k, x509)) {
        nacre_key_unref(key);
        return nacre_container_absent(k);
    }
    *out = key;
    return e;
}

void *nacre_container_x509(const struct container *k, struct span der)
{
    X509 *x = der.len == 0 || der.len > STORE_FILE_MAX ? NULL : X509_new_ex(k->c->lib, NULL);
    const unsigned char *at = der.at;
    if (x != NULL && d2i_X509(&x, &at, (long)der.len) == NULL)
        x = NULL; /* freed by the library when it fails */
    ERR_clear_error();
    return x;
}

int nacre_no_password(char *at, int size, int writing, void *context)
{
    (void)at;
    (void)size;
    (void)writing;
    (void)context;
    return -1;
}

bool nacre_container_beside(struct container *k, const struct key *key, void *x509)
{
    const EVP_PKEY *public = x509 == NULL ? NULL : X509_get0_pubkey(x509);
    bool fits = public != NULL && EVP_PKEY_eq(public, nacre_key_native(key)) == 1;
    bool ok = !fits || nacre_container_certificate(k, x509);
    ERR_clear_error();
    return ok;
}

bool nacre_container_decrypt(const struct container *k, const char *cipher, const uint8_t *key, const uint8_t *iv,
                             struct span in, struct buf *out)
{
    int n = 0, last = 0;
    uint8_t *at = nacre_buf_reserve(out, in.len + EVP_MAX_BLOCK_LENGTH);
    EVP_CIPHER *fetched = EVP_CIPHER_fetch(k->c->lib, cipher, NULL);
    EVP_CIPHER_CTX *x = EVP_CIPHER_CTX_new();
    bool ok = at != NULL && fetched != NULL && x != NULL && EVP_DecryptInit_ex2(x, fetched, key, iv, NULL) == 1 &&
              EVP_CIPHER_CTX_set_padding(x, 0) == 1 && EVP_DecryptUpdate(x, at, &n, in.at, (int)in.len) == 1 &&
              EVP_DecryptFinal_ex(x, at + n, &last) == 1;
    EVP_CIPHER_CTX_free(x);
    EVP_CIPHER_free(fetched);
    if (ok)
        out->len += (size_t)n + (size_t)last;
    return ok;
}

const uint8_t *nacre_bytes_find(struct span in, const char *text)
{
    const size_t len = strlen(text);
    while (len != 0 && in.len >= len) {
        const uint8_t *at = memchr(in.at, text[0], in.len - len + 1);
        if (at == NULL)
            return NULL;
        if (memcmp(at, text, len) == 0)
            return at;
        in.len -= (size_t)(at + 1 - in.at);
        in.at = at + 1;
    }
    return NULL;
}

/* The library keeps the last line as it was read, and frees it so: another takes its place. */
static void forget_line(EVP_ENCODE_CTX *x)
{
    uint8_t scratch[LINE_LEN];
    uint8_t line[LINE_LEN];
    int n = 0;
    memset(line, 'A', sizeof line);
    EVP_DecodeInit(x);
    (void)EVP_DecodeUpdate(x, scratch, &n, line, sizeof line);
}

bool nacre_base64_read(struct span text, struct buf *out)
{
    bool ok = false;
    int n = 0, last = 0;
    EVP_ENCODE_CTX *x = EVP_ENCODE_CTX_new();
    uint8_t *at = text.len > STORE_FILE_MAX ? NULL : nacre_buf_reserve(out, text.len + 4);
    if (x == NULL || at == NULL)
        goto out;
    EVP_DecodeInit(x);
    if (text.len != 0 && memchr(text.at, '-', text.len) != NULL)
        goto out; /* the library takes it for the end */
    if (EVP_DecodeUpdate(x, at, &n, text.at, (int)text.len) < 0 || EVP_DecodeFinal(x, at + n, &last) != 1)
        goto out;
    out->len += (size_t)n + (size_t)last;
    ok = true;
out:
    if (x != NULL)
        forget_line(x);
    EVP_ENCODE_CTX_free(x);
    return ok;
}
