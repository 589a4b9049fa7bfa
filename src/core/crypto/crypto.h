/* SPDX-License-Identifier: Apache-2.0 */
/* One library context with everything fetched once: OpenSSL 3 looks algorithms up by name under a lock, which a
 * handshake must not repay each time. Immutable after nacre_crypto_open(); shared by all threads; counted. */
#ifndef CRYPTO_CRYPTO_H
#define CRYPTO_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

struct nacre_crypto; /* opaque: the only code that looks inside is src/core/crypto */

enum hash_id {
    HASH_SHA1,
    HASH_SHA256,
    HASH_SHA384,
    HASH_SHA512,
    HASH_MD5,
    HASH_RIPEMD160,
    HASH_COUNT
};
enum {
    HASH_MAX = 64
};

/* `own_context`: a context that reads no system configuration and loads only the default provider; false: the system's
 * default context. Algorithms that OpenSSL has moved to its legacy provider come from a third context, which holds that
 * provider alone; where it is not installed, or the system demands FIPS, they are not there. Probes every row of
 * crypto/algs.h. NULL when OpenSSL cannot start. */
struct nacre_crypto *nacre_crypto_open(bool own_context);

/* A context of its own with the FIPS provider alone; whatever that lacks is not usable. NULL: there is no such
 * provider, or it fails its self-test. */
struct nacre_crypto *nacre_crypto_open_fips(void);
struct nacre_crypto *nacre_crypto_ref(struct nacre_crypto *c);
void nacre_crypto_unref(struct nacre_crypto *c);

/* The libraries' versions, and what was left out at build, for BuildInfo. */
const char *nacre_crypto_versions(void);

size_t nacre_hash_size(enum hash_id id);

/* One-shot digest over several runs. `out` has room for HASH_MAX. False: the library failed; `out` is then zero. */
bool nacre_hash(const struct nacre_crypto *c, enum hash_id id, const struct span *parts, size_t count, uint8_t *out);

/* Random bytes for padding, cookies and keys from the library's generator. False: it failed. */
bool nacre_random(const struct nacre_crypto *c, void *at, size_t len);

/* What the calling thread lends to ciphers (crypto/keyed.h) is `set` from now on, NULL: nothing yet. Returns what it
 * was before. Whoever does a worker's work for a while does it with the worker's set, so that no key has to be loaded
 * again. */
struct keyed;
struct keyed *nacre_keyed_swap(struct keyed *set);
void nacre_keyed_end(struct keyed *set); /* of no thread any more; NULL is allowed */

#endif
