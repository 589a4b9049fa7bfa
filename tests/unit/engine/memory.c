/* SPDX-License-Identifier: Apache-2.0 */
/* See memory.h. */
#include "unit/engine/memory.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/command.h"
#include "support/sink.h"

static void on_event(void *context, const struct conn_event *e)
{
    struct memory_client *c = context;
    c->ready = c->ready || e->type == CONN_READY_FOR_AUTH;
    c->authenticated = c->authenticated || e->type == CONN_AUTHENTICATED;
    c->failed = c->failed || e->type == CONN_AUTH_FAILED;
    c->opened = c->opened || e->type == CONN_CHANNEL_OPENED;
    c->closed = c->closed || e->type == CONN_CHANNEL_CLOSED;
    c->ended = c->ended || e->type == CONN_DISCONNECTED;
    if (e->type != CONN_CHANNEL_DATA)
        return;
    cr_assert(nacre_buf_append(&c->echoed, e->data.at, e->data.len));
    nacre_chan_consumed(c->conn, e->channel, e->data.len, nacre_clock_ns());
}

static const struct conn_sink sink = {.event = on_event, .ask = sink_says_yes, .work = sink_works_at_once};

void memory_begin_with(struct memory_client *c, io_socket listener, const char *cipher)
{
    *c = (struct memory_client){.crypto = nacre_crypto_open(false)};
    nacre_pool_init(&c->pool, 0);
    nacre_buf_init(&c->in, MEMORY_MAX);
    nacre_buf_init(&c->echoed, MEMORY_MAX);
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

void memory_begin(struct memory_client *c, io_socket listener)
{
    memory_begin_with(c, listener, "aes128-gcm@openssh.com");
}

void memory_end(struct memory_client *c)
{
    nacre_conn_free(c->conn);
    nacre_buf_free(&c->in);
    nacre_buf_free(&c->echoed);
    nacre_pool_destroy(&c->pool);
    nacre_crypto_unref(c->crypto);
}

void memory_hear(struct memory_client *c)
{
    uint8_t *room = nacre_buf_reserve(&c->in, MEMORY_CHUNK);
    cr_assert(room != NULL);
    c->in.len += fake_take(c->peer, room, MEMORY_CHUNK);
    nacre_buf_drop(&c->in, nacre_conn_feed(c->conn, c->in.at, c->in.len, NULL, nacre_clock_ns()));
}

void memory_feed(struct memory_client *c, size_t most)
{
    struct buf all;
    struct span s;
    nacre_buf_init(&all, MEMORY_MAX);
    while (all.len < most && nacre_conn_output(c->conn, &s, 1) != 0) {
        size_t len = s.len < most - all.len ? s.len : most - all.len;
        cr_assert(nacre_buf_append(&all, s.at, len));
        nacre_conn_output_take(c->conn, len, nacre_clock_ns());
    }
    cr_assert(fake_feed(c->peer, all.at, all.len));
    nacre_buf_free(&all);
}

void memory_carry(struct memory_client *c)
{
    struct span s;
    while (nacre_conn_output(c->conn, &s, 1) != 0) {
        (void)fake_feed(c->peer, s.at, s.len);
        nacre_conn_output_take(c->conn, s.len, nacre_clock_ns());
    }
    if (fake_wait(c->peer, nacre_clock_ns() + INT64_C(20000000)))
        memory_hear(c);
}

bool memory_carry_until(struct memory_client *c, const bool *flag)
{
    int64_t until = nacre_clock_ns() + MEMORY_WAIT_MS * INT64_C(1000000);
    while (!*flag && !c->ended && nacre_clock_ns() < until)
        memory_carry(c);
    return *flag;
}

bool memory_log_in(struct memory_client *c)
{
    return memory_carry_until(c, &c->ready) && nacre_conn_auth_password(c->conn, span_str("user"), span_str("pw")) &&
           memory_carry_until(c, &c->authenticated);
}

uint32_t memory_open_session(struct memory_client *c)
{
    uint32_t channel = 0;
    cr_assert_eq(nacre_chan_open(c->conn, span_str("session"), span_of(NULL, 0), &channel, nacre_clock_ns()), NACRE_OK);
    cr_assert(memory_carry_until(c, &c->opened));
    return channel;
}

void memory_say(struct memory_client *c, uint32_t channel)
{
    struct block *b = nacre_chan_block(&c->pool, 1);
    b->at[b->start] = 's';
    cr_assert_eq(nacre_chan_send(c->conn, channel, 0, b, nacre_clock_ns()), NACRE_OK);
    memory_feed(c, SIZE_MAX);
}

void memory_echo(struct memory_client *c, uint32_t channel, size_t len)
{
    int64_t until = nacre_clock_ns() + MEMORY_WAIT_MS * INT64_C(1000000);
    struct block *b = nacre_chan_block(&c->pool, len);
    size_t before = c->echoed.len;
    memset(b->at + b->start, 'e', len);
    cr_assert_eq(nacre_chan_send(c->conn, channel, 0, b, nacre_clock_ns()), NACRE_OK);
    while (c->echoed.len < before + len && !c->ended && nacre_clock_ns() < until)
        memory_carry(c);
    cr_assert_eq(c->echoed.len, before + len);
    for (size_t i = before; i < c->echoed.len; i++)
        cr_assert_eq(c->echoed.at[i], 'e');
}

/* ---- a server with one worker on the scripted back end ---------------------------------------------------------- */

static atomic_bool no_events, away; /* wanted, and heeded */

/* A call that is under way goes on for as long as there are events, so it is waited for. */
void engine_hold_events(bool on)
{
    int64_t until = nacre_clock_ns() + 5 * MEMORY_WAIT_MS * INT64_C(1000000);
    atomic_store(&no_events, on);
    while (on && !atomic_load(&away) && nacre_clock_ns() < until)
        (void)usleep(1000);
    cr_assert(!on || atomic_load(&away), "a call of do_events does not end");
}

static void *turn_events(void *argument)
{
    struct server *s = argument;
    while (!atomic_load(&s->stopping)) {
        atomic_store(&away, false);
        if (!atomic_load(&no_events)) {
            (void)nacre_do_events(s->nacre);
            continue;
        }
        atomic_store(&away, true);
        (void)usleep(1000);
    }
    return NULL;
}

/* As nacre_start_listening() does it. */
void engine_start_on(struct engine *e, const struct io_backend *ops, const char *setting)
{
    nacre_server *n;
    e->server = server_new();
    e->server->echo = true;
    n = e->server->nacre;
    cr_assert_eq(nacre_set_handlers(n, &e->server->handlers, e->server), 0);
    server_set(e->server, setting);
    n->ops = ops;
    n->shards = nacre_shards_new(1);
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

void engine_start(struct engine *e)
{
    engine_start_on(e, &fake_io, "MaxReadTime=50");
}

void engine_stop(struct engine *e)
{
    struct command *k = nacre_command_new(COMMAND_UNLISTEN, 0, NULL, NULL, 0);
    cr_assert_eq(nacre_inbox_ask(&e->server->nacre->shards[0], k, NULL), NACRE_OK);
    cr_assert(server_wait_empty(e->server));
    cr_assert_eq(fake_sockets(), 1);
    server_free(e->server);
    fake_close(e->listener);
    fake_reset();
}

static bool is_asleep(struct shard *s)
{
    nacre_mutex_lock(&s->wheel);
    nacre_mutex_lock(&s->inbox_lock);
    bool awake = s->awake || s->worker_waits || atomic_load(&s->wanted) != 0 || fake_sleepers(s->io) != 1;
    nacre_mutex_unlock(&s->inbox_lock);
    nacre_mutex_unlock(&s->wheel);
    return !awake;
}

bool engine_wait_asleep(struct shard *s)
{
    for (int i = 0; i < MEMORY_WAIT_MS; i++) {
        if (is_asleep(s))
            return true;
        (void)usleep(1000);
    }
    return false;
}
