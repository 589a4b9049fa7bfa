/* SPDX-License-Identifier: Apache-2.0 */
/* Questions answered later: every kind, early, late, twice, never, and after the connection has gone. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <unistd.h>

#include "base/plat.h"
#include "support/client.h"
#include "support/server.h"

enum kind {
    ASK_REQUEST,
    ASK_CONNECTED,
    ASK_SERVICE,
    ASK_AUTH,
    ASK_OPEN,
    ASK_CHANNEL,
    ASK_KINDS
};

/* What handlers of this file do with one kind of question; the others are accepted at once. */
struct plan {
    enum kind kind;
    bool early; /* another thread answers before the handler returns */
    bool early_accept;
    atomic_int asked; /* tickets handed out */
    _Atomic int early_result;
    nacre_ticket ticket;
};

static int answer(struct server *s, nacre_ticket t, bool accept)
{
    return nacre_answer(s->nacre, t, &(struct nacre_answer){.accept = accept});
}

struct helper {
    struct server *s;
    struct plan *plan;
};

static void *answer_early(void *argument)
{
    struct helper *h = argument;
    atomic_store(&h->plan->early_result, answer(h->s, h->plan->ticket, h->plan->early_accept));
    return NULL;
}

/* True when the question is put off. */
static bool put_off(struct server *s, enum kind kind, struct nacre_event *e)
{
    struct plan *p = s->test;
    if (p->kind != kind)
        return false;
    p->ticket = nacre_defer(e);
    if (p->early) {
        pthread_t t;
        struct helper h = {s, p};
        cr_assert_eq(pthread_create(&t, NULL, answer_early, &h), 0);
        pthread_join(t, NULL);
    }
    atomic_fetch_add(&p->asked, 1);
    return true;
}

static void on_request(nacre_server *n, struct nacre_connection_request *e, void *context)
{
    server_on_connection_request(n, e, context);
    e->accept = !put_off(context, ASK_REQUEST, &e->event); /* fields of a deferred question are not looked at */
}

static void on_connected(nacre_server *n, struct nacre_connected *e, void *context)
{
    server_on_connected(n, e, context);
    (void)put_off(context, ASK_CONNECTED, &e->event);
}

static void on_service(nacre_server *n, struct nacre_ssh_service_request *e, void *context)
{
    (void)n;
    e->accept = !put_off(context, ASK_SERVICE, &e->event);
}

static void on_auth(nacre_server *n, struct nacre_ssh_user_auth_request *e, void *context)
{
    server_on_ssh_user_auth_request(n, e, context);
    (void)put_off(context, ASK_AUTH, &e->event); /* `accept` stays true: it must not count */
}

static void on_open(nacre_server *n, struct nacre_ssh_channel_open_request *e, void *context)
{
    server_on_ssh_channel_open_request(n, e, context);
    (void)put_off(context, ASK_OPEN, &e->event);
}

static void on_channel(nacre_server *n, struct nacre_ssh_channel_request *e, void *context)
{
    server_on_ssh_channel_request(n, e, context);
    (void)put_off(context, ASK_CHANNEL, &e->event);
}

static struct server *deferring_server(struct plan *p)
{
    struct server *s = server_new();
    s->test = p;
    s->handlers.on_connection_request = on_request;
    s->handlers.on_connected = on_connected;
    s->handlers.on_ssh_service_request = on_service;
    s->handlers.on_ssh_user_auth_request = on_auth;
    s->handlers.on_ssh_channel_open_request = on_open;
    s->handlers.on_ssh_channel_request = on_channel;
    return s;
}

static bool wait_asked(struct plan *p, struct client *c)
{
    for (int i = 0; i < CLIENT_WAIT_MS && atomic_load(&p->asked) == 0; i++) {
        if (c != NULL && c->conn != NULL)
            client_turn(c, 1);
        else
            usleep(1000);
    }
    return atomic_load(&p->asked) != 0;
}

