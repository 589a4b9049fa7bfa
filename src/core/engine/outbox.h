/* SPDX-License-Identifier: Apache-2.0 */
/* The outbox: how events reach handlers. Connections with events wait on their shard's ready list; one caller of
 * do_events takes a connection, runs what is queued, and puts it back, so that a connection's events stay in order and
 * never overlap. */
#ifndef ENGINE_OUTBOX_H
#define ENGINE_OUTBOX_H

#include "engine/shard.h"

/* Adds an event to what its connection will publish. Counts it against the connection's bounds. */
void nacre_outbox_add(struct connection *c, struct event *e);

/* An event that belongs to no connection. */
void nacre_outbox_add_own(struct shard *s, struct event *e);

/* Forgets those, when no thread is left that could take them. */
void nacre_outbox_drop_own(struct shard *s);

/* Makes everything added since the last call visible to callers of do_events; those that sleep are not woken. */
void nacre_outbox_publish(struct shard *s);

/* Wakes them, when something has been published since the last call. */
void nacre_outbox_tell(struct shard *s);

/* Takes a connection with events, gives its queue in *first, or an event without connection (then *connection is NULL).
 * False: nothing waits. Any thread. */
bool nacre_outbox_take(struct shard *s, struct connection **connection, struct event **first);

/* The events taken have been handled: the connection goes back on the list when it has more. Any thread. */
void nacre_outbox_give(struct shard *s, struct connection *c);

enum outbox_hold {
    HOLD_NOT,   /* run it */
    HOLD_KEPT,  /* its channel is paused, or has older events kept aside: so is this one until it is resumed */
    HOLD_MERGED /* the same, and its bytes have gone into the one before: it is done */
};

/* What to do with an event while the caller has its connection taken. */
enum outbox_hold nacre_outbox_hold(struct shard *s, struct event *e);

/* Pauses or resumes; CHANNEL_ID when `id` is stale. Any thread. */
enum nacre_error nacre_outbox_pause(struct shard *s, int64_t id, bool pause);

/* The connection has ended: nothing of it is held back any more, now or later. Shard thread. */
void nacre_outbox_release_all(struct connection *c);

/* The channel's slot goes away: takes it off whatever list it is on. Under the outbox lock. */
void nacre_outbox_forget(struct channel *ch);

#endif
