/* SPDX-License-Identifier: Apache-2.0 */
/* The class's certificate properties: ssh_cert_* and the AltSSHCert settings. Setting the subject, which comes last,
 * opens the container. */
#include "engine/cert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
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
    nacre_buf_free(&c->certificate);
    nacre_cert_init(c);
}

enum nacre_error nacre_cert_set_store(struct cert *c, const void *store, size_t len)
{
    char *copy = malloc(len + 1);
    if (copy == NULL)
        return NACRE_E_NOBUFS;
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

/* What the container holds for `subject`: the key, the certificate beside it, its full name. */
static enum nacre_error open_store(const struct cert *c, const struct nacre_crypto *crypto, const char *subject,
                                   struct key **key, struct buf *der, char *name, size_t name_size, char *why,
                                   size_t why_size)
{
    const struct store_request request = {.type = (enum store_type)c->type,
                                          .store = c->store == NULL ? span_str("MY") : span_of(c->store, c->store_len),
                                          .password = c->password,
                                          .subject = subject,
                                          .certificate = der};
    return nacre_store_open(crypto, &request, key, name, name_size, why, why_size);
}

/* Puts a key in place of the old one; consumes `key` and what `der` holds. */
static enum nacre_error replace(struct cert *c, struct key *key, struct buf *der, const char *subject)
{
    char *copy = strdup(subject);
    if (copy == NULL) {
        nacre_key_unref(key);
        nacre_buf_free(der);
        return NACRE_E_NOBUFS;
    }
    nacre_key_unref(c->key);
    free(c->subject);
    nacre_buf_free(&c->certificate);
    c->key = key;
    c->subject = copy;
    c->certificate = *der;
    return NACRE_OK;
}

enum nacre_error nacre_cert_set_subject(struct cert *c, const struct nacre_crypto *crypto, const char *subject,
                                        char *why, size_t why_size)
{
    char found[SUBJECT_MAX] = "";
    struct key *key = NULL;
    struct buf der;
    enum nacre_error e = NACRE_OK;
    nacre_buf_init(&der, STORE_FILE_MAX);
    if (subject[0] != '\0')
        e = open_store(c, crypto, subject, &key, &der, found, sizeof found, why, why_size);
    if (e != NACRE_OK)
        nacre_buf_free(&der);
    enum nacre_error kept = replace(c, key, &der, found);
    return e == NACRE_OK ? kept : e;
}

enum nacre_error nacre_cert_set_encoded(struct cert *c, const struct nacre_crypto *crypto, struct span der, char *why,
                                        size_t why_size)
{
    char subject[SUBJECT_MAX] = "", name[SUBJECT_MAX];
    struct key *key = NULL;
    struct buf own, beside;
    enum nacre_error e = NACRE_OK;
    nacre_buf_init(&own, STORE_FILE_MAX);
    nacre_buf_init(&beside, STORE_FILE_MAX);
    if (der.len != 0) {
        e = nacre_buf_append(&own, der.at, der.len) ? NACRE_OK : NACRE_E_NOBUFS;
        nacre_certificate_name(der, subject, sizeof subject);
    }
    if (der.len != 0 && e == NACRE_OK)
        e = open_store(c, crypto, subject, &key, &beside, name, sizeof name, why, why_size);
    if (der.len != 0 && e == NACRE_E_NO_CERTIFICATE) /* a bare key has no name to be found by */
        e = open_store(c, crypto, "*", &key, &beside, name, sizeof name, why, why_size);
    nacre_buf_free(&beside);
    if (e == NACRE_OK && key != NULL && !nacre_certificate_fits(der, key)) {
        (void)snprintf(why, why_size, "The store does not hold the private key of the certificate.");
        nacre_key_unref(key);
        key = NULL;
        e = NACRE_E_NO_CERTIFICATE;
    }
    if (e != NACRE_OK)
        nacre_buf_free(&own);
    enum nacre_error kept = replace(c, key, &own, e == NACRE_OK ? subject : "");
    return e == NACRE_OK ? kept : e;
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
    enum nacre_error e = nacre_cert_set_subject(&server->certs[0], server->crypto, value, why, sizeof why);
    enum nacre_error told = nacre_server_changed(server);
    nacre_mutex_unlock(&server->lock);
    e = e == NACRE_OK ? told : e;
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
