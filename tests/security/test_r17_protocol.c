/* SPDX-License-Identifier: Apache-2.0 */
/* Rules R17 to R24 and R37: lines, counts, windows and numbers of a peer that lies, one packet each. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <string.h>

#include "ssh/chan.h"
#include "support/pair.h"

enum {
    REFUSED_OPENS = 200000,
    SESSION = 7,
};

/* ---- what a client says first ---------------------------------------------------------------------------------- */

struct line_case {
    char what[32];
    char line[300];
    bool good;
};

ParameterizedTestParameters(security, r17_identification)
{
    static struct line_case cases[] = {
        {"as it should be", "SSH-2.0-x\r\n", true},
        {"without CR", "SSH-2.0-x\n", true},
        {"another protocol", "GET / HTTP/1.1\r\n", false},
        {"a line before it", "hello\r\nSSH-2.0-x\r\n", false},
        {"version 1", "SSH-1.5-x\r\n", false},
        {"a NUL in it", "SSH-2.0-\1\r\n", false},
    };
    memset(cases[5].line + 8, 0, 1);
    return cr_make_param_array(struct line_case, cases, sizeof cases / sizeof *cases);
}

ParameterizedTest(struct line_case *one, security, r17_identification)
{
    struct pair *p = pair_new();
    size_t len = one->line[8] == '\0' ? 11 : strlen(one->line);
    uint8_t bytes[300];
    pair_start(p);
    memcpy(bytes, one->line, len);
    (void)nacre_conn_feed(p->server.conn, bytes, len, NULL, p->now_ns);
    cr_expect_eq(side_count(&p->server, CONN_DISCONNECTED), one->good ? 0 : 1, "%s", one->what);
    pair_free(p);
}

Test(security, r17_a_line_without_end_is_read_up_to_255_bytes)
{
    struct pair *p = pair_new();
    uint8_t bytes[256];
    memset(bytes, 'x', sizeof bytes);
    memcpy(bytes, "SSH-2.0-", 8);
    pair_start(p);
    cr_expect_eq(nacre_conn_feed(p->server.conn, bytes, 254, NULL, p->now_ns), 0);
    cr_expect_eq(side_count(&p->server, CONN_DISCONNECTED), 0);
    (void)nacre_conn_feed(p->server.conn, bytes, 256, NULL, p->now_ns);
    cr_expect_eq(side_count(&p->server, CONN_DISCONNECTED), 1);
    pair_free(p);
}

/* ---- packets made by hand -------------------------------------------------------------------------------------- */

static void send_raw(struct pair *p, const struct wr *w)
{
    cr_assert_eq(nacre_packet_payload(p->client.conn, wr_span(w)), STEP_NEXT);
    pair_carry(&p->client, &p->server);
    pair_feed(&p->server);
}

static void send_open(struct pair *p, uint32_t window, uint32_t packet)
{
    uint8_t bytes[64];
    struct wr w = wr_over(bytes, sizeof bytes);
    wr_u8(&w, MSG_CHANNEL_OPEN);
    wr_cstring(&w, "session");
    wr_u32(&w, 0);
    wr_u32(&w, window);
    wr_u32(&w, packet);
    send_raw(p, &w);
}

static void drain(struct pair *p)
{
    nacre_conn_output_take(p->server.conn, nacre_conn_output_bytes(p->server.conn), p->now_ns);
}

/* Channels that are refused leave nothing, however many. */
Test(security, r19_refused_channels_leave_nothing, .timeout = 240)
{
    struct pair *p = pair_new();
    pair_login(p);
    p->server.refuses[CONN_CHANNEL_OPEN_REQUEST] = true;
    send_open(p, 1000, 1000);
    drain(p);
    size_t blocks = atomic_load(&p->pool.used), memory = nacre_conn_memory(p->server.conn);
    for (unsigned i = 0; i < REFUSED_OPENS; i++) {
        if (p->server.seen_count > PAIR_EVENTS / 2)
            side_forget(&p->server);
        send_open(p, 1000, 1000);
        drain(p);
    }
    cr_expect_eq(side_count(&p->server, CONN_DISCONNECTED), 0);
    cr_expect_eq(p->server.conn->chan_count, 0);
    cr_expect_eq(nacre_conn_memory(p->server.conn), memory);
    cr_expect_leq(atomic_load(&p->pool.used), blocks);
    pair_free(p);
}

/* Undecided ones count as well. */
Test(security, r20_the_cap_counts_channels_that_are_not_decided)
{
    struct pair *p = pair_new();
    p->server.config.max_channels = 5;
    pair_login(p);
    p->server.leaves_open[CONN_CHANNEL_OPEN_REQUEST] = true;
    for (unsigned i = 0; i < 9; i++)
        send_open(p, 1000, 1000);
    cr_expect_eq(side_count(&p->server, CONN_CHANNEL_OPEN_REQUEST), 5);
    cr_expect_eq(p->server.conn->chan_count, 5);
    cr_expect_eq(side_count(&p->server, CONN_DISCONNECTED), 0);
    pair_free(p);
}

Test(security, r22_a_packet_size_that_gets_nowhere_is_refused)
{
    struct pair *p = pair_new();
    pair_login(p);
    send_open(p, 1000, 0);
    send_open(p, 1000, CHAN_PACKET_MIN - 1);
    cr_expect_eq(side_count(&p->server, CONN_CHANNEL_OPEN_REQUEST), 0);
    cr_expect_eq(p->server.conn->chan_count, 0);
    pair_free(p);
}

