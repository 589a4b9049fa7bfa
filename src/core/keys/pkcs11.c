/* SPDX-License-Identifier: Apache-2.0 */
/* Keys in tokens: the store names the module, the password is the PIN, the subject is that of a certificate in the
 * token or the label of a key. The private half never comes here; libp11 gives a key of the library that asks the token
 * to sign. */
#include "keys/pkcs11.h"

#ifdef NACRE_HAVE_LIBP11

#include <stdio.h>

#define OPENSSL_SUPPRESS_DEPRECATED /* libp11 works through the keys of before providers */
#include <libp11.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "keys/certificate.h"

enum {
    PATH_MAX_LEN = 4096,
    NAME_MAX_LEN = 512
};

static bool is_wanted(const PKCS11_KEY *key, const struct token_wanted *wanted)
{
    if (!key->isPrivate)
        return false;
    if (wanted->object[0] != 0 && (key->label == NULL || strcmp(key->label, wanted->object) != 0))
        return false;
    return wanted->id_len == 0 || span_eq(span_of(key->id, key->id_len), span_of(wanted->id, wanted->id_len));
}

static enum subject_rank rank_of(const struct container *k, PKCS11_KEY *key)
{
    char name[NAME_MAX_LEN] = "";
    const PKCS11_CERT *certificate = PKCS11_find_certificate(key);
    enum subject_rank by_label = nacre_container_rank(k, key->label == NULL ? "" : key->label);
    if (certificate == NULL || certificate->x509 == NULL)
        return by_label;
    (void)nacre_certificate_subject(certificate->x509, name, sizeof name); /* a name too long to tell is none */
    enum subject_rank by_name = nacre_container_rank(k, name);
    return by_name > by_label ? by_name : by_label;
}

/* The key that answers best to the subject, the first of several. */
static PKCS11_KEY *choose(const struct container *k, PKCS11_TOKEN *token, const struct token_wanted *wanted)
{
    PKCS11_KEY *keys = NULL, *best = NULL;
    unsigned count = 0;
    enum subject_rank best_rank = SUBJECT_OTHER;
    if (PKCS11_enumerate_keys(token, &keys, &count) != 0)
        return NULL;
    for (unsigned i = 0; i < count; i++) {
        enum subject_rank rank = is_wanted(&keys[i], wanted) ? rank_of(k, &keys[i]) : SUBJECT_OTHER;
        if (rank > best_rank) {
            best = &keys[i];
            best_rank = rank;
        }
    }
    return best;
}

static void release(void *held)
{
    if (!nacre_modules_lock())
        return;
    nacre_module_close(held);
    nacre_modules_unlock();
}

/* What a token gave. */
struct found {
    EVP_PKEY *pkey;
    X509 *certificate; /* NULL: there is none */
    char label[NAME_MAX_LEN];
};

/* A key of our own around what is inside libp11's, which that may keep for itself as long as the module is loaded. */
static EVP_PKEY *wrap(EVP_PKEY *theirs)
{
    const int type = theirs == NULL ? EVP_PKEY_NONE : EVP_PKEY_get_base_id(theirs);
    void *inside = NULL;
    if (type == EVP_PKEY_RSA)
        inside = EVP_PKEY_get1_RSA(theirs);
    else if (type == EVP_PKEY_EC)
        inside = EVP_PKEY_get1_EC_KEY(theirs);
    EVP_PKEY *ours = inside == NULL ? NULL : EVP_PKEY_new();
    if (ours != NULL && EVP_PKEY_assign(ours, type, inside) == 1)
        return ours;
    if (type == EVP_PKEY_RSA)
        RSA_free(inside);
    else if (type == EVP_PKEY_EC)
        EC_KEY_free(inside);
    EVP_PKEY_free(ours);
    return NULL;
}