/* Brings the client to where the question of that kind is asked, without waiting for the answer. */
static void approach(struct server *s, struct client *c, enum kind kind)
{
    uint32_t number;
    client_init(c);
    if (kind <= ASK_SERVICE) {
        cr_assert(client_dial(c, NULL, s->port));
        return;
    }
    cr_assert(client_connect(c, s->port));
    if (kind == ASK_AUTH) {
        cr_assert(nacre_conn_auth_password(c->conn, span_str("user"), span_str("pw")));
        return;
    }
    cr_assert(client_login(c, "user", "pw"));
    if (kind == ASK_OPEN) {
        cr_assert_eq(nacre_chan_open(c->conn, span_str("session"), span_of(NULL, 0), &number, 0), NACRE_OK);
        return;
    }
    cr_assert_eq(client_open(c, "session"), 0);
    cr_assert_eq(nacre_chan_request(c->conn, 0, span_str("shell"), true, span_of(NULL, 0), 0), NACRE_OK);
}

/* Whether what was asked for has happened; waits for one outcome or the other. */
static bool is_granted(struct client *c, enum kind kind)
{
    struct client_channel *ch = &c->channels[0];
    switch (kind) {
    case ASK_REQUEST:
    case ASK_CONNECTED:
    case ASK_SERVICE:
        return client_wait(c, &c->ready);
    case ASK_AUTH:
        while (!c->authenticated && c->failures == 0 && !c->ended && client_turn(c, 20))
            ;
        return c->authenticated;
    case ASK_OPEN:
        while (!ch->opened && !ch->failed && !c->ended && client_turn(c, 20))
            ;
        return ch->opened;
    case ASK_CHANNEL:
        return client_wait_unsigned(c, &ch->replies, 1) && ch->granted == 1;
    case ASK_KINDS:
        break;
    }
    return false;
}

static bool is_undecided(const struct client *c, enum kind kind)
{
    return kind <= ASK_SERVICE ? !c->ready && !c->ended
           : kind == ASK_AUTH  ? !c->authenticated && c->failures == 0
           : kind == ASK_OPEN  ? !c->channels[0].opened && !c->channels[0].failed
                               : c->channels[0].replies == 0;
}

/* on_connected cannot be refused: its answer says which key. */
static bool can_refuse(enum kind kind)
{
    return kind != ASK_CONNECTED;
}

struct defer_case {
    char what[32];
    enum kind kind;
};

#define KINDS                                                                                                          \
    {"connection_request", ASK_REQUEST}, {"connected", ASK_CONNECTED}, {"service_request", ASK_SERVICE},               \
        {"user_auth_request", ASK_AUTH}, {"channel_open_request", ASK_OPEN},                                           \
    {                                                                                                                  \
        "channel_request", ASK_CHANNEL                                                                                 \
    }

static struct criterion_test_params all_kinds(void)
{
    static struct defer_case cases[] = {KINDS};
    return cr_make_param_array(struct defer_case, cases, sizeof cases / sizeof *cases);
}

ParameterizedTestParameters(class_defer, a_late_answer_decides_and_a_second_one_is_a_ticket_error)
{
    return all_kinds();
}

ParameterizedTest(struct defer_case *d, class_defer, a_late_answer_decides_and_a_second_one_is_a_ticket_error,
                  .timeout = 240)
{
    for (int accept = can_refuse(d->kind) ? 0 : 1; accept <= 1; accept++) {
        struct plan p = {.kind = d->kind};
        struct server *s = deferring_server(&p);
        struct client c;
        server_start(s, 2);
        approach(s, &c, d->kind);
        cr_assert(wait_asked(&p, &c), "%s", d->what);
        client_pump(&c, 100);
        cr_assert(is_undecided(&c, d->kind), "%s: decided without an answer", d->what);
        cr_assert_eq(answer(s, p.ticket, accept != 0), 0, "%s: %s", d->what, nacre_last_error(s->nacre));
        cr_assert_eq(is_granted(&c, d->kind), accept != 0, "%s, answered %d", d->what, accept);
        cr_assert_eq(answer(s, p.ticket, true), NACRE_E_TICKET, "%s: answered twice", d->what);
        client_free(&c);
        cr_assert(server_wait_empty(s));
        server_free(s);
    }
}

ParameterizedTestParameters(class_defer, an_answer_before_the_handler_returns_counts)
{
    return all_kinds();
}

