/* SPDX-License-Identifier: Apache-2.0 */
/* The tables, most wanted first, and what of them the library under us can do.
 *
 * A row is probed once, when the context opens; one that fails is found by nobody and named nowhere. */
#include "crypto/context.h"

#include <stdio.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>

#include "crypto/kem.h"
#include "crypto/kex_agree.h"
#include "crypto/keytype.h"

/* clang-format off */
static const struct kex_alg kex_algs[KEX_ROWS] = {
    /* name                                  how                hash         group         mpint  slow   asks   kem */
    {"mlkem768x25519-sha256",                &nacre_kex_hybrid, HASH_SHA256, "X25519",     false, false, false, &nacre_kem_mlkem},
    {"sntrup761x25519-sha512",               &nacre_kex_hybrid, HASH_SHA512, "X25519",     false, true,  false, &nacre_kem_sntrup},
    {"sntrup761x25519-sha512@openssh.com",   &nacre_kex_hybrid, HASH_SHA512, "X25519",     false, true,  false, &nacre_kem_sntrup},
    {"curve25519-sha256",                    &nacre_kex_x25519, HASH_SHA256, "X25519",     false, false, false, NULL},
    {"curve25519-sha256@libssh.org",         &nacre_kex_x25519, HASH_SHA256, "X25519",     false, false, false, NULL},
    {"ecdh-sha2-nistp256",                   &nacre_kex_nist,   HASH_SHA256, "prime256v1", false, false, false, NULL},
    {"ecdh-sha2-nistp384",                   &nacre_kex_nist,   HASH_SHA384, "secp384r1",  false, true,  false, NULL},
    {"ecdh-sha2-nistp521",                   &nacre_kex_nist,   HASH_SHA512, "secp521r1",  false, true,  false, NULL},
    {"diffie-hellman-group16-sha512",        &nacre_kex_dh,     HASH_SHA512, "modp_4096",  true,  true,  false, NULL},
    {"diffie-hellman-group18-sha512",        &nacre_kex_dh,     HASH_SHA512, "modp_8192",  true,  true,  false, NULL},
    {"diffie-hellman-group14-sha256",        &nacre_kex_dh,     HASH_SHA256, "modp_2048",  true,  true,  false, NULL},
    {"diffie-hellman-group-exchange-sha256", &nacre_kex_dh,     HASH_SHA256, NULL,         true,  true,  true,  NULL},
    {"diffie-hellman-group14-sha1",          &nacre_kex_dh,     HASH_SHA1,   "modp_2048",  true,  true,  false, NULL},
    {"diffie-hellman-group-exchange-sha1",   &nacre_kex_dh,     HASH_SHA1,   NULL,         true,  true,  true,  NULL},
    {"diffie-hellman-group1-sha1",           &nacre_kex_dh,     HASH_SHA1,   "modp_1024",  true,  true,  false, NULL},
};

