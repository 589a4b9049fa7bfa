/* SPDX-License-Identifier: Apache-2.0 */
/* The authorities whose certificates let users in, and those whose certificates the application judges. */
#include "engine/server.h"
#include "wire/rd.h"

static bool append(struct buf *list, struct span blob)
{
    uint8_t length[4] = {(uint8_t)(blob.len >> 24), (uint8_t)(blob.len >> 16), (uint8_t)(blob.len >> 8),
                         (uint8_t)blob.len};
    size_t before = list->len;
    if (nacre_buf_append(list, length, sizeof length) && nacre_buf_append(list, blob.at, blob.len))
        return true;
    list->len = before;
    return false;
}

/* Rule R9: a certificate is no authority. */
static bool is_plain_key(const struct nacre_crypto *crypto, struct span blob)
{
    struct key_cert cert;
    struct key *key = nacre_key_from_blob(crypto, blob);
    bool plain = key != NULL && !nacre_cert_read(blob, &cert) && strncmp(nacre_key_type(key), "x509", 4) != 0;
    nacre_key_unref(key);
    return plain;
}

static enum nacre_error change(struct nacre_server *server, struct buf *list, struct span blob)
{
    size_t before = list->len;
    if (blob.len == 0)
        list->len = 0;
    else if (blob.len > KEY_BLOB_MAX || !is_plain_key(server->crypto, blob))
        return NACRE_E_KEY;
    else if (rd_is_among(buf_span(list), blob, KEY_BLOB_MAX))
        return NACRE_OK;
    else if (!append(list, blob))
        return NACRE_E_NOBUFS;
    enum nacre_error e = nacre_server_changed(server);
    if (e != NACRE_OK)
        list->len = before;
    return e;
}

static int add(nacre_server *server, bool trusted, const void *blob, size_t len)
{
    if (server == NULL || (blob == NULL && len != 0))
        return nacre_fail(NACRE_E_INVAL, NULL);
    nacre_mutex_lock(&server->lock);
    enum nacre_error e =
        change(server, trusted ? &server->user_authorities : &server->known_authorities, span_of(blob, len));
    nacre_mutex_unlock(&server->lock);
    if (e == NACRE_E_KEY)
        return nacre_fail(e, "The authority's key is no public key that can be read here.");
    return e == NACRE_OK ? nacre_succeed() : nacre_fail(e, NULL);
}

int nacre_add_user_ca(nacre_server *server, const void *blob, size_t len)
{
    return add(server, true, blob, len);
}

int nacre_add_known_user_ca(nacre_server *server, const void *blob, size_t len)
{
    return add(server, false, blob, len);
}
