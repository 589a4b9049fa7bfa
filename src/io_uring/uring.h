/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the io_uring back end.
 *
 * What the shard asks for is kept as flags of a slot; a slot whose wish and state differ stands in the work queue.
 * wait() works through the queue, which writes requests, hands all of them to the kernel in the call that waits, and
 * turns completions into reports. A slot is free again when every request it had in flight has completed, so that no
 * completion can meet a later user of the slot. All of it runs on the shard's thread but wake(). */
#ifndef IO_URING_URING_H
#define IO_URING_URING_H

#include <errno.h>
#include <liburing.h>
#include <stdatomic.h>

#include "base/slots.h"
#include "base/tick.h"
#include "engine/io.h"

enum {
    SQ_ENTRIES = 512,
    CQ_ENTRIES = 4096,
    ARENA_BYTES = 32 * 1024, /* what requests refer to until the kernel has taken them */
    ARENA_ALIGN = 8,
    LANDING_BYTES = 2048, /* small receives: the instance's own memory, copied into fitting blocks */
    LANDING_COUNT = 256,
    LANDING_GROUP = 0,
    BIG_COUNT = 8, /* big ones: blocks of the pool, handed over as they are */
    BIG_GROUP = 1,
    PARKED = 2, /* a list like those of the groups: has bytes in landing buffers and waits for memory */
    STARVED_LISTS = 3,
};

enum uring_kind {
    URING_FREE,
    URING_LISTENER,
    URING_STREAM,
};

/* What a completion is about. */
enum uring_op {
    OP_NONE, /* nobody waits for it: cancellations */
    OP_WAKE,
    OP_ACCEPT,
    OP_CONNECT,
    OP_RECEIVE,
    OP_SEND,
    OP_SHUT,
    OP_WATCH, /* tells of errors while nothing is received */
    OP_PROBE, /* an empty send: asks which error it is */
    OP_CLOSE,
};

enum uring_flag {
    SLOT_WANTED = 1 << 0,       /* the shard wants to receive */
    SLOT_SENDING = 1 << 1,      /* from send() until IO_SENT is reported */
    SLOT_SENT_NOTHING = 1 << 2, /* an empty send: IO_SENT is to be reported */
    SLOT_SHUT = 1 << 3,         /* FIN is due once nothing is in flight */
    SLOT_CONNECTING = 1 << 4,   /* until IO_CONNECTED is reported */
    SLOT_FIN = 1 << 5,          /* the peer's FIN came */
    SLOT_FIN_TOLD = 1 << 6,     /* and was reported */
    SLOT_ERROR = 1 << 7,        /* `error` is to be reported */
    SLOT_DRAINED = 1 << 8,      /* with SLOT_ERROR: nothing is left to receive before it */
    SLOT_FAILED = 1 << 9,       /* the error was reported */
    SLOT_DETACHED = 1 << 10,    /* IO_GONE is to be reported */
    SLOT_CLOSED = 1 << 11,      /* the request to close was written */
    SLOT_BIG = 1 << 12,         /* much comes: receive into big blocks */
    SLOT_BIG_ARMED = 1 << 13,   /* the receive in flight does */
    SLOT_SHARED = 1 << 14,      /* a listener that other workers accept from, too */
    SLOT_PROBE = 1 << 15,       /* an error is there that nobody has asked for yet */
    SLOT_DRAINING = 1 << 16,    /* the receive in flight takes what is left before an error and does not wait */
    SLOT_RESTING = 1 << 17,     /* a listener that waits until it may try again */
    SLOT_UNWATCHED = 1 << 18,   /* OP_WATCH failed: errors are met when something is received or sent */
    SLOT_TURN = 1 << 19,        /* released from the list of those who wait for a big block: it is its turn */
};

struct uring_slot {
    uint64_t owner;
    union {
        struct block *kept_first; /* received and not reported yet, linked by block.next */
        int64_t rest_until;       /* a resting listener */
    };
    struct block *kept_last;
    size_t unsent; /* bytes of the last send that it did not take */
    uint32_t flags;
    uint32_t next; /* in the work queue, among those that rest, or free */
    uint32_t next_starved;
    int fd; /* a listener's socket; a stream's where the table of files has no place for it; else -1 */
    enum nacre_error error;
    uint16_t flying, cancelled;         /* requests in flight, and those of them that were asked to end: 1 << op */
    uint16_t parked_first, parked_last; /* landing buffers that wait for memory, after what is kept: number + 1 */
    uint8_t kind;
    uint8_t accepts; /* in flight */
    uint8_t runs;    /* receives in a row that speak for the other kind of buffer; a listener's accepts that failed */
};

