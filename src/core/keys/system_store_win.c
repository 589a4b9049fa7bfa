/* SPDX-License-Identifier: Apache-2.0 */
/* The certificate stores of Windows: of the user this process runs as, or of the machine. The store is a name ("MY",
 * "CA", "ROOT"); the subject is compared as in every other container. Of several certificates that answer equally well
 * the one that is in force and expires last is taken, so that one that was renewed replaces its predecessor. */
#include "keys/system_store.h"

#include <openssl/err.h>
#include <openssl/x509.h>

#include "keys/certificate.h"
#include "keys/container.h"

enum {
    STORE_NAME_MAX = 256,
    SUBJECT_MAX = 512
};

static enum nacre_error error_of(DWORD number)
{
    switch (number) {
    case ERROR_ACCESS_DENIED:
    case (DWORD)NTE_PERM:
        return NACRE_E_ACCES;
    case ERROR_NOT_ENOUGH_MEMORY:
    case (DWORD)NTE_NO_MEMORY:
        return NACRE_E_NOBUFS;
    default:
        return NACRE_E_KEY;
    }
}

/* "<what>: error 0x80090016": the system's texts of these errors are longer than a sentence. */
static enum nacre_error fail_system(struct container *k, const char *what, DWORD number)
{
    return nacre_container_fail(k, error_of(number), "%s: error 0x%08lX of the system.", what, number);
}

/* ---- the one asked for ------------------------------------------------------------------------------------------- */

struct choice {
    PCCERT_CONTEXT certificate; /* held; NULL: none yet */
    struct system_key *key;     /* NULL: the certificate has none */
    enum subject_rank rank;
    bool in_force;
    bool empty;  /* nothing that could have been asked for has been seen */
    DWORD error; /* why the key of one that would have been taken does not open; 0: there was none */
};

/* Whether there is a private key to try: what the system notes beside a certificate is not proof that it opens. */
static bool has_key(PCCERT_CONTEXT certificate)
{
    DWORD size = 0;
    return CertGetCertificateContextProperty(certificate, CERT_KEY_PROV_INFO_PROP_ID, NULL, &size) ||
           CertGetCertificateContextProperty(certificate, CERT_KEY_CONTEXT_PROP_ID, NULL, &size) ||
           CertGetCertificateContextProperty(certificate, CERT_NCRYPT_KEY_HANDLE_PROP_ID, NULL, &size);
}

static enum subject_rank rank_of(const struct container *k, PCCERT_CONTEXT certificate)
{
    char name[SUBJECT_MAX] = "";
    X509 *x = nacre_container_x509(k, span_of(certificate->pbCertEncoded, certificate->cbCertEncoded));
    if (x == NULL)
        return SUBJECT_OTHER;
    (void)nacre_certificate_subject(x, name, sizeof name); /* a name too long to tell is none */
    X509_free(x);
    return nacre_container_rank(k, name);
}

static bool is_better(const struct choice *best, PCCERT_CONTEXT certificate, enum subject_rank rank, bool in_force)
{
    if (best->certificate == NULL || rank != best->rank)
        return rank > best->rank;
    if (in_force != best->in_force)
        return in_force;
    return CompareFileTime(&certificate->pCertInfo->NotAfter, &best->certificate->pCertInfo->NotAfter) > 0;
}

static void forget(const struct choice *c)
{
    if (c->certificate != NULL)
        (void)CertFreeCertificateContext(c->certificate);
    if (c->key != NULL)
        nacre_system_key_close(c->key);
}

/* One whose key does not open leaves its place to the next. */
static void consider(const struct container *k, struct choice *best, PCCERT_CONTEXT certificate)
{
    struct choice c = {.key = NULL};
    const bool private = has_key(certificate);
    if (!private && !k->public_only_will_do)
        return;
    best->empty = false;
    c.rank = rank_of(k, certificate);
    c.in_force = CertVerifyTimeValidity(NULL, certificate->pCertInfo) == 0;
    if (c.rank == SUBJECT_OTHER || !is_better(best, certificate, c.rank, c.in_force))
        return;
    c.key = private ? nacre_system_key_open(certificate) : NULL;
    c.error = private && c.key == NULL ? GetLastError() : 0;
    if (c.error != 0) {
        best->error = c.error;
        return;
    }
    c.certificate = CertDuplicateCertificateContext(certificate);
    forget(best);
    *best = c;
}