static const struct sig_alg sig_algs[SIG_ROWS] = {
    /* name                        key name                      name in the signature  hash         curve         slow   how */
    {"ssh-ed25519",                "ssh-ed25519",                "ssh-ed25519",         HASH_SHA512, NULL,         false, &nacre_sig_ed25519},
    {"ecdsa-sha2-nistp256",        "ecdsa-sha2-nistp256",        "ecdsa-sha2-nistp256", HASH_SHA256, "prime256v1", false, &nacre_sig_ecdsa},
    {"ecdsa-sha2-nistp384",        "ecdsa-sha2-nistp384",        "ecdsa-sha2-nistp384", HASH_SHA384, "secp384r1",  true,  &nacre_sig_ecdsa},
    {"ecdsa-sha2-nistp521",        "ecdsa-sha2-nistp521",        "ecdsa-sha2-nistp521", HASH_SHA512, "secp521r1",  true,  &nacre_sig_ecdsa},
    {"rsa-sha2-512",               "ssh-rsa",                    "rsa-sha2-512",        HASH_SHA512, NULL,         true,  &nacre_sig_rsa},
    {"rsa-sha2-256",               "ssh-rsa",                    "rsa-sha2-256",        HASH_SHA256, NULL,         true,  &nacre_sig_rsa},

    {"sk-ssh-ed25519@openssh.com",         "sk-ssh-ed25519@openssh.com",         "sk-ssh-ed25519@openssh.com",         HASH_SHA512, NULL,         false, &nacre_sig_ed25519},
    {"sk-ecdsa-sha2-nistp256@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com", HASH_SHA256, "prime256v1", false, &nacre_sig_ecdsa},

    {"ssh-ed25519-cert-v01@openssh.com",            "ssh-ed25519-cert-v01@openssh.com",            "ssh-ed25519",         HASH_SHA512, NULL,         false, &nacre_sig_ed25519},
    {"ecdsa-sha2-nistp256-cert-v01@openssh.com",    "ecdsa-sha2-nistp256-cert-v01@openssh.com",    "ecdsa-sha2-nistp256", HASH_SHA256, "prime256v1", false, &nacre_sig_ecdsa},
    {"ecdsa-sha2-nistp384-cert-v01@openssh.com",    "ecdsa-sha2-nistp384-cert-v01@openssh.com",    "ecdsa-sha2-nistp384", HASH_SHA384, "secp384r1",  true,  &nacre_sig_ecdsa},
    {"ecdsa-sha2-nistp521-cert-v01@openssh.com",    "ecdsa-sha2-nistp521-cert-v01@openssh.com",    "ecdsa-sha2-nistp521", HASH_SHA512, "secp521r1",  true,  &nacre_sig_ecdsa},
    {"sk-ssh-ed25519-cert-v01@openssh.com",         "sk-ssh-ed25519-cert-v01@openssh.com",         "sk-ssh-ed25519@openssh.com",         HASH_SHA512, NULL,         false, &nacre_sig_ed25519},
    {"sk-ecdsa-sha2-nistp256-cert-v01@openssh.com", "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com", HASH_SHA256, "prime256v1", false, &nacre_sig_ecdsa},
    {"rsa-sha2-512-cert-v01@openssh.com",           "ssh-rsa-cert-v01@openssh.com",                "rsa-sha2-512",        HASH_SHA512, NULL,         true,  &nacre_sig_rsa},
    {"rsa-sha2-256-cert-v01@openssh.com",           "ssh-rsa-cert-v01@openssh.com",                "rsa-sha2-256",        HASH_SHA256, NULL,         true,  &nacre_sig_rsa},

    {"x509v3-ecdsa-sha2-nistp256", "x509v3-ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", HASH_SHA256, "prime256v1", false, &nacre_sig_ecdsa},
    {"x509v3-ecdsa-sha2-nistp384", "x509v3-ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384", HASH_SHA384, "secp384r1",  true,  &nacre_sig_ecdsa},
    {"x509v3-ecdsa-sha2-nistp521", "x509v3-ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521", HASH_SHA512, "secp521r1",  true,  &nacre_sig_ecdsa},
    {"x509v3-rsa2048-sha256",      "x509v3-rsa2048-sha256",      "rsa2048-sha256",      HASH_SHA256, NULL,         true,  &nacre_sig_rsa},
    {"ssh-rsa",                    "ssh-rsa",                    "ssh-rsa",             HASH_SHA1,   NULL,         true,  &nacre_sig_rsa},
    {"x509v3-ssh-rsa",             "x509v3-ssh-rsa",             "ssh-rsa",             HASH_SHA1,   NULL,         true,  &nacre_sig_rsa},
    {"x509v3-sign-rsa",            "x509v3-sign-rsa",            "x509v3-sign-rsa",     HASH_SHA1,   NULL,         true,  &nacre_sig_rsa},
    {"ssh-dss",                    "ssh-dss",                    "ssh-dss",             HASH_SHA1,   NULL,         true,  &nacre_sig_dsa},
    {"x509v3-sign-dss",            "x509v3-sign-dss",            "x509v3-sign-dss",     HASH_SHA1,   NULL,         true,  &nacre_sig_dsa},
};

