/* SPDX-License-Identifier: Apache-2.0 */
/* PEM: PKCS#8, PKCS#1 and SEC1 private keys, locked or not, and the same keys as bare DER.
 *
 * The blocks are found here, so that a file that is cut short or holds something else is told apart; what is inside is
 * the library's. A password is given when the library asks and never prompted for. */
#include "keys/container.h"

#include <stdio.h>

#include <openssl/bio.h>
#include <openssl/decoder.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/secret.h"
#include "crypto/context.h"
#include "keys/pbe.h"

enum {
    PEM_LABEL_MAX = 40
};

struct block {
    char label[PEM_LABEL_MAX];
    struct span whole; /* from BEGIN to the end of the END line */
    bool complete;
};

/* The next block of `*rest`, which then starts behind it. False: there is none. */
static bool next_block(struct span *rest, struct block *b)
{
    static const char begin[] = "-----BEGIN ";
    char end[PEM_LABEL_MAX + 16];
    const uint8_t *at = nacre_bytes_find(*rest, begin);
    if (at == NULL)
        return false;
    const uint8_t *limit = rest->at + rest->len;
    const uint8_t *label = at + sizeof begin - 1;
    const uint8_t *dashes = nacre_bytes_find(span_of(label, (size_t)(limit - label)), "-----");
    size_t len = dashes == NULL ? PEM_LABEL_MAX : (size_t)(dashes - label);
    b->complete = false;
    b->label[0] = 0;
    b->whole = span_of(at, (size_t)(limit - at));
    *rest = span_of(limit, 0);
    if (len >= PEM_LABEL_MAX)
        return true;
    memcpy(b->label, label, len);
    b->label[len] = 0;
    int size = snprintf(end, sizeof end, "-----END %s-----", b->label);
    const struct span body = span_of(dashes, (size_t)(limit - dashes));
    const uint8_t *stop = nacre_bytes_find(body, end), *next = nacre_bytes_find(body, begin);
    if (stop == NULL || (next != NULL && next < stop))
        return true;
    stop += size;
    b->complete = true;
    b->whole = span_of(at, (size_t)(stop - at));
    *rest = span_of(stop, (size_t)(limit - stop));
    return true;
}

struct secret_given {
    const char *password;
    bool asked;
};

static int give_password(char *at, int size, int writing, void *context)
{
    (void)writing;
    struct secret_given *given = context;
    given->asked = true;
    size_t len = strlen(given->password);
    if (len == 0 || size < 0 || len > (size_t)size)
        return -1;
    memcpy(at, given->password, len);
    return (int)len;
}

/* Consumes `p8`; NULL is one that could not be read. */
static enum nacre_error take_pkcs8(struct container *k, PKCS8_PRIV_KEY_INFO *p8, struct key **out)
{
    EVP_PKEY *pkey = p8 == NULL ? NULL : nacre_pkcs8_key(k, p8);
    PKCS8_PRIV_KEY_INFO_free(p8);
    if (pkey != NULL)
        return nacre_container_take(k, pkey, out);
    return nacre_container_fail(k, NACRE_E_KEY,
                                "holds a private key that is damaged, or of a kind or size that cannot be used here.");
}

/* Consumes `locked`; NULL is one that could not be read. */
static enum nacre_error unlock_pkcs8(struct container *k, X509_SIG *locked, struct key **out)
{
    const X509_ALGOR *lock = NULL;
    uint64_t left = nacre_pbe_rounds(k);
    PKCS8_PRIV_KEY_INFO *p8 = NULL;
    if (locked == NULL)
        return take_pkcs8(k, NULL, out);
    X509_SIG_get0(locked, &lock, NULL);
    bool affordable = nacre_pbe_pays(k, lock, &left);
    if (affordable && k->password[0] != 0)
        p8 = PKCS8_decrypt_ex(locked, k->password, (int)strlen(k->password), nacre_unlock_library(k->c), NULL);
    X509_SIG_free(locked);
    if (!affordable)
        return NACRE_E_KEY;
    return p8 == NULL ? nacre_pbe_fail(k) : take_pkcs8(k, p8, out);
}

/* A key in a form of its kind's own, by the library. */
static enum nacre_error read_traditional(struct container *k, const struct block *b, BIO *in, struct key **out)
{
    struct secret_given given = {k->password, false};
    ERR_clear_error();
    EVP_PKEY *pkey = PEM_read_bio_PrivateKey_ex(in, NULL, give_password, &given, k->c->lib, NULL);
    if (pkey != NULL)
        return nacre_container_take(k, pkey, out);
    if (given.asked)
        return nacre_pbe_fail(k);
    return nacre_container_fail(k, NACRE_E_KEY, "holds a block \"%s\" that cannot be read.", b->label);
}

