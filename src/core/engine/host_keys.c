/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/host_keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/namelist.h"

static const char certified[] = "-cert-v01@openssh.com";

static bool is_host_key(const struct cert *c)
{
    return c->key != NULL && nacre_key_is_private(c->key);
}

size_t nacre_host_keys_collect(const struct nacre_server *server, struct key *keys[PROFILE_KEYS_MAX])
{
    size_t count = 0;
    for (int i = 0; i <= server->alt_count; i++) {
        const struct cert *c = &server->certs[i];
        struct span leaf = buf_span(&c->certificate);
        if (!is_host_key(c))
            continue;
        keys[count++] = nacre_key_ref(c->key);
        if (c->host_certificate != NULL)
            keys[count++] = nacre_key_ref(c->host_certificate);
        if (leaf.len != 0)
            count += nacre_key_certified_all(server->crypto, c->key, &leaf, 1, keys + count);
    }
    return count;
}

/* The first key that `alg` signs with and that has a certificate of OpenSSH's kind. */
static bool has_certified(struct key *const *keys, size_t count, const struct sig_alg *alg)
{
    struct key_cert cert;
    for (size_t i = 0; alg != NULL && i < count; i++)
        if (nacre_key_can_sign(keys[i], alg) && nacre_cert_read(nacre_key_blob(keys[i]), &cert))
            return true;
    return false;
}

static size_t add_name(char *out, size_t len, struct span name)
{
    if (len != 0)
        out[len++] = ',';
    memcpy(out + len, name.at, name.len);
    return len + name.len;
}

char *nacre_host_keys_algorithms(const struct nacre_crypto *crypto, const char *names, struct key *const *keys,
                                 size_t count, bool more)
{
    struct span rest = span_str(names), name;
    size_t room = strlen(names) + 1, len = 0;
    while (nacre_names_next(&rest, &name))
        room += name.len + sizeof certified;
    char *out = malloc(room);
    rest = span_str(names);
    while (out != NULL && nacre_names_next(&rest, &name)) {
        char with[128];
        int n = snprintf(with, sizeof with, "%.*s%s", (int)name.len, (const char *)name.at, certified);
        struct span whole = span_of(with, n < 0 || (size_t)n >= sizeof with ? 0 : (size_t)n);
        const struct sig_alg *alg = nacre_sig_find(crypto, whole);
        if (!nacre_names_has(span_str(names), whole) && alg != NULL && (more || has_certified(keys, count, alg)))
            len = add_name(out, len, whole);
        len = add_name(out, len, name);
    }
    if (out != NULL)
        out[len] = '\0';
    return out;
}

/* ---- whether they are enough ----------------------------------------------------------------------------------- */

static enum nacre_error find_public_only(const struct nacre_server *server, char *why, size_t why_size)
{
    for (int i = 0; i <= server->alt_count; i++) {
        const struct cert *c = &server->certs[i];
        if (c->key == NULL || is_host_key(c))
            continue;
        if (i == 0)
            (void)snprintf(why, why_size, "ssh_cert holds a public key only; a server's key needs its private half.");
        else
            (void)snprintf(why, why_size,
                           "AltSSHCert[%d] holds a public key only; a server's key needs its private half.", i - 1);
        return NACRE_E_NO_CERTIFICATE;
    }
    return NACRE_OK;
}

/* One of the keys can sign with an algorithm that is offered; else no client could ever be answered. */
static bool has_fitting_key(const struct nacre_server *server)
{
    struct key *keys[PROFILE_KEYS_MAX] = {NULL};
    size_t count = nacre_host_keys_collect(server, keys);
    char *names = nacre_host_keys_algorithms(server->crypto, server->settings.host_key.text, keys, count, false);
    struct span rest = span_str(names == NULL ? "" : names), name;
    bool fits = false;
    while (!fits && nacre_names_next(&rest, &name)) {
        const struct sig_alg *alg = nacre_sig_find(server->crypto, name);
        for (size_t i = 0; alg != NULL && i < count; i++)
            fits = fits || nacre_key_can_sign(keys[i], alg);
    }
    for (size_t i = 0; i < count; i++)
        nacre_key_unref(keys[i]);
    free(names);
    return fits;
}

enum nacre_error nacre_host_keys_check(const struct nacre_server *server, char *why, size_t why_size)
{
    enum nacre_error e = find_public_only(server, why, why_size);
    bool any = false;
    for (int i = 0; i <= server->alt_count; i++)
        any = any || server->certs[i].key != NULL;
    if (e != NACRE_OK || server->handlers.on_connected != NULL) /* it may bring a key for each connection */
        return e;
    if (!any)
        return NACRE_E_NO_CERTIFICATE;
    if (has_fitting_key(server))
        return NACRE_OK;
    (void)snprintf(why, why_size, "No host key can sign with an algorithm of SSHPublicKeyAlgorithms (%.120s).",
                   server->settings.host_key.text);
    return NACRE_E_NO_CERTIFICATE;
}

/* ---- changing them --------------------------------------------------------------------------------------------- */

/* Puts it in place, and tells the workers; or leaves everything as it was. Consumes *found. */
static enum nacre_error put(struct nacre_server *server, struct cert *c, struct cert_found *found, char *why,
                            size_t why_size)
{
    nacre_cert_swap(c, server->crypto, found);
    enum nacre_error e = server->listening ? nacre_host_keys_check(server, why, why_size) : NACRE_OK;
    if (e == NACRE_OK)
        e = nacre_server_changed(server);
    if (e != NACRE_OK)
        nacre_cert_swap(c, server->crypto, found);
    nacre_cert_found_free(found);
    return e;
}

static enum nacre_error put_or_drop(struct nacre_server *server, struct cert *c, enum nacre_error found_error,
                                    struct cert_found *found, char *why, size_t why_size)
{
    struct cert_found none;
    if (found_error == NACRE_OK)
        return put(server, c, found, why, why_size);
    if (!server->listening && nacre_cert_find(c, server->crypto, "", &none, why, 0) == NACRE_OK)
        (void)put(server, c, &none, why, 0);
    return found_error;
}

enum nacre_error nacre_host_key_choose(struct nacre_server *server, struct cert *c, const char *subject, char *why,
                                       size_t why_size)
{
    struct cert_found found;
    enum nacre_error e = nacre_cert_find(c, server->crypto, subject, &found, why, why_size);
    return put_or_drop(server, c, e, &found, why, why_size);
}

enum nacre_error nacre_host_key_choose_encoded(struct nacre_server *server, struct cert *c, struct span der, char *why,
                                               size_t why_size)
{
    struct cert_found found;
    enum nacre_error e = nacre_cert_find_encoded(c, server->crypto, der, &found, why, why_size);
    return put_or_drop(server, c, e, &found, why, why_size);
}

enum nacre_error nacre_host_keys_resize(struct nacre_server *server, int count, char *why, size_t why_size)
{
    int before = server->alt_count;
    server->alt_count = count;
    enum nacre_error e = server->listening ? nacre_host_keys_check(server, why, why_size) : NACRE_OK;
    if (e == NACRE_OK)
        e = nacre_server_changed(server);
    if (e != NACRE_OK) {
        server->alt_count = before;
        return e;
    }
    for (int i = count; i < before; i++)
        nacre_cert_free(&server->certs[1 + i]);
    return NACRE_OK;
}
