/* SPDX-License-Identifier: Apache-2.0 */
/* The class's Certificate: everything about one host key, copied out; and ssh_cert_encoded. */
#include "keys/certificate.h"

#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "engine/host_keys.h"
#include "keys/store.h"

/* Which field of the public struct a text goes to. */
static const struct {
    enum certificate_text from;
    size_t to;
} texts[] = {
    {CERT_EFFECTIVE_DATE, offsetof(struct nacre_certificate, effective_date)},
    {CERT_EXPIRATION_DATE, offsetof(struct nacre_certificate, expiration_date)},
    {CERT_ISSUER, offsetof(struct nacre_certificate, issuer)},
    {CERT_SUBJECT, offsetof(struct nacre_certificate, subject)},
    {CERT_SUBJECT_ALT_NAMES, offsetof(struct nacre_certificate, subject_alt_names)},
    {CERT_SERIAL_NUMBER, offsetof(struct nacre_certificate, serial_number)},
    {CERT_USAGE, offsetof(struct nacre_certificate, usage)},
    {CERT_EXTENDED_KEY_USAGE, offsetof(struct nacre_certificate, extended_key_usage)},
    {CERT_VERSION, offsetof(struct nacre_certificate, version)},
    {CERT_SIGNATURE_ALGORITHM, offsetof(struct nacre_certificate, signature_algorithm)},
    {CERT_THUMBPRINT_MD5, offsetof(struct nacre_certificate, thumbprint_md5)},
    {CERT_THUMBPRINT_SHA1, offsetof(struct nacre_certificate, thumbprint_sha1)},
    {CERT_THUMBPRINT_SHA256, offsetof(struct nacre_certificate, thumbprint_sha256)},
    {CERT_FINGERPRINT_MD5, offsetof(struct nacre_certificate, fingerprint)},
    {CERT_FINGERPRINT_SHA1, offsetof(struct nacre_certificate, fingerprint_sha1)},
    {CERT_FINGERPRINT_SHA256, offsetof(struct nacre_certificate, fingerprint_sha256)},
    {CERT_PUBLIC_KEY, offsetof(struct nacre_certificate, public_key)},
    {CERT_PUBLIC_KEY_ALGORITHM, offsetof(struct nacre_certificate, public_key_algorithm)},
    {CERT_PRIVATE_KEY, offsetof(struct nacre_certificate, private_key)},
    {CERT_ENCODED, offsetof(struct nacre_certificate, encoded)},
};

_Static_assert(sizeof texts / sizeof *texts == CERT_TEXTS, "every text has its field");

static char **field_at(struct nacre_certificate *c, size_t offset)
{
    return (char **)(void *)((char *)c + offset);
}

static char *copy_of(const void *bytes, size_t len)
{
    char *copy = malloc(len + 1);
    if (copy == NULL)
        return NULL;
    if (len != 0)
        memcpy(copy, bytes, len);
    copy[len] = '\0';
    return copy;
}

/* What the settings of the slot say; the texts of the key and its certificate are in place. */
static bool fill(struct nacre_certificate *out, const struct cert *c)
{
    struct span store = c->store == NULL ? span_str("MY") : span_of(c->store, c->store_len);
    const char *password = c->password == NULL || c->password[0] == '\0' ? "" : "********";
    out->store = copy_of(store.at, store.len);
    out->store_b = copy_of(store.at, store.len);
    out->store_b_len = store.len;
    out->store_password = copy_of(password, strlen(password));
    out->key_password = copy_of(password, strlen(password));
    out->private_key_container = copy_of("", 0);
    out->encoded_b = copy_of(c->certificate.at, c->certificate.len);
    out->encoded_b_len = c->certificate.len;
    out->store_type = c->type;
    out->private_key_available = c->key != NULL && nacre_key_is_private(c->key);
    out->public_key_length = c->key == NULL ? 0 : (int)nacre_key_bits(c->key);
    if (out->subject != NULL && out->subject[0] == '\0' && c->subject != NULL) { /* a bare key's is its comment */
        free(out->subject);
        out->subject = copy_of(c->subject, strlen(c->subject));
    }
    return out->store != NULL && out->store_b != NULL && out->store_password != NULL && out->key_password != NULL &&
           out->private_key_container != NULL && out->encoded_b != NULL && out->subject != NULL;
}

