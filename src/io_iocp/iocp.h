/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the back end for I/O completion ports.
 *
 * What the port tells is kept as flags of the slot, and a slot that has something to do or to report stands in the work
 * queue. wait() works through the queue, a bounded amount a slot, and asks the port in between. A slot is free again
 * when every operation that it had in flight has ended, so that no completion can meet a later user of the slot. All of
 * it runs on the shard's thread but wake() and the callback of a listener (listener.c). */
#ifndef IO_IOCP_IOCP_H
#define IO_IOCP_IOCP_H

#include <winsock2.h>
/* winsock2.h stands before the others, or the older winsock.h comes with them. */
#include <mswsock.h>
#include <stdatomic.h>
#include <windows.h>

#include "base/landing.h"
#include "base/slots.h"
#include "engine/io.h"

enum {
    ENTRIES_PER_POLL = 256,
    ACCEPTS = 4, /* in flight for a listener */
};

enum iocp_kind {
    IOCP_FREE,
    IOCP_LISTENER,
    IOCP_STREAM,
};

/* Keys of the port's packets. */
enum iocp_key {
    KEY_SOCKET, /* an operation of a stream ended */
    KEY_ACCEPT, /* one of a listener */
    KEY_WAKE,
};

enum iocp_flag {
    SLOT_READABLE = 1 << 0,  /* there may be bytes, FIN or an error for us */
    SLOT_WANTED = 1 << 1,    /* the shard wants to receive */
    SLOT_FIN = 1 << 2,       /* the peer's FIN was reported */
    SLOT_SENDING = 1 << 3,   /* from send() until IO_SENT is reported */
    SLOT_SHUT = 1 << 4,      /* FIN is due once nothing is in flight */
    SLOT_ERROR = 1 << 5,     /* `error` is to be reported */
    SLOT_FAILED = 1 << 6,    /* it was */
    SLOT_DETACHED = 1 << 7,  /* IO_GONE is to be reported */
    SLOT_CONNECTING = 1 << 8 /* until IO_CONNECTED is reported */
};

/* An operation of the system, which writes here until it has ended. */
struct iocp_op {
    OVERLAPPED overlapped;
    uint32_t slot;
    bool is_flying; /* its packet has not been taken from the port */
};

/* One connection that a listener waits for. */
struct iocp_accept {
    struct iocp_op op;
    HANDLE port;  /* where its end is told */
    HANDLE event; /* set by the system at its end */
    HANDLE wait;  /* the system's, for `event` */
    io_socket socket;
    bool has_ended; /* and was not looked at yet */
    uint8_t addresses[2 * (sizeof(SOCKADDR_STORAGE) + 16)];
};

struct iocp_slot {
    struct iocp_op receive; /* of no bytes */
    struct iocp_op send;    /* or connect */
    uint64_t owner;
    union {
        struct iocp_accept *accepts; /* a listener's */
        size_t asked;                /* bytes of the last send */
    };
    union {
        int64_t rest_until; /* a resting listener */
        size_t sent;
    };
    io_socket socket;
    uint32_t next; /* in the work queue, among those that rest, or free */
    uint32_t next_hungry;
    enum nacre_error error;
    uint16_t flags;
    uint8_t kind;
};

struct io {
    struct io_options options;
    HANDLE port;
    LPFN_ACCEPTEX accept;
    LPFN_CONNECTEX connect;
    struct slots slots;
    struct slot_queue work;
    struct slot_queue resting; /* listeners that failed, soonest first */
    struct slot_queue hungry;  /* streams to try again at hungry_until */
    int64_t hungry_until;
    struct landing landing;
    bool skipped_poll;                  /* the last wait() had enough to report without asking the port */
    bool woken;                         /* IO_WOKEN is to be reported */
    bool in_trouble;                    /* the port could not be asked the last time */
    _Alignas(64) atomic_bool wake_sent; /* a wake-up is under way; the only member other threads touch */
};

/* Where wait() puts what ended. */
struct iocp_out {
    struct io_done *at;
    unsigned count, max;
};

static inline struct iocp_slot *iocp_slot_at(const struct io *io, uint32_t n)
{
    return (struct iocp_slot *)io->slots.slabs[n / SLAB_SLOTS] + n % SLAB_SLOTS;
}

static inline bool iocp_has(const struct iocp_slot *s, unsigned flags)
{
    return (s->flags & flags) == flags;
}

static inline void iocp_set(struct iocp_slot *s, unsigned flags)
{
    s->flags = (uint16_t)(s->flags | flags);
}

static inline void iocp_clear(struct iocp_slot *s, unsigned flags)
{
    s->flags = (uint16_t)(s->flags & ~flags);
}

static inline bool iocp_out_is_full(const struct iocp_out *out)
{
    return out->count == out->max;
}

/* The caller has seen that `out` is not full. */
static inline struct io_done *iocp_report(struct iocp_out *out, enum io_kind kind, const struct iocp_slot *s)
{
    struct io_done *d = &out->at[out->count++];
    *d = (struct io_done){.kind = kind, .owner = s->owner, .accepted = IO_NO_SOCKET};
    return d;
}

/* Slots. */
void nacre_iocp_slot_give(struct io *io, uint32_t slot);
/* The slot in use under that number, or NULL. */
struct iocp_slot *nacre_iocp_slot_find(const struct io *io, uint32_t slot);

/* Streams. */
void nacre_iocp_receive(struct io *io, uint32_t slot, bool on);
enum nacre_error nacre_iocp_send(struct io *io, uint32_t slot, const struct span *spans, unsigned count);
void nacre_iocp_shut(struct io *io, uint32_t slot);
/* Remembers the first error; wait() reports it. */
void nacre_iocp_fail(struct iocp_slot *s, enum nacre_error error);
/* Takes note of an operation that has ended. */
void nacre_iocp_ended(struct io *io, struct iocp_op *op);
/* Does and reports what there is for a stream; queues it again when more is left. */
void nacre_iocp_work_stream(struct io *io, uint32_t slot, struct iocp_out *out);
/* Lets streams that found no memory try again. */
void nacre_iocp_end_hunger(struct io *io, int64_t now_ns);

/* Listeners. */
enum nacre_error nacre_iocp_listen(struct io *io, uint32_t slot);
void nacre_iocp_work_listener(struct io *io, uint32_t slot, struct iocp_out *out);
/* Asks the operations in flight to end. */
void nacre_iocp_stop_accepting(struct io *io, uint32_t slot);
/* Lets listeners that have rested go on. */
void nacre_iocp_end_rest(struct io *io, int64_t now_ns);

/* Waiting. */
unsigned nacre_iocp_wait(struct io *io, int64_t until_ns, struct io_done *out, unsigned max);
void nacre_iocp_wake(struct io *io);

#endif
