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

/* Making a key object costs the library more than all else around the derivation, since it looks its type up by every
 * name it knows; so objects are used again. A public value is all that ever is in them. The spares are the second part
 * of a context, beside its count, that changes after it opened. */
static struct nacre_crypto *spares_of(const struct kex_state *k)
{
    return (struct nacre_crypto *)(uintptr_t)k->c;
}

static EVP_PKEY *take_peer(const struct kex_state *k, struct span value)
{
    struct nacre_crypto *c = spares_of(k);
    EVP_PKEY *peer = NULL;
    /* Acquire and, in give_peer(), release: what the one before did to the key has happened. */
    for (size_t i = 0; i < SPARE_KEYS && peer == NULL; i++)
        peer = atomic_exchange_explicit(&c->spare[i], NULL, memory_order_acquire);
    if (peer == NULL)
        return nacre_public_like(k->own, value.at, value.len);
    if (EVP_PKEY_set1_encoded_public_key(peer, value.at, value.len) == 1)
        return peer;
    EVP_PKEY_free(peer);
    return NULL;
}

static void give_peer(const struct kex_state *k, EVP_PKEY *peer)
{
    struct nacre_crypto *c = spares_of(k);
    for (size_t i = 0; i < SPARE_KEYS; i++) {
        EVP_PKEY *empty = NULL;
        if (atomic_compare_exchange_strong_explicit(&c->spare[i], &empty, peer, memory_order_release,
                                                    memory_order_relaxed))
            return;
    }
    EVP_PKEY_free(peer);
}

/* RFC 8731 section 3: another length is refused, and so is a secret of zeros, which the points of small order give. */
static bool x25519_finish(struct kex_state *k, struct span peer, struct kex_shared *out)
{
    if (peer.len != X25519_LEN)
        return false;
    EVP_PKEY *theirs = take_peer(k, peer);
    bool ok = theirs != NULL && nacre_kex_agree(k, theirs, out);
    if (theirs != NULL)
        give_peer(k, theirs);
    return ok;
}

const struct kex_ops nacre_kex_x25519 = {.start = x25519_start, .finish = x25519_finish, .free = nacre_kex_state_free};
