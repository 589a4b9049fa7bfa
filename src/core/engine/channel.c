/* SPDX-License-Identifier: Apache-2.0 */
/* The engine's half of a channel: its id, what the application has queued on it, and its events. */
#include <stdlib.h>
#include <string.h>

#include "engine/connection.h"
#include "engine/outbox.h"
#include "engine/send.h"
#include "engine/server.h"

struct channel *nacre_channel_of(struct connection *c, uint32_t number)
{
    return number < c->end_room ? c->ends[number].channel : NULL;
}

bool nacre_channel_reserve(struct connection *c, uint32_t number)
{
    if (number < c->end_room)
        return true;
    uint32_t room = c->end_room == 0 ? 2 : c->end_room;
    while (room <= number)
        room *= 2;
    struct end *grown = realloc(c->ends, room * sizeof *grown);
    if (grown == NULL)
        return false;
    memset(grown + c->end_room, 0, (room - c->end_room) * sizeof *grown);
    c->ends = grown;
    c->end_room = room;
    return true;
}

struct channel *nacre_channel_add(struct connection *c, uint32_t number, struct span service)
{
    struct shard *s = c->shard;
    if (!nacre_channel_reserve(c, number))
        return NULL;
    nacre_mutex_lock(&s->inbox_lock);
    nacre_mutex_lock(&s->outbox_lock);
    struct channel *ch = nacre_table_take(&s->channels);
    if (ch != NULL) {
        ch->connection = c;
        ch->connection_id = c->slot.id;
        ch->number = number;
        ch->held_last = &ch->held_first;
        size_t len = service.len < sizeof ch->service ? service.len : sizeof ch->service - 1;
        memcpy(ch->service, service.at, len);
        c->ends[number].channel = ch;
        list_append(&c->all_channels, &ch->sibling);
    }
    nacre_mutex_unlock(&s->outbox_lock);
    nacre_mutex_unlock(&s->inbox_lock);
    if (ch != NULL)
        atomic_fetch_add_explicit(&s->server->channel_count, 1, memory_order_relaxed);
    return ch;
}

/* An event that says no more than which channel. */
static bool emit(struct channel *ch, enum event_type type)
{
    struct connection *c = ch->connection;
    struct event *e = nacre_event_new(c->shard, type, 0);
    if (e == NULL) {
        nacre_connection_close(c, NACRE_E_NOBUFS, "out of memory");
        return false;
    }
    e->channel = ch;
    e->channel_id = ch->slot.id;
    nacre_outbox_add(c, e);
    return true;
}

void nacre_channel_emit(struct channel *ch, enum event_type type)
{
    (void)emit(ch, type);
}

void nacre_channel_opened(struct channel *ch)
{
    const struct nacre_handlers *h = &ch->connection->shard->server->handlers;
    struct shard *s = ch->connection->shard;
    nacre_mutex_lock(&s->inbox_lock);
    ch->writable = !ch->finished;
    nacre_mutex_unlock(&s->inbox_lock);
    ch->opened = true;
    /* Without memory for the first the connection has ended, and nothing follows its end. */
    if (h->on_ssh_channel_opened != NULL && !emit(ch, EVENT_SSH_CHANNEL_OPENED))
        return;
    if (h->on_ssh_channel_ready_to_send != NULL)
        nacre_channel_emit(ch, EVENT_SSH_CHANNEL_READY_TO_SEND);
}

/* What waits to be sent takes of memory. */
static size_t room_of(const struct channel *ch)
{
    const struct conn *conn = ch->connection->conn;
    return conn == NULL ? 0 : nacre_chan_queue_room(conn, ch->number);
}

void nacre_channel_clog(struct channel *ch)
{
    struct shard *s = ch->connection->shard;
    if (ch->clogged || room_of(ch) <= SEND_ROOM_MAX)
        return;
    nacre_mutex_lock(&s->inbox_lock);
    ch->clogged = true;
    nacre_mutex_unlock(&s->inbox_lock);
}

