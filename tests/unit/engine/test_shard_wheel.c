/* SPDX-License-Identifier: Apache-2.0 */
/* The engine over the scripted back end: who carries out what, and what who leaves the wheel leaves
 * behind for the worker. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "engine/deliver.h"
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

/* What went to the back end while something was sent, and how much of it on the thread that sent. */
static struct {
    struct shard *shard;
    size_t len;      /* of each piece */
    bool is_outside; /* not the handler sends */
    bool is_wanted;  /* the worker is told something while the first piece is carried out */
    int64_t channel_id;
    pthread_t thread;
    atomic_bool on, is_over;
    atomic_uint own, others, too_soon;
    uint64_t turn; /* in which the worker was told */
} sender;

/* The worker comes back from the kernel and wants the wheel, which this thread has. */
static void let_worker_want(struct shard *s)
{
    sender.turn = s->turn;
    s->ops->wake(s->io);
    for (int i = 0; i < MEMORY_WAIT_MS && atomic_load(&s->wanted) == 0; i++)
        (void)usleep(1000);
    cr_expect_eq(atomic_load(&s->wanted), 1);
}

static enum nacre_error count_sends(struct io *io, uint32_t slot, const struct span *spans, unsigned count)
{
    if (!atomic_load(&sender.on))
        return fake_io_shared.send(io, slot, spans, count);
    bool own = pthread_equal(pthread_self(), sender.thread) != 0;
    unsigned before = atomic_fetch_add(own ? &sender.own : &sender.others, 1);
    if (own && sender.is_wanted && before == 0)
        let_worker_want(sender.shard);
    else if (own && sender.is_wanted && sender.shard->turn == sender.turn)
        atomic_fetch_add(&sender.too_soon, 1);
    return fake_io_shared.send(io, slot, spans, count);
}

static void send_pieces(nacre_server *n)
{
    static const uint8_t piece[CONN_CHANNEL_PACKET];
    sender.thread = pthread_self();
    cr_assert(engine_wait_asleep(sender.shard));
    atomic_store(&sender.on, true);
    for (int i = 0; i < PACKETS; i++)
        cr_expect_eq(nacre_send_bytes(n, sender.channel_id, piece, sender.len), 0);
    atomic_store(&sender.on, sender.is_outside); /* the worker may come to it later */
}

static void answer_with_pieces(nacre_server *n, struct nacre_ssh_channel_data_in *e, void *context)
{
    (void)context;
    sender.channel_id = e->channel_id;
    if (!sender.is_outside)
        send_pieces(n);
    atomic_store(&sender.is_over, true);
}

/* A new client says something. */
static void speak_up(struct memory_client *c, io_socket listener)
{
    memory_begin(c, listener);
    cr_assert(memory_log_in(c));
    memory_say(c, memory_open_session(c));
}

