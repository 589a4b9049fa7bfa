/* SPDX-License-Identifier: Apache-2.0 */
/* The seam to the operating system: what a shard needs to move bytes, shaped as completions.
 *
 * The shard asks, and wait() later says how it ended. Every call is made on the shard's own thread except wake(), or,
 * by back ends that allow it (reap), on whichever thread has the shard at the moment. The contract, the same for every
 * back end and tested on each by tests/backend:
 * - What is asked for begins at the next wait() at the latest.
 * - receive(on) is a standing wish, not one read; off is back pressure. Data arrives in a block of the shard's pool;
 * the reference belongs to the shard, which may keep it. An idle connection owns no receive buffer. `headroom` bytes in
 * front of the data are free for the shard.
 * - At most one send is in flight per slot; its bytes must stay put until IO_SENT, which may report fewer, or
 * until IO_GONE. None before IO_CONNECTED.
 * - len 0 in IO_RECEIVED is the peer's FIN: reported once, and receiving is then off. Sending goes on.
 * - shut() is called when nothing is left to send, at most with a send in flight, and sends FIN behind that; receiving
 * goes on.
 * - After detach() exactly one IO_GONE follows, at a later wait(), and nothing else for that slot; the socket is closed
 * by then. What was in flight may or may not have been sent.
 * - An error on an attached socket is reported once, as IO_FAILED; then only detach() is of use.
 * - A failure after success of attach() is always reported through wait(), never by a second path. */
#ifndef ENGINE_IO_H
#define ENGINE_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/plat.h"
#include "base/pool.h"
#include "base/span.h"
#include "nacre/errors.h"

typedef plat_socket io_socket;
#define IO_NO_SOCKET ((io_socket)-1)

enum io_kind {
    IO_ACCEPTED, /* owner = listen()'s; accepted is the shard's to attach or close; the peer's address is read from it
                  */
    IO_LISTEN_FAILED, /* owner = listen()'s; error says why (MFILE, NOBUFS ...). The listener rests 100 ms and goes on
                         by itself */
    IO_CONNECTED,     /* owner = connect()'s; error 0: attached as by attach(); else only detach() is of use */
    IO_RECEIVED,
    IO_SENT,
    IO_FAILED,
    IO_GONE,
    IO_WOKEN,   /* wake() was called since the last wait(); several calls may make one */
    IO_TROUBLE, /* waiting itself failed: error. Told once until it has worked again; meanwhile wait() returns every 10
                   ms, at what it may know without the system */
};

/* One finished operation. `owner` is the value given to listen(), connect() or attach(). */
struct io_done {
    enum io_kind kind;
    enum nacre_error error;
    uint64_t owner;
    io_socket accepted;
    struct block *block; /* IO_RECEIVED: data is block->at[start .. start+len); one reference, the shard's */
    size_t len;          /* IO_RECEIVED, IO_SENT: bytes moved */
    bool full;           /* IO_RECEIVED: as many as one receive takes, so that there may be more */
};

/* An address in the system's own form; made by engine/sock.h. */
struct io_address {
    _Alignas(8) uint8_t bytes[128];
    uint32_t len;
};

struct io_options {
    struct pool *pool;    /* receive blocks come from here */
    size_t receive_bytes; /* size of a receive, without the headroom */
    size_t headroom;      /* bytes kept free in front */
    unsigned max_slots;
    /* Not NULL: another thread may be the instance's while wait() waits for the kernel. Called on both sides of that.
     */
    void (*rest)(void *context, int64_t until_ns);
    void (*resume)(void *context);
    void *context;
};

struct io; /* one shard's instance */

enum {
    IO_SPANS = 64,
    IO_DESCRIPTORS = 4,
    IO_LOOK_MS = 1000, /* no longer does wait() stay in the kernel: a wake-up that cannot be carried is looked for */
};

/* Passes over spans in front that are empty. Returns the bytes of those that are left. */
static inline size_t io_spans_trim(const struct span **spans, unsigned *count)
{
    size_t bytes = 0;
    while (*count != 0 && (*spans)->len == 0) {
        (*spans)++;
        (*count)--;
    }
    for (unsigned i = 0; i < *count; i++)
        bytes += (*spans)[i].len;
    return bytes;
}

struct io_backend {
    const char *name;
    /* False: cannot work here; *why_not then says why and what would help. */
    bool (*usable)(const char **why_not);
    enum nacre_error (*open)(struct io **out, const struct io_options *options);
    void (*close)(struct io *io); /* every slot must be gone */

    /* Starts accepting from a listening, non-blocking socket, which stays the caller's. */
    enum nacre_error (*listen)(struct io *io, io_socket listener, uint64_t owner, uint32_t *slot);
    /* Takes over a connected socket. Receiving is off at first. On failure the socket stays the caller's. */
    enum nacre_error (*attach)(struct io *io, io_socket s, uint64_t owner, uint32_t *slot);
    /* Takes over an unconnected socket of the address's family and connects it; IO_CONNECTED follows, failures to
     * connect included. On failure of the call itself the socket stays the caller's. */
    enum nacre_error (*connect)(struct io *io, io_socket s, const struct io_address *to, uint64_t owner,
                                uint32_t *slot);
    void (*receive)(struct io *io, uint32_t slot, bool on);
    /* The next receive asks for up to `next` bytes and each one behind it for up to `each`, until this is called again;
     * it is receive_bytes at first and at most, and for 0. Who reads up to where a packet ends has no part of one to
     * move. NULL: the system decides. */
    void (*portion)(struct io *io, uint32_t slot, size_t next, size_t each);
    /* Begins to send spans[0 .. count), at most IO_SPANS. */
    enum nacre_error (*send)(struct io *io, uint32_t slot, const struct span *spans, unsigned count);
    void (*shut)(struct io *io, uint32_t slot);
    void (*detach)(struct io *io, uint32_t slot); /* listeners too; their socket is not closed */

    /* Waits until something ended or `until_ns` has passed (0: do not wait; INT64_MAX: no limit) and reports up to
     * `max`. */
    unsigned (*wait)(struct io *io, int64_t until_ns, struct io_done *out, unsigned max);
    void (*wake)(struct io *io); /* any thread */

    /* The descriptors that the instance itself lives on, which a descriptor table of a worker's own has to keep; the
     * first one must be harmless to read and write. `own`: with those that only its own worker uses. Returns how many.
     * NULL: sockets of this back end take no place in the process's descriptor table; each instance has a table of its
     * own, as long as the limit. */
    unsigned (*descriptors)(const struct io *io, bool own, io_socket out[IO_DESCRIPTORS]);

    /* Both NULL: an instance is one thread's, and rest and resume are not called. Else any thread may use it, one at a
     * time, and several may be inside of wait() as far as they rest. */
    unsigned (*reap)(struct io *io, struct io_done *out, unsigned max); /* what is known without the kernel */
    int64_t (*due)(const struct io *io); /* when wait() has something to do by itself; 0: now, INT64_MAX: never */
};

/* A build has those of its system. */
extern const struct io_backend nacre_io_epoll;
extern const struct io_backend nacre_io_uring; /* open is NULL where the build is without it */
extern const struct io_backend nacre_io_iocp, nacre_io_wsaasyncselect, nacre_io_wsapoll;

#endif
