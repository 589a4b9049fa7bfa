/* SPDX-License-Identifier: Apache-2.0 */
/* The class's certificate properties: ssh_cert_* and the AltSSHCert settings. Setting the subject, which comes last,
 * opens the container. */
#include "engine/cert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "engine/host_keys.h"
#include "keys/certificate.h"
#include "keys/store.h"

enum {
    KEY_PEM_MAX = 16384,
    SUBJECT_MAX = 512
};

void nacre_cert_init(struct cert *c)
{
    *c = (struct cert){.type = STORE_USER};
    nacre_buf_init(&c->certificate, STORE_FILE_MAX);
}

void nacre_cert_free(struct cert *c)
{
    if (c->password != NULL)
        nacre_wipe(c->password, strlen(c->password));
    if (c->store != NULL)
        nacre_wipe(c->store, c->store_len);
    free(c->store);
    free(c->password);
    free(c->subject);
    nacre_key_unref(c->key);
    nacre_key_unref(c->host_certificate);
    nacre_buf_free(&c->certificate);
    nacre_cert_init(c);
}

enum nacre_error nacre_cert_set_store(struct cert *c, const void *store, size_t len)
{
    char *copy = malloc(len + 1);
    if (copy == NULL)
        return NACRE_E_NOBUFS;
    if (len != 0)
        memcpy(copy, store, len);
    copy[len] = '\0';
    if (c->store != NULL)
        nacre_wipe(c->store, c->store_len);
    free(c->store);
    c->store = copy;
    c->store_len = len;
    return NACRE_OK;
}

enum nacre_error nacre_cert_set_password(struct cert *c, const char *password)
{
    char *copy = strdup(password);
    if (copy == NULL)
        return NACRE_E_NOBUFS;
    if (c->password != NULL)
        nacre_wipe(c->password, strlen(c->password));
    free(c->password);
    c->password = copy;
    return NACRE_OK;
}

/* Containers that are there for keys and certificates without a private half. */
static bool may_be_public(int type)
{
    return (type >= STORE_PUBLIC_FILE && type <= STORE_SSH_PUBLIC_FILE) ||
           (type >= STORE_XML_FILE && type <= STORE_JWK_BLOB) || type == STORE_AUTO;
}

/* What the container holds for `subject`: the key, the certificate beside it, its full name. */
static enum nacre_error open_store(const struct cert *c, const struct nacre_crypto *crypto, const char *subject,
                                   bool public_will_do, struct cert_found *out, char *why, size_t why_size)
{
    char name[SUBJECT_MAX] = "";
    const struct store_request request = {.type = (enum store_type)c->type,
                                          .store = c->store == NULL ? span_str("MY") : span_of(c->store, c->store_len),
                                          .password = c->password,
                                          .subject = subject,
                                          .public_only_will_do = public_will_do,
                                          .certificate = &out->certificate};
    enum nacre_error e = nacre_store_open(crypto, &request, &out->key, name, sizeof name, why, why_size);
    if (e != NACRE_OK) {
        nacre_buf_free(&out->certificate);
        return e;
    }
    free(out->subject);
    out->subject = strdup(name);
    return out->subject == NULL ? NACRE_E_NOBUFS : NACRE_OK;
}

static enum nacre_error start(struct cert_found *out)
{
    *out = (struct cert_found){.subject = strdup("")};
    nacre_buf_init(&out->certificate, STORE_FILE_MAX);
    return out->subject == NULL ? NACRE_E_NOBUFS : NACRE_OK;
}

enum nacre_error nacre_cert_find(const struct cert *c, const struct nacre_crypto *crypto, const char *subject,
                                 struct cert_found *out, char *why, size_t why_size)
{
    enum nacre_error e = start(out);
    if (e == NACRE_OK && subject[0] != '\0')
        e = open_store(c, crypto, subject, may_be_public(c->type), out, why, why_size);
    if (e != NACRE_OK)
        nacre_cert_found_free(out);
    return e;
}