/* A client says something and is answered with pieces of that length, which all arrive. */
static void have_sent(size_t len)
{
    struct io_backend ops = fake_io_shared;
    struct engine e;
    static struct memory_client c;
    ops.send = count_sends;
    engine_start_on(&e, &ops, "MaxReadTime=50");
    e.server->handlers.on_ssh_channel_data_in = answer_with_pieces;
    cr_assert_eq(nacre_set_handlers(e.server->nacre, &e.server->handlers, e.server), 0);
    sender.shard = &e.server->nacre->shards[0];
    sender.len = len;
    speak_up(&c, e.listener);
    for (int i = 0; i < MEMORY_WAIT_MS && !atomic_load(&sender.is_over); i++)
        (void)usleep(1000);
    cr_assert(atomic_load(&sender.is_over));
    engine_hold_events(sender.is_outside);
    if (sender.is_outside)
        send_pieces(e.server->nacre);
    engine_hold_events(false);
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

Test(shard_wheel, what_is_sent_outside_of_handlers_the_worker_carries_out, .timeout = 240)
{
    sender.is_outside = true;
    have_sent(CONN_CHANNEL_PACKET);
    cr_expect_eq(atomic_load(&sender.own), 0, "%u", atomic_load(&sender.own));
    cr_expect_neq(atomic_load(&sender.others), 0);
}

Test(shard_wheel, a_worker_that_was_told_something_has_its_turn_before_the_next_packet, .timeout = 240)
{
    sender.is_wanted = true;
    have_sent(CONN_CHANNEL_PACKET);
    cr_expect_neq(atomic_load(&sender.own), 0);
    cr_expect_eq(atomic_load(&sender.too_soon), 0, "%u", atomic_load(&sender.too_soon));
}

static atomic_uint reaped;

static unsigned count_reaps(struct io *io, struct io_done *out, unsigned max)
{
    atomic_fetch_add(&reaped, 1);
    return fake_io_shared.reap(io, out, max);
}

/* As it is with others' input that a guest has left behind. */
static int64_t due_at_once(const struct io *io)
{
    (void)io;
    return 0;
}

Test(shard_wheel, who_carries_something_out_leaves_to_the_worker_what_was_waiting_before, .timeout = 240)
{
    struct io_backend ops = fake_io_shared;
    struct engine e;
    ops.reap = count_reaps;
    engine_start_on(&e, &ops, "MaxReadTime=50");
    engine_hold_events(true);
    struct shard *s = &e.server->nacre->shards[0];
    cr_assert(engine_wait_asleep(s));
    nacre_wheel_nudge(s);
    cr_expect_eq(atomic_load(&reaped), 1);
    struct io_backend busy = ops;
    busy.due = due_at_once;
    nacre_mutex_lock(&s->wheel);
    s->ops = &busy;
    int64_t before = s->now_ns;
    nacre_mutex_unlock(&s->wheel);
    nacre_wheel_nudge(s);
    nacre_mutex_lock(&s->wheel);
    cr_expect_gt(s->now_ns, before, "there was a short turn");
    s->ops = &ops;
    nacre_mutex_unlock(&s->wheel);
    cr_expect_eq(atomic_load(&reaped), 1);
    engine_hold_events(false);
    engine_stop(&e);
}

static struct shard elsewhere;
static atomic_bool was_asked;

static void ask_where_it_sends(nacre_server *n, struct nacre_ssh_channel_data_in *e, void *context)
{
    const struct shard *here = &n->shards[0];
    (void)e;
    (void)context;
    cr_expect_eq(nacre_deliver_sending(here), SENDING_FIRST);
    cr_expect_eq(nacre_deliver_sending(&elsewhere), SENDING_OUTSIDE);
    cr_expect_eq(nacre_deliver_sending(here), SENDING_MORE);
    atomic_store(&was_asked, true);
}

Test(shard_wheel, a_handler_hands_out_to_other_workers_all_but_the_first, .timeout = 240)
{
    struct engine e;
    static struct memory_client c;
    engine_start(&e);
    e.server->handlers.on_ssh_channel_data_in = ask_where_it_sends;
    cr_assert_eq(nacre_set_handlers(e.server->nacre, &e.server->handlers, e.server), 0);
    cr_expect_eq(nacre_deliver_sending(&e.server->nacre->shards[0]), SENDING_OUTSIDE);
    speak_up(&c, e.listener);
    for (int i = 0; i < MEMORY_WAIT_MS && !atomic_load(&was_asked); i++)
        (void)usleep(1000);
    cr_expect(atomic_load(&was_asked));
    fake_fin(c.peer);
    cr_assert(server_wait_empty(e.server));
    memory_end(&c);
    engine_stop(&e);
}

/* As the worker sees it. */
static bool is_tight(struct shard *s)
{
    nacre_mutex_lock(&s->wheel);
    bool tight = s->is_tight;
    nacre_mutex_unlock(&s->wheel);
    return tight;
}

Test(shard_wheel, the_worker_hears_of_it_when_memory_runs_short_meanwhile, .timeout = 240)
{
    struct engine e;
    engine_start_on(&e, &fake_io_shared, "MemoryLimit=16777216");
    engine_hold_events(true);
    struct shard *s = &e.server->nacre->shards[0];
    cr_assert(engine_wait_asleep(s));
    size_t most = 15 * ((size_t)1 << 20);
    cr_assert(nacre_pool_charge(&s->pool, most));
    cr_expect_not(is_tight(s));
    nacre_wheel_nudge(s);
    for (int i = 0; i < MEMORY_WAIT_MS && !is_tight(s); i++)
        (void)usleep(1000);
    cr_expect(is_tight(s));
    nacre_pool_uncharge(&s->pool, most);
    engine_hold_events(false);
    engine_stop(&e);
}
