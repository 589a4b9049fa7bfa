/* SPDX-License-Identifier: Apache-2.0 */
/* Questions about public keys answered later: a decision stands for the question that it was asked, and for no other.
 */
#include <criterion/criterion.h>

#include "crypto/key.h"
#include "support/client.h"
#include "support/server.h"

static int answer(struct server *s, nacre_ticket t, bool accept)
{
    return nacre_answer(s->nacre, t, &(struct nacre_answer){.accept = accept});
}

struct tickets {
    nacre_ticket at[16];
    bool verified[16];
    atomic_int count;
};

static void collect(nacre_server *n, struct nacre_ssh_user_auth_request *e, void *context)
{
    (void)n;
    struct server *s = context;
    struct tickets *t = s->test;
    int i = atomic_load(&t->count);
    t->at[i % 16] = nacre_defer(&e->event);
    t->verified[i % 16] = e->verified;
    atomic_store(&t->count, i + 1);
}

static void wait_tickets(struct client *c, struct tickets *t, int count)
{
    for (int i = 0; i < CLIENT_WAIT_MS && atomic_load(&t->count) < count; i++)
        client_turn(c, 1);
    cr_assert_geq(atomic_load(&t->count), count);
}

/* The query's answer comes, then again, then under the serial of what follows: none of it stands for a signature. */
Test(class_defer, r06_only_the_answer_to_the_verified_question_admits)
{
    struct tickets t = {.count = 0};
    struct server *s = server_new();
    struct client c;
    s->test = &t;
    s->handlers.on_ssh_user_auth_request = collect;
    server_start(s, 1);
    client_init(&c);
    cr_assert(client_connect(&c, s->port));
    struct key *key = nacre_key_generate(c.crypto, "ssh-ed25519", 0);
    cr_assert(nacre_conn_auth_query(c.conn, span_str("user"), key, NULL));
    wait_tickets(&c, &t, 1);
    cr_assert_not(t.verified[0]);
    nacre_ticket guess = {t.at[0].connection, t.at[0].serial + 1};
    cr_assert_eq(answer(s, guess, true), NACRE_E_TICKET, "a decision before its question");
    cr_assert_eq(answer(s, t.at[0], true), 0);
    cr_assert(client_wait_unsigned(&c, &c.key_oks, 1));
    cr_assert_eq(answer(s, t.at[0], true), NACRE_E_TICKET);
    client_pump(&c, 50);
    cr_assert_not(c.authenticated, "logged in without a signature");
    cr_assert(nacre_conn_auth_publickey(c.conn, span_str("user"), key, NULL));
    int at = 1;
    do { /* a client may ask again before it signs */
        wait_tickets(&c, &t, ++at);
        cr_assert_not(c.authenticated);
        cr_assert_eq(answer(s, t.at[0], true), NACRE_E_TICKET);
        client_pump(&c, 20);
        cr_assert_not(c.authenticated, "an old ticket admitted");
        cr_assert_eq(answer(s, t.at[at - 1], true), 0);
    } while (!t.verified[at - 1]);
    cr_assert(client_wait(&c, &c.authenticated));
    nacre_key_unref(key);
    client_free(&c);
    server_free(s);
}

/* The decision on a query comes after the client has gone on to a password of another user: it must not count for it.
 */
Test(class_defer, r06_a_late_decision_does_not_pass_to_another_request)
{
    struct tickets t = {.count = 0};
    struct server *s = server_new();
    struct client c;
    s->test = &t;
    s->handlers.on_ssh_user_auth_request = collect;
    server_set(s, "AnswerTimeout=5"); /* the second question has to be answered before */
    server_start(s, 1);
    client_init(&c);
    cr_assert(client_connect(&c, s->port));
    struct key *key = nacre_key_generate(c.crypto, "ssh-ed25519", 0);
    cr_assert(nacre_conn_auth_query(c.conn, span_str("alice"), key, NULL));
    wait_tickets(&c, &t, 1);
    cr_assert(client_wait_unsigned(&c, &c.failures, 1), "the query expires into a refusal");
    cr_assert(nacre_conn_auth_password(c.conn, span_str("bob"), span_str("x")));
    wait_tickets(&c, &t, 2);
    cr_assert_eq(answer(s, t.at[0], true), NACRE_E_TICKET);
    client_pump(&c, 50);
    cr_assert_not(c.authenticated);
    cr_assert_eq(answer(s, t.at[1], false), 0);
    cr_assert(client_wait_unsigned(&c, &c.failures, 2));
    cr_assert_not(c.authenticated);
    nacre_key_unref(key);
    client_free(&c);
    server_free(s);
}
