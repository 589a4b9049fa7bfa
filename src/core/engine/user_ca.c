/* SPDX-License-Identifier: Apache-2.0 */
/* The authorities whose certificates let users in. */
#include "engine/server.h"

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

int nacre_add_user_ca(nacre_server *server, const void *blob, size_t len)
{
    if (server == NULL || (blob == NULL && len != 0))
        return nacre_fail(NACRE_E_INVAL, NULL);
    enum nacre_error e = NACRE_OK;
    nacre_mutex_lock(&server->lock);
    if (len == 0)
        nacre_buf_free(&server->user_authorities);
    else if (len > KEY_BLOB_MAX || !is_plain_key(server->crypto, span_of(blob, len)))
        e = NACRE_E_KEY;
    else if (!append(&server->user_authorities, span_of(blob, len)))
        e = NACRE_E_NOBUFS;
    if (e == NACRE_OK)
        e = nacre_server_changed(server);
    nacre_mutex_unlock(&server->lock);
    if (e == NACRE_E_KEY)
        return nacre_fail(e, "The authority's key is no public key that can be read here.");
    return e == NACRE_OK ? nacre_succeed() : nacre_fail(e, NULL);
}
