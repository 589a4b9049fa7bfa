/* SPDX-License-Identifier: Apache-2.0 */
/* Key encapsulation: the half of a hybrid exchange (kex_hybrid.c) that is to withstand quantum computers.
 *
 * The client makes a key pair and sends the public one, the server encapsulates a secret to it, the client decapsulates
 * that. All lengths are fixed, and those who call have checked them. */
#ifndef CRYPTO_KEM_H
#define CRYPTO_KEM_H

#include "crypto/crypto.h"

enum {
    KEM_PUBLIC_MAX = 1184,
    KEM_CIPHERTEXT_MAX = 1088,
    KEM_SECRET = 32
};

struct kem {
    size_t public_len, ciphertext_len;
    /* Whether this build and the library have it. While a context opens. */
    bool (*usable)(const struct nacre_crypto *c);
    /* A private key for free(), its public one at `public`. NULL: the library failed. */
    void *(*generate)(const struct nacre_crypto *c, uint8_t *public);
    void (*free)(void *private);
    /* False: the key is none, or the library failed. */
    bool (*encapsulate)(const struct nacre_crypto *c, const uint8_t *public, uint8_t *ciphertext, uint8_t *secret);
    /* A ciphertext that was not made for this key gives a secret that nobody else has. False: the library failed. */
    bool (*decapsulate)(const struct nacre_crypto *c, void *private, const uint8_t *ciphertext, uint8_t *secret);
};

extern const struct kem nacre_kem_mlkem, nacre_kem_sntrup;

#endif
