/* SPDX-License-Identifier: Apache-2.0 */
/* Keys in X.509 certificates: chains with a name in front (RFC 6187), and the older x509v3-sign-rsa and
 * x509v3-sign-dss, whose blob is the certificate and nothing else (draft-ietf-secsh-transport; some peers put the name
 * and a length in front).
 *
 * What is checked here is that the certificate holds a key of the kind that is named and may be used for signatures.
 * Who trusts whom is for the application, which sees the whole blob. */
#include <limits.h>

#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "crypto/keytype.h"

enum {
    CHAIN_MAX = 16,
    DER_SEQUENCE = 0x30
};

/* The same rules as for the key on its own: its plain form could be written. */
static bool key_allowed(const struct key_type *t, const EVP_PKEY *pkey)
{
    uint8_t scratch[KEY_BLOB_MAX];
    char group[64] = "";
    size_t len = 0;
    struct wr w = wr_over(scratch, sizeof scratch);
    if (!EVP_PKEY_is_a(pkey, t->library))
        return false;
    if (t->group != NULL &&
        (EVP_PKEY_get_group_name(pkey, group, sizeof group, &len) != 1 || strcmp(group, t->group) != 0))
        return false;
    return t->ops->write(t, pkey, &w) && wr_done(&w);
}

/* RFC 6187 section 2.2.1 */
static bool may_sign(X509 *x)
{
    return (X509_get_key_usage(x) & KU_DIGITAL_SIGNATURE) != 0 && (X509_get_extension_flags(x) & EXFLAG_INVALID) == 0;
}

/* The key in `der`, if that is a certificate, whole, and fit for `t`. */
static EVP_PKEY *key_in(const struct nacre_crypto *c, const struct key_type *t, struct span der)
{
    const unsigned char *at = der.at;
    X509 *x = der.len == 0 || der.len > LONG_MAX ? NULL : X509_new_ex(c->lib, NULL);
    EVP_PKEY *pkey = NULL;
    if (x != NULL && d2i_X509(&x, &at, (long)der.len) != NULL && at == der.at + der.len && may_sign(x))
        pkey = X509_get_pubkey(x);
    X509_free(x);
    if (pkey == NULL || key_allowed(t, pkey))
        return pkey;
    EVP_PKEY_free(pkey);
    return NULL;
}

EVP_PKEY *nacre_x509_parse_chain(const struct nacre_crypto *c, const struct key_type *t, struct rd *r)
{
    struct span leaf = {NULL, 0};
    uint32_t count = rd_u32(r);
    if (count == 0 || count > CHAIN_MAX)
        return NULL;
    for (uint32_t i = 0; i < count; i++) {
        struct span der = rd_string(r, KEY_BLOB_MAX);
        if (i == 0)
            leaf = der;
    }
    uint32_t answers = rd_u32(r);
    if (answers > count)
        return NULL;
    for (uint32_t i = 0; i < answers; i++)
        (void)rd_string(r, KEY_BLOB_MAX);
    return r->bad ? NULL : key_in(c, t, leaf);
}

EVP_PKEY *nacre_x509_parse_bare(const struct nacre_crypto *c, const struct key_type *t, struct rd *r)
{
    struct span der = rd_string(r, KEY_BLOB_MAX);
    return r->bad ? NULL : key_in(c, t, der);
}

EVP_PKEY *nacre_x509_parse_blob(const struct nacre_crypto *c, struct span blob, const struct key_type **t)
{
    static const char *const names[] = {"x509v3-sign-rsa", "x509v3-sign-dss"};
    if (blob.len == 0 || blob.at[0] != DER_SEQUENCE)
        return NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        *t = nacre_keytype_find(span_str(names[i]));
        EVP_PKEY *pkey = key_in(c, *t, blob);
        if (pkey != NULL)
            return pkey;
    }
    return NULL;
}

static bool write_blob(const struct key_type *t, const struct span *chain, size_t count, struct wr *w)
{
    if (t->parse == nacre_x509_parse_bare) {
        wr_bytes(w, chain[0].at, chain[0].len);
        return wr_done(w);
    }
    if (t->parse != nacre_x509_parse_chain)
        return false;
    wr_cstring(w, t->name);
    wr_u32(w, (uint32_t)count);
    for (size_t i = 0; i < count; i++)
        wr_string(w, chain[i]);
    wr_u32(w, 0);
    return wr_done(w);
}

struct key *nacre_key_certified(const struct nacre_crypto *c, const struct key *k, const char *type,
                                const struct span *chain, size_t count)
{
    uint8_t blob[KEY_BLOB_MAX];
    const struct key_type *t = nacre_keytype_find(span_str(type));
    struct wr w = wr_over(blob, sizeof blob);
    if (t == NULL || t->ops != k->type->ops || count == 0 || count > CHAIN_MAX || !write_blob(t, chain, count, &w))
        return NULL;
    EVP_PKEY *inside = key_in(c, t, chain[0]);
    bool same = inside != NULL && EVP_PKEY_eq(inside, k->pkey) == 1;
    EVP_PKEY_free(inside);
    ERR_clear_error();
    return same ? nacre_key_share(c, k, t, wr_span(&w)) : NULL;
}

size_t nacre_key_certified_all(const struct nacre_crypto *c, const struct key *k, const struct span *chain,
                               size_t count, struct key *out[KEY_CERTIFIED_MAX])
{
    static const char *const types[] = {"x509v3-ecdsa-sha2-nistp256",
                                        "x509v3-ecdsa-sha2-nistp384",
                                        "x509v3-ecdsa-sha2-nistp521",
                                        "x509v3-rsa2048-sha256",
                                        "x509v3-ssh-rsa",
                                        "x509v3-sign-rsa",
                                        "x509v3-sign-dss"};
    size_t made = 0;
    for (size_t i = 0; i < sizeof types / sizeof *types && made < KEY_CERTIFIED_MAX; i++) {
        out[made] = nacre_key_certified(c, k, types[i], chain, count);
        made += out[made] != NULL ? 1 : 0;
    }
    return made;
}
