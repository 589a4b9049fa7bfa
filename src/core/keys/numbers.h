/* SPDX-License-Identifier: Apache-2.0 */
/* Keys made from their bare numbers, as the containers hold them that the library does not read itself.
 *
 * Numbers are unsigned, highest byte first, with any leading zeros. NULL: a number is missing or absurd, or the library
 * refuses the key. */
#ifndef KEYS_NUMBERS_H
#define KEYS_NUMBERS_H

#include "crypto/keytype.h"

enum {
    NUMBER_MAX = 8192
}; /* bytes of one number */

/* p, q and iqmp (the inverse of q modulo p) may be empty together: signing is then slower. */
struct rsa_numbers {
    struct span n, e, d, p, q, iqmp;
    bool public; /* of n and e alone */
};

struct dsa_numbers {
    struct span p, q, g, y, x;
    bool public; /* without x */
};

EVP_PKEY *nacre_numbers_rsa(const struct nacre_crypto *c, const struct rsa_numbers *n);
EVP_PKEY *nacre_numbers_dsa(const struct nacre_crypto *c, const struct dsa_numbers *n);

/* `t`: an ECDSA row. `point`: uncompressed. `d` NULL: the public key. */
EVP_PKEY *nacre_numbers_ec(const struct nacre_crypto *c, const struct key_type *t, struct span point,
                           const struct span *d);

/* `seed` has 32 bytes. */
EVP_PKEY *nacre_numbers_ed25519(const struct nacre_crypto *c, struct span seed);

/* `point`: 32 bytes. */
EVP_PKEY *nacre_numbers_ed25519_public(const struct nacre_crypto *c, struct span point);

/* No private number of an RSA key is larger than its modulus, as none has to be: every signature would cost as much as
 * the cube of the largest. Of other keys nothing is asked. */
bool nacre_numbers_bounded(const EVP_PKEY *pkey);

#endif
