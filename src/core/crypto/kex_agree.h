/* SPDX-License-Identifier: Apache-2.0 */
/* What the key exchange methods share: the private half, its making, and the step from two keys to K. */
#ifndef CRYPTO_KEX_AGREE_H
#define CRYPTO_KEX_AGREE_H

#include "crypto/context.h"

struct kex_state {
    const struct nacre_crypto *c; /* outlives the exchange */
    const struct kex_alg *alg;
    EVP_PKEY *own;
    void *kem; /* a hybrid's second private key, of alg->kem; else NULL */
};

/* A state with a fresh key pair of `group`, or, when that is NULL, of the row's own; NULL: the library failed. */
struct kex_state *nacre_kex_state_new(const struct nacre_crypto *c, const struct kex_alg *alg,
                                      const struct kex_group *group);
void nacre_kex_state_free(struct kex_state *k);

/* The bare secret; `*len` is its room, then its length. A secret of zeros is refused. */
bool nacre_kex_derive(const struct kex_state *k, EVP_PKEY *peer, uint8_t *secret, size_t *len);

/* Computes K as an mpint. The peer's value was checked by the caller; a secret of zeros is refused here. */
bool nacre_kex_agree(const struct kex_state *k, EVP_PKEY *peer, struct kex_shared *out);

/* Domain parameters and nothing else. NULL: the library failed, or (nacre_dh_group) the group is no good. */
EVP_PKEY *nacre_dh_parameters(const struct nacre_crypto *c, const BIGNUM *p, const BIGNUM *g);
EVP_PKEY *nacre_dh_group(const struct nacre_crypto *c, const struct kex_group *group);
EVP_PKEY *nacre_dh_group1(const struct nacre_crypto *c); /* RFC 2409 section 6.2, 1024 bits */

#endif
