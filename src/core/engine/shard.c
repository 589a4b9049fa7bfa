/* SPDX-License-Identifier: Apache-2.0 */
/* The loop of a worker: wait, completions, inbox, timers, outbox, flush. */
#include "engine/shard.h"

#include <stdio.h>
#include <string.h>

#include "engine/connection.h"
#include "engine/descriptors.h"
#include "engine/foresight.h"
#include "engine/memory.h"
#include "engine/outbox.h"
#include "engine/server.h"
#include "engine/sock.h"
#include "engine/tunnel.h"
#include "engine/wheel.h"

enum {
    HEADROOM = 36 * 1024,     /* a partial packet goes in front of what follows it */
    CONNECTIONS_MAX = 100000, /* MaxConnections may grow to this between starts; slabs come as they are needed */
    CHANNELS_MAX = 1 << 22,
    PEAK_LEAST = 64, /* connections and tunnels */
    SHORT_DONE_MAX = 16,
};

/* While peers fill whole blocks, callers of do_events that sleep are woken when this is over. */
static const int64_t flow_ns = 100 * 1000;

static const int64_t tidy_ns = INT64_C(5000000000);

/* Completions of a tunnel's socket. */
static void complete_tunnel(struct tunnel *t, const struct io_done *d)
{
    switch (d->kind) {
    case IO_CONNECTED:
        nacre_tunnel_connected(t, d->error);
        break;
    case IO_RECEIVED:
        nacre_tunnel_received(t, d->block, d->len);
        break;
    case IO_SENT:
        nacre_tunnel_sent(t, d->len);
        break;
    case IO_FAILED:
        nacre_tunnel_failed(t, d->error);
        break;
    case IO_GONE:
        nacre_tunnel_gone(t);
        break;
    case IO_ACCEPTED:
    case IO_LISTEN_FAILED:
    case IO_WOKEN:
    case IO_TROUBLE:
        break;
    }
}

/* Completions of a connection's socket. */
static void complete_connection(struct connection *c, const struct io_done *d)
{
    switch (d->kind) {
    case IO_RECEIVED:
        nacre_pump_received(c, d->block, d->len);
        break;
    case IO_SENT:
        nacre_pump_sent(c, d->len);
        break;
    case IO_FAILED:
        nacre_pump_failed(c, d->error);
        break;
    case IO_GONE:
        nacre_pump_gone(c);
        break;
    case IO_ACCEPTED:
    case IO_LISTEN_FAILED:
    case IO_CONNECTED:
    case IO_WOKEN:
    case IO_TROUBLE:
        break;
    }
}

/* Completions of a listener: the server's has owner 0, the others are reverse tunnels'. Who was accepted in the turn
 * that ends listening comes too late: nacre_stop_listening has returned. */
static void complete_listener(struct shard *s, const struct io_done *d)
{
    struct forward *f = d->owner == 0 ? NULL : nacre_forward_by_owner(s, d->owner);
    if (d->kind == IO_ACCEPTED && d->owner == 0 && s->listening)
        nacre_accept(s, d->accepted);
    else if (d->kind == IO_ACCEPTED && f != NULL)
        nacre_forward_accepted(f, d->accepted);
    else if (d->kind == IO_ACCEPTED)
        nacre_sock_close(d->accepted);
    else if (d->kind == IO_LISTEN_FAILED && (d->owner != 0 || s->listening))
        nacre_accept_failed(s, d->error);
    else if (d->kind == IO_GONE && f != NULL)
        nacre_forward_gone(f);
    else if (d->kind == IO_GONE && d->owner == 0)
        s->listeners--;
}

/* The worker goes on by what it can do without hearing from its sockets: timers, methods, its end. */
static void told_trouble(struct shard *s, enum nacre_error error)
{
    char text[160];
    (void)snprintf(text, sizeof text, "A worker cannot wait for its sockets and tries again: %s",
                   nacre_error_text((int)error));
    nacre_report(s, error, text);
}

