/* SPDX-License-Identifier: Apache-2.0 */
/* What waits behind questions that are not answered yet: how much, how fast, and that all of it is handled. */
#include <criterion/criterion.h>
#include <string.h>

#include "ssh/chan.h"
#include "ssh/conn_priv.h"
#include "support/pair.h"

enum {
    MESSAGES = 500000,
    MESSAGES_MAX = 16 * MESSAGES,
    CHANNELS = 4,
    ROUNDS = 20,
    REQUEST_BYTES = 30000
};

/* Taking one message must not move all that are behind it, which took minutes. */
Test(lanes, many_small_messages_are_taken_in_linear_time, .timeout = 60)
{
    struct lane lane = {.first = NULL};
    struct span payload;

    for (size_t i = 0; i < MESSAGES; i++)
        cr_assert(nacre_lane_put(&lane, MESSAGES_MAX, (uint8_t)i, span_str("12345678")));
    for (size_t i = 0; i < MESSAGES; i++) {
        cr_assert(nacre_lane_peek(&lane, &payload));
        cr_assert(payload.len == 9 && payload.at[0] == (uint8_t)i);
        nacre_lane_drop(&lane);
    }
    cr_assert_eq(lane.bytes, 0);
    cr_assert_eq(lane.room, 0, "what is empty owns nothing");
}

Test(lanes, a_lane_takes_no_more_than_its_maximum)
{
    struct lane lane = {.first = NULL};

    cr_assert(nacre_lane_put(&lane, 32, 1, span_str("0123456789")));
    cr_assert(nacre_lane_put(&lane, 32, 2, span_str("0123456789")));
    cr_assert_not(nacre_lane_put(&lane, 32, 3, span_str("")));
    nacre_lane_drop(&lane);
    cr_assert(nacre_lane_put(&lane, 32, 3, span_str("0123456789")));
    nacre_lane_free(&lane);
    cr_assert_eq(lane.bytes + lane.room, 0);
}

/* Fails when large messages double what they take of memory, or when what was taken stays until all has been. */
Test(lanes, r30_a_lane_takes_little_more_memory_than_its_messages)
{
    enum {
        LARGE = 200
    };
    static uint8_t body[32768 + 8];
    struct lane lane = {.first = NULL};
    struct span payload;

    for (size_t i = 0; i < LARGE; i++) {
        memset(body, (int)i, sizeof body);
        cr_assert(nacre_lane_put(&lane, SIZE_MAX, MSG_CHANNEL_DATA, span_of(body, sizeof body)));
    }
    for (size_t i = 0; i < LARGE; i++) {
        cr_expect_lt(lane.room, lane.bytes + lane.bytes / 8 + 128 * 1024, "%zu for %zu", lane.room, lane.bytes);
        memset(body, (int)i, sizeof body);
        cr_assert(nacre_lane_peek(&lane, &payload) && payload.len == 1 + sizeof body);
        cr_assert(payload.at[0] == MSG_CHANNEL_DATA && memcmp(payload.at + 1, body, sizeof body) == 0);
        nacre_lane_drop(&lane);
    }
    cr_assert_not(nacre_lane_peek(&lane, &payload));
}

static void answer_all(struct pair *p)
{
    static const struct conn_answer yes = {.accept = true};

    for (size_t i = 0; i < p->server.seen_count; i++) {
        const struct conn_event *e = &p->server.seen[i].event;
        if (e->type == CONN_CHANNEL_REQUEST)
            (void)nacre_conn_answer(p->server.conn, e->serial, &yes, p->now_ns); /* most are answered already */
    }
}

/* What waited behind a request is worked off in pieces, or it would hold up everybody else of the thread. */
Test(lanes, r43_what_waited_is_worked_off_in_pieces_and_in_order)
{
    enum {
        MANY = 4000
    };
    struct pair *p = pair_new();

    p->server.leaves_open[CONN_CHANNEL_REQUEST] = true;
    pair_login(p);
    uint32_t channel = pair_open(p);
    cr_assert_eq(nacre_chan_request(p->client.conn, channel, span_str("x@y"), true, span_of(NULL, 0), p->now_ns),
                 NACRE_OK);
    for (size_t i = 0; i < MANY; i++) {
        uint8_t message[10] = {94, 0, 0, 0, 0, 0, 0, 0, 1, (uint8_t)i};
        cr_assert_eq(nacre_conn_send_payload(p->client.conn, span_of(message, sizeof message), p->now_ns), NACRE_OK);
        pair_carry(&p->client, &p->server);
        pair_feed(&p->server);
    }
    cr_assert_eq(side_count(&p->server, CONN_CHANNEL_DATA), 0);
    answer_all(p);
    size_t first = side_count(&p->server, CONN_CHANNEL_DATA), before = first;
    cr_expect_gt(first, 0U);
    cr_expect_lt(first, MANY / 4, "%zu at once", first);
    while (nacre_conn_has_rest(p->server.conn)) {
        nacre_conn_go_on(p->server.conn, p->now_ns);
        size_t now = side_count(&p->server, CONN_CHANNEL_DATA);
        cr_assert(now > before && now - before < MANY / 4);
        before = now;
    }
    cr_assert_eq(before, MANY);
    for (size_t i = 0; i < MANY; i++)
        cr_assert_eq(*(const uint8_t *)side_event(&p->server, CONN_CHANNEL_DATA, i)->data.at, (uint8_t)i, "%zu", i);
    pair_free(p);
}

