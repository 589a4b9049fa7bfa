/* SPDX-License-Identifier: Apache-2.0 */
/* Keys: life and blobs. Signing is in sign.c, what is peculiar to a kind of key in sig_*.c. */
#include "crypto/key.h"

#include <stdio.h>
#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/err.h>

#include "base/secret.h"
#include "crypto/keytype.h"

/* clang-format off */
static const struct key_type key_types[] = {
    /* name                  library    method     curve       group         how */
    {"ssh-ed25519",         "ED25519", "ED25519", NULL,       NULL,         &nacre_sig_ed25519, NULL, NULL},
    {"ecdsa-sha2-nistp256", "EC",      "ECDSA",   "nistp256", "prime256v1", &nacre_sig_ecdsa,   NULL, NULL},
    {"ecdsa-sha2-nistp384", "EC",      "ECDSA",   "nistp384", "secp384r1",  &nacre_sig_ecdsa,   NULL, NULL},
    {"ecdsa-sha2-nistp521", "EC",      "ECDSA",   "nistp521", "secp521r1",  &nacre_sig_ecdsa,   NULL, NULL},
    {"ssh-rsa",             "RSA",     "RSA",     NULL,       NULL,         &nacre_sig_rsa,     NULL, NULL},
    {"ssh-dss",             "DSA",     "DSA",     NULL,       NULL,         &nacre_sig_dsa,     NULL, NULL},

    {"sk-ssh-ed25519@openssh.com",         "ED25519", "ED25519", NULL,   NULL,         &nacre_sig_ed25519, "ssh-ed25519",         nacre_sk_parse},
    {"sk-ecdsa-sha2-nistp256@openssh.com", "EC", "ECDSA", "nistp256",    "prime256v1", &nacre_sig_ecdsa,   "ecdsa-sha2-nistp256", nacre_sk_parse},

    {"ssh-ed25519-cert-v01@openssh.com",            "ED25519", "ED25519", NULL, NULL, &nacre_sig_ed25519, "ssh-ed25519",         nacre_cert_parse},
    {"ecdsa-sha2-nistp256-cert-v01@openssh.com",    "EC", "ECDSA", "nistp256", "prime256v1", &nacre_sig_ecdsa, "ecdsa-sha2-nistp256", nacre_cert_parse},
    {"ecdsa-sha2-nistp384-cert-v01@openssh.com",    "EC", "ECDSA", "nistp384", "secp384r1",  &nacre_sig_ecdsa, "ecdsa-sha2-nistp384", nacre_cert_parse},
    {"ecdsa-sha2-nistp521-cert-v01@openssh.com",    "EC", "ECDSA", "nistp521", "secp521r1",  &nacre_sig_ecdsa, "ecdsa-sha2-nistp521", nacre_cert_parse},
    {"ssh-rsa-cert-v01@openssh.com",                "RSA", "RSA", NULL, NULL, &nacre_sig_rsa, "ssh-rsa", nacre_cert_parse},
    {"sk-ssh-ed25519-cert-v01@openssh.com",         "ED25519", "ED25519", NULL, NULL, &nacre_sig_ed25519, "sk-ssh-ed25519@openssh.com", nacre_cert_parse},
    {"sk-ecdsa-sha2-nistp256-cert-v01@openssh.com", "EC", "ECDSA", "nistp256", "prime256v1", &nacre_sig_ecdsa, "sk-ecdsa-sha2-nistp256@openssh.com", nacre_cert_parse},

    {"x509v3-ecdsa-sha2-nistp256", "EC", "ECDSA", "nistp256", "prime256v1", &nacre_sig_ecdsa, "ecdsa-sha2-nistp256", nacre_x509_parse_chain},
    {"x509v3-ecdsa-sha2-nistp384", "EC", "ECDSA", "nistp384", "secp384r1",  &nacre_sig_ecdsa, "ecdsa-sha2-nistp384", nacre_x509_parse_chain},
    {"x509v3-ecdsa-sha2-nistp521", "EC", "ECDSA", "nistp521", "secp521r1",  &nacre_sig_ecdsa, "ecdsa-sha2-nistp521", nacre_x509_parse_chain},
    {"x509v3-rsa2048-sha256",      "RSA", "RSA",  NULL,       NULL,         &nacre_sig_rsa,   "ssh-rsa",             nacre_x509_parse_chain},
    {"x509v3-ssh-rsa",             "RSA", "RSA",  NULL,       NULL,         &nacre_sig_rsa,   "ssh-rsa",             nacre_x509_parse_chain},
    {"x509v3-sign-rsa",            "RSA", "RSA",  NULL,       NULL,         &nacre_sig_rsa,   "ssh-rsa",             nacre_x509_parse_bare},
    {"x509v3-sign-dss",            "DSA", "DSA",  NULL,       NULL,         &nacre_sig_dsa,   "ssh-dss",             nacre_x509_parse_bare},
};
/* clang-format on */

