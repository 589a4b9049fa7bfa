/* SPDX-License-Identifier: Apache-2.0 */
/* The library's cipher contexts, each with one key, that a thread lends to the ciphers that work on it.
 *
 * Such a context is a kilobyte, twenty times its key, and two of them would be most of what an idle connection keeps.
 * So a cipher keeps its key, and a thread keeps contexts for those that it had last: while it has no more than
 * KEYED_SEATS, each has its own and nothing is ever loaded twice; beyond that, who was idle longest loses its
 * context, and its next packet pays for loading the key again. */
#ifndef CRYPTO_KEYED_H
#define CRYPTO_KEYED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>

enum {
    KEYED_SEATS = 2048 /* a thread: both directions of 1,024 connections */
};

struct keyed; /* one thread's contexts */

/* Inside of a cipher, zeroed at first. Used and left by one thread at a time, not always the same one. */
struct tenant {
    struct keyed *at; /* referenced; NULL: never had a context */
    uint32_t seat;    /* its context, as long as it is the owner */
};

/* What a tenant's context is made of; borrowed for the call. */
struct keying {
    const EVP_CIPHER *cipher;
    const uint8_t *key, *iv; /* iv is set when the key is */
    bool seal;
};

/* The calling thread's context with the tenant's key, to be used until another call with any tenant. NULL: no
 * memory, or the library failed. */
EVP_CIPHER_CTX *nacre_keyed_take(struct tenant *t, const struct keying *k);

/* Frees the tenant's context, which wipes the key in it. */
void nacre_keyed_leave(struct tenant *t);

/* How many contexts the calling thread has. */
size_t nacre_keyed_count(void);

#endif
