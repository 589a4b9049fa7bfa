/* SPDX-License-Identifier: Apache-2.0 */
/* Authentication and time: partial success, deferred answers, limits of time, work that is done elsewhere. */
#include <criterion/criterion.h>

#include <stdlib.h>

#include "ssh/conn_priv.h"
#include "support/pair.h"

enum {
    SECOND = 1000000000
};

static struct pair *ready_for_auth(void)
{
    struct pair *p = pair_new();

    pair_start(p);
    pair_run(p);
    return p;
}

static uint64_t last_question(const struct side *s)
{
    const struct conn_event *e = NULL, *next;

    for (size_t n = 0; (next = side_event(s, CONN_AUTH_REQUEST, n)) != NULL; n++)
        e = next;
    return e == NULL ? 0 : e->serial;
}

Test(auth, partial_success_names_what_is_left)
{
    struct pair *p = ready_for_auth();

    p->server.answer = (struct conn_answer){.partial_success = true, .available_methods = span_str("publickey")};
    (void)nacre_conn_auth_password(p->client.conn, span_str("anna"), span_str("one"));
    pair_run(p);
    const struct conn_event *e = side_event(&p->client, CONN_AUTH_FAILED, 0);
    cr_assert(e->accepted);
    cr_assert(span_is(e->text, "publickey"));
    /* A method that is not offered any more is refused without a question. */
    (void)nacre_conn_auth_password(p->client.conn, span_str("anna"), span_str("two"));
    pair_run(p);
    cr_assert_eq(side_count(&p->server, CONN_AUTH_REQUEST), 1);
    /* Rule R7: another user starts with the whole list. */
    p->server.answer = (struct conn_answer){.partial_success = false};
    (void)nacre_conn_auth_password(p->client.conn, span_str("berta"), span_str("two"));
    pair_run(p);
    cr_assert_eq(side_count(&p->client, CONN_AUTHENTICATED), 1);
    pair_free(p);
}

Test(auth, r06_a_deferred_yes_admits_no_key_that_did_not_sign)
{
    struct pair *p = ready_for_auth();
    struct key *key = nacre_key_generate(p->crypto, "ssh-ed25519", 0);
    struct conn_answer yes = {.accept = true};

    p->server.leaves_open[CONN_AUTH_REQUEST] = true;
    (void)nacre_conn_auth_query(p->client.conn, span_str("anna"), key, NULL);
    pair_run(p);
    uint64_t query = last_question(&p->server);
    cr_assert(nacre_conn_answer(p->server.conn, query, &yes, p->now_ns));
    pair_run(p);
    cr_assert_eq(side_count(&p->client, CONN_AUTH_KEY_OK), 1);
    cr_assert_eq(side_count(&p->client, CONN_AUTHENTICATED), 0);
    /* The answer to the query says nothing about the request behind it. */
    (void)nacre_conn_auth_password(p->client.conn, span_str("anna"), span_str("x"));
    pair_run(p);
    cr_assert_not(nacre_conn_answer(p->server.conn, query, &yes, p->now_ns));
    cr_assert_eq(side_count(&p->server, CONN_AUTHENTICATED), 0);
    cr_assert(nacre_conn_answer(p->server.conn, last_question(&p->server), &yes, p->now_ns));
    pair_run(p);
    cr_assert_eq(side_count(&p->client, CONN_AUTHENTICATED), 1);
    nacre_key_unref(key);
    pair_free(p);
}

Test(auth, a_wrong_signature_is_never_asked_about)
{
    struct pair *p = ready_for_auth();
    struct key *key = nacre_key_generate(p->crypto, "ssh-ed25519", 0);

    p->client.conn->session_id[0] ^= 1; /* signs for another session */
    (void)nacre_conn_auth_publickey(p->client.conn, span_str("anna"), key, NULL);
    pair_run(p);
    cr_assert_eq(side_count(&p->server, CONN_AUTH_REQUEST), 0);
    cr_assert_eq(side_count(&p->server, CONN_AUTH_INFORM), 1);
    cr_assert_eq(side_count(&p->client, CONN_AUTH_FAILED), 1);
    nacre_key_unref(key);
    pair_free(p);
}

Test(auth, an_unanswered_question_is_a_refusal)
{
    struct pair *p = pair_new();

    p->server.config.answer_timeout_ns = INT64_C(5) * SECOND;
    p->server.leaves_open[CONN_AUTH_REQUEST] = true;
    pair_start(p);
    pair_run(p);
    (void)nacre_conn_auth_password(p->client.conn, span_str("anna"), span_str("x"));
    pair_run(p);
    cr_assert_not(nacre_conn_wants_input(p->server.conn));
    cr_assert_eq(nacre_conn_deadline(p->server.conn), p->now_ns + INT64_C(5) * SECOND);
    p->now_ns += INT64_C(5) * SECOND;
    nacre_conn_tick(p->server.conn, p->now_ns);
    pair_run(p);
    cr_assert_eq(side_count(&p->client, CONN_AUTH_FAILED), 1);
    pair_free(p);
}

Test(auth, login_takes_no_longer_than_its_grace)
{
    struct pair *p = ready_for_auth();

    p->now_ns += INT64_C(60) * SECOND;
    nacre_conn_tick(p->server.conn, p->now_ns);
    cr_assert_eq(side_event(&p->server, CONN_DISCONNECTED, 0)->error, NACRE_E_TIMEOUT_LOGIN);
    pair_free(p);
}

