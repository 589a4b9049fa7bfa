/* SPDX-License-Identifier: Apache-2.0 */
/* curve25519-sha256, RFC 8731: public values are 32 bytes, K is the secret taken as a big-endian number. */
#include "crypto/kex_agree.h"

enum {
    X25519_LEN = 32
};

static struct kex_state *x25519_start(const struct nacre_crypto *c, const struct kex_alg *alg,
                                      const struct kex_group *group, struct buf *pub)
{
    uint8_t public[X25519_LEN];
    size_t len = sizeof public;
    struct kex_state *k = nacre_kex_state_new(c, alg, group);
    if (k == NULL)
        return NULL;
    if (EVP_PKEY_get_raw_public_key(k->own, public, &len) == 1 && len == sizeof public &&
        nacre_buf_append(pub, public, len))
        return k;
    nacre_kex_state_free(k);
    return NULL;
}

/* RFC 8731 section 3: another length is refused, and so is a secret of zeros, which the points of small order give. */
static bool x25519_finish(struct kex_state *k, struct span peer, struct kex_shared *out)
{
    if (peer.len != X25519_LEN)
        return false;
    EVP_PKEY *theirs = nacre_public_like(k->own, peer.at, peer.len);
    bool ok = theirs != NULL && nacre_kex_agree(k, theirs, out);
    EVP_PKEY_free(theirs);
    return ok;
}

const struct kex_ops nacre_kex_x25519 = {.start = x25519_start, .finish = x25519_finish, .free = nacre_kex_state_free};