static void complete(struct shard *s, const struct io_done *d)
{
    if (d->kind == IO_TROUBLE) {
        told_trouble(s, d->error);
        return;
    }
    struct tunnel *t = nacre_tunnel_by_owner(s, d->owner);
    struct connection *c = t == NULL ? nacre_table_find(&s->connections, (int64_t)d->owner) : NULL;
    if (t != NULL)
        complete_tunnel(t, d);
    else if (c != NULL)
        complete_connection(c, d);
    else if (d->kind == IO_RECEIVED)
        nacre_block_release(d->block);
    else
        complete_listener(s, d);
}

/* Flushing one connection may touch it again (its output was taken at once): that is for the next turn. */
static void flush(struct shard *s)
{
    struct list turn;
    list_init(&turn);
    list_splice(&turn, &s->dirty);
    for (struct list *node; (node = list_pop(&turn)) != NULL;) {
        struct connection *c = CONTAINER_OF(node, struct connection, dirty);
        c->on_dirty = false;
        nacre_pump_flush(c);
    }
}

int64_t nacre_shard_sleep(struct shard *s)
{
    bool busy = !list_is_empty(&s->dirty) || s->newcomer_count != 0 || s->untold_ns != 0;
    nacre_mutex_lock(&s->inbox_lock);
    busy = busy || s->commands_first != NULL || s->done_waits || s->has_dues;
    s->awake = busy;
    nacre_mutex_unlock(&s->inbox_lock);
    return busy ? 0 : nacre_admit_sleep(s, nacre_memory_sleep(s, nacre_timers_next(&s->timers)));
}

bool nacre_shard_has_ended(const struct shard *s)
{
    return s->stopping && s->connections.used == 0 && s->tunnels.used == 0 && s->forwards.used == 0 &&
           s->listeners == 0;
}

/* A setting that was changed before a client connected applies to it, so it is looked at before. */
static bool has_accepted(const struct io_done *done, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (done[i].kind == IO_ACCEPTED)
            return true;
    return false;
}

/* Whoever has logged in has been served, and sees it, before the next who have not cost us their key exchange. What the
 * application has answered by then goes out before it, too. */
static void greet(struct shard *s)
{
    if (s->newcomer_count == 0)
        return;
    nacre_outbox_publish(s);
    nacre_outbox_tell(s);
    nacre_inbox_run(s);
    flush(s);
    nacre_pump_newcomers(s);
    flush(s);
}

/* Whether there is more than one that this turn is about. */
static bool is_crowded(const struct shard *s, const struct io_done *done, unsigned count)
{
    for (unsigned i = 1; i < count; i++)
        if (done[i].owner != done[0].owner)
            return true;
    unsigned parties = (count != 0 ? 1U : 0U) + (s->newcomer_count != 0 ? 1U : 0U);
    if (!list_is_empty(&s->dirty)) {
        const struct connection *left = CONTAINER_OF(s->dirty.next, struct connection, dirty);
        if (left->dirty.next != &s->dirty)
            return true;
        if (count == 0 || (int64_t)done[0].owner != left->slot.id)
            parties++;
    }
    return parties > 1;
}

/* As much was received as was asked for, and nothing else, so there may be more: an application that is faster than its
 * peers would be woken for each and sleep again, at two switches between threads. It is woken as soon as nothing more
 * is there. */
static bool is_flowing(const struct shard *s, const struct io_done *done, unsigned count)
{
    unsigned full = 0, short_ones = 0;
    for (unsigned i = 0; i < count; i++) {
        full += done[i].kind == IO_RECEIVED && done[i].full;
        short_ones += done[i].kind == IO_RECEIVED && !done[i].full;
    }
    return full != 0 && short_ones == 0 && s->now_ns - s->untold_ns < flow_ns;
}

void nacre_shard_turn(struct shard *s, const struct io_done *done, unsigned count)
{
    s->now_ns = nacre_clock_ns();
    s->turn++;
    s->crowded = is_crowded(s, done, count);
    if (has_accepted(done, count))
        nacre_inbox_run(s);
    for (unsigned i = 0; i < count; i++) {
        nacre_foresee(s, done, count, i);
        complete(s, &done[i]);
    }
    nacre_inbox_run(s);
    nacre_timers_advance(&s->timers, s->now_ns);
    flush(s);
    greet(s);
    nacre_memory_turn(s);
    nacre_admit_turn(s);
    nacre_outbox_publish(s);
    if (!is_flowing(s, done, count))
        nacre_outbox_tell(s);
}

