/* SPDX-License-Identifier: Apache-2.0 */
/* diffie-hellman-group*, RFC 4253 section 8, RFC 8268 and RFC 4419: public values and K are mpints.
 *
 * Private exponents are as long as the library finds fit for the group (RFC 4419 section 6.2: at least twice the
 * strength), not as long as the modulus. */
#include "crypto/kex_agree.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>

enum {
    DH_MAX_BYTES = 1024
};

static size_t modulus_len(const struct kex_state *k)
{
    return ((size_t)EVP_PKEY_get_bits(k->own) + 7) / 8;
}

static bool append_magnitude(struct buf *out, const BIGNUM *n)
{
    uint8_t *at = nacre_buf_reserve(out, DH_MAX_BYTES + 1);
    int len = BN_num_bytes(n);
    if (at == NULL || len <= 0 || len > DH_MAX_BYTES)
        return false;
    /* RFC 4251 section 5: a zero byte keeps a number with the high bit set positive. */
    size_t zero = BN_num_bits(n) % 8 == 0 ? 1 : 0;
    at[0] = 0;
    if (BN_bn2bin(n, at + zero) != len)
        return false;
    out->len += zero + (size_t)len;
    return true;
}

static struct kex_state *dh_start(const struct nacre_crypto *c, const struct kex_alg *alg,
                                  const struct kex_group *group, struct buf *pub)
{
    struct kex_state *k = nacre_kex_state_new(c, alg, group);
    if (k == NULL)
        return NULL;
    BIGNUM *own = NULL;
    bool ok = EVP_PKEY_get_bn_param(k->own, OSSL_PKEY_PARAM_PUB_KEY, &own) == 1 && append_magnitude(pub, own);
    BN_free(own);
    if (ok)
        return k;
    nacre_kex_state_free(k);
    return NULL;
}

/* RFC 4253 section 8: values outside [1, p-1] must not be accepted; 1 and p-1 themselves fix the secret and are refused
 * too. The groups are safe primes, so nothing else has a small order. */
static bool in_range(const struct kex_state *k, struct span magnitude)
{
    BIGNUM *p = NULL;
    BIGNUM *e = BN_bin2bn(magnitude.at, (int)magnitude.len, NULL);
    bool ok = e != NULL && EVP_PKEY_get_bn_param(k->own, OSSL_PKEY_PARAM_FFC_P, &p) == 1 && BN_sub_word(p, 1) == 1 &&
              !BN_is_zero(e) && !BN_is_one(e) && BN_cmp(e, p) < 0;
    BN_free(e);
    BN_free(p);
    return ok;
}

/* `peer` is the body of an mpint: minimal and not negative. */
static bool dh_finish(struct kex_state *k, struct span peer, struct kex_shared *out)
{
    uint8_t padded[DH_MAX_BYTES] = {0};
    size_t size = modulus_len(k);
    if (peer.len == 0 || (peer.at[0] & 0x80) != 0 || size > sizeof padded)
        return false;
    if (peer.at[0] == 0) {
        if (peer.len < 2 || (peer.at[1] & 0x80) == 0)
            return false;
        peer = span_of(peer.at + 1, peer.len - 1);
    }
    if (peer.len > size || !in_range(k, peer))
        return false;
    memcpy(padded + size - peer.len, peer.at, peer.len);
    EVP_PKEY *theirs = nacre_public_like(k->own, padded, size);
    bool ok = theirs != NULL && nacre_kex_agree(k, theirs, out);
    EVP_PKEY_free(theirs);
    return ok;
}

const struct kex_ops nacre_kex_dh = {.start = dh_start, .finish = dh_finish, .free = nacre_kex_state_free};
