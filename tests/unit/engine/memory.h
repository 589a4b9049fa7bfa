/* SPDX-License-Identifier: Apache-2.0 */
/* The engine over the scripted back end: server, worker, events and all, but no socket. The client is a connection in
 * the client role, carried by hand to the peer that the back end gives. */
#ifndef TESTS_MEMORY_H
#define TESTS_MEMORY_H

#include "base/buf.h"
#include "engine/server.h"
#include "support/fake_io.h"
#include "support/server.h"

enum {
    MEMORY_CHUNK = 32 * 1024,
    MEMORY_MAX = 1 << 20, /* bytes on their way or echoed */
    MEMORY_WAIT_MS = 100000,
};

/* A client without a socket. */
struct memory_client {
    struct fake_peer *peer;
    struct conn *conn;
    struct conn_config config;
    struct nacre_crypto *crypto;
    struct pool pool;
    struct buf in, echoed;
    bool ready, authenticated, failed, opened, closed, ended;
};

void memory_begin(struct memory_client *c, io_socket listener);
void memory_begin_with(struct memory_client *c, io_socket listener, const char *cipher);
void memory_end(struct memory_client *c);

/* Takes what the server has sent, and answers nothing yet. */
void memory_hear(struct memory_client *c);

/* Gives to the server in one piece what the client has to say, or that many bytes of it. */
void memory_feed(struct memory_client *c, size_t most);

/* Carries what there is both ways; waits a little when nothing came. */
void memory_carry(struct memory_client *c);

/* The same until the flag is set; false: the connection has ended, or too much time has passed. */
bool memory_carry_until(struct memory_client *c, const bool *flag);

bool memory_log_in(struct memory_client *c);
uint32_t memory_open_session(struct memory_client *c);

/* Says one byte to the server. */
void memory_say(struct memory_client *c, uint32_t channel);

/* Sends so many bytes and has them back. */
void memory_echo(struct memory_client *c, uint32_t channel, size_t len);

/* A server with one worker, with a listener of its own. */
struct engine {
    struct server *server;
    io_socket listener;
};

void engine_start(struct engine *e);

/* On another back end, with one setting more. */
void engine_start_on(struct engine *e, const struct io_backend *ops, const char *setting);

/* Nobody is left: the worker ends, and no socket but the listener is. */
void engine_stop(struct engine *e);

/* The application calls do_events no more, until `on` is false. */
void engine_hold_events(bool on);

/* Waits until the worker has nothing to do and sleeps, while nobody waits beside it. */
bool engine_wait_asleep(struct shard *s);

#endif
