/* SPDX-License-Identifier: Apache-2.0 */
/* Sending: what is taken, when it blocks, who is told, and in what order the end comes. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/plat.h"
#include "engine/send.h"
#include "support/client.h"
#include "support/server.h"

enum {
    BIG = 8 * 1024 * 1024
};

static uint8_t *pattern(size_t len)
{
    uint8_t *bytes = malloc(len);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)(i * 2654435761U >> 13);
    return bytes;
}

static nacre_channel_id open_one(struct server *s, struct client *c, int timeout)
{
    struct server_seen e;
    cr_assert_eq(nacre_set_default_timeout(s->nacre, timeout), 0);
    server_start(s, 2);
    cr_assert(client_start(c, s->port));
    cr_assert_eq(client_open(c, "session"), 0);
    cr_assert(server_wait(s, EVENT_SSH_CHANNEL_OPENED, 0, &e));
    cr_assert(server_wait(s, EVENT_SSH_CHANNEL_READY_TO_SEND, 0, NULL));
    return e.channel;
}

Test(class_send, r46_without_a_timeout_what_was_taken_is_counted_and_ready_to_send_follows, .timeout = 240)
{
    struct server *s = server_new();
    struct client c;
    nacre_channel_id ch = open_one(s, &c, 0);
    uint8_t *bytes = pattern(BIG);
    size_t sent = 0, at = 0, readies = 1;
    bool ready = true;
    int e;
    c.channels[0].stalled = true;
    /* The worker empties the queue until the client's window is closed; from then on nothing moves by itself. */
    for (bool closed = false, full = false; !full;) {
        full = closed;
        e = nacre_send_bytes(s->nacre, ch, bytes + at, BIG - at);
        cr_assert_eq(e, 135, "%d", e);
        cr_assert_eq(nacre_get_bytes_sent(s->nacre, ch, &sent), 0);
        at += sent;
        cr_assert(at < BIG, "%zu", at);
        client_turn(&c, 1);
        closed = c.channels[0].received == c.config.window_bytes;
    }
    cr_assert_eq(nacre_get_ready_to_send(s->nacre, ch, &ready), 0);
    cr_assert_not(ready);
    cr_assert_eq(nacre_send_bytes(s->nacre, ch, bytes + at, 1), 135);
    cr_assert_eq(nacre_get_bytes_sent(s->nacre, ch, &sent), 0);
    cr_assert_eq(sent, 0);
    /* Events of a connection come in order: behind this one none of the earlier is still to come. */
    cr_assert(client_send(&c, 0, "x", 1));
    cr_assert(server_wait_turning(s, &c, EVENT_SSH_CHANNEL_DATA_IN, 0, NULL));
    readies = server_count(s, EVENT_SSH_CHANNEL_READY_TO_SEND);
    c.channels[0].stalled = false;
    nacre_chan_consumed(c.conn, 0, c.channels[0].received, 0);
    while (at < BIG) {
        for (int i = 0; i < CLIENT_WAIT_MS && server_count(s, EVENT_SSH_CHANNEL_READY_TO_SEND) <= readies; i++)
            client_turn(&c, 1);
        cr_assert_gt(server_count(s, EVENT_SSH_CHANNEL_READY_TO_SEND), readies, "not told after %zu bytes", at);
        readies = server_count(s, EVENT_SSH_CHANNEL_READY_TO_SEND);
        e = nacre_send_bytes(s->nacre, ch, bytes + at, BIG - at);
        cr_assert(e == 0 || e == 135);
        cr_assert_eq(nacre_get_bytes_sent(s->nacre, ch, &sent), 0);
        cr_assert_gt(sent, 0, "ready to send, but nothing is taken");
        at += sent;
        if (e == 0)
            break;
    }
    cr_assert_eq(at, BIG);
    cr_assert(client_wait_count(&c, &c.channels[0].received, BIG));
    cr_assert_eq(c.channels[0].received, BIG);
    cr_assert_arr_eq(c.channels[0].data.at, bytes, BIG);
    client_free(&c);
    server_free(s);
    free(bytes);
}

struct sender {
    struct server *s;
    nacre_channel_id channel;
    const uint8_t *bytes;
    size_t len;
    atomic_int result;
};

static void *send_it(void *argument)
{
    struct sender *x = argument;
    atomic_store(&x->result, nacre_send_bytes(x->s->nacre, x->channel, x->bytes, x->len));
    return NULL;
}

