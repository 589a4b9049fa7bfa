/* SPDX-License-Identifier: Apache-2.0 */
/* Rule R1: every message number at every moment in both roles, against a table of the test's own, and never past it. */
#include <criterion/criterion.h>
#include <stdio.h>

#include <stdlib.h>

#include "protocol/places.h"
#include "ssh/conn_priv.h"
#include "ssh/kex.h"
#include "support/pair.h"

/* What RFC 4253, 4252, 4254, 8308 and strict key exchange allow, written down a second time. */

static const enum moment moment_of[PLACES] = {M_KEX1, M_KEX1, M_KEX1_STRICT, M_SERVICE, M_AUTH, M_OPEN, M_REKEY};

/* May the peer say it there? By place, in the order above: '+' yes, '-' never. A number without a row is unknown. */
struct expected {
    unsigned first, last;
    const char *places;
};

static const struct expected both_expect[] = {
    {1, 1, "+++++++"},     /* DISCONNECT */
    {2, 4, "++-++++"},     /* IGNORE, UNIMPLEMENTED, DEBUG */
    {20, 20, "++---+-"},   /* KEXINIT: a second one before login is rule R2 */
    {21, 21, "+++---+"},   /* NEWKEYS */
    {80, 82, "-----+-"},   /* global requests */
    {90, 100, "-----+-"},  /* channels */
    {192, 192, "++-++++"}, /* PING */
    {193, 193, "-----+-"}, /* PONG */
};

static const struct expected server_expects[] = {
    {5, 5, "---++--"},   /* SERVICE_REQUEST */
    {7, 7, "---+---"},   /* EXT_INFO: right after NEWKEYS alone */
    {30, 30, "+++---+"}, /* KEX_INIT */
    {32, 32, "+++---+"}, /* KEX_GROUP_INIT */
    {34, 34, "+++---+"}, /* KEX_GROUP_REQUEST */
    {50, 50, "----++-"}, /* USERAUTH_REQUEST: ignored once logged in, RFC 4252 section 5.1 */
    {61, 61, "----+--"}, /* USERAUTH_INFO_RESPONSE */
};

static const struct expected client_expects[] = {
    {6, 6, "---+---"},   /* SERVICE_ACCEPT */
    {7, 7, "---++--"},   /* EXT_INFO: after NEWKEYS, or right before USERAUTH_SUCCESS */
    {31, 31, "+++---+"}, /* KEX_REPLY */
    {33, 33, "+++---+"}, /* KEX_GROUP_REPLY */
    {51, 53, "----+--"}, /* USERAUTH_FAILURE, USERAUTH_SUCCESS, USERAUTH_BANNER */
    {60, 60, "----+--"}, /* PK_OK, PASSWD_CHANGEREQ, INFO_REQUEST */
};

enum verdict {
    UNKNOWN,
    FORBIDDEN,
    ALLOWED
};

static enum verdict verdict_in(const struct expected *rows, size_t count, enum place place, unsigned number)
{
    for (size_t i = 0; i < count; i++)
        if (number >= rows[i].first && number <= rows[i].last)
            return rows[i].places[place] == '+' ? ALLOWED : FORBIDDEN;
    return UNKNOWN;
}

static enum verdict verdict_of(enum conn_role role, enum place place, unsigned number)
{
    enum verdict v = verdict_in(both_expect, sizeof both_expect / sizeof *both_expect, place, number);
    if (v != UNKNOWN)
        return v;
    if (role == CONN_SERVER)
        return verdict_in(server_expects, sizeof server_expects / sizeof *server_expects, place, number);
    return verdict_in(client_expects, sizeof client_expects / sizeof *client_expects, place, number);
}

/* The gate's own end: UNEXPECTED with the message's name, or that it is none. */
static bool gate_ended(const struct side *s, enum conn_role role, unsigned number)
{
    const struct msg_rule *rules = role == CONN_SERVER ? nacre_server_rules : nacre_client_rules;
    const struct conn_event *e = side_event(s, CONN_DISCONNECTED, 0);
    char text[80] = "unknown message in strict key exchange";

    if (rules[number].name != NULL)
        (void)snprintf(text, sizeof text, "%s is not allowed at this moment", rules[number].name);
    return e != NULL && e->error == NACRE_E_UNEXPECTED && span_is(e->text, text);
}

