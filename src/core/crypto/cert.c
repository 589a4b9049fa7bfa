/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/cert.h"

#include "crypto/algs.h"
#include "crypto/keytype.h"

/* What follows the key inside. */
static bool read_tail(struct rd *r, struct key_cert *out)
{
    out->serial = rd_u64(r);
    out->kind = rd_u32(r);
    out->key_id = rd_string(r, KEY_BLOB_MAX);
    out->principals = rd_string(r, KEY_BLOB_MAX);
    out->valid_after = rd_u64(r);
    out->valid_before = rd_u64(r);
    out->critical = rd_string(r, KEY_BLOB_MAX);
    out->extensions = rd_string(r, KEY_BLOB_MAX);
    (void)rd_string(r, KEY_BLOB_MAX); /* reserved */
    out->authority = rd_string(r, KEY_BLOB_MAX);
    const uint8_t *end = r->at;
    out->signature = rd_string(r, SIGNATURE_MAX);
    if (!rd_end(r))
        return false;
    out->signed_part.len = (size_t)(end - out->signed_part.at);
    return true;
}

static bool is_list(struct span list, bool pairs)
{
    struct rd r = rd_over(list);
    while (!r.bad && r.at != r.end) {
        (void)rd_string(&r, KEY_BLOB_MAX);
        if (pairs)
            (void)rd_string(&r, KEY_BLOB_MAX);
    }
    return !r.bad;
}

/* Rule R9: a certificate may not stand where the authority's key belongs; asked before anything is parsed again. */
static bool is_authority(struct span blob)
{
    struct rd r = rd_over(blob);
    const struct key_type *t = nacre_keytype_find(rd_string(&r, 64));
    return t != NULL && (t->plain == NULL || t->parse == nacre_sk_parse);
}

EVP_PKEY *nacre_cert_parse(const struct nacre_crypto *c, const struct key_type *t, struct rd *r)
{
    const struct key_type *inner = nacre_keytype_find(span_str(t->plain));
    struct key_cert cert = {.signed_part = span_of(r->at, 0)};
    (void)rd_string(r, KEY_BLOB_MAX); /* nonce */
    EVP_PKEY *pkey = r->bad || inner == NULL ? NULL : nacre_keytype_parse(c, inner, r);
    if (pkey != NULL && read_tail(r, &cert) && is_list(cert.principals, false) && is_list(cert.critical, true) &&
        is_list(cert.extensions, true) && is_authority(cert.authority))
        return pkey;
    EVP_PKEY_free(pkey);
    return NULL;
}

/* Puts the reader behind the key inside: as many strings or mpints as it has, which look alike. */
static void skip_key(const struct key_type *t, struct rd *r)
{
    unsigned fields = t->ops == &nacre_sig_ed25519 ? 1 : 2;
    if (nacre_keytype_is_sk(t))
        fields++;
    while (fields-- > 0)
        (void)rd_string(r, KEY_BLOB_MAX);
}

bool nacre_cert_read(struct span blob, struct key_cert *out)
{
    struct rd r = rd_over(blob);
    const struct key_type *t = nacre_keytype_find(rd_string(&r, 64));
    if (t == NULL || t->parse != nacre_cert_parse)
        return false;
    *out = (struct key_cert){.signed_part = span_of(blob.at, 0)};
    (void)rd_string(&r, KEY_BLOB_MAX);
    skip_key(t, &r);
    return read_tail(&r, out);
}

struct key *nacre_cert_attach(const struct nacre_crypto *c, const struct key *k, struct span blob)
{
    struct key_cert cert;
    struct key *public = nacre_key_from_blob(c, blob), *made = NULL;
    if (public != NULL && nacre_cert_read(blob, &cert) && k->type->ops == public->type->ops &&
        EVP_PKEY_eq(public->pkey, k->pkey) == 1)
        made = nacre_key_share(c, k, public->type, blob);
    nacre_key_unref(public);
    return made;
}

bool nacre_cert_is_signed(const struct nacre_crypto *c, const struct key_cert *cert)
{
    struct rd r = rd_over(cert->signature);
    const struct sig_alg *alg = nacre_sig_find(c, rd_string(&r, 64));
    if (alg == NULL || alg->hash == HASH_SHA1 || !is_authority(cert->authority))
        return false;
    struct key *authority = nacre_key_from_blob(c, cert->authority);
    bool good = authority != NULL && nacre_key_fits(authority, alg) &&
                nacre_key_verify(c, authority, alg, cert->signed_part, cert->signature);
    nacre_key_unref(authority);
    return good;
}

