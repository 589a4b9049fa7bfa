/* SPDX-License-Identifier: Apache-2.0 */
/* Key and certificate containers: the class's cert store types. The only layer that opens files, and only those it is
 * told to. */
#ifndef KEYS_STORE_H
#define KEYS_STORE_H

#include "base/buf.h"
#include "base/span.h"
#include "crypto/key.h"
#include "nacre/errors.h"

/* The class's CertStoreTypes. */
enum store_type {
    STORE_USER = 0,
    STORE_MACHINE = 1,
    STORE_PFX_FILE = 2,
    STORE_PFX_BLOB = 3,
    STORE_JKS_FILE = 4,
    STORE_JKS_BLOB = 5,
    STORE_PEM_FILE = 6,
    STORE_PEM_BLOB = 7,
    STORE_PUBLIC_FILE = 8,
    STORE_PUBLIC_BLOB = 9,
    STORE_SSH_PUBLIC_BLOB = 10,
    STORE_P7B_FILE = 11,
    STORE_P7B_BLOB = 12,
    STORE_SSH_PUBLIC_FILE = 13,
    STORE_PPK_FILE = 14,
    STORE_PPK_BLOB = 15,
    STORE_XML_FILE = 16,
    STORE_XML_BLOB = 17,
    STORE_JWK_FILE = 18,
    STORE_JWK_BLOB = 19,
    STORE_BCFKS_FILE = 21,
    STORE_BCFKS_BLOB = 22,
    STORE_PKCS11 = 23,
    STORE_AUTO = 99,
};

struct store_request {
    enum store_type type;
    struct span store;        /* file name or contents, as `type` says */
    const char *password;     /* "" or NULL: none */
    const char *subject;      /* "*" takes the first */
    bool public_only_will_do; /* for containers without a private key: a public one is an answer too */
    /* A locked container says itself how much work its password costs. 0: what people lock keys with is accepted,
     * seconds at most; n: no more than the n-th part of that. */
    unsigned work_divisor;
    struct buf *certificate; /* NULL: not wanted; else the DER of the certificate beside the key, if any, is appended */
};

enum {
    STORE_FILE_MAX = 1 << 20
};

/* Opens a container and gives the private key it holds for `subject`. On failure *out is NULL and `why` (of `why_size`
 * bytes) says what is wrong in one sentence that names the file. Errors: KEY, KEY_PASSWORD, KEY_TYPE (a type not
 * readable here, named), NO_CERTIFICATE (no private key inside), NOT_SUPPORTED, and the system's for files. May take
 * long (key derivation): off the workers. */
enum nacre_error nacre_store_open(const struct nacre_crypto *c, const struct store_request *request, struct key **out,
                                  char *subject_out, size_t subject_size, char *why, size_t why_size);

/* The libraries under this layer with their versions, and what was left out at build, for BuildInfo. */
const char *nacre_keys_features(void);

/* The private key as PKCS#8 PEM, unencrypted, appended to `out`; for a first start that makes a key. */
bool nacre_store_write_pem(const struct key *k, struct buf *out);

#endif
