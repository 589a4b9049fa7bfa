/* SPDX-License-Identifier: Apache-2.0 */
/* PKCS#12 (PFX), RFC 7292: private keys and certificates, locked with a password that may be empty. Of several keys the
 * one whose certificate answers best to the subject is taken. */
#include "keys/container.h"

#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/pkcs12.h>

#include "crypto/context.h"
#include "keys/certificate.h"
#include "keys/pbe.h"

enum {
    ENTRIES_MAX = 64,
    NEST_MAX = 4, /* bags in bags */
    NAME_MAX_LEN = 512
};

struct entries {
    struct container *k;
    uint64_t rounds_left; /* of hashing the password */
    const char *password; /* NULL: none, which differs from an empty one */
    EVP_PKEY *key[ENTRIES_MAX];
    char name[ENTRIES_MAX][64]; /* the key's own, where it has one */
    X509 *certificate[ENTRIES_MAX];
    size_t keys, certificates;
    bool bad;
    bool dear;      /* opening it costs too much, and that has been told */
    bool shut;      /* what is locked does not open */
    bool authentic; /* the password is the right one */
};

static PKCS12 *decode(const struct container *k)
{
    /* Made first, so that what is inside is looked up in that context and not in the system's. */
    PKCS12 *p = PKCS12_init_ex(NID_pkcs7_data, nacre_unlock_library(k->c), NULL);
    const unsigned char *at = k->bytes.at;
    if (p == NULL)
        return NULL;
    return d2i_PKCS12(&p, &at, (long)k->bytes.len); /* frees and clears p when it fails */
}

/* Both ways to write an empty password are in use. */
static bool password_opens(PKCS12 *p, const char **password)
{
    if (PKCS12_mac_present(p) == 0)
        return true;
    if (PKCS12_verify_mac(p, *password, -1) == 1)
        return true;
    if ((*password)[0] != 0 || PKCS12_verify_mac(p, NULL, 0) != 1)
        return false;
    *password = NULL;
    return true;
}

static int password_len(const struct entries *e)
{
    return e->password == NULL ? 0 : (int)strlen(e->password);
}

/* ---- what is inside ---------------------------------------------------------------------------------------------- */

/* With room for it. Consumes `pkey`; NULL is a key that could not be read. */
static void add_key(struct entries *e, EVP_PKEY *pkey, PKCS12_SAFEBAG *bag)
{
    if (pkey == NULL) {
        e->bad = true;
        return;
    }
    char *name = PKCS12_get_friendlyname(bag);
    size_t len = name == NULL ? 0 : strlen(name);
    len = len < sizeof e->name[0] ? len : sizeof e->name[0] - 1;
    if (len != 0)
        memcpy(e->name[e->keys], name, len);
    e->name[e->keys][len] = 0;
    OPENSSL_free(name);
    e->key[e->keys++] = pkey;
}

static bool pays(struct entries *e, const X509_ALGOR *lock)
{
    e->dear = e->dear || !nacre_pbe_pays(e->k, lock, &e->rounds_left);
    e->bad = e->bad || e->dear;
    return !e->dear;
}

static void read_open_key(struct entries *e, PKCS12_SAFEBAG *bag)
{
    if (e->keys != ENTRIES_MAX)
        add_key(e, nacre_pkcs8_key(e->k, PKCS12_SAFEBAG_get0_p8inf(bag)), bag);
}

static void read_locked_key(struct entries *e, PKCS12_SAFEBAG *bag)
{
    const X509_ALGOR *lock = NULL;
    X509_SIG_get0(PKCS12_SAFEBAG_get0_pkcs8(bag), &lock, NULL);
    if (e->keys == ENTRIES_MAX || !pays(e, lock))
        return;
    PKCS8_PRIV_KEY_INFO *p8 =
        PKCS12_decrypt_skey_ex(bag, e->password, password_len(e), nacre_unlock_library(e->k->c), NULL);
    e->shut = p8 == NULL;
    add_key(e, p8 == NULL ? NULL : nacre_pkcs8_key(e->k, p8), bag);
    PKCS8_PRIV_KEY_INFO_free(p8);
}

static void read_certificate(struct entries *e, PKCS12_SAFEBAG *bag)
{
    if (PKCS12_SAFEBAG_get_bag_nid(bag) != NID_x509Certificate || e->certificates == ENTRIES_MAX)
        return;
    X509 *x = PKCS12_SAFEBAG_get1_cert(bag);
    if (x != NULL)
        e->certificate[e->certificates++] = x;
}

static void read_bags(struct entries *e, const STACK_OF(PKCS12_SAFEBAG) * bags, int nested)
{
    for (int i = 0; i < sk_PKCS12_SAFEBAG_num(bags) && !e->bad; i++) {
        PKCS12_SAFEBAG *bag = sk_PKCS12_SAFEBAG_value(bags, i);
        int kind = PKCS12_SAFEBAG_get_nid(bag); /* lists of revoked certificates and secrets are passed over */
        if (kind == NID_keyBag)
            read_open_key(e, bag);
        else if (kind == NID_pkcs8ShroudedKeyBag)
            read_locked_key(e, bag);
        else if (kind == NID_certBag)
            read_certificate(e, bag);
        else if (kind == NID_safeContentsBag && nested < NEST_MAX)
            read_bags(e, PKCS12_SAFEBAG_get0_safes(bag), nested + 1);
    }
}