static struct choice choose(const struct container *k, HCERTSTORE store)
{
    struct choice best = {.rank = SUBJECT_OTHER, .empty = true};
    PCCERT_CONTEXT at = NULL;
    while ((at = CertEnumCertificatesInStore(store, at)) != NULL) /* frees the one before */
        consider(k, &best, at);
    return best;
}

/* ---- its key ----------------------------------------------------------------------------------------------------- */

/* Old providers may lack the hashes that today's clients ask for. */
static bool can_sign(struct system_key *key)
{
    static const uint8_t digest[32];
    uint8_t out[SIGNATURE_MAX];
    size_t len = sizeof out;
    return !key->rsa || nacre_system_key_sign(key, HASH_SHA256, span_of(digest, sizeof digest), out, &len);
}

/* The public half of the certificate with the system's key, if any, behind it; takes that. */
static EVP_PKEY *join(X509 *x, struct system_key *key)
{
    EVP_PKEY *public = X509_get0_pubkey(x);
    EVP_PKEY *pkey = public == NULL ? NULL : EVP_PKEY_dup(public); /* the mark is for ours alone */
    const struct key_token token = {.sign = nacre_system_key_sign, .release = nacre_system_key_close, .held = key};
    if (pkey != NULL && (key == NULL || nacre_key_mark_token(pkey, &token)))
        return pkey;
    EVP_PKEY_free(pkey);
    if (key != NULL)
        nacre_system_key_close(key);
    return NULL;
}

static enum nacre_error take(struct container *k, struct choice *c, struct key **out)
{
    if (c->key != NULL && !can_sign(c->key))
        return nacre_container_fail(k, NACRE_E_KEY_TYPE, "holds a key whose provider cannot sign with SHA-256.");
    X509 *x = nacre_container_x509(k, span_of(c->certificate->pbCertEncoded, c->certificate->cbCertEncoded));
    if (x == NULL)
        return nacre_container_fail(k, NACRE_E_NOBUFS, "cannot be read: out of memory.");
    EVP_PKEY *pkey = join(x, c->key);
    c->key = NULL;
    enum nacre_error e = nacre_container_take_certified(k, pkey, x, out);
    X509_free(x);
    return e;
}

/* ---- the store --------------------------------------------------------------------------------------------------- */

/* NULL: told why. */
static HCERTSTORE open_store(struct container *k, DWORD place, enum nacre_error *e)
{
    wchar_t name[STORE_NAME_MAX];
    struct span given = k->bytes;
    int len = given.len == 0 || given.len >= STORE_NAME_MAX || span_has_nul(given)
                  ? 0
                  : MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, (const char *)given.at, (int)given.len, name,
                                        STORE_NAME_MAX - 1);
    if (len <= 0) {
        *e = nacre_container_fail(k, NACRE_E_INVAL, "is no name of a certificate store.");
        return NULL;
    }
    name[len] = 0;
    HCERTSTORE store = CertOpenStore(CERT_STORE_PROV_SYSTEM_W, 0, 0,
                                     place | CERT_STORE_READONLY_FLAG | CERT_STORE_OPEN_EXISTING_FLAG, name);
    if (store == NULL)
        *e = fail_system(k, "cannot be opened", GetLastError());
    return store;
}

static enum nacre_error read_place(struct container *k, DWORD place, struct key **out)
{
    enum nacre_error e = NACRE_E_KEY;
    HCERTSTORE store = open_store(k, place, &e);
    if (store == NULL)
        return e;
    struct choice best = choose(k, store);
    if (best.certificate != NULL)
        e = take(k, &best, out);
    else if (best.error != 0)
        e = fail_system(k, "holds the certificate, but its private key cannot be used", best.error);
    else if (best.empty)
        e = nacre_container_fail(k, NACRE_E_NO_CERTIFICATE, "holds no private key.");
    else
        e = nacre_container_absent(k);
    forget(&best);
    (void)CertCloseStore(store, 0);
    ERR_clear_error();
    return e;
}

enum nacre_error nacre_user_store_read(struct container *k, struct key **out)
{
    return read_place(k, CERT_SYSTEM_STORE_CURRENT_USER, out);
}

enum nacre_error nacre_machine_store_read(struct container *k, struct key **out)
{
    return read_place(k, CERT_SYSTEM_STORE_LOCAL_MACHINE, out);
}