_Static_assert(sizeof(struct uring_slot) <= 72, "a slot is about one cache line");

/* Where wait() puts what ended. */
struct uring_out {
    struct io_done *at;
    unsigned count, max;
};

struct io {
    struct io_options options;
    struct io_uring ring;
    int event;
    struct tick tick;
    bool have_ring, enabled; /* without a ring: lost.c */
    bool woken_armed;        /* the poll of `event` is in flight */
    int64_t watch_again_ns;  /* it failed: not before then; 0: it did not */
    bool sweep;              /* a starved slot was detached: the lists of the starved are gone through */
    uint32_t files;          /* slots below this have a place in the ring's table of files */
    struct slots slots;
    struct slot_queue work;
    struct slot_queue resting; /* listeners that failed, soonest first */
    struct slot_queue starved[STARVED_LISTS];
    int64_t hungry_until; /* 0: nobody waits for memory */
    uint32_t big_users;   /* streams in SLOT_BIG */
    uint32_t big_flying;  /* receives into big blocks in flight */

    struct io_uring_buf_ring *landing_ring, *big_ring;
    uint8_t *landing;
    unsigned landing_free, big_free;                                  /* buffers that the kernel has */
    uint16_t landing_len[LANDING_COUNT], landing_next[LANDING_COUNT]; /* of parked ones */
    struct block *big[BIG_COUNT];

    bool in_trouble; /* the kernel could not be asked the last time */
    int64_t trouble_since;
    size_t arena_used;
    _Alignas(16) uint8_t arena[ARENA_BYTES];
    _Alignas(64) atomic_bool wake_sent; /* a wake-up is under way; the only member other threads touch */
};

static inline struct uring_slot *uring_slot_at(const struct io *io, uint32_t n)
{
    return (struct uring_slot *)io->slots.slabs[n / SLAB_SLOTS] + n % SLAB_SLOTS;
}

static inline bool uring_has(const struct uring_slot *s, uint32_t flags)
{
    return (s->flags & flags) == flags;
}

static inline void uring_set(struct uring_slot *s, uint32_t flags)
{
    s->flags |= flags;
}

static inline void uring_clear(struct uring_slot *s, uint32_t flags)
{
    s->flags &= ~flags;
}

static inline bool uring_is_flying(const struct uring_slot *s, enum uring_op op)
{
    return (s->flying & 1U << op) != 0;
}

static inline void uring_take_off(struct uring_slot *s, enum uring_op op)
{
    s->flying = (uint16_t)(s->flying | 1U << op);
}

static inline void uring_land(struct uring_slot *s, enum uring_op op)
{
    s->flying = (uint16_t)(s->flying & ~(1U << op));
    s->cancelled = (uint16_t)(s->cancelled & ~(1U << op));
}

/* A result that says nothing about the socket: a signal, or a wait that the kernel would not do for us. */
static inline bool uring_goes_on(int result)
{
    return result == -EINTR || result == -EAGAIN;
}

static inline bool uring_out_is_full(const struct uring_out *out)
{
    return out->count == out->max;
}

/* The caller has seen that `out` is not full. */
static inline struct io_done *uring_report(struct uring_out *out, enum io_kind kind, const struct uring_slot *s)
{
    struct io_done *d = &out->at[out->count++];
    *d = (struct io_done){.kind = kind, .owner = s == NULL ? 0 : s->owner, .accepted = IO_NO_SOCKET};
    return d;
}

static inline uint64_t uring_token(uint32_t slot, enum uring_op op)
{
    return (uint64_t)slot << 8 | op;
}

/* Slots. */
void nacre_uring_slot_give(struct io *io, uint32_t slot);
/* The slot in use under that number, or NULL. */
struct uring_slot *nacre_uring_slot_find(const struct io *io, uint32_t slot);

