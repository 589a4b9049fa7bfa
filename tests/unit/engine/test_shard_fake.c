/* SPDX-License-Identifier: Apache-2.0 */
/* The engine over the scripted back end: server, worker, events and all, but no socket. The client is a connection in
 * the client role, carried by hand to the peer that the back end gives. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "engine/command.h"
#include "engine/server.h"
#include "support/fake_io.h"
#include "support/server.h"
#include "support/sink.h"
#include "wire/wr.h"

enum {
    CHUNK = 32 * 1024,
    ECHO_MAX = 1 << 20,
    WAIT_MS = 100000,
    LOTS = 200 * 1000,
};

/* ---- a client without a socket --------------------------------------------------------------------------------- */

struct memory_client {
    struct fake_peer *peer;
    struct conn *conn;
    struct conn_config config;
    struct nacre_crypto *crypto;
    struct pool pool;
    struct buf in, echoed;
    bool ready, authenticated, failed, opened, ended;
};

static void on_event(void *context, const struct conn_event *e)
{
    struct memory_client *c = context;
    c->ready = c->ready || e->type == CONN_READY_FOR_AUTH;
    c->authenticated = c->authenticated || e->type == CONN_AUTHENTICATED;
    c->failed = c->failed || e->type == CONN_AUTH_FAILED;
    c->opened = c->opened || e->type == CONN_CHANNEL_OPENED;
    c->ended = c->ended || e->type == CONN_DISCONNECTED;
    if (e->type != CONN_CHANNEL_DATA)
        return;
    cr_assert(nacre_buf_append(&c->echoed, e->data.at, e->data.len));
    nacre_chan_consumed(c->conn, e->channel, e->data.len, nacre_clock_ns());
}

static const struct conn_sink sink = {.event = on_event, .ask = sink_says_yes, .work = sink_works_at_once};

static void client_begin_with(struct memory_client *c, io_socket listener, const char *cipher)
{
    *c = (struct memory_client){.crypto = nacre_crypto_open(false)};
    nacre_pool_init(&c->pool, 0);
    nacre_buf_init(&c->in, ECHO_MAX);
    nacre_buf_init(&c->echoed, ECHO_MAX);
    c->config = (struct conn_config){
        .role = CONN_CLIENT,
        .crypto = c->crypto,
        .algorithms = {.kex = "curve25519-sha256",
                       .host_key = "ssh-ed25519",
                       .cipher = cipher,
                       .mac = "hmac-sha2-256",
                       .comp = "none",
                       .user_signature = "ssh-ed25519"},
        .version = "SSH-2.0-nacre_test_client",
        .strict_kex = 1,
        .max_channels = 4,
        .window_bytes = 1U << 20,
        .window_max = 1U << 20,
        .send_high = 256U << 10,
    };
    c->peer = fake_dial(listener);
    c->conn = nacre_conn_new(&c->config, &sink, c, &c->pool);
    nacre_conn_start(c->conn, nacre_clock_ns());
}

static void client_begin(struct memory_client *c, io_socket listener)
{
    client_begin_with(c, listener, "aes128-gcm@openssh.com");
}

static void client_end(struct memory_client *c)
{
    nacre_conn_free(c->conn);
    nacre_buf_free(&c->in);
    nacre_buf_free(&c->echoed);
    nacre_pool_destroy(&c->pool);
    nacre_crypto_unref(c->crypto);
}

/* Carries what there is both ways; waits a little when nothing came. */
static void carry(struct memory_client *c)
{
    struct span s;
    while (nacre_conn_output(c->conn, &s, 1) != 0) {
        (void)fake_feed(c->peer, s.at, s.len);
        nacre_conn_output_take(c->conn, s.len, nacre_clock_ns());
    }
    if (!fake_wait(c->peer, nacre_clock_ns() + INT64_C(20000000)))
        return;
    uint8_t *room = nacre_buf_reserve(&c->in, CHUNK);
    cr_assert(room != NULL);
    c->in.len += fake_take(c->peer, room, CHUNK);
    nacre_buf_drop(&c->in, nacre_conn_feed(c->conn, c->in.at, c->in.len, NULL, nacre_clock_ns()));
}

static bool carry_until(struct memory_client *c, const bool *flag)
{
    int64_t until = nacre_clock_ns() + WAIT_MS * INT64_C(1000000);
    while (!*flag && !c->ended && nacre_clock_ns() < until)
        carry(c);
    return *flag;
}