ParameterizedTest(struct defer_case *d, class_defer, an_answer_before_the_handler_returns_counts, .timeout = 240)
{
    for (int accept = can_refuse(d->kind) ? 0 : 1; accept <= 1; accept++) {
        struct plan p = {.kind = d->kind, .early = true, .early_accept = accept != 0, .early_result = -1};
        struct server *s = deferring_server(&p);
        struct client c;
        server_start(s, 1);
        approach(s, &c, d->kind);
        cr_assert(wait_asked(&p, &c));
        cr_assert_eq(atomic_load(&p.early_result), 0, "%s", d->what);
        cr_assert_eq(is_granted(&c, d->kind), accept != 0, "%s, answered %d", d->what, accept);
        cr_assert_eq(answer(s, p.ticket, accept == 0), NACRE_E_TICKET, "%s: answered twice", d->what);
        client_free(&c);
        cr_assert(server_wait_empty(s));
        server_free(s);
    }
}

ParameterizedTestParameters(class_defer, r42_an_answer_after_the_end_is_a_ticket_error)
{
    return all_kinds();
}

ParameterizedTest(struct defer_case *d, class_defer, r42_an_answer_after_the_end_is_a_ticket_error, .timeout = 240)
{
    struct plan p = {.kind = d->kind};
    struct server *s = deferring_server(&p);
    struct client c;
    if (d->kind == ASK_REQUEST || d->kind == ASK_CONNECTED)
        server_set(s, "LoginGraceTime=3"); /* before SSH has begun nobody reads from the socket */
    server_start(s, 2);
    approach(s, &c, d->kind);
    cr_assert(wait_asked(&p, &c), "%s", d->what);
    client_free(&c);
    cr_assert(server_wait_empty(s), "%s: a question keeps the connection", d->what);
    cr_assert_eq(answer(s, p.ticket, true), NACRE_E_TICKET, "%s", d->what);
    cr_assert_eq(server_count(s, EVENT_DISCONNECTED), d->kind == ASK_REQUEST ? 0 : 1, "%s", d->what);
    server_free(s);
}

ParameterizedTestParameters(class_defer, a_question_never_answered_is_refused_after_answer_timeout)
{
    return all_kinds();
}

ParameterizedTest(struct defer_case *d, class_defer, a_question_never_answered_is_refused_after_answer_timeout,
                  .timeout = 240)
{
    struct plan p = {.kind = d->kind};
    struct server *s = deferring_server(&p);
    struct client c;
    server_set(s, "AnswerTimeout=1");
    server_start(s, 2);
    int64_t start = nacre_clock_ns();
    approach(s, &c, d->kind);
    cr_assert_not(is_granted(&c, d->kind), "%s", d->what);
    int64_t took = nacre_clock_ns() - start;
    cr_assert_not(is_undecided(&c, d->kind), "%s: still open after %lld ms", d->what, (long long)took / 1000000);
    cr_assert_geq(took, INT64_C(990000000), "%s: after %lld ms", d->what, (long long)took / 1000000);
    cr_assert_eq(answer(s, p.ticket, true), NACRE_E_TICKET, "%s", d->what);
    client_free(&c);
    cr_assert(server_wait_empty(s));
    server_free(s);
}

static void accept_too_late(nacre_server *n, struct nacre_ssh_channel_open_request *e, void *context)
{
    (void)n;
    server_note(context, (struct server_seen){.type = EVENT_SSH_CHANNEL_OPEN_REQUEST, .channel = e->channel_id});
    usleep(2500000);
    e->accept = true;
}

Test(class_defer, a_channel_that_is_accepted_too_late_is_told_closed, .timeout = 240)
{
    struct server *s = server_new();
    struct client c;
    struct server_seen asked, closed;
    s->handlers.on_ssh_channel_open_request = accept_too_late;
    server_set(s, "AnswerTimeout=1");
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
    cr_assert_lt(client_open(&c, "session"), 0);
    cr_assert(server_wait(s, EVENT_SSH_CHANNEL_OPEN_REQUEST, 0, &asked));
    cr_assert(server_wait_ms(s, EVENT_SSH_CHANNEL_CLOSED, 0, &closed, 20000));
    cr_assert_eq(closed.channel, asked.channel);
    client_free(&c);
    cr_assert(server_wait_empty(s));
    cr_assert_eq(server_count(s, EVENT_SSH_CHANNEL_CLOSED), 1);
    cr_assert_eq(server_count(s, EVENT_SSH_CHANNEL_OPENED), 0);
    server_free(s);
}