void nacre_channel_sent(struct channel *ch, size_t bytes)
{
    struct shard *s = ch->connection->shard;
    nacre_mutex_lock(&s->inbox_lock);
    ch->queued -= bytes < ch->queued ? bytes : ch->queued;
    ch->clogged = ch->clogged && ch->queued != 0 && room_of(ch) > SEND_ROOM_MAX / 2;
    bool drained = ch->queued <= SEND_QUEUE_LOW && !ch->clogged;
    bool tell = drained && ch->starved && ch->writable;
    if (tell)
        ch->starved = false;
    if (drained && ch->waited)
        nacre_cond_broadcast(&s->room);
    nacre_mutex_unlock(&s->inbox_lock);
    if (tell && s->server->handlers.on_ssh_channel_ready_to_send != NULL)
        nacre_channel_emit(ch, EVENT_SSH_CHANNEL_READY_TO_SEND);
}

void nacre_channel_shut(struct channel *ch)
{
    struct shard *s = ch->connection->shard;
    nacre_mutex_lock(&s->inbox_lock);
    ch->writable = false;
    if (ch->waited)
        nacre_cond_broadcast(&s->room);
    nacre_mutex_unlock(&s->inbox_lock);
}

void nacre_channel_closed(struct channel *ch)
{
    struct connection *c = ch->connection;
    c->ends[ch->number].channel = NULL;
    nacre_channel_shut(ch);
    bool told = c->shard->server->handlers.on_ssh_channel_closed != NULL || c->events_out != 0;
    if (told && emit(ch, EVENT_SSH_CHANNEL_CLOSED))
        return;
    /* Without memory to tell it the connection ends, and the channel goes with it, behind its events that are out. */
    if (c->events_out == 0)
        nacre_channel_remove(ch);
}

void nacre_channel_gather(struct channel *ch, struct block *b)
{
    _Atomic size_t *gathered = &ch->connection->gathered;
    if (b != NULL)
        atomic_fetch_add_explicit(gathered, b->size, memory_order_relaxed); /* a figure */
    if (ch->record != NULL)
        atomic_fetch_sub_explicit(gathered, ch->record->size, memory_order_relaxed); /* as above */
    ch->record = b;
}

void nacre_channel_remove(struct channel *ch)
{
    struct connection *c = ch->connection;
    struct shard *s = c->shard;
    struct event *held;
    struct block *record;
    if (nacre_channel_of(c, ch->number) == ch)
        c->ends[ch->number].channel = NULL;
    list_remove(&ch->sibling);
    nacre_mutex_lock(&s->inbox_lock);
    nacre_mutex_lock(&s->outbox_lock);
    held = ch->held_first;
    nacre_outbox_forget(ch);
    record = ch->record;
    nacre_channel_gather(ch, NULL);
    nacre_block_release(record);
    bool waited = ch->waited;
    nacre_table_give(&s->channels, ch);
    if (waited)
        nacre_cond_broadcast(&s->room);
    nacre_mutex_unlock(&s->outbox_lock);
    nacre_mutex_unlock(&s->inbox_lock);
    atomic_fetch_sub_explicit(&s->server->channel_count, 1, memory_order_relaxed);
    for (struct event *next; held != NULL; held = next) {
        next = held->next;
        nacre_answer_event(c, held);
    }
}

void nacre_channel_end_all(struct connection *c)
{
    for (uint32_t i = 0; i < c->end_room; i++)
        if (c->ends[i].channel != NULL)
            nacre_channel_closed(c->ends[i].channel);
    nacre_outbox_release_all(c);
}

void nacre_channel_drop_all(struct connection *c)
{
    while (!list_is_empty(&c->all_channels))
        nacre_channel_remove(CONTAINER_OF(c->all_channels.next, struct channel, sibling));
    free(c->ends);
    c->ends = NULL;
    c->end_room = 0;
}