Test(auth, the_end_of_the_stream_is_orderly_after_login_only)
{
    struct pair *before = ready_for_auth(), *after = pair_new();

    pair_login(after);
    nacre_conn_feed_eof(before->server.conn, before->now_ns);
    nacre_conn_feed_eof(after->server.conn, after->now_ns);
    cr_assert_eq(side_event(&before->server, CONN_DISCONNECTED, 0)->error, NACRE_E_PEER_DISCONNECTED);
    cr_assert_eq(side_event(&after->server, CONN_DISCONNECTED, 0)->error, NACRE_OK);
    pair_free(before);
    pair_free(after);
}

Test(auth, work_done_elsewhere_holds_the_connection)
{
    struct pair *p = pair_new();
    int works = 0;

    p->server.defers_work = p->client.defers_work = true;
    pair_start(p);
    for (int i = 0; i < 20; i++) {
        struct side *sides[] = {&p->server, &p->client};
        pair_run(p);
        for (int s = 0; s < 2; s++) {
            struct work *work = sides[s]->work;
            sides[s]->work = NULL;
            if (work == NULL)
                continue;
            cr_assert_not(nacre_conn_wants_input(sides[s]->conn));
            work->run(work);
            nacre_conn_work_done(sides[s]->conn, work, p->now_ns);
            works++;
        }
    }
    cr_assert_eq(works, 3);
    cr_assert_eq(side_count(&p->client, CONN_READY_FOR_AUTH), 1);
    pair_free(p);
}

Test(auth, a_work_outlives_its_connection)
{
    struct pair *p = pair_new();

    p->server.defers_work = true;
    pair_start(p);
    pair_run(p);
    cr_assert_not_null(p->server.work);
    pair_free(p); /* frees the connection, then drops the work */
}

Test(auth, r15_a_rekey_has_to_finish_in_time)
{
    struct pair *p = pair_new();

    pair_login(p);
    (void)nacre_conn_rekey(p->server.conn, p->now_ns);
    p->now_ns += INT64_C(60) * SECOND;
    nacre_conn_tick(p->server.conn, p->now_ns);
    cr_assert_eq(side_event(&p->server, CONN_DISCONNECTED, 0)->error, NACRE_E_TIMEOUT_REKEY);
    pair_free(p);
}

/* Its KEXINIT may lie in the socket. */
Test(auth, r15_a_rekey_has_its_time_again_when_the_peer_was_not_read)
{
    struct pair *p = pair_new();

    pair_login(p);
    (void)nacre_conn_rekey(p->server.conn, p->now_ns);
    p->now_ns += INT64_C(50) * SECOND;
    nacre_conn_excuse(p->server.conn, p->now_ns);
    p->now_ns += INT64_C(59) * SECOND;
    nacre_conn_tick(p->server.conn, p->now_ns);
    cr_assert_eq(side_count(&p->server, CONN_DISCONNECTED), 0);
    p->now_ns += SECOND;
    nacre_conn_tick(p->server.conn, p->now_ns);
    cr_assert_eq(side_event(&p->server, CONN_DISCONNECTED, 0)->error, NACRE_E_TIMEOUT_REKEY);
    pair_free(p);
}

Test(auth, replies_to_a_peer_that_does_not_read_stop_the_reading)
{
    struct pair *p = pair_new();

    p->server.config.send_high = 65536;
    p->server.refuses[CONN_CHANNEL_OPEN_REQUEST] = true;
    pair_login(p);
    for (int i = 0; i < 20000; i++) {
        static const char open[] = "\x5a\0\0\0\7session\0\0\0\1\0\0\1\0\0\0\1\0";
        (void)nacre_conn_send_payload(p->client.conn, span_of(open, sizeof open - 1), p->now_ns);
        pair_carry(&p->client, &p->server);
    }
    pair_feed(&p->server);
    cr_assert_not(nacre_conn_wants_input(p->server.conn));
    cr_assert_lt(nacre_conn_output_bytes(p->server.conn), 65536 + CONTROL_SLACK + CONN_PACKET_MAX);
    cr_assert_gt(p->server.inbox_len, 0);
    pair_free(p);
}

/* Rule R8: prompts that are asked for and never answered are attempts, too. */
Test(auth, r08_abandoned_prompts_are_counted)
{
    static const struct conn_prompt prompt = {.prompt = {(const uint8_t *)"Password: ", 10}};
    static const uint8_t request[] = "\x32\0\0\0\4anna\0\0\0\016ssh-connection"
                                     "\0\0\0\024keyboard-interactive\0\0\0\0\0\0\0";
    struct pair *p = pair_new();
    unsigned sent = 0;

    p->server.config.max_auth_attempts = 3;
    p->server.config.auth_methods = "keyboard-interactive";
    pair_start(p);
    pair_run(p);
    cr_assert(nacre_conn_set_prompts(p->server.conn, span_str(""), &prompt, 1));
    while (sent < 10 && side_count(&p->server, CONN_DISCONNECTED) == 0) {
        /* The string's own NUL is the request's last byte. */
        (void)nacre_packet_payload(p->client.conn, span_of(request, sizeof request));
        pair_carry(&p->client, &p->server);
        pair_feed(&p->server);
        sent++;
    }
    cr_assert_eq(sent, 4);
    cr_assert_eq(side_event(&p->server, CONN_DISCONNECTED, 0)->error, NACRE_E_AUTHENTICATION);
    pair_free(p);
}