/* Requests. One of the slot's, or NULL when the kernel takes none; `op` is in flight then. */
struct io_uring_sqe *nacre_uring_request(struct io *io, uint32_t slot, enum uring_op op);
/* The same with `bytes` of memory beside it that stays until the kernel has taken the request. */
struct io_uring_sqe *nacre_uring_request_with(struct io *io, uint32_t slot, enum uring_op op, size_t bytes, void **at);
/* Makes sure of one request with that much memory. False when the kernel takes none. */
bool nacre_uring_have_room(struct io *io, size_t bytes);
/* Lets a request work on the slot's socket; the last call after its io_uring_prep function, which got any number. */
void nacre_uring_aim(const struct io *io, uint32_t slot, enum uring_op op, struct io_uring_sqe *sqe);
/* Asks what is in flight under `op` to end. False when the kernel takes no request now. */
bool nacre_uring_cancel(struct io *io, uint32_t slot, enum uring_op op);

/* Buffers. */
enum nacre_error nacre_uring_buffers_open(struct io *io);
void nacre_uring_buffers_close(struct io *io);
void nacre_uring_landing_return(struct io *io, unsigned number);
void nacre_uring_big_return(struct io *io, unsigned number);
/* Fills the ring of big blocks as far as there is memory. */
void nacre_uring_big_fill(struct io *io);
/* Takes them out again; no receive into them is in flight. */
void nacre_uring_big_clear(struct io *io);
/* A fitting block with a copy of a landing buffer's bytes, or NULL when memory is out. */
struct block *nacre_uring_landing_copy(struct io *io, unsigned number, size_t len);
/* The block of a big buffer, or a fitting copy when little came. */
struct block *nacre_uring_big_take(struct io *io, unsigned number, size_t len);

/* Receiving. */
/* Begins, goes on with or ends receiving, as the shard wishes. False when the kernel takes no request now. */
bool nacre_uring_adjust_receive(struct io *io, uint32_t slot);
void nacre_uring_received(struct io *io, uint32_t slot, const struct io_uring_cqe *cqe, struct uring_out *out);
/* Reports what was received and kept. True when nothing more can be reported of it now. */
bool nacre_uring_report_kept(struct io *io, uint32_t slot, struct uring_out *out);
/* Of a stream that is not received from: its landing buffers are given back, as far as there is memory for what is in
 * them. */
void nacre_uring_keep_parked(struct io *io, uint32_t slot);
/* Forgets what was received, and the slot's part in the lists. */
void nacre_uring_stop_receiving(struct io *io, uint32_t slot);
/* Lets the starved try again as far as there are buffers. */
void nacre_uring_feed(struct io *io);
/* True when feeding would be of use at once. */
bool nacre_uring_can_feed(const struct io *io);

/* Streams. */
void nacre_uring_receive(struct io *io, uint32_t slot, bool on);
enum nacre_error nacre_uring_send(struct io *io, uint32_t slot, const struct span *spans, unsigned count);
void nacre_uring_shut(struct io *io, uint32_t slot);
/* Does and reports what there is for a stream; queues it again when more is left. */
void nacre_uring_work_stream(struct io *io, uint32_t slot, struct uring_out *out);
/* The caller has seen that `out` is not full. */
void nacre_uring_complete_stream(struct io *io, uint32_t slot, enum uring_op op, const struct io_uring_cqe *cqe,
                                 struct uring_out *out);
/* Remembers the first error; wait() reports it. */
void nacre_uring_fail(struct uring_slot *s, enum nacre_error error);

/* Listeners. */
void nacre_uring_work_listener(struct io *io, uint32_t slot, struct uring_out *out);
void nacre_uring_accepted(struct io *io, uint32_t slot, const struct io_uring_cqe *cqe, struct uring_out *out);
/* Lets listeners that have rested go on. */
void nacre_uring_end_rest(struct io *io, int64_t now_ns);

/* A ring that the kernel cannot be asked by. */
/* Gives it up when that has lasted and nobody is left who could go on. */
void nacre_uring_look_after(struct io *io);
/* Makes another for who comes next, where there is none. */
enum nacre_error nacre_uring_have_ring(struct io *io);
/* Waits for nothing but a wake-up; `out` is empty. */
void nacre_uring_sleep_without(struct io *io, int64_t until_ns, struct uring_out *out);

/* Waiting. */
unsigned nacre_uring_wait(struct io *io, int64_t until_ns, struct io_done *out, unsigned max);
void nacre_uring_wake(struct io *io);
/* Reports a wake-up that is under way, if there is one. The caller has seen that `out` is not full. */
void nacre_uring_woken(struct io *io, struct uring_out *out);

/* Makes a ring; a negative error number on failure. The ring is off until the thread that uses it turns it on. */
int nacre_uring_make(struct io_uring *ring, unsigned entries, unsigned completions);
bool nacre_uring_usable(const char **why_not);

#endif
