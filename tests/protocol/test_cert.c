/* SPDX-License-Identifier: Apache-2.0 */
/* Logging in with an OpenSSH certificate: what the application gets to see of it, and what it never does. */
#include <criterion/criterion.h>

#include <stdlib.h>

#include "support/certs.h"
#include "support/pair.h"
#include "wire/wr.h"

static const struct cert_plan anna = {.type = "ssh-ed25519-cert-v01@openssh.com",
                                      .ca_alg = "ssh-ed25519",
                                      .kind = CERT_USER,
                                      .principals = {"bob", "anna"}};

static bool only_known; /* the authority: not trusted */

struct login {
    struct pair *pair;
    struct key *user, *ca, *key;
    uint8_t trusted[512];
};

static void login_open(struct login *l, const struct cert_plan *plan, bool trusted, bool forged)
{
    static uint8_t blob[KEY_BLOB_MAX];
    struct pair *p = l->pair = pair_new();

    l->user = nacre_key_generate(p->crypto, "ssh-ed25519", 0);
    l->ca = nacre_key_generate(p->crypto, "ssh-ed25519", 0);
    size_t len = cert_make(p->crypto, l->user, l->ca, plan, blob);
    if (forged)
        blob[len - 1] ^= 1;
    l->key = nacre_cert_attach(p->crypto, l->user, span_of(blob, len));
    cr_assert_not_null(l->key);
    struct wr w = wr_over(l->trusted, sizeof l->trusted);
    wr_string(&w, nacre_key_blob(p->host_key));
    wr_string(&w, nacre_key_blob(trusted ? l->ca : l->user));
    *(only_known ? &p->server.config.known_authorities : &p->server.config.user_authorities) = wr_span(&w);
    pair_start(p);
    pair_run(p);
}

static void login_close(struct login *l)
{
    nacre_key_unref(l->user);
    nacre_key_unref(l->ca);
    nacre_key_unref(l->key);
    pair_free(l->pair);
}

static void try(struct login *l, bool query)
{
    cr_assert(query ? nacre_conn_auth_query(l->pair->client.conn, span_str("anna"), l->key, NULL)
                    : nacre_conn_auth_publickey(l->pair->client.conn, span_str("anna"), l->key, NULL));
    pair_run(l->pair);
}

Test(cert_login, a_good_one_is_asked_about_with_what_it_says)
{
    struct login l;

    login_open(&l, &anna, true, false);
    try(&l, true);
    cr_assert_eq(side_count(&l.pair->client, CONN_AUTH_KEY_OK), 1);
    const struct conn_event *e = side_event(&l.pair->server, CONN_AUTH_REQUEST, 0);
    cr_assert(e->query && !e->verified && e->cert != NULL);
    try(&l, false);
    e = side_event(&l.pair->server, CONN_AUTH_REQUEST, 1);
    cr_assert(!e->query && e->verified && e->cert != NULL && e->cert_trusted);
    cr_assert_eq(side_count(&l.pair->client, CONN_AUTHENTICATED), 1);
    login_close(&l);
}

/* For whom it is, is not looked at here. */
Test(cert_login, one_by_an_authority_that_is_only_known_is_asked_about_as_such)
{
    struct cert_plan nobody = anna;
    nobody.principals[0] = NULL;
    only_known = true;
    for (int named = 0; named < 2; named++) {
        struct login l;
        login_open(&l, named != 0 ? &anna : &nobody, true, false);
        try(&l, false);
        const struct conn_event *e = side_event(&l.pair->server, CONN_AUTH_REQUEST, 0);
        cr_assert(e->verified && e->cert != NULL && !e->cert_trusted);
        login_close(&l);
    }
}