void nacre_shard_short_turn(struct shard *s)
{
    struct io_done done[SHORT_DONE_MAX];
    s->now_ns = nacre_clock_ns();
    if (!nacre_inbox_run_light(s))
        return;
    bool rests = s->ops->due(s->io) > s->now_ns; /* else others' input may wait there, which is no business of ours */
    flush(s);
    /* What was sent at once has ended. */
    unsigned count = rests ? s->ops->reap(s->io, done, SHORT_DONE_MAX) : 0;
    for (unsigned i = 0; i < count; i++)
        complete(s, &done[i]);
    flush(s);
    nacre_outbox_publish(s);
    nacre_outbox_tell(s);
}

static void run(void *argument)
{
    struct shard *s = argument;
    struct io_done done[TURN_MAX];
    nacre_wheel_take(s);
    while (!nacre_shard_has_ended(s)) {
        nacre_wheel_let_go(s);
        s->worker_asked = nacre_shard_sleep(s);
        if (!s->lends && s->worker_asked != 0) { /* else when it gives the wheel away */
            nacre_wheel_yield(s);
            s->worker_asked = nacre_shard_sleep(s);
        }
        unsigned count = s->ops->wait(s->io, s->worker_asked, done, TURN_MAX);
        nacre_shard_turn(s, done, count);
    }
    nacre_wheel_drop(s);
    atomic_store_explicit(&s->ended, true, memory_order_release);
    nacre_server_wake_all(s);
}

static uint32_t sockets_used(const struct shard *s)
{
    return s->connections.used + s->tunnels.used;
}

/* When half of many sockets have gone, or of much memory in blocks. Told once. What is kept of them, here and by
 * free(), is then worth the time it takes to look for it. */
static bool peak_is_over(struct shard *s)
{
    uint32_t used = sockets_used(s);
    bool few = s->peak - used >= PEAK_LEAST && used <= s->peak / 2;
    if (few)
        s->peak = used;
    return nacre_pool_peak_is_over(&s->pool) || few;
}

/* Again as long as something is kept. When nothing is, nobody has had anything to do since the last time, and there is
 * time to look for what free() keeps. */
static void on_tidy(struct timer *t, int64_t now_ns)
{
    struct shard *s = CONTAINER_OF(t, struct shard, tidy);
    bool some = nacre_pool_tidy(&s->pool);
    some = nacre_event_tidy(s) || some;
    bool over = peak_is_over(s);
    if (over)
        nacre_event_free_kept(s);
    if (over || !some)
        nacre_memory_trim();
    if (some)
        nacre_timer_arm(&s->timers, t, now_ns + tidy_ns);
}

void nacre_shard_shrank(struct shard *s)
{
    uint32_t before = sockets_used(s) + 1;
    s->peak = before > s->peak ? before : s->peak;
    if (s->tidy.due_ns == 0)
        nacre_timer_arm(&s->timers, &s->tidy, s->now_ns + tidy_ns);
}

