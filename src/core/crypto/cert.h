/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSH's certificates, PROTOCOL.certkeys: *-cert-v01@openssh.com. As keys they sign and verify like the key inside;
 * here is what stands around it. */
#ifndef CRYPTO_CERT_H
#define CRYPTO_CERT_H

#include "crypto/key.h"

enum cert_kind {
    CERT_USER = 1,
    CERT_HOST = 2
};

struct key_cert {
    uint64_t serial;
    uint32_t kind; /* as received: enum cert_kind, if it is known */
    struct span key_id, principals, critical, extensions;
    uint64_t valid_after, valid_before; /* seconds since 1970, UTC; valid from the first until before the second */
    struct span authority;              /* the signer's key blob: a plain key (rule R9) */
    struct span signed_part, signature;
};

/* Reads a blob that nacre_key_from_blob() takes; the spans then lie in it. False: it is no such certificate. */
bool nacre_cert_read(struct span blob, struct key_cert *out);

/* The private key `k` with that certificate around it: a key to log in with, or a host's. NULL: it is another key's. */
struct key *nacre_cert_attach(const struct nacre_crypto *c, const struct key *k, struct span blob);

/* True only when the authority named in the certificate signed it, with something better than SHA-1. Whether the
 * authority is one to trust is the caller's to know. */
bool nacre_cert_is_signed(const struct nacre_crypto *c, const struct key_cert *cert);

/* Rule R11: whole names, and a certificate for nobody is for nobody. */
bool nacre_cert_names(const struct key_cert *cert, struct span principal);

/* The value of a critical option, "string" inside already taken off. False: it is not there. */
bool nacre_cert_option(const struct key_cert *cert, const char *name, struct span *value);

/* True when every critical option is one of force-command, source-address and verify-required, each well-formed and
 * once: others must not be ignored. */
bool nacre_cert_options_known(const struct key_cert *cert);

/* Rule R10: whether a security key's user did what the certificate wants of him. Somebody has to have touched the
 * device unless its extension no-touch-required is there; its critical option verify-required wants the user verified.
 */
bool nacre_cert_suffices(const struct key_cert *cert, struct key_user user);

/* Whom it is for, comma-separated and NUL-terminated; what does not fit or holds a comma or a NUL is left out. */
void nacre_cert_principals(const struct key_cert *cert, char *out, size_t size);

/* The names of the extensions, comma-separated and NUL-terminated; what does not fit or is no name is left out. */
void nacre_cert_extensions(const struct key_cert *cert, char *out, size_t size);

#endif
