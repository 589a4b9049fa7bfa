/* SPDX-License-Identifier: Apache-2.0 */
/* What the fake back end and the tests' side of it share. One lock protects all of it. */
#ifndef TESTS_FAKE_WORLD_H
#define TESTS_FAKE_WORLD_H

#include "base/buf.h"
#include "base/plat.h"
#include "fake_io.h"

struct fake_peer {
    struct fake_peer *next;
    io_socket number;   /* of the engine's end */
    io_socket listener; /* waits to be accepted from there, or IO_NO_SOCKET */
    struct buf to_engine, to_peer;
    size_t per_send, room;
    bool outgoing;   /* made by connect(), not taken by the test yet */
    bool peer_fin;   /* the peer has sent FIN */
    bool engine_fin; /* the engine has */
    bool closed;     /* the engine's end is closed */
    enum nacre_error cut;
};

struct fake_world {
    plat_mutex lock;
    plat_cond changed;
    struct fake_peer *first, **last;
    io_socket next_number;
    enum nacre_error attach_error, accept_error, connect_error;
    unsigned attach_failures;
};

extern struct fake_world nacre_fake_world;

/* All with the lock held. */
struct fake_peer *nacre_fake_peer_make(io_socket listener);
struct fake_peer *nacre_fake_peer_of(io_socket number);

#endif