enum nacre_error nacre_shard_init(struct shard *s, struct nacre_server *server, unsigned index,
                                  const struct limit_plan *plan, struct profile *profile)
{
    const struct io_backend *ops = server->ops;
    *s = (struct shard){.server = server,
                        .ops = ops,
                        .index = index,
                        .own_table = plan->own_tables,
                        .sockets_max = plan->room,
                        .way = {IO_NO_SOCKET, IO_NO_SOCKET},
                        .listener = IO_NO_SOCKET,
                        .handed = IO_NO_SOCKET};
    nacre_pool_init(&s->pool, 0);
    nacre_pool_share(&s->pool, &server->memory);
    struct io_options options = {.pool = &s->pool,
                                 .receive_bytes = ops->portion == NULL ? PLAIN_RECEIVE_BYTES : RECEIVE_BYTES,
                                 .headroom = HEADROOM,
                                 .max_slots = CONNECTIONS_MAX + 1};
    nacre_wheel_init(s, &options);
    enum nacre_error e = ops->open(&s->io, &options);
    if (e == NACRE_OK && s->own_table) {
        e = nacre_descriptors_pair(s->way);
        if (e != NACRE_OK)
            ops->close(s->io);
    }
    if (e != NACRE_OK) {
        nacre_wheel_destroy(s);
        nacre_pool_destroy(&s->pool);
        return e;
    }
    s->profile = nacre_profile_ref(profile);
    s->now_ns = nacre_clock_ns();
    nacre_timers_init(&s->timers, s->now_ns);
    timer_init(&s->tidy, on_tidy);
    list_init(&s->dirty);
    list_init(&s->newcomers);
    list_init(&s->ready);
    s->commands_last = &s->commands_first;
    s->done_last = &s->done_first;
    s->own_last = &s->own_first;
    nacre_mutex_init(&s->inbox_lock);
    nacre_mutex_init(&s->outbox_lock);
    nacre_cond_init(&s->room);
    nacre_table_init(&s->connections, TABLE_CONNECTIONS, index, sizeof(struct connection), CONNECTIONS_MAX);
    nacre_table_init(&s->tunnels, TABLE_CONNECTIONS, index, sizeof(struct tunnel), CHANNELS_MAX);
    nacre_table_init(&s->forwards, TABLE_CHANNELS, index, sizeof(struct forward), CHANNELS_MAX);
    nacre_table_init(&s->channels, TABLE_CHANNELS, index, sizeof(struct channel), CHANNELS_MAX);
    return NACRE_OK;
}

struct shard *nacre_shards_new(unsigned count)
{
    struct shard *shards = nacre_pages_alloc(count * sizeof *shards);
    if (shards != NULL)
        memset(shards, 0, count * sizeof *shards);
    return shards;
}

bool nacre_shard_start(struct shard *s)
{
    char name[16];
    (void)snprintf(name, sizeof name, "nacre-%u", s->index);
    return nacre_thread_start(&s->thread, run, s, name);
}

static void free_events(struct shard *s, struct event *e)
{
    for (struct event *next; e != NULL; e = next) {
        next = e->next;
        nacre_event_free(s, e);
    }
}

void nacre_shard_destroy(struct shard *s)
{
    nacre_outbox_drop_own(s);
    while (s->commands_first != NULL) {
        struct command *c = s->commands_first;
        s->commands_first = c->next;
        if (!c->lent)
            nacre_command_free(c);
    }
    free_events(s, s->done_first);
    nacre_event_free_kept(s);
    s->ops->close(s->io);
    nacre_sock_close(s->way[0]);
    nacre_sock_close(s->way[1]);
    nacre_table_destroy(&s->connections);
    nacre_table_destroy(&s->channels);
    nacre_table_destroy(&s->tunnels);
    nacre_table_destroy(&s->forwards);
    nacre_profile_unref(s->profile);
    nacre_cond_destroy(&s->room);
    nacre_mutex_destroy(&s->inbox_lock);
    nacre_mutex_destroy(&s->outbox_lock);
    nacre_wheel_destroy(s);
    nacre_pool_destroy(&s->pool);
}

void nacre_shard_stop(struct shard *s)
{
    struct command *stop = &s->stop_command;
    *stop = (struct command){.type = COMMAND_STOP, .lent = true};
    nacre_inbox_put(s, stop);
}

void nacre_shard_shut_down(struct shard *s)
{
    bool wake = false;
    nacre_mutex_lock(&s->inbox_lock);
    if (!s->shutdown_waits) {
        s->shutdown_waits = true;
        s->shutdown_command = (struct command){.type = COMMAND_SHUTDOWN, .lent = true};
        wake = nacre_inbox_put_locked(s, &s->shutdown_command);
    }
    nacre_mutex_unlock(&s->inbox_lock);
    if (wake)
        s->ops->wake(s->io);
}
