/* SPDX-License-Identifier: Apache-2.0 */
/* Server against client in memory: login, channels, data, rekey, the end. */
#include <criterion/criterion.h>

#include <stdlib.h>

#include "ssh/conn_priv.h"
#include "support/pair.h"
#include "wire/namelist.h"

static const char *text_of(const struct side *s)
{
    static char text[256];
    const struct conn_event *e = side_event(s, CONN_DISCONNECTED, 0);

    if (e == NULL)
        return "";
    size_t n = e->text.len < sizeof text - 1 ? e->text.len : sizeof text - 1;
    memcpy(text, e->text.at, n);
    text[n] = '\0';
    return text;
}

static void expect_echo(struct pair *p, size_t len)
{
    uint32_t channel = pair_open(p);
    uint8_t *bytes = calloc(1, len);
    size_t before = (size_t)p->client.data_bytes;

    p->server.echoes = true;
    cr_assert_eq(pair_send(&p->client, channel, 0, bytes, len), NACRE_OK);
    pair_run(p);
    cr_assert_eq(p->client.data_bytes - before, len, "%zu of %zu: %s%s", (size_t)p->client.data_bytes - before, len,
                 text_of(&p->client), text_of(&p->server));
    free(bytes);
}

Test(pair, logs_in_by_password)
{
    struct pair *p = pair_new();
    struct conn_info info;

    pair_login(p);
    cr_assert_eq(side_count(&p->server, CONN_AUTHENTICATED), 1, "%s %s", text_of(&p->server), text_of(&p->client));
    cr_assert_eq(side_count(&p->client, CONN_AUTHENTICATED), 1);
    nacre_conn_info(p->server.conn, &info);
    cr_assert_str_eq(info.user, "anna");
    cr_assert(info.strict_kex);
    cr_assert_eq(nacre_conn_output_bytes(p->server.conn), 0);
    pair_free(p);
}

Test(pair, logs_in_one_byte_at_a_time)
{
    struct pair *p = pair_new();

    p->chunk = 1;
    pair_login(p);
    cr_assert_eq(side_count(&p->server, CONN_AUTHENTICATED), 1, "%s %s", text_of(&p->server), text_of(&p->client));
    expect_echo(p, 1000);
    pair_free(p);
}

Test(pair, every_kex_host_key_cipher_and_mac)
{
    static const struct {
        enum alg_kind kind;
        size_t offset;
    } kinds[] = {{ALG_KEX, offsetof(struct conn_algorithms, kex)},
                 {ALG_CIPHER, offsetof(struct conn_algorithms, cipher)},
                 {ALG_MAC, offsetof(struct conn_algorithms, mac)}};
    struct nacre_crypto *crypto = nacre_crypto_open(true);

    for (size_t k = 0; k < 3; k++) {
        struct span list = span_str(nacre_algs_usable(crypto, kinds[k].kind)), name;
        while (nacre_names_next(&list, &name)) {
            struct pair *p = pair_new();
            char text[80] = {0};
            memcpy(text, name.at, name.len);
            if (kinds[k].kind == ALG_MAC)
                p->client.config.algorithms.cipher = "aes128-ctr";
            *(const char **)((char *)&p->client.config.algorithms + kinds[k].offset) = text;
            pair_login(p);
            cr_assert_eq(side_count(&p->server, CONN_AUTHENTICATED), 1, "%s: %s / %s", text, text_of(&p->server),
                         text_of(&p->client));
            expect_echo(p, 100000);
            cr_assert_eq(nacre_conn_rekey(p->client.conn, p->now_ns), NACRE_OK);
            pair_run(p);
            cr_assert_eq(side_count(&p->server, CONN_KEX_DONE), 2, "%s: %s / %s", text, text_of(&p->server),
                         text_of(&p->client));
            pair_free(p);
        }
    }
    nacre_crypto_unref(crypto);
}

