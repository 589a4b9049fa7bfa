/* SPDX-License-Identifier: Apache-2.0 */
/* Containers without a private key: certificates, public keys, PKCS#7 collections of certificates, SSH public keys. */
#include "keys/container.h"

#include <openssl/bio.h>
#include <openssl/decoder.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs7.h>

#include "crypto/context.h"
#include "keys/certificate.h"

enum {
    SUBJECT_MAX = 512
};

/* ---- X.509 ------------------------------------------------------------------------------------------------------- */

static EVP_PKEY *read_public_key(const struct container *k)
{
    EVP_PKEY *pkey = NULL;
    const unsigned char *at = k->bytes.at;
    size_t len = k->bytes.len;
    OSSL_DECODER_CTX *x = OSSL_DECODER_CTX_new_for_pkey(&pkey, NULL, NULL, NULL, EVP_PKEY_PUBLIC_KEY, k->c->lib, NULL);
    bool ok = x != NULL && OSSL_DECODER_from_data(x, &at, &len) == 1 && pkey != NULL;
    OSSL_DECODER_CTX_free(x);
    if (ok)
        return pkey;
    EVP_PKEY_free(pkey);
    return NULL;
}

enum nacre_error nacre_public_read(struct container *k, struct key **out)
{
    struct buf der;
    nacre_buf_init(&der, STORE_FILE_MAX);
    X509 *x = nacre_certificate_decode(k->bytes, &der) ? nacre_container_x509(k, buf_span(&der)) : NULL;
    EVP_PKEY *pkey = x == NULL ? read_public_key(k) : NULL;
    enum nacre_error e;
    if (x != NULL)
        e = nacre_container_take_certified(k, X509_get_pubkey(x), x, out);
    else if (pkey != NULL)
        e = nacre_container_take(k, pkey, out);
    else
        e = nacre_container_fail(k, NACRE_E_KEY, "is no certificate and no public key.");
    X509_free(x);
    nacre_buf_free(&der);
    return e;
}

/* ---- PKCS#7 ------------------------------------------------------------------------------------------------------ */

static PKCS7 *read_pkcs7(const struct container *k)
{
    PKCS7 *p = PKCS7_new_ex(k->c->lib, NULL);
    const unsigned char *at = k->bytes.at;
    if (p == NULL)
        return NULL;
    if (nacre_bytes_find(k->bytes, "-----BEGIN ") == NULL)
        return d2i_PKCS7(&p, &at, (long)k->bytes.len); /* frees and clears p when it fails */
    BIO *in = BIO_new_mem_buf(k->bytes.at, (int)k->bytes.len);
    PKCS7 *got = in == NULL ? NULL : PEM_read_bio_PKCS7(in, &p, nacre_no_password, NULL);
    BIO_free(in);
    if (got == NULL)
        PKCS7_free(p);
    return got;
}

/* The certificate that answers best to the subject, the first of several. */
static X509 *choose(const struct container *k, const STACK_OF(X509) * list)
{
    X509 *best = NULL;
    enum subject_rank best_rank = SUBJECT_OTHER;
    for (int i = 0; i < sk_X509_num(list); i++) {
        char name[SUBJECT_MAX] = "";
        (void)nacre_certificate_subject(sk_X509_value(list, i), name,
                                        sizeof name); /* a name too long to tell is none */
        enum subject_rank rank = nacre_container_rank(k, name);
        if (rank > best_rank) {
            best = sk_X509_value(list, i);
            best_rank = rank;
        }
    }
    return best;
}

bool nacre_p7b_is(struct span bytes)
{
    /* 1.2.840.113549.1.7.2, signed data, right behind the outer tag and length. */
    return nacre_bytes_find(span_of(bytes.at, bytes.len < 20 ? bytes.len : 20),
                            "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02") != NULL;
}

