/* SPDX-License-Identifier: Apache-2.0 */
/* Security keys, OpenSSH PROTOCOL.u2f: sk-ssh-ed25519@openssh.com and sk-ecdsa-sha2-nistp256@openssh.com. The device
 * signs hashes of the application's name and of the data, with flags and a counter between them; the private half never
 * comes here. */
#include "crypto/keytype.h"

enum {
    USER_PRESENT = 0x01,
    USER_VERIFIED = 0x04,
    APPLICATION_MAX = 1024
};

EVP_PKEY *nacre_sk_parse(const struct nacre_crypto *c, const struct key_type *t, struct rd *r)
{
    EVP_PKEY *pkey = t->ops->parse(c, t, r);
    struct span application = rd_string(r, APPLICATION_MAX);
    if (!r->bad && application.len != 0)
        return pkey;
    EVP_PKEY_free(pkey);
    return NULL;
}

bool nacre_keytype_is_sk(const struct key_type *t)
{
    const struct key_type *inner = t->plain == NULL ? NULL : nacre_keytype_find(span_str(t->plain));
    return t->parse == nacre_sk_parse || (inner != NULL && inner->parse == nacre_sk_parse);
}

static struct span application_of(const struct key *k)
{
    struct rd r = rd_over(span_of(k->blob, k->blob_len));
    (void)rd_string(&r, 64);
    if (k->type->parse != nacre_sk_parse)
        (void)rd_string(&r, KEY_BLOB_MAX); /* a certificate's nonce */
    if (k->type->curve != NULL)
        (void)rd_string(&r, 64);
    (void)rd_string(&r, KEY_BLOB_MAX);
    return rd_string(&r, APPLICATION_MAX);
}

bool nacre_sk_signed_data(const struct key *k, struct rd *r, struct span data, uint8_t out[SK_SIGNED_LEN],
                          struct key_user *user)
{
    uint8_t hash[HASH_MAX];
    uint8_t flags = rd_u8(r);
    uint32_t counter = rd_u32(r);
    struct span application = application_of(k);
    struct wr w = wr_over(out, SK_SIGNED_LEN);
    *user = (struct key_user){(flags & USER_PRESENT) != 0, (flags & USER_VERIFIED) != 0};
    if (!rd_end(r) || !nacre_hash(k->c, HASH_SHA256, &application, 1, hash))
        return false;
    wr_bytes(&w, hash, 32);
    wr_u8(&w, flags);
    wr_u32(&w, counter);
    if (!nacre_hash(k->c, HASH_SHA256, &data, 1, hash))
        return false;
    wr_bytes(&w, hash, 32);
    return wr_done(&w) && wr_len(&w) == SK_SIGNED_LEN;
}
