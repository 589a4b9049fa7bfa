/* SPDX-License-Identifier: Apache-2.0 */
/* ssh-rsa keys with rsa-sha2-256 and rsa-sha2-512, RFC 8332, and with SHA-1 for old peers, RFC 4253 section 6.6.
 *
 * Rule R25: the modulus has 2048 to 16384 bits and the exponent at most 64, so that a stranger's key cannot cost
 * minutes. */
#include "crypto/keytype.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>

#include "wire/mpint.h"

enum {
    RSA_MAX_BYTES = KEY_RSA_MAX_BITS / 8,
    EXPONENT_MAX_BITS = 64
};

static bool sizes_allowed(const BIGNUM *n, const BIGNUM *e)
{
    int bits = BN_num_bits(n);
    return bits >= KEY_RSA_MIN_BITS && bits <= KEY_RSA_MAX_BITS && BN_is_odd(n) && BN_is_odd(e) && !BN_is_one(e) &&
           BN_num_bits(e) <= EXPONENT_MAX_BITS;
}

static EVP_PKEY *build_public(const struct nacre_crypto *c, const struct key_type *t, const BIGNUM *n, const BIGNUM *e)
{
    OSSL_PARAM *params = NULL;
    EVP_PKEY *pkey = NULL;
    OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
    if (b == NULL || OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_N, n) != 1 ||
        OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_E, e) != 1)
        goto out;
    params = OSSL_PARAM_BLD_to_param(b);
    pkey = nacre_keytype_build(c, t->library, EVP_PKEY_PUBLIC_KEY, params);
out:
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(b);
    return pkey;
}

/* RFC 4253 section 6.6: mpint e, mpint n */
static EVP_PKEY *rsa_parse(const struct nacre_crypto *c, const struct key_type *t, struct rd *r)
{
    struct span exponent = nacre_rd_mpint(r, RSA_MAX_BYTES);
    struct span modulus = nacre_rd_mpint(r, RSA_MAX_BYTES);
    if (r->bad || exponent.len == 0 || modulus.len == 0)
        return NULL;
    BIGNUM *e = BN_bin2bn(exponent.at, (int)exponent.len, NULL);
    BIGNUM *n = BN_bin2bn(modulus.at, (int)modulus.len, NULL);
    EVP_PKEY *pkey = e != NULL && n != NULL && sizes_allowed(n, e) ? build_public(c, t, n, e) : NULL;
    BN_free(e);
    BN_free(n);
    return pkey;
}

static bool write_number(struct wr *w, const BIGNUM *n)
{
    uint8_t bytes[RSA_MAX_BYTES];
    int len = BN_bn2binpad(n, bytes, sizeof bytes);
    if (len < 0)
        return false;
    nacre_wr_mpint(w, span_of(bytes, (size_t)len));
    return true;
}

static bool rsa_write(const struct key_type *t, const EVP_PKEY *pkey, struct wr *w)
{
    (void)t;
    BIGNUM *n = NULL, *e = NULL;
    bool ok = EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_N, &n) == 1 &&
              EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &e) == 1 && sizes_allowed(n, e) &&
              write_number(w, e) && write_number(w, n);
    BN_free(n);
    BN_free(e);
    return ok;
}

static size_t modulus_len(const struct key *k)
{
    return ((size_t)k->bits + 7) / 8;
}

static bool rsa_to_wire(const struct key *k, struct span native, struct wr *w)
{
    wr_bytes(w, native.at, native.len);
    return native.len == modulus_len(k);
}

/* RFC 8332 section 3: exactly as long as the modulus; some signers drop leading zeros, which are put back. */
static bool rsa_from_wire(const struct key *k, struct span wire, struct wr *w)
{
    size_t size = modulus_len(k);
    if (wire.len == 0 || wire.len > size)
        return false;
    uint8_t *at = wr_take(w, size - wire.len);
    if (at == NULL)
        return false;
    memset(at, 0, size - wire.len);
    wr_bytes(w, wire.at, wire.len);
    return true;
}

static bool rsa_has_private(const EVP_PKEY *pkey)
{
    return nacre_keytype_has_number(pkey, OSSL_PKEY_PARAM_RSA_D);
}

const struct sig_ops nacre_sig_rsa = {
    .parse = rsa_parse,
    .write = rsa_write,
    .to_wire = rsa_to_wire,
    .from_wire = rsa_from_wire,
    .has_private = rsa_has_private,
    .prehash = true,
};
