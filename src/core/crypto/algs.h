/* SPDX-License-Identifier: Apache-2.0 */
/* The algorithm tables: one row an algorithm, everything that negotiation and the packet layer need, ending in
 * operations. Nothing above this layer switches on an algorithm.
 *
 * Markers (ext-info-s, kex-strict-s-v00@openssh.com) are not algorithms; ssh/kexinit.c reads and writes them. */
#ifndef CRYPTO_ALGS_H
#define CRYPTO_ALGS_H

#include "crypto/cipher.h"
#include "crypto/comp.h"
#include "crypto/crypto.h"
#include "crypto/kex.h"
#include "crypto/key.h"
#include "crypto/mac.h"

enum alg_kind {
    ALG_KEX,
    ALG_KEY,
    ALG_CIPHER,
    ALG_MAC,
    ALG_COMP,
    ALG_KINDS
};

/* The row of that name, or NULL when it is unknown or the library under us cannot do it. */
const struct kex_alg *nacre_kex_find(const struct nacre_crypto *c, struct span name);
const struct sig_alg *nacre_sig_find(const struct nacre_crypto *c, struct span name);
const struct cipher_alg *nacre_cipher_find(const struct nacre_crypto *c, struct span name);
const struct mac_alg *nacre_mac_find(const struct nacre_crypto *c, struct span name);
const struct comp_alg *nacre_comp_find(const struct nacre_crypto *c, struct span name);

/* Every usable name of a kind, most wanted first, comma-separated. Lives as long as `c`. */
const char *nacre_algs_usable(const struct nacre_crypto *c, enum alg_kind kind);

#endif
