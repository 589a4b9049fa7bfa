/* SPDX-License-Identifier: Apache-2.0 */
/* Rule R14: what a peer can make us receive, answer and queue is bounded, before login by MaxLoginPackets and
 * MaxLoginBytes, after it by the output queue, past which nothing more is read. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <string.h>

#include "ssh/conn_priv.h"
#include "support/pair.h"

enum {
    PACKETS_MAX = 100,
    PING = 192,
    FLOOD = 200000,
};

/* The two have keys, and nobody has logged in. */
static struct pair *keyed_pair(uint32_t packets, uint64_t bytes)
{
    struct pair *p = pair_new();
    p->server.config.login_packets_max = packets;
    p->server.config.login_bytes_max = bytes;
    pair_start(p);
    pair_run(p);
    return p;
}

struct flood_case {
    char what[40];
    uint8_t payload[32];
    size_t len;
};

ParameterizedTestParameters(security, r14_floods_before_login_end)
{
    static struct flood_case cases[] = {
        {"IGNORE", {2, 0, 0, 0, 0}, 5},
        {"DEBUG", {4, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 10},
        {"UNIMPLEMENTED", {3, 0, 0, 0, 0}, 5},
        {"a message nobody knows", {77}, 1},
        {"PING", {PING, 0, 0, 0, 0}, 5},
        {"SERVICE_REQUEST", {5, 0, 0, 0, 12, 's', 's', 'h', '-', 'u', 's', 'e', 'r', 'a', 'u', 't', 'h'}, 17},
    };
    return cr_make_param_array(struct flood_case, cases, sizeof cases / sizeof *cases);
}

ParameterizedTest(struct flood_case *f, security, r14_floods_before_login_end)
{
    struct pair *p = keyed_pair(PACKETS_MAX, 0);
    unsigned sent = 0;
    while (side_count(&p->server, CONN_DISCONNECTED) == 0 && sent < 2 * PACKETS_MAX) {
        cr_assert_eq(nacre_packet_payload(p->client.conn, span_of(f->payload, f->len)), STEP_NEXT);
        sent++;
        pair_carry(&p->client, &p->server); /* what is answered is not read: the client would make something of it */
        pair_feed(&p->server);
    }
    const struct conn_event *e = side_event(&p->server, CONN_DISCONNECTED, 0);
    cr_assert_not_null(e, "%s: goes on for ever", f->what);
    cr_expect_eq(e->error, NACRE_E_LOGIN_LIMIT, "%s: %d", f->what, (int)e->error);
    cr_expect_leq(sent, PACKETS_MAX);
    cr_expect_gt(sent, PACKETS_MAX / 2, "%s: %u", f->what, sent);
    pair_free(p);
}

Test(security, r14_bytes_before_login_are_counted)
{
    static uint8_t payload[30000] = {2, 0, 0, 29995 >> 8, 29995 & 0xff};
    struct pair *p = keyed_pair(0, 200000);
    unsigned sent = 0;
    while (side_count(&p->server, CONN_DISCONNECTED) == 0 && sent < 20) {
        (void)nacre_packet_payload(p->client.conn, span_of(payload, sizeof payload));
        sent++;
        pair_run(p);
    }
    const struct conn_event *e = side_event(&p->server, CONN_DISCONNECTED, 0);
    cr_assert_not_null(e);
    cr_expect_eq(e->error, NACRE_E_LOGIN_LIMIT);
    cr_expect(sent == 7 || sent == 8, "%u: the packet that passes the limit or the next", sent);
    pair_free(p);
}

Test(security, r14_nothing_is_counted_after_login)
{
    static const uint8_t ignore[] = {2, 0, 0, 0, 0};
    struct pair *p = pair_new();
    p->server.config.login_packets_max = PACKETS_MAX;
    p->server.config.login_bytes_max = 100000;
    pair_login(p);
    for (unsigned i = 0; i < 30 * PACKETS_MAX; i++)
        cr_assert_eq(nacre_packet_payload(p->client.conn, span_of(ignore, sizeof ignore)), STEP_NEXT);
    pair_run(p);
    cr_expect_eq(side_count(&p->server, CONN_DISCONNECTED), 0);
    pair_free(p);
}

/* A peer that asks and never reads: replies queue up to a bound, and then it is not read any more either. */
static void flood_after_login(struct span payload)
{
    struct pair *p = pair_new();
    size_t bound;
    pair_login(p);
    bound = p->server.config.send_high + CONTROL_SLACK + CONN_PACKET_MAX;
    for (unsigned i = 0; i < FLOOD && nacre_conn_wants_input(p->server.conn); i++) {
        cr_assert_eq(nacre_packet_payload(p->client.conn, payload), STEP_NEXT);
        pair_carry(&p->client, &p->server);
        pair_feed(&p->server);
        cr_assert_leq(nacre_conn_output_bytes(p->server.conn), bound);
    }
    cr_expect_not(nacre_conn_wants_input(p->server.conn), "it stops reading");
    cr_expect_eq(side_count(&p->server, CONN_DISCONNECTED), 0);
    /* Once the peer reads, it is read again. */
    pair_run(p);
    cr_expect(nacre_conn_wants_input(p->server.conn));
    pair_free(p);
}

Test(security, r14_pings_after_login_are_bounded_by_the_output, .timeout = 240)
{
    static uint8_t ping[1005] = {PING, 0, 0, 1000 >> 8, 1000 & 0xff};
    flood_after_login(span_of(ping, sizeof ping));
}

Test(security, r14_unknown_messages_after_login_are_bounded_by_the_output, .timeout = 240)
{
    static const uint8_t unknown[] = {77};
    flood_after_login(span_of(unknown, sizeof unknown));
}

Test(security, r14_unknown_global_requests_are_bounded_by_the_output, .timeout = 240)
{
    static const uint8_t request[] = {80, 0, 0, 0, 1, 'x', 1};
    flood_after_login(span_of(request, sizeof request));
}
