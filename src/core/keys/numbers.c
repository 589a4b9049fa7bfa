/* SPDX-License-Identifier: Apache-2.0 */
/* Keys from numbers, through the library's parameters. */
#include "keys/numbers.h"

#include <stdio.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>

enum {
    NUMBERS = 8,
    PRIMES_MAX = 10, /* that the library takes, RFC 8017 */
    ED25519_SEED = 32
};

/* What a key is made of: numbers under the library's names. */
struct made {
    OSSL_PARAM_BLD *params;
    BIGNUM *number[NUMBERS]; /* parameters only point to them until the key is built */
    size_t count;
    bool bad;
};

static void made_init(struct made *m)
{
    *m = (struct made){.params = OSSL_PARAM_BLD_new()};
    m->bad = m->params == NULL;
}

/* Consumes `n`; gives it back for calculating, or NULL. */
static const BIGNUM *push_number(struct made *m, const char *name, BIGNUM *n)
{
    m->bad = m->bad || n == NULL || m->count == NUMBERS || BN_is_zero(n);
    if (m->bad) {
        BN_clear_free(n);
        return NULL;
    }
    m->number[m->count++] = n;
    m->bad = OSSL_PARAM_BLD_push_BN(m->params, name, n) != 1;
    return n;
}

static const BIGNUM *push(struct made *m, const char *name, struct span s)
{
    BIGNUM *n = s.len != 0 && s.len <= NUMBER_MAX ? BN_secure_new() : NULL;
    if (n != NULL && BN_bin2bn(s.at, (int)s.len, n) == NULL) {
        BN_clear_free(n); /* the library frees what it has made itself, and no other */
        n = NULL;
    }
    return push_number(m, name, n);
}

/* The key, when every number was good; frees what it was made of. */
static EVP_PKEY *build(const struct nacre_crypto *c, const char *library, bool private, struct made *m)
{
    OSSL_PARAM *params = m->bad ? NULL : OSSL_PARAM_BLD_to_param(m->params);
    EVP_PKEY *pkey = nacre_keytype_build(c, library, private ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY, params);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(m->params);
    for (size_t i = 0; i < m->count; i++)
        BN_clear_free(m->number[i]);
    return pkey;
}

/* The exponent for arithmetic modulo one prime: d mod (prime - 1). */
static BIGNUM *reduce(const BIGNUM *d, const BIGNUM *prime)
{
    BN_CTX *x = BN_CTX_secure_new();
    BIGNUM *less = d == NULL || prime == NULL ? NULL : BN_dup(prime);
    BIGNUM *out = BN_secure_new();
    bool ok = x != NULL && less != NULL && out != NULL && BN_sub_word(less, 1) == 1 && !BN_is_zero(less) &&
              BN_mod(out, d, less, x) == 1;
    BN_CTX_free(x);
    BN_clear_free(less);
    if (ok)
        return out;
    BN_clear_free(out);
    return NULL;
}

EVP_PKEY *nacre_numbers_rsa(const struct nacre_crypto *c, const struct rsa_numbers *n)
{
    struct made m;
    made_init(&m);
    const BIGNUM *modulus = push(&m, OSSL_PKEY_PARAM_RSA_N, n->n);
    (void)push(&m, OSSL_PKEY_PARAM_RSA_E, n->e);
    m.bad = m.bad || BN_num_bits(modulus) > KEY_RSA_MAX_BITS;
    if (n->public)
        return build(c, "RSA", false, &m);
    const BIGNUM *d = push(&m, OSSL_PKEY_PARAM_RSA_D, n->d);
    m.bad = m.bad || BN_cmp(d, modulus) >= 0;
    if (n->p.len != 0 || n->q.len != 0 || n->iqmp.len != 0) {
        const BIGNUM *p = push(&m, OSSL_PKEY_PARAM_RSA_FACTOR1, n->p);
        const BIGNUM *q = push(&m, OSSL_PKEY_PARAM_RSA_FACTOR2, n->q);
        (void)push(&m, OSSL_PKEY_PARAM_RSA_COEFFICIENT1, n->iqmp);
        m.bad = m.bad || BN_cmp(p, modulus) >= 0 || BN_cmp(q, modulus) >= 0;
        (void)push_number(&m, OSSL_PKEY_PARAM_RSA_EXPONENT1, m.bad ? NULL : reduce(d, p));
        (void)push_number(&m, OSSL_PKEY_PARAM_RSA_EXPONENT2, m.bad ? NULL : reduce(d, q));
    }
    return build(c, "RSA", true, &m);
}