Test(class_send, with_a_timeout_a_send_waits_for_a_slow_reader, .timeout = 240)
{
    struct server *s = server_new();
    struct client c;
    nacre_channel_id ch = open_one(s, &c, 200);
    uint8_t *bytes = pattern(BIG);
    struct sender x = {.s = s, .channel = ch, .bytes = bytes, .len = BIG, .result = -1};
    pthread_t t;
    c.channels[0].stalled = true;
    cr_assert_eq(pthread_create(&t, NULL, send_it, &x), 0);
    cr_assert(client_wait_count(&c, &c.channels[0].received, c.config.window_bytes));
    client_pump(&c, 100);
    cr_assert_eq(atomic_load(&x.result), -1, "did not wait");
    c.channels[0].stalled = false;
    nacre_chan_consumed(c.conn, 0, c.channels[0].received, 0);
    cr_assert(client_wait_count(&c, &c.channels[0].received, BIG));
    pthread_join(t, NULL);
    cr_assert_eq(atomic_load(&x.result), 0);
    cr_assert_arr_eq(c.channels[0].data.at, bytes, BIG);
    client_free(&c);
    server_free(s);
    free(bytes);
}

Test(class_send, a_send_to_a_peer_that_never_reads_times_out, .timeout = 240)
{
    struct server *s = server_new();
    struct client c;
    nacre_channel_id ch = open_one(s, &c, 1);
    uint8_t *bytes = pattern(BIG);
    size_t sent = 0;
    c.channels[0].stalled = true;
    int64_t start = nacre_clock_ns();
    cr_assert_eq(nacre_send_bytes(s->nacre, ch, bytes, BIG), NACRE_E_TIMEDOUT);
    int64_t took = nacre_clock_ns() - start;
    cr_assert_geq(took, INT64_C(990000000), "%lld ms", (long long)took / 1000000);
    cr_assert_eq(nacre_get_bytes_sent(s->nacre, ch, &sent), 0);
    cr_assert(sent > 0 && sent < BIG);
    client_free(&c);
    server_free(s);
    free(bytes);
}

Test(class_send, a_waiting_send_ends_when_its_connection_does, .timeout = 240)
{
    struct server *s = server_new();
    struct client c;
    nacre_channel_id ch = open_one(s, &c, 1000);
    uint8_t *bytes = pattern(BIG);
    struct sender x = {.s = s, .channel = ch, .bytes = bytes, .len = BIG, .result = -1};
    pthread_t t;
    c.channels[0].stalled = true;
    cr_assert_eq(pthread_create(&t, NULL, send_it, &x), 0);
    cr_assert(client_wait_count(&c, &c.channels[0].received, c.config.window_bytes)); /* from now on it waits */
    client_reset(&c);
    pthread_join(t, NULL); /* long before its timeout, which is longer than the test may take */
    int e = atomic_load(&x.result);
    cr_assert(e == NACRE_E_CHANNEL_ID || e == NACRE_E_SOCKET_SHUTDOWN, "%d", e);
    client_free(&c);
    server_free(s);
    free(bytes);
}

/* One caller of do_events, whose handler waits in a send: another client's echo goes through meanwhile, and the first
 * one's end is what wakes it. */
static void flood(nacre_server *n, struct nacre_ssh_channel_data_in *e, void *context)
{
    struct server *s = context;
    if (e->data[0] != 'F') {
        server_on_ssh_channel_data_in(n, e, context);
        return;
    }
    struct sender *x = s->test;
    atomic_store(&x->result, nacre_send_bytes(n, e->channel_id, x->bytes, x->len));
}

