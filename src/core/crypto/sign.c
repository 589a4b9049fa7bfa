/* SPDX-License-Identifier: Apache-2.0 */
/* Signature blobs: "string algorithm, string signature", RFC 4253 section 6.6.
 *
 * A private key keeps one prepared context an algorithm and duplicates it for each signature, since preparing one looks
 * up methods by name under the library's locks. */
#include <string.h>

#include <openssl/err.h>

#include "base/secret.h"
#include "crypto/keytype.h"

static const char *digest_of(const struct key *k, enum hash_id hash)
{
    return k->type->ops->prehash ? nacre_hash_name(hash) : NULL;
}

/* RSA has an algorithm for each of three hashes, every other kind of key has one. */
static size_t signer_of(const struct sig_alg *alg)
{
    if (alg->ops != &nacre_sig_rsa || alg->hash == HASH_SHA512)
        return 0;
    return alg->hash == HASH_SHA256 ? 1 : 2;
}

static bool signs_elsewhere(const struct key *k)
{
    return k->token != NULL && k->token->sign != NULL;
}

static EVP_MD_CTX *signer_new(const struct key *k, enum hash_id hash)
{
    EVP_MD_CTX *x = EVP_MD_CTX_new();
    if (x != NULL && EVP_DigestSignInit_ex(x, NULL, digest_of(k, hash), k->c->lib, NULL, k->pkey, NULL) == 1)
        return x;
    EVP_MD_CTX_free(x);
    return NULL;
}

bool nacre_key_prepare(struct key *k)
{
    if (!k->is_private || signs_elsewhere(k))
        return true;
    bool any = false;
    for (size_t i = 0; i < SIG_ROWS; i++) {
        const struct sig_alg *alg = nacre_sig_row(k->c, i);
        if (alg == NULL || !nacre_key_fits(k, alg))
            continue;
        EVP_MD_CTX **at = &k->signer[signer_of(alg)];
        *at = signer_new(k, alg->hash);
        /* FIPS providers and systems' policies refuse signatures with SHA-1, and the key has others perhaps. */
        if (*at == NULL && alg->hash != HASH_SHA1)
            return false;
        any = any || *at != NULL;
    }
    ERR_clear_error();
    return any;
}

bool nacre_key_fits(const struct key *k, const struct sig_alg *alg)
{
    return strcmp(k->type->name, alg->key_name) == 0;
}

bool nacre_key_can_sign(const struct key *k, const struct sig_alg *alg)
{
    return k->is_private && nacre_key_fits(k, alg) && (signs_elsewhere(k) || k->signer[signer_of(alg)] != NULL);
}

static bool sign_elsewhere(const struct key *k, const struct sig_alg *alg, struct span data, uint8_t *out, size_t *len)
{
    uint8_t digest[HASH_MAX];
    return nacre_hash(k->c, alg->hash, &data, 1, digest) &&
           k->token->sign(k->token->held, alg->hash, span_of(digest, nacre_hash_size(alg->hash)), out, len);
}

static bool sign_native(const struct key *k, const struct sig_alg *alg, struct span data, uint8_t *out, size_t *len)
{
    if (signs_elsewhere(k))
        return sign_elsewhere(k, alg, data, out, len);
    if (k->is_raw)
        return k->type->ops->sign(k->raw, data, out, len);
    EVP_MD_CTX *x = EVP_MD_CTX_new();
    bool ok = x != NULL && EVP_MD_CTX_copy_ex(x, k->signer[signer_of(alg)]) == 1 &&
              EVP_DigestSign(x, out, len, data.at, data.len) == 1;
    EVP_MD_CTX_free(x);
    return ok;
}

static bool verify_native(const struct nacre_crypto *c, const struct key *k, const struct sig_alg *alg,
                          struct span data, struct span signature)
{
    if (k->is_raw)
        return k->type->ops->verify(k->raw, data, signature);
    EVP_MD_CTX *x = EVP_MD_CTX_new();
    bool ok = x != NULL &&
              EVP_DigestVerifyInit_ex(x, NULL, digest_of(k, alg->hash), c->lib, NULL, k->pkey, NULL) == 1 &&
              EVP_DigestVerify(x, signature.at, signature.len, data.at, data.len) == 1;
    EVP_MD_CTX_free(x);
    return ok;
}

bool nacre_key_sign(const struct nacre_crypto *c, const struct key *k, const struct sig_alg *alg, struct span data,
                    struct buf *out)
{
    (void)c;
    uint8_t native[SIGNATURE_MAX], wire[SIGNATURE_MAX];
    size_t len = sizeof native;
    if (!nacre_key_can_sign(k, alg))
        return false;
    struct wr w = wr_over(wire, sizeof wire);
    wr_cstring(&w, alg->sig_name);
    uint8_t *body = wr_string_open(&w);
    bool ok = sign_native(k, alg, data, native, &len) && k->type->ops->to_wire(k, span_of(native, len), &w);
    wr_string_close(&w, body);
    if (!ok)
        ERR_clear_error();
    return ok && wr_done(&w) && nacre_buf_append(out, wire, wr_len(&w));
}

bool nacre_key_verify(const struct nacre_crypto *c, const struct key *k, const struct sig_alg *alg, struct span data,
                      struct span signature)
{
    struct key_user user;
    /* Rule R10: somebody has to have touched the device. */
    return nacre_key_verify_user(c, k, alg, data, signature, &user) && user.present;
}

bool nacre_key_verify_user(const struct nacre_crypto *c, const struct key *k, const struct sig_alg *alg,
                           struct span data, struct span signature, struct key_user *user)
{
    uint8_t native[SIGNATURE_MAX], wrapped[SK_SIGNED_LEN];
    struct rd r = rd_over(signature);
    struct wr w = wr_over(native, sizeof native);
    struct span name = rd_string(&r, 64);
    struct span body = rd_string(&r, SIGNATURE_MAX);
    *user = (struct key_user){true, true};
    if (nacre_keytype_is_sk(k->type)) {
        if (!nacre_sk_signed_data(k, &r, data, wrapped, user))
            return false;
        data = span_of(wrapped, sizeof wrapped);
    }
    /* RFC 8332 section 3: the name inside must be the algorithm agreed on, not merely one that fits the key. */
    if (!rd_end(&r) || !span_is(name, alg->sig_name) || !nacre_key_fits(k, alg))
        return false;
    if (!k->type->ops->from_wire(k, body, &w) || !wr_done(&w))
        return false;
    bool ok = verify_native(c, k, alg, data, wr_span(&w));
    if (!ok)
        ERR_clear_error();
    return ok;
}
