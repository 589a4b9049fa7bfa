/* SPDX-License-Identifier: Apache-2.0 */
/* ssh-ed25519, RFC 8709: the public key is 32 bytes, the signature 64, both as RFC 8032 has them. */
#include "crypto/keytype.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

#include "base/secret.h"

enum {
    ED25519_KEY = 32,
    ED25519_SIGNATURE = 64
};

/* From the context's template, so that no method is looked up by name. */
static EVP_PKEY *public_key(const struct nacre_crypto *c, struct span public)
{
    EVP_PKEY *pkey = NULL;
    OSSL_PARAM p[] = {
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)(uintptr_t) public.at, public.len),
        OSSL_PARAM_construct_end()};
    EVP_PKEY_CTX *x = c->ed25519 == NULL ? NULL : EVP_PKEY_CTX_dup(c->ed25519);
    if (x == NULL || EVP_PKEY_fromdata_init(x) != 1 || EVP_PKEY_fromdata(x, &pkey, EVP_PKEY_PUBLIC_KEY, p) != 1)
        pkey = NULL;
    EVP_PKEY_CTX_free(x);
    return pkey;
}

static EVP_PKEY *ed25519_parse(const struct nacre_crypto *c, const struct key_type *t, struct rd *r)
{
    (void)t;
    struct span public = rd_string(r, ED25519_KEY);
    if (public.len != ED25519_KEY)
        return NULL;
    return public_key(c, public);
}

static bool ed25519_write(const struct key_type *t, const EVP_PKEY *pkey, struct wr *w)
{
    (void)t;
    uint8_t public[ED25519_KEY];
    size_t len = sizeof public;
    if (EVP_PKEY_get_raw_public_key(pkey, public, &len) != 1 || len != sizeof public)
        return false;
    wr_string(w, span_of(public, len));
    return true;
}

static bool ed25519_same(const struct key *k, struct span signature, struct wr *w)
{
    (void)k;
    wr_bytes(w, signature.at, signature.len);
    return signature.len == ED25519_SIGNATURE;
}

static bool ed25519_has_private(const EVP_PKEY *pkey)
{
    uint8_t seed[ED25519_KEY];
    size_t len = 0;
    bool has = EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_PRIV_KEY, seed, sizeof seed, &len) == 1;
    nacre_wipe(seed, sizeof seed);
    return has && len == sizeof seed;
}

const struct sig_ops nacre_sig_ed25519 = {
    .parse = ed25519_parse,
    .write = ed25519_write,
    .to_wire = ed25519_same,
    .from_wire = ed25519_same,
    .has_private = ed25519_has_private,
    .prehash = false,
};