static void pump_case(bool pumps)
{
    struct server *s = server_new();
    struct client slow, other;
    uint8_t *bytes = pattern(BIG);
    struct sender x = {.s = s, .bytes = bytes, .len = BIG, .result = -1};
    s->handlers.on_ssh_channel_data_in = flood;
    s->echo = true;
    s->test = &x;
    server_set(s, pumps ? "ProcessIdleEvents=True" : "ProcessIdleEvents=False");
    cr_assert_eq(nacre_set_default_timeout(s->nacre, 200), 0);
    server_start(s, 1);
    cr_assert(client_start(&slow, s->port));
    cr_assert_eq(client_open(&slow, "session"), 0);
    cr_assert(client_start(&other, s->port));
    cr_assert_eq(client_open(&other, "session"), 0);
    slow.channels[0].stalled = true;
    cr_assert(client_send(&slow, 0, "F", 1));
    cr_assert(client_wait_count(&slow, &slow.channels[0].received, slow.config.window_bytes)); /* now it waits */
    cr_assert_eq(atomic_load(&x.result), -1);
    cr_assert(client_send(&other, 0, "hello", 5));
    if (pumps)
        cr_assert(client_wait_count(&other, &other.channels[0].received, 5));
    else
        client_pump(&other, 500);
    cr_assert_eq(other.channels[0].received, pumps ? 5 : 0);
    cr_assert_eq(atomic_load(&x.result), -1);
    slow.channels[0].stalled = false;
    nacre_chan_consumed(slow.conn, 0, slow.channels[0].received, 0);
    cr_assert(client_wait_count(&slow, &slow.channels[0].received, BIG));
    cr_assert(client_wait_count(&other, &other.channels[0].received, 5));
    cr_assert_arr_eq(slow.channels[0].data.at, bytes, BIG);
    client_free(&slow);
    client_free(&other);
    server_free(s);
    free(bytes);
}

Test(class_send, a_waiting_send_in_a_handler_pumps_other_connections, .timeout = 240)
{
    pump_case(true);
}

Test(class_send, with_process_idle_events_off_it_does_not, .timeout = 240)
{
    pump_case(false);
}

/* ---- the end of a channel -------------------------------------------------------------------------------------- */

Test(class_send, r46_what_was_sent_before_close_arrives_before_it, .timeout = 240)
{
    struct server *s = server_new();
    struct client c;
    nacre_channel_id ch = open_one(s, &c, 0);
    uint8_t *bytes = pattern(SEND_QUEUE_MAX);
    cr_assert_eq(nacre_send_bytes(s->nacre, ch, bytes, SEND_QUEUE_MAX), 0);
    cr_assert_eq(nacre_send_eof(s->nacre, ch), 0);
    cr_assert_eq(nacre_send_exit_status(s->nacre, ch, 42), 0);
    cr_assert_eq(nacre_close_channel(s->nacre, ch), 0);
    cr_assert_eq(nacre_close_channel(s->nacre, ch), 0, "closing twice is fine");
    cr_assert(client_wait(&c, &c.channels[0].closed));
    cr_assert_eq(c.channels[0].received, SEND_QUEUE_MAX);
    cr_assert_arr_eq(c.channels[0].data.at, bytes, SEND_QUEUE_MAX);
    cr_assert(c.channels[0].eof);
    cr_assert_eq(c.channels[0].exit_status, 42);
    cr_assert(server_wait(s, EVENT_SSH_CHANNEL_CLOSED, 0, NULL));
    client_free(&c);
    server_free(s);
    free(bytes);
}

Test(class_send, r46_sending_after_close_is_refused_at_once)
{
    struct server *s = server_new();
    struct client c;
    nacre_channel_id ch = open_one(s, &c, 0);
    cr_assert_eq(nacre_close_channel(s->nacre, ch), 0);
    int e = nacre_send_text(s->nacre, ch, "late");
    cr_assert(e == NACRE_E_SOCKET_SHUTDOWN || e == NACRE_E_CHANNEL_ID, "%d: taken and lost", e);
    client_free(&c);
    server_free(s);
}

Test(class_send, r46_sending_after_eof_is_refused_at_once)
{
    struct server *s = server_new();
    struct client c;
    nacre_channel_id ch = open_one(s, &c, 0);
    bool ready = true;
    cr_assert_eq(nacre_send_eof(s->nacre, ch), 0);
    cr_assert_eq(nacre_send_text(s->nacre, ch, "late"), NACRE_E_SOCKET_SHUTDOWN);
    cr_assert_eq(nacre_get_ready_to_send(s->nacre, ch, &ready), 0);
    cr_assert_not(ready);
    cr_assert_eq(nacre_send_exit_signal(s->nacre, ch, "TERM", false, "bye"), 0, "requests still go");
    cr_assert_eq(nacre_close_channel(s->nacre, ch), 0);
    cr_assert(client_wait(&c, &c.channels[0].closed));
    cr_assert_str_eq(c.channels[0].exit_signal, "TERM");
    client_free(&c);
    server_free(s);
}