/* The library's key, which holds on to the module from then on: `*m` is then NULL. */
static EVP_PKEY *native_key(PKCS11_KEY *key, struct token_module **m)
{
    EVP_PKEY *theirs = PKCS11_get_private_key(key);
    EVP_PKEY *pkey = wrap(theirs);
    EVP_PKEY_free(theirs);
    const struct key_token token = {.release = release, .held = *m};
    if (pkey != NULL && nacre_key_mark_token(pkey, &token)) {
        *m = NULL;
        return pkey;
    }
    EVP_PKEY_free(pkey);
    return NULL;
}

/* With the lock over the modules, as all that asks libp11 for objects: others move in memory while it does. */
static enum nacre_error read_token(struct container *k, struct token_module **m, const struct token_wanted *wanted,
                                   struct found *f)
{
    void *slot = NULL;
    enum nacre_error e = nacre_module_slot(k, *m, wanted, &slot);
    if (e != NACRE_OK)
        return e;
    PKCS11_KEY *key = choose(k, ((PKCS11_SLOT *)slot)->token, wanted);
    if (key == NULL)
        return nacre_container_fail(k, NACRE_E_NO_CERTIFICATE, "has a token without a private key for \"%s\".",
                                    k->subject);
    const PKCS11_CERT *certificate = PKCS11_find_certificate(key);
    if (certificate != NULL && certificate->x509 != NULL && X509_up_ref(certificate->x509) == 1)
        f->certificate = certificate->x509;
    snprintf(f->label, sizeof f->label, "%s", key->label == NULL ? "" : key->label);
    f->pkey = native_key(key, m);
    if (f->pkey == NULL)
        return nacre_container_fail(k, NACRE_E_KEY_TYPE, "has a key of a type that cannot be used here.");
    return NACRE_OK;
}

/* Whatever the key was found by, the certificate beside it says its name. */
static enum nacre_error take(struct container *k, const struct found *f, struct key **out)
{
    struct container any = *k;
    any.subject = "*";
    enum nacre_error e = nacre_container_take(k, f->pkey, out);
    if (e != NACRE_OK)
        return e;
    nacre_container_subject(k, span_str(f->label));
    if (f->certificate != NULL)
        (void)nacre_container_beside(&any, *out, f->certificate);
    return NACRE_OK;
}

static enum nacre_error read_module(struct container *k, const char *path, const struct token_wanted *wanted,
                                    struct key **out)
{
    struct found f = {.pkey = NULL};
    if (!nacre_modules_lock())
        return nacre_container_fail(k, NACRE_E_NOBUFS, "cannot be loaded: out of memory.");
    struct token_module *m = nacre_module_open(k, path);
    enum nacre_error e = m == NULL ? NACRE_E_KEY : read_token(k, &m, wanted, &f);
    if (m != NULL)
        nacre_module_close(m);
    nacre_modules_unlock();
    if (e == NACRE_OK)
        e = take(k, &f, out);
    X509_free(f.certificate);
    return e;
}

enum nacre_error nacre_pkcs11_read(struct container *k, struct key **out)
{
    char path[PATH_MAX_LEN];
    struct token_wanted wanted = {.id_len = 0};
    const uint8_t *uri = k->bytes.len == 0 ? NULL : memchr(k->bytes.at, ';', k->bytes.len);
    size_t len = uri == NULL ? k->bytes.len : (size_t)(uri - k->bytes.at);
    if (len == 0 || len >= sizeof path || span_has_nul(k->bytes))
        return nacre_container_fail(k, NACRE_E_INVAL, "must be the path of a PKCS#11 module.");
    memcpy(path, k->bytes.at, len);
    path[len] = 0;
    if (uri != NULL && !nacre_token_parse(span_of(uri + 1, k->bytes.len - len - 1), &wanted))
        return nacre_container_fail(k, NACRE_E_INVAL, "has a pkcs11: URI that cannot be read.");
    enum nacre_error e = read_module(k, path, &wanted, out);
    ERR_clear_error();
    return e;
}

#else

enum nacre_error nacre_pkcs11_read(struct container *k, struct key **out)
{
    (void)out;
    return nacre_container_fail(k, NACRE_E_NOT_SUPPORTED, "is of type PKCS#11, and this build is without libp11.");
}

#endif