static const struct conn_event *end_of(const struct pair *p)
{
    const struct conn_event *e = side_event(&p->server, CONN_DISCONNECTED, 0);
    cr_assert_not_null(e);
    return e;
}

Test(security, r23_a_window_does_not_pass_32_bits)
{
    struct pair *p = pair_new();
    uint8_t bytes[16];
    struct wr w = wr_over(bytes, sizeof bytes);
    pair_login(p);
    uint32_t ch = pair_open(p);
    uint32_t room = UINT32_MAX - nacre_chan_find(p->server.conn, ch)->window_out;
    wr_u8(&w, MSG_CHANNEL_WINDOW_ADJUST);
    wr_u32(&w, ch);
    wr_u32(&w, room);
    send_raw(p, &w);
    cr_expect_eq(side_count(&p->server, CONN_DISCONNECTED), 0, "all that fits");
    w = wr_over(bytes, sizeof bytes);
    wr_u8(&w, MSG_CHANNEL_WINDOW_ADJUST);
    wr_u32(&w, ch);
    wr_u32(&w, 1);
    send_raw(p, &w);
    cr_expect_eq(end_of(p)->error, NACRE_E_FLOW);
    pair_free(p);
}

Test(security, r23_data_beyond_the_window_ends_the_connection)
{
    static uint8_t bytes[9 + 1000], junk[1000];
    struct pair *p = pair_new();
    p->server.config.window_bytes = p->server.config.window_max = 1500;
    p->server.consumes = false;
    pair_login(p);
    uint32_t ch = pair_open(p);
    for (int i = 0; i < 2; i++) {
        struct wr w = wr_over(bytes, sizeof bytes);
        cr_assert_eq(side_count(&p->server, CONN_DISCONNECTED), 0);
        wr_u8(&w, MSG_CHANNEL_DATA);
        wr_u32(&w, ch);
        wr_string(&w, span_of(junk, sizeof junk));
        send_raw(p, &w);
    }
    cr_expect_eq(end_of(p)->error, NACRE_E_FLOW);
    cr_expect_eq(p->server.data_bytes, 1000, "none of it reached anybody");
    pair_free(p);
}

struct stray_case {
    char what[24];
    uint8_t number;
};

ParameterizedTestParameters(security, r37_messages_for_channels_that_are_not_there)
{
    static struct stray_case cases[] = {{"window adjust", 93}, {"data", 94},    {"extended data", 95},
                                        {"eof", 96},           {"close", 97},   {"request", 98},
                                        {"success", 99},       {"failure", 100}};
    return cr_make_param_array(struct stray_case, cases, sizeof cases / sizeof *cases);
}

ParameterizedTest(struct stray_case *one, security, r37_messages_for_channels_that_are_not_there)
{
    static const uint32_t numbers[] = {SESSION, UINT32_MAX};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct pair *p = pair_new();
        uint8_t bytes[64] = {0};
        struct wr w = wr_over(bytes, sizeof bytes);
        pair_login(p);
        size_t before = p->server.seen_count;
        wr_u8(&w, one->number);
        wr_u32(&w, numbers[i]);
        wr_u32(&w, 0);
        wr_u8(&w, 0);
        send_raw(p, &w);
        cr_expect_eq(end_of(p)->error, NACRE_E_UNEXPECTED, "%s", one->what);
        for (size_t n = before; n < p->server.seen_count; n++)
            cr_expect(p->server.seen[n].event.type == CONN_DISCONNECTED || p->server.seen[n].event.type == CONN_LOG ||
                          p->server.seen[n].event.type == CONN_STATUS,
                      "%s was told", one->what);
        pair_free(p);
    }
}

/* Requests have no window of their own: behind data that the peer does not take they would pile up. */
Test(security, r30_requests_behind_a_closed_window_have_a_bound)
{
    struct pair *p = pair_new();
    uint8_t junk[3000] = {0};
    unsigned taken = 0;
    p->client.config.window_bytes = p->client.config.window_max = 1000;
    p->client.consumes = false;
    pair_login(p);
    uint32_t ch = pair_open(p);
    cr_assert_eq(pair_send(&p->server, ch, 0, junk, sizeof junk), NACRE_OK);
    pair_run(p);
    enum nacre_error e = NACRE_OK;
    while (taken < 100000 && e == NACRE_OK) {
        e = nacre_chan_request(p->server.conn, ch, span_str("x"), false, span_of(NULL, 0), p->now_ns);
        taken += e == NACRE_OK;
    }
    cr_expect_eq(e, NACRE_E_TOO_MUCH_QUEUED);
    cr_expect_eq(taken, 1024);
    /* When the peer takes the data, they go out, and there is room again. */
    for (int i = 0; i < 3; i++) {
        nacre_chan_consumed(p->client.conn, ch, 1000, p->now_ns);
        pair_run(p);
    }
    cr_expect_eq(side_count(&p->client, CONN_CHANNEL_REQUEST), 1024);
    cr_expect_eq(nacre_chan_request(p->server.conn, ch, span_str("x"), false, span_of(NULL, 0), p->now_ns), NACRE_OK);
    pair_free(p);
}
