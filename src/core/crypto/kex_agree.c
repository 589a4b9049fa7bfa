/* SPDX-License-Identifier: Apache-2.0 */
/* From key pair and peer's value to K.
 *
 * Key generation starts from a duplicate of the context's template, so that no method is looked up by name and no group
 * is built for each handshake. */
#include "crypto/kex_agree.h"

#include <stdlib.h>

#include <openssl/err.h>

#include "base/secret.h"
#include "crypto/kem.h"
#include "wire/mpint.h"

static EVP_PKEY_CTX *generator(const struct nacre_crypto *c, const struct kex_alg *alg, const struct kex_group *group)
{
    if (!alg->asks_group)
        return EVP_PKEY_CTX_dup(nacre_kex_template(c, alg));
    EVP_PKEY *parameters = group == NULL ? NULL : nacre_dh_group(c, group);
    EVP_PKEY_CTX *x = parameters == NULL ? NULL : EVP_PKEY_CTX_new_from_pkey(c->lib, parameters, NULL);
    EVP_PKEY_free(parameters);
    return x;
}

struct kex_state *nacre_kex_state_new(const struct nacre_crypto *c, const struct kex_alg *alg,
                                      const struct kex_group *group)
{
    struct kex_state *k = calloc(1, sizeof *k);
    EVP_PKEY_CTX *x = k == NULL ? NULL : generator(c, alg, group);
    bool ok = x != NULL && EVP_PKEY_keygen_init(x) == 1 && EVP_PKEY_generate(x, &k->own) == 1;
    EVP_PKEY_CTX_free(x);
    if (!ok) {
        ERR_clear_error();
        free(k);
        return NULL;
    }
    k->c = c;
    k->alg = alg;
    return k;
}

void nacre_kex_state_free(struct kex_state *k)
{
    if (k == NULL)
        return;
    EVP_PKEY_free(k->own);
    if (k->kem != NULL)
        k->alg->kem->free(k->kem);
    free(k);
}

static bool is_zero(const uint8_t *at, size_t len)
{
    uint8_t any = 0;
    for (size_t i = 0; i < len; i++)
        any |= at[i];
    return any == 0;
}

bool nacre_kex_derive(const struct kex_state *k, EVP_PKEY *peer, uint8_t *secret, size_t *len)
{
    /* The library's own check of the peer repeats ours with a full exponentiation; 0 leaves it out. */
    const size_t room = *len;
    EVP_PKEY_CTX *x = EVP_PKEY_CTX_new_from_pkey(k->c->lib, k->own, NULL);
    bool ok = x != NULL && EVP_PKEY_derive_init(x) == 1 && EVP_PKEY_derive_set_peer_ex(x, peer, 0) == 1 &&
              EVP_PKEY_derive(x, secret, len) == 1 && *len <= room && !is_zero(secret, *len);
    EVP_PKEY_CTX_free(x);
    return ok;
}

bool nacre_kex_agree(const struct kex_state *k, EVP_PKEY *peer, struct kex_shared *out)
{
    uint8_t secret[KEX_PUBLIC_MAX - 8];
    size_t len = sizeof secret;
    struct wr w = wr_over(out->bytes, sizeof out->bytes);
    bool ok = nacre_kex_derive(k, peer, secret, &len);
    if (ok) {
        nacre_wr_mpint(&w, span_of(secret, len));
        ok = wr_done(&w);
    }
    nacre_wipe(secret, sizeof secret);
    if (!ok) {
        nacre_wipe(out, sizeof *out);
        ERR_clear_error();
        return false;
    }
    out->len = wr_len(&w);
    return true;
}