Test(pair, compresses)
{
    static const char *const comps[] = {"zlib", "zlib@openssh.com"};

    for (size_t i = 0; i < 2; i++) {
        struct pair *p = pair_new();
        p->client.config.algorithms.comp = p->server.config.algorithms.comp = comps[i];
        pair_login(p);
        expect_echo(p, 300000);
        cr_assert_eq(nacre_conn_rekey(p->server.conn, p->now_ns), NACRE_OK);
        pair_run(p);
        cr_assert_eq(pair_send(&p->client, 0, 0, "more", 4), NACRE_OK);
        pair_run(p);
        cr_assert_eq(p->client.data_bytes, 300004, "%s %s", text_of(&p->server), text_of(&p->client));
        pair_free(p);
    }
}

/* Who has others to serve is not held up by what a few bytes inflate to. */
Test(pair, what_inflates_counts_for_more_than_its_bytes)
{
    enum {
        PACKETS = 20,
        MOST = 2048 /* far more than all of them are on the wire */
    };
    static const uint8_t zeros[32 * 1024];
    struct pair *p = pair_new();
    p->client.config.algorithms.comp = p->server.config.algorithms.comp = "zlib@openssh.com";
    pair_login(p);
    uint32_t channel = pair_open(p);
    for (int i = 0; i < PACKETS; i++)
        cr_assert_eq(pair_send(&p->client, channel, 0, zeros, sizeof zeros), NACRE_OK);
    pair_carry(&p->client, &p->server);
    cr_assert_lt(p->server.inbox_len, 2 * MOST);
    size_t used = nacre_conn_feed_some(p->server.conn, p->server.inbox, p->server.inbox_len, MOST, NULL, p->now_ns);
    cr_assert_eq(p->server.data_bytes, sizeof zeros);
    cr_assert(used != 0 && used < MOST);
    used += nacre_conn_feed(p->server.conn, p->server.inbox + used, p->server.inbox_len - used, NULL, p->now_ns);
    cr_assert_eq(used, p->server.inbox_len);
    cr_assert_eq(p->server.data_bytes, PACKETS * sizeof zeros);
    p->server.inbox_len = 0;
    pair_free(p);
}

Test(pair, rekeys_with_data_in_flight_without_losing_any)
{
    struct pair *p = pair_new();

    p->client.config.rekey_bytes = 300000;
    p->server.config.rekey_packets = 7;
    pair_login(p);
    expect_echo(p, 5000000);
    cr_assert_gt(side_count(&p->server, CONN_KEX_DONE), 5);
    pair_free(p);
}

/* Its peer's NEWKEYS may be long in coming: what waits for them counts as well. */
Test(pair, new_keys_are_not_used_past_their_threshold_while_the_peer_still_has_old_ones)
{
    enum {
        THRESHOLD = 100000,
        LONGEST = 40000,
        MUCH = 1000000
    };
    struct pair *p = pair_new();
    uint8_t *bytes = calloc(1, MUCH);

    p->server.config.rekey_bytes = THRESHOLD;
    pair_login(p);
    uint32_t channel = pair_open(p);
    cr_assert_eq(nacre_conn_rekey(p->server.conn, p->now_ns), NACRE_OK);
    pair_carry(&p->server, &p->client);
    pair_feed(&p->client);
    pair_carry(&p->client, &p->server);
    pair_feed(&p->server);
    cr_assert(p->server.conn->kex != NULL && !nacre_kex_is_out(p->server.conn), "its NEWKEYS are out");
    cr_assert_eq(pair_send(&p->server, channel, 0, bytes, MUCH), NACRE_OK);
    cr_assert_gt(p->server.conn->out.bytes, THRESHOLD / 2, "data goes on with the new keys");
    cr_assert_lt(p->server.conn->out.bytes, THRESHOLD + LONGEST);
    pair_run(p);
    cr_assert_eq(p->client.data_bytes, MUCH, "%s %s", text_of(&p->server), text_of(&p->client));
    cr_assert_geq(side_count(&p->client, CONN_KEX_DONE), 2 + MUCH / (THRESHOLD + LONGEST));
    free(bytes);
    pair_free(p);
}

