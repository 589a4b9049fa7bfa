/* SPDX-License-Identifier: Apache-2.0 */
/* A server with little memory, or with none. */
#ifndef TESTS_SHORTAGE_H
#define TESTS_SHORTAGE_H

#include "base/pool.h"
#include "support/client.h"
#include "support/server.h"

/* MemoryUsed. */
size_t shortage_used(struct server *s);

/* Sends on all channels until nothing moves for two seconds, or the connection has ended. */
void shortage_fill(struct client *c, const int *channels, size_t count);

/* Sends `len` bytes `count` times, each far enough behind the last to be received into a block of its own. */
void shortage_trickle(struct client *c, int channel, size_t len, size_t count);

/* The workers' blocks are no more than what holding that many bytes asks for. */
void shortage_expect_fit(struct server *s, size_t bytes);

/* Takes all that the only worker has for packets and may draw, until shortage_end() gives it back. */
struct block *shortage_begin(struct server *s);
void shortage_end(struct server *s, struct block *taken);

#endif
