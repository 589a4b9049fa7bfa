/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/security.h"

#include <stdio.h>
#include <string.h>

#include "engine/cert.h"

/* The same slot with its key read by `crypto`. */
static enum nacre_error read_again(const struct cert *from, const struct nacre_crypto *crypto, struct cert *to,
                                   char *why, size_t why_size)
{
    nacre_cert_init(to);
    to->type = from->type;
    enum nacre_error e = from->store == NULL ? NACRE_OK : nacre_cert_set_store(to, from->store, from->store_len);
    if (e == NACRE_OK && from->password != NULL)
        e = nacre_cert_set_password(to, from->password);
    if (e != NACRE_OK || from->key == NULL)
        return e;
    struct cert_found found;
    e = from->certificate.len != 0 && nacre_key_is_private(from->key)
            ? nacre_cert_find_encoded(to, crypto, buf_span(&from->certificate), &found, why, why_size)
            : nacre_cert_find(to, crypto, "*", &found, why, why_size);
    if (e != NACRE_OK)
        return e;
    if (from->host_certificate != NULL)
        found.host_certificate = nacre_cert_attach(crypto, found.key, nacre_key_blob(from->host_certificate));
    nacre_cert_swap(to, crypto, &found);
    nacre_cert_found_free(&found);
    return NACRE_OK;
}

static enum nacre_error read_all(struct nacre_server *server, const struct nacre_crypto *crypto, struct cert *certs,
                                 char *why, size_t why_size)
{
    enum nacre_error e = NACRE_OK;
    for (int i = 0; i < 1 + ALT_CERTS_MAX && e == NACRE_OK; i++)
        e = read_again(&server->certs[i], crypto, &certs[i], why, why_size);
    return e;
}

static enum nacre_error refuse(bool fips, char *why, size_t why_size)
{
    if (!fips) {
        (void)snprintf(why, why_size, "The library context could not be made.");
        return NACRE_E_CRYPTO;
    }
    (void)snprintf(why, why_size,
                   "UseFIPSCompliantAPI: OpenSSL has no usable FIPS provider here. Install one (fips.so in OpenSSL's "
                   "modules folder, its configuration made by openssl fipsinstall).");
    return NACRE_E_NOT_SUPPORTED;
}

/* What goes by a library context, and the context. */
struct library {
    struct nacre_crypto *crypto;
    struct cert certs[1 + ALT_CERTS_MAX];
};

static void exchange(struct nacre_server *server, struct library *with)
{
    const struct library kept = *with;
    with->crypto = server->crypto;
    memcpy(with->certs, server->certs, sizeof with->certs);
    server->crypto = kept.crypto;
    memcpy(server->certs, kept.certs, sizeof kept.certs);
}

/* Everything by that library, or nothing. */
static enum nacre_error change(struct nacre_server *server, struct library *next, struct settings *settings)
{
    enum nacre_error e = nacre_settings_profile(settings, server->algorithm_profile, next->crypto);
    if (e != NACRE_OK)
        return e;
    exchange(server, next);
    e = nacre_server_exchange(server, settings);
    if (e != NACRE_OK)
        exchange(server, next);
    return e;
}

enum nacre_error nacre_security_set(struct nacre_server *server, bool internal, bool fips, char *why, size_t why_size)
{
    struct library next;
    struct settings settings;
    if (server->listening)
        return NACRE_E_SETTING_LATE;
    next.crypto = fips ? nacre_crypto_open_fips() : nacre_crypto_open(internal);
    if (next.crypto == NULL)
        return refuse(fips, why, why_size);
    for (int i = 0; i < 1 + ALT_CERTS_MAX; i++)
        nacre_cert_init(&next.certs[i]);
    enum nacre_error e = NACRE_E_NOBUFS;
    if (nacre_settings_copy(&settings, &server->settings))
        e = read_all(server, next.crypto, next.certs, why, why_size);
    settings.internal_security.number = internal;
    settings.fips.number = fips;
    if (e == NACRE_OK)
        e = change(server, &next, &settings);
    for (int i = 0; i < 1 + ALT_CERTS_MAX; i++)
        nacre_cert_free(&next.certs[i]);
    nacre_crypto_unref(next.crypto);
    nacre_settings_free(&settings);
    return e;
}
