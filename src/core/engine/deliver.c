/* SPDX-License-Identifier: Apache-2.0 */
/* A caller of do_events takes a connection's queue and works it off on its own thread. Finished events go back in small
 * batches: at once for questions, since the peer waits, and before a handler waits for anything itself. */
#include "engine/deliver.h"

#include <stddef.h>

#include "engine/outbox.h"
#include "engine/wheel.h"

enum {
    BATCH = 16,
    DEPTH_MAX = 8
};

/* What this thread is working off; handlers may call do_events, so they nest. */
struct delivery {
    struct delivery *outer;
    struct shard *shard;
    struct event *done_first, **done_last;
    unsigned done_count;
    enum haste haste; /* of those that are done */
    bool sent;        /* this handler has sent something */
};

static _Thread_local struct delivery *current;

static void give_back(struct delivery *d)
{
    if (d->done_count == 0)
        return;
    bool wake = nacre_inbox_done(d->shard, d->done_first, d->done_last, d->done_count, d->haste);
    if (wake && d->haste == HASTE_HEAVY)
        d->shard->ops->wake(d->shard->io);
    else if (wake)
        nacre_wheel_nudge(d->shard);
    d->haste = HASTE_NONE;
    d->done_first = NULL;
    d->done_last = &d->done_first;
    d->done_count = 0;
}

static enum haste haste_of(const struct event *e)
{
    if (e->type != EVENT_SSH_CHANNEL_DATA_IN)
        return HASTE_HEAVY;
    return e->calm ? HASTE_NONE : HASTE_LIGHT;
}

/* `more`: others of the same connection follow. The last one stays until the connection has been put back: returning it
 * may free the slot. */
static void finish(struct delivery *d, struct event *e, bool more)
{
    bool question = e->serial != 0;
    e->next = NULL;
    *d->done_last = e;
    d->done_last = &e->next;
    d->done_count++;
    enum haste haste = haste_of(e);
    d->haste = haste > d->haste ? haste : d->haste;
    if (more && (question || d->done_count >= BATCH))
        give_back(d);
}

void nacre_deliver_flush(void)
{
    for (struct delivery *d = current; d != NULL; d = d->outer)
        give_back(d);
}

enum sending nacre_deliver_sending(const struct shard *to)
{
    if (current == NULL || (current->sent && current->shard != to))
        return SENDING_OUTSIDE;
    enum sending sending = current->sent ? SENDING_MORE : SENDING_FIRST;
    current->sent = true;
    return sending;
}

bool nacre_deliver_is_deep(void)
{
    unsigned depth = 0;
    for (const struct delivery *d = current; d != NULL; d = d->outer)
        depth++;
    return depth >= DEPTH_MAX;
}

static void refuse(struct nacre_server *server, struct event *e)
{
    (void)server;
    e->accept = false;
}

/* Works off what was taken from `s`. */
static void work_off(struct nacre_server *server, struct shard *s, struct connection *c, struct event *e,
                     void (*handle)(struct nacre_server *, struct event *))
{
    struct delivery d = {.outer = current, .shard = s};
    d.done_last = &d.done_first;
    current = &d;
    for (struct event *next; e != NULL; e = next) {
        next = e->next;
        enum outbox_hold hold = c == NULL ? HOLD_NOT : nacre_outbox_hold(s, e);
        if (hold == HOLD_KEPT)
            continue;
        d.sent = false;
        if (hold == HOLD_NOT)
            handle(server, e);
        finish(&d, e, next != NULL);
    }
    current = d.outer;
    if (c != NULL)
        nacre_outbox_give(s, c);
    else
        atomic_fetch_sub_explicit(&server->own_events, 1,
                                  memory_order_release); /* with the acquire of nacre_set_handlers() */
    give_back(&d);
}

static bool take_one(struct nacre_server *server, void (*handle)(struct nacre_server *, struct event *))
{
    unsigned count =
        atomic_load_explicit(&server->shard_count, memory_order_acquire); /* with the release when they stand */
    /* What can be taken may be counted a moment later, and then somebody is woken for it. */
    bool is_ready = (int)atomic_load(&server->ready) > 0;
    if (count == 0 || !is_ready || nacre_deliver_is_deep())
        return false;
    unsigned turn = atomic_fetch_add_explicit(&server->turn, 1, memory_order_relaxed);
    for (unsigned i = 0; i < count; i++) {
        struct shard *s = &server->shards[(turn + i) % count];
        struct connection *c;
        struct event *e;
        if (nacre_outbox_take(s, &c, &e)) {
            atomic_store_explicit(&server->busy, s->index, memory_order_relaxed); /* a hint */
            work_off(server, s, c, e, handle);
            return true;
        }
    }
    return false;
}

bool nacre_deliver_one(struct nacre_server *server)
{
    return take_one(server, nacre_deliver_event);
}

bool nacre_deliver_discard(struct nacre_server *server)
{
    return take_one(server, refuse);
}
