/* SPDX-License-Identifier: Apache-2.0 */
/* The engine over the scripted back end: a connection that holds much while memory is short, and memory that comes back
 * before the worker has looked. */
#include <criterion/criterion.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "engine/memory.h"
#include "ssh/chan.h"
#include "unit/engine/memory.h"

enum {
    CHUNKS = 12, /* more than a connection may hold and be read all the same */
    WORD = 100,
    LIMIT = 16 << 20,
    BALLAST = LIMIT / 8 * 7 + (512 << 10)
};

/* What another worker holds. */
static struct {
    struct pool pool;
    _Atomic(struct block *) ballast;
} other;

static void take_ballast(void)
{
    struct block *b = nacre_pool_alloc(&other.pool, BALLAST);
    cr_assert_not_null(b);
    atomic_store(&other.ballast, b);
}

static void drop_ballast(void)
{
    struct block *b = atomic_exchange(&other.ballast, NULL);
    if (b != NULL)
        nacre_block_release(b);
    nacre_pool_trim(&other.pool);
}

/* Receiving was turned off while the ballast was there. */
static atomic_bool went_off;

/* The ballast goes at the next call of this kind, or comes with the next data. */
static atomic_bool drops_when_off, drops_when_sent, takes_when_told;

static const struct io_backend *below;

static void receive(struct io *io, uint32_t slot, bool on)
{
    below->receive(io, slot, on);
    if (on || atomic_load(&other.ballast) == NULL)
        return;
    if (atomic_exchange(&drops_when_off, false))
        drop_ballast();
    atomic_store(&went_off, true);
}

static enum nacre_error send_spans(struct io *io, uint32_t slot, const struct span *spans, unsigned count)
{
    if (atomic_exchange(&drops_when_sent, false))
        drop_ballast();
    return below->send(io, slot, spans, count);
}

static void on_data(nacre_server *n, struct nacre_ssh_channel_data_in *d, void *context)
{
    server_on_ssh_channel_data_in(n, d, context);
    if (atomic_exchange(&takes_when_told, false))
        take_ballast();
}

static bool wait_until_off(void)
{
    for (int i = 0; i < MEMORY_WAIT_MS && !atomic_load(&went_off); i++)
        (void)usleep(1000);
    return atomic_load(&went_off);
}

static void say(struct memory_client *c, uint32_t channel, size_t len)
{
    struct block *b = nacre_chan_block(&c->pool, len);
    memset(b->at + b->start, 'r', len);
    cr_assert_eq(nacre_chan_send(c->conn, channel, 0, b, nacre_clock_ns()), NACRE_OK);
    memory_feed(c, SIZE_MAX);
}

/* A client with two channels, of which the application has paused one that holds much. */
struct holder {
    struct engine engine;
    struct io_backend ops;
    struct memory_client client;
    struct server_seen first, second;
    uint32_t channel; /* the other one, by the client's number */
};

static void begin(struct holder *h, const struct io_backend *ops)
{
    *h = (struct holder){.ops = *ops};
    below = ops;
    atomic_store(&went_off, false);
    h->ops.receive = receive;
    h->ops.send = send_spans;
    engine_start_on(&h->engine, &h->ops, "MemoryLimit=16777216");
    h->engine.server->echo = false;
    h->engine.server->handlers.on_ssh_channel_data_in = on_data;
    cr_assert_eq(nacre_set_handlers(h->engine.server->nacre, &h->engine.server->handlers, h->engine.server), 0);
    nacre_pool_init(&other.pool, 0);
    nacre_pool_share(&other.pool, &h->engine.server->nacre->memory);
    memory_begin(&h->client, h->engine.listener);
    cr_assert(memory_log_in(&h->client));
    uint32_t paused = memory_open_session(&h->client);
    h->client.opened = false;
    h->channel = memory_open_session(&h->client);
    cr_assert(server_wait(h->engine.server, EVENT_SSH_CHANNEL_OPENED, 0, &h->first));
    cr_assert(server_wait(h->engine.server, EVENT_SSH_CHANNEL_OPENED, 1, &h->second));
    cr_assert_eq(nacre_pause_channel(h->engine.server->nacre, h->first.channel), 0);
    for (int i = 0; i < CHUNKS; i++)
        say(&h->client, paused, MEMORY_CHUNK);
    say(&h->client, h->channel, WORD);
    cr_assert(server_wait_bytes_in(h->engine.server, WORD));
}

static void end(struct holder *h)
{
    cr_assert_eq(nacre_resume_channel(h->engine.server->nacre, h->first.channel), 0);
    cr_assert(server_wait_bytes_in(h->engine.server, CHUNKS * MEMORY_CHUNK));
    fake_fin(h->client.peer);
    cr_assert(server_wait_empty(h->engine.server));
    memory_end(&h->client);
    nacre_pool_destroy(&other.pool);
    engine_stop(&h->engine);
}

Test(shard_memory, who_was_held_back_for_less_than_a_turn_goes_on, .timeout = 240)
{
    struct holder h;
    begin(&h, &fake_io);
    take_ballast();
    atomic_store(&drops_when_off, true);
    say(&h.client, h.channel, WORD);
    cr_assert(wait_until_off());
    cr_expect(server_wait_bytes_in(h.engine.server, 2 * WORD));
    end(&h);
}

/* In the turn of a thread that comes from a handler. */
Test(shard_memory, who_was_held_back_in_a_short_turn_goes_on, .timeout = 240)
{
    struct holder h;
    begin(&h, &fake_io_shared);
    atomic_store(&takes_when_told, true);
    say(&h.client, h.channel, WORD);
    cr_assert(wait_until_off());
    drop_ballast();
    say(&h.client, h.channel, WORD);
    cr_expect(server_wait_bytes_in(h.engine.server, 3 * WORD));
    end(&h);
}

/* Its input was looked at before, and whether to receive after. */
Test(shard_memory, who_is_received_from_again_has_its_input_looked_at_too, .timeout = 240)
{
    struct holder h;
    begin(&h, &fake_io);
    take_ballast();
    say(&h.client, h.channel, WORD);
    cr_assert(wait_until_off());
    fake_room(h.client.peer, 0);
    atomic_store(&drops_when_sent, true);
    cr_assert_eq(nacre_send_bytes(h.engine.server->nacre, h.second.channel, "x", 1), 0);
    cr_expect(server_wait_bytes_in(h.engine.server, 2 * WORD));
    end(&h);
}

/* Though nothing else ever happens. */
Test(shard_memory, who_holds_somebody_back_looks_again_soon)
{
    static struct shard s;
    cr_expect_eq(nacre_memory_sleep(&s, INT64_MAX), INT64_MAX);
    s.holds_back = true;
    cr_expect_leq(nacre_memory_sleep(&s, INT64_MAX), INT64_C(1000000000));
}
