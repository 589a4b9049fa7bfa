/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the sink share: how a conn's reports and questions become events. */
#ifndef ENGINE_SINK_H
#define ENGINE_SINK_H

#include "engine/connection.h"
#include "engine/server.h"

static inline const struct nacre_handlers *sink_handlers(const struct connection *c)
{
    return &c->shard->server->handlers;
}

/* Bytes that an event needs to keep those texts. */
size_t nacre_sink_room(const struct span *texts, size_t count);

/* Sends a question out. True: *answer is a refusal already, for want of memory. NULL: there was none for the event. */
bool nacre_sink_ask(struct connection *c, struct event *e, uint64_t serial, struct conn_answer *answer);

/* A login (sink_auth.c). */
bool nacre_sink_ask_auth(struct connection *c, const struct conn_event *v, struct conn_answer *answer);

/* FireAuthRequestAfterSig: the class's report has the shape of a request. */
void nacre_sink_told_signature(struct connection *c, const struct conn_event *v);

#endif