static const struct cipher_alg cipher_algs[CIPHER_ROWS] = {
    /* name                            how                     fetch          key iv block tag discard cbc */
    {"chacha20-poly1305@openssh.com", &nacre_cipher_chapoly,  "ChaCha20",     64,  0,  8,  16,    0, false},
    {"aes256-gcm@openssh.com",        &nacre_cipher_gcm,      "AES-256-GCM",  32, 12, 16,  16,    0, false},
    {"aes128-gcm@openssh.com",        &nacre_cipher_gcm,      "AES-128-GCM",  16, 12, 16,  16,    0, false},
    {"aes256-ctr",                    &nacre_cipher_ctr,      "AES-256-CTR",  32, 16, 16,   0,    0, false},
    {"aes192-ctr",                    &nacre_cipher_ctr,      "AES-192-CTR",  24, 16, 16,   0,    0, false},
    {"aes128-ctr",                    &nacre_cipher_ctr,      "AES-128-CTR",  16, 16, 16,   0,    0, false},
    {"aes256-cbc",                    &nacre_cipher_stream,   "AES-256-CBC",  32, 16, 16,   0,    0, true},
    {"aes192-cbc",                    &nacre_cipher_stream,   "AES-192-CBC",  24, 16, 16,   0,    0, true},
    {"aes128-cbc",                    &nacre_cipher_stream,   "AES-128-CBC",  16, 16, 16,   0,    0, true},
    {"3des-ctr",                      &nacre_cipher_3des_ctr, "DES-EDE3-ECB", 24,  8,  8,   0,    0, false},
    {"3des-cbc",                      &nacre_cipher_stream,   "DES-EDE3-CBC", 24,  8,  8,   0,    0, true},
    {"blowfish-cbc",                  &nacre_cipher_stream,   "BF-CBC",       16,  8,  8,   0,    0, true},
    {"cast128-cbc",                   &nacre_cipher_stream,   "CAST5-CBC",    16,  8,  8,   0,    0, true},
    {"arcfour256",                    &nacre_cipher_stream,   "RC4",          32,  0,  8,   0, 1536, false},
    {"arcfour128",                    &nacre_cipher_stream,   "RC4",          16,  0,  8,   0, 1536, false},
    {"arcfour",                       &nacre_cipher_stream,   "RC4",          16,  0,  8,   0,    0, false},
};

static const struct mac_alg mac_algs[MAC_ROWS] = {
    /* name                           how              hash            key tag etm */
    {"hmac-sha2-256-etm@openssh.com", &nacre_mac_hmac, HASH_SHA256,    32, 32, true},
    {"hmac-sha2-512-etm@openssh.com", &nacre_mac_hmac, HASH_SHA512,    64, 64, true},
    {"umac-128-etm@openssh.com",      &nacre_mac_umac, HASH_COUNT,     16, 16, true},
    {"hmac-sha2-256",                 &nacre_mac_hmac, HASH_SHA256,    32, 32, false},
    {"hmac-sha2-512",                 &nacre_mac_hmac, HASH_SHA512,    64, 64, false},
    {"umac-128@openssh.com",          &nacre_mac_umac, HASH_COUNT,     16, 16, false},
    {"umac-64-etm@openssh.com",       &nacre_mac_umac, HASH_COUNT,     16,  8, true},
    {"umac-64@openssh.com",           &nacre_mac_umac, HASH_COUNT,     16,  8, false},
    {"hmac-sha1",                     &nacre_mac_hmac, HASH_SHA1,      20, 20, false},
    {"hmac-ripemd160",                &nacre_mac_hmac, HASH_RIPEMD160, 20, 20, false},
    {"hmac-sha2-256-96",              &nacre_mac_hmac, HASH_SHA256,    32, 12, false},
    {"hmac-sha2-512-96",              &nacre_mac_hmac, HASH_SHA512,    64, 12, false},
    {"hmac-sha1-96",                  &nacre_mac_hmac, HASH_SHA1,      20, 12, false},
    {"hmac-ripemd160-96",             &nacre_mac_hmac, HASH_RIPEMD160, 20, 12, false},
    {"hmac-md5",                      &nacre_mac_hmac, HASH_MD5,       16, 16, false},
    {"hmac-md5-96",                   &nacre_mac_hmac, HASH_MD5,       16, 12, false},
};

static const struct comp_alg comp_algs[COMP_ROWS] = {
    /* name             how               delayed */
    {"none",             NULL,             false},
    {"zlib@openssh.com", &nacre_comp_zlib, true},
    {"zlib",             &nacre_comp_zlib, false},
};

const char nacre_mlkem_name[] = "ML-KEM-768";

static const size_t rows_of[ALG_KINDS] = {
    [ALG_KEX] = KEX_ROWS, [ALG_KEY] = SIG_ROWS, [ALG_CIPHER] = CIPHER_ROWS, [ALG_MAC] = MAC_ROWS, [ALG_COMP] = COMP_ROWS,
};
/* clang-format on */