/* Sends single bytes, so many, in turns on both streams or all on stderr, until one is refused. */
static size_t send_bytewise(struct server *s, nacre_channel_id channel, struct client *c, size_t count, bool in_turns)
{
    size_t taken = 0;
    while (taken < count &&
           (in_turns && taken % 2 == 0 ? nacre_send_bytes : nacre_send_stderr)(s->nacre, channel, "x", 1) == 0) {
        if (++taken % 64 == 0)
            client_turn(c, 1);
    }
    client_pump(c, 200);
    return taken;
}

static nacre_channel_id open_stalled(struct server *s, struct client *c)
{
    struct server_seen e;
    cr_assert_eq(nacre_set_default_timeout(s->nacre, 0), 0);
    server_start(s, 1);
    client_init(c);
    c->config.window_bytes = c->config.window_max = 32768;
    cr_assert(client_connect(c, s->port) && client_login(c, "user", "pw"));
    cr_assert_eq(client_open(c, "session"), 0);
    cr_assert(server_wait(s, EVENT_SSH_CHANNEL_OPENED, 0, &e));
    c->channels[0].stalled = true;
    return e.channel;
}

/* Fails when each has a block of its own. */
Test(class_send, r30_single_bytes_for_stderr_share_their_blocks, .timeout = 240)
{
    enum {
        COUNT = 60000
    };
    struct server *s = server_new();
    struct client c;
    nacre_channel_id ch = open_stalled(s, &c);
    size_t before = server_pool_bytes(s);
    cr_expect_eq(send_bytewise(s, ch, &c, COUNT, false), COUNT);
    cr_expect_lt(server_pool_bytes(s) - before, 4 * COUNT + SEND_QUEUE_MAX, "%zu", server_pool_bytes(s) - before);
    client_free(&c);
    server_free(s);
}

struct writer {
    struct server *s;
    nacre_channel_id channel;
    size_t piece, total;
    bool in_turns; /* every other one for stderr */
    int error;
    atomic_bool done;
};

static void *write_pieces(void *argument)
{
    static const uint8_t piece[4096];
    struct writer *w = argument;
    for (size_t sent = 0; sent < w->total && w->error == 0; sent += w->piece) {
        bool other = w->in_turns && sent / w->piece % 2 != 0;
        w->error = (other ? nacre_send_stderr : nacre_send_bytes)(w->s->nacre, w->channel, piece, w->piece);
    }
    atomic_store(&w->done, true);
    return NULL;
}

/* The client takes 16 KiB at a time, which is less in a second than makes room for all that waits. */
static int error_of_slow_writes(size_t piece, size_t total, bool in_turns)
{
    enum {
        AT_A_TIME = 16 * 1024
    };
    struct server *s = server_new();
    struct client c;
    pthread_t thread;
    size_t given = 0;
    nacre_channel_id ch = open_stalled(s, &c);
    struct server_seen e;
    cr_assert(server_wait(s, EVENT_CONNECTED, 0, &e));
    cr_assert_eq(nacre_set_ssh_connection_timeout(s->nacre, e.connection, 1), 0);
    c.channels[0].kept_nothing = true;
    struct writer w = {.s = s, .channel = ch, .piece = piece, .total = total, .in_turns = in_turns};
    cr_assert_eq(pthread_create(&thread, NULL, write_pieces, &w), 0);
    while (!atomic_load(&w.done)) {
        client_pump(&c, 200);
        size_t more = c.channels[0].received - given < AT_A_TIME ? c.channels[0].received - given : AT_A_TIME;
        nacre_chan_consumed(c.conn, 0, more, nacre_clock_ns());
        given += more;
    }
    pthread_join(thread, NULL);
    client_free(&c);
    server_free(s);
    return w.error;
}

/* Fails when time is counted until there is room, though what waits goes out. */
Test(class_send, a_send_waits_as_long_as_something_moves, .timeout = 240)
{
    cr_expect_eq(error_of_slow_writes(4096, 1024 * 1024, false), 0);
    cr_expect_eq(error_of_slow_writes(100, 400 * 1024, true), 0, "with more memory than bytes");
}

