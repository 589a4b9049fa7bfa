/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSH host certificates beside the server's keys, PROTOCOL.certkeys: looked at once, when they are set, since
 * clients say little about why they pass one over. */
#include <stdio.h>
#include <string.h>

#include "engine/host_keys.h"
#include "keys/store.h"

static enum nacre_error refuse(char *why, size_t why_size, const char *text)
{
    (void)snprintf(why, why_size, "The host certificate %s", text);
    return NACRE_E_KEY;
}

/* What any client would refuse, whatever the time. */
static enum nacre_error check(const struct nacre_crypto *crypto, const struct key *key, char *why, size_t why_size)
{
    struct key_cert cert;
    if (!nacre_cert_read(nacre_key_blob(key), &cert))
        return refuse(why, why_size, "is no OpenSSH certificate.");
    if (cert.kind != CERT_HOST)
        return refuse(why, why_size, "is one for users, not for hosts.");
    if (!nacre_cert_is_signed(crypto, &cert))
        return refuse(why, why_size, "has no good signature by its authority (SHA-1 is none).");
    if (cert.critical.len != 0)
        return refuse(why, why_size, "has critical options, which clients refuse in a host's.");
    return NACRE_OK;
}

static enum nacre_error check_time(const struct key *key, char *why, size_t why_size)
{
    struct key_cert cert;
    uint64_t now = (uint64_t)nacre_clock_unix();
    if (!nacre_cert_read(nacre_key_blob(key), &cert))
        return refuse(why, why_size, "is no OpenSSH certificate.");
    if (now >= cert.valid_before)
        return refuse(why, why_size, "has expired.");
    if (now < cert.valid_after)
        return refuse(why, why_size, "is not valid yet.");
    return NACRE_OK;
}

static enum nacre_error read_value(const struct nacre_crypto *crypto, const char *value, struct key **out, char *why,
                                   size_t why_size)
{
    const struct store_request request = {
        .type = STORE_AUTO, .store = span_str(value), .subject = "*", .public_only_will_do = true};
    enum nacre_error e = nacre_store_open(crypto, &request, out, NULL, 0, why, why_size);
    if (e != NACRE_OK)
        return e;
    e = check(crypto, *out, why, why_size);
    if (e == NACRE_OK)
        return e;
    nacre_key_unref(*out);
    *out = NULL;
    return e;
}

/* Consumes `made`. */
static enum nacre_error put(struct nacre_server *server, struct cert *c, struct key *made)
{
    struct key *before = c->host_certificate;
    c->host_certificate = made;
    enum nacre_error e = nacre_server_changed(server);
    if (e != NACRE_OK)
        c->host_certificate = before;
    nacre_key_unref(e == NACRE_OK ? before : made);
    return e;
}

/* Puts the certificate around the key of slot `index`, or of whichever it is for. */
static enum nacre_error attach(struct nacre_server *server, int index, const struct key *public, char *why,
                               size_t why_size)
{
    int first = index < 0 ? 0 : index, last = index < 0 ? server->alt_count : index;
    for (int i = first; i <= last; i++) {
        struct cert *c = &server->certs[i];
        struct key *made = c->key == NULL || !nacre_key_is_private(c->key)
                               ? NULL
                               : nacre_cert_attach(server->crypto, c->key, nacre_key_blob(public));
        if (made != NULL)
            return put(server, c, made);
    }
    return refuse(why, why_size, index < 0 ? "is for none of the server's keys." : "is for another key.");
}

enum nacre_error nacre_host_certificate_set(struct nacre_server *server, int index, const char *value, char *why,
                                            size_t why_size)
{
    struct key *public = NULL;
    if (value[0] == '\0' && index >= 0)
        return put(server, &server->certs[index], NULL);
    enum nacre_error e = read_value(server->crypto, value, &public, why, why_size);
    if (e == NACRE_OK)
        e = check_time(public, why, why_size);
    if (e == NACRE_OK)
        e = attach(server, index, public, why, why_size);
    nacre_key_unref(public);
    return e;
}

enum nacre_error nacre_host_certificate_read(const struct nacre_crypto *crypto, const char *value,
                                             const struct key *key, struct key **out, char *why, size_t why_size)
{
    struct key *public = NULL;
    enum nacre_error e = read_value(crypto, value, &public, why, why_size);
    *out = e == NACRE_OK ? nacre_cert_attach(crypto, key, nacre_key_blob(public)) : NULL;
    nacre_key_unref(public);
    return e == NACRE_OK && *out == NULL ? refuse(why, why_size, "is for another key.") : e;
}
