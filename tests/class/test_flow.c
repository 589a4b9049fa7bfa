/* SPDX-License-Identifier: Apache-2.0 */
/* Data towards the handlers: pausing, records, several channels, rekeys under load. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/plat.h"
#include "support/client.h"
#include "support/server.h"

/* The n-th byte of the stream that test clients send. */
static uint8_t byte_at(size_t n)
{
    return (uint8_t)(n * 2654435761U >> 11);
}

/* What a handler got on one channel, checked byte by byte. */
struct intake {
    struct server *s;
    atomic_size_t bytes, calls, wrong;
    atomic_bool eof, closed, closed_early;
    _Atomic int64_t channel;
};

static void take_data(nacre_server *n, struct nacre_ssh_channel_data_in *e, void *context)
{
    (void)n;
    struct server *s = context;
    struct intake *in = s->test;
    size_t at = atomic_load(&in->bytes), wrong = 0;
    for (size_t i = 0; i < e->data_len; i++)
        wrong += e->data[i] != byte_at(at + i);
    atomic_fetch_add(&in->wrong, wrong);
    atomic_store(&in->channel, e->channel_id);
    atomic_store(&in->bytes, at + e->data_len);
    atomic_fetch_add(&in->calls, 1); /* last: who has seen it sees the others */
}

static void take_eof(nacre_server *n, struct nacre_ssh_channel_eof *e, void *context)
{
    (void)n;
    (void)e;
    atomic_store(&((struct intake *)((struct server *)context)->test)->eof, true);
}

static bool send_stream(struct client *c, int channel, size_t from, size_t len)
{
    uint8_t *bytes = malloc(len);
    for (size_t i = 0; i < len; i++)
        bytes[i] = byte_at(from + i);
    bool good = client_send(c, channel, bytes, len);
    free(bytes);
    return good;
}

static bool turn_until(struct client *c, atomic_size_t *value, size_t wanted)
{
    int64_t until = nacre_clock_ns() + CLIENT_WAIT_MS * INT64_C(1000000);
    while (atomic_load(value) < wanted && nacre_clock_ns() < until)
        client_turn(c, 1);
    return atomic_load(value) >= wanted;
}

static struct server *intake_server(struct intake *in)
{
    struct server *s = server_new();
    s->test = in;
    in->s = s;
    s->handlers.on_ssh_channel_data_in = take_data;
    s->handlers.on_ssh_channel_eof = take_eof;
    return s;
}

/* ---- pausing --------------------------------------------------------------------------------------------------- */

Test(class_flow, a_paused_channel_gets_nothing_and_loses_nothing, .timeout = 240)
{
    struct intake in = {0};
    struct server *s = intake_server(&in);
    struct client c;
    struct server_seen e;
    server_start(s, 2);
    cr_assert(client_start(&c, s->port));
    cr_assert_eq(client_open(&c, "session"), 0);
    cr_assert(server_wait(s, EVENT_SSH_CHANNEL_OPENED, 0, &e));
    cr_assert_eq(nacre_pause_channel(s->nacre, e.channel), 0);
    cr_assert_eq(nacre_pause_channel(s->nacre, e.channel), 0, "pausing twice is once");
    enum {
        SIZE = 6 * 1024 * 1024
    };
    cr_assert(send_stream(&c, 0, 0, SIZE));
    cr_assert_eq(nacre_chan_send_eof(c.conn, 0, 0), NACRE_OK);
    client_pump(&c, 300);
    cr_assert_eq(atomic_load(&in.bytes), 0);
    cr_assert_neq(nacre_chan_queued(c.conn, 0), 0, "the peer's window did not close");
    int other = client_open(&c, "session"); /* the connection itself is not held */
    cr_assert_geq(other, 0);
    cr_assert_eq(nacre_resume_channel(s->nacre, e.channel), 0);
    cr_assert_eq(nacre_resume_channel(s->nacre, e.channel), 0);
    cr_assert(turn_until(&c, &in.bytes, SIZE), "%zu", atomic_load(&in.bytes));
    for (int i = 0; i < CLIENT_WAIT_MS && !atomic_load(&in.eof); i++)
        client_turn(&c, 1);
    cr_assert(atomic_load(&in.eof), "eof comes behind the data");
    cr_assert_eq(atomic_load(&in.wrong), 0);
    cr_assert_eq(atomic_load(&in.bytes), SIZE);
    client_free(&c);
    server_free(s);
}

