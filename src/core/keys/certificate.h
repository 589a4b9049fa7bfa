/* SPDX-License-Identifier: Apache-2.0 */
/* What there is to say about an X.509 certificate and the key it stands for, as texts. Any thread. */
#ifndef KEYS_CERTIFICATE_H
#define KEYS_CERTIFICATE_H

#include "base/buf.h"
#include "crypto/key.h"

enum certificate_text {
    CERT_EFFECTIVE_DATE, /* "23-Jan-2000 15:00:00", UTC */
    CERT_EXPIRATION_DATE,
    CERT_ISSUER,
    CERT_SUBJECT,
    CERT_SUBJECT_ALT_NAMES, /* comma-separated */
    CERT_SERIAL_NUMBER,     /* hexadecimal */
    CERT_USAGE,             /* words for usage_flags, comma-separated */
    CERT_EXTENDED_KEY_USAGE,
    CERT_VERSION, /* "V3" */
    CERT_SIGNATURE_ALGORITHM,
    CERT_THUMBPRINT_MD5, /* of the certificate, hexadecimal */
    CERT_THUMBPRINT_SHA1,
    CERT_THUMBPRINT_SHA256,
    CERT_FINGERPRINT_MD5, /* of the key as SSH sends it, "bc:2a:..." */
    CERT_FINGERPRINT_SHA1,
    CERT_FINGERPRINT_SHA256,
    CERT_PUBLIC_KEY, /* PEM */
    CERT_PUBLIC_KEY_ALGORITHM,
    CERT_PRIVATE_KEY, /* PKCS#8 PEM; "" when it cannot be exported */
    CERT_ENCODED,     /* PEM */
    CERT_TEXTS
};

struct certificate {
    char *text[CERT_TEXTS]; /* never NULL after nacre_certificate_read(); "" for what does not apply */
    unsigned usage_flags;   /* bits of RFC 5280 section 4.2.1.3, digitalSignature as 0x80 */
};

/* Describes the certificate `der` (empty: there is none) and `key` (NULL: none). False: `der` is no certificate, or
 * out of memory; *out is then clear. */
bool nacre_certificate_read(const struct nacre_crypto *c, struct span der, const struct key *key,
                            struct certificate *out);
void nacre_certificate_clear(struct certificate *c); /* wipes the private key */

/* A certificate in PEM, base64 or DER, appended to `der` as DER. False: it is none of them. */
bool nacre_certificate_decode(struct span given, struct buf *der);

/* The certificate `der` was made for the public half of `key`. */
bool nacre_certificate_fits(struct span der, const struct key *key);

/* The name of the subject of an X509 (void, see nacre_key_take): "CN=www.server.com, OU=test, C=US", a value with a
 * comma in quotes. False when it does not fit. */
bool nacre_certificate_subject(const void *x509, char *text, size_t size);

/* The same of the certificate `der`; "" when it is none. */
void nacre_certificate_name(struct span der, char *text, size_t size);

#endif
