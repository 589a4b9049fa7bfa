/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/wheel.h"

#include "engine/outbox.h"

/* The wheel that this thread has, or will have again when it comes back from the kernel. */
struct hold {
    struct keyed *before; /* what the thread lent to ciphers before */
    bool is_worker;
};

static _Thread_local struct hold hold;

/* Handlers that only hand over and send take no longer; those that do are not waited for again for so long. */
static const int64_t patience_ns = 1000 * 1000;
static const int64_t impatience_ns = 50 * 1000 * 1000;

/* A guest has had a turn since that one, or is about to: it did our work. */
static bool has_moved(struct shard *s, uint64_t turn)
{
    if (!nacre_mutex_try(&s->wheel))
        return true;
    bool moved = s->turn != turn;
    nacre_mutex_unlock(&s->wheel);
    return moved;
}

static void yield(struct shard *s, uint64_t turn)
{
    if (!nacre_server_is_behind(s->server))
        return;
    int64_t before = nacre_clock_ns();
    if (before < s->patient_ns)
        return;
    nacre_thread_yield();
    int64_t now = nacre_clock_ns();
    if (now - before > patience_ns && !(s->lends && has_moved(s, turn)))
        s->patient_ns = now + impatience_ns;
}

void nacre_wheel_yield(struct shard *s)
{
    yield(s, s->turn);
}

/* The worker's contexts go with the wheel. */
static void have(struct shard *s)
{
    hold.before = nacre_keyed_swap(s->keyed);
}

static void give(struct shard *s)
{
    s->keyed = nacre_keyed_swap(hold.before);
}

static void rest(void *context, int64_t until_ns)
{
    struct shard *s = context;
    if (hold.is_worker)
        s->worker_until = until_ns;
    uint64_t turn = s->turn;
    give(s);
    nacre_mutex_unlock(&s->wheel);
    if (hold.is_worker)
        yield(s, turn);
}

/* Who is told something is not to wait for a handler that sends and sends: see nudge(). */
static void resume(void *context)
{
    struct shard *s = context;
    if (!nacre_mutex_try(&s->wheel)) {
        atomic_fetch_add_explicit(&s->wanted, 1, memory_order_relaxed);
        nacre_mutex_lock(&s->wheel);
        atomic_fetch_sub_explicit(&s->wanted, 1, memory_order_relaxed);
    }
    have(s);
}

void nacre_wheel_init(struct shard *s, struct io_options *options)
{
    s->lends = s->ops->due != NULL && !s->own_table;
    s->worker_asked = s->worker_until = INT64_MIN;
    nacre_mutex_init(&s->wheel);
    nacre_cond_init(&s->guest_left);
    if (!s->lends)
        return;
    options->rest = rest;
    options->resume = resume;
    options->context = s;
}

void nacre_wheel_destroy(struct shard *s)
{
    nacre_keyed_end(s->keyed);
    nacre_cond_destroy(&s->guest_left);
    nacre_mutex_destroy(&s->wheel);
}

void nacre_wheel_take(struct shard *s)
{
    nacre_mutex_lock(&s->wheel);
    hold.is_worker = true;
    have(s);
}

void nacre_wheel_drop(struct shard *s)
{
    give(s);
    nacre_mutex_unlock(&s->wheel);
}

/* What was written to wake the guest may have woken the worker. While that stays away from the kernel, nobody else but
 * the guest can be told. */
void nacre_wheel_let_go(struct shard *s)
{
    while (s->has_guest && atomic_load_explicit(&s->recalled, memory_order_relaxed)) {
        s->ops->wake(s->io);
        s->worker_waits = true;
        atomic_fetch_add_explicit(&s->wanted, 1, memory_order_relaxed);
        give(s);
        (void)nacre_cond_wait(&s->guest_left, &s->wheel, INT64_MAX);
        have(s);
        atomic_fetch_sub_explicit(&s->wanted, 1, memory_order_relaxed);
        s->worker_waits = false;
    }
}

void nacre_wheel_recall(struct shard *s)
{
    atomic_store_explicit(&s->recalled, true, memory_order_relaxed); /* its sleeper takes the lock that we have */
    s->ops->wake(s->io);
}

/* ---- those who come and go ------------------------------------------------------------------------------------- */

/* The wheel, or false. The thread cannot be ended from outside until it has left. */
static bool try_take(struct shard *s, int *cancel)
{
    if (!s->lends || !nacre_mutex_try(&s->wheel))
        return false;
    *cancel = nacre_cancel_off();
    hold.is_worker = false;
    have(s);
    return true;
}

/* When nothing was done. */
static void hand_back(struct shard *s, int cancel)
{
    give(s);
    nacre_mutex_unlock(&s->wheel);
    nacre_cancel_on(cancel);
}

/* The worker does not know what has become due since it fell asleep; its back end, which may wait for less than it was
 * asked to and then go on, knows nothing of the shard's. */
static void leave(struct shard *s, int cancel)
{
    int64_t until = nacre_shard_sleep(s);
    if (until < s->worker_asked || s->ops->due(s->io) < s->worker_until || nacre_shard_has_ended(s))
        s->ops->wake(s->io);
    hand_back(s, cancel);
}

/* The mutex does not go to who has waited for it longest. */
void nacre_wheel_nudge(struct shard *s)
{
    int cancel;
    if (atomic_load_explicit(&s->wanted, memory_order_relaxed) != 0 || !try_take(s, &cancel)) {
        s->ops->wake(s->io);
        return;
    }
    nacre_shard_short_turn(s);
    leave(s, cancel);
}

/* Rounds of the loop until there is something for a handler to do. */
static void drive(struct shard *s, struct waiter *w, int64_t until_ns)
{
    struct nacre_server *server = s->server;
    struct io_done done[TURN_MAX];
    while (nacre_waiter_enter(server, w)) {
        int64_t sleep = nacre_shard_sleep(s);
        unsigned count = s->ops->wait(s->io, sleep < until_ns ? sleep : until_ns, done, TURN_MAX);
        nacre_waiter_leave(server, w);
        nacre_shard_turn(s, done, count);
        nacre_outbox_tell(s);
        if (nacre_waiter_ended(server) || w->called || s->now_ns >= until_ns)
            return;
    }
}

bool nacre_wheel_ride(struct nacre_server *server, int64_t until_ns)
{
    int cancel;
    unsigned count = atomic_load_explicit(&server->shard_count, memory_order_acquire); /* as in nacre_deliver_one() */
    if (count == 0)
        return false;
    unsigned busy = atomic_load_explicit(&server->busy, memory_order_relaxed); /* a hint */
    struct shard *s = &server->shards[busy % count];
    if (!try_take(s, &cancel))
        return false;
    if (s->has_guest || s->worker_waits) {
        hand_back(s, cancel);
        return false;
    }
    struct waiter w = {.rides = s};
    atomic_store_explicit(&s->recalled, false, memory_order_relaxed); /* as in let_go() */
    s->has_guest = true;
    drive(s, &w, until_ns);
    s->has_guest = false;
    if (s->worker_waits)
        nacre_cond_signal(&s->guest_left);
    leave(s, cancel);
    return true;
}