ParameterizedTestParameters(class_defer, freeing_the_server_drops_open_questions)
{
    return all_kinds();
}

ParameterizedTest(struct defer_case *d, class_defer, freeing_the_server_drops_open_questions, .timeout = 240)
{
    struct plan p = {.kind = d->kind};
    struct server *s = deferring_server(&p);
    struct client c;
    server_start(s, 1);
    approach(s, &c, d->kind);
    cr_assert(wait_asked(&p, &c));
    server_free(s);
    client_free(&c);
}

/* ---- tickets that are none ------------------------------------------------------------------------------------- */

static void defer_a_report(nacre_server *n, struct nacre_ssh_channel_opened *e, void *context)
{
    (void)n;
    struct server *s = context;
    nacre_ticket t = nacre_defer(&e->event);
    server_note(s, (struct server_seen){.type = EVENT_SSH_CHANNEL_OPENED,
                                        .channel = e->channel_id,
                                        .code = t.serial == 0 && t.connection == 0});
}

Test(class_defer, an_event_that_is_no_question_gives_a_zero_ticket)
{
    struct server *s = server_new();
    struct client c;
    struct server_seen e;
    s->handlers.on_ssh_channel_opened = defer_a_report;
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
    cr_assert_eq(client_open(&c, "session"), 0);
    cr_assert(server_wait(s, EVENT_SSH_CHANNEL_OPENED, 0, &e));
    cr_assert_eq(e.code, 1);
    cr_assert_eq(nacre_defer(NULL).serial, 0);
    cr_assert_eq(answer(s, (nacre_ticket){0, 0}, true), NACRE_E_TICKET);
    client_free(&c);
    server_free(s);
}

Test(class_defer, r06_a_forged_ticket_admits_nobody)
{
    struct plan p = {.kind = ASK_AUTH};
    struct server *s = deferring_server(&p);
    struct client c;
    server_start(s, 1);
    approach(s, &c, ASK_AUTH);
    cr_assert(wait_asked(&p, &c));
    for (uint64_t i = 1; i < 200; i++) {
        nacre_ticket t = {p.ticket.connection, p.ticket.serial + i};
        cr_assert_eq(answer(s, t, true), NACRE_E_TICKET);
        t.serial = p.ticket.serial ^ (UINT64_C(1) << (i % 64));
        cr_assert_eq(answer(s, t, true), NACRE_E_TICKET);
        t = (nacre_ticket){p.ticket.connection ^ (INT64_C(1) << (i % 62)), p.ticket.serial};
        cr_assert_eq(answer(s, t, true), NACRE_E_TICKET);
    }
    client_pump(&c, 50);
    cr_assert_not(c.authenticated);
    client_free(&c);
    server_free(s);
}

/* ---- a deferred key -------------------------------------------------------------------------------------------- */

Test(class_defer, on_connected_may_choose_its_key_later)
{
    struct plan p = {.kind = ASK_CONNECTED};
    struct server *s = deferring_server(&p);
    struct client c;
    char pem[16384];
    cr_assert_eq(nacre_make_key("ecdsa-sha2-nistp256", pem, sizeof pem), 0);
    server_start(s, 1);
    client_init(&c);
    c.config.algorithms.host_key = "ecdsa-sha2-nistp256";
    cr_assert(client_dial(&c, NULL, s->port));
    cr_assert(wait_asked(&p, &c));
    const struct nacre_answer a = {.accept = true, .cert_store_type = 7, .cert_store = pem};
    cr_assert_eq(nacre_answer(s->nacre, p.ticket, &a), 0);
    memset(pem, 'x', sizeof pem); /* answers are copied */
    cr_assert(client_wait(&c, &c.ready), "%s", c.text);
    client_free(&c);
    server_free(s);
}

Test(class_defer, a_channel_may_be_refused_later_for_a_reason)
{
    struct plan p = {.kind = ASK_OPEN};
    struct server *s = deferring_server(&p);
    struct client c;
    server_start(s, 1);
    approach(s, &c, ASK_OPEN);
    cr_assert(wait_asked(&p, &c));
    cr_assert_eq(nacre_answer(s->nacre, p.ticket, &(struct nacre_answer){.reason = 3}), 0);
    cr_assert(client_wait(&c, &c.channels[0].failed));
    cr_assert_eq(c.channels[0].code, 3, "SSH_OPEN_UNKNOWN_CHANNEL_TYPE");
    client_free(&c);
    server_free(s);
}

