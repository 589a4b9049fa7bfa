/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSH certificates for tests: PROTOCOL.certkeys, written down a second time. */
#ifndef TESTS_CERTS_H
#define TESTS_CERTS_H

#include "crypto/cert.h"

struct cert_plan {
    const char *type;   /* of the certificate */
    const char *ca_alg; /* how the authority signs */
    uint32_t kind;
    const char *principals[3];
    const char *option, *value;         /* critical; NULL: none, and no value */
    const char *option2;                /* another, with the value "x" */
    const char *extension;              /* besides permit-*; NULL: none */
    uint64_t valid_after, valid_before; /* both 0: 1000 and 2000 */
};

/* Writes the certificate of `user` by `ca`: serial 77, "an id". Returns its length. */
size_t cert_make(const struct nacre_crypto *crypto, const struct key *user, const struct key *ca,
                 const struct cert_plan *plan, uint8_t blob[KEY_BLOB_MAX]);

#endif
