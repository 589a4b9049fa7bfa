/* SPDX-License-Identifier: Apache-2.0 */
/* A scripted back end: struct io_backend purely in memory. The test holds the other end of every connection as a struct
 * fake_peer, feeds bytes to it, takes what was sent, and decides how short sends are, what fails and when.
 *
 * It is as strict as engine/io.h lets it be: bytes of a send are read only when its end is reported (or IO_GONE), and
 * FIN goes out as soon as nothing is in flight. Sockets are numbers of its own that no system call knows. There is one
 * network a process. Any thread. */
#ifndef TESTS_FAKE_IO_H
#define TESTS_FAKE_IO_H

#include "engine/io.h"

struct fake_peer;

/* What can be made to fail. */
enum fake_call {
    FAKE_OPEN,
    FAKE_LISTEN,
    FAKE_ATTACH,
    FAKE_CONNECT, /* the call itself */
    FAKE_SEND,    /* the call itself */
    FAKE_WAIT,    /* IO_TROUBLE is told */
    FAKE_CALLS,
};

extern const struct io_backend fake_io;
/* The same with reap() and due(): other threads may have an instance while one waits. */
extern const struct io_backend fake_io_shared;

/* How often an instance was waited for by several at once. */
uint64_t fake_shared_waits(void);

/* The next call of that kind fails so. */
void fake_fail_next(enum fake_call call, enum nacre_error error);

/* How many wait for the instance and have been told nothing. */
unsigned fake_sleepers(struct io *io);

/* The instance has been told something, or has something to do by itself, that nobody who waits for it knows of. Takes
 * no lock: for when nothing else runs. */
bool fake_is_overlooked(const struct io *io, int64_t now_ns);

/* Frees the whole network. No instance is open. */
void fake_reset(void);

/* Sockets that are open. */
size_t fake_sockets(void);

/* A listening socket, its address, and an address that refuses. */
io_socket fake_listener(void);
struct io_address fake_address(io_socket listener);
struct io_address fake_nowhere(void);

/* An unconnected socket. */
io_socket fake_socket(void);

/* Closes what no instance has taken over. */
void fake_close(io_socket s);

/* Accepting fails so, once. */
void fake_listener_fail(io_socket listener, enum nacre_error error);

/* Connecting to it takes for ever. */
void fake_listener_ignore(io_socket listener);

/* Connects to a listener that an instance listens on, or will. */
struct fake_peer *fake_dial(io_socket listener);

/* A connection that is there already: *ours is to be attached. */
struct fake_peer *fake_pair(io_socket *ours);

/* The far end of the next connection that an instance made to the listener; NULL: there is none. */
struct fake_peer *fake_accept(io_socket listener);

/* The far end of any connection, by the engine's socket. */
struct fake_peer *fake_peer_of(io_socket s);

/* The peer sends. */
bool fake_feed(struct fake_peer *p, const void *bytes, size_t len);
void fake_fin(struct fake_peer *p);

/* Takes a connection away that no instance has, or any more. */
void fake_drop(struct fake_peer *p);

/* The connection breaks: the engine finds that error. */
void fake_cut(struct fake_peer *p, enum nacre_error error);

/* Takes up to `room` bytes of what was sent to the peer. */
size_t fake_take(struct fake_peer *p, void *at, size_t room);

/* Waits until something can be taken, or the engine's FIN or end came; false: `until_ns` passed. */
bool fake_wait(struct fake_peer *p, int64_t until_ns);

/* Bytes of the peer that the engine has not received. */
size_t fake_unread(struct fake_peer *p);

/* The engine's FIN has come behind the bytes; its socket is closed. */
bool fake_got_fin(struct fake_peer *p);
bool fake_is_closed(struct fake_peer *p);

/* One send moves no more than that, one receive brings no more. 0: no limit. A listener's peer hands its limits on to
 * those who dial it. */
void fake_limit(struct fake_peer *p, size_t send_most, size_t receive_most);

/* Bytes sent and not taken by the peer may be so many; a send waits beyond that. */
void fake_room(struct fake_peer *p, size_t bytes);

#endif