/* One private key block. */
static enum nacre_error read_block(struct container *k, const struct block *b, struct key **out)
{
    enum nacre_error e;
    BIO *in = BIO_new_mem_buf(b->whole.at, (int)b->whole.len);
    if (in == NULL)
        return nacre_container_fail(k, NACRE_E_NOBUFS, "cannot be read: out of memory.");
    if (strcmp(b->label, PEM_STRING_PKCS8) == 0)
        e = unlock_pkcs8(k, PEM_read_bio_PKCS8(in, NULL, nacre_no_password, NULL), out);
    else if (strcmp(b->label, PEM_STRING_PKCS8INF) == 0)
        e = take_pkcs8(k, PEM_read_bio_PKCS8_PRIV_KEY_INFO(in, NULL, nacre_no_password, NULL), out);
    else
        e = read_traditional(k, b, in, out);
    BIO_free(in);
    return e;
}

/* The certificate of the key, when one of the blocks is it; false: it is not the one asked for. */
static bool certificate_fits(struct container *k, const struct key *key)
{
    struct block b;
    struct span rest = k->bytes;
    bool fits = true;
    while (fits && next_block(&rest, &b)) {
        if (strcmp(b.label, "CERTIFICATE") != 0 || !b.complete)
            continue;
        X509 *x = X509_new_ex(k->c->lib, NULL);
        BIO *in = BIO_new_mem_buf(b.whole.at, (int)b.whole.len);
        X509 *got = in == NULL || x == NULL ? NULL : PEM_read_bio_X509(in, &x, nacre_no_password, NULL);
        bool mine = got != NULL && EVP_PKEY_eq(X509_get0_pubkey(got), nacre_key_native(key)) == 1;
        fits = !mine || nacre_container_certificate(k, got);
        X509_free(x); /* the library cleared it where it failed */
        BIO_free(in);
        ERR_clear_error();
        if (mine)
            break;
    }
    return fits;
}

static bool is_private_label(const char *label)
{
    static const char tail[] = "PRIVATE KEY";
    size_t len = strlen(label);
    return len >= sizeof tail - 1 && strcmp(label + len - (sizeof tail - 1), tail) == 0;
}

static enum nacre_error read_private(struct container *k, const struct block *b, struct key **out)
{
    if (!b->complete)
        return nacre_container_fail(k, NACRE_E_KEY, "is cut short: a PEM block has no end.");
    if (strcmp(b->label, "OPENSSH PRIVATE KEY") != 0)
        return read_block(k, b, out);
    struct container inner = *k;
    inner.bytes = b->whole;
    return nacre_openssh_read(&inner, out);
}

enum nacre_error nacre_pem_read(struct container *k, struct key **out)
{
    struct block b;
    struct span rest = k->bytes;
    size_t blocks = 0;
    while (next_block(&rest, &b)) {
        struct key *key = NULL;
        blocks++;
        if (b.label[0] != 0 && !is_private_label(b.label))
            continue;
        enum nacre_error e = read_private(k, &b, &key);
        if (e == NACRE_OK && !certificate_fits(k, key)) {
            nacre_key_unref(key);
            return nacre_container_absent(k);
        }
        *out = key;
        return e;
    }
    if (blocks != 0 && k->public_only_will_do)
        return nacre_public_read(k, out);
    if (blocks != 0)
        return nacre_container_fail(k, NACRE_E_NO_CERTIFICATE, "holds no private key.");
    return nacre_container_fail(k, NACRE_E_KEY, "is not PEM.");
}

/* PKCS#1 and SEC1, and what DSA has. */
static enum nacre_error read_traditional_der(struct container *k, struct key **out)
{
    EVP_PKEY *pkey = NULL;
    const unsigned char *at = k->bytes.at;
    size_t len = k->bytes.len;
    OSSL_DECODER_CTX *x =
        OSSL_DECODER_CTX_new_for_pkey(&pkey, "DER", "type-specific", NULL, EVP_PKEY_KEYPAIR, k->c->lib, NULL);
    bool ok = x != NULL && OSSL_DECODER_from_data(x, &at, &len) == 1 && pkey != NULL;
    OSSL_DECODER_CTX_free(x);
    if (ok)
        return nacre_container_take(k, pkey, out);
    EVP_PKEY_free(pkey);
    return nacre_container_fail(k, NACRE_E_KEY, "is no key container that can be read here.");
}

enum nacre_error nacre_der_read(struct container *k, struct key **out)
{
    const unsigned char *at = k->bytes.at;
    X509_SIG *locked = d2i_X509_SIG(NULL, &at, (long)k->bytes.len);
    if (locked != NULL)
        return unlock_pkcs8(k, locked, out);
    at = k->bytes.at;
    PKCS8_PRIV_KEY_INFO *p8 = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, (long)k->bytes.len);
    return p8 != NULL ? take_pkcs8(k, p8, out) : read_traditional_der(k, out);
}

bool nacre_store_write_pem(const struct key *key, struct buf *out)
{
    char *text = NULL;
    if (!nacre_key_is_private(key))
        return false;
    BIO *b = BIO_new(BIO_s_mem());
    bool ok = b != NULL && PEM_write_bio_PKCS8PrivateKey(b, nacre_key_native(key), NULL, NULL, 0, NULL, NULL) == 1;
    long len = ok ? BIO_get_mem_data(b, &text) : 0;
    ok = len > 0 && nacre_buf_append(out, text, (size_t)len);
    BIO_free(b); /* wipes what it held */
    if (!ok)
        ERR_clear_error();
    return ok;
}
