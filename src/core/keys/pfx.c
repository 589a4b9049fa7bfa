/* SPDX-License-Identifier: Apache-2.0 */
/* PKCS#12 (PFX): one private key with its certificate, locked with a password that may be empty. */
#include "keys/container.h"

#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/pkcs12.h>

#include "crypto/context.h"

static PKCS12 *decode(const struct container *k)
{
    /* Made first, so that what is inside is looked up in our context and not in the system's. */
    PKCS12 *p = PKCS12_init_ex(NID_pkcs7_data, k->c->lib, NULL);
    const unsigned char *at = k->bytes.at;
    if (p == NULL)
        return NULL;
    return d2i_PKCS12(&p, &at, (long)k->bytes.len); /* frees and clears p when it fails */
}

/* Both ways to write an empty password are in use. */
static bool password_opens(PKCS12 *p, const char **password)
{
    if (PKCS12_mac_present(p) == 0)
        return true;
    if (PKCS12_verify_mac(p, *password, -1) == 1)
        return true;
    if ((*password)[0] != 0 || PKCS12_verify_mac(p, NULL, 0) != 1)
        return false;
    *password = NULL;
    return true;
}

static enum nacre_error read_contents(struct container *k, PKCS12 *p, const char *password, struct key **out)
{
    EVP_PKEY *pkey = NULL;
    X509 *x = NULL;
    if (PKCS12_parse(p, password, &pkey, &x, NULL) != 1)
        return nacre_container_fail(
            k, NACRE_E_KEY, "cannot be opened: it is damaged or locked with a cipher that is no longer available.");
    bool fits = x == NULL || nacre_container_certificate(k, x);
    X509_free(x);
    if (pkey == NULL)
        return nacre_container_fail(k, NACRE_E_NO_CERTIFICATE, "holds no private key.");
    if (fits)
        return nacre_container_take(k, pkey, out);
    EVP_PKEY_free(pkey);
    return nacre_container_fail(k, NACRE_E_NO_CERTIFICATE, "holds no certificate for \"%s\".", k->subject);
}

enum nacre_error nacre_pfx_read(struct container *k, struct key **out)
{
    const char *password = k->password;
    enum nacre_error e;
    PKCS12 *p = decode(k);
    if (p == NULL)
        return nacre_container_fail(k, NACRE_E_KEY, "is not PFX (PKCS#12).");
    if (password_opens(p, &password))
        e = read_contents(k, p, password, out);
    else if (k->password[0] == 0)
        e = nacre_container_fail(k, NACRE_E_KEY_PASSWORD, "is locked and no password was given.");
    else
        e = nacre_container_fail(k, NACRE_E_KEY_PASSWORD, "does not open with the password given.");
    PKCS12_free(p);
    return e;
}