bool nacre_cert_names(const struct key_cert *cert, struct span principal)
{
    struct rd r = rd_over(cert->principals);
    bool found = false;
    while (!r.bad && r.at != r.end)
        found = span_eq(rd_string(&r, KEY_BLOB_MAX), principal) || found;
    return found && !r.bad;
}

/* How often the option is there; the last value in *value. False in *well: it holds no string. */
static unsigned count_option(const struct key_cert *cert, struct span name, struct span *value, bool *well)
{
    struct rd r = rd_over(cert->critical);
    unsigned count = 0;
    while (!r.bad && r.at != r.end) {
        struct span key = rd_string(&r, KEY_BLOB_MAX), data = rd_string(&r, KEY_BLOB_MAX);
        if (r.bad || !span_eq(key, name))
            continue;
        struct rd inside = rd_over(data);
        *value = rd_string(&inside, KEY_BLOB_MAX);
        *well = rd_end(&inside) && value->len != 0;
        count++;
    }
    return r.bad ? 0 : count;
}

bool nacre_cert_option(const struct key_cert *cert, const char *name, struct span *value)
{
    bool well = false;
    return count_option(cert, span_str(name), value, &well) == 1 && well;
}

/* Whether that critical option is there once and empty, as one that has no value. */
static bool is_flag(const struct key_cert *cert, struct span name)
{
    struct rd r = rd_over(cert->critical);
    unsigned count = 0;
    bool empty = true;
    while (!r.bad && r.at != r.end) {
        struct span key = rd_string(&r, KEY_BLOB_MAX), data = rd_string(&r, KEY_BLOB_MAX);
        if (r.bad || !span_eq(key, name))
            continue;
        empty = empty && data.len == 0;
        count++;
    }
    return !r.bad && count == 1 && empty;
}

static bool has_extension(const struct key_cert *cert, const char *wanted)
{
    struct rd r = rd_over(cert->extensions);
    while (!r.bad && r.at != r.end) {
        struct span name = rd_string(&r, KEY_BLOB_MAX);
        (void)rd_string(&r, KEY_BLOB_MAX);
        if (!r.bad && span_is(name, wanted))
            return true;
    }
    return false;
}

bool nacre_cert_suffices(const struct key_cert *cert, struct key_user user)
{
    return (user.present || has_extension(cert, "no-touch-required")) &&
           (user.verified || !is_flag(cert, span_str("verify-required")));
}

bool nacre_cert_options_known(const struct key_cert *cert)
{
    struct rd r = rd_over(cert->critical);
    while (!r.bad && r.at != r.end) {
        struct span name = rd_string(&r, KEY_BLOB_MAX), value;
        bool well = false;
        (void)rd_string(&r, KEY_BLOB_MAX);
        if (span_is(name, "verify-required")) {
            if (!is_flag(cert, name))
                return false;
            continue;
        }
        if (!span_is(name, "force-command") && !span_is(name, "source-address"))
            return false;
        if (count_option(cert, name, &value, &well) != 1 || !well)
            return false;
    }
    return !r.bad;
}

static bool is_name(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.at[i] <= ' ' || s.at[i] > '~' || s.at[i] == ',')
            return false;
    }
    return s.len != 0;
}

/* The list of names in `out` with one more, when it fits. */
static void add_name(char *out, size_t size, size_t *used, struct span name)
{
    if (*used + 1 + name.len + 1 > size)
        return;
    if (*used != 0)
        out[(*used)++] = ',';
    memcpy(out + *used, name.at, name.len);
    *used += name.len;
}

void nacre_cert_principals(const struct key_cert *cert, char *out, size_t size)
{
    struct rd r = rd_over(cert->principals);
    size_t used = 0;
    while (!r.bad && r.at != r.end) {
        struct span name = rd_string(&r, KEY_BLOB_MAX);
        if (!r.bad && name.len != 0 && !span_has_nul(name) && memchr(name.at, ',', name.len) == NULL)
            add_name(out, size, &used, name);
    }
    if (size != 0)
        out[used] = '\0';
}

void nacre_cert_extensions(const struct key_cert *cert, char *out, size_t size)
{
    struct rd r = rd_over(cert->extensions);
    size_t used = 0;
    while (!r.bad && r.at != r.end) {
        struct span name = rd_string(&r, KEY_BLOB_MAX);
        (void)rd_string(&r, KEY_BLOB_MAX);
        if (!r.bad && is_name(name))
            add_name(out, size, &used, name);
    }
    if (size != 0)
        out[used] = '\0';
}
