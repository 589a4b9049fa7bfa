/* SPDX-License-Identifier: Apache-2.0 */
/* ssh-ed25519, RFC 8709: the public key is 32 bytes, the signature 64, both as RFC 8032 has them.
 *
 * libsodium, where it is there, signs and verifies in less than half of OpenSSL's time. */
#include "crypto/keytype.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

#ifdef NACRE_HAVE_SODIUM
#include <openssl/crypto.h>
#include <sodium.h>

#include "base/plat.h"
#endif

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

#ifdef NACRE_HAVE_SODIUM

_Static_assert(crypto_sign_SECRETKEYBYTES == KEY_RAW, "the seed, and behind it the public value");

static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
static bool ready; /* set once, then only read */

/* It ends the process where the system has no random bytes for it. */
static void make_ready(void)
{
    ready = nacre_random_is_at_hand() && sodium_init() >= 0;
}

bool nacre_sodium_start(void)
{
    return CRYPTO_THREAD_run_once(&once, make_ready) == 1 && ready;
}

/* A provider may keep the seed to itself. */
static bool ed25519_expose(const struct nacre_crypto *c, const EVP_PKEY *pkey, bool is_private, uint8_t raw[KEY_RAW])
{
    size_t len = ED25519_KEY;
    if (!c->sodium || EVP_PKEY_get_raw_public_key(pkey, raw + ED25519_KEY, &len) != 1 || len != ED25519_KEY)
        return false;
    return !is_private || (EVP_PKEY_get_raw_private_key(pkey, raw, &len) == 1 && len == ED25519_KEY);
}

static bool ed25519_sign(const uint8_t raw[KEY_RAW], struct span data, uint8_t *out, size_t *len)
{
    bool ok = *len >= ED25519_SIGNATURE && crypto_sign_detached(out, NULL, data.at, data.len, raw) == 0;
    *len = ED25519_SIGNATURE;
    return ok;
}

static bool ed25519_verify(const uint8_t raw[KEY_RAW], struct span data, struct span signature)
{
    return signature.len == ED25519_SIGNATURE &&
           crypto_sign_verify_detached(signature.at, data.at, data.len, raw + ED25519_KEY) == 0;
}

#else

bool nacre_sodium_start(void)
{
    return false;
}

#endif

const struct sig_ops nacre_sig_ed25519 = {
    .parse = ed25519_parse,
    .write = ed25519_write,
    .to_wire = ed25519_same,
    .from_wire = ed25519_same,
    .has_private = ed25519_has_private,
    .prehash = false,
#ifdef NACRE_HAVE_SODIUM
    .expose = ed25519_expose,
    .sign = ed25519_sign,
    .verify = ed25519_verify,
#endif
};
