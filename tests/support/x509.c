/* SPDX-License-Identifier: Apache-2.0 */
/* See x509.h. */
#include "support/x509.h"

#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "crypto/context.h"
#include "crypto/keytype.h"

static bool set_usage(X509 *x, const char *usage)
{
    X509_EXTENSION *e = usage == NULL ? NULL : X509V3_EXT_conf_nid(NULL, NULL, NID_key_usage, usage);
    bool ok = usage == NULL || (e != NULL && X509_add_ext(x, e, -1) == 1);

    X509_EXTENSION_free(e);
    return ok;
}

size_t x509_self_signed(const struct nacre_crypto *crypto, const struct key *k, const char *usage,
                        uint8_t out[X509_DER_MAX])
{
    static const uint8_t name[] = "test";
    EVP_PKEY *pkey = nacre_key_native(k);
    X509 *x = X509_new_ex(crypto->lib, NULL);
    int len = -1;

    if (x != NULL && X509_set_version(x, 2) == 1 && ASN1_INTEGER_set(X509_get_serialNumber(x), 1) == 1 &&
        X509_gmtime_adj(X509_getm_notBefore(x), 0) != NULL && X509_gmtime_adj(X509_getm_notAfter(x), 86400) != NULL &&
        X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, name, -1, -1, 0) == 1 &&
        X509_set_issuer_name(x, X509_get_subject_name(x)) == 1 && X509_set_pubkey(x, pkey) == 1 &&
        set_usage(x, usage) && X509_sign(x, pkey, crypto->md[HASH_SHA256]) != 0 && i2d_X509(x, NULL) <= X509_DER_MAX)
        len = i2d_X509(x, &out);
    X509_free(x);
    return len > 0 ? (size_t)len : 0;
}