enum nacre_error nacre_p7b_read(struct container *k, struct key **out)
{
    PKCS7 *p = read_pkcs7(k);
    const STACK_OF(X509) *list = p != NULL && PKCS7_type_is_signed(p) && p->d.sign != NULL ? p->d.sign->cert : NULL;
    X509 *x = list == NULL ? NULL : choose(k, list);
    enum nacre_error e;
    if (p == NULL)
        e = nacre_container_fail(k, NACRE_E_KEY, "is not P7B (PKCS#7).");
    else if (list == NULL || sk_X509_num(list) <= 0)
        e = nacre_container_fail(k, NACRE_E_NO_CERTIFICATE, "holds no certificates.");
    else if (!k->public_only_will_do)
        e = nacre_container_fail(k, NACRE_E_NO_CERTIFICATE, "holds certificates only: P7B has no private keys.");
    else
        e = x == NULL ? nacre_container_absent(k) : nacre_container_take_certified(k, X509_get_pubkey(x), x, out);
    PKCS7_free(p);
    return e;
}

/* ---- SSH --------------------------------------------------------------------------------------------------------- */

static struct span until(struct span *rest, char end)
{
    const uint8_t *at = rest->len == 0 ? NULL : memchr(rest->at, end, rest->len);
    size_t len = at == NULL ? rest->len : (size_t)(at - rest->at);
    struct span part = span_of(rest->at, len);
    size_t skip = at == NULL ? len : len + 1;
    *rest = span_of(rest->at + skip, rest->len - skip);
    return part;
}

/* "ssh-ed25519 AAAA... comment" */
static bool read_line(struct span text, struct span *type, struct buf *blob, struct span *comment)
{
    struct span line = nacre_text_trim(until(&text, '\n'));
    *type = until(&line, ' ');
    line = nacre_text_trim(line);
    struct span base64 = until(&line, ' ');
    *comment = nacre_text_trim(line);
    return type->len != 0 && base64.len != 0 && nacre_base64_read(base64, blob);
}

/* RFC 4716: a block with header lines, which a backslash at the end continues, and base64. */
static bool read_block(struct span text, struct buf *blob, struct span *comment)
{
    const uint8_t *end = nacre_bytes_find(text, "---- END SSH2 PUBLIC KEY ----");
    if (end == NULL)
        return false;
    struct span rest = span_of(text.at, (size_t)(end - text.at));
    (void)until(&rest, '\n');
    for (bool more = false; rest.len != 0;) {
        struct span from = rest;
        struct span line = nacre_text_trim(until(&rest, '\n'));
        const bool header = more || (line.len != 0 && memchr(line.at, ':', line.len) != NULL);
        if (!header)
            return nacre_base64_read(from, blob);
        if (!more && line.len > 9 && memcmp(line.at, "Comment: ", 9) == 0)
            *comment = span_of(line.at + 9, line.len - 9);
        more = line.len != 0 && line.at[line.len - 1] == '\\';
    }
    return false;
}

enum nacre_error nacre_ssh_public_read(struct container *k, struct key **out)
{
    struct buf blob;
    struct span comment = span_of(NULL, 0), type = comment;
    const struct span text = nacre_text_trim(k->bytes);
    struct key *key = NULL;
    nacre_buf_init(&blob, 2 * KEY_BLOB_MAX);
    bool is_block = text.len > 5 && memcmp(text.at, "---- ", 5) == 0;
    bool ok = is_block ? read_block(text, &blob, &comment) : read_line(text, &type, &blob, &comment);
    if (ok)
        key = nacre_key_from_blob(k->c, buf_span(&blob));
    nacre_buf_free(&blob);
    if (!ok && nacre_bytes_find(text, "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----") != NULL)
        return nacre_container_fail(k, NACRE_E_KEY_TYPE,
                                    "is a private key as ssh.com has them, which cannot be read here.");
    if (!ok)
        return nacre_container_fail(k, NACRE_E_KEY, "is not an SSH public key.");
    if (key == NULL || (!is_block && !span_is(type, nacre_key_type(key)))) {
        nacre_key_unref(key);
        return nacre_container_fail(k, NACRE_E_KEY_TYPE, "holds a public key that is damaged or cannot be used here.");
    }
    enum nacre_error e = nacre_container_give(k, key, out);
    if (e == NACRE_OK)
        nacre_container_subject(k, comment);
    return e;
}