static bool describe(struct nacre_certificate *out, const struct nacre_crypto *crypto, const struct cert *c)
{
    struct certificate found;
    if (!nacre_certificate_read(crypto, buf_span(&c->certificate), c->key, &found))
        return false;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        *field_at(out, texts[i].to) = found.text[texts[i].from];
        found.text[texts[i].from] = NULL;
    }
    out->usage_flags = found.usage_flags;
    return fill(out, c);
}

int nacre_get_certificate(nacre_server *server, int index, struct nacre_certificate *certificate)
{
    if (server == NULL || certificate == NULL || index < 0)
        return nacre_fail(NACRE_E_INVAL, NULL);
    *certificate = (struct nacre_certificate){.usage_flags = 0};
    nacre_mutex_lock(&server->lock);
    bool there = index <= server->alt_count;
    bool made = there && describe(certificate, server->crypto, &server->certs[index]);
    nacre_mutex_unlock(&server->lock);
    if (made)
        return nacre_succeed();
    nacre_certificate_free(certificate);
    return there ? nacre_fail(NACRE_E_NOBUFS, NULL)
                 : nacre_fail(NACRE_E_INVAL, "index is 0 for the ssh_cert_* key, or 1 to AltSSHCertCount.");
}

static void drop(char **text, size_t len)
{
    if (*text != NULL)
        nacre_wipe(*text, len);
    free(*text);
    *text = NULL;
}

void nacre_certificate_free(struct nacre_certificate *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char **text = field_at(c, texts[i].to);
        drop(text, *text == NULL ? 0 : strlen(*text));
    }
    drop(&c->store, c->store_b_len);
    drop(&c->store_b, c->store_b_len);
    drop(&c->encoded_b, c->encoded_b_len);
    drop(&c->store_password, 0);
    drop(&c->key_password, 0);
    drop(&c->private_key_container, 0);
}

/* ---- ssh_cert_encoded -------------------------------------------------------------------------------------------- */

int nacre_get_ssh_cert_encoded(nacre_server *server, void *value, size_t *len)
{
    struct nacre_certificate c;
    if (len == NULL)
        return nacre_fail(NACRE_E_INVAL, NULL);
    int e = nacre_get_certificate(server, 0, &c);
    if (e != NACRE_OK)
        return e;
    size_t need = strlen(c.encoded);
    bool fits = need <= *len && (value != NULL || need == 0);
    if (fits && need != 0)
        memcpy(value, c.encoded, need);
    *len = need;
    nacre_certificate_free(&c);
    return fits ? nacre_succeed() : nacre_fail(NACRE_E_BUFFER_SIZE, NULL);
}

int nacre_set_ssh_cert_encoded(nacre_server *server, const void *value, size_t len)
{
    char why[256] = "";
    struct buf der;
    if (server == NULL || (value == NULL && len != 0) || len > STORE_FILE_MAX)
        return nacre_fail(NACRE_E_INVAL, NULL);
    nacre_buf_init(&der, STORE_FILE_MAX);
    if (len != 0 && !nacre_certificate_decode(span_of(value, len), &der)) {
        nacre_buf_free(&der);
        return nacre_fail(NACRE_E_KEY, "ssh_cert_encoded is no certificate in PEM, base64 or DER.");
    }
    nacre_mutex_lock(&server->lock);
    enum nacre_error e = nacre_host_key_choose_encoded(server, &server->certs[0], buf_span(&der), why, sizeof why);
    nacre_mutex_unlock(&server->lock);
    nacre_buf_free(&der);
    return e == NACRE_OK ? nacre_succeed() : nacre_fail(e, why);
}
