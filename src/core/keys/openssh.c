/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSH's own private key format, OpenSSH PROTOCOL.key. openssh_unlock.c opens the private part of locked keys. */
#include "keys/openssh.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>

#include "base/secret.h"
#include "crypto/keytype.h"
#include "wire/mpint.h"

enum {
    KEY_FIELD_MAX = 8192,
    ED25519_SEED = 32
};

static bool sealed_read(struct span bytes, struct sealed *s)
{
    static const char magic[] = "openssh-key-v1"; /* its NUL included */
    struct rd r = rd_over(bytes);
    bool known = span_eq(rd_take(&r, sizeof magic), span_of(magic, sizeof magic));
    s->cipher = rd_string(&r, 64);
    s->kdf = rd_string(&r, 64);
    s->kdf_options = rd_string(&r, 256);
    bool one = rd_u32(&r) == 1;
    s->public = rd_string(&r, KEY_BLOB_MAX);
    s->private = rd_string(&r, STORE_FILE_MAX);
    s->tag = rd_rest(&r);
    return known && one && rd_end(&r);
}

static EVP_PKEY *read_ed25519(const struct container *k, const struct key_type *t, struct rd *r)
{
    struct span public = rd_string(r, ED25519_SEED);
    struct span pair = rd_string(r, 2 * ED25519_SEED);
    if (public.len != ED25519_SEED || pair.len != 2 * ED25519_SEED)
        return NULL;
    return EVP_PKEY_new_raw_private_key_ex(k->c->lib, t->library, NULL, pair.at, ED25519_SEED);
}

static BIGNUM *read_number(struct rd *r)
{
    struct span s = nacre_rd_mpint(r, KEY_FIELD_MAX);
    return r->bad ? NULL : BN_bin2bn(s.at, (int)s.len, BN_secure_new());
}

static EVP_PKEY *read_ecdsa(const struct container *k, const struct key_type *t, struct rd *r)
{
    OSSL_PARAM *params = NULL;
    EVP_PKEY *pkey = NULL;
    struct span curve = rd_string(r, 64);
    struct span point = rd_string(r, KEY_FIELD_MAX);
    BIGNUM *d = read_number(r);
    OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
    if (d == NULL || b == NULL || !span_is(curve, t->curve) ||
        OSSL_PARAM_BLD_push_utf8_string(b, OSSL_PKEY_PARAM_GROUP_NAME, t->group, 0) != 1 ||
        OSSL_PARAM_BLD_push_octet_string(b, OSSL_PKEY_PARAM_PUB_KEY, point.at, point.len) != 1 ||
        OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_PRIV_KEY, d) != 1)
        goto out;
    params = OSSL_PARAM_BLD_to_param(b);
    pkey = nacre_keytype_build(k->c, t->library, EVP_PKEY_KEYPAIR, params);
out:
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(b);
    BN_clear_free(d);
    return pkey;
}

/* The numbers of an RSA key; the first six stand in the file in this order, the others follow from them. */
enum {
    RSA_N,
    RSA_E,
    RSA_D,
    RSA_IQMP,
    RSA_P,
    RSA_Q,
    RSA_IN_FILE,
    RSA_DMP1 = RSA_IN_FILE,
    RSA_DMQ1,
    RSA_NUMBERS
};

/* The exponent for arithmetic modulo one prime: d mod (prime - 1). */
static BIGNUM *reduce(const BIGNUM *d, const BIGNUM *prime, BN_CTX *x)
{
    BIGNUM *less = BN_dup(prime);
    BIGNUM *out = BN_secure_new();
    bool ok =
        less != NULL && out != NULL && BN_sub_word(less, 1) == 1 && !BN_is_zero(less) && BN_mod(out, d, less, x) == 1;
    BN_clear_free(less);
    if (ok)
        return out;
    BN_clear_free(out);
    return NULL;
}

static bool read_rsa_numbers(struct rd *r, BIGNUM *n[RSA_NUMBERS])
{
    for (size_t i = 0; i < RSA_IN_FILE; i++) {
        n[i] = read_number(r);
        if (n[i] == NULL || BN_is_zero(n[i]))
            return false;
    }
    if (BN_num_bits(n[RSA_N]) > KEY_RSA_MAX_BITS || BN_cmp(n[RSA_D], n[RSA_N]) >= 0)
        return false;
    BN_CTX *x = BN_CTX_secure_new();
    if (x != NULL) {
        n[RSA_DMP1] = reduce(n[RSA_D], n[RSA_P], x);
        n[RSA_DMQ1] = reduce(n[RSA_D], n[RSA_Q], x);
    }
    BN_CTX_free(x);
    return n[RSA_DMP1] != NULL && n[RSA_DMQ1] != NULL;
}