/* The private key of the certificate; a bare one has no name to be found by. */
static enum nacre_error find_key(const struct cert *c, const struct nacre_crypto *crypto, struct span der,
                                 struct cert_found *out, char *why, size_t why_size)
{
    char subject[SUBJECT_MAX] = "";
    nacre_certificate_name(der, subject, sizeof subject);
    enum nacre_error e = open_store(c, crypto, subject, false, out, why, why_size);
    if (e == NACRE_E_NO_CERTIFICATE)
        e = open_store(c, crypto, "*", false, out, why, why_size);
    if (e != NACRE_OK)
        return e;
    if (!nacre_certificate_fits(der, out->key)) {
        (void)snprintf(why, why_size, "The store does not hold the private key of the certificate.");
        return NACRE_E_NO_CERTIFICATE;
    }
    nacre_buf_free(&out->certificate);
    free(out->subject);
    out->subject = strdup(subject);
    return out->subject != NULL && nacre_buf_append(&out->certificate, der.at, der.len) ? NACRE_OK : NACRE_E_NOBUFS;
}

enum nacre_error nacre_cert_find_encoded(const struct cert *c, const struct nacre_crypto *crypto, struct span der,
                                         struct cert_found *out, char *why, size_t why_size)
{
    enum nacre_error e = start(out);
    if (e == NACRE_OK && der.len != 0)
        e = find_key(c, crypto, der, out, why, why_size);
    if (e != NACRE_OK)
        nacre_cert_found_free(out);
    return e;
}

void nacre_cert_swap(struct cert *c, const struct nacre_crypto *crypto, struct cert_found *found)
{
    const struct cert_found old = {
        .key = c->key, .host_certificate = c->host_certificate, .certificate = c->certificate, .subject = c->subject};
    if (found->host_certificate == NULL && found->key != NULL && old.host_certificate != NULL)
        found->host_certificate = nacre_cert_attach(crypto, found->key, nacre_key_blob(old.host_certificate));
    c->key = found->key;
    c->host_certificate = found->host_certificate;
    c->certificate = found->certificate;
    c->subject = found->subject;
    *found = old;
}

void nacre_cert_found_free(struct cert_found *found)
{
    nacre_key_unref(found->key);
    nacre_key_unref(found->host_certificate);
    nacre_buf_free(&found->certificate);
    free(found->subject);
    *found = (struct cert_found){.key = NULL};
}

/* ---- ssh_cert_* ------------------------------------------------------------------------------------------------- */

int nacre_get_ssh_cert_store(nacre_server *server, void *value, size_t *len)
{
    if (server == NULL || len == NULL)
        return nacre_fail(NACRE_E_INVAL, NULL);
    nacre_mutex_lock(&server->lock);
    const struct cert *c = &server->certs[0];
    struct span store = c->store == NULL ? span_str("MY") : span_of(c->store, c->store_len);
    bool fits = value != NULL && store.len <= *len;
    if (fits)
        memcpy(value, store.at, store.len);
    *len = store.len;
    nacre_mutex_unlock(&server->lock);
    return fits ? nacre_succeed() : nacre_fail(NACRE_E_BUFFER_SIZE, NULL);
}

int nacre_set_ssh_cert_store(nacre_server *server, const void *value, size_t len)
{
    if (server == NULL || (value == NULL && len != 0) || len > STORE_FILE_MAX)
        return nacre_fail(NACRE_E_INVAL, NULL);
    nacre_mutex_lock(&server->lock);
    enum nacre_error e = nacre_cert_set_store(&server->certs[0], value, len);
    nacre_mutex_unlock(&server->lock);
    return e == NACRE_OK ? nacre_succeed() : nacre_fail(e, NULL);
}

int nacre_get_ssh_cert_store_password(nacre_server *server, char *value, size_t size)
{
    if (server == NULL)
        return nacre_fail(NACRE_E_INVAL, NULL);
    nacre_mutex_lock(&server->lock);
    bool set = server->certs[0].password != NULL && server->certs[0].password[0] != '\0';
    nacre_mutex_unlock(&server->lock);
    return nacre_copy_out(value, size, set ? "********" : "");
}