static bool client_log_in(struct memory_client *c)
{
    return carry_until(c, &c->ready) && nacre_conn_auth_password(c->conn, span_str("user"), span_str("pw")) &&
           carry_until(c, &c->authenticated);
}

static uint32_t client_open_session(struct memory_client *c)
{
    uint32_t channel = 0;
    cr_assert_eq(nacre_chan_open(c->conn, span_str("session"), span_of(NULL, 0), &channel, nacre_clock_ns()), NACRE_OK);
    cr_assert(carry_until(c, &c->opened));
    return channel;
}

static void client_echo(struct memory_client *c, uint32_t channel, size_t len)
{
    int64_t until = nacre_clock_ns() + WAIT_MS * INT64_C(1000000);
    struct block *b = nacre_pool_alloc(&c->pool, len);
    size_t before = c->echoed.len;
    b->start = 0;
    b->len = len;
    memset(b->at, 'e', len);
    cr_assert_eq(nacre_chan_send(c->conn, channel, 0, b, nacre_clock_ns()), NACRE_OK);
    while (c->echoed.len < before + len && !c->ended && nacre_clock_ns() < until)
        carry(c);
    cr_assert_eq(c->echoed.len, before + len);
    for (size_t i = before; i < c->echoed.len; i++)
        cr_assert_eq(c->echoed.at[i], 'e');
}

/* ---- a server with one worker on the scripted back end ---------------------------------------------------------- */

struct engine {
    struct server *server;
    io_socket listener;
};

static atomic_bool no_events; /* the application has stopped calling do_events */

static void *turn_events(void *argument)
{
    struct server *s = argument;
    while (!atomic_load(&s->stopping)) {
        if (atomic_load(&no_events))
            (void)usleep(1000);
        else
            (void)nacre_do_events(s->nacre);
    }
    return NULL;
}

/* As nacre_start_listening() does it, with another back end and a listener of its own, and one setting more. */
static void engine_start_on(struct engine *e, const struct io_backend *ops, const char *setting)
{
    nacre_server *n;
    e->server = server_new();
    e->server->echo = true;
    n = e->server->nacre;
    cr_assert_eq(nacre_set_handlers(n, &e->server->handlers, e->server), 0);
    server_set(e->server, setting);
    n->ops = ops;
    n->shards = calloc(1, sizeof *n->shards);
    nacre_mutex_lock(&n->lock);
    struct profile *profile = nacre_server_profile(n);
    nacre_mutex_unlock(&n->lock);
    cr_assert(n->shards != NULL && profile != NULL && nacre_offload_start(&n->offload, 1, "offload"));
    cr_assert_eq(nacre_shard_init(&n->shards[0], n, 0, &n->plan, profile), NACRE_OK);
    cr_assert(nacre_shard_start(&n->shards[0]));
    atomic_store_explicit(&n->shard_count, 1, memory_order_release);
    nacre_profile_unref(profile);
    struct command *k = nacre_command_new(COMMAND_LISTEN, 0, NULL, NULL, 0);
    k->socket = e->listener = fake_listener();
    cr_assert_eq(nacre_inbox_ask(&n->shards[0], k, NULL), NACRE_OK);
    cr_assert_eq(pthread_create(&e->server->threads[0], NULL, turn_events, e->server), 0);
    e->server->thread_count = 1;
}

static void engine_start(struct engine *e)
{
    engine_start_on(e, &fake_io, "MaxReadTime=50");
}

/* Nobody is left: the worker ends, and no socket but the listener is. */
static void engine_stop(struct engine *e)
{
    struct command *k = nacre_command_new(COMMAND_UNLISTEN, 0, NULL, NULL, 0);
    cr_assert_eq(nacre_inbox_ask(&e->server->nacre->shards[0], k, NULL), NACRE_OK);
    cr_assert(server_wait_empty(e->server));
    cr_assert_eq(fake_sockets(), 1);
    server_free(e->server);
    fake_close(e->listener);
    fake_reset();
}

static void log_in_and_echo(size_t send_most, size_t receive_most, size_t len)
{
    struct engine e;
    struct memory_client c;
    engine_start(&e);
    fake_limit(fake_peer_of(e.listener), send_most, receive_most);
    client_begin(&c, e.listener);
    cr_assert(client_log_in(&c));
    client_echo(&c, client_open_session(&c), len);
    fake_fin(c.peer);
    cr_assert(server_wait(e.server, EVENT_DISCONNECTED, 0, NULL));
    client_end(&c);
    engine_stop(&e);
}