Test(cert_login, r09_others_of_a_known_authority_never_reach_the_application)
{
    struct cert_plan host = anna, strange = anna;
    host.kind = CERT_HOST;
    strange.option = "unheard-of";
    strange.value = "1";
    const struct {
        const struct cert_plan *plan;
        bool known, forged;
    } cases[] = {{&anna, false, false}, {&anna, true, true}, {&host, true, false}, {&strange, true, false}};
    only_known = true;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct login l;
        login_open(&l, cases[i].plan, cases[i].known, cases[i].forged);
        try(&l, false);
        cr_expect_eq(side_count(&l.pair->server, CONN_AUTH_REQUEST), 0, "case %zu", i);
        cr_expect_eq(side_count(&l.pair->client, CONN_AUTHENTICATED), 0, "case %zu", i);
        login_close(&l);
    }
}

/* The application's answer is yes to everything, and it is not even asked. */
Test(cert_login, r09_r11_others_never_reach_the_application)
{
    struct cert_plan host = anna, other = anna, nobody = anna, strange = anna;
    host.kind = CERT_HOST;
    other.principals[1] = "anna,carol";
    nobody.principals[0] = NULL;
    strange.option = "unheard-of";
    strange.value = "1";
    const struct {
        const struct cert_plan *plan;
        bool trusted, forged;
    } cases[] = {{&anna, false, false}, {&anna, true, true},    {&host, true, false},
                 {&other, true, false}, {&nobody, true, false}, {&strange, true, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int query = 0; query < 2; query++) {
            struct login l;
            login_open(&l, cases[i].plan, cases[i].trusted, cases[i].forged);
            try(&l, query != 0);
            cr_expect_eq(side_count(&l.pair->server, CONN_AUTH_REQUEST), 0, "case %zu, query %d", i, query);
            cr_expect_eq(side_count(&l.pair->client, CONN_AUTH_KEY_OK), 0, "case %zu, query %d", i, query);
            cr_expect_eq(side_count(&l.pair->client, CONN_AUTH_FAILED), 1, "case %zu, query %d", i, query);
            cr_expect_eq(side_count(&l.pair->client, CONN_AUTHENTICATED), 0, "case %zu, query %d", i, query);
            login_close(&l);
        }
    }
}

/* Rule R6: a late yes to the query of a genuine certificate lets nobody in. */
Test(cert_login, r06_a_yes_to_a_query_is_no_login)
{
    struct login l;
    struct conn_answer yes = {.accept = true};

    login_open(&l, &anna, true, false);
    l.pair->server.leaves_open[CONN_AUTH_REQUEST] = true;
    try(&l, true);
    cr_assert(nacre_conn_answer(l.pair->server.conn, side_event(&l.pair->server, CONN_AUTH_REQUEST, 0)->serial, &yes,
                                l.pair->now_ns));
    pair_run(l.pair);
    cr_assert_eq(side_count(&l.pair->client, CONN_AUTH_KEY_OK), 1);
    cr_assert_eq(side_count(&l.pair->server, CONN_AUTHENTICATED), 0);
    login_close(&l);
}

/* A host's certificate is a host key like any other. */
Test(cert_login, a_host_may_have_a_certificate)
{
    static uint8_t blob[KEY_BLOB_MAX];
    struct pair *p = pair_new();
    struct cert_plan host = anna;
    host.kind = CERT_HOST;
    struct key *ca = nacre_key_generate(p->crypto, "ssh-ed25519", 0), *plain = p->host_key;
    size_t len = cert_make(p->crypto, plain, ca, &host, blob);
    p->host_key = nacre_cert_attach(p->crypto, plain, span_of(blob, len));
    p->client.config.algorithms.host_key = "ssh-ed25519-cert-v01@openssh.com";
    pair_login(p);
    cr_assert_eq(side_count(&p->client, CONN_AUTHENTICATED), 1);
    cr_assert(span_eq(side_event(&p->client, CONN_HOST_KEY, 0)->data, span_of(blob, len)));
    nacre_key_unref(plain);
    nacre_key_unref(ca);
    pair_free(p);
}
