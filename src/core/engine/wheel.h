/* SPDX-License-Identifier: Apache-2.0 */
/* The wheel of a shard: whoever has it is the shard's thread.
 *
 * The worker has it but while it waits for the kernel. Then others may take it for a moment, and a message needs no
 * other thread on its way from the socket to its handler and back:
 *
 *   guest  a caller of do_events without anything to do waits for the kernel in the worker's place, works off what
 *          comes, and runs the handlers. The kernel tells who came last, and the worker lies below: it gets what comes
 *          while the guest is in a handler, however long.
 *   nudge  who has put something into the inbox carries it out, instead of waking the worker for it.
 *
 * Not with descriptor tables of the workers' own, nor with a back end that belongs to one thread. */
#ifndef ENGINE_WHEEL_H
#define ENGINE_WHEEL_H

#include "engine/server.h"

/* Before the back end is opened. */
void nacre_wheel_init(struct shard *s, struct io_options *options);
void nacre_wheel_destroy(struct shard *s);

/* The worker. let_go() is called before it waits: a guest that is wanted elsewhere gets out first. */
void nacre_wheel_take(struct shard *s);
void nacre_wheel_drop(struct shard *s);
void nacre_wheel_let_go(struct shard *s);

/* Where nothing is lent, too, a worker that is about to wait lets the application go first when that is behind: on the
 * same processor it would interrupt it for each message that comes, at two switches between threads. So more will have
 * come by then. Not while handlers that compute are what keeps it. */
void nacre_wheel_yield(struct shard *s);

/* A caller of do_events waits as a guest until an event is ready or `until_ns`; false: there is no place to be one.
 * Any thread. */
bool nacre_wheel_ride(struct nacre_server *server, int64_t until_ns);

/* Something light was put into the inbox of a shard that sleeps. Any thread, with no lock. */
void nacre_wheel_nudge(struct shard *s);

/* The guest is to come back: under ready_lock, which it takes when it does. Any thread. */
void nacre_wheel_recall(struct shard *s);

#endif
