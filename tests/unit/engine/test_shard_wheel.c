/* SPDX-License-Identifier: Apache-2.0 */
/* The engine over the scripted back end: who carries out what, and what who leaves the wheel leaves
 * behind for the worker. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "engine/wheel.h"
#include "unit/engine/memory.h"

enum {
    PAUSE_MS = 5,
    BELL_MS = 200,
    PACKETS = 6, /* a handler sends */
    PIECE = 100
};

/* A back end with pauses of its own, of which it has nothing to report. */
static unsigned wait_with_pauses(struct io *io, int64_t until_ns, struct io_done *out, unsigned max)
{
    for (;;) {
        int64_t pause_ns = nacre_clock_ns() + PAUSE_MS * INT64_C(1000000);
        unsigned count = fake_io_shared.wait(io, pause_ns < until_ns ? pause_ns : until_ns, out, max);
        if (count != 0 || nacre_clock_ns() >= until_ns)
            return count;
    }
}

static atomic_bool rang;

static void ring(struct timer *t, int64_t now_ns)
{
    (void)t;
    (void)now_ns;
    atomic_store(&rang, true);
}

Test(shard_wheel, the_worker_hears_of_what_was_left_due_while_its_back_end_paused, .timeout = 240)
{
    struct io_backend ops = fake_io_shared;
    struct engine e;
    struct timer bell;
    ops.wait = wait_with_pauses;
    engine_start_on(&e, &ops, "MaxReadTime=50");
    engine_hold_events(true); /* nobody else waits for the worker's sockets */
    struct shard *s = &e.server->nacre->shards[0];
    timer_init(&bell, ring);
    nacre_mutex_lock(&s->wheel);
    nacre_timer_arm(&s->timers, &bell, nacre_clock_ns() + BELL_MS * INT64_C(1000000));
    nacre_mutex_unlock(&s->wheel);
    nacre_wheel_nudge(s);
    for (int i = 0; i < MEMORY_WAIT_MS && !atomic_load(&rang); i++)
        (void)usleep(1000);
    cr_expect(atomic_load(&rang));
    engine_hold_events(false);
    nacre_mutex_lock(&s->wheel);
    nacre_timer_cancel(&s->timers, &bell);
    nacre_mutex_unlock(&s->wheel);
    engine_stop(&e);
}

/* What went to the back end while a handler sent, and how much of it on the handler's thread. */
static struct {
    struct shard *shard;
    size_t len; /* of each piece */
    pthread_t thread;
    atomic_bool on, has_sent;
    atomic_uint own, others;
} sender;

static enum nacre_error count_sends(struct io *io, uint32_t slot, const struct span *spans, unsigned count)
{
    if (atomic_load(&sender.on)) {
        bool own = pthread_equal(pthread_self(), sender.thread) != 0;
        atomic_fetch_add(own ? &sender.own : &sender.others, 1);
    }
    return fake_io_shared.send(io, slot, spans, count);
}

/* The worker has nothing to do, and sleeps. */
static bool sleeps(struct shard *s)
{
    nacre_mutex_lock(&s->wheel);
    nacre_mutex_lock(&s->inbox_lock);
    bool awake = s->awake;
    nacre_mutex_unlock(&s->inbox_lock);
    nacre_mutex_unlock(&s->wheel);
    return !awake;
}

static void send_pieces(nacre_server *n, struct nacre_ssh_channel_data_in *e, void *context)
{
    static const uint8_t piece[CONN_CHANNEL_PACKET];
    (void)context;
    sender.thread = pthread_self();
    for (int i = 0; i < MEMORY_WAIT_MS && !sleeps(sender.shard); i++)
        (void)usleep(1000);
    atomic_store(&sender.on, true);
    for (int i = 0; i < PACKETS; i++)
        cr_expect_eq(nacre_send_bytes(n, e->channel_id, piece, sender.len), 0);
    atomic_store(&sender.on, false);
    atomic_store(&sender.has_sent, true);
}

/* A client says something, and the handler for it answers with pieces of that length, which all arrive. */
static void have_sent(size_t len)
{
    struct io_backend ops = fake_io_shared;
    struct engine e;
    static struct memory_client c;
    ops.send = count_sends;
    engine_start_on(&e, &ops, "MaxReadTime=50");
    e.server->handlers.on_ssh_channel_data_in = send_pieces;
    cr_assert_eq(nacre_set_handlers(e.server->nacre, &e.server->handlers, e.server), 0);
    sender.shard = &e.server->nacre->shards[0];
    sender.len = len;
    memory_begin(&c, e.listener);
    cr_assert(memory_log_in(&c));
    uint32_t channel = memory_open_session(&c);
    struct block *b = nacre_chan_block(&c.pool, 1);
    b->at[b->start] = 'g';
    cr_assert_eq(nacre_chan_send(c.conn, channel, 0, b, nacre_clock_ns()), NACRE_OK);
    memory_feed(&c, SIZE_MAX);
    for (int i = 0; i < MEMORY_WAIT_MS && !atomic_load(&sender.has_sent); i++)
        (void)usleep(1000);
    cr_assert(atomic_load(&sender.has_sent));
    for (int i = 0; i < MEMORY_WAIT_MS && c.echoed.len < PACKETS * len; i++)
        memory_carry(&c);
    cr_expect_eq(c.echoed.len, PACKETS * len);
    fake_fin(c.peer);
    cr_assert(server_wait_empty(e.server));
    memory_end(&c);
    engine_stop(&e);
}

Test(shard_wheel, a_handler_that_fills_packets_carries_each_out_itself, .timeout = 240)
{
    have_sent(CONN_CHANNEL_PACKET);
    cr_expect_eq(atomic_load(&sender.own), PACKETS, "%u", atomic_load(&sender.own));
    cr_expect_eq(atomic_load(&sender.others), 0, "%u", atomic_load(&sender.others));
}

Test(shard_wheel, of_what_a_handler_sends_in_small_pieces_it_carries_out_the_first, .timeout = 240)
{
    have_sent(PIECE);
    cr_expect_eq(atomic_load(&sender.own), 1, "%u", atomic_load(&sender.own));
}
