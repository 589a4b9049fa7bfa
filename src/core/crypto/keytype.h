/* SPDX-License-Identifier: Apache-2.0 */
/* What differs between the kinds of keys: one row a name in the public key blob, ending in operations.
 *
 * For crypto and keys only. Adding a kind of key is a row in key.c and a file sig_*.c. */
#ifndef CRYPTO_KEYTYPE_H
#define CRYPTO_KEYTYPE_H

#include "crypto/context.h"
#include "wire/rd.h"
#include "wire/wr.h"

struct key_type {
    const char *name;    /* in the blob */
    const char *library; /* the library's name of the key's type */
    const char *method;  /* the library's name of the signature method */
    const char *curve;   /* the curve's name in the blob; NULL when there is none */
    const char *group;   /* the library's name of the curve */
    const struct sig_ops *ops;
    /* A key with something around it: a certificate, a security key's application. Both NULL for a plain key. */
    const char *plain; /* the name of the key inside */
    EVP_PKEY *(*parse)(const struct nacre_crypto *c, const struct key_type *t,
                       struct rd *r); /* instead of ops->parse */
};

enum {
    KEY_SIGNERS = 3,
    KEY_RAW = 64
};

struct key {
    /* Immutable. */
    const struct key_type *type;
    struct nacre_crypto *c; /* holds a reference: the library's key must not outlive its context */
    EVP_PKEY *pkey;
    EVP_MD_CTX *signer[KEY_SIGNERS]; /* ready to sign, to be duplicated: sparing a search by name for each signature */
    unsigned bits;
    bool is_private;
    bool is_raw;                   /* what ops->sign and ops->verify take is in `raw` */
    uint8_t raw[KEY_RAW];          /* wiped in the end */
    const struct key_token *token; /* that of `pkey`, which signs; NULL: none */

    /* Any thread. */
    _Atomic unsigned refs;

    size_t blob_len;
    uint8_t blob[];
};

struct sig_ops {
    /* Reads what follows the name in a blob. NULL: malformed or refused by the library. The caller asks for the end. */
    EVP_PKEY *(*parse)(const struct nacre_crypto *c, const struct key_type *t, struct rd *r);
    /* Writes what follows the name in a blob. False: not a key that SSH takes. */
    bool (*write)(const struct key_type *t, const EVP_PKEY *pkey, struct wr *w);
    /* Between the library's signature and the body of the signature string; both in memory of SIGNATURE_MAX bytes.
     * `native` to wire for signing, wire to native for verifying. False: malformed or out of range. */
    bool (*to_wire)(const struct key *k, struct span native, struct wr *w);
    bool (*from_wire)(const struct key *k, struct span wire, struct wr *w);
    /* The private half is present. */
    bool (*has_private)(const EVP_PKEY *pkey);
    bool prehash; /* the library hashes by the algorithm's hash first; false: the method has its own */
    /* Another library that is faster at it; all NULL: there is none. `expose` gives what it takes, with the private
     * half where there is one; false: this key is OpenSSL's. Signatures are native, *len is the room and then the
     * length. */
    bool (*expose)(const struct nacre_crypto *c, const EVP_PKEY *pkey, bool is_private, uint8_t raw[KEY_RAW]);
    bool (*sign)(const uint8_t raw[KEY_RAW], struct span data, uint8_t *out, size_t *len);
    bool (*verify)(const uint8_t raw[KEY_RAW], struct span data, struct span signature);
};

extern const struct sig_ops nacre_sig_ed25519, nacre_sig_ecdsa, nacre_sig_rsa, nacre_sig_dsa;

/* The row with that name in the blob, or NULL. */
const struct key_type *nacre_keytype_find(struct span name);

/* True when the library under us has the key type and the signature method of `alg`. */
bool nacre_keytype_probe(const struct nacre_crypto *c, const struct sig_alg *alg);

/* What nacre_key_mark_token() said of the key; NULL: nothing. */
const struct key_token *nacre_key_token(const EVP_PKEY *pkey);

/* Makes a private key ready to sign, once, before anyone else sees it. False: the library failed, or permits none of
 * its algorithms. */
bool nacre_key_prepare(struct key *k);

/* A key of type `t` with that blob and the library's key of `k`, private half included. NULL: out of memory. */
struct key *nacre_key_share(const struct nacre_crypto *c, const struct key *k, const struct key_type *t,
                            struct span blob);

/* What follows the name of a type, by its own `parse` or its operations'. */
EVP_PKEY *nacre_keytype_parse(const struct nacre_crypto *c, const struct key_type *t, struct rd *r);

/* ---- key_x509.c --------------------------------------------------------------------------------------------- */

EVP_PKEY *nacre_x509_parse_chain(const struct nacre_crypto *c, const struct key_type *t, struct rd *r);
EVP_PKEY *nacre_x509_parse_bare(const struct nacre_crypto *c, const struct key_type *t, struct rd *r);

/* A blob without a name: the key inside and its type. NULL: no such certificate. */
EVP_PKEY *nacre_x509_parse_blob(const struct nacre_crypto *c, struct span blob, const struct key_type **t);

/* ---- key_sk.c, cert.c --------------------------------------------------------------------------------------- */

enum {
    SK_SIGNED_LEN = 32 + 1 + 4 + 32
};

EVP_PKEY *nacre_sk_parse(const struct nacre_crypto *c, const struct key_type *t, struct rd *r);

/* A security key, or a certificate of one. */
bool nacre_keytype_is_sk(const struct key_type *t);

/* What a security key signed: `r` stands behind the signature, at flags and counter. False: malformed, or nobody was
 * present. */
bool nacre_sk_signed_data(const struct key *k, struct rd *r, struct span data, uint8_t out[SK_SIGNED_LEN],
                          struct key_user *user);

EVP_PKEY *nacre_cert_parse(const struct nacre_crypto *c, const struct key_type *t, struct rd *r);

/* 1024 and 160 bits. */
EVP_PKEY *nacre_dsa_generate(const struct nacre_crypto *c);

/* EVP_PKEY_fromdata() in one step; `selection` as there. NULL: refused. */
EVP_PKEY *nacre_keytype_build(const struct nacre_crypto *c, const char *library, int selection, OSSL_PARAM *params);

/* True when the key has a number of that name, such as a private exponent. */
bool nacre_keytype_has_number(const EVP_PKEY *pkey, const char *param);

#endif