/* CVE-2016-2183: blocks of 64 bits repeat. */
Test(pair, a_cipher_of_short_blocks_has_a_limit_of_its_own)
{
    static const char *const ciphers[] = {"3des-cbc", "3des-ctr", "aes256-ctr", "chacha20-poly1305@openssh.com"};

    for (size_t i = 0; i < sizeof ciphers / sizeof *ciphers; i++) {
        for (int inward = 0; inward < 2; inward++) {
            struct pair *p = pair_new();
            p->client.config.algorithms.cipher = ciphers[i];
            p->server.config.rekey_bytes = 0;
            pair_login(p);
            struct conn *c = p->server.conn;
            struct direction *d = inward != 0 ? &c->in : &c->out;
            d->bytes = (UINT64_C(1) << 30) - 1;
            cr_expect_not(nacre_kex_is_due(c), "%s", ciphers[i]);
            d->bytes++;
            cr_expect_eq(nacre_kex_is_due(c), i < 2, "%s", ciphers[i]);
            nacre_conn_tick(c, p->now_ns);
            pair_run(p);
            cr_expect_eq(side_count(&p->client, CONN_KEX_DONE), i < 2 ? 2 : 1, "%s", ciphers[i]);
            pair_free(p);
        }
    }
}

Test(pair, both_sides_may_rekey_at_once)
{
    struct pair *p = pair_new();

    pair_login(p);
    cr_assert_eq(nacre_conn_rekey(p->client.conn, p->now_ns), NACRE_OK);
    cr_assert_eq(nacre_conn_rekey(p->server.conn, p->now_ns), NACRE_OK);
    pair_run(p);
    cr_assert_eq(side_count(&p->server, CONN_KEX_DONE), 2, "%s %s", text_of(&p->server), text_of(&p->client));
    expect_echo(p, 10);
    pair_free(p);
}

/* Each side in turn: what it owes the other cannot be computed, and waiting would not help. */
Test(pair, without_memory_to_compute_a_key_exchange_the_connection_ends)
{
    for (int server = 0; server < 2; server++) {
        struct pair *p = pair_new();
        struct side *poor = server != 0 ? &p->server : &p->client, *peer = server != 0 ? &p->client : &p->server;

        pair_login(p);
        poor->refuses_work = true;
        cr_assert_eq(nacre_conn_rekey(peer->conn, p->now_ns), NACRE_OK);
        pair_run(p);
        cr_assert_eq(side_count(poor, CONN_DISCONNECTED), 1);
        cr_expect_eq(side_event(poor, CONN_DISCONNECTED, 0)->error, NACRE_E_NOBUFS);
        cr_expect_eq(side_count(peer, CONN_DISCONNECTED), 1, "it is told");
        pair_free(p);
    }
}

Test(pair, padding_begins_anew_with_each_exchange_of_keys)
{
    struct pair *p = pair_new();

    pair_login(p);
    uint64_t server = p->server.conn->padding, client = p->client.conn->padding;
    cr_assert_neq(server, client);
    cr_assert_eq(nacre_conn_rekey(p->client.conn, p->now_ns), NACRE_OK);
    pair_run(p);
    /* Otherwise it would have gone on by the generator's step. */
    for (uint64_t steps = 0; steps < 1000; steps++) {
        cr_assert_neq(p->server.conn->padding, server + steps * UINT64_C(0x9e3779b97f4a7c15));
        cr_assert_neq(p->client.conn->padding, client + steps * UINT64_C(0x9e3779b97f4a7c15));
    }
    pair_free(p);
}

Test(pair, publickey_is_asked_about_with_its_signature_verified)
{
    struct pair *p = pair_new();
    struct key *key = nacre_key_generate(p->crypto, "ssh-ed25519", 0);

    pair_start(p);
    pair_run(p);
    cr_assert(nacre_conn_auth_query(p->client.conn, span_str("anna"), key, NULL));
    pair_run(p);
    cr_assert_eq(side_count(&p->client, CONN_AUTH_KEY_OK), 1);
    cr_assert(side_event(&p->server, CONN_AUTH_REQUEST, 0)->query);
    cr_assert(nacre_conn_auth_publickey(p->client.conn, span_str("anna"), key, NULL));
    pair_run(p);
    cr_assert(side_event(&p->server, CONN_AUTH_REQUEST, 1)->verified);
    cr_assert_eq(side_count(&p->client, CONN_AUTHENTICATED), 1);
    nacre_key_unref(key);
    pair_free(p);
}