/* They cannot share blocks where each follows one of the other stream: then memory is what has a bound. */
Test(class_send, r30_single_bytes_in_turns_have_a_bound_of_memory, .timeout = 240)
{
    enum {
        COUNT = 60000
    };
    struct server *s = server_new();
    struct client c;
    bool ready = true;
    nacre_channel_id ch = open_stalled(s, &c);
    size_t before = server_pool_bytes(s), readies = server_count(s, EVENT_SSH_CHANNEL_READY_TO_SEND);
    size_t taken = send_bytewise(s, ch, &c, COUNT, true);
    cr_expect_lt(taken, COUNT);
    cr_expect_lt(server_pool_bytes(s) - before, 2 * SEND_ROOM_MAX, "%zu", server_pool_bytes(s) - before);
    cr_assert_eq(nacre_get_ready_to_send(s->nacre, ch, &ready), 0);
    cr_expect_not(ready);
    c.channels[0].stalled = false;
    nacre_chan_consumed(c.conn, 0, c.channels[0].received, 0);
    cr_expect(client_wait_count(&c, &c.channels[0].received, taken), "and all of it arrives");
    cr_expect(server_wait(s, EVENT_SSH_CHANNEL_READY_TO_SEND, readies, NULL), "and there is room again");
    cr_expect_eq(nacre_send_bytes(s->nacre, ch, "y", 1), 0);
    client_free(&c);
    server_free(s);
}

struct racer {
    struct server *s;
    nacre_channel_id channel;
    size_t taken;
    atomic_bool begun;
};

static void *send_until_refused(void *argument)
{
    static const uint8_t piece[CONN_CHANNEL_PACKET];
    struct racer *x = argument;
    while (nacre_send_bytes(x->s->nacre, x->channel, piece, sizeof piece) == 0) {
        x->taken += sizeof piece;
        atomic_store(&x->begun, true);
    }
    return NULL;
}

/* Fails when bytes are copied while another thread sends eof, and handed over behind it. */
Test(class_send, r46_a_send_beside_an_eof_is_refused_or_arrives, .timeout = 240)
{
    struct server *s = server_new();
    struct client c;
    cr_assert_eq(nacre_set_default_timeout(s->nacre, 60), 0);
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
    for (size_t i = 0; i < 100; i++) {
        struct racer x = {.s = s};
        struct server_seen e;
        pthread_t t;
        int n = client_open(&c, "session");
        cr_assert_geq(n, 0);
        cr_assert(server_wait(s, EVENT_SSH_CHANNEL_OPENED, i, &e));
        struct client_channel *ch = &c.channels[n];
        ch->received = 0;
        ch->kept_nothing = true;
        x.channel = e.channel;
        cr_assert_eq(pthread_create(&t, NULL, send_until_refused, &x), 0);
        while (!atomic_load(&x.begun))
            client_turn(&c, 1);
        for (size_t k = 0; k < i % 7; k++)
            client_turn(&c, 0);
        cr_assert_eq(nacre_send_eof(s->nacre, x.channel), 0);
        cr_assert(client_wait(&c, &ch->eof));
        pthread_join(t, NULL);
        cr_assert_eq(ch->received, x.taken, "%zu of %zu", ch->received, x.taken);
        cr_assert_eq(nacre_close_channel(s->nacre, x.channel), 0);
        cr_assert_eq(nacre_chan_close(c.conn, (uint32_t)n, nacre_clock_ns()), NACRE_OK);
        cr_assert(client_wait(&c, &ch->closed));
        ch->opened = ch->eof = ch->closed = false;
    }
    client_free(&c);
    server_free(s);
}

Test(class_send, nothing_is_sent_by_a_send_of_nothing)
{
    struct server *s = server_new();
    struct client c;
    nacre_channel_id ch = open_one(s, &c, 0);
    cr_assert_eq(nacre_send_bytes(s->nacre, ch, NULL, 0), 0);
    cr_assert_eq(nacre_send_text(s->nacre, ch, ""), 0);
    client_pump(&c, 50);
    cr_assert_eq(c.channels[0].received, 0);
    client_free(&c);
    server_free(s);
}

/* ---- channels that the server opens ---------------------------------------------------------------------------- */

