/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSH's certificates and security keys. */
#include <criterion/criterion.h>

#include "crypto/algs.h"
#include "crypto/cert.h"
#include "support/certs.h"
#include "unit/crypto/bytes.h"
#include "wire/rd.h"
#include "wire/wr.h"

static struct nacre_crypto *crypto;

static void setup(void)
{
    crypto = nacre_crypto_open(true);
    cr_assert_not_null(crypto);
}

static void teardown(void)
{
    nacre_crypto_unref(crypto);
}

TestSuite(cert, .init = setup, .fini = teardown);

static const struct span data = {(const uint8_t *)"what is signed", 14};

struct plan {
    const char *plain;
    struct cert_plan p;
};

struct made {
    struct key *user, *ca, *cert;
    uint8_t blob[KEY_BLOB_MAX];
    size_t len;
};

static struct span fields_of(const struct key *k)
{
    struct rd r = rd_over(nacre_key_blob(k));
    (void)rd_string(&r, 64);
    return span_of(r.at, (size_t)(r.end - r.at));
}

static void make(struct made *m, const struct plan *plan)
{
    const struct sig_alg *alg = nacre_sig_find(crypto, span_str(plan->p.ca_alg));
    m->user = nacre_key_generate(crypto, plan->plain, KEY_RSA_MIN_BITS);
    m->ca = nacre_key_generate(crypto, alg->key_name, KEY_RSA_MIN_BITS);
    cr_assert(m->user != NULL && m->ca != NULL);
    m->len = cert_make(crypto, m->user, m->ca, &plan->p, m->blob);
    m->cert = nacre_key_from_blob(crypto, span_of(m->blob, m->len));
}

static void unmake(struct made *m)
{
    nacre_key_unref(m->user);
    nacre_key_unref(m->ca);
    nacre_key_unref(m->cert);
}

static const struct plan simple = {.plain = "ssh-ed25519",
                                   .p = {.type = "ssh-ed25519-cert-v01@openssh.com",
                                         .ca_alg = "ssh-ed25519",
                                         .kind = CERT_USER,
                                         .principals = {"anna", "bob,carol"}}};