Test(shard_fake, login_and_echo)
{
    log_in_and_echo(0, 0, LOTS);
}

Test(shard_fake, every_send_moves_one_byte)
{
    log_in_and_echo(1, 0, 2000);
}

Test(shard_fake, every_receive_brings_one_byte)
{
    log_in_and_echo(0, 1, 2000);
}

Test(shard_fake, sends_and_receives_of_odd_sizes)
{
    log_in_and_echo(37, 113, 20000);
}

Test(shard_fake, a_connection_that_breaks_at_any_moment_leaves_nothing)
{
    struct engine e;
    engine_start(&e);
    fake_limit(fake_peer_of(e.listener), 64, 64);
    for (unsigned turns = 0; turns < 40; turns++) {
        struct memory_client c;
        client_begin(&c, e.listener);
        for (unsigned i = 0; i < turns; i++) {
            carry(&c);
            if (c.ready && !c.authenticated)
                (void)nacre_conn_auth_password(c.conn, span_str("user"), span_str("pw"));
        }
        fake_cut(c.peer, NACRE_E_CONNRESET);
        cr_assert(server_wait_empty(e.server));
        client_end(&c);
    }
    engine_stop(&e);
}

/* What is to be sent stays in flight until the connection is cut. */
Test(shard_fake, a_peer_that_takes_nothing_is_let_go)
{
    struct engine e;
    engine_start(&e);
    struct memory_client c;
    client_begin(&c, e.listener);
    cr_assert(client_log_in(&c));
    uint32_t channel = client_open_session(&c);
    client_echo(&c, channel, 100);
    fake_room(c.peer, 0);
    struct block *b = nacre_pool_alloc(&c.pool, CHUNK);
    b->start = 0;
    b->len = CHUNK;
    memset(b->at, 'x', CHUNK);
    cr_assert_eq(nacre_chan_send(c.conn, channel, 0, b, nacre_clock_ns()), NACRE_OK);
    carry(&c);
    cr_assert(server_wait(e.server, EVENT_SSH_CHANNEL_DATA_IN, 1, NULL));
    fake_cut(c.peer, NACRE_E_CONNRESET);
    cr_assert(server_wait_empty(e.server));
    client_end(&c);
    engine_stop(&e);
}

Test(shard_fake, accepting_that_fails_is_told_and_goes_on)
{
    struct engine e;
    struct server_seen seen;
    struct memory_client c;
    engine_start(&e);
    fake_listener_fail(e.listener, NACRE_E_MFILE);
    cr_assert(server_wait(e.server, EVENT_ERROR, 0, &seen));
    cr_assert_eq(seen.code, NACRE_E_MFILE);
    client_begin(&c, e.listener);
    cr_assert(client_log_in(&c));
    fake_fin(c.peer);
    cr_assert(server_wait_empty(e.server));
    client_end(&c);
    engine_stop(&e);
}

/* Fails when each failure is reported: a listener without descriptors tries ten times a second. */
Test(shard_fake, accepting_that_fails_over_and_over_is_told_once, .timeout = 240)
{
    static const enum nacre_error errors[] = {NACRE_E_MFILE, NACRE_E_NOBUFS};
    struct engine e;
    engine_start(&e);
    for (size_t i = 0; i < 2; i++)
        for (unsigned round = 0; round < 3; round++) {
            struct memory_client c;
            fake_listener_fail(e.listener, errors[i]);
            client_begin(&c, e.listener); /* is accepted when the listener has rested */
            cr_assert(client_log_in(&c));
            fake_fin(c.peer);
            cr_assert(server_wait_empty(e.server));
            client_end(&c);
            cr_expect_eq(server_count(e.server, EVENT_ERROR), i + 1, "round %u", round);
        }
    engine_stop(&e);
}

/* Fails when the worker stops at it, or does not tell. */
Test(shard_fake, waiting_that_fails_is_told_and_goes_on)
{
    struct engine e;
    struct memory_client c;
    struct server_seen seen;
    engine_start(&e);
    client_begin(&c, e.listener);
    cr_assert(client_log_in(&c));
    uint32_t channel = client_open_session(&c);
    for (unsigned i = 0; i < 3; i++) {
        fake_fail_next(FAKE_WAIT, NACRE_E_NOBUFS);
        client_echo(&c, channel, 1000);
    }
    cr_assert(server_wait(e.server, EVENT_ERROR, 0, &seen));
    cr_expect_eq(seen.code, NACRE_E_NOBUFS);
    fake_fin(c.peer);
    cr_assert(server_wait_empty(e.server));
    client_end(&c);
    engine_stop(&e);
}

