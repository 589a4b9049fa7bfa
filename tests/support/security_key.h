/* SPDX-License-Identifier: Apache-2.0 */
/* Security keys for tests: a plain private key does what the device would, PROTOCOL.u2f. */
#ifndef TESTS_SECURITY_KEY_H
#define TESTS_SECURITY_KEY_H

#include "base/buf.h"
#include "crypto/algs.h"
#include "crypto/key.h"
#include "ssh/conn.h"

struct sk_says {
    const char *alg, *application;
    uint8_t flags; /* 1: touched; 4: verified */
};

/* The security key of that type whose private half is `plain`. */
struct key *sk_public(const struct nacre_crypto *crypto, const struct key *plain, const char *type,
                      const char *application);

/* Writes the signature blob over `data` into `out`, in place of what was there. */
void sk_sign(const struct nacre_crypto *crypto, const struct key *plain, const struct sk_says *says, struct span data,
             struct buf *out);

/* Sends a login request for "anna" as the owner of that security key, its public half being `blob`: RFC 4252 section 7.
 * `alg` names the algorithm of the request: the key's, or that of its certificate. */
void sk_log_in(struct conn *c, const struct key *plain, const char *alg, struct span blob, const struct sk_says *says);

#endif
