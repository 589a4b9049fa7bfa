/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/outbox.h"

#include "engine/memory.h"
#include "engine/server.h"

void nacre_outbox_add(struct connection *c, struct event *e)
{
    struct shard *s = c->shard;
    e->next = NULL;
    e->connection = c;
    e->connection_id = c->slot.id;
    *c->fresh_last = e;
    c->fresh_last = &e->next;
    c->events_out++;
    nacre_memory_event_out(c, e);
    if (e->type != EVENT_SSH_CHANNEL_DATA_IN) {
        c->plain_out++;
        c->fresh_mark++;
    }
    if (c->on_fresh)
        return;
    c->on_fresh = true;
    c->fresh_next = s->fresh;
    s->fresh = c;
}

void nacre_outbox_add_own(struct shard *s, struct event *e)
{
    e->next = NULL;
    atomic_fetch_add_explicit(&s->server->own_events, 1, memory_order_relaxed);
    nacre_mutex_lock(&s->outbox_lock);
    *s->own_last = e;
    s->own_last = &e->next;
    nacre_mutex_unlock(&s->outbox_lock);
    nacre_server_ready(s, 1);
}

void nacre_outbox_drop_own(struct shard *s)
{
    while (s->own_first != NULL) {
        struct event *e = s->own_first;
        s->own_first = e->next;
        nacre_event_free(s, e);
        nacre_server_taken(s->server);
        atomic_fetch_sub_explicit(&s->server->own_events, 1, memory_order_relaxed); /* nobody ran */
    }
    s->own_last = &s->own_first;
}

/* Moves one connection's fresh events behind its queue. True when that made it ready. */
static bool publish_one(struct shard *s, struct connection *c)
{
    struct event *first = c->fresh_first;
    c->on_fresh = false;
    c->fresh_mark++;
    if (first == NULL)
        return false;
    if (c->queue_first != NULL && nacre_event_merge(CONTAINER_OF(c->queue_last, struct event, next), first)) {
        c->fresh_first = first->next;
        c->events_out--;
        nacre_memory_event_back(c, first);
        nacre_event_free(s, first);
        if (c->fresh_first == NULL)
            c->fresh_last = c->queue_last;
    }
    *c->queue_last = c->fresh_first;
    c->queue_last = c->fresh_last;
    c->fresh_first = NULL;
    c->fresh_last = &c->fresh_first;
    if (c->taken)
        return false;
    c->taken = true;
    list_append(&s->ready, &c->ready);
    return true;
}

void nacre_outbox_publish(struct shard *s)
{
    struct connection *c = s->fresh;
    if (c == NULL)
        return;
    unsigned made_ready = 0;
    s->fresh = NULL;
    nacre_mutex_lock(&s->outbox_lock);
    for (struct connection *next; c != NULL; c = next) {
        next = c->fresh_next;
        made_ready += publish_one(s, c);
    }
    nacre_mutex_unlock(&s->outbox_lock);
    if (made_ready == 0)
        return;
    nacre_server_count(s->server, made_ready);
    if (s->untold_ns == 0)
        s->untold_ns = s->now_ns;
}

void nacre_outbox_tell(struct shard *s)
{
    if (s->untold_ns == 0)
        return;
    s->untold_ns = 0;
    nacre_server_wake(s);
}

bool nacre_outbox_take(struct shard *s, struct connection **connection, struct event **first)
{
    bool found = true;
    nacre_mutex_lock(&s->outbox_lock);
    struct list *node = list_pop(&s->ready);
    if (node != NULL) {
        struct connection *c = CONTAINER_OF(node, struct connection, ready);
        c->running = true;
        *connection = c;
        *first = c->queue_first;
        c->queue_first = NULL;
        c->queue_last = &c->queue_first;
    } else if (s->own_first != NULL) {
        *connection = NULL;
        *first = s->own_first;
        s->own_first = (*first)->next;
        if (s->own_first == NULL)
            s->own_last = &s->own_first;
        (*first)->next = NULL;
    } else {
        found = false;
    }
    nacre_mutex_unlock(&s->outbox_lock);
    if (found)
        nacre_server_taken(s->server);
    return found;
}

/* Puts what was held in front of the connection's queue: it is older than anything there. */
static void release_held(struct connection *c, struct channel *ch)
{
    if (ch->paused || ch->held_first == NULL)
        return;
    *ch->held_last = c->queue_first;
    if (c->queue_first == NULL)
        c->queue_last = ch->held_last;
    c->queue_first = ch->held_first;
    ch->held_first = NULL;
    ch->held_last = &ch->held_first;
    atomic_fetch_sub_explicit(&c->holding, 1, memory_order_relaxed); /* under the outbox lock */
}