/* Fails when the error of send() is dropped: the client waits for ever then. */
Test(shard_fake, a_send_that_is_refused_ends_its_connection_alone)
{
    struct engine e;
    struct memory_client good, bad;
    engine_start(&e);
    client_begin(&good, e.listener);
    cr_assert(client_log_in(&good));
    uint32_t channel = client_open_session(&good);
    fake_fail_next(FAKE_SEND, NACRE_E_NOBUFS);
    client_begin(&bad, e.listener); /* the server's version line and KEXINIT are what cannot go out */
    cr_assert(server_wait(e.server, EVENT_DISCONNECTED, 0, NULL));
    client_echo(&good, channel, 1000);
    fake_fin(good.peer);
    cr_assert(server_wait_empty(e.server));
    client_end(&good);
    client_end(&bad);
    engine_stop(&e);
}

/* ---- an application that stops ---------------------------------------------------------------------------------- */

/* Puts the client's output on the wire without listening to what comes. */
static void say(struct memory_client *c)
{
    struct span s;
    while (nacre_conn_output(c->conn, &s, 1) != 0) {
        (void)fake_feed(c->peer, s.at, s.len);
        nacre_conn_output_take(c->conn, s.len, nacre_clock_ns());
    }
}

/* A byte to the server's channel 0, in turns as data and as stderr, so that each is an event of its own. */
static void say_byte(struct memory_client *c, unsigned i)
{
    uint8_t room[16];
    struct wr w = wr_over(room, sizeof room);
    wr_u8(&w, i % 2 == 0 ? 94 : 95);
    wr_u32(&w, 0);
    if (i % 2 != 0)
        wr_u32(&w, 1);
    wr_u32(&w, 1);
    wr_u8(&w, (uint8_t)(i % 251));
    cr_assert_eq(nacre_conn_send_payload(c->conn, wr_span(&w), nacre_clock_ns()), NACRE_OK);
    say(c);
}

/* What is left unread by the server once it reads no more. */
static size_t unread_at_rest(struct memory_client *c)
{
    size_t before = 0, now = fake_unread(c->peer);
    for (unsigned same = 0; same < 50; same = now == before ? same + 1 : 0) {
        before = now;
        (void)usleep(20 * 1000);
        now = fake_unread(c->peer);
    }
    return now;
}

/* 65,536 events of a connection may be out (pump.c). Fails without that bound: everything is read then and held. */
Test(shard_fake, an_application_that_stops_is_read_to_up_to_a_bound_and_loses_nothing, .timeout = 240)
{
    enum {
        BYTES = 80000,
        EVENTS_ALL_MAX = 65536,
        PACKET_MIN = 32
    };
    struct engine e;
    struct memory_client c;
    engine_start(&e);
    e.server->records_data = false;
    client_begin(&c, e.listener);
    cr_assert(client_log_in(&c));
    (void)client_open_session(&c);
    atomic_store(&no_events, true);
    for (unsigned i = 0; i < BYTES; i++)
        say_byte(&c, i);
    cr_expect_geq(unread_at_rest(&c), (size_t)(BYTES - EVENTS_ALL_MAX) * PACKET_MIN / 2, "reading has stopped");
    atomic_store(&no_events, false);
    int64_t until = nacre_clock_ns() + 5 * WAIT_MS * INT64_C(1000000);
    while (c.echoed.len < BYTES && !c.ended && nacre_clock_ns() < until)
        carry(&c);
    cr_assert_eq(c.echoed.len, (size_t)BYTES);
    for (unsigned i = 0; i < BYTES; i++)
        cr_assert_eq(c.echoed.at[i], i % 251, "byte %u", i);
    cr_expect_eq(fake_unread(c.peer), 0);
    fake_fin(c.peer);
    cr_assert(server_wait_empty(e.server));
    client_end(&c);
    engine_stop(&e);
}

/* ---- sockets that cannot be taken ------------------------------------------------------------------------------- */