static EVP_PKEY *read_rsa(const struct container *k, const struct key_type *t, struct rd *r)
{
    static const char *const names[RSA_NUMBERS] = {
        [RSA_N] = OSSL_PKEY_PARAM_RSA_N,
        [RSA_E] = OSSL_PKEY_PARAM_RSA_E,
        [RSA_D] = OSSL_PKEY_PARAM_RSA_D,
        [RSA_IQMP] = OSSL_PKEY_PARAM_RSA_COEFFICIENT1,
        [RSA_P] = OSSL_PKEY_PARAM_RSA_FACTOR1,
        [RSA_Q] = OSSL_PKEY_PARAM_RSA_FACTOR2,
        [RSA_DMP1] = OSSL_PKEY_PARAM_RSA_EXPONENT1,
        [RSA_DMQ1] = OSSL_PKEY_PARAM_RSA_EXPONENT2,
    };
    BIGNUM *n[RSA_NUMBERS] = {NULL};
    OSSL_PARAM *params = NULL;
    EVP_PKEY *pkey = NULL;
    OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
    bool ok = b != NULL && read_rsa_numbers(r, n);
    for (size_t i = 0; ok && i < RSA_NUMBERS; i++)
        ok = OSSL_PARAM_BLD_push_BN(b, names[i], n[i]) == 1;
    if (ok) {
        params = OSSL_PARAM_BLD_to_param(b);
        pkey = nacre_keytype_build(k->c, t->library, EVP_PKEY_KEYPAIR, params);
    }
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(b);
    for (size_t i = 0; i < RSA_NUMBERS; i++)
        BN_clear_free(n[i]);
    return pkey;
}

static EVP_PKEY *read_numbers(const struct container *k, const struct key_type *t, struct rd *r)
{
    if (t->ops == &nacre_sig_ed25519)
        return read_ed25519(k, t, r);
    return t->ops == &nacre_sig_ecdsa ? read_ecdsa(k, t, r) : read_rsa(k, t, r);
}

/* The padding behind the comment counts 1, 2, 3 ... up to the cipher's block. */
static bool padding_right(struct rd *r)
{
    for (uint8_t expect = 1; rd_left(r) != 0; expect++) {
        if (rd_u8(r) != expect || expect > 16)
            return false;
    }
    return !r->bad;
}

/* The private part in clear, behind its check numbers. */
static enum nacre_error read_private(struct container *k, const struct sealed *s, struct rd *r, struct key **out)
{
    struct span name = rd_string(r, 256);
    const struct key_type *t = nacre_keytype_find(name);
    if (t == NULL)
        return nacre_container_fail(k, NACRE_E_KEY_TYPE, "holds a key of type %.*s, which cannot be used here.",
                                    (int)name.len, name.len == 0 ? "" : (const char *)name.at);
    EVP_PKEY *pkey = read_numbers(k, t, r);
    struct span comment = rd_string(r, KEY_FIELD_MAX);
    if (pkey == NULL || !padding_right(r)) {
        EVP_PKEY_free(pkey);
        return nacre_container_fail(k, NACRE_E_KEY, "is damaged: its private part cannot be read.");
    }
    struct key *key = NULL;
    enum nacre_error e = nacre_container_take(k, pkey, &key);
    if (e != NACRE_OK)
        return e;
    if (!span_eq(nacre_key_blob(key), s->public)) {
        nacre_key_unref(key);
        return nacre_container_fail(k, NACRE_E_KEY, "is damaged: it names another public key than its own.");
    }
    nacre_container_subject(k, comment);
    *out = key;
    return NACRE_OK;
}

/* Two equal numbers stand in front of the private part: a wrong password makes them differ. */
static enum nacre_error read_sealed(struct container *k, const struct sealed *s, struct key **out)
{
    struct buf plain;
    const bool locked = !span_is(s->cipher, "none");
    nacre_buf_init(&plain, STORE_FILE_MAX);
    enum nacre_error e = NACRE_OK;
    if (!locked && s->tag.len != 0)
        return nacre_container_fail(k, NACRE_E_KEY, "is damaged: something follows its private part.");
    if (locked && k->password[0] == 0)
        return nacre_container_fail(k, NACRE_E_KEY_PASSWORD, "is locked and no password was given.");
    if (locked)
        e = nacre_openssh_unlock(k, s, &plain);
    struct rd r = rd_over(locked ? buf_span(&plain) : s->private);
    if (e == NACRE_OK && (rd_u32(&r) != rd_u32(&r) || r.bad))
        e = locked ? nacre_container_fail(k, NACRE_E_KEY_PASSWORD, "does not open with the password given.")
                   : nacre_container_fail(k, NACRE_E_KEY, "is damaged: its check numbers differ.");
    if (e == NACRE_OK)
        e = read_private(k, s, &r, out);
    nacre_buf_wipe(&plain);
    return e;
}

/* k->bytes is one complete block, BEGIN and END lines included. */
enum nacre_error nacre_openssh_read(struct container *k, struct key **out)
{
    static const char begin[] = "-----BEGIN OPENSSH PRIVATE KEY-----";
    static const char end[] = "-----END OPENSSH PRIVATE KEY-----";
    enum nacre_error e;
    struct sealed s;
    struct buf bytes;
    const size_t armour = sizeof begin - 1 + sizeof end - 1;
    nacre_buf_init(&bytes, STORE_FILE_MAX + 16);
    if (k->bytes.len < armour ||
        !nacre_base64_read(span_of(k->bytes.at + sizeof begin - 1, k->bytes.len - armour), &bytes) ||
        !sealed_read(buf_span(&bytes), &s))
        e = nacre_container_fail(k, NACRE_E_KEY, "is damaged: its OpenSSH private key cannot be read.");
    else
        e = read_sealed(k, &s, out);
    nacre_buf_wipe(&bytes);
    return e;
}