enum {
    KEY_TYPES = sizeof key_types / sizeof *key_types
};

const struct key_type *nacre_keytype_find(struct span name)
{
    for (size_t i = 0; i < KEY_TYPES; i++) {
        if (span_is(name, key_types[i].name))
            return &key_types[i];
    }
    return NULL;
}

bool nacre_keytype_probe(const struct nacre_crypto *c, const struct sig_alg *alg)
{
    const struct key_type *t = nacre_keytype_find(span_str(alg->key_name));
    if (t == NULL)
        return false;
    EVP_KEYMGMT *keys = EVP_KEYMGMT_fetch(c->lib, t->library, NULL);
    EVP_SIGNATURE *method = EVP_SIGNATURE_fetch(c->lib, t->method, NULL);
    bool ok = keys != NULL && method != NULL;
    EVP_KEYMGMT_free(keys);
    EVP_SIGNATURE_free(method);
    return ok;
}

EVP_PKEY *nacre_keytype_build(const struct nacre_crypto *c, const char *library, int selection, OSSL_PARAM *params)
{
    EVP_PKEY *pkey = NULL;
    EVP_PKEY_CTX *x = params == NULL ? NULL : EVP_PKEY_CTX_new_from_name(c->lib, library, NULL);
    if (x == NULL || EVP_PKEY_fromdata_init(x) != 1 || EVP_PKEY_fromdata(x, &pkey, selection, params) != 1)
        pkey = NULL;
    EVP_PKEY_CTX_free(x);
    return pkey;
}

bool nacre_keytype_has_number(const EVP_PKEY *pkey, const char *param)
{
    BIGNUM *n = NULL;
    bool has = EVP_PKEY_get_bn_param(pkey, param, &n) == 1;
    BN_clear_free(n);
    return has;
}

/* Of the plain types: what stands around a key is not in the library's. */
static const struct key_type *type_of(const EVP_PKEY *pkey)
{
    char group[64] = "";
    size_t len = 0;
    if (EVP_PKEY_is_a(pkey, "EC") && EVP_PKEY_get_group_name(pkey, group, sizeof group, &len) != 1)
        return NULL;
    for (size_t i = 0; i < KEY_TYPES; i++) {
        const struct key_type *t = &key_types[i];
        if (t->plain == NULL && EVP_PKEY_is_a(pkey, t->library) && (t->group == NULL || strcmp(t->group, group) == 0))
            return t;
    }
    return NULL;
}

EVP_PKEY *nacre_keytype_parse(const struct nacre_crypto *c, const struct key_type *t, struct rd *r)
{
    return t->parse != NULL ? t->parse(c, t, r) : t->ops->parse(c, t, r);
}

/* A key that owns `pkey` once it is returned. */
static struct key *key_new(const struct nacre_crypto *c, const struct key_type *t, EVP_PKEY *pkey, struct span blob)
{
    struct key *k = calloc(1, sizeof *k + blob.len);
    if (k == NULL)
        return NULL;
    memcpy(k->blob, blob.at, blob.len);
    k->blob_len = blob.len;
    k->type = t;
    k->pkey = pkey;
    k->token = nacre_key_token(pkey);
    k->is_private = k->token != NULL || t->ops->has_private(pkey);
    k->is_raw = k->token == NULL && t->ops->expose != NULL && t->ops->expose(c, pkey, k->is_private, k->raw);
    int bits = EVP_PKEY_get_bits(pkey);
    k->bits = t->ops == &nacre_sig_ed25519 ? 256 : bits < 0 ? 0 : (unsigned)bits;
    /* The count is the one part of a context that changes after it opened. */
    k->c = nacre_crypto_ref((struct nacre_crypto *)(uintptr_t)c);
    atomic_init(&k->refs, 1);
    return k;
}

struct key *nacre_key_from_blob(const struct nacre_crypto *c, struct span blob)
{
    if (blob.len > KEY_BLOB_MAX)
        return NULL;
    struct rd r = rd_over(blob);
    const struct key_type *t = nacre_keytype_find(rd_string(&r, 64));
    EVP_PKEY *pkey = t == NULL ? nacre_x509_parse_blob(c, blob, &t) : nacre_keytype_parse(c, t, &r);
    bool whole = blob.len != 0 && (blob.at[0] != 0 || rd_end(&r));
    struct key *k = pkey != NULL && whole ? key_new(c, t, pkey, blob) : NULL;
    if (k == NULL) {
        EVP_PKEY_free(pkey);
        ERR_clear_error();
    }
    return k;
}