/* Puts the connection on the ready list when it has events and is not there or taken already. */
static bool make_ready(struct shard *s, struct connection *c)
{
    if (c->taken || c->queue_first == NULL)
        return false;
    c->taken = true;
    list_append(&s->ready, &c->ready);
    return true;
}

void nacre_outbox_give(struct shard *s, struct connection *c)
{
    nacre_mutex_lock(&s->outbox_lock);
    c->running = c->taken = false;
    for (struct channel *ch = c->resumed, *next; ch != NULL; ch = next) {
        next = ch->resumed_next;
        ch->on_resumed = false;
        release_held(c, ch);
    }
    c->resumed = NULL;
    bool more = make_ready(s, c);
    nacre_mutex_unlock(&s->outbox_lock);
    if (more)
        nacre_server_ready(s, 1);
}

/* Appends to what is kept aside of a channel. */
static enum outbox_hold keep(struct connection *c, struct channel *ch, struct event *e)
{
    if (ch->held_first == NULL)
        atomic_fetch_add_explicit(&c->holding, 1, memory_order_relaxed); /* under the outbox lock */
    else if (nacre_event_merge(CONTAINER_OF(ch->held_last, struct event, next), e))
        return HOLD_MERGED;
    e->next = NULL;
    *ch->held_last = e;
    ch->held_last = &e->next;
    return HOLD_KEPT;
}

enum outbox_hold nacre_outbox_hold(struct shard *s, struct event *e)
{
    struct channel *ch = e->channel;
    struct connection *c = e->connection;
    /* Room to send is about the other direction: who paused may be waiting for just that. */
    if (ch == NULL || e->type == EVENT_SSH_CHANNEL_READY_TO_SEND)
        return HOLD_NOT;
    /* Relaxed: a pause from elsewhere may come a moment late. */
    if (atomic_load_explicit(&c->holding, memory_order_relaxed) == 0)
        return HOLD_NOT;
    nacre_mutex_lock(&s->outbox_lock);
    bool hold = ch->slot.id == e->channel_id && (ch->paused || ch->held_first != NULL);
    enum outbox_hold result = hold ? keep(c, ch, e) : HOLD_NOT;
    nacre_mutex_unlock(&s->outbox_lock);
    if (result == HOLD_MERGED)
        e->data_len = 0; /* the other one gives the window back */
    return result;
}

static void set_paused(struct shard *s, struct channel *ch, bool pause, bool *made_ready)
{
    struct connection *c = ch->connection;
    if (ch->paused == pause || (pause && ch->ended))
        return;
    ch->paused = pause;
    if (pause)
        atomic_fetch_add_explicit(&c->holding, 1, memory_order_relaxed); /* under the outbox lock */
    else
        atomic_fetch_sub_explicit(&c->holding, 1, memory_order_relaxed); /* as above */
    if (pause || ch->held_first == NULL)
        return;
    /* While somebody runs older events of this connection, its queue is not the place: give() looks again. */
    if (c->running && !ch->on_resumed) {
        ch->on_resumed = true;
        ch->resumed_next = c->resumed;
        c->resumed = ch;
    } else if (!c->running) {
        release_held(c, ch);
        *made_ready = make_ready(s, c);
    }
}

enum nacre_error nacre_outbox_pause(struct shard *s, int64_t id, bool pause)
{
    bool made_ready = false;
    nacre_mutex_lock(&s->outbox_lock);
    struct channel *ch = nacre_table_find(&s->channels, id);
    if (ch != NULL)
        set_paused(s, ch, pause, &made_ready);
    nacre_mutex_unlock(&s->outbox_lock);
    if (made_ready)
        nacre_server_ready(s, 1);
    return ch == NULL ? NACRE_E_CHANNEL_ID : NACRE_OK;
}

void nacre_outbox_release_all(struct connection *c)
{
    struct shard *s = c->shard;
    bool made_ready = false;
    nacre_mutex_lock(&s->outbox_lock);
    for (struct list *l = c->all_channels.next; l != &c->all_channels; l = l->next) {
        struct channel *ch = CONTAINER_OF(l, struct channel, sibling);
        bool one = false;
        set_paused(s, ch, false, &one);
        ch->ended = true;
        made_ready = made_ready || one;
    }
    nacre_mutex_unlock(&s->outbox_lock);
    if (made_ready)
        nacre_server_ready(s, 1);
}

void nacre_outbox_forget(struct channel *ch)
{
    struct connection *c = ch->connection;
    for (struct channel **at = &c->resumed; *at != NULL; at = &(*at)->resumed_next) {
        if (*at == ch) {
            *at = ch->resumed_next;
            break;
        }
    }
    unsigned holds = (ch->paused ? 1U : 0U) + (ch->held_first != NULL ? 1U : 0U);
    atomic_fetch_sub_explicit(&c->holding, holds, memory_order_relaxed); /* under the outbox lock */
    ch->held_first = NULL;
    ch->held_last = &ch->held_first;
}
