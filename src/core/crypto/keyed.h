/* SPDX-License-Identifier: Apache-2.0 */
/* The library's contexts, each with one key, that a thread lends to the ciphers and HMACs that work on it.
 *
 * Such a context is up to a kilobyte, twenty times its key, and two or four of them would be most of what an idle
 * connection keeps. So a cipher keeps its key, and a thread keeps contexts for those that it had last: while it has no
 * more than KEYED_SEATS, each has its own and nothing is ever loaded twice; beyond that, who was idle longest loses its
 * context, and its next packet pays for loading the key again. */
#ifndef CRYPTO_KEYED_H
#define CRYPTO_KEYED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>

enum {
    KEYED_SEATS = 2048 /* a thread: both directions of 1,024 connections, or half as many where there is an HMAC, too */
};

struct keyed; /* one thread's contexts */

/* Inside of a cipher or HMAC, zeroed at first. Used and left by one thread at a time, not always the same one. */
struct tenant {
    struct keyed *at; /* referenced; NULL: never had a context */
    uint32_t seat;    /* its context, as long as it is the owner */
};

/* What a tenant's context is made of; borrowed for the call. */
struct keying {
    const EVP_CIPHER *cipher; /* NULL: an HMAC's */
    const EVP_MD *md;
    const uint8_t *key, *iv; /* iv is set when the key is */
    size_t key_len;          /* an HMAC's; no longer than the hash's block */
    bool seal;
};

/* An HMAC's context: the hash's states behind the inner and the outer block of the key, and one to go on from copies of
 * them in. */
struct keyed_hash {
    EVP_MD_CTX *inner, *outer, *work;
};

/* The calling thread's context with the tenant's key, to be used until another call with any tenant. NULL: no
 * memory, or the library failed. */
EVP_CIPHER_CTX *nacre_keyed_take(struct tenant *t, const struct keying *k);

/* The same for an HMAC: false for NULL. */
bool nacre_keyed_take_hash(struct tenant *t, const struct keying *k, struct keyed_hash *out);

/* Frees the tenant's context, which wipes the key in it. */
void nacre_keyed_leave(struct tenant *t);

/* How many contexts the calling thread has. */
size_t nacre_keyed_count(void);

#endif