static const char *row_name(enum alg_kind kind, size_t row)
{
    switch (kind) {
    case ALG_KEX:
        return kex_algs[row].name;
    case ALG_KEY:
        return sig_algs[row].name;
    case ALG_CIPHER:
        return cipher_algs[row].name;
    case ALG_MAC:
        return mac_algs[row].name;
    case ALG_COMP:
        return comp_algs[row].name;
    case ALG_KINDS:
        break;
    }
    return "";
}

/* The number of the usable row of that name, or -1. */
static int row_find(const struct nacre_crypto *c, enum alg_kind kind, struct span name)
{
    for (size_t i = 0; i < rows_of[kind]; i++) {
        if (c->usable[kind][i] && c->name_len[kind][i] == name.len && memcmp(row_name(kind, i), name.at, name.len) == 0)
            return (int)i;
    }
    return -1;
}

const struct kex_alg *nacre_kex_find(const struct nacre_crypto *c, struct span name)
{
    int i = row_find(c, ALG_KEX, name);
    return i < 0 ? NULL : &kex_algs[i];
}

const struct sig_alg *nacre_sig_find(const struct nacre_crypto *c, struct span name)
{
    int i = row_find(c, ALG_KEY, name);
    return i < 0 ? NULL : &sig_algs[i];
}

const struct sig_alg *nacre_sig_row(const struct nacre_crypto *c, size_t i)
{
    return c->usable[ALG_KEY][i] ? &sig_algs[i] : NULL;
}

const struct cipher_alg *nacre_cipher_find(const struct nacre_crypto *c, struct span name)
{
    int i = row_find(c, ALG_CIPHER, name);
    return i < 0 ? NULL : &cipher_algs[i];
}

const struct mac_alg *nacre_mac_find(const struct nacre_crypto *c, struct span name)
{
    int i = row_find(c, ALG_MAC, name);
    return i < 0 ? NULL : &mac_algs[i];
}

const struct comp_alg *nacre_comp_find(const struct nacre_crypto *c, struct span name)
{
    int i = row_find(c, ALG_COMP, name);
    return i < 0 ? NULL : &comp_algs[i];
}

const char *nacre_algs_usable(const struct nacre_crypto *c, enum alg_kind kind)
{
    return (unsigned)kind < ALG_KINDS ? c->names[kind] : "";
}

EVP_CIPHER *nacre_cipher_fetched(const struct nacre_crypto *c, const struct cipher_alg *alg)
{
    return c->cipher[alg - cipher_algs];
}

EVP_PKEY_CTX *nacre_kex_template(const struct nacre_crypto *c, const struct kex_alg *alg)
{
    return c->kex[alg - kex_algs];
}

const EVP_PKEY *nacre_curve_parameters(const struct nacre_crypto *c, const char *group)
{
    for (size_t i = 0; i < KEX_ROWS; i++) {
        if (c->usable[ALG_KEX][i] && kex_algs[i].ops == &nacre_kex_nist && strcmp(kex_algs[i].group, group) == 0)
            return EVP_PKEY_CTX_get0_pkey(c->kex[i]);
    }
    return NULL;
}

EVP_PKEY *nacre_public_like(const EVP_PKEY *like, const uint8_t *encoded, size_t len)
{
    EVP_PKEY *pkey = EVP_PKEY_new();
    if (pkey != NULL && EVP_PKEY_copy_parameters(pkey, like) == 1 &&
        EVP_PKEY_set1_encoded_public_key(pkey, encoded, len) == 1)
        return pkey;
    EVP_PKEY_free(pkey);
    ERR_clear_error();
    return NULL;
}

/* A context holding nothing but the domain parameters of `group`: key generation from it does not build them again. */
static EVP_PKEY_CTX *group_template(OSSL_LIB_CTX *lib, const char *type, const char *group)
{
    char name[32];
    EVP_PKEY *parameters = NULL;
    EVP_PKEY_CTX *template = NULL;
    EVP_PKEY_CTX *x = EVP_PKEY_CTX_new_from_name(lib, type, NULL);
    if (snprintf(name, sizeof name, "%s", group) >= (int)sizeof name)
        goto out;
    OSSL_PARAM p[] = {OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, name, 0),
                      OSSL_PARAM_construct_end()};
    if (x == NULL || EVP_PKEY_fromdata_init(x) != 1 ||
        EVP_PKEY_fromdata(x, &parameters, EVP_PKEY_KEY_PARAMETERS, p) != 1)
        goto out;
    template = EVP_PKEY_CTX_new_from_pkey(lib, parameters, NULL);
