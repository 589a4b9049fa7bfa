/* SPDX-License-Identifier: Apache-2.0 */
/* bcrypt_pbkdf, the key derivation of locked private keys in OpenSSH's format, and the Blowfish under it.
 *
 * libcrypto has Blowfish only without the salted key schedule that bcrypt consists of. For reading files; nothing on
 * the wire uses it. */
#ifndef KEYS_BLOWFISH_H
#define KEYS_BLOWFISH_H

#include "base/span.h"
#include "crypto/crypto.h"

struct blowfish {
    uint32_t p[18];
    uint32_t s[4][256];
};

extern const struct blowfish nacre_blowfish_start;

enum {
    BCRYPT_ROUNDS_MAX = 1024, /* seconds; ssh-keygen takes 16 or 24 */
    BCRYPT_OUT_MAX = 128
};

/* Fills `out` with `need` bytes (at most BCRYPT_OUT_MAX). Takes milliseconds a round. False: nothing to derive from,
 * too many rounds, or the library failed. */
bool nacre_bcrypt_pbkdf(const struct nacre_crypto *c, struct span password, struct span salt, uint32_t rounds,
                        uint8_t *out, size_t need);

#endif