Test(pair, keyboard_interactive_asks_each_response_and_then_the_whole)
{
    struct pair *p = pair_new();
    struct conn_prompt prompts[2] = {{span_str("One: "), false}, {span_str("Two: "), true}};
    struct span responses[2] = {span_str("1"), span_str("2")};

    pair_start(p);
    cr_assert(nacre_conn_set_prompts(p->server.conn, span_str("Hello."), prompts, 2));
    pair_run(p);
    cr_assert(nacre_conn_auth_kbdint(p->client.conn, span_str("anna")));
    pair_run(p);
    cr_assert_eq(side_count(&p->client, CONN_AUTH_PROMPTS), 1);
    cr_assert(nacre_conn_auth_responses(p->client.conn, responses, 2));
    pair_run(p);
    cr_assert_eq(side_count(&p->server, CONN_AUTH_REQUEST), 3);
    cr_assert(span_is(side_event(&p->server, CONN_AUTH_REQUEST, 1)->method, "keyboard-interactive-2"));
    cr_assert_eq(side_count(&p->client, CONN_AUTHENTICATED), 1);
    pair_free(p);
}

Test(pair, refused_logins_end_after_the_limit)
{
    struct pair *p = pair_new();

    p->server.refuses[CONN_AUTH_REQUEST] = true;
    pair_start(p);
    pair_run(p);
    for (int i = 0; i < 6; i++) {
        (void)nacre_conn_auth_password(p->client.conn, span_str("anna"), span_str("wrong"));
        pair_run(p);
    }
    cr_assert_eq(side_event(&p->server, CONN_DISCONNECTED, 0)->error, NACRE_E_AUTHENTICATION);
    cr_assert_eq(side_count(&p->client, CONN_AUTH_FAILED), 5);
    cr_assert_eq(side_count(&p->client, CONN_DISCONNECTED), 1);
    pair_free(p);
}

Test(pair, channel_waits_for_the_answer_to_its_request)
{
    struct pair *p = pair_new();

    p->server.leaves_open[CONN_CHANNEL_REQUEST] = true;
    pair_login(p);
    uint32_t channel = pair_open(p), other = pair_open(p);
    (void)nacre_chan_request(p->client.conn, channel, span_str("exec"), true, span_str("\0\0\0\2ls"), p->now_ns);
    (void)pair_send(&p->client, channel, 0, "held", 4);
    (void)nacre_chan_send_eof(p->client.conn, channel, p->now_ns);
    (void)pair_send(&p->client, other, 0, "free", 4);
    pair_run(p);
    cr_assert_eq(p->server.data_bytes, 4);
    struct conn_answer yes = {.accept = true};
    uint64_t serial = side_event(&p->server, CONN_CHANNEL_REQUEST, 0)->serial;
    cr_assert(nacre_conn_answer(p->server.conn, serial, &yes, p->now_ns));
    cr_assert_not(nacre_conn_answer(p->server.conn, serial, &yes, p->now_ns));
    pair_run(p);
    cr_assert_eq(p->server.data_bytes, 8);
    cr_assert_eq(side_count(&p->server, CONN_CHANNEL_EOF), 1);
    cr_assert_eq(side_count(&p->client, CONN_CHANNEL_REPLY), 1);
    pair_free(p);
}

Test(pair, exit_status_eof_and_close_come_behind_the_data)
{
    struct pair *p = pair_new();

    pair_login(p);
    uint32_t channel = pair_open(p);
    (void)pair_send(&p->server, channel, 0, "out", 3);
    (void)pair_send(&p->server, channel, 1, "err", 3);
    (void)nacre_chan_send_eof(p->server.conn, channel, p->now_ns);
    (void)nacre_chan_request(p->server.conn, channel, span_str("exit-status"), false, span_of("\0\0\0\0", 4),
                             p->now_ns);
    (void)nacre_chan_close(p->server.conn, channel, p->now_ns);
    pair_run(p);
    cr_assert_eq(p->client.data_bytes, 6, "%s %s", text_of(&p->server), text_of(&p->client));
    cr_assert_eq(side_count(&p->client, CONN_CHANNEL_EOF), 1);
    cr_assert_eq(side_count(&p->client, CONN_CHANNEL_REQUEST), 1);
    cr_assert_eq(side_count(&p->client, CONN_CHANNEL_CLOSED), 1);
    cr_assert_eq(side_count(&p->server, CONN_CHANNEL_CLOSED), 1);
    pair_free(p);
}