/* The socket stays the engine's then; it closes a number that the system does not know. */
Test(shard_fake, a_connection_that_cannot_be_attached_is_dropped)
{
    struct engine e;
    struct memory_client c;
    engine_start(&e);
    fake_fail_next(FAKE_ATTACH, NACRE_E_NOBUFS);
    struct fake_peer *dropped = fake_dial(e.listener);
    cr_assert(server_wait(e.server, EVENT_CONNECTED, 0, NULL));
    cr_assert(server_wait_empty(e.server));
    fake_drop(dropped);
    client_begin(&c, e.listener);
    cr_assert(client_log_in(&c));
    fake_fin(c.peer);
    cr_assert(server_wait_empty(e.server));
    client_end(&c);
    engine_stop(&e);
}

/* ---- MaxReadTime ----------------------------------------------------------------------------------------------- */

/* The worker that is looked at, and the most that one connection's input held at the end of a turn. Of the worker,
 * until it is gone. */
static _Atomic(const struct shard *) watched;
static size_t held_most;

static void look_at_inputs(void)
{
    const struct shard *s = atomic_load(&watched);
    for (uint32_t n = 0; s != NULL && n < s->connections.made; n++) {
        const struct connection *c = nacre_table_at(&s->connections, n);
        if (c != NULL && c->input != NULL && c->input->len > held_most)
            held_most = c->input->len;
    }
}

/* Everything there is in one turn: the scripted back end itself gives a block a turn. */
static unsigned wait_for_all(struct io *io, int64_t until_ns, struct io_done *out, unsigned max)
{
    look_at_inputs();
    unsigned more = fake_io.wait(io, until_ns, out, max), count = more;
    while (more != 0 && count < max) {
        more = fake_io.wait(io, 0, out + count, max - count);
        count += more;
    }
    return count;
}

/* Gives to the server in one piece what the client has to say. */
static void feed_at_once(struct memory_client *c)
{
    struct buf all;
    struct span s;
    nacre_buf_init(&all, ECHO_MAX);
    while (nacre_conn_output(c->conn, &s, 1) != 0) {
        cr_assert(nacre_buf_append(&all, s.at, s.len));
        nacre_conn_output_take(c->conn, s.len, nacre_clock_ns());
    }
    cr_assert(fake_feed(c->peer, all.at, all.len));
    nacre_buf_free(&all);
}

static size_t bytes_in(struct server *s)
{
    size_t sum = 0;
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->seen_count; i++)
        sum += s->seen[i].type == EVENT_SSH_CHANNEL_DATA_IN ? s->seen[i].len : 0;
    pthread_mutex_unlock(&s->lock);
    return sum;
}

/* A client floods with what takes long to decrypt; gives the most that had to wait for another turn. */
static size_t held_with(const char *setting)
{
    enum {
        CHUNKS = 16
    };
    struct io_backend greedy = fake_io;
    struct engine e;
    struct memory_client c;
    greedy.wait = wait_for_all;
    held_most = 0;
    engine_start_on(&e, &greedy, setting);
    e.server->echo = false;
    client_begin_with(&c, e.listener, "3des-cbc");
    cr_assert(client_log_in(&c));
    uint32_t channel = client_open_session(&c);
    for (int i = 0; i < CHUNKS; i++) {
        struct block *b = nacre_pool_alloc(&c.pool, CHUNK);
        b->start = 0;
        b->len = CHUNK;
        memset(b->at, 'r', CHUNK);
        cr_assert_eq(nacre_chan_send(c.conn, channel, 0, b, nacre_clock_ns()), NACRE_OK);
    }
    atomic_store(&watched, &e.server->nacre->shards[0]);
    feed_at_once(&c);
    for (int i = 0; i < WAIT_MS && bytes_in(e.server) < (size_t)CHUNKS * CHUNK; i++)
        usleep(1000);
    cr_assert_eq(bytes_in(e.server), (size_t)CHUNKS * CHUNK);
    fake_fin(c.peer);
    cr_assert(server_wait_empty(e.server));
    client_end(&c);
    engine_stop(&e);
    return held_most;
}

Test(shard_fake, max_read_time_leaves_the_rest_of_a_flood_for_another_turn, .timeout = 240)
{
    size_t briefly = held_with("MaxReadTime=1");
    atomic_store(&watched, NULL);
    size_t at_once = held_with("MaxReadTime=60000");
    cr_expect_gt(briefly, 3U * CHUNK, "%zu bytes", briefly);
    cr_expect_lt(at_once, 3U * CHUNK, "%zu bytes", at_once);
}

/* ---- a storm of logins ------------------------------------------------------------------------------------------ */

enum {
    STORM = 64,
    STORM_A_TURN = 8
};

