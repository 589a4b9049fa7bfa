/* SPDX-License-Identifier: Apache-2.0 */
/* Finite-field groups that have no name in the library: those of RFC 4419, which travel, and the 1024-bit one of
 * RFC 2409, which only diffie-hellman-group1-sha1 still uses.
 *
 * What we give out is a safe prime of RFC 3526 or RFC 7919 with the generator 2: nobody can have made them to order.
 * What a server gives us is checked for its size and its generator alone: the server signs for the group, and one that
 * wants the secret known needs no bad group. */
#include <stdint.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>

#include "crypto/kex_agree.h"
#include "crypto/keytype.h"
#include "wire/mpint.h"

static const struct {
    unsigned bits;
    BIGNUM *(*prime)(BIGNUM *n);
    const char *name; /* of RFC 7919's of that size */
} known[] = {{2048, BN_get_rfc3526_prime_2048, "ffdhe2048"},
             {3072, BN_get_rfc3526_prime_3072, "ffdhe3072"},
             {4096, BN_get_rfc3526_prime_4096, "ffdhe4096"},
             {6144, BN_get_rfc3526_prime_6144, "ffdhe6144"},
             {8192, BN_get_rfc3526_prime_8192, "ffdhe8192"}};

enum {
    KNOWN = sizeof known / sizeof *known
};

/* RFC 4419 section 6.2: twice the strength that a modulus of that size has (NIST SP 800-57), and some more. */
static int exponent_bits(int modulus_bits)
{
    return modulus_bits <= 2048 ? 256 : modulus_bits <= 4096 ? 384 : 512;
}

EVP_PKEY *nacre_dh_parameters(const struct nacre_crypto *c, const BIGNUM *p, const BIGNUM *g)
{
    OSSL_PARAM *params = NULL;
    EVP_PKEY *pkey = NULL;
    OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
    if (b == NULL || OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_FFC_P, p) != 1 ||
        OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_FFC_G, g) != 1 ||
        OSSL_PARAM_BLD_push_int(b, OSSL_PKEY_PARAM_DH_PRIV_LEN, exponent_bits(BN_num_bits(p))) != 1)
        goto out;
    params = OSSL_PARAM_BLD_to_param(b);
    pkey = nacre_keytype_build(c, "DH", EVP_PKEY_KEY_PARAMETERS, params);
out:
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(b);
    return pkey;
}

EVP_PKEY *nacre_dh_group1(const struct nacre_crypto *c)
{
    BIGNUM *p = BN_get_rfc2409_prime_1024(NULL), *g = BN_new();
    EVP_PKEY *pkey = p != NULL && g != NULL && BN_set_word(g, 2) == 1 ? nacre_dh_parameters(c, p, g) : NULL;
    BN_free(p);
    BN_free(g);
    return pkey;
}

EVP_PKEY *nacre_dh_group(const struct nacre_crypto *c, const struct kex_group *group)
{
    EVP_PKEY *pkey = NULL;
    BIGNUM *p = BN_bin2bn(group->p, (int)group->p_len, NULL), *g = BN_bin2bn(group->g, (int)group->g_len, NULL);
    BIGNUM *top = p == NULL ? NULL : BN_dup(p);
    if (top == NULL || g == NULL || BN_sub_word(top, 1) != 1)
        goto out;
    /* A generator of 0, 1 or p-1 fixes the secret. */
    if (BN_num_bits(p) >= KEX_GROUP_MIN_BITS && BN_num_bits(p) <= KEX_GROUP_MAX_BITS && BN_is_odd(p) &&
        !BN_is_zero(g) && !BN_is_one(g) && BN_cmp(g, top) < 0)
        pkey = nacre_dh_parameters(c, p, g);
out:
    BN_free(top);
    BN_free(p);
    BN_free(g);
    return pkey;
}

/* The library gives those of RFC 7919 by name only. */
static BIGNUM *named_prime(const struct nacre_crypto *c, const char *name)
{
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)(uintptr_t)name, 0),
                           OSSL_PARAM_construct_end()};
    EVP_PKEY *pkey = nacre_keytype_build(c, "DH", EVP_PKEY_KEY_PARAMETERS, params);
    BIGNUM *p = NULL;
    if (pkey != NULL && EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_FFC_P, &p) != 1)
        p = NULL;
    EVP_PKEY_free(pkey);
    return p;
}

/* RFC 4419 section 3: the smallest that is at least as large as wanted, or else the largest allowed. */
bool nacre_kex_group_choose(const struct nacre_crypto *c, enum kex_group_source source, uint32_t min, uint32_t wanted,
                            uint32_t max, struct kex_group *out)
{
    size_t best = KNOWN;
    for (size_t i = 0; i < KNOWN && (best == KNOWN || known[best].bits < wanted); i++) {
        if (known[i].bits >= min && known[i].bits <= max)
            best = i;
    }
    if (min > wanted || wanted > max || best == KNOWN)
        return false;
    BIGNUM *p = source == KEX_GROUP_RFC7919 ? named_prime(c, known[best].name) : known[best].prime(NULL);
    int len = p == NULL ? 0 : BN_bn2bin(p, out->p);
    BN_free(p);
    if (len <= 0)
        return false;
    out->p_len = (size_t)len;
    out->g[0] = 2;
    out->g_len = 1;
    return true;
}

bool nacre_kex_group_read(struct rd *r, uint32_t min, uint32_t max, struct kex_group *out)
{
    struct span p = nacre_rd_mpint(r, sizeof out->p), g = nacre_rd_mpint(r, sizeof out->g);
    if (r->bad || p.len == 0 || g.len == 0)
        return false;
    size_t bits = p.len * 8;
    for (uint8_t top = p.at[0]; (top & 0x80) == 0; top = (uint8_t)(top << 1))
        bits--;
    memcpy(out->p, p.at, p.len);
    memcpy(out->g, g.at, g.len);
    out->p_len = p.len;
    out->g_len = g.len;
    return bits >= min && bits <= max;
}

void nacre_kex_group_write(struct wr *w, const struct kex_group *group)
{
    nacre_wr_mpint(w, span_of(group->p, group->p_len));
    nacre_wr_mpint(w, span_of(group->g, group->g_len));
}