static const X509_ALGOR *lock_of(const PKCS7 *safe)
{
    const PKCS7_ENCRYPT *e = safe->d.encrypted;
    return e == NULL || e->enc_data == NULL ? NULL : e->enc_data->algorithm;
}

static STACK_OF(PKCS12_SAFEBAG) * unlock_safe(struct entries *e, PKCS7 *safe)
{
    if (!pays(e, lock_of(safe)))
        return NULL;
    STACK_OF(PKCS12_SAFEBAG) *bags = PKCS12_unpack_p7encdata(safe, e->password, password_len(e));
    e->shut = bags == NULL;
    return bags;
}

static void read_safes(struct entries *e, PKCS12 *p)
{
    STACK_OF(PKCS7) *safes = PKCS12_unpack_authsafes(p);
    e->bad = safes == NULL;
    for (int i = 0; i < sk_PKCS7_num(safes) && !e->bad; i++) {
        PKCS7 *safe = sk_PKCS7_value(safes, i);
        STACK_OF(PKCS12_SAFEBAG) *bags = NULL;
        if (PKCS7_type_is_data(safe))
            bags = PKCS12_unpack_p7data(safe);
        else if (PKCS7_type_is_encrypted(safe))
            bags = unlock_safe(e, safe);
        else
            continue;
        e->bad = bags == NULL;
        read_bags(e, bags, 0);
        sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
    }
    sk_PKCS7_pop_free(safes, PKCS7_free);
}

/* ---- the one asked for --------------------------------------------------------------------------------------------
 */

static X509 *certificate_of(const struct entries *e, const EVP_PKEY *key)
{
    for (size_t i = 0; i < e->certificates; i++) {
        const EVP_PKEY *public = X509_get0_pubkey(e->certificate[i]);
        if (public != NULL && EVP_PKEY_eq(public, key) == 1)
            return e->certificate[i];
    }
    return NULL;
}

/* The index of the key that answers best to the subject, the first of several; e->keys: none does. A single key without
 * a certificate needs no name. */
static size_t choose(const struct container *k, const struct entries *e)
{
    size_t best = e->keys;
    enum subject_rank best_rank = SUBJECT_OTHER;
    for (size_t i = 0; i < e->keys; i++) {
        char text[NAME_MAX_LEN] = "";
        const X509 *x = certificate_of(e, e->key[i]);
        if (x == NULL && e->keys == 1)
            return i;
        if (x != NULL)
            (void)nacre_certificate_subject(x, text, sizeof text); /* a name too long to tell is none */
        enum subject_rank rank = nacre_container_rank(k, x == NULL ? e->name[i] : text);
        if (rank > best_rank) {
            best = i;
            best_rank = rank;
        }
    }
    return best;
}

static enum nacre_error take(struct container *k, struct entries *e, struct key **out)
{
    if (e->dear)
        return NACRE_E_KEY;
    if (e->shut && !e->authentic)
        return nacre_pbe_fail(k);
    if (e->bad)
        return nacre_container_fail(k, NACRE_E_KEY,
                                    "cannot be opened: it is damaged, or locked in a way that is not available here.");
    if (e->keys == 0)
        return nacre_container_fail(k, NACRE_E_NO_CERTIFICATE, "holds no private key.");
    size_t i = choose(k, e);
    if (i == e->keys)
        return nacre_container_absent(k);
    X509 *x = certificate_of(e, e->key[i]);
    EVP_PKEY *pkey = e->key[i];
    e->key[i] = NULL;
    if (x != NULL)
        return nacre_container_take_certified(k, pkey, x, out);
    enum nacre_error error = nacre_container_take(k, pkey, out);
    if (error == NACRE_OK)
        nacre_container_subject(k, span_str(e->name[i]));
    return error;
}

static enum nacre_error read_contents(struct container *k, PKCS12 *p, const char *password, uint64_t rounds_left,
                                      struct key **out)
{
    struct entries *e = OPENSSL_zalloc(sizeof *e);
    if (e == NULL)
        return nacre_container_fail(k, NACRE_E_NOBUFS, "cannot be read: out of memory.");
    e->k = k;
    e->rounds_left = rounds_left;
    e->password = password;
    e->authentic = PKCS12_mac_present(p) != 0;
    read_safes(e, p);
    enum nacre_error error = take(k, e, out);
    for (size_t i = 0; i < e->keys; i++)
        EVP_PKEY_free(e->key[i]);
    for (size_t i = 0; i < e->certificates; i++)
        X509_free(e->certificate[i]);
    OPENSSL_free(e);
    return error;
}

enum nacre_error nacre_pfx_read(struct container *k, struct key **out)
{
    const char *password = k->password;
    uint64_t rounds_left = nacre_pbe_rounds(k);
    enum nacre_error e;
    ERR_clear_error(); /* why the password does not open it is read from there */
    PKCS12 *p = decode(k);
    if (p == NULL)
        return nacre_container_fail(k, NACRE_E_KEY, "is not PFX (PKCS#12).");
    if (PKCS12_mac_present(p) != 0 && !nacre_pbe_pays_mac(k, p, &rounds_left))
        e = NACRE_E_KEY;
    else if (password_opens(p, &password))
        e = read_contents(k, p, password, rounds_left, out);
    else
        e = nacre_pbe_fail(k);
    PKCS12_free(p);
    return e;
}
