/* SPDX-License-Identifier: Apache-2.0 */
/* Logging in with a security key: whether somebody has to touch it, or to be verified, is for the answer to say, and
 * for the certificate where there is one (rule R10). */
#include <criterion/criterion.h>

#include "ssh/auth.h"
#include "support/certs.h"
#include "support/pair.h"
#include "support/security_key.h"

static const char type[] = "sk-ssh-ed25519@openssh.com", cert_type[] = "sk-ssh-ed25519-cert-v01@openssh.com";

struct visit {
    struct pair *pair;
    struct key *plain, *sk, *ca;
    uint8_t trusted[512];
};

static void visit_open(struct visit *v)
{
    struct pair *p = v->pair = pair_new();

    v->plain = nacre_key_generate(p->crypto, "ssh-ed25519", 0);
    v->ca = nacre_key_generate(p->crypto, "ssh-ed25519", 0);
    v->sk = sk_public(p->crypto, v->plain, type, "ssh:");
    cr_assert(v->plain != NULL && v->ca != NULL && v->sk != NULL);
    struct wr w = wr_over(v->trusted, sizeof v->trusted);
    wr_string(&w, nacre_key_blob(v->ca));
    p->server.config.user_authorities = wr_span(&w);
    pair_start(p);
    pair_run(p);
}

static void visit_close(struct visit *v)
{
    nacre_key_unref(v->plain);
    nacre_key_unref(v->ca);
    nacre_key_unref(v->sk);
    pair_free(v->pair);
}

/* A login by that key blob; the device says `flags`. */
static void sign_in(struct visit *v, const char *alg, struct span blob, uint8_t flags)
{
    sk_log_in(v->pair->client.conn, v->plain, alg, blob, &(struct sk_says){type, "ssh:", flags});
    pair_run(v->pair);
}

struct sk_case {
    bool no_touch, verify;
    uint8_t flags;
    bool in;
};

static const struct sk_case cases[] = {
    {false, false, 0x01, true}, {false, false, 0x05, true}, {false, false, 0x00, false}, {false, false, 0x04, false},
    {true, false, 0x00, true},  {true, false, 0x01, true},  {true, true, 0x00, false},   {true, true, 0x04, true},
    {false, true, 0x01, false}, {false, true, 0x05, true},  {false, true, 0x04, false},
};

Test(security_keys, r10_the_answer_says_what_the_user_has_to_do)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct visit v;
        visit_open(&v);
        v.pair->server.answer.no_touch_required = cases[i].no_touch;
        v.pair->server.answer.verify_required = cases[i].verify;
        sign_in(&v, type, nacre_key_blob(v.sk), cases[i].flags);
        const struct conn_event *e = side_event(&v.pair->server, CONN_AUTH_REQUEST, 0);
        cr_assert(e != NULL && e->verified, "case %zu", i);
        cr_expect_eq(e->key_user.present, (cases[i].flags & 1) != 0, "case %zu", i);
        cr_expect_eq(e->key_user.verified, (cases[i].flags & 4) != 0, "case %zu", i);
        cr_expect_eq(side_count(&v.pair->server, CONN_AUTHENTICATED), cases[i].in, "case %zu", i);
        cr_expect_eq(side_event(&v.pair->server, CONN_AUTH_INFORM, 0)->verified, cases[i].in, "case %zu", i);
        visit_close(&v);
    }
}

/* A factor that nobody touched the key for is none. */
Test(security_keys, r10_nor_is_it_a_step_towards_a_login)
{
    struct visit v;

    visit_open(&v);
    v.pair->server.answer.partial_success = true;
    v.pair->server.refuses[CONN_AUTH_REQUEST] = true;
    sign_in(&v, type, nacre_key_blob(v.sk), 0x00);
    cr_assert_eq(side_count(&v.pair->server, CONN_AUTH_INFORM), 1);
    cr_assert_not(side_event(&v.pair->server, CONN_AUTH_INFORM, 0)->verified);
    cr_assert_eq(v.pair->server.conn->auth->failures, 1);
    visit_close(&v);
}

/* The answer is yes to everything, with leave not to touch the key. */
Test(security_keys, r10_a_certificate_speaks_for_itself)
{
    static const struct {
        const char *option, *extension;
        uint8_t flags;
        bool in;
    } plans[] = {{NULL, NULL, 0x01, true},
                 {NULL, NULL, 0x00, false},
                 {NULL, "no-touch-required", 0x00, true},
                 {"verify-required", NULL, 0x01, false},
                 {"verify-required", NULL, 0x05, true},
                 {"verify-required", "no-touch-required", 0x00, false}};

    for (size_t i = 0; i < sizeof plans / sizeof *plans; i++) {
        static uint8_t blob[KEY_BLOB_MAX];
        struct visit v;
        const struct cert_plan plan = {.type = cert_type,
                                       .ca_alg = "ssh-ed25519",
                                       .kind = CERT_USER,
                                       .principals = {"anna"},
                                       .option = plans[i].option,
                                       .extension = plans[i].extension};
        visit_open(&v);
        v.pair->server.answer.no_touch_required = true;
        size_t len = cert_make(v.pair->crypto, v.sk, v.ca, &plan, blob);
        sign_in(&v, cert_type, span_of(blob, len), plans[i].flags);
        cr_expect_eq(side_count(&v.pair->server, CONN_AUTHENTICATED), plans[i].in, "plan %zu", i);
        cr_expect_eq(side_count(&v.pair->server, CONN_AUTH_REQUEST), plans[i].in, "plan %zu: nobody is asked", i);
        visit_close(&v);
    }
}
