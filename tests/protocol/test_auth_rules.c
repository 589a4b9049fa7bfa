/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of logging in, each broken: what is counted, what a late answer is worth, which keys are not even looked
 * at. */
#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include "ssh/conn_priv.h"
#include "support/pair.h"

enum {
    ATTEMPTS = 4
};

static const struct conn_answer yes = {.accept = true}, no = {.accept = false};

/* A login request by hand, up to the method's name. */
static void begin_request(struct wr *w, const char *user, const char *service, const char *method)
{
    wr_u8(w, MSG_USERAUTH_REQUEST);
    wr_cstring(w, user);
    wr_cstring(w, service);
    wr_cstring(w, method);
}

static void say(struct pair *p, struct wr *w)
{
    cr_assert(wr_done(w));
    (void)nacre_packet_payload(p->client.conn, wr_span(w));
    pair_carry(&p->client, &p->server);
    pair_feed(&p->server);
    pair_carry(&p->server, &p->client);
}

static struct pair *ready_for_auth(unsigned attempts)
{
    static const struct conn_prompt prompt = {.prompt = {(const uint8_t *)"Code: ", 6}};
    struct pair *p = pair_new();

    p->server.config.max_auth_attempts = attempts;
    p->server.config.auth_methods = "password,publickey,hostbased,keyboard-interactive";
    pair_start(p);
    pair_run(p);
    cr_assert(nacre_conn_set_prompts(p->server.conn, span_str(""), &prompt, 1));
    return p;
}

static bool is_over(const struct pair *p)
{
    return nacre_conn_is_closing(p->server.conn);
}

/* ---- R8 --------------------------------------------------------------------------------------------------------- */

static struct key *key;

static void by_none(struct pair *p)
{
    (void)nacre_conn_auth_none(p->client.conn, span_str("anna"));
}

static void by_password(struct pair *p)
{
    (void)nacre_conn_auth_password(p->client.conn, span_str("anna"), span_str("wrong"));
}

static void by_change(struct pair *p)
{
    (void)nacre_conn_auth_change(p->client.conn, span_str("anna"), span_str("wrong"), span_str("new"));
}

static void by_key(struct pair *p)
{
    (void)nacre_conn_auth_publickey(p->client.conn, span_str("anna"), key, NULL);
}

static void by_bad_signature(struct pair *p)
{
    p->client.conn->session_id[0] ^= 1;
    by_key(p);
    p->client.conn->session_id[0] ^= 1;
}

static void by_host(struct pair *p)
{
    (void)nacre_conn_auth_hostbased(p->client.conn, span_str("anna"), key, NULL, span_str("a"), span_str("anna"));
}

static void by_code(struct pair *p)
{
    const struct span response = span_str("wrong");

    (void)nacre_conn_auth_kbdint(p->client.conn, span_str("anna"));
    pair_run(p);
    (void)nacre_conn_auth_responses(p->client.conn, &response, 1);
}

static void by_other_users(struct pair *p)
{
    static unsigned n;

    n++;
    (void)nacre_conn_auth_password(p->client.conn, span_str(n % 2 == 0 ? "berta" : "carla"), span_str("wrong"));
}

static void by_unknown_method(struct pair *p)
{
    uint8_t request[128];
    struct wr w = wr_over(request, sizeof request);

    begin_request(&w, "anna", "ssh-connection", "gssapi");
    /* Its refusal answers no request that our client knows of. */
    cr_assert(wr_done(&w));
    (void)nacre_packet_payload(p->client.conn, wr_span(&w));
    pair_carry(&p->client, &p->server);
    pair_feed(&p->server);
    struct span spans[4];
    while (nacre_conn_output(p->server.conn, spans, 4) != 0)
        nacre_conn_output_take(p->server.conn, nacre_conn_output_bytes(p->server.conn), p->now_ns);
}

static void (*const ways[])(struct pair *) = {by_password, by_change, by_key,         by_bad_signature, by_host,
                                              by_code,     by_none,   by_other_users, by_unknown_method};

enum {
    WAYS = sizeof ways / sizeof *ways
};

Test(auth_rules, r08_every_method_ends_at_the_same_number_of_failures)
{
    for (size_t way = 0; way < WAYS; way++) {
        struct pair *p = ready_for_auth(ATTEMPTS);
        unsigned tries = 0;
        p->server.refuses[CONN_AUTH_REQUEST] = true;
        key = nacre_key_generate(p->crypto, "ssh-ed25519", 0);
        while (tries < 20 && !is_over(p)) {
            ways[way](p);
            if (ways[way] != by_unknown_method)
                pair_run(p);
            tries++;
        }
        /* The first "none" only asks for the methods. */
        cr_expect_eq(tries, ATTEMPTS + (ways[way] == by_none ? 1 : 0), "way %zu: %u", way, tries);
        cr_assert_eq(side_event(&p->server, CONN_DISCONNECTED, 0)->error, NACRE_E_AUTHENTICATION);
        cr_expect_eq(side_count(&p->server, CONN_AUTHENTICATED), 0);
        nacre_key_unref(key);
        pair_free(p);
    }
}