Test(pair, no_data_without_window)
{
    struct pair *p = pair_new();
    static uint8_t bytes[3U << 20];

    p->server.consumes = false;
    p->server.config.window_bytes = 1U << 20;
    pair_login(p);
    uint32_t channel = pair_open(p);
    (void)pair_send(&p->client, channel, 0, bytes, sizeof bytes);
    pair_run(p);
    cr_assert_eq(p->server.data_bytes, 1U << 20);
    p->server.consumes = true;
    nacre_chan_consumed(p->server.conn, channel, 1U << 20, p->now_ns);
    pair_run(p);
    cr_assert_eq(p->server.data_bytes, sizeof bytes);
    pair_free(p);
}

Test(pair, what_can_no_longer_be_sent_is_freed_before_the_connection_is)
{
    struct pair *p = pair_new();
    static uint8_t bytes[3U << 20];

    p->client.consumes = false;
    p->client.config.window_bytes = 1U << 20;
    pair_login(p);
    uint32_t channel = pair_open(p);
    (void)pair_send(&p->server, channel, 0, bytes, sizeof bytes);
    pair_run(p);
    cr_assert_geq(nacre_conn_queued(p->server.conn), 2U << 20);
    nacre_conn_close(p->server.conn, NACRE_E_MEMORY_LIMIT, "it holds most", p->now_ns);
    nacre_conn_drop_queued(p->server.conn);
    cr_expect_eq(nacre_conn_queued(p->server.conn), nacre_conn_output_bytes(p->server.conn));
    cr_expect_neq(nacre_conn_output_bytes(p->server.conn), 0, "it is told why");
    pair_run(p);
    cr_expect_eq(side_count(&p->client, CONN_DISCONNECTED), 1);
    pair_free(p);
}

/* Sends at an even rate: a megabyte in `ms`, in sixteen parts, three times over. */
static void send_evenly(struct pair *p, uint32_t channel, int64_t ms)
{
    static const uint8_t part[1U << 16];

    for (int i = 0; i < 48; i++) {
        p->now_ns += ms * 1000000 / 16;
        cr_assert_eq(pair_send(&p->client, channel, 0, part, sizeof part), NACRE_OK);
        pair_run(p);
    }
}

/* What the client may send before the server's application takes any of it. */
static uint64_t window_now(struct pair *p, uint32_t channel)
{
    static const uint8_t bytes[8U << 20];
    uint64_t before = p->server.data_bytes;

    p->server.consumes = false;
    cr_assert_eq(pair_send(&p->client, channel, 0, bytes, sizeof bytes), NACRE_OK);
    pair_run(p);
    return p->server.data_bytes - before;
}

/* The window of a channel that began with 1 MiB and may have 4, after data at that rate. */
static uint64_t window_after(int64_t ms)
{
    struct pair *p = pair_new();

    p->server.config.window_bytes = 1U << 20;
    p->server.config.window_max = 4U << 20;
    pair_login(p);
    uint32_t channel = pair_open(p);
    send_evenly(p, channel, ms);
    uint64_t window = window_now(p, channel);
    pair_free(p);
    return window;
}

/* Where a window that is sent evenly takes as long as a round trip of a long path, the window may be what the sender
 * waits for. What is left of it when a grant is not due yet is less than half. */
Test(pair, windows_grow_where_a_long_path_needs_it)
{
    cr_expect_gt(window_after(20), 2U << 20, "a short path");
    cr_expect_gt(window_after(300), 1U << 20, "300 ms");
    cr_expect_leq(window_after(5000), 1U << 20, "who sends slowly needs no more");
}

