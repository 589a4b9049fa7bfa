/* SPDX-License-Identifier: Apache-2.0 */
/* ecdh-sha2-nistp*, RFC 5656 section 4: public values are uncompressed points, K is the x coordinate. */
#include "crypto/kex_agree.h"

#include <openssl/crypto.h>

enum {
    POINT_UNCOMPRESSED = 4
};

static size_t point_len(const struct kex_state *k)
{
    return 1 + 2 * (((size_t)EVP_PKEY_get_bits(k->own) + 7) / 8);
}

static struct kex_state *nist_start(const struct nacre_crypto *c, const struct kex_alg *alg,
                                    const struct kex_group *group, struct buf *pub)
{
    struct kex_state *k = nacre_kex_state_new(c, alg, group);
    if (k == NULL)
        return NULL;
    unsigned char *point = NULL;
    size_t len = EVP_PKEY_get1_encoded_public_key(k->own, &point);
    bool ok = len == point_len(k) && point[0] == POINT_UNCOMPRESSED && nacre_buf_append(pub, point, len);
    OPENSSL_free(point);
    if (ok)
        return k;
    nacre_kex_state_free(k);
    return NULL;
}

/* RFC 5656 section 4: the point is checked to lie on the curve, which the library does when it decodes it. The curves
 * have cofactor 1, so that a point on them other than infinity (whose encoding has another length) has the full order.
 */
static bool nist_finish(struct kex_state *k, struct span peer, struct kex_shared *out)
{
    if (peer.len != point_len(k) || peer.at[0] != POINT_UNCOMPRESSED)
        return false;
    EVP_PKEY *theirs = nacre_public_like(k->own, peer.at, peer.len);
    bool ok = theirs != NULL && nacre_kex_agree(k, theirs, out);
    EVP_PKEY_free(theirs);
    return ok;
}

const struct kex_ops nacre_kex_nist = {.start = nist_start, .finish = nist_finish, .free = nacre_kex_state_free};
