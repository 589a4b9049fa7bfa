/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the epoll back end.
 *
 * epoll tells of readiness; the shard wants completions. Sockets are registered edge-triggered once; what the kernel
 * tells is kept as flags of the slot, and a slot that has something to do or to report stands in the work queue. wait()
 * works through the queue, a bounded amount a slot, and asks the kernel in between. All of it runs on the thread
 * that has the shard but wake(). */
#ifndef IO_EPOLL_EPOLL_H
#define IO_EPOLL_EPOLL_H

#include <stdatomic.h>

#include "base/landing.h"
#include "base/slots.h"
#include "engine/io.h"

enum {
    EVENTS_PER_POLL = 256,
};

enum epoll_kind {
    EPOLL_FREE,
    EPOLL_LISTENER,
    EPOLL_STREAM,
};

enum epoll_flag {
    SLOT_READABLE = 1 << 0,    /* the kernel may have bytes, FIN or an error for us; a listener: connections */
    SLOT_WANTED = 1 << 1,      /* the shard wants to receive */
    SLOT_HUNG_UP = 1 << 2,     /* the peer's FIN or an error came: a short read says nothing about what follows */
    SLOT_CHECK = 1 << 3,       /* the kernel told of an error: look it up */
    SLOT_FIN = 1 << 4,         /* the peer's FIN was reported */
    SLOT_SENDING = 1 << 5,     /* from send() until IO_SENT is reported */
    SLOT_BLOCKED = 1 << 6,     /* the first span waits until the socket takes more */
    SLOT_FULL = 1 << 7,        /* the socket takes nothing; the kernel will tell when it does */
    SLOT_WATCH_WRITE = 1 << 8, /* registered for EPOLLOUT */
    SLOT_SHUT = 1 << 9,        /* FIN is due once nothing is in flight */
    SLOT_ERROR = 1 << 10,      /* `error` is to be reported */
    SLOT_FAILED = 1 << 11,     /* it was */
    SLOT_DETACHED = 1 << 12,   /* IO_GONE is to be reported */
    SLOT_CONNECTING = 1 << 13, /* until IO_CONNECTED is reported */
};

struct epoll_slot {
    uint64_t owner;
    union {
        struct span blocked; /* SLOT_BLOCKED */
        int64_t rest_until;  /* a resting listener */
    };
    size_t asked, sent; /* bytes of the last send */
    int fd;
    uint32_t generation; /* in the kernel's reports too, so that one about an earlier user of the slot is known */
    uint32_t next;       /* in the work queue, among those that rest, or free */
    uint32_t next_hungry;
    enum nacre_error error;
    uint16_t flags;
    uint8_t kind;
};

_Static_assert(sizeof(struct epoll_slot) <= 64, "a slot is one cache line");

struct io {
    struct io_options options;
    int epoll, event;
    struct slots slots;
    struct slot_queue work;
    struct slot_queue resting; /* listeners that failed, soonest first */
    struct slot_queue hungry;  /* streams to try again at hungry_until */
    int64_t hungry_until;
    struct landing landing;
    bool skipped_poll;                  /* the last wait() had enough to report without asking the kernel */
    bool no_pwait2;                     /* the kernel has no epoll_pwait2() */
    bool woken;                         /* IO_WOKEN is to be reported */
    bool in_trouble;                    /* the kernel could not be asked the last time */
    _Alignas(64) atomic_bool wake_sent; /* a wake-up is under way; the only member other threads touch */
};

/* Where wait() puts what ended. */
struct epoll_out {
    struct io_done *at;
    unsigned count, max;
};

static inline struct epoll_slot *epoll_slot_at(const struct io *io, uint32_t n)
{
    return (struct epoll_slot *)io->slots.slabs[n / SLAB_SLOTS] + n % SLAB_SLOTS;
}

static inline bool epoll_has(const struct epoll_slot *s, unsigned flags)
{
    return (s->flags & flags) == flags;
}

static inline void epoll_set(struct epoll_slot *s, unsigned flags)
{
    s->flags = (uint16_t)(s->flags | flags);
}

static inline void epoll_clear(struct epoll_slot *s, unsigned flags)
{
    s->flags = (uint16_t)(s->flags & ~flags);
}

static inline bool epoll_out_is_full(const struct epoll_out *out)
{
    return out->count == out->max;
}

/* The caller has seen that `out` is not full. */
static inline struct io_done *epoll_report(struct epoll_out *out, enum io_kind kind, const struct epoll_slot *s)
{
    struct io_done *d = &out->at[out->count++];
    *d = (struct io_done){.kind = kind, .owner = s->owner, .accepted = IO_NO_SOCKET};
    return d;
}

/* Slots. */
void nacre_epoll_slot_give(struct io *io, uint32_t slot);
/* The slot in use under that number, or NULL. */
struct epoll_slot *nacre_epoll_slot_find(const struct io *io, uint32_t slot);

/* Registers with the kernel, or changes what is watched. `op` is EPOLL_CTL_ADD or EPOLL_CTL_MOD. */
enum nacre_error nacre_epoll_watch(struct io *io, uint32_t slot, int op, uint32_t events);

/* Streams. */
void nacre_epoll_receive(struct io *io, uint32_t slot, bool on);
enum nacre_error nacre_epoll_send(struct io *io, uint32_t slot, const struct span *spans, unsigned count);
void nacre_epoll_shut(struct io *io, uint32_t slot);
/* Does and reports what there is for a stream; queues it again when more is left. */
void nacre_epoll_work_stream(struct io *io, uint32_t slot, struct epoll_out *out);
/* Lets streams that found no memory try again. */
void nacre_epoll_end_hunger(struct io *io, int64_t now_ns);

/* Listeners. */
void nacre_epoll_work_listener(struct io *io, uint32_t slot, struct epoll_out *out);
/* Lets listeners that have rested go on. */
void nacre_epoll_end_rest(struct io *io, int64_t now_ns);

/* Waiting. */
unsigned nacre_epoll_wait(struct io *io, int64_t until_ns, struct io_done *out, unsigned max);
void nacre_epoll_wake(struct io *io);
unsigned nacre_epoll_reap(struct io *io, struct io_done *out, unsigned max);
int64_t nacre_epoll_due(const struct io *io);

/* What a report of the kernel is about; the slots' are slot number and generation. */
static inline uint64_t epoll_token(uint32_t slot, uint32_t generation)
{
    return (uint64_t)generation << 32 | slot;
}
#define EPOLL_TOKEN_WAKE UINT64_MAX /* no slot has that number */

#endif