Test(cert, every_kind_of_key_is_certified_and_signs)
{
    static const struct {
        const char *plain, *plain_alg, *type, *alg;
    } rows[] = {
        {"ssh-ed25519", "ssh-ed25519", "ssh-ed25519-cert-v01@openssh.com", "ssh-ed25519-cert-v01@openssh.com"},
        {"ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256-cert-v01@openssh.com",
         "ecdsa-sha2-nistp256-cert-v01@openssh.com"},
        {"ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384-cert-v01@openssh.com",
         "ecdsa-sha2-nistp384-cert-v01@openssh.com"},
        {"ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521-cert-v01@openssh.com",
         "ecdsa-sha2-nistp521-cert-v01@openssh.com"},
        {"ssh-rsa", "rsa-sha2-512", "ssh-rsa-cert-v01@openssh.com", "rsa-sha2-512-cert-v01@openssh.com"},
        {"ssh-rsa", "rsa-sha2-256", "ssh-rsa-cert-v01@openssh.com", "rsa-sha2-256-cert-v01@openssh.com"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct plan p = simple;
        struct made m;
        struct key_cert cert;
        struct buf signature;
        p.plain = rows[i].plain;
        p.p.type = rows[i].type;
        p.p.ca_alg = rows[i].plain_alg;
        make(&m, &p);
        cr_assert(m.cert != NULL && nacre_cert_read(nacre_key_blob(m.cert), &cert), "%s", rows[i].type);
        cr_expect(nacre_cert_is_signed(crypto, &cert), "%s", rows[i].type);
        cr_expect(cert.serial == 77 && cert.kind == CERT_USER && span_is(cert.key_id, "an id"));
        cr_expect(cert.valid_after == 1000 && cert.valid_before == 2000);
        cr_expect(span_eq(cert.authority, nacre_key_blob(m.ca)));
        struct key *held = nacre_cert_attach(crypto, m.user, nacre_key_blob(m.cert));
        cr_assert(held != NULL && nacre_key_is_private(held));
        cr_expect(span_eq(nacre_key_blob(held), nacre_key_blob(m.cert)));
        cr_expect_null(nacre_cert_attach(crypto, m.ca, nacre_key_blob(m.cert)), "of another key");
        nacre_key_unref(held);
        nacre_buf_init(&signature, SIGNATURE_MAX);
        const struct sig_alg *alg = nacre_sig_find(crypto, span_str(rows[i].alg));
        cr_assert(
            nacre_key_sign(crypto, m.user, nacre_sig_find(crypto, span_str(rows[i].plain_alg)), data, &signature));
        cr_expect(nacre_key_fits(m.cert, alg));
        cr_expect(nacre_key_verify(crypto, m.cert, alg, data, buf_span(&signature)), "%s", rows[i].alg);
        cr_expect_not(nacre_key_fits(m.cert, nacre_sig_find(crypto, span_str(rows[i].plain_alg))));
        nacre_buf_free(&signature);
        unmake(&m);
    }
}

Test(cert, every_truncation_is_refused_and_every_change_breaks_the_signature)
{
    struct made m;
    struct key_cert cert;
    make(&m, &simple);
    for (size_t len = 0; len < m.len; len++)
        cr_expect_null(nacre_key_from_blob(crypto, span_of(m.blob, len)), "cut to %zu", len);
    for (size_t at = 0; at < m.len; at++) {
        m.blob[at] ^= 1;
        struct key *k = nacre_key_from_blob(crypto, span_of(m.blob, m.len));
        bool read = k != NULL && nacre_cert_read(nacre_key_blob(k), &cert);
        cr_expect(!read || !nacre_cert_is_signed(crypto, &cert), "byte %zu", at);
        nacre_key_unref(k);
        m.blob[at] ^= 1;
    }
    unmake(&m);
}

Test(cert, r11_principals_are_whole_names_and_none_is_nobody)
{
    struct made m;
    struct key_cert cert;
    struct plan p = simple;
    make(&m, &p);
    cr_assert(nacre_cert_read(nacre_key_blob(m.cert), &cert));
    cr_expect(nacre_cert_names(&cert, span_str("anna")));
    cr_expect(nacre_cert_names(&cert, span_str("bob,carol")));
    cr_expect_not(nacre_cert_names(&cert, span_str("bob")));
    cr_expect_not(nacre_cert_names(&cert, span_str("ann")));
    cr_expect_not(nacre_cert_names(&cert, span_str("annab")));
    cr_expect_not(nacre_cert_names(&cert, span_str("")));
    unmake(&m);
    p.p.principals[0] = NULL;
    make(&m, &p);
    cr_assert(nacre_cert_read(nacre_key_blob(m.cert), &cert));
    cr_expect_not(nacre_cert_names(&cert, span_str("anna")));
    cr_expect_not(nacre_cert_names(&cert, span_str("")));
    unmake(&m);
}

Test(cert, critical_options_that_are_not_known_are_told)
{
    static const struct {
        const char *name, *second;
        bool known;
    } cases[] = {{NULL, NULL, true},
                 {"force-command", NULL, true},
                 {"source-address", NULL, true},
                 {"force-command", "source-address", true},
                 {"force-command", "force-command", false},
                 {"verify-required", NULL, false},
                 {"force-command", "other", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct made m;
        struct key_cert cert;
        struct span value;
        struct plan p = simple;
        p.p.option = cases[i].name;
        p.p.value = "127.0.0.0/8";
        p.p.option2 = cases[i].second;
        make(&m, &p);
        cr_assert(nacre_cert_read(nacre_key_blob(m.cert), &cert));
        cr_expect_eq(nacre_cert_options_known(&cert), cases[i].known, "case %zu", i);
        if (cases[i].known && cases[i].name != NULL)
            cr_expect(nacre_cert_option(&cert, cases[i].name, &value) && span_is(value, "127.0.0.0/8"));
        cr_expect_not(nacre_cert_option(&cert, "absent", &value));
        unmake(&m);
    }
}

/* Rule R9: an authority that is a certificate, or names itself one, is refused before it is looked at. */
Test(cert, r09_a_certificate_is_no_authority)
{
    static uint8_t blob[KEY_BLOB_MAX];
    struct made m;
    struct key_cert cert;
    make(&m, &simple);
    cr_assert(nacre_cert_read(nacre_key_blob(m.cert), &cert));
    struct span own = nacre_key_blob(m.cert);
    size_t front = (size_t)(cert.authority.at - own.at) - 4;
    struct wr w = wr_over(blob, sizeof blob);
    wr_bytes(&w, own.at, front);
    wr_string(&w, own);
    wr_string(&w, cert.signature);
    cr_expect_null(nacre_key_from_blob(crypto, wr_span(&w)));
    cert.authority = own;
    cr_expect_not(nacre_cert_is_signed(crypto, &cert));
    unmake(&m);
}

Test(cert, extensions_are_told_by_name)
{
    struct made m;
    struct key_cert cert;
    char text[64];
    make(&m, &simple);
    cr_assert(nacre_cert_read(nacre_key_blob(m.cert), &cert));
    nacre_cert_extensions(&cert, text, sizeof text);
    cr_expect_str_eq(text, "permit-pty,permit-port-forwarding");
    nacre_cert_extensions(&cert, text, 12);
    cr_expect_str_eq(text, "permit-pty");
    nacre_cert_extensions(&cert, text, 1);
    cr_expect_str_eq(text, "");
    unmake(&m);
}

Test(cert, sha1_signatures_of_an_authority_do_not_count)
{
    struct made m;
    struct key_cert cert;
    struct plan p = simple;
    p.p.ca_alg = "ssh-rsa";
    make(&m, &p);
    cr_assert(m.cert != NULL && nacre_cert_read(nacre_key_blob(m.cert), &cert));
    cr_expect_not(nacre_cert_is_signed(crypto, &cert));
    unmake(&m);
}

/* What a device would answer, made with a plain key. */
static void sk_signature(const struct key *plain, const char *alg, const char *application, uint8_t flags,
                         struct buf *out)
{
    uint8_t hash[HASH_MAX], signed_data[69], blob[512];
    struct span name = span_str(application);
    struct buf plain_signature;
    struct wr w = wr_over(signed_data, sizeof signed_data);
    cr_assert(nacre_hash(crypto, HASH_SHA256, &name, 1, hash));
    wr_bytes(&w, hash, 32);
    wr_u8(&w, flags);
    wr_u32(&w, 5);
    cr_assert(nacre_hash(crypto, HASH_SHA256, &data, 1, hash));
    wr_bytes(&w, hash, 32);
    nacre_buf_init(&plain_signature, SIGNATURE_MAX);
    const struct sig_alg *row = nacre_sig_find(crypto, span_str(nacre_key_type(plain)));
    cr_assert(nacre_key_sign(crypto, plain, row, wr_span(&w), &plain_signature));
    struct rd r = rd_over(buf_span(&plain_signature));
    (void)rd_string(&r, 64);
    struct wr b = wr_over(blob, sizeof blob);
    wr_cstring(&b, alg);
    wr_string(&b, rd_string(&r, 256));
    wr_u8(&b, flags);
    wr_u32(&b, 5);
    out->len = 0;
    cr_assert(nacre_buf_append(out, blob, wr_len(&b)));
    nacre_buf_free(&plain_signature);
}

Test(cert, r10_security_keys_need_somebody_present)
{
    static const char *const rows[][2] = {{"ssh-ed25519", "sk-ssh-ed25519@openssh.com"},
                                          {"ecdsa-sha2-nistp256", "sk-ecdsa-sha2-nistp256@openssh.com"}};
    for (size_t i = 0; i < 2; i++) {
        uint8_t blob[512];
        struct buf signature;
        struct key *plain = nacre_key_generate(crypto, rows[i][0], 0);
        struct wr w = wr_over(blob, sizeof blob);
        wr_cstring(&w, rows[i][1]);
        wr_bytes(&w, fields_of(plain).at, fields_of(plain).len);
        wr_cstring(&w, "ssh:");
        struct key *sk = nacre_key_from_blob(crypto, wr_span(&w));
        const struct sig_alg *alg = nacre_sig_find(crypto, span_str(rows[i][1]));
        cr_assert(sk != NULL && alg != NULL && !nacre_key_is_private(sk), "%s", rows[i][1]);
        nacre_buf_init(&signature, SIGNATURE_MAX);
        sk_signature(plain, rows[i][1], "ssh:", 0x01, &signature);
        cr_expect(nacre_key_verify(crypto, sk, alg, data, buf_span(&signature)), "%s", rows[i][1]);
        for (size_t len = 0; len < signature.len; len++)
            cr_expect_not(nacre_key_verify(crypto, sk, alg, data, span_of(signature.at, len)), "cut to %zu", len);
        signature.at[signature.len - 5] ^= 0x04;
        cr_expect_not(nacre_key_verify(crypto, sk, alg, data, buf_span(&signature)), "flags are signed");
        sk_signature(plain, rows[i][1], "ssh:", 0x05, &signature);
        cr_expect(nacre_key_verify(crypto, sk, alg, data, buf_span(&signature)), "present and verified");
        sk_signature(plain, rows[i][1], "ssh:", 0x00, &signature);
        cr_expect_not(nacre_key_verify(crypto, sk, alg, data, buf_span(&signature)), "nobody was there");
        sk_signature(plain, rows[i][1], "ssh:", 0x04, &signature);
        cr_expect_not(nacre_key_verify(crypto, sk, alg, data, buf_span(&signature)), "verified, yet not present");
        sk_signature(plain, rows[i][1], "web:", 0x01, &signature);
        cr_expect_not(nacre_key_verify(crypto, sk, alg, data, buf_span(&signature)), "another application");
        cr_expect_null(nacre_key_from_blob(crypto, span_of(blob, wr_len(&w) - 8)), "no application");
        nacre_buf_free(&signature);
        nacre_key_unref(sk);
        nacre_key_unref(plain);
    }
}
