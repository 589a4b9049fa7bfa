/* SPDX-License-Identifier: Apache-2.0 */
/* Keys in X.509 certificates, RFC 6187 and its predecessors. */
#include <criterion/criterion.h>

#include "support/x509.h"
#include "unit/crypto/bytes.h"
#include "unit/crypto/fixture.h"
#include "wire/wr.h"

TestSuite(x509, .init = crypto_set_up, .fini = crypto_tear_down);

static const struct {
    const char *name, *inside; /* of the algorithm; in the signature */
} rows[] = {
    {"x509v3-ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256"},
    {"x509v3-ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384"},
    {"x509v3-ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521"},
    {"x509v3-rsa2048-sha256", "rsa2048-sha256"},
    {"x509v3-ssh-rsa", "ssh-rsa"},
    {"x509v3-sign-rsa", "x509v3-sign-rsa"},
    {"x509v3-sign-dss", "x509v3-sign-dss"},
};

enum {
    ROWS = sizeof rows / sizeof *rows
};

static struct key *plain_key(const char *name)
{
    const char *type = strstr(name, "rsa") != NULL ? "ssh-rsa" : strstr(name, "dss") != NULL ? "ssh-dss" : name;
    if (strncmp(type, "x509v3-", 7) == 0)
        type += 7;
    struct key *k = nacre_key_generate(crypto, type, strcmp(type, "ssh-dss") == 0 ? 0 : KEY_RSA_MIN_BITS);
    cr_assert_not_null(k, "%s", type);
    return k;
}

static size_t certify(const struct key *k, const char *usage, uint8_t out[X509_DER_MAX])
{
    size_t len = x509_self_signed(crypto, k, usage, out);
    cr_assert_neq(len, 0);
    return len;
}

static const struct span data = {(const uint8_t *)"what is signed", 14};

Test(x509, every_row_signs_and_verifies)
{
    for (size_t i = 0; i < ROWS; i++) {
        static uint8_t der[2][4096];
        struct buf signature;
        struct key *k = plain_key(rows[i].name), *other = plain_key(rows[i].name);
        struct span chain[2] = {span_of(der[0], certify(k, NULL, der[0])),
                                span_of(der[1], certify(other, NULL, der[1]))};
        const struct sig_alg *alg = nacre_sig_find(crypto, span_str(rows[i].name));
        struct key *host = nacre_key_certified(crypto, k, rows[i].name, chain, 2);
        cr_assert(alg != NULL && host != NULL && nacre_key_is_private(host), "%s", rows[i].name);
        cr_expect_str_eq(nacre_key_type(host), rows[i].name);
        cr_expect_null(nacre_key_certified(crypto, other, rows[i].name, chain, 2), "a certificate of another key");
        cr_expect_null(nacre_key_certified(crypto, k, rows[(i + 4) % ROWS].name, chain, 0));
        struct key *seen = nacre_key_from_blob(crypto, nacre_key_blob(host));
        cr_assert(seen != NULL && !nacre_key_is_private(seen) && nacre_key_fits(seen, alg), "%s", rows[i].name);
        nacre_buf_init(&signature, SIGNATURE_MAX);
        cr_assert(nacre_key_sign(crypto, host, alg, data, &signature), "%s", rows[i].name);
        cr_expect(nacre_key_verify(crypto, seen, alg, data, buf_span(&signature)), "%s", rows[i].name);
        cr_expect_not(nacre_key_verify(crypto, seen, alg, span_str("something else"), buf_span(&signature)));
        cr_expect(span_is(span_of(signature.at + 4, strlen(rows[i].inside)), rows[i].inside), "%s", rows[i].name);
        signature.at[signature.len - 1] ^= 1;
        cr_expect_not(nacre_key_verify(crypto, seen, alg, data, buf_span(&signature)), "%s", rows[i].name);
        nacre_buf_free(&signature);
        nacre_key_unref(seen);
        nacre_key_unref(host);
        nacre_key_unref(other);
        nacre_key_unref(k);
    }
}

