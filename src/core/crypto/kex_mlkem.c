/* SPDX-License-Identifier: Apache-2.0 */
/* mlkem768x25519-sha256, draft-ietf-sshm-mlkem-hybrid-kex: an ML-KEM-768 exchange and an X25519 one side by side, so
 * that whoever wants K has to break both. The client sends a key to encapsulate to and its X25519 value, the server the
 * ciphertext and its own; K is the hash of both secrets and travels as a string.
 *
 * OpenSSL has ML-KEM since 3.5; with an older one the row is not there. */
#include "crypto/kex_agree.h"

#include <openssl/err.h>

#include "base/secret.h"
#include "wire/wr.h"

enum {
    KEM_PUBLIC = 1184,
    KEM_CIPHERTEXT = 1088,
    KEM_SECRET = 32,
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

static bool derive_x25519(const struct kex_state *k, struct span peer, struct secrets *s)
{
    size_t len = X25519_LEN;
    EVP_PKEY *theirs = nacre_public_like(k->own, peer.at, peer.len);
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

static EVP_PKEY *kem_generate(const struct nacre_crypto *c)
{
    EVP_PKEY *pkey = NULL;
    EVP_PKEY_CTX *x = EVP_PKEY_CTX_dup(c->mlkem);
    if (x == NULL || EVP_PKEY_keygen_init(x) != 1 || EVP_PKEY_generate(x, &pkey) != 1)
        pkey = NULL;
    EVP_PKEY_CTX_free(x);
    return pkey;
}

static struct kex_state *mlkem_start(const struct nacre_crypto *c, const struct kex_alg *alg,
                                     const struct kex_group *group, struct buf *pub)
{
    uint8_t public[KEM_PUBLIC];
    size_t len = sizeof public;
    struct kex_state *k = nacre_kex_state_new(c, alg, group);
    if (k == NULL)
        return NULL;
    k->kem = kem_generate(c);
    if (k->kem != NULL && EVP_PKEY_get_raw_public_key(k->kem, public, &len) == 1 && len == sizeof public &&
        nacre_buf_append(pub, public, len) && append_x25519(k, pub))
        return k;
    ERR_clear_error();
    nacre_kex_state_free(k);
    return NULL;
}

static bool decapsulate(const struct kex_state *k, const uint8_t *ciphertext, struct secrets *s)
{
    size_t len = KEM_SECRET;
    EVP_PKEY_CTX *x = EVP_PKEY_CTX_new_from_pkey(k->c->lib, k->kem, NULL);
    bool ok = x != NULL && EVP_PKEY_decapsulate_init(x, NULL) == 1 &&
              EVP_PKEY_decapsulate(x, s->bytes, &len, ciphertext, KEM_CIPHERTEXT) == 1 && len == KEM_SECRET;
    EVP_PKEY_CTX_free(x);
    return ok;
}

/* Rule R35: exact lengths. */
static bool mlkem_finish(struct kex_state *k, struct span peer, struct kex_shared *out)
{
    struct secrets s;
    if (peer.len != KEM_CIPHERTEXT + X25519_LEN)
        return false;
    bool ok = decapsulate(k, peer.at, &s) && derive_x25519(k, span_of(peer.at + KEM_CIPHERTEXT, X25519_LEN), &s) &&
              finish_k(k->c, k->alg, &s, out);
    nacre_wipe(&s, sizeof s);
    if (!ok)
        ERR_clear_error();
    return ok;
}

/* ---- server ------------------------------------------------------------------------------------------------- */

/* The library checks the key as FIPS 203 section 7.2 demands when it reads it. */
static bool encapsulate(const struct nacre_crypto *c, const uint8_t *public, struct secrets *s, struct buf *pub)
{
    uint8_t ciphertext[KEM_CIPHERTEXT];
    size_t len = sizeof ciphertext, secret_len = KEM_SECRET;
    EVP_PKEY *theirs = EVP_PKEY_new_raw_public_key_ex(c->lib, nacre_mlkem_name, NULL, public, KEM_PUBLIC);
    EVP_PKEY_CTX *x = theirs == NULL ? NULL : EVP_PKEY_CTX_new_from_pkey(c->lib, theirs, NULL);
    bool ok = x != NULL && EVP_PKEY_encapsulate_init(x, NULL) == 1 &&
              EVP_PKEY_encapsulate(x, ciphertext, &len, s->bytes, &secret_len) == 1 && len == sizeof ciphertext &&
              secret_len == KEM_SECRET && nacre_buf_append(pub, ciphertext, len);
    EVP_PKEY_CTX_free(x);
    EVP_PKEY_free(theirs);
    return ok;
}

static bool mlkem_respond(const struct nacre_crypto *c, const struct kex_alg *alg, struct span peer, struct buf *pub,
                          struct kex_shared *out)
{
    struct secrets s;
    if (peer.len != KEM_PUBLIC + X25519_LEN)
        return false;
    struct kex_state *k = nacre_kex_state_new(c, alg, NULL);
    bool ok = k != NULL && encapsulate(c, peer.at, &s, pub) && append_x25519(k, pub) &&
              derive_x25519(k, span_of(peer.at + KEM_PUBLIC, X25519_LEN), &s) && finish_k(c, alg, &s, out);
    nacre_wipe(&s, sizeof s);
    nacre_kex_state_free(k);
    if (!ok)
        ERR_clear_error();
    return ok;
}

const struct kex_ops nacre_kex_mlkem = {
    .start = mlkem_start, .finish = mlkem_finish, .respond = mlkem_respond, .free = nacre_kex_state_free};
