/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the epoll back end.
 *
 * epoll tells of readiness; the shard wants completions. Sockets are registered edge-triggered once; what the kernel
 * tells is kept as flags of the slot, and a slot that has something to do or to report stands in the work queue. wait()
 * works through the queue, a bounded amount a slot, and asks the kernel in between. All of it runs on the shard's
 * thread but wake(). */
#ifndef IO_EPOLL_EPOLL_H
#define IO_EPOLL_EPOLL_H

#include <stdatomic.h>

#include "engine/io.h"

enum {
    SLAB_SLOTS = 256,
    EVENTS_PER_POLL = 256,
};

enum epoll_kind {
    EPOLL_FREE,
    EPOLL_LISTENER,
    EPOLL_STREAM,
};

enum epoll_flag {
    SLOT_QUEUED = 1 << 0,      /* stands in the work queue or rests */
    SLOT_READABLE = 1 << 1,    /* the kernel may have bytes, FIN or an error for us; a listener: connections */
    SLOT_WANTED = 1 << 2,      /* the shard wants to receive */
    SLOT_HUNG_UP = 1 << 3,     /* the peer's FIN or an error came: a short read says nothing about what follows */
    SLOT_CHECK = 1 << 4,       /* the kernel told of an error: look it up */
    SLOT_FIN = 1 << 5,         /* the peer's FIN was reported */
    SLOT_SENDING = 1 << 6,     /* from send() until IO_SENT is reported */
    SLOT_BLOCKED = 1 << 7,     /* the first span waits until the socket takes more */
    SLOT_FULL = 1 << 8,        /* the socket takes nothing; the kernel will tell when it does */
    SLOT_WATCH_WRITE = 1 << 9, /* registered for EPOLLOUT */
    SLOT_SHUT = 1 << 10,       /* FIN is due once nothing is in flight */
    SLOT_ERROR = 1 << 11,      /* `error` is to be reported */
    SLOT_FAILED = 1 << 12,     /* it was */
    SLOT_DETACHED = 1 << 13,   /* IO_GONE is to be reported */
    SLOT_HUNGRY = 1 << 14,     /* found no memory to receive into; stands in that list */
    SLOT_CONNECTING = 1 << 15, /* until IO_CONNECTED is reported */
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
    uint32_t next;       /* in a queue or the free list: slot number + 1 */
    uint32_t next_hungry;
    enum nacre_error error;
    uint16_t flags;
    uint8_t kind;
};

_Static_assert(sizeof(struct epoll_slot) <= 64, "a slot is one cache line");

/* First in, first out; links are slot number + 1. */
struct epoll_queue {
    uint32_t first, last;
};

struct io {
    struct io_options options;
    int epoll, event;
    struct epoll_slot **slabs;
    uint32_t made;       /* slots in slabs so far */
    uint32_t free_first; /* slot number + 1 */
    struct epoll_queue work;
    struct epoll_queue resting; /* listeners that failed, soonest first */
    uint32_t hungry;            /* list of streams to try again at hungry_until: slot number + 1 */
    int64_t hungry_until;
    struct block *scratch;              /* to receive into; handed over when much came */
    bool skipped_poll;                  /* the last wait() had enough to report without asking the kernel */
    bool no_pwait2;                     /* the kernel has no epoll_pwait2() */
    bool woken;                         /* IO_WOKEN is to be reported */
    _Alignas(64) atomic_bool wake_sent; /* a wake-up is under way; the only member other threads touch */
};

/* Where wait() puts what ended. */
struct epoll_out {
    struct io_done *at;
    unsigned count, max;
};

static inline struct epoll_slot *epoll_slot_at(const struct io *io, uint32_t n)
{
    return &io->slabs[n / SLAB_SLOTS][n % SLAB_SLOTS];
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

/* Queues. Adding a slot that stands in a queue already does nothing. */
void nacre_epoll_queue_add(struct io *io, struct epoll_queue *q, uint32_t slot);
/* The caller has seen that the queue is not empty. */
uint32_t nacre_epoll_queue_pop(struct io *io, struct epoll_queue *q);

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

/* What a report of the kernel is about; the slots' are slot number and generation. */
static inline uint64_t epoll_token(uint32_t slot, uint32_t generation)
{
    return (uint64_t)generation << 32 | slot;
}
#define EPOLL_TOKEN_WAKE UINT64_MAX /* no slot has that number */

#endif
