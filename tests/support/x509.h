/* SPDX-License-Identifier: Apache-2.0 */
/* X.509 certificates for tests. */
#ifndef TESTS_X509_H
#define TESTS_X509_H

#include "crypto/key.h"

enum {
    X509_DER_MAX = 4096
};

/* A certificate of the key that it signs itself; `usage` as in "digitalSignature", NULL: without that extension.
 * Returns its length in DER; 0: the library failed. */
size_t x509_self_signed(const struct nacre_crypto *crypto, const struct key *k, const char *usage,
                        uint8_t out[X509_DER_MAX]);

#endif
