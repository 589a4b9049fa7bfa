/* SPDX-License-Identifier: Apache-2.0 */
/* Rule R1: every message number at every moment, against the table and never past it. */
#include <criterion/criterion.h>

#include <stdlib.h>

#include "ssh/conn_priv.h"
#include "ssh/kex.h"
#include "support/pair.h"

/* A packet of the first key exchange, in clear. */
static size_t clear_packet(uint8_t *out, struct span payload)
{
    size_t padding = 8 - (5 + payload.len) % 8;

    if (padding < 4)
        padding += 8;
    struct wr w = wr_over(out, 256);
    wr_u32(&w, (uint32_t)(1 + payload.len + padding));
    wr_u8(&w, (uint8_t)padding);
    wr_bytes(&w, payload.at, payload.len);
    memset(wr_take(&w, padding), 0, padding);
    return wr_len(&w);
}

static void say_in_clear(struct pair *p, struct span payload)
{
    uint8_t bytes[512];
    static const char version[] = "SSH-2.0-x\r\n";
    size_t len = sizeof version - 1;

    memcpy(bytes, version, len);
    len += clear_packet(bytes + len, payload);
    (void)nacre_conn_feed(p->server.conn, bytes, len, NULL, p->now_ns);
}

/* Seals the payload as the client and gives it to the server. */
static void say(struct pair *p, struct span payload)
{
    (void)nacre_packet_payload(p->client.conn, payload);
    pair_carry(&p->client, &p->server);
    pair_feed(&p->server);
}

/* A pair whose server is at that moment and whose client has nothing else on its way. */
static struct pair *pair_at(enum moment moment)
{
    struct pair *p = pair_new();
    struct conn_answer yes = {.accept = true};

    if (moment == M_SERVICE)
        p->client.leaves_open[CONN_HOST_KEY] = true;
    if (moment == M_OPEN || moment == M_REKEY)
        pair_login(p);
    else
        pair_start(p);
    if (moment == M_SERVICE || moment == M_AUTH)
        pair_run(p);
    if (moment == M_SERVICE) {
        (void)nacre_conn_answer(p->client.conn, side_event(&p->client, CONN_HOST_KEY, 0)->serial, &yes, p->now_ns);
        pair_carry(&p->client, &p->server);
        pair_feed(&p->server);
    }
    if (moment == M_REKEY) {
        (void)nacre_conn_rekey(p->client.conn, p->now_ns);
        pair_carry(&p->client, &p->server);
        pair_feed(&p->server);
        p->client.conn->kex->we_sent = false; /* the client does not hold anything back */
    }
    return p;
}

static void try_one(enum moment moment, unsigned number, struct span body)
{
    uint8_t payload[128];
    const struct msg_rule *rule = &nacre_server_rules[number];
    struct pair *p = pair_at(moment);
    size_t events = p->server.seen_count;

    cr_assert_eq(nacre_conn_moment(p->server.conn), moment);
    payload[0] = (uint8_t)number;
    memcpy(payload + 1, body.at, body.len);
    if (moment == M_KEX1)
        say_in_clear(p, span_of(payload, 1 + body.len));
    else
        say(p, span_of(payload, 1 + body.len));
    if (rule->handle != NULL && !msg_is_legal(rule, moment)) {
        const struct conn_event *e = side_event(&p->server, CONN_DISCONNECTED, 0);
        cr_assert_not_null(e, "moment %d, message %u", moment, number);
        cr_assert_eq(e->error, NACRE_E_UNEXPECTED);
        cr_assert_eq(p->server.seen_count, events + 1, "moment %d, message %u: an event besides the end", moment,
                     number);
    }
    if (moment != M_OPEN && moment != M_REKEY)
        cr_assert_eq(side_count(&p->server, CONN_AUTHENTICATED), 0);
    cr_assert_leq(side_count(&p->server, CONN_DISCONNECTED), 1);
    pair_free(p);
}

Test(gate, r01_every_number_at_every_moment)
{
    static const enum moment moments[] = {M_KEX1, M_SERVICE, M_AUTH, M_OPEN, M_REKEY};
    uint8_t ones[40], zeros[24] = {0};

    memset(ones, 0xff, sizeof ones);
    for (size_t m = 0; m < sizeof moments / sizeof *moments; m++) {
        for (unsigned number = 0; number < 256; number++) {
            try_one(moments[m], number, span_of(zeros, sizeof zeros));
            if (nacre_server_rules[number].handle != NULL) {
                try_one(moments[m], number, span_of(ones, sizeof ones));
                try_one(moments[m], number, span_of(zeros, 0));
            }
        }
    }
}