/* Seen by the worker at the end of each turn; read by the test when the worker is idle. `storm_on` hands them over. */
static atomic_bool storm_on;
static const struct shard *storm_shard;
static int64_t storm_known; /* the connection that has logged in */
static uint64_t storm_known_bytes;
static unsigned storm_served, storm_most, storm_before_known;
static bool storm_known_served;

static unsigned served(const struct shard *s)
{
    unsigned count = 0;
    for (uint32_t n = 0; n < s->connections.made; n++) {
        const struct connection *c = nacre_table_at(&s->connections, n);
        struct conn_info info;
        if (c == NULL || c->conn == NULL || c->slot.id == storm_known)
            continue;
        nacre_conn_info(c->conn, &info);
        count += info.bytes_in != 0;
    }
    return count;
}

static uint64_t known_bytes(const struct shard *s)
{
    const struct connection *c = nacre_table_find(&s->connections, storm_known);
    struct conn_info info;
    nacre_conn_info(c->conn, &info);
    return info.bytes_in;
}

static unsigned wait_and_look(struct io *io, int64_t until_ns, struct io_done *out, unsigned max)
{
    if (atomic_load(&storm_on)) {
        unsigned now = served(storm_shard);
        unsigned more = now - storm_served;
        storm_most = more > storm_most ? more : storm_most;
        storm_served = now;
        if (!storm_known_served && known_bytes(storm_shard) != storm_known_bytes) {
            storm_known_served = true;
            storm_before_known = now;
        }
    }
    unsigned more = fake_io.wait(io, until_ns, out, max), count = more;
    while (more != 0 && count < max) {
        more = fake_io.wait(io, 0, out + count, max - count);
        count += more;
    }
    return count;
}

/* Sixty-four clients have sent their part of a key exchange, and then one who has logged in sends data: it is served in
 * the worker's next turn. In that, in the one under way and in every later one, no more than eight of them are. */
Test(shard_fake, r47_in_a_storm_of_logins_data_goes_first, .timeout = 240)
{
    struct io_backend looked_at = fake_io;
    struct engine e;
    static struct memory_client known, storm[STORM];
    looked_at.wait = wait_and_look;
    engine_start_on(&e, &looked_at, "MaxReadTime=50");
    struct shard *s = &e.server->nacre->shards[0];
    client_begin(&known, e.listener);
    cr_assert(client_log_in(&known));
    uint32_t channel = client_open_session(&known);
    client_echo(&known, channel, 100);
    struct server_seen seen;
    cr_assert(server_wait(e.server, EVENT_CONNECTED, 0, &seen));
    for (int i = 0; i < STORM; i++)
        client_begin(&storm[i], e.listener);
    cr_assert(server_wait(e.server, EVENT_CONNECTED, STORM, NULL));
    for (int i = 0; i < STORM; i++) {
        int64_t until = nacre_clock_ns() + WAIT_MS * INT64_C(1000000);
        cr_assert(fake_wait(storm[i].peer, until), "it has been greeted");
    }

    /* The worker cannot pass its inbox while all of them speak. */
    nacre_mutex_lock(&s->inbox_lock);
    storm_shard = s;
    storm_known = seen.connection;
    storm_known_bytes = known_bytes(s);
    atomic_store(&storm_on, true);
    for (int i = 0; i < STORM; i++)
        feed_at_once(&storm[i]);
    struct block *b = nacre_pool_alloc(&known.pool, 100);
    b->start = 0;
    b->len = 100;
    memset(b->at, 'd', 100);
    cr_assert_eq(nacre_chan_send(known.conn, channel, 0, b, nacre_clock_ns()), NACRE_OK);
    feed_at_once(&known);
    nacre_mutex_unlock(&s->inbox_lock);

    for (int i = 0; i < STORM; i++)
        cr_assert(carry_until(&storm[i], &storm[i].ready), "%d", i);
    atomic_store(&storm_on, false);
    cr_expect(storm_known_served);
    cr_expect_leq(storm_before_known, 2 * STORM_A_TURN, "%u were served before", storm_before_known);
    cr_expect_leq(storm_most, STORM_A_TURN, "%u in one turn", storm_most);
    fake_fin(known.peer);
    for (int i = 0; i < STORM; i++)
        fake_fin(storm[i].peer);
    cr_assert(server_wait_empty(e.server));
    client_end(&known);
    for (int i = 0; i < STORM; i++)
        client_end(&storm[i]);
    engine_stop(&e);
}