EVP_PKEY *nacre_numbers_dsa(const struct nacre_crypto *c, const struct dsa_numbers *n)
{
    struct made m;
    made_init(&m);
    const BIGNUM *p = push(&m, OSSL_PKEY_PARAM_FFC_P, n->p);
    m.bad = m.bad || BN_num_bits(p) > KEY_RSA_MAX_BITS;
    (void)push(&m, OSSL_PKEY_PARAM_FFC_Q, n->q);
    (void)push(&m, OSSL_PKEY_PARAM_FFC_G, n->g);
    (void)push(&m, OSSL_PKEY_PARAM_PUB_KEY, n->y);
    if (!n->public)
        (void)push(&m, OSSL_PKEY_PARAM_PRIV_KEY, n->x);
    return build(c, "DSA", !n->public, &m);
}

EVP_PKEY *nacre_numbers_ec(const struct nacre_crypto *c, const struct key_type *t, struct span point,
                           const struct span *d)
{
    struct made m;
    made_init(&m);
    m.bad = m.bad || point.len == 0 ||
            OSSL_PARAM_BLD_push_utf8_string(m.params, OSSL_PKEY_PARAM_GROUP_NAME, t->group, 0) != 1 ||
            OSSL_PARAM_BLD_push_octet_string(m.params, OSSL_PKEY_PARAM_PUB_KEY, point.at, point.len) != 1;
    if (d != NULL)
        (void)push(&m, OSSL_PKEY_PARAM_PRIV_KEY, *d);
    return build(c, t->library, d != NULL, &m);
}

EVP_PKEY *nacre_numbers_ed25519(const struct nacre_crypto *c, struct span seed)
{
    if (seed.len != ED25519_SEED)
        return NULL;
    return EVP_PKEY_new_raw_private_key_ex(c->lib, "ED25519", NULL, seed.at, seed.len);
}

EVP_PKEY *nacre_numbers_ed25519_public(const struct nacre_crypto *c, struct span point)
{
    if (point.len != ED25519_SEED)
        return NULL;
    return EVP_PKEY_new_raw_public_key_ex(c->lib, "ED25519", NULL, point.at, point.len);
}

static bool is_within(const EVP_PKEY *pkey, const char *name, int bits)
{
    BIGNUM *n = NULL;
    bool within = EVP_PKEY_get_bn_param(pkey, name, &n) != 1 || BN_num_bits(n) <= bits;
    BN_clear_free(n);
    return within;
}

bool nacre_numbers_bounded(const EVP_PKEY *pkey)
{
    static const char *const of_primes[] = {OSSL_PKEY_PARAM_RSA_FACTOR, OSSL_PKEY_PARAM_RSA_EXPONENT,
                                            OSSL_PKEY_PARAM_RSA_COEFFICIENT};
    const int bits = EVP_PKEY_get_bits(pkey);
    char name[32];
    if (!EVP_PKEY_is_a(pkey, "RSA"))
        return true;
    bool bounded = is_within(pkey, OSSL_PKEY_PARAM_RSA_D, bits);
    for (int i = 0; bounded && i < 3 * PRIMES_MAX; i++) {
        (void)snprintf(name, sizeof name, "%s%d", of_primes[i / PRIMES_MAX], i % PRIMES_MAX + 1);
        bounded = is_within(pkey, name, bits);
    }
    ERR_clear_error();
    return bounded;
}
