/* SPDX-License-Identifier: Apache-2.0 */
/* A key encapsulation and an X25519 exchange side by side, so that whoever wants K has to break both:
 * mlkem768x25519-sha256 (draft-ietf-sshm-mlkem-hybrid-kex) and sntrup761x25519-sha512 (RFC 9941). The client sends a
 * key to encapsulate to and its X25519 value, the server the ciphertext and its own; K is the hash of both secrets and
 * travels as a string. */
#include "crypto/kem.h"
#include "crypto/kex_agree.h"

#include <openssl/err.h>

#include "base/secret.h"
#include "wire/wr.h"

enum {
    X25519_LEN = 32
};

/* The two secrets one behind the other. */
struct secrets {
    uint8_t bytes[KEM_SECRET + X25519_LEN];
};

static bool append_x25519(const struct kex_state *k, struct buf *pub)
{
    uint8_t public[X25519_LEN];
    size_t len = sizeof public;
    return EVP_PKEY_get_raw_public_key(k->own, public, &len) == 1 && len == sizeof public &&
           nacre_buf_append(pub, public, len);
}

static bool derive_x25519(const struct kex_state *k, const uint8_t *peer, struct secrets *s)
{
    size_t len = X25519_LEN;
    EVP_PKEY *theirs = nacre_public_like(k->own, peer, X25519_LEN);
    bool ok = theirs != NULL && nacre_kex_derive(k, theirs, s->bytes + KEM_SECRET, &len) && len == X25519_LEN;
    EVP_PKEY_free(theirs);
    return ok;
}

static bool finish_k(const struct nacre_crypto *c, const struct kex_alg *alg, const struct secrets *s,
                     struct kex_shared *out)
{
    uint8_t hash[HASH_MAX];
    struct span both = span_of(s->bytes, sizeof s->bytes);
    struct wr w = wr_over(out->bytes, sizeof out->bytes);
    bool ok = nacre_hash(c, alg->hash, &both, 1, hash);
    wr_string(&w, span_of(hash, nacre_hash_size(alg->hash)));
    nacre_wipe(hash, sizeof hash);
    out->len = wr_len(&w);
    return ok && wr_done(&w);
}

/* ---- client ------------------------------------------------------------------------------------------------- */

static struct kex_state *hybrid_start(const struct nacre_crypto *c, const struct kex_alg *alg,
                                      const struct kex_group *group, struct buf *pub)
{
    uint8_t public[KEM_PUBLIC_MAX];
    struct kex_state *k = nacre_kex_state_new(c, alg, group);
    if (k == NULL)
        return NULL;
    k->kem = alg->kem->generate(c, public);
    if (k->kem != NULL && nacre_buf_append(pub, public, alg->kem->public_len) && append_x25519(k, pub))
        return k;
    ERR_clear_error();
    nacre_kex_state_free(k);
    return NULL;
}

/* Rule R35: exact lengths. X25519 goes first: it costs less, and is what may be refused. */
static bool hybrid_finish(struct kex_state *k, struct span peer, struct kex_shared *out)
{
    struct secrets s;
    const struct kem *kem = k->alg->kem;
    if (peer.len != kem->ciphertext_len + X25519_LEN)
        return false;
    bool ok = derive_x25519(k, peer.at + kem->ciphertext_len, &s) && kem->decapsulate(k->c, k->kem, peer.at, s.bytes) &&
              finish_k(k->c, k->alg, &s, out);
    nacre_wipe(&s, sizeof s);
    if (!ok)
        ERR_clear_error();
    return ok;
}

/* ---- server ------------------------------------------------------------------------------------------------- */

static bool encapsulate(const struct kex_state *k, const uint8_t *public, struct secrets *s, struct buf *pub)
{
    uint8_t ciphertext[KEM_CIPHERTEXT_MAX];
    const struct kem *kem = k->alg->kem;
    return kem->encapsulate(k->c, public, ciphertext, s->bytes) &&
           nacre_buf_append(pub, ciphertext, kem->ciphertext_len);
}

static bool hybrid_respond(const struct nacre_crypto *c, const struct kex_alg *alg, struct span peer, struct buf *pub,
                           struct kex_shared *out)
{
    struct secrets s;
    if (peer.len != alg->kem->public_len + X25519_LEN)
        return false;
    struct kex_state *k = nacre_kex_state_new(c, alg, NULL);
    bool ok = k != NULL && derive_x25519(k, peer.at + alg->kem->public_len, &s) && encapsulate(k, peer.at, &s, pub) &&
              append_x25519(k, pub) && finish_k(c, alg, &s, out);
    nacre_wipe(&s, sizeof s);
    nacre_kex_state_free(k);
    if (!ok)
        ERR_clear_error();
    return ok;
}

const struct kex_ops nacre_kex_hybrid = {
    .start = hybrid_start, .finish = hybrid_finish, .respond = hybrid_respond, .free = nacre_kex_state_free};