Test(x509, blobs_that_are_cut_or_padded_are_refused)
{
    for (size_t i = 0; i < ROWS; i++) {
        static uint8_t der[4096], longer[KEY_BLOB_MAX];
        struct key *k = plain_key(rows[i].name);
        struct span chain = span_of(der, certify(k, NULL, der));
        struct key *host = nacre_key_certified(crypto, k, rows[i].name, &chain, 1);
        struct span blob = nacre_key_blob(host);
        for (size_t len = 0; len < blob.len; len++)
            cr_expect_null(nacre_key_from_blob(crypto, span_of(blob.at, len)), "%s cut to %zu", rows[i].name, len);
        memcpy(longer, blob.at, blob.len);
        cr_expect_null(nacre_key_from_blob(crypto, span_of(longer, blob.len + 1)), "%s", rows[i].name);
        nacre_key_unref(host);
        nacre_key_unref(k);
    }
}

/* The bare certificate is what the blob is; the name and a length in front are understood. */
Test(x509, bare_certificates_may_be_named)
{
    static uint8_t der[4096], blob[4096];
    struct key *k = plain_key("ssh-rsa");
    struct span chain = span_of(der, certify(k, NULL, der));
    struct key *host = nacre_key_certified(crypto, k, "x509v3-sign-rsa", &chain, 1);
    cr_assert(span_eq(nacre_key_blob(host), chain));
    struct wr w = wr_over(blob, sizeof blob);
    wr_cstring(&w, "x509v3-sign-rsa");
    wr_string(&w, chain);
    struct key *named = nacre_key_from_blob(crypto, wr_span(&w));
    cr_expect(named != NULL && strcmp(nacre_key_type(named), "x509v3-sign-rsa") == 0);
    nacre_key_unref(named);
    nacre_key_unref(host);
    nacre_key_unref(k);
}

/* RFC 6187 section 2.2.1: with a KeyUsage, digitalSignature has to be in it. */
Test(x509, certificates_not_for_signing_are_refused)
{
    static uint8_t der[4096];
    struct key *k = plain_key("ecdsa-sha2-nistp256");
    struct span chain = span_of(der, certify(k, "keyCertSign,cRLSign", der));
    cr_expect_null(nacre_key_certified(crypto, k, "x509v3-ecdsa-sha2-nistp256", &chain, 1));
    chain = span_of(der, certify(k, "digitalSignature", der));
    struct key *good = nacre_key_certified(crypto, k, "x509v3-ecdsa-sha2-nistp256", &chain, 1);
    cr_expect_not_null(good);
    cr_expect_null(nacre_key_certified(crypto, k, "x509v3-ecdsa-sha2-nistp384", &chain, 1), "another curve");
    cr_expect_null(nacre_key_certified(crypto, k, "x509v3-ssh-rsa", &chain, 1), "another kind");
    cr_expect_null(nacre_key_certified(crypto, k, "ecdsa-sha2-nistp256", &chain, 1), "no certificate's type");
    nacre_key_unref(good);
    nacre_key_unref(k);
}

/* Rule R16: counts are not believed. */
Test(x509, r16_counts_are_checked_against_what_is_there)
{
    static const uint32_t counts[] = {0, 2, 17, UINT32_MAX};
    static uint8_t der[4096], blob[4096];
    struct key *k = plain_key("ecdsa-sha2-nistp256");
    struct span leaf = span_of(der, certify(k, NULL, der));
    for (size_t i = 0; i < 4; i++) {
        struct wr w = wr_over(blob, sizeof blob);
        wr_cstring(&w, "x509v3-ecdsa-sha2-nistp256");
        wr_u32(&w, counts[i]);
        wr_string(&w, leaf);
        wr_u32(&w, 0);
        cr_expect_null(nacre_key_from_blob(crypto, wr_span(&w)), "%u certificates", counts[i]);
        w = wr_over(blob, sizeof blob);
        wr_cstring(&w, "x509v3-ecdsa-sha2-nistp256");
        wr_u32(&w, 1);
        wr_string(&w, leaf);
        wr_u32(&w, counts[i]);
        struct key *made = nacre_key_from_blob(crypto, wr_span(&w));
        cr_expect_eq(made != NULL, counts[i] == 0, "%u OCSP answers", counts[i]);
        nacre_key_unref(made);
    }
    nacre_key_unref(k);
}
