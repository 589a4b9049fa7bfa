/* SPDX-License-Identifier: Apache-2.0 */
/* A client of the simulated world: our client role at the far end of a scripted connection. The world's own thread
 * drives it, a random step at a time. */
#ifndef SIM_PEER_H
#define SIM_PEER_H

#include "base/buf.h"
#include "simulation/stream.h"
#include "ssh/conn.h"
#include "support/fake_io.h"

enum {
    PEER_CHANNELS = 4
};

struct peer_channel {
    bool used, opened, sent_eof, got_eof, closed;
    struct stream in, out;
};

struct peer {
    bool used, ready, asking, authenticated, ended;
    bool knows_password;
    bool leaves; /* it has decided to: nothing of it is waited for */
    int64_t deaf_until_ns;
    struct fake_peer *far;
    struct conn *conn;
    struct conn_config config;
    struct nacre_crypto *crypto;
    struct pool pool;
    struct buf in;
    struct peer_channel channels[PEER_CHANNELS];
};

void peer_begin(struct peer *p, io_socket listener);
void peer_step(struct peer *p);

/* Goes in one of the ways that clients go: DISCONNECT, FIN, a reset. */
void peer_leave(struct peer *p);

/* The server has let go of it, or it of the server. */
bool peer_is_over(const struct peer *p);
void peer_end(struct peer *p);

#endif
