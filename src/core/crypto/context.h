/* SPDX-License-Identifier: Apache-2.0 */
/* What a struct nacre_crypto holds: the library context and every method fetched from it once.
 *
 * For src/core/crypto and src/core/keys only; everyone else sees the opaque struct of crypto/crypto.h. */
#ifndef CRYPTO_CONTEXT_H
#define CRYPTO_CONTEXT_H

#include <stdatomic.h>

#include <openssl/evp.h>
#include <openssl/provider.h>

#include "crypto/algs.h"

enum {
    KEX_ROWS = 15,
    SIG_ROWS = 25,
    CIPHER_ROWS = 16,
    MAC_ROWS = 16,
    COMP_ROWS = 3,
    ALG_ROWS_MAX = 32
};
enum {
    SPARE_KEYS = 8
};
enum {
    ALG_NAMES_MAX = 1280
};

struct nacre_crypto {
    /* Set by nacre_crypto_open() and only read after it. */
    OSSL_LIB_CTX *lib;    /* NULL: the system's default context; else the process's */
    OSSL_LIB_CTX *legacy; /* with the legacy provider, the process's; NULL: not needed so far, or not there */
    bool legacy_tried;
    bool fips;   /* nothing from outside the library context */
    bool sodium; /* libsodium is ready, for Ed25519 and short packets of ChaCha20 */
    EVP_MD *md[HASH_COUNT];
    EVP_MAC *poly1305;
    EVP_CIPHER *cipher[CIPHER_ROWS];
    EVP_PKEY_CTX *kex[KEX_ROWS]; /* for the row's keys: to be duplicated, never used itself */
    EVP_PKEY_CTX *mlkem;         /* for ML-KEM-768 keys: to be duplicated; NULL: the library has none */
    EVP_PKEY_CTX *ed25519;       /* for ssh-ed25519 keys: to be duplicated; NULL: the library has none */
    bool usable[ALG_KINDS][ALG_ROWS_MAX];
    uint8_t name_len[ALG_KINDS][ALG_ROWS_MAX];
    char names[ALG_KINDS][ALG_NAMES_MAX];

    /* Any thread. */
    _Atomic unsigned refs;
    _Atomic(EVP_PKEY *)
        spare[SPARE_KEYS]; /* X25519 keys to put peers' values into; whoever takes one out has it alone */
};

/* Fetches what the rows need, notes which of them work and lists their names. False: not one row of some kind does. */
bool nacre_algs_probe(struct nacre_crypto *c);
void nacre_algs_release(struct nacre_crypto *c);

/* From the library context, or from the legacy one. NULL: in neither. While the context opens only. */
EVP_MD *nacre_fetch_md(struct nacre_crypto *c, const char *name);
EVP_CIPHER *nacre_fetch_cipher(struct nacre_crypto *c, const char *name);

/* Where locked key files are opened, many of them with what only the legacy provider still has: the process's context
 * with that and the default provider, or c's own where FIPS is demanded or there is no legacy provider. No key is to
 * stay there. */
OSSL_LIB_CTX *nacre_unlock_library(const struct nacre_crypto *c);

/* What was fetched for a row; borrowed. */
EVP_CIPHER *nacre_cipher_fetched(const struct nacre_crypto *c, const struct cipher_alg *alg);
EVP_PKEY_CTX *nacre_kex_template(const struct nacre_crypto *c, const struct kex_alg *alg);

/* The i-th row; NULL: not usable. */
const struct sig_alg *nacre_sig_row(const struct nacre_crypto *c, size_t i);

/* A key that holds nothing but the domain parameters of a curve, by the library's name; borrowed. NULL: not at hand. */
const EVP_PKEY *nacre_curve_parameters(const struct nacre_crypto *c, const char *group);

/* A public key of the same type and group as `like`, from its encoded form: no method is looked up and no group is
 * built, which costs more than decoding a point. NULL: the library refuses it. */
EVP_PKEY *nacre_public_like(const EVP_PKEY *like, const uint8_t *encoded, size_t len);

/* Makes libsodium ready. False: it is not there, or not safe to begin with. Any thread. */
bool nacre_sodium_start(void);

/* The library's name of a hash: "SHA2-256". */
const char *nacre_hash_name(enum hash_id id);

/* The library's name of ML-KEM-768. */
extern const char nacre_mlkem_name[];

extern const struct kex_ops nacre_kex_x25519, nacre_kex_nist, nacre_kex_dh, nacre_kex_hybrid;
extern const struct cipher_ops nacre_cipher_stream, nacre_cipher_ctr, nacre_cipher_3des_ctr, nacre_cipher_gcm,
    nacre_cipher_chapoly;
extern const struct mac_ops nacre_mac_hmac, nacre_mac_umac;
extern const struct comp_ops nacre_comp_zlib;

#endif