Test(auth_rules, r08_failures_of_different_methods_add_up)
{
    struct pair *p = ready_for_auth(WAYS - 2); /* without the first "none", and the one that our client cannot follow */
    unsigned tries = 0;

    p->server.refuses[CONN_AUTH_REQUEST] = true;
    key = nacre_key_generate(p->crypto, "ssh-ed25519", 0);
    for (; tries < 2 * WAYS && !is_over(p); tries++) {
        ways[tries % (WAYS - 1)](p);
        pair_run(p);
    }
    cr_assert_eq(tries, WAYS - 1);
    nacre_key_unref(key);
    pair_free(p);
}

/* ---- R6 --------------------------------------------------------------------------------------------------------- */

static uint64_t last_question(const struct side *s)
{
    const struct conn_event *e = NULL, *next;

    for (size_t n = 0; (next = side_event(s, CONN_AUTH_REQUEST, n)) != NULL; n++)
        e = next;
    return e == NULL ? 0 : e->serial;
}

static void finish_work(struct side *s)
{
    struct work *work = s->work;

    cr_assert_not_null(work);
    s->work = NULL;
    s->defers_work = false;
    work->run(work);
    nacre_conn_work_done(s->conn, work, s->pair->now_ns);
}

Test(auth_rules, r06_while_a_signature_is_checked_there_is_nothing_to_answer)
{
    static void (*const by[])(struct pair *) = {by_key, by_bad_signature, by_host};

    for (size_t way = 0; way < 3; way++) {
        struct pair *p = ready_for_auth(6);
        bool good = by[way] != by_bad_signature;
        key = nacre_key_generate(p->crypto, "ssh-ed25519", 0);
        p->server.leaves_open[CONN_AUTH_REQUEST] = p->server.defers_work = true;
        by[way](p);
        pair_run(p);
        cr_assert_not_null(p->server.work);
        for (uint64_t serial = 0; serial < p->server.conn->next_serial + 8; serial++)
            cr_assert_not(nacre_conn_answer(p->server.conn, serial, &yes, p->now_ns));
        finish_work(&p->server);
        cr_expect_eq(side_count(&p->server, CONN_AUTH_REQUEST), good ? 1 : 0, "way %zu", way);
        cr_expect_eq(nacre_conn_answer(p->server.conn, last_question(&p->server), &yes, p->now_ns), good);
        pair_run(p);
        cr_expect_eq(side_count(&p->server, CONN_AUTHENTICATED), good ? 1 : 0, "way %zu", way);
        nacre_key_unref(key);
        pair_free(p);
    }
}

Test(auth_rules, r06_what_one_user_was_granted_is_not_anothers)
{
    struct pair *p = ready_for_auth(6);

    key = nacre_key_generate(p->crypto, "ssh-ed25519", 0);
    p->server.leaves_open[CONN_AUTH_REQUEST] = true;
    (void)nacre_conn_auth_query(p->client.conn, span_str("anna"), key, NULL);
    pair_run(p);
    uint64_t query = last_question(&p->server);
    cr_assert(nacre_conn_answer(p->server.conn, query, &yes, p->now_ns));
    pair_run(p);
    (void)nacre_conn_auth_publickey(p->client.conn, span_str("berta"), key, NULL);
    pair_run(p);
    const struct conn_event *e = side_event(&p->server, CONN_AUTH_REQUEST, 1);
    cr_assert(span_is(e->user, "berta") && e->verified);
    cr_assert_not(nacre_conn_answer(p->server.conn, query, &yes, p->now_ns));
    cr_assert(nacre_conn_answer(p->server.conn, e->serial, &no, p->now_ns));
    pair_run(p);
    cr_assert_eq(side_count(&p->server, CONN_AUTHENTICATED), 0);
    by_key(p);
    pair_run(p);
    cr_assert_not(nacre_conn_answer(p->server.conn, e->serial, &yes, p->now_ns));
    cr_assert(nacre_conn_answer(p->server.conn, last_question(&p->server), &yes, p->now_ns));
    pair_run(p);
    cr_assert(span_is(side_event(&p->server, CONN_AUTHENTICATED, 0)->user, "anna"));
    nacre_key_unref(key);
    pair_free(p);
}

/* ---- R5 --------------------------------------------------------------------------------------------------------- */