Test(class_defer, a_channel_that_waits_for_its_answer_holds_no_other)
{
    struct plan p = {.kind = ASK_CHANNEL};
    struct server *s = deferring_server(&p);
    struct client c;
    s->echo = true;
    server_start(s, 1);
    approach(s, &c, ASK_CHANNEL);
    cr_assert(wait_asked(&p, &c));
    int other = client_open(&c, "session");
    cr_assert_gt(other, 0);
    cr_assert(client_send(&c, other, "go on", 5));
    cr_assert(client_wait_count(&c, &c.channels[other].received, 5));
    cr_assert_eq(c.channels[0].replies, 0);
    cr_assert_eq(answer(s, p.ticket, true), 0);
    cr_assert(client_wait_unsigned(&c, &c.channels[0].granted, 1));
    cr_assert(server_wait(s, EVENT_SSH_CHANNEL_REQUESTED, 0, NULL));
    client_free(&c);
    server_free(s);
}

/* ---- the slot of a channel that was refused by time ------------------------------------------------------------- */

struct strangers {
    atomic_int opens;
    atomic_llong first;
    atomic_bool goes_on;
    atomic_size_t misled; /* bytes that were said to be the first channel's */
};

static void open_slowly(nacre_server *n, struct nacre_ssh_channel_open_request *e, void *context)
{
    struct strangers *t = ((struct server *)context)->test;
    server_on_ssh_channel_open_request(n, e, context);
    e->accept = true;
    if (atomic_fetch_add(&t->opens, 1) != 0) {
        cr_assert_eq(nacre_set_record_length(n, e->channel_id, 1000), 0);
        return;
    }
    atomic_store(&t->first, e->channel_id);
    for (int i = 0; i < CLIENT_WAIT_MS && !atomic_load(&t->goes_on); i++)
        usleep(1000);
}

static void note_misled(nacre_server *n, struct nacre_ssh_channel_data_in *e, void *context)
{
    struct server *s = context;
    struct strangers *t = s->test;
    if (e->channel_id == atomic_load(&t->first))
        atomic_fetch_add(&t->misled, e->data_len);
    server_on_ssh_channel_data_in(n, e, context);
}

/* Its end is told to whoever accepts it too late, and nothing of the channel that has its slot by then. */
Test(class_defer, r37_a_channel_accepted_too_late_hears_nothing_of_its_successor, .timeout = 240)
{
    struct strangers t = {.opens = 0};
    struct server *s = server_new();
    struct client one, two;
    char bytes[500];
    s->test = &t;
    s->handlers.on_ssh_channel_open_request = open_slowly;
    s->handlers.on_ssh_channel_data_in = note_misled;
    server_set(s, "WorkerThreads=1");
    server_set(s, "AnswerTimeout=1");
    server_start(s, 3);
    cr_assert(client_start(&one, s->port));
    cr_assert(client_start(&two, s->port));
    cr_assert_eq(client_open(&one, "session"), -1, "it is refused by time");
    int channel = client_open(&two, "session");
    cr_assert_geq(channel, 0);
    memset(bytes, 's', sizeof bytes);
    cr_assert(client_send(&two, channel, bytes, sizeof bytes));
    client_pump(&two, 100); /* it gathers half of a record */
    atomic_store(&t.goes_on, true);
    cr_assert(server_wait_turning(s, &two, EVENT_SSH_CHANNEL_CLOSED, 0, NULL));
    cr_expect_eq(atomic_load(&t.misled), 0U, "a client's bytes came as another's");
    cr_assert(client_send(&two, channel, bytes, sizeof bytes));
    struct server_seen e;
    cr_assert(server_wait_turning(s, &two, EVENT_SSH_CHANNEL_DATA_IN, 0, &e));
    cr_expect_eq(e.len, 1000U, "the whole record came to whom it belongs");
    client_free(&one);
    client_free(&two);
    server_free(s);
}
