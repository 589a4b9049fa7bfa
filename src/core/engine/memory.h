/* SPDX-License-Identifier: Apache-2.0 */
/* MemoryLimit: one budget over all that peers can make the server hold.
 *
 * Blocks of the pools count as they are handed out; what else a connection holds is charged at the end of a turn. Near
 * the limit new connections are refused, windows shrink, and connections that hold much for the application
 * and tunnels' far ends are not read. At the limit the connection that holds most is ended, of all workers'; the others
 * go on. So it is when those that hold much have kept others out for ten seconds: near the limit nothing obliges them
 * to take or to end anything. */
#ifndef ENGINE_MEMORY_H
#define ENGINE_MEMORY_H

#include "engine/connection.h"

/* The limit that the setting means, in bytes; 0: none. */
size_t nacre_memory_limit(int64_t setting);

/* An event of the connection goes out, or is back. */
void nacre_memory_event_out(struct connection *c, struct event *e);
void nacre_memory_event_back(struct connection *c, const struct event *e);

/* Memory is so short that nobody new should be let in; who may come all the same can while it is not at an end. */
bool nacre_memory_keeps_out(struct shard *s, bool is_exempt);

/* True while the connection should not be read, since it holds much and memory is short. Who is told so is looked at
 * again when there is memory: other workers may give it back before this one has seen that it was short. */
bool nacre_memory_holds_back(const struct connection *c);

/* So little that it is never held back. */
bool nacre_memory_holds_little(const struct connection *c);

/* Charges what the connection holds now. False: there is no memory for it, and it is ending. */
bool nacre_memory_charge(struct connection *c);

/* The connection is being freed. */
void nacre_memory_uncharge(struct connection *c);

/* End of a worker's turn: looks how things stand. */
void nacre_memory_turn(struct shard *s);

/* Until when a worker may sleep that would sleep until then; 0: not at all. */
int64_t nacre_memory_sleep(const struct shard *s, int64_t until_ns);

#endif