static void *flip_pause(void *argument)
{
    struct intake *in = argument;
    unsigned seed = 1;
    while (!atomic_load(&in->closed)) {
        int64_t ch = atomic_load(&in->channel);
        seed = seed * 1664525 + 1013904223;
        if (ch != 0)
            (void)((seed >> 16) % 3 == 0 ? nacre_pause_channel(in->s->nacre, ch)
                                         : nacre_resume_channel(in->s->nacre, ch));
        if ((seed >> 24) % 8 == 0)
            usleep(100);
    }
    if (atomic_load(&in->channel) != 0)
        (void)nacre_resume_channel(in->s->nacre, atomic_load(&in->channel));
    return NULL;
}

Test(class_flow, pausing_and_resuming_from_another_thread_keeps_order, .timeout = 240)
{
    struct intake in = {0};
    struct server *s = intake_server(&in);
    struct client c;
    pthread_t t;
    server_start(s, 3);
    cr_assert(client_start(&c, s->port));
    cr_assert_eq(client_open(&c, "session"), 0);
    cr_assert_eq(pthread_create(&t, NULL, flip_pause, &in), 0);
    size_t sent = 0;
    int64_t until = nacre_clock_ns() + INT64_C(2000000000);
    for (unsigned n = 0; nacre_clock_ns() < until; n++) {
        size_t len = 1 + n * 7919 % 5000; /* small ones share events, big ones do not */
        if (nacre_chan_queued(c.conn, 0) < 100000) {
            cr_assert(send_stream(&c, 0, sent, len));
            sent += len;
        }
        client_turn(&c, 0);
    }
    atomic_store(&in.closed, true);
    pthread_join(t, NULL);
    cr_assert(turn_until(&c, &in.bytes, sent), "%zu of %zu", atomic_load(&in.bytes), sent);
    cr_assert_eq(atomic_load(&in.bytes), sent);
    cr_assert_eq(atomic_load(&in.wrong), 0);
    client_free(&c);
    server_free(s);
}

static void pause_self(nacre_server *n, struct nacre_ssh_channel_data_in *e, void *context)
{
    (void)nacre_pause_channel(n, e->channel_id);
    take_data(n, e, context); /* behind it, or the test could let go on what is not held yet */
}

Test(class_flow, a_handler_may_pause_its_own_channel, .timeout = 240)
{
    struct intake in = {0};
    struct server *s = intake_server(&in);
    struct client c;
    s->handlers.on_ssh_channel_data_in = pause_self;
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
    cr_assert_eq(client_open(&c, "session"), 0);
    for (size_t i = 0; i < 20; i++) {
        cr_assert(send_stream(&c, 0, i * 3000, 3000)); /* too big to share an event */
        client_turn(&c, 0);
    }
    cr_assert(turn_until(&c, &in.calls, 1));
    for (int i = 0; i < 100 && atomic_load(&in.bytes) < 60000; i++) {
        size_t before = atomic_load(&in.bytes), calls = atomic_load(&in.calls);
        client_pump(&c, 10);
        cr_assert_eq(atomic_load(&in.bytes), before, "data came while paused");
        cr_assert_eq(nacre_resume_channel(s->nacre, atomic_load(&in.channel)), 0);
        cr_assert(turn_until(&c, &in.calls, calls + 1));
    }
    cr_assert_eq(atomic_load(&in.bytes), 60000);
    cr_assert_eq(atomic_load(&in.wrong), 0);
    client_free(&c);
    server_free(s);
}

Test(class_flow, the_end_of_a_connection_releases_a_paused_channel, .timeout = 240)
{
    struct intake in = {0};
    struct server *s = intake_server(&in);
    struct client c;
    struct server_seen e;
    server_start(s, 2);
    cr_assert(client_start(&c, s->port));
    cr_assert_eq(client_open(&c, "session"), 0);
    cr_assert(server_wait(s, EVENT_SSH_CHANNEL_OPENED, 0, &e));
    cr_assert_eq(nacre_pause_channel(s->nacre, e.channel), 0);
    cr_assert(send_stream(&c, 0, 0, 100000));
    for (int i = 0; i < CLIENT_WAIT_MS && nacre_conn_output_bytes(c.conn) != 0; i++)
        client_turn(&c, 1);
    client_pump(&c, 100);
    cr_assert_eq(atomic_load(&in.bytes), 0);
    client_disconnect(&c);
    cr_assert(server_wait(s, EVENT_DISCONNECTED, 0, NULL), "a pause must not hold the end");
    cr_assert(server_wait_empty(s));
    cr_assert_eq(atomic_load(&in.bytes), 100000, "what was credited reaches the handler");
    cr_assert_eq(atomic_load(&in.wrong), 0);
    client_free(&c);
    server_free(s);
}

/* ---- records --------------------------------------------------------------------------------------------------- */

static void note_records(nacre_server *n, struct nacre_ssh_channel_data_in *e, void *context)
{
    server_on_ssh_channel_data_in(n, e, context);
    take_data(n, e, context);
}