struct key *nacre_key_take(const struct nacre_crypto *c, void *evp_pkey)
{
    uint8_t blob[KEY_BLOB_MAX];
    EVP_PKEY *pkey = evp_pkey;
    struct key *k = NULL;
    struct wr w = wr_over(blob, sizeof blob);
    const struct key_type *t = pkey == NULL ? NULL : type_of(pkey);
    if (t == NULL)
        goto out;
    wr_cstring(&w, t->name);
    if (!t->ops->write(t, pkey, &w) || !wr_done(&w))
        goto out;
    k = key_new(c, t, pkey, wr_span(&w));
    if (k != NULL && !nacre_key_prepare(k)) {
        nacre_key_unref(k);
        ERR_clear_error();
        return NULL;
    }
out:
    if (k == NULL)
        EVP_PKEY_free(pkey);
    ERR_clear_error();
    return k;
}

struct key *nacre_key_share(const struct nacre_crypto *c, const struct key *k, const struct key_type *t,
                            struct span blob)
{
    if (EVP_PKEY_up_ref(k->pkey) != 1)
        return NULL;
    struct key *made = key_new(c, t, k->pkey, blob);
    if (made == NULL) {
        EVP_PKEY_free(k->pkey);
        return NULL;
    }
    if (nacre_key_prepare(made))
        return made;
    nacre_key_unref(made);
    return NULL;
}

void *nacre_key_native(const struct key *k)
{
    return k->pkey;
}

struct key *nacre_key_ref(struct key *k)
{
    /* Relaxed: the caller holds a reference already. */
    atomic_fetch_add_explicit(&k->refs, 1, memory_order_relaxed);
    return k;
}

static _Thread_local const struct key_undertaker *thread_undertaker;

void nacre_key_set_undertaker(const struct key_undertaker *undertaker)
{
    thread_undertaker = undertaker;
}

void nacre_key_unref(struct key *k)
{
    /* Release and acquire: the thread that frees sees every use by the others. */
    if (k == NULL || atomic_fetch_sub_explicit(&k->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (nacre_key_is_slow(k) && thread_undertaker != NULL)
        thread_undertaker->take(thread_undertaker->context, k);
    else
        nacre_key_free(k);
}

void nacre_key_free(struct key *k)
{
    for (size_t i = 0; i < KEY_SIGNERS; i++)
        EVP_MD_CTX_free(k->signer[i]);
    EVP_PKEY_free(k->pkey);
    nacre_crypto_unref(k->c);
    nacre_wipe(k->raw, sizeof k->raw);
    free(k);
}

bool nacre_key_is_private(const struct key *k)
{
    return k->is_private;
}

bool nacre_key_is_slow(const struct key *k)
{
    return k->token != NULL;
}

struct span nacre_key_blob(const struct key *k)
{
    return span_of(k->blob, k->blob_len);
}

const char *nacre_key_type(const struct key *k)
{
    return k->type->name;
}

bool nacre_key_is_plain(const struct key *k)
{
    return k->type->plain == NULL;
}

unsigned nacre_key_bits(const struct key *k)
{
    return k->bits;
}

bool nacre_key_fingerprint(const struct nacre_crypto *c, struct span blob, char out[64])
{
    static const char label[] = "SHA256:";
    uint8_t hash[HASH_MAX];
    out[0] = 0;
    if (!nacre_hash(c, HASH_SHA256, &blob, 1, hash))
        return false;
    memcpy(out, label, sizeof label - 1);
    int n = EVP_EncodeBlock((unsigned char *)out + sizeof label - 1, hash, (int)nacre_hash_size(HASH_SHA256));
    for (char *end = out + sizeof label - 1 + n; n > 0 && end[-1] == '='; end--, n--)
        end[-1] = 0;
    return true;
}

bool nacre_key_text(const struct key *k, char *out, size_t size)
{
    size_t at = strlen(k->type->name) + 1, need = at + (k->blob_len + 2) / 3 * 4 + 1;
    if (need > size)
        return false;
    (void)snprintf(out, size, "%s ", k->type->name);
    (void)EVP_EncodeBlock((unsigned char *)out + at, k->blob, (int)k->blob_len);
    return true;
}

struct key *nacre_key_generate(const struct nacre_crypto *c, const char *type, unsigned bits)
{
    const struct key_type *t = nacre_keytype_find(span_str(type));
    EVP_PKEY *pkey = NULL;
    if (t == NULL || t->plain != NULL)
        return NULL;
    if (t->ops == &nacre_sig_dsa)
        pkey = bits == 0 || bits == 1024 ? nacre_dsa_generate(c) : NULL;
    else if (t->group != NULL)
        pkey = EVP_PKEY_Q_keygen(c->lib, NULL, t->library, t->group);
    else if (t->ops != &nacre_sig_rsa)
        pkey = EVP_PKEY_Q_keygen(c->lib, NULL, t->library);
    else if (bits >= KEY_RSA_MIN_BITS && bits <= KEY_RSA_MAX_BITS)
        pkey = EVP_PKEY_Q_keygen(c->lib, NULL, t->library, (size_t)bits);
    return nacre_key_take(c, pkey);
}