out:
    EVP_PKEY_free(parameters);
    EVP_PKEY_CTX_free(x);
    return template;
}

/* The library has no name for this one. */
static EVP_PKEY_CTX *group1_template(const struct nacre_crypto *c)
{
    EVP_PKEY *parameters = nacre_dh_group1(c);
    EVP_PKEY_CTX *template = parameters == NULL ? NULL : EVP_PKEY_CTX_new_from_pkey(c->lib, parameters, NULL);
    EVP_PKEY_free(parameters);
    return template;
}

static bool probe_kex(struct nacre_crypto *c, size_t row)
{
    const struct kex_alg *alg = &kex_algs[row];
    if (alg->ops == &nacre_kex_x25519 || alg->ops == &nacre_kex_hybrid)
        c->kex[row] = EVP_PKEY_CTX_new_from_name(c->lib, alg->group, NULL);
    else if (alg->asks_group)
        c->kex[row] = EVP_PKEY_CTX_new_from_name(c->lib, "DH", NULL);
    else if (strcmp(alg->group, "modp_1024") == 0)
        c->kex[row] = c->fips ? NULL : group1_template(c); /* SP 800-56A: 2048 bits at least */
    else
        c->kex[row] = group_template(c->lib, alg->mpint_public ? "DH" : "EC", alg->group);
    return c->kex[row] != NULL && c->md[alg->hash] != NULL && (alg->kem == NULL || alg->kem->usable(c));
}

static bool probe_cipher(struct nacre_crypto *c, size_t row)
{
    const struct cipher_alg *alg = &cipher_algs[row];
    c->cipher[row] = nacre_fetch_cipher(c, alg->fetch);
    return c->cipher[row] != NULL && (alg->ops != &nacre_cipher_chapoly || c->poly1305 != NULL);
}

static bool probe_row(struct nacre_crypto *c, enum alg_kind kind, size_t row)
{
    switch (kind) {
    case ALG_KEX:
        return probe_kex(c, row);
    case ALG_KEY:
        return c->md[sig_algs[row].hash] != NULL && nacre_keytype_probe(c, &sig_algs[row]);
    case ALG_CIPHER:
        return probe_cipher(c, row);
    case ALG_MAC:
        return mac_algs[row].hash == HASH_COUNT ? mac_algs[row].ops->open != NULL && !c->fips
                                                : c->md[mac_algs[row].hash] != NULL;
    case ALG_COMP:
        return true;
    case ALG_KINDS:
        break;
    }
    return false;
}

bool nacre_algs_probe(struct nacre_crypto *c)
{
    c->poly1305 = EVP_MAC_fetch(c->lib, "POLY1305", NULL);
    c->ed25519 = EVP_PKEY_CTX_new_from_name(c->lib, "ED25519", NULL);
    c->sodium = !c->fips && nacre_sodium_start(); /* FIPS 140 knows modules, and that is none */
    c->mlkem = EVP_PKEY_CTX_new_from_name(c->lib, nacre_mlkem_name, NULL);
    for (enum alg_kind kind = ALG_KEX; kind < ALG_KINDS; kind++) {
        size_t used = 0;
        for (size_t i = 0; i < rows_of[kind]; i++) {
            c->usable[kind][i] = probe_row(c, kind, i);
            c->name_len[kind][i] = (uint8_t)strlen(row_name(kind, i));
            if (!c->usable[kind][i])
                continue;
            int n =
                snprintf(c->names[kind] + used, ALG_NAMES_MAX - used, "%s%s", used == 0 ? "" : ",", row_name(kind, i));
            if (n < 0 || (size_t)n >= ALG_NAMES_MAX - used)
                return false;
            used += (size_t)n;
        }
        if (used == 0)
            return false;
    }
    return true;
}

void nacre_algs_release(struct nacre_crypto *c)
{
    for (size_t i = 0; i < KEX_ROWS; i++)
        EVP_PKEY_CTX_free(c->kex[i]);
    for (size_t i = 0; i < CIPHER_ROWS; i++)
        EVP_CIPHER_free(c->cipher[i]);
    for (size_t i = 0; i < SPARE_KEYS; i++)
        EVP_PKEY_free(atomic_load_explicit(&c->spare[i], memory_order_relaxed)); /* nobody else is left */
    EVP_PKEY_CTX_free(c->ed25519);
    EVP_PKEY_CTX_free(c->mlkem);
    EVP_MAC_free(c->poly1305);
}