static void try_one(enum conn_role role, enum place place, unsigned number, struct span body)
{
    uint8_t payload[128];
    struct pair *p = pair_at(role, place, NULL);
    struct side *s = side_of(p, role);
    size_t events = s->seen_count;
    enum verdict verdict = verdict_of(role, place, number);

    cr_assert_eq(nacre_conn_moment(s->conn), moment_of[place], "role %d, place %d", role, place);
    pair_carry(s, other_side(p, role));
    uint32_t said = s->conn->out.seq;
    payload[0] = (uint8_t)number;
    if (body.len != 0)
        memcpy(payload + 1, body.at, body.len);
    say(p, role, place, span_of(payload, 1 + body.len));
    bool ended = gate_ended(s, role, number);
    if (verdict == ALLOWED)
        cr_assert_not(ended, "role %d, place %d, message %u is stopped", role, place, number);
    else if (verdict == FORBIDDEN || place == STRICT_KEX)
        cr_assert(ended, "role %d, place %d, message %u is let through", role, place, number);
    else /* RFC 4253 section 11.4: UNIMPLEMENTED, and no more */
        cr_assert(!nacre_conn_is_closing(s->conn) && s->conn->out.seq == said + 1,
                  "role %d, place %d, message %u is not answered", role, place, number);
    if (verdict != ALLOWED)
        cr_assert_eq(s->seen_count, events + ended, "role %d, place %d, message %u: an event besides the end", role,
                     place, number);
    if (place < LOGGED_IN)
        cr_assert_eq(side_count(&p->server, CONN_AUTHENTICATED), 0);
    cr_assert_leq(side_count(s, CONN_DISCONNECTED), 1);
    pair_free(p);
}

static void walk(enum conn_role role, enum place place)
{
    uint8_t ones[40], zeros[24] = {0};

    memset(ones, 0xff, sizeof ones);
    for (unsigned number = 0; number < 256; number++) {
        try_one(role, place, number, span_of(zeros, sizeof zeros));
        if (verdict_of(role, place, number) == UNKNOWN)
            continue;
        try_one(role, place, number, span_of(ones, sizeof ones));
        try_one(role, place, number, span_of(zeros, 0));
    }
}

Test(gate, r01_a_server_takes_no_message_out_of_place)
{
    for (enum place place = BEFORE_KEXINIT; place < PLACES; place++)
        walk(CONN_SERVER, place);
}

Test(gate, r01_a_client_takes_no_message_out_of_place)
{
    for (enum place place = BEFORE_KEXINIT; place < PLACES; place++)
        walk(CONN_CLIENT, place);
}

Test(gate, r02_kexinit_before_login_ends_the_connection)
{
    struct pair *p = pair_at(CONN_SERVER, LOGIN, NULL);

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

/* ---- what the peer is told ------------------------------------------------------------------------------------- */

/* A pair whose client keeps what it was sent, as hexadecimal lines. */
static struct pair *pair_that_logs(void)
{
    struct pair *p = pair_new();

    p->client.config.log_level = 3;
    p->client.keeps_logs = true;
    return p;
}

/* The server has ended for `error`, and the client has a DISCONNECT with `code`, RFC 4253 section 11.1. */
static void expect_told(struct pair *p, enum nacre_error error, unsigned code)
{
    const struct conn_event *end = side_event(&p->server, CONN_DISCONNECTED, 0);
    char line[64];
    bool told = false;

    cr_assert_not_null(end);
    cr_expect_eq(end->error, error, "%d", end->error);
    pair_carry(&p->server, &p->client);
    pair_feed(&p->client);
    (void)snprintf(line, sizeof line, "received payload: 01%08x", code);
    for (size_t i = 0; i < side_count(&p->client, CONN_LOG); i++) {
        const struct conn_event *e = side_event(&p->client, CONN_LOG, i);
        told = told || (e->text.len >= strlen(line) && memcmp(e->text.at, line, strlen(line)) == 0);
    }
    cr_expect(told, "no DISCONNECT with %u", code);
}

Test(gate, a_share_that_makes_no_secret_ends_with_key_exchange_failed)
{
    uint8_t share[5 + 32] = {30, 0, 0, 0, 32}; /* zero is a point of small order */
    struct pair *p = pair_that_logs();

    p->client.config.algorithms.kex = "curve25519-sha256";
    pair_start(p);
    pair_carry(&p->client, &p->server);
    pair_feed(&p->server);
    say_in_clear(&p->server, false, span_of(share, sizeof share));
    expect_told(p, NACRE_E_KEX, 3);
    pair_free(p);
}

Test(gate, what_cannot_be_decompressed_ends_with_compression_error)
{
    static const uint8_t junk[] = {2, 0, 0, 0, 1, 'x', 0xff, 0xff, 0xff};
    struct pair *p = pair_that_logs();

    p->client.config.algorithms.comp = p->server.config.algorithms.comp = "zlib";
    pair_login(p);
    /* The client forgets that it compresses. */
    struct comp *comp = p->client.conn->out.keys.comp;
    p->client.conn->out.keys.comp = NULL;
    say_sealed(&p->client, &p->server, span_of(junk, sizeof junk));
    p->client.conn->out.keys.comp = comp;
    expect_told(p, NACRE_E_COMPRESSION, 6);
    pair_free(p);
}

Test(gate, without_strict_key_exchange_where_it_is_required_the_exchange_has_failed)
{
    struct pair *p = pair_that_logs();

    p->server.config.strict_kex = 3;
    p->client.config.strict_kex = 0;
    pair_start(p);
    pair_carry(&p->client, &p->server);
    pair_feed(&p->server);
    expect_told(p, NACRE_E_KEX, 3);
    pair_free(p);
}