Test(gate, r02_kexinit_before_login_ends_the_connection)
{
    struct pair *p = pair_at(M_AUTH);

    (void)nacre_kex_start(p->client.conn);
    pair_carry(&p->client, &p->server);
    pair_feed(&p->server);
    cr_assert_eq(side_event(&p->server, CONN_DISCONNECTED, 0)->error, NACRE_E_UNEXPECTED);
    pair_free(p);
}

Test(gate, r03_strict_kex_takes_no_message_before_kexinit)
{
    struct pair *p = pair_new();
    static const uint8_t ignore[] = {MSG_IGNORE, 0, 0, 0, 0};
    uint8_t bytes[256];
    struct span spans[4];

    pair_start(p);
    size_t count = nacre_conn_output(p->client.conn, spans, 4);
    cr_assert_geq(count, 1);
    const uint8_t *end = memchr(spans[0].at, '\n', spans[0].len);
    size_t line = (size_t)(end - spans[0].at) + 1;
    memcpy(bytes, spans[0].at, line);
    size_t len = line + clear_packet(bytes + line, span_of(ignore, sizeof ignore));
    (void)nacre_conn_feed(p->server.conn, bytes, len, NULL, p->now_ns);
    nacre_conn_output_take(p->client.conn, line, p->now_ns);
    pair_carry(&p->client, &p->server);
    pair_feed(&p->server);
    cr_assert_eq(side_event(&p->server, CONN_DISCONNECTED, 0)->error, NACRE_E_UNEXPECTED);
    pair_free(p);
}

Test(gate, r26_a_wrong_guess_is_skipped)
{
    struct pair *p = pair_new();
    static const uint8_t guess[] = {34, 0, 0, 4, 0, 0, 0, 8, 0, 0, 0, 16, 0};

    p->client.config.algorithms.kex = "ecdh-sha2-nistp256";
    pair_start(p);
    /* The flag lies 5 bytes before the end of the client's KEXINIT payload, in clear. */
    pair_carry(&p->client, &p->server);
    uint8_t *packet = (uint8_t *)memchr(p->server.inbox, '\n', p->server.inbox_len) + 1;
    size_t length = (size_t)packet[0] << 24 | (size_t)packet[1] << 16 | (size_t)packet[2] << 8 | packet[3];
    size_t flag = 4 + length - packet[4] - 5;
    packet[flag] = 1;
    p->client.conn->kex->ours.at[flag - 5] = 1;
    (void)nacre_packet_payload(p->client.conn, span_of(guess, sizeof guess));
    pair_run(p);
    (void)nacre_conn_auth_password(p->client.conn, span_str("anna"), span_str("secret"));
    pair_run(p);
    cr_assert_eq(side_count(&p->client, CONN_AUTHENTICATED), 1);
    pair_free(p);
}

Test(gate, r08_queries_have_a_cap)
{
    struct pair *p = pair_new();
    struct key *key = nacre_key_generate(p->crypto, "ssh-ed25519", 0);

    p->server.refuses[CONN_AUTH_REQUEST] = true;
    pair_start(p);
    pair_run(p);
    for (int i = 0; i < 40 && !nacre_conn_is_closing(p->server.conn); i++) {
        (void)nacre_conn_auth_query(p->client.conn, span_str("anna"), key, NULL);
        pair_run(p);
    }
    cr_assert_eq(side_event(&p->server, CONN_DISCONNECTED, 0)->error, NACRE_E_AUTHENTICATION);
    cr_assert_eq(side_count(&p->server, CONN_AUTH_REQUEST), 16);
    nacre_key_unref(key);
    pair_free(p);
}

Test(gate, a_changed_byte_ends_the_connection)
{
    for (size_t at = 0; at < 60; at += 3) {
        struct pair *p = pair_new();
        pair_login(p);
        uint32_t channel = pair_open(p);
        (void)pair_send(&p->client, channel, 0, "0123456789012345678901234567890123456789", 40);
        pair_carry(&p->client, &p->server);
        p->server.inbox[at] ^= 1;
        pair_feed(&p->server);
        cr_assert_eq(p->server.data_bytes, 0);
        pair_free(p);
    }
}