Test(class_send, the_server_opens_a_channel_and_both_sides_use_it)
{
    struct server *s = server_new();
    struct client c;
    struct server_seen e, opened;
    nacre_channel_id ch = 0;
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
    cr_assert(server_wait(s, EVENT_CONNECTED, 0, &e));
    cr_assert_eq(nacre_open_channel(s->nacre, e.connection, "hello@example.com", &ch), 0);
    cr_assert_gt(ch, 0);
    cr_assert(client_wait(&c, &c.their_channel_opened));
    cr_assert(server_wait(s, EVENT_SSH_CHANNEL_OPENED, 0, &opened));
    cr_assert_eq(opened.channel, ch);
    char service[64];
    cr_assert_eq(nacre_get_service(s->nacre, ch, service, sizeof service), 0);
    cr_assert_str_eq(service, "hello@example.com");
    cr_assert_eq(nacre_send_text(s->nacre, ch, "to you"), 0);
    cr_assert(client_wait_count(&c, &c.channels[c.their_channel].received, 6));
    cr_assert(client_send(&c, (int)c.their_channel, "to me", 5));
    cr_assert(server_wait_turning(s, &c, EVENT_SSH_CHANNEL_DATA_IN, 0, &e));
    cr_assert_str_eq(e.text, "to me");
    cr_assert_eq(e.channel, ch);
    client_free(&c);
    server_free(s);
}

Test(class_send, a_channel_that_the_client_refuses_is_told_as_error_and_closed)
{
    struct server *s = server_new();
    struct client c;
    struct server_seen e, closed;
    nacre_channel_id ch = 0;
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
    c.refuses_opens = true;
    cr_assert(server_wait(s, EVENT_CONNECTED, 0, &e));
    cr_assert_eq(nacre_open_channel(s->nacre, e.connection, "x11", &ch), 0);
    cr_assert_neq(nacre_send_text(s->nacre, ch, "too early"), 0);
    cr_assert(server_wait_turning(s, &c, EVENT_SSH_CHANNEL_CLOSED, 0, &closed));
    cr_assert(server_wait(s, EVENT_ERROR, 0, &e));
    cr_assert_eq(e.code, NACRE_E_CHANNEL_OPEN);
    cr_assert_eq(closed.channel, ch);
    cr_assert_eq(server_count(s, EVENT_SSH_CHANNEL_OPENED), 0);
    int late = NACRE_OK; /* the channel is freed when its last handler has returned */
    for (int i = 0; i < SERVER_WAIT_MS && late != NACRE_E_CHANNEL_ID; i++) {
        late = nacre_send_text(s->nacre, ch, "x");
        cr_assert_neq(late, NACRE_OK);
        usleep(late == NACRE_E_CHANNEL_ID ? 0 : 1000);
    }
    cr_assert_eq(late, NACRE_E_CHANNEL_ID);
    client_free(&c);
    server_free(s);
}

Test(class_send, opening_a_channel_on_a_stale_or_young_connection_is_an_error)
{
    struct server *s = server_new();
    struct server_seen e;
    nacre_channel_id ch = 7;
    server_start(s, 1);
    int fd = client_socket(NULL, s->port);
    cr_assert(server_wait(s, EVENT_CONNECTED, 0, &e));
    cr_assert_neq(nacre_open_channel(s->nacre, e.connection, "session", &ch), 0, "before login");
    cr_assert_eq(nacre_open_channel(s->nacre, 12345, "session", &ch), 126);
    cr_assert_eq(nacre_open_channel(s->nacre, e.connection, "", &ch), NACRE_E_INVAL);
    cr_assert_eq(nacre_open_channel(s->nacre, e.connection, NULL, &ch), NACRE_E_INVAL);
    cr_assert_eq(nacre_open_channel(s->nacre, e.connection, "session", NULL), NACRE_E_INVAL);
    cr_assert_eq(ch, 7, "a call that fails has changed nothing");
    close(fd);
    server_free(s);
}

/* ---- stale ids ------------------------------------------------------------------------------------------------- */

static void check_stale_connection(nacre_server *n, nacre_connection_id id)
{
    char text[64];
    int number;
    bool flag = true;
    cr_assert_eq(nacre_disconnect(n, id), 126);
    cr_assert_eq(nacre_exchange_keys(n, id), 126);
    cr_assert_eq(nacre_get_ssh_connection_connected(n, id, &flag), 0);
    cr_assert_not(flag);
    cr_assert_eq(nacre_set_ssh_connection_connected(n, id, false), 126);
    cr_assert_eq(nacre_get_ssh_connection_local_address(n, id, text, sizeof text), 126);
    cr_assert_eq(nacre_get_ssh_connection_remote_host(n, id, text, sizeof text), 126);
    cr_assert_eq(nacre_get_ssh_connection_remote_port(n, id, &number), 126);
    cr_assert_eq(nacre_get_ssh_connection_timeout(n, id, &number), 126);
    cr_assert_eq(nacre_set_ssh_connection_timeout(n, id, 1), 126);
    nacre_channel_id ch;
    cr_assert_eq(nacre_open_channel(n, id, "session", &ch), 126);
}

