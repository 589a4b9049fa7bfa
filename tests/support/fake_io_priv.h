/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the scripted back end: the network, which both the instances and the test's ends see. */
#ifndef TESTS_FAKE_IO_PRIV_H
#define TESTS_FAKE_IO_PRIV_H

#include "base/buf.h"
#include "base/plat.h"
#include "support/fake_io.h"

enum {
    FAKE_WATCHES = 16 /* instances on one listener */
};

/* A socket. A connection is the engine's socket with both directions; its far end is the test. */
struct fake_peer {
    io_socket socket;
    bool open, listens, ignores;
    struct fake_peer *waiting, *next; /* a listener: to be accepted by an instance, oldest first; link */
    struct fake_peer *arrived;        /* a listener: connections that instances made */
    enum nacre_error error;           /* a connection: cut so; a listener: the next accept fails so */
    struct buf to_engine, to_test;
    size_t send_most, receive_most, room;
    bool fin, got_fin, closed;
    struct fake_watch {
        struct io *io;
        uint32_t slot;
    } watches[FAKE_WATCHES]; /* the slots that have it: of a listener several, of a connection one */
    unsigned watch_count;
};

/* Protects all of it, the instances' slots too. */
void fake_lock(void);
void fake_unlock(void);
/* Something changed: the test's ends look again, and the peer's instances are told unless it is NULL. The lock is held.
 */
void fake_changed(const struct fake_peer *p);
void fake_tell(const struct fake_peer *p);
/* The lock is held. False: `until_ns` has passed. */
bool fake_sleep(plat_cond *on, int64_t until_ns);
void fake_count_shared(void);

/* The lock is held. NULL: not a socket of ours, or closed. */
struct fake_peer *fake_find(io_socket s);
void fake_close_peer(struct fake_peer *p);
enum nacre_error fake_take_failure(enum fake_call call);
/* Appends to a listener's list; takes the oldest or NULL. */
void fake_line_up(struct fake_peer **line, struct fake_peer *p);
struct fake_peer *fake_first(struct fake_peer **line);

#endif