/* Fails when a key exchange, which has a timer of its own, counts as a keep-alive that was not answered. */
Test(pair, keepalives_that_were_not_sent_are_not_missed)
{
    struct pair *p = pair_new();

    p->server.config.keepalive_ns = INT64_C(10) * 1000000000;
    p->server.config.keepalive_max = 1;
    p->server.config.rekey_timeout_ns = INT64_C(60) * 1000000000;
    pair_login(p);
    cr_assert_eq(nacre_conn_rekey(p->server.conn, p->now_ns), NACRE_OK);
    for (int i = 0; i < 5; i++) {
        p->now_ns += INT64_C(10) * 1000000000;
        nacre_conn_tick(p->server.conn, p->now_ns);
        cr_assert_eq(side_count(&p->server, CONN_DISCONNECTED), 0, "after %d", i);
    }
    p->now_ns += INT64_C(10) * 1000000000;
    nacre_conn_tick(p->server.conn, p->now_ns);
    cr_assert_eq(side_count(&p->server, CONN_DISCONNECTED), 1);
    cr_expect_eq(side_event(&p->server, CONN_DISCONNECTED, 0)->error, NACRE_E_TIMEOUT_REKEY);
    pair_free(p);
}

/* Nor are those whose answers wait to be read, because the application decides what came before them. */
Test(pair, a_peer_that_is_not_read_is_not_dead, .timeout = 60)
{
    static const uint8_t data[30000];
    struct pair *p = pair_new();

    p->server.config.window_bytes = p->server.config.window_max = WINDOW_LEAST;
    p->server.config.keepalive_ns = INT64_C(10) * 1000000000;
    p->server.config.keepalive_max = 2;
    p->server.leaves_open[CONN_CHANNEL_REQUEST] = true;
    pair_login(p);
    uint32_t channel = pair_open(p);
    while (nacre_conn_wants_input(p->server.conn)) {
        cr_assert_eq(
            nacre_chan_request(p->client.conn, channel, span_str("x@y"), false, span_of(data, sizeof data), p->now_ns),
            NACRE_OK);
        pair_carry(&p->client, &p->server);
        pair_feed(&p->server);
    }
    for (int i = 0; i < 20; i++) {
        if (i == 10) /* nor does it answer that */
            cr_assert_eq(nacre_conn_rekey(p->server.conn, p->now_ns), NACRE_OK);
        p->now_ns += INT64_C(10) * 1000000000;
        nacre_conn_tick(p->server.conn, p->now_ns);
        cr_assert_eq(side_count(&p->server, CONN_DISCONNECTED), 0, "after %d", i);
        cr_assert_gt(nacre_conn_deadline(p->server.conn), p->now_ns, "the next look is later");
    }
    pair_free(p);
}

Test(pair, keepalives_and_pings_are_answered)
{
    struct pair *p = pair_new();

    p->client.config.keepalive_ns = INT64_C(10) * 1000000000;
    p->client.config.keepalive_max = 2;
    p->server.refuses[CONN_GLOBAL_REQUEST] = true;
    pair_login(p);
    cr_assert_eq(nacre_conn_deadline(p->client.conn), p->now_ns + p->client.config.keepalive_ns);
    for (int i = 0; i < 5; i++) {
        p->now_ns += p->client.config.keepalive_ns;
        nacre_conn_tick(p->client.conn, p->now_ns);
        pair_run(p);
    }
    cr_assert_eq(side_count(&p->server, CONN_GLOBAL_REQUEST), 5);
    cr_assert_eq(nacre_conn_ping(p->client.conn, span_str("hi"), p->now_ns), NACRE_OK);
    pair_run(p);
    cr_assert(span_is(side_event(&p->client, CONN_GLOBAL_REPLY, 0)->kind, "pong"));
    /* Two may go unanswered; the third moment is the end. */
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(side_count(&p->client, CONN_DISCONNECTED), 0, "after %d", i);
        p->now_ns += p->client.config.keepalive_ns;
        nacre_conn_tick(p->client.conn, p->now_ns);
    }
    cr_assert_eq(side_count(&p->client, CONN_DISCONNECTED), 1);
    cr_assert_eq(side_event(&p->client, CONN_DISCONNECTED, 0)->error, NACRE_E_TIMEOUT_KEEPALIVE);
    pair_free(p);
}
