/* SPDX-License-Identifier: Apache-2.0 */
/* Key exchange methods: curve25519 (RFC 8731), ECDH over the NIST curves (RFC 5656), finite-field DH (RFC 4253, 8268),
 * the same in a group that is agreed on first (RFC 4419), and ML-KEM or sntrup761 beside curve25519.
 *
 * All of them have one shape: the client sends a public value, the server answers with one, both compute a shared
 * secret. kex_state holds the private half between the two. */
#ifndef CRYPTO_KEX_H
#define CRYPTO_KEX_H

#include "base/buf.h"
#include "crypto/crypto.h"
#include "wire/rd.h"
#include "wire/wr.h"

struct kem;
struct kex_state;
struct kex_alg;

enum {
    KEX_PUBLIC_MAX = 2048,
    KEX_GROUP_MIN_BITS = 2048, /* RFC 8270 section 3 */
    KEX_GROUP_MAX_BITS = 8192, /* RFC 4419 section 3 */
};

/* A group on its way from the server to the client: magnitudes without leading zeros. */
struct kex_group {
    size_t p_len, g_len;
    uint8_t p[KEX_GROUP_MAX_BITS / 8], g[KEX_GROUP_MAX_BITS / 8];
};

/* What a method gives: already in wire form, so that the caller hashes it unseen. */
struct kex_shared {
    uint8_t bytes[KEX_PUBLIC_MAX]; /* K as an mpint (length included) or a string, as the method's RFC says */
    size_t len;
};

struct kex_ops {
    /* Makes a key pair and appends our public value to `pub` in wire form: the body of a string (curves) or of an mpint
     * with its magnitude rules applied (DH), without the length. `group`: with alg->asks_group, the one agreed on; else
     * NULL. NULL: the library failed or the group is no good. */
    struct kex_state *(*start)(const struct nacre_crypto *c, const struct kex_alg *alg, const struct kex_group *group,
                               struct buf *pub);
    /* Checks the peer's public value, given in the same form (the body of a string or of an mpint), by rule R35: exact
     * length, on the curve, 1 < e < p-1, a minimal mpint, no all-zero secret; and computes K. False: refuse. */
    bool (*finish)(struct kex_state *k, struct span peer, struct kex_shared *out);
    /* The server's part in one step, for methods whose answer is made from the client's value: appends our public value
     * and computes K. NULL: the server starts and finishes as the client does. False: refuse. */
    bool (*respond)(const struct nacre_crypto *c, const struct kex_alg *alg, struct span peer, struct buf *pub,
                    struct kex_shared *out);
    void (*free)(struct kex_state *k);
};

struct kex_alg {
    const char *name;
    const struct kex_ops *ops;
    enum hash_id hash;
    const char *group; /* the library's name of curve or group; NULL: none of its own */
    bool mpint_public; /* public values travel as mpint (DH), not as string: they enter the exchange hash so as well */
    bool slow;         /* belongs on the offload pool */
    bool asks_group;   /* RFC 4419: the group is asked for first, and hashed too */
    const struct kem *kem; /* a hybrid's other half; else NULL */
};

/* Where a group that we give out comes from. */
enum kex_group_source {
    KEX_GROUP_RFC3526,
    KEX_GROUP_RFC7919,
    KEX_GROUP_SOURCES
};

/* RFC 4419, server: a group for a client that asks for `min` to `max` bits and wants `wanted`. False: there is none. */
bool nacre_kex_group_choose(const struct nacre_crypto *c, enum kex_group_source source, uint32_t min, uint32_t wanted,
                            uint32_t max, struct kex_group *out);

/* "mpint p, mpint g". Reading is false unless p has `min` to `max` bits. */
bool nacre_kex_group_read(struct rd *r, uint32_t min, uint32_t max, struct kex_group *out);
void nacre_kex_group_write(struct wr *w, const struct kex_group *group);

/* RFC 4253 section 7.2: fills `out` with `need` bytes of key `letter` ('A' to 'F'). K as in kex_shared, H and session
 * id of the exchange. */
bool nacre_kdf(const struct nacre_crypto *c, enum hash_id hash, struct span k, struct span h, char letter,
               struct span session, uint8_t *out, size_t need);

#endif
