/* SPDX-License-Identifier: Apache-2.0 */
/* ssh-dss, RFC 4253 section 6.6: SHA-1, and 1024 and 160 bits and no others, since a signature is two numbers of 20
 * bytes. x509v3-sign-dss signs with the same keys and has its signatures in DER, as certificates do; some peers send
 * the 40 bytes there too. */
#include "crypto/keytype.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/dsa.h>
#include <openssl/param_build.h>

#include "wire/mpint.h"

enum {
    P_BITS = 1024,
    Q_BITS = 160,
    P_BYTES = P_BITS / 8,
    Q_BYTES = Q_BITS / 8,
    NUMBERS = 4
};

/* In the order of the blob. */
static const char *const names[NUMBERS] = {OSSL_PKEY_PARAM_FFC_P, OSSL_PKEY_PARAM_FFC_Q, OSSL_PKEY_PARAM_FFC_G,
                                           OSSL_PKEY_PARAM_PUB_KEY};

static void free_numbers(BIGNUM *n[NUMBERS])
{
    for (size_t i = 0; i < NUMBERS; i++)
        BN_free(n[i]);
}

static bool inside(const BIGNUM *n, const BIGNUM *p)
{
    return !BN_is_zero(n) && !BN_is_one(n) && BN_cmp(n, p) < 0;
}

static bool sizes_allowed(BIGNUM *const n[NUMBERS])
{
    return BN_num_bits(n[0]) == P_BITS && BN_num_bits(n[1]) == Q_BITS && BN_is_odd(n[0]) && BN_is_odd(n[1]) &&
           inside(n[2], n[0]) && inside(n[3], n[0]);
}

static EVP_PKEY *build_public(const struct nacre_crypto *c, const struct key_type *t, BIGNUM *const n[NUMBERS])
{
    OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
    bool ok = b != NULL;
    for (size_t i = 0; ok && i < NUMBERS; i++)
        ok = OSSL_PARAM_BLD_push_BN(b, names[i], n[i]) == 1;
    OSSL_PARAM *params = ok ? OSSL_PARAM_BLD_to_param(b) : NULL;
    EVP_PKEY *pkey = nacre_keytype_build(c, t->library, EVP_PKEY_PUBLIC_KEY, params);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(b);
    return pkey;
}

static EVP_PKEY *dsa_parse(const struct nacre_crypto *c, const struct key_type *t, struct rd *r)
{
    BIGNUM *n[NUMBERS] = {NULL};
    bool ok = true;
    for (size_t i = 0; ok && i < NUMBERS; i++) {
        struct span s = nacre_rd_mpint(r, P_BYTES);
        n[i] = r->bad || s.len == 0 ? NULL : BN_bin2bn(s.at, (int)s.len, NULL);
        ok = n[i] != NULL;
    }
    EVP_PKEY *pkey = ok && sizes_allowed(n) ? build_public(c, t, n) : NULL;
    free_numbers(n);
    return pkey;
}

static void write_number(struct wr *w, const BIGNUM *n)
{
    uint8_t bytes[P_BYTES];
    int len = BN_bn2binpad(n, bytes, sizeof bytes);
    nacre_wr_mpint(w, span_of(bytes, len < 0 ? 0 : (size_t)len));
}

static bool dsa_write(const struct key_type *t, const EVP_PKEY *pkey, struct wr *w)
{
    (void)t;
    BIGNUM *n[NUMBERS] = {NULL};
    bool ok = true;
    for (size_t i = 0; ok && i < NUMBERS; i++)
        ok = EVP_PKEY_get_bn_param(pkey, names[i], &n[i]) == 1;
    ok = ok && sizes_allowed(n);
    for (size_t i = 0; ok && i < NUMBERS; i++)
        write_number(w, n[i]);
    free_numbers(n);
    return ok;
}

static bool is_der(const struct key *k)
{
    return k->type->plain != NULL;
}

static bool dsa_to_wire(const struct key *k, struct span native, struct wr *w)
{
    const unsigned char *at = native.at;
    uint8_t both[2 * Q_BYTES];
    if (is_der(k)) {
        wr_bytes(w, native.at, native.len);
        return true;
    }
    DSA_SIG *sig = d2i_DSA_SIG(NULL, &at, (long)native.len);
    const BIGNUM *r = NULL, *s = NULL;
    if (sig != NULL)
        DSA_SIG_get0(sig, &r, &s);
    bool ok =
        sig != NULL && BN_bn2binpad(r, both, Q_BYTES) == Q_BYTES && BN_bn2binpad(s, both + Q_BYTES, Q_BYTES) == Q_BYTES;
    DSA_SIG_free(sig);
    wr_bytes(w, both, ok ? sizeof both : 0);
    return ok;
}

static bool dsa_from_wire(const struct key *k, struct span wire, struct wr *w)
{
    if (is_der(k) && wire.len != 2 * Q_BYTES) {
        wr_bytes(w, wire.at, wire.len);
        return wire.len != 0;
    }
    if (wire.len != 2 * Q_BYTES)
        return false;
    DSA_SIG *sig = DSA_SIG_new();
    BIGNUM *r = BN_bin2bn(wire.at, Q_BYTES, NULL), *s = BN_bin2bn(wire.at + Q_BYTES, Q_BYTES, NULL);
    bool ok = sig != NULL && r != NULL && s != NULL && DSA_SIG_set0(sig, r, s) == 1;
    if (!ok) {
        BN_free(r);
        BN_free(s);
    }
    int len = ok ? i2d_DSA_SIG(sig, NULL) : -1;
    unsigned char *at = len <= 0 ? NULL : wr_take(w, (size_t)len);
    ok = at != NULL && i2d_DSA_SIG(sig, &at) == len;
    DSA_SIG_free(sig);
    return ok;
}

static bool dsa_has_private(const EVP_PKEY *pkey)
{
    return nacre_keytype_has_number(pkey, OSSL_PKEY_PARAM_PRIV_KEY);
}

EVP_PKEY *nacre_dsa_generate(const struct nacre_crypto *c)
{
    EVP_PKEY *parameters = NULL, *pkey = NULL;
    EVP_PKEY_CTX *first = EVP_PKEY_CTX_new_from_name(c->lib, "DSA", NULL), *second = NULL;
    if (first != NULL && EVP_PKEY_paramgen_init(first) == 1 && EVP_PKEY_CTX_set_dsa_paramgen_bits(first, P_BITS) == 1 &&
        EVP_PKEY_CTX_set_dsa_paramgen_q_bits(first, Q_BITS) == 1 && EVP_PKEY_paramgen(first, &parameters) == 1)
        second = EVP_PKEY_CTX_new_from_pkey(c->lib, parameters, NULL);
    if (second == NULL || EVP_PKEY_keygen_init(second) != 1 || EVP_PKEY_keygen(second, &pkey) != 1)
        pkey = NULL;
    EVP_PKEY_CTX_free(second);
    EVP_PKEY_free(parameters);
    EVP_PKEY_CTX_free(first);
    return pkey;
}

const struct sig_ops nacre_sig_dsa = {
    .parse = dsa_parse,
    .write = dsa_write,
    .to_wire = dsa_to_wire,
    .from_wire = dsa_from_wire,
    .has_private = dsa_has_private,
    .prehash = true,
};
