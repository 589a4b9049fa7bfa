/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSH's certificates and security keys. */
#include <criterion/criterion.h>

#include "crypto/cert.h"
#include "support/certs.h"
#include "support/security_key.h"
#include "unit/crypto/bytes.h"
#include "unit/crypto/fixture.h"
#include "wire/rd.h"
#include "wire/wr.h"

TestSuite(cert, .init = crypto_set_up, .fini = crypto_tear_down);

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

Test(cert, principals_are_told_but_for_what_would_be_two)
{
    struct made m;
    struct key_cert cert;
    struct plan p = simple;
    char text[64];
    p.p.principals[0] = "anna,berta";
    p.p.principals[1] = "zo\xc3\xab";
    p.p.principals[2] = "carla";
    make(&m, &p);
    cr_assert(nacre_cert_read(nacre_key_blob(m.cert), &cert));
    nacre_cert_principals(&cert, text, sizeof text);
    cr_expect_str_eq(text, "zo\xc3\xab,carla");
    nacre_cert_principals(&cert, text, 8);
    cr_expect_str_eq(text, "zo\xc3\xab");
    nacre_cert_principals(&cert, text, 1);
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

Test(cert, r10_security_keys_need_somebody_present)
{
    static const char *const rows[][2] = {{"ssh-ed25519", "sk-ssh-ed25519@openssh.com"},
                                          {"ecdsa-sha2-nistp256", "sk-ecdsa-sha2-nistp256@openssh.com"}};
    for (size_t i = 0; i < 2; i++) {
        struct buf signature;
        struct key *plain = nacre_key_generate(crypto, rows[i][0], 0);
        struct key *sk = sk_public(crypto, plain, rows[i][1], "ssh:");
        const struct sig_alg *alg = nacre_sig_find(crypto, span_str(rows[i][1]));
        cr_assert(sk != NULL && alg != NULL && !nacre_key_is_private(sk), "%s", rows[i][1]);
        nacre_buf_init(&signature, SIGNATURE_MAX);
        sk_sign(crypto, plain, &(struct sk_says){rows[i][1], "ssh:", 0x01}, data, &signature);
        cr_expect(nacre_key_verify(crypto, sk, alg, data, buf_span(&signature)), "%s", rows[i][1]);
        for (size_t len = 0; len < signature.len; len++)
            cr_expect_not(nacre_key_verify(crypto, sk, alg, data, span_of(signature.at, len)), "cut to %zu", len);
        signature.at[signature.len - 5] ^= 0x04;
        cr_expect_not(nacre_key_verify(crypto, sk, alg, data, buf_span(&signature)), "flags are signed");
        sk_sign(crypto, plain, &(struct sk_says){rows[i][1], "ssh:", 0x05}, data, &signature);
        cr_expect(nacre_key_verify(crypto, sk, alg, data, buf_span(&signature)), "present and verified");
        sk_sign(crypto, plain, &(struct sk_says){rows[i][1], "ssh:", 0x00}, data, &signature);
        cr_expect_not(nacre_key_verify(crypto, sk, alg, data, buf_span(&signature)), "nobody was there");
        sk_sign(crypto, plain, &(struct sk_says){rows[i][1], "ssh:", 0x04}, data, &signature);
        cr_expect_not(nacre_key_verify(crypto, sk, alg, data, buf_span(&signature)), "verified, yet not present");
        struct key_user user;
        cr_expect(nacre_key_verify_user(crypto, sk, alg, data, buf_span(&signature), &user));
        cr_expect(!user.present && user.verified);
        signature.at[signature.len - 5] ^= 0x01;
        cr_expect_not(nacre_key_verify_user(crypto, sk, alg, data, buf_span(&signature), &user), "flags are signed");
        sk_sign(crypto, plain, &(struct sk_says){rows[i][1], "web:", 0x01}, data, &signature);
        cr_expect_not(nacre_key_verify(crypto, sk, alg, data, buf_span(&signature)), "another application");
        struct span blob = nacre_key_blob(sk);
        cr_expect_null(nacre_key_from_blob(crypto, span_of(blob.at, blob.len - 8)), "no application");
        nacre_buf_free(&signature);
        nacre_key_unref(sk);
        nacre_key_unref(plain);
    }
}

/* Rule R10: the certificate's word on what the user of a security key has to do. */
Test(cert, r10_a_certificate_says_what_its_user_has_to_do)
{
    const struct key_user touched = {true, false}, verified = {true, true}, nobody = {false, false};
    static const struct {
        const char *option, *value, *extension;
        bool known, touched, verified, nobody;
    } cases[] = {{NULL, NULL, NULL, true, true, true, false},
                 {NULL, NULL, "no-touch-required", true, true, true, true},
                 {"verify-required", NULL, NULL, true, false, true, false},
                 {"verify-required", NULL, "no-touch-required", true, false, true, false},
                 {"verify-required", "x", NULL, false, true, true, false},
                 {"no-touch-required", NULL, NULL, false, true, true, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct made m;
        struct key_cert cert;
        struct plan p = simple;
        p.p.option = cases[i].option;
        p.p.value = cases[i].value;
        p.p.extension = cases[i].extension;
        make(&m, &p);
        cr_assert(m.cert != NULL && nacre_cert_read(nacre_key_blob(m.cert), &cert));
        cr_expect_eq(nacre_cert_options_known(&cert), cases[i].known, "case %zu", i);
        if (cases[i].known) {
            cr_expect_eq(nacre_cert_suffices(&cert, touched), cases[i].touched, "case %zu", i);
            cr_expect_eq(nacre_cert_suffices(&cert, verified), cases[i].verified, "case %zu", i);
            cr_expect_eq(nacre_cert_suffices(&cert, nobody), cases[i].nobody, "case %zu", i);
        }
        unmake(&m);
    }
}