struct record_case {
    char what[40];
    int length;
    size_t sends[6];
    size_t records[8];
};

ParameterizedTestParameters(class_flow, records_are_cut_and_gathered)
{
    static struct record_case cases[] = {
        {"exactly one", 10, {10}, {10}},
        {"several in one packet", 10, {35}, {10, 10, 10, 5}},
        {"gathered from small ones", 10, {3, 3, 3, 3}, {10, 2}},
        {"larger than a packet", 50000, {40000, 20000}, {50000, 10000}},
        {"one byte each", 1, {4}, {1, 1, 1, 1}},
        {"rest at eof", 100, {7, 8}, {15}},
        {"nothing at all", 100, {0}, {0}},
    };
    return cr_make_param_array(struct record_case, cases, sizeof cases / sizeof *cases);
}

ParameterizedTest(struct record_case *r, class_flow, records_are_cut_and_gathered, .timeout = 240)
{
    struct intake in = {0};
    struct server *s = intake_server(&in);
    struct client c;
    struct server_seen e;
    size_t sent = 0;
    s->handlers.on_ssh_channel_data_in = note_records;
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
    cr_assert_eq(client_open(&c, "session"), 0);
    cr_assert(server_wait(s, EVENT_SSH_CHANNEL_OPENED, 0, &e));
    cr_assert_eq(nacre_change_record_length(s->nacre, e.channel, r->length), 0);
    for (int i = 0; r->sends[i] != 0; i++) {
        cr_assert(send_stream(&c, 0, sent, r->sends[i]));
        sent += r->sends[i];
        client_pump(&c, 20);
    }
    cr_assert_eq(nacre_chan_send_eof(c.conn, 0, 0), NACRE_OK);
    for (int i = 0; i < CLIENT_WAIT_MS && !atomic_load(&in.eof); i++)
        client_turn(&c, 1);
    cr_assert(atomic_load(&in.eof));
    size_t count = 0;
    for (; r->records[count] != 0; count++) {
        cr_assert(server_wait(s, EVENT_SSH_CHANNEL_DATA_IN, count, &e), "%s: record %zu", r->what, count);
        cr_assert_eq(e.len, r->records[count], "%s: record %zu has %zu", r->what, count, e.len);
    }
    cr_assert_eq(server_count(s, EVENT_SSH_CHANNEL_DATA_IN), count, "%s", r->what);
    cr_assert_eq(atomic_load(&in.bytes), sent, "%s", r->what);
    cr_assert_eq(atomic_load(&in.wrong), 0, "%s", r->what);
    client_free(&c);
    server_free(s);
}

/* A header of four bytes names the length of what follows, then comes the next header: the use records are for. */
static void header_and_body(nacre_server *n, struct nacre_ssh_channel_data_in *e, void *context)
{
    struct server *s = context;
    struct intake *in = s->test;
    size_t calls = atomic_fetch_add(&in->calls, 1);
    size_t wanted = calls % 2 == 0 ? 4 : 7 + calls / 2;
    atomic_fetch_add(&in->wrong, e->data_len != wanted);
    atomic_fetch_add(&in->bytes, e->data_len);
    (void)nacre_change_record_length(n, e->channel_id, calls % 2 == 0 ? (int)(7 + (calls + 1) / 2) : 4);
}

static void four_first(nacre_server *n, struct nacre_ssh_channel_opened *e, void *context)
{
    (void)context;
    (void)nacre_change_record_length(n, e->channel_id, 4);
}

Test(class_flow, the_record_length_may_change_inside_the_handler, .timeout = 240)
{
    struct intake in = {0};
    struct server *s = intake_server(&in);
    struct client c;
    s->handlers.on_ssh_channel_data_in = header_and_body;
    s->handlers.on_ssh_channel_opened = four_first;
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
    cr_assert_eq(client_open(&c, "session"), 0);
    size_t total = 0;
    for (size_t i = 0; i < 50; i++)
        total += 4 + 7 + i;
    for (size_t sent = 0; sent < total; sent += 13) {
        cr_assert(send_stream(&c, 0, sent, total - sent < 13 ? total - sent : 13));
        client_turn(&c, 0);
    }
    cr_assert(turn_until(&c, &in.bytes, total), "%zu of %zu", atomic_load(&in.bytes), total);
    cr_assert_eq(atomic_load(&in.calls), 100);
    cr_assert_eq(atomic_load(&in.wrong), 0);
    client_free(&c);
    server_free(s);
}

/* ---- several channels ------------------------------------------------------------------------------------------ */

