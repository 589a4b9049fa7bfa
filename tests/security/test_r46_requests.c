/* SPDX-License-Identifier: Apache-2.0 */
/* Rule R46 for requests of ours: what was taken while the output queue is full, or while keys are exchanged, goes out
 * in order later; what cannot be taken is an error. Fails when nacre_chan_request() looks for room in the output, or
 * when a queued request does not wait for it. */
#include <criterion/criterion.h>
#include <string.h>

#include "ssh/conn_priv.h"
#include "support/pair.h"

enum {
    REQUESTS = 500
};

static struct pair *open_pair(uint32_t *ch)
{
    struct pair *p = pair_new();
    pair_login(p);
    *ch = pair_open(p);
    return p;
}

/* Global requests until the server's output is as full as replies may make it. */
static void fill_output(struct pair *p)
{
    static uint8_t junk[4000];
    enum nacre_error e = NACRE_OK;
    for (unsigned i = 0; i < 10000 && e == NACRE_OK; i++)
        e = nacre_conn_global_request(p->server.conn, span_str("x"), false, span_of(junk, sizeof junk), p->now_ns);
    cr_assert_eq(e, NACRE_E_NOBUFS);
}

static void ask(struct pair *p, uint32_t ch, unsigned n)
{
    uint8_t data[1000] = {(uint8_t)(n >> 8), (uint8_t)n};
    cr_assert_eq(
        nacre_chan_request(p->server.conn, ch, span_str("signal"), false, span_of(data, sizeof data), p->now_ns),
        NACRE_OK, "request %u", n);
}

static void expect_all(struct pair *p)
{
    cr_assert_eq(side_count(&p->client, CONN_CHANNEL_REQUEST), REQUESTS);
    for (unsigned i = 0; i < REQUESTS; i++) {
        struct span d = side_event(&p->client, CONN_CHANNEL_REQUEST, i)->data;
        const uint8_t *at = d.at + d.len - 1000;
        cr_assert_eq((unsigned)at[0] << 8 | at[1], i);
    }
}

Test(security, r46_requests_wait_for_room_in_the_output, .timeout = 240)
{
    uint32_t ch;
    struct pair *p = open_pair(&ch);
    fill_output(p);
    size_t full = nacre_conn_output_bytes(p->server.conn);
    for (unsigned i = 0; i < REQUESTS; i++)
        ask(p, ch, i);
    cr_expect_eq(nacre_conn_output_bytes(p->server.conn), full, "they wait in the channel's queue");
    pair_run(p);
    expect_all(p);
    pair_free(p);
}

Test(security, r46_queued_requests_do_not_overfill_the_output, .timeout = 240)
{
    static uint8_t junk[30000];
    uint32_t ch;
    struct pair *p = open_pair(&ch);
    for (unsigned i = 0; i < 200; i++)
        cr_assert_eq(
            nacre_chan_request(p->server.conn, ch, span_str("x"), false, span_of(junk, sizeof junk), p->now_ns),
            NACRE_OK);
    cr_expect_leq(nacre_conn_output_bytes(p->server.conn), p->server.config.send_high + CONN_PACKET_MAX);
    pair_run(p);
    cr_expect_eq(side_count(&p->client, CONN_CHANNEL_REQUEST), 200);
    pair_free(p);
}

Test(security, r46_requests_wait_for_a_key_exchange, .timeout = 240)
{
    uint32_t ch;
    struct pair *p = open_pair(&ch);
    cr_assert_eq(nacre_conn_rekey(p->server.conn, p->now_ns), NACRE_OK);
    for (unsigned i = 0; i < REQUESTS; i++)
        ask(p, ch, i);
    pair_run(p);
    expect_all(p);
    pair_free(p);
}

/* A peer that answers none of them: told, and not kept waiting for ever. */
Test(security, r46_too_many_replies_due_are_an_error, .timeout = 240)
{
    uint32_t ch;
    struct pair *p = open_pair(&ch);
    enum nacre_error e = NACRE_OK;
    unsigned taken = 0;
    p->client.leaves_open[CONN_CHANNEL_REQUEST] = true;
    while (taken < 10000 && e == NACRE_OK) {
        e = nacre_chan_request(p->server.conn, ch, span_str("x"), true, span_of(NULL, 0), p->now_ns);
        taken += e == NACRE_OK;
        if (taken % 100 == 0)
            pair_run(p);
    }
    cr_expect_eq(e, NACRE_E_TOO_MUCH_QUEUED);
    cr_expect_eq(taken, 1024);
    pair_free(p);
}