static void check_stale_channel(nacre_server *n, nacre_channel_id id)
{
    char text[64];
    int number;
    size_t bytes;
    bool flag;
    cr_assert_eq(nacre_send_bytes(n, id, "x", 1), 1021);
    cr_assert_eq(nacre_send_bytes(n, id, "", 0), 1021);
    cr_assert_eq(nacre_send_channel_data(n, id, "x", 1), 1021);
    cr_assert_eq(nacre_send_text(n, id, "x"), 1021);
    cr_assert_eq(nacre_send_stderr(n, id, "x", 1), 1021);
    cr_assert_eq(nacre_set_data_to_send(n, id, "x", 1), 1021);
    cr_assert_eq(nacre_send_eof(n, id), 1021);
    cr_assert_eq(nacre_send_exit_status(n, id, 0), 1021);
    cr_assert_eq(nacre_send_exit_signal(n, id, "TERM", false, NULL), 1021);
    cr_assert_eq(nacre_close_channel(n, id), 1021);
    cr_assert_eq(nacre_change_record_length(n, id, 1), 1021);
    cr_assert_eq(nacre_pause_channel(n, id), 1021);
    cr_assert_eq(nacre_resume_channel(n, id), 1021);
    cr_assert_eq(nacre_get_bytes_sent(n, id, &bytes), 1021);
    cr_assert_eq(nacre_get_channel_id(n, id, text, sizeof text), 1021);
    cr_assert_eq(nacre_get_ready_to_send(n, id, &flag), 1021);
    cr_assert_eq(nacre_get_record_length(n, id, &number), 1021);
    cr_assert_eq(nacre_set_record_length(n, id, 1), 1021);
    cr_assert_eq(nacre_get_service(n, id, text, sizeof text), 1021);
}

Test(class_send, r44_stale_foreign_and_made_up_ids_are_refused_everywhere, .timeout = 240)
{
    struct server *s = server_new(), *other = server_new();
    struct client c, d;
    struct server_seen e, opened, still;
    server_start(s, 1);
    server_start(other, 1);
    cr_assert(client_start(&c, s->port));
    cr_assert_eq(client_open(&c, "session"), 0);
    cr_assert(client_start(&d, other->port));
    cr_assert_eq(client_open(&d, "session"), 0);
    cr_assert(server_wait(s, EVENT_CONNECTED, 0, &e));
    cr_assert(server_wait(s, EVENT_SSH_CHANNEL_OPENED, 0, &opened));
    cr_assert(server_wait(other, EVENT_SSH_CHANNEL_OPENED, 0, &still));
    check_stale_connection(other->nacre, e.connection);
    check_stale_channel(other->nacre, opened.channel);
    check_stale_connection(s->nacre, opened.channel); /* of the other kind */
    check_stale_channel(s->nacre, e.connection);
    static const int64_t made_up[] = {0, 1, -1, INT64_MAX, INT64_MIN, 4711};
    for (size_t i = 0; i < sizeof made_up / sizeof *made_up; i++) {
        check_stale_connection(s->nacre, made_up[i]);
        check_stale_channel(s->nacre, made_up[i]);
    }
    for (int bit = 0; bit < 63; bit++) {
        if ((e.connection ^ (INT64_C(1) << bit)) != opened.channel)
            check_stale_connection(s->nacre, e.connection ^ (INT64_C(1) << bit));
        if ((opened.channel ^ (INT64_C(1) << bit)) != e.connection)
            check_stale_channel(s->nacre, opened.channel ^ (INT64_C(1) << bit));
    }
    client_free(&c);
    cr_assert(server_wait_empty(s));
    cr_assert(client_start(&c, s->port)); /* takes a slot again, perhaps the same one */
    cr_assert_eq(client_open(&c, "session"), 0);
    check_stale_connection(s->nacre, e.connection);
    check_stale_channel(s->nacre, opened.channel);
    client_pump(&c, 30);
    cr_assert_not(c.ended);
    cr_assert_eq(c.channels[0].received, 0);
    client_free(&c);
    client_free(&d);
    server_free(s);
    server_free(other);
}