int nacre_set_ssh_cert_store_password(nacre_server *server, const char *value)
{
    if (server == NULL || value == NULL)
        return nacre_fail(NACRE_E_INVAL, NULL);
    nacre_mutex_lock(&server->lock);
    enum nacre_error e = nacre_cert_set_password(&server->certs[0], value);
    nacre_mutex_unlock(&server->lock);
    return e == NACRE_OK ? nacre_succeed() : nacre_fail(e, NULL);
}

int nacre_get_ssh_cert_store_type(nacre_server *server, int *value)
{
    if (server == NULL || value == NULL)
        return nacre_fail(NACRE_E_INVAL, NULL);
    nacre_mutex_lock(&server->lock);
    *value = server->certs[0].type;
    nacre_mutex_unlock(&server->lock);
    return nacre_succeed();
}

bool nacre_cert_is_type(int type)
{
    return (type >= STORE_USER && type <= STORE_JWK_BLOB) || (type >= STORE_BCFKS_FILE && type <= STORE_PKCS11) ||
           type == STORE_AUTO;
}

int nacre_set_ssh_cert_store_type(nacre_server *server, int value)
{
    if (server == NULL || !nacre_cert_is_type(value))
        return nacre_fail(NACRE_E_INVAL, "ssh_cert_store_type is 0 to 19, 21 to 23, or 99.");
    nacre_mutex_lock(&server->lock);
    server->certs[0].type = value;
    nacre_mutex_unlock(&server->lock);
    return nacre_succeed();
}

int nacre_get_ssh_cert_subject(nacre_server *server, char *value, size_t size)
{
    if (server == NULL)
        return nacre_fail(NACRE_E_INVAL, NULL);
    nacre_mutex_lock(&server->lock);
    const char *subject = server->certs[0].subject;
    int e = nacre_copy_out(value, size, subject == NULL ? "" : subject);
    nacre_mutex_unlock(&server->lock);
    return e;
}

int nacre_set_ssh_cert_subject(nacre_server *server, const char *value)
{
    char why[256] = "";
    if (server == NULL || value == NULL)
        return nacre_fail(NACRE_E_INVAL, NULL);
    nacre_mutex_lock(&server->lock);
    enum nacre_error e = nacre_host_key_choose(server, &server->certs[0], value, why, sizeof why);
    nacre_mutex_unlock(&server->lock);
    return e == NACRE_OK ? nacre_succeed() : nacre_fail(e, why);
}

int nacre_get_host_key_fingerprint(nacre_server *server, int index, char *value, size_t size)
{
    char text[64] = "";
    if (server == NULL || index < 0)
        return nacre_fail(NACRE_E_INVAL, NULL);
    nacre_mutex_lock(&server->lock);
    struct key *key = index <= server->alt_count ? server->certs[index].key : NULL;
    bool made = key != NULL && nacre_key_fingerprint(server->crypto, nacre_key_blob(key), text);
    nacre_mutex_unlock(&server->lock);
    return made ? nacre_copy_out(value, size, text) : nacre_fail(NACRE_E_NO_CERTIFICATE, NULL);
}

/* ---- making one -------------------------------------------------------------------------------------------------- */

static int make_key(const struct nacre_crypto *crypto, const char *type, char *pem, size_t size)
{
    struct buf out;
    struct key *key = nacre_key_generate(crypto, type, 3072);
    if (key == NULL)
        return nacre_fail(NACRE_E_KEY_TYPE, NULL);
    nacre_buf_init(&out, KEY_PEM_MAX);
    bool written = nacre_store_write_pem(key, &out) && nacre_buf_append(&out, "", 1);
    int e = written ? nacre_copy_out(pem, size, (const char *)out.at) : nacre_fail(NACRE_E_CRYPTO, NULL);
    nacre_buf_wipe(&out);
    nacre_key_unref(key);
    return e;
}

int nacre_make_key(const char *type, char *pem, size_t size)
{
    if (type == NULL || pem == NULL)
        return nacre_fail(NACRE_E_INVAL, NULL);
    struct nacre_crypto *crypto = nacre_crypto_open(false);
    if (crypto == NULL)
        return nacre_fail(NACRE_E_CRYPTO, NULL);
    int e = make_key(crypto, type, pem, size);
    nacre_crypto_unref(crypto);
    return e;
}