/* So it is with global requests, and nothing more is read meanwhile: too many in their lane end the connection. */
Test(lanes, r43_global_requests_that_waited_are_worked_off_in_pieces_and_in_order)
{
    enum {
        MANY = 4000
    };
    static const struct conn_answer no = {.accept = false};
    struct pair *p = pair_new();

    p->server.leaves_open[CONN_GLOBAL_REQUEST] = true;
    pair_login(p);
    for (size_t i = 0; i < MANY; i++) {
        uint8_t message[8] = {80, 0, 0, 0, 1, (uint8_t)('a' + i % 26), 0, 0};
        cr_assert_eq(nacre_conn_send_payload(p->client.conn, span_of(message, 7), p->now_ns), NACRE_OK);
        pair_carry(&p->client, &p->server);
        pair_feed(&p->server);
    }
    cr_assert_eq(side_count(&p->server, CONN_GLOBAL_REQUEST), 1);
    p->server.leaves_open[CONN_GLOBAL_REQUEST] = false;
    cr_assert(
        nacre_conn_answer(p->server.conn, side_event(&p->server, CONN_GLOBAL_REQUEST, 0)->serial, &no, p->now_ns));
    size_t before = side_count(&p->server, CONN_GLOBAL_REQUEST);
    cr_expect_lt(before, MANY / 4, "%zu at once", before);
    cr_assert(nacre_conn_has_rest(p->server.conn));
    cr_expect_not(nacre_conn_wants_input(p->server.conn), "what comes now would only wait");
    while (nacre_conn_has_rest(p->server.conn)) {
        nacre_conn_go_on(p->server.conn, p->now_ns);
        size_t now = side_count(&p->server, CONN_GLOBAL_REQUEST);
        cr_assert(now > before && now - before < MANY / 4);
        before = now;
    }
    cr_assert_eq(before, MANY);
    cr_expect(nacre_conn_wants_input(p->server.conn));
    for (size_t i = 0; i < MANY; i++)
        cr_assert_eq(*(const char *)side_event(&p->server, CONN_GLOBAL_REQUEST, i)->kind.at, (char)('a' + i % 26));
    pair_free(p);
}

/* All channels together have one bound, and reaching it stops the reading instead of ending the connection. */
Test(lanes, r30_too_much_behind_open_questions_stops_the_reading, .timeout = 240)
{
    static uint8_t data[REQUEST_BYTES];
    struct pair *p = pair_new();
    uint32_t channels[CHANNELS];

    p->server.config.window_bytes = p->server.config.window_max = 32768;
    p->server.leaves_open[CONN_CHANNEL_REQUEST] = true;
    pair_login(p);
    for (size_t i = 0; i < CHANNELS; i++)
        channels[i] = pair_open(p);
    size_t before = nacre_conn_memory(p->server.conn);
    for (size_t i = 0; i < (size_t)CHANNELS * ROUNDS; i++) {
        cr_assert_eq(nacre_chan_request(p->client.conn, channels[i % CHANNELS], span_str("x@y"), false,
                                        span_of(data, sizeof data), p->now_ns),
                     NACRE_OK);
        pair_carry(&p->client, &p->server);
        pair_feed(&p->server);
    }
    cr_assert_not(nacre_conn_wants_input(p->server.conn));
    size_t taken = 0;
    for (size_t i = 0; i < CHANNELS; i++)
        taken += nacre_chan_find(p->server.conn, (uint32_t)i)->lane.room;
    cr_assert_geq(nacre_conn_memory(p->server.conn), before + taken, "memory is what was allocated");
    cr_assert_eq(side_count(&p->server, CONN_DISCONNECTED), 0);
    cr_assert_eq(side_count(&p->server, CONN_CHANNEL_REQUEST), CHANNELS);
    for (size_t i = 0; i < ROUNDS + 1; i++) {
        answer_all(p);
        pair_run(p);
    }
    cr_assert_eq(side_count(&p->server, CONN_CHANNEL_REQUEST), (size_t)CHANNELS * ROUNDS);
    cr_assert(nacre_conn_wants_input(p->server.conn));
    cr_assert_leq(nacre_conn_memory(p->server.conn), before);
    pair_free(p);
}