Test(auth_rules, r05_the_verified_request_names_the_key_that_signed)
{
    struct pair *p = ready_for_auth(6);
    struct key *offered = nacre_key_generate(p->crypto, "ssh-ed25519", 0);

    key = nacre_key_generate(p->crypto, "ssh-ed25519", 0);
    (void)nacre_conn_auth_query(p->client.conn, span_str("anna"), offered, NULL);
    pair_run(p);
    by_key(p);
    pair_run(p);
    const struct conn_event *e = side_event(&p->server, CONN_AUTH_REQUEST, 1);
    cr_assert(e->verified && span_eq(e->param, nacre_key_blob(key)));
    e = side_event(&p->server, CONN_AUTH_INFORM, 0);
    cr_assert(e != NULL && e->verified && span_eq(e->param, nacre_key_blob(key)));
    nacre_key_unref(offered);
    nacre_key_unref(key);
    pair_free(p);
}

/* ---- R7 --------------------------------------------------------------------------------------------------------- */

Test(auth_rules, r07_there_is_no_other_service_to_take_a_step_towards)
{
    struct pair *p = ready_for_auth(6);
    uint8_t request[128];
    struct wr w = wr_over(request, sizeof request);

    p->server.answer = (struct conn_answer){.partial_success = true, .available_methods = span_str("publickey")};
    by_password(p);
    pair_run(p);
    begin_request(&w, "anna", "ssh-userauth", "none");
    say(p, &w);
    cr_assert_eq(side_event(&p->server, CONN_DISCONNECTED, 0)->error, NACRE_E_SERVICE);
    cr_assert_eq(side_count(&p->server, CONN_AUTHENTICATED), 0);
    pair_free(p);
}

/* ---- R12 -------------------------------------------------------------------------------------------------------- */

Test(auth_rules, r12_over_long_responses_and_those_with_a_nul_are_refused)
{
    static char much[CONN_PASSWORD_MAX + 2];
    memset(much, 'x', sizeof much - 1);
    const struct span responses[] = {span_str(much), span_of("a\0b", 3)};

    for (size_t i = 0; i < 2; i++) {
        struct pair *p = ready_for_auth(6);
        (void)nacre_conn_auth_kbdint(p->client.conn, span_str("anna"));
        pair_run(p);
        cr_assert(nacre_conn_auth_responses(p->client.conn, &responses[i], 1));
        pair_run(p);
        cr_expect_eq(side_count(&p->server, CONN_AUTH_REQUEST), 0, "case %zu", i);
        cr_expect_eq(side_count(&p->client, CONN_AUTH_FAILED), 1, "case %zu", i);
        pair_free(p);
    }
}

/* ---- R25 -------------------------------------------------------------------------------------------------------- */

/* A login by an RSA key of that size, with something in place of a signature unless it is a query. */
static void by_rsa(struct pair *p, size_t bytes, struct span exponent, bool query)
{
    static uint8_t blob[4096], request[8192], modulus[3000];
    struct wr b = wr_over(blob, sizeof blob), w = wr_over(request, sizeof request);

    memset(modulus, 0xff, sizeof modulus);
    modulus[0] = 0; /* an mpint is positive */
    wr_cstring(&b, "ssh-rsa");
    wr_string(&b, exponent);
    wr_string(&b, span_of(modulus, bytes + 1));
    begin_request(&w, "anna", "ssh-connection", "publickey");
    wr_bool(&w, !query);
    wr_cstring(&w, "rsa-sha2-256");
    wr_string(&w, wr_span(&b));
    if (!query)
        wr_cstring(&w, "anything");
    say(p, &w);
}

Test(auth_rules, r25_keys_out_of_bounds_cost_no_computation)
{
    static const struct {
        size_t bytes;
        struct span exponent;
    } cases[] = {{128, {(const uint8_t *)"\x01\x00\x01", 3}},
                 {255, {(const uint8_t *)"\x01\x00\x01", 3}},
                 {2049, {(const uint8_t *)"\x01\x00\x01", 3}},
                 {256, {(const uint8_t *)"\x01", 1}},
                 {256, {(const uint8_t *)"\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff", 10}}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int query = 0; query < 2; query++) {
            struct pair *p = ready_for_auth(6);
            p->server.defers_work = true;
            by_rsa(p, cases[i].bytes, cases[i].exponent, query != 0);
            cr_expect_null(p->server.work, "case %zu", i);
            cr_expect_eq(side_count(&p->server, CONN_AUTH_REQUEST), 0, "case %zu", i);
            cr_expect_eq(side_count(&p->server, CONN_DISCONNECTED), 0, "case %zu", i);
            pair_free(p);
        }
    }
}

Test(auth_rules, r25_signatures_that_take_long_are_checked_elsewhere)
{
    struct pair *p = ready_for_auth(6);

    p->server.defers_work = true;
    by_rsa(p, 256, span_of("\x01\x00\x01", 3), false);
    cr_assert(p->server.work != NULL && p->server.work->slow);
    /* One at a time: nothing else is taken in until it is done. */
    cr_assert_not(nacre_conn_wants_input(p->server.conn));
    finish_work(&p->server);
    cr_assert_eq(side_count(&p->server, CONN_AUTH_REQUEST), 0);
    cr_assert_eq(side_count(&p->server, CONN_AUTH_INFORM), 1);
    pair_free(p);
}