Test(class_flow, r21_a_channel_whose_peer_does_not_read_stalls_no_other, .timeout = 240)
{
    struct server *s = server_new();
    struct client c;
    struct server_seen e;
    static const uint8_t chunk[65536];
    s->echo = true;
    s->records_data = false;
    cr_assert_eq(nacre_set_default_timeout(s->nacre, 0), 0);
    server_start(s, 2);
    cr_assert(client_start(&c, s->port));
    for (int i = 0; i < 4; i++)
        cr_assert_eq(client_open(&c, "session"), i);
    cr_assert(server_wait(s, EVENT_SSH_CHANNEL_OPENED, 0, &e));
    c.channels[0].stalled = true;
    while (nacre_send_bytes(s->nacre, e.channel, chunk, sizeof chunk) == 0)
        ;
    client_pump(&c, 100);
    for (int round = 0; round < 20; round++)
        for (int i = 1; i < 4; i++) {
            size_t before = c.channels[i].received;
            cr_assert(client_send(&c, i, chunk, 1000));
            cr_assert(client_wait_count(&c, &c.channels[i].received, before + 1000), "channel %d stalled", i);
        }
    client_free(&c);
    server_free(s);
}

static void slow_on_first(nacre_server *n, struct nacre_ssh_channel_data_in *e, void *context)
{
    struct server *s = context;
    int64_t *paused = s->test;
    if (*paused == 0) {
        *paused = e->channel_id;
        (void)nacre_pause_channel(n, e->channel_id);
        return;
    }
    server_on_ssh_channel_data_in(n, e, context);
}

Test(class_flow, r21_a_paused_channel_with_its_window_full_stalls_no_other, .timeout = 240)
{
    struct server *s = server_new();
    struct client c;
    int64_t paused = 0;
    static const uint8_t chunk[65536];
    s->echo = true;
    s->test = &paused;
    s->handlers.on_ssh_channel_data_in = slow_on_first;
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
    cr_assert_eq(client_open(&c, "session"), 0);
    cr_assert_eq(client_open(&c, "session"), 1);
    for (int i = 0; i < 64; i++) /* four megabytes: twice the window */
        cr_assert(client_send(&c, 0, chunk, sizeof chunk));
    client_pump(&c, 200);
    cr_assert_neq(nacre_chan_queued(c.conn, 0), 0);
    cr_assert(client_send(&c, 1, "other", 5));
    cr_assert(client_wait_count(&c, &c.channels[1].received, 5));
    client_free(&c);
    server_free(s);
}

/* ---- rekeys ---------------------------------------------------------------------------------------------------- */

Test(class_flow, keys_are_exchanged_again_while_data_flows_both_ways, .timeout = 240)
{
    struct server *s = server_new();
    struct client c;
    struct server_seen e;
    enum {
        SIZE = 4 * 1024 * 1024
    };
    s->echo = true;
    s->records_data = false;
    server_start(s, 2);
    cr_assert(client_start(&c, s->port));
    cr_assert_eq(client_open(&c, "session"), 0);
    cr_assert(server_wait(s, EVENT_CONNECTED, 0, &e));
    size_t sent = 0;
    unsigned asked = 0;
    int64_t until = nacre_clock_ns() + CLIENT_WAIT_MS * INT64_C(1000000);
    while (c.channels[0].received < SIZE && !c.ended && nacre_clock_ns() < until) {
        if (sent < SIZE && nacre_chan_queued(c.conn, 0) < 200000) {
            cr_assert(send_stream(&c, 0, sent, 32768));
            sent += 32768;
            if (sent % (512 * 1024) == 0) {
                asked++;
                cr_assert_eq(nacre_exchange_keys(s->nacre, e.connection), 0);
            }
        }
        client_turn(&c, 1);
    }
    cr_assert_eq(c.channels[0].received, SIZE, "%zu; ended %d %s", c.channels[0].received, c.ended, c.text);
    size_t wrong = 0;
    for (size_t i = 0; i < SIZE; i++)
        wrong += c.channels[0].data.at[i] != byte_at(i);
    cr_assert_eq(wrong, 0);
    cr_assert_gt(asked, 4);
    cr_assert_gt(c.keys_done, 2, "%u exchanges", c.keys_done);
    client_free(&c);
    server_free(s);
}

Test(class_flow, the_threshold_brings_a_rekey_by_itself, .timeout = 240)
{
    struct server *s = server_new();
    struct client c;
    server_set(s, "KeyRenegotiationThreshold=100000");
    s->records_data = false;
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
    cr_assert_eq(client_open(&c, "session"), 0);
    for (unsigned i = 0; i < 3; i++) {
        cr_assert(send_stream(&c, 0, i * 131072, 131072));
        cr_assert(client_wait_unsigned(&c, &c.keys_done, i + 2), "%u", i);
    }
    client_free(&c);
    server_free(s);
}
