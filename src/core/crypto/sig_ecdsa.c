/* SPDX-License-Identifier: Apache-2.0 */
/* ecdsa-sha2-nistp*, RFC 5656 section 3: points are sent uncompressed, a signature is the two mpints r and s. */
#include "crypto/keytype.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>

#include "wire/mpint.h"

enum {
    POINT_UNCOMPRESSED = 4,
    FIELD_MAX = 66
};

static size_t field_len(const char *group)
{
    return strcmp(group, "prime256v1") == 0 ? 32 : strcmp(group, "secp384r1") == 0 ? 48 : FIELD_MAX;
}

static EVP_PKEY *build_public(const struct nacre_crypto *c, const struct key_type *t, struct span point)
{
    OSSL_PARAM *params = NULL;
    EVP_PKEY *pkey = NULL;
    OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
    if (b == NULL || OSSL_PARAM_BLD_push_utf8_string(b, OSSL_PKEY_PARAM_GROUP_NAME, t->group, 0) != 1 ||
        OSSL_PARAM_BLD_push_octet_string(b, OSSL_PKEY_PARAM_PUB_KEY, point.at, point.len) != 1)
        goto out;
    params = OSSL_PARAM_BLD_to_param(b);
    pkey = nacre_keytype_build(c, t->library, EVP_PKEY_PUBLIC_KEY, params);
out:
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(b);
    return pkey;
}

/* RFC 5656 section 3.1: the curve is named twice, and both names must agree. The library refuses a point that is not on
 * it. */
static EVP_PKEY *ecdsa_parse(const struct nacre_crypto *c, const struct key_type *t, struct rd *r)
{
    struct span curve = rd_string(r, 64);
    struct span point = rd_string(r, 1 + 2 * FIELD_MAX);
    if (!span_is(curve, t->curve) || point.len != 1 + 2 * field_len(t->group) || point.at[0] != POINT_UNCOMPRESSED)
        return NULL;
    const EVP_PKEY *like = nacre_curve_parameters(c, t->group);
    return like != NULL ? nacre_public_like(like, point.at, point.len) : build_public(c, t, point);
}

/* The point of a token's key, which has no coordinates to ask for and gives itself compressed. */
static bool write_encoded(const struct key_type *t, const EVP_PKEY *pkey, struct wr *w)
{
    uint8_t point[1 + 2 * FIELD_MAX];
    size_t len = 0;
    const size_t size = 1 + 2 * field_len(t->group);
    EC_GROUP *group = EC_GROUP_new_by_curve_name(OBJ_sn2nid(t->group));
    EC_POINT *p = group == NULL ? NULL : EC_POINT_new(group);
    bool ok = p != NULL &&
              EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point, &len) == 1 &&
              EC_POINT_oct2point(group, p, point, len, NULL) == 1 &&
              EC_POINT_point2oct(group, p, POINT_CONVERSION_UNCOMPRESSED, point, sizeof point, NULL) == size;
    EC_POINT_free(p);
    EC_GROUP_free(group);
    wr_string(w, span_of(point, ok ? size : 0));
    return ok;
}

/* From the coordinates, because a key read from a file may prefer the compressed form. */
static bool write_point(const struct key_type *t, const EVP_PKEY *pkey, struct wr *w)
{
    const size_t field = field_len(t->group);
    BIGNUM *x = NULL, *y = NULL;
    uint8_t point[1 + 2 * FIELD_MAX] = {POINT_UNCOMPRESSED};
    bool ok = EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_EC_PUB_X, &x) == 1 &&
              EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, &y) == 1 &&
              BN_bn2binpad(x, point + 1, (int)field) == (int)field &&
              BN_bn2binpad(y, point + 1 + field, (int)field) == (int)field;
    BN_free(x);
    BN_free(y);
    if (!ok)
        return write_encoded(t, pkey, w);
    wr_string(w, span_of(point, 1 + 2 * field));
    return true;
}

static bool ecdsa_write(const struct key_type *t, const EVP_PKEY *pkey, struct wr *w)
{
    wr_cstring(w, t->curve);
    return write_point(t, pkey, w);
}

static void write_number(struct wr *w, const BIGNUM *n)
{
    uint8_t bytes[FIELD_MAX];
    int len = BN_bn2binpad(n, bytes, sizeof bytes);
    nacre_wr_mpint(w, span_of(bytes, len < 0 ? 0 : (size_t)len));
}

/* RFC 5656 section 3.1.2 */
static bool ecdsa_to_wire(const struct key *k, struct span native, struct wr *w)
{
    (void)k;
    const unsigned char *at = native.at;
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &at, (long)native.len);
    if (sig == NULL)
        return false;
    write_number(w, ECDSA_SIG_get0_r(sig));
    write_number(w, ECDSA_SIG_get0_s(sig));
    ECDSA_SIG_free(sig);
    return true;
}

/* An ECDSA_SIG of two magnitudes, or NULL. */
static ECDSA_SIG *sig_of(struct span r, struct span s)
{
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *rn = BN_bin2bn(r.at, (int)r.len, NULL);
    BIGNUM *sn = BN_bin2bn(s.at, (int)s.len, NULL);
    if (sig != NULL && rn != NULL && sn != NULL && ECDSA_SIG_set0(sig, rn, sn) == 1)
        return sig;
    BN_free(rn);
    BN_free(sn);
    ECDSA_SIG_free(sig);
    return NULL;
}

static bool ecdsa_from_wire(const struct key *k, struct span wire, struct wr *w)
{
    struct rd in = rd_over(wire);
    size_t field = field_len(k->type->group);
    struct span r = nacre_rd_mpint(&in, field);
    struct span s = nacre_rd_mpint(&in, field);
    if (!rd_end(&in) || r.len == 0 || s.len == 0)
        return false;
    ECDSA_SIG *sig = sig_of(r, s);
    int len = sig == NULL ? -1 : i2d_ECDSA_SIG(sig, NULL);
    unsigned char *at = len <= 0 ? NULL : wr_take(w, (size_t)len);
    bool ok = at != NULL && i2d_ECDSA_SIG(sig, &at) == len;
    ECDSA_SIG_free(sig);
    return ok;
}

static bool ecdsa_has_private(const EVP_PKEY *pkey)
{
    return nacre_keytype_has_number(pkey, OSSL_PKEY_PARAM_PRIV_KEY);
}

const struct sig_ops nacre_sig_ecdsa = {
    .parse = ecdsa_parse,
    .write = ecdsa_write,
    .to_wire = ecdsa_to_wire,
    .from_wire = ecdsa_from_wire,
    .has_private = ecdsa_has_private,
    .prehash = true,
};
