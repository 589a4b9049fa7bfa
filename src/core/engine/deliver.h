/* SPDX-License-Identifier: Apache-2.0 */
/* Events to handlers: what happens inside nacre_do_events(). Any thread. */
#ifndef ENGINE_DELIVER_H
#define ENGINE_DELIVER_H

#include "engine/server.h"

/* Takes one connection that has events and runs them; false: nothing waits, or the thread may take nothing. */
bool nacre_deliver_one(struct nacre_server *server);

/* This thread is inside of so many handlers that it may take nothing more until it has left one. */
bool nacre_deliver_is_deep(void);

/* The same without running handlers: questions are refused. For nacre_free(). */
bool nacre_deliver_discard(struct nacre_server *server);

enum sending {
    SENDING_OUTSIDE, /* of any handler, or further calls in one for another shard's connection */
    SENDING_FIRST,   /* the first call of a handler for an event */
    SENDING_MORE     /* further ones */
};

/* Where on this thread something is sent to a connection of `to`. */
enum sending nacre_deliver_sending(const struct shard *to);

/* Calls the handler for `e`, with data of a channel cut into records where it has a length. */
void nacre_deliver_event(struct nacre_server *server, struct event *e);

#endif
