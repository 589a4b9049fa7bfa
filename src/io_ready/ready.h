/* SPDX-License-Identifier: Apache-2.0 */
/* What the back ends for epoll, completion ports, WSAPoll and WSAAsyncSelect share.
 *
 * The systems tell of readiness; the shard wants completions. A notifier tells what a socket is ready for, which is
 * kept as flags of the slot, and a slot that has something to do or to report stands in the work queue. wait() works
 * through the queue, a bounded amount a slot, and asks the notifier in between. All of it runs on the thread that has
 * the shard but wake(), and open() and close(), which may run on another one while no other call is made. */
#ifndef IO_READY_READY_H
#define IO_READY_READY_H

#include <stdatomic.h>

#include "base/landing.h"
#include "base/slots.h"
#include "engine/io.h"
#include "io_ready/system.h"

enum {
    NEWS_PER_WAIT = 64, /* then the streams' turn: about as many as are taken at a time */
};

enum ready_kind {
    READY_FREE,
    READY_LISTENER,
    READY_STREAM,
};

enum ready_flag {
    SLOT_READABLE = 1 << 0,     /* there may be bytes, FIN or an error for us */
    SLOT_WANTED = 1 << 1,       /* the shard wants to receive */
    SLOT_HUNG_UP = 1 << 2,      /* the peer's FIN or an error came: a short read says nothing about what follows */
    SLOT_CHECK = 1 << 3,        /* an error was told of: look it up */
    SLOT_FIN = 1 << 4,          /* the peer's FIN was reported */
    SLOT_SENDING = 1 << 5,      /* from send() until IO_SENT is reported */
    SLOT_BLOCKED = 1 << 6,      /* the first span waits until the socket takes more */
    SLOT_FULL = 1 << 7,         /* the socket takes nothing, or connects; the notifier will tell when it does */
    SLOT_SHUT = 1 << 8,         /* FIN is due once nothing is in flight */
    SLOT_ERROR = 1 << 9,        /* `error` is to be reported */
    SLOT_FAILED = 1 << 10,      /* it was */
    SLOT_DETACHED = 1 << 11,    /* IO_GONE is to be reported */
    SLOT_CONNECTING = 1 << 12,  /* until IO_CONNECTED is reported */
    SLOT_RESTING = 1 << 13,     /* a listener that failed and was taken from the notifier */
    SLOT_WATCH_WRITE = 1 << 14, /* the notifier's: it tells when the socket takes more */
    SLOT_STARVED = 1 << 15,     /* memory was out: nothing is received until the hungry try again */
};

/* What a socket waits for, and what a notifier tells: the flags that it sets, and SLOT_FULL for clearing that one. */
enum ready_news {
    NEWS_READ = SLOT_READABLE, /* listeners: a connection */
    NEWS_WRITE = SLOT_FULL,
    NEWS_HANGUP = SLOT_READABLE | SLOT_HUNG_UP,
    NEWS_ERROR = SLOT_READABLE | SLOT_HUNG_UP | SLOT_CHECK | SLOT_FULL,
};

struct ready_slot {
    uint64_t owner;
    union {
        struct span blocked; /* SLOT_BLOCKED */
        int64_t rest_until;  /* a resting listener */
    };
    uint32_t asked, sent; /* bytes of the last send */
    uint32_t next_portion, portion;
    io_socket socket;
    uint32_t mark; /* the notifier's; kept when the slot is free */
    uint32_t next; /* in the work queue, among those that rest, or free */
    uint32_t next_hungry;
    enum nacre_error error;
    uint16_t flags;
    uint8_t kind;
    bool ends_early; /* a receive, before the socket is empty: the notifier's, which tells once */
};

struct notes; /* a notifier's own state */

/* Where wait() puts what ended. */
struct ready_out {
    struct io_done *at;
    unsigned count, max;
};

struct notifier {
    enum nacre_error (*open)(struct io *io);
    void (*close)(struct io *io);
    /* Begins to tell of a socket. Its slot is filled in. */
    enum nacre_error (*add)(struct io *io, uint32_t slot);
    /* Ends that. A stream's socket is closed next. */
    void (*remove)(struct io *io, uint32_t slot);
    /* False: what a slot that was let go has in flight has not ended; its end queues the slot again. NULL: nothing
     * flies. */
    bool (*is_over)(struct io *io, uint32_t slot);
    /* What the slot waits for may have changed. NULL: what is told does not depend on it. */
    void (*adjust)(struct io *io, uint32_t slot);
    /* The socket takes nothing more: from now on it has to be told when it does. NULL: it is told anyway. */
    enum nacre_error (*watch_write)(struct io *io, uint32_t slot);
    /* system_connect() by its own means; the end is told as NEWS_WRITE. NULL: by the system's usual ones. */
    bool (*connect)(struct io *io, uint32_t slot, const struct io_address *to, bool *pending);
    /* Does and reports what there is for a listener. NULL: accept() does. */
    void (*work_listener)(struct io *io, uint32_t slot, struct ready_out *out);
    /* A listener has nobody left to accept. NULL: whoever comes next is told of in any case. */
    void (*emptied)(struct io *io, uint32_t slot);
    /* Makes a socket that accept() gave forget the listener's notifier. NULL: there is nothing to forget. */
    void (*accepted)(struct io *io, io_socket s);
    /* Waits for news and tells each by ready_note() or nacre_ready_note(). An error: the system could not be asked.
     * Where reap() and due() are offered, it rests meanwhile, and several threads may be here. */
    enum nacre_error (*wait)(struct io *io, int64_t until_ns);
    void (*wake)(struct io *io); /* any thread; ready_woken() follows in wait(), unless it failed */
    bool repeats_hangup;         /* goes on telling of it, wanted or not */
    /* Sockets begin to connect before add(), which then tells of an end that has come. A notifier that another thread
     * waits for would tell of a socket that does not connect yet that it hung up. Else add() comes first. */
    bool connects_first;
};

struct io {
    struct io_options options;
    const struct notifier *notifier;
    struct notes *notes;
    struct slots slots;
    struct slot_queue work;
    struct slot_queue resting; /* listeners that failed, soonest first */
    struct slot_queue hungry;  /* streams to try again at hungry_until */
    int64_t hungry_until;
    struct landing landing;
    bool skipped_poll;                  /* the last wait() had enough to report without asking the notifier */
    bool woken;                         /* IO_WOKEN is to be reported */
    bool in_trouble;                    /* the system could not be asked the last time */
    _Alignas(64) atomic_bool wake_sent; /* a wake-up is under way; the only member other threads change */
};

static inline struct ready_slot *ready_slot_at(const struct io *io, uint32_t n)
{
    return (struct ready_slot *)io->slots.slabs[n / SLAB_SLOTS] + n % SLAB_SLOTS;
}

static inline bool ready_has(const struct ready_slot *s, unsigned flags)
{
    return (s->flags & flags) == flags;
}

static inline void ready_set(struct ready_slot *s, unsigned flags)
{
    s->flags = (uint16_t)(s->flags | flags);
}

static inline void ready_clear(struct ready_slot *s, unsigned flags)
{
    s->flags = (uint16_t)(s->flags & ~flags);
}

static inline bool ready_out_is_full(const struct ready_out *out)
{
    return out->count == out->max;
}

/* The caller has seen that `out` is not full. */
static inline struct io_done *ready_report(struct ready_out *out, enum io_kind kind, const struct ready_slot *s)
{
    struct io_done *d = &out->at[out->count++];
    *d = (struct io_done){.kind = kind, .owner = s->owner, .accepted = IO_NO_SOCKET};
    return d;
}

/* Instances: for the open() of each model. */
enum nacre_error nacre_ready_open(struct io **out, const struct io_options *options, const struct notifier *notifier);
void nacre_ready_close(struct io *io);

/* Slots. */
enum nacre_error nacre_ready_listen(struct io *io, io_socket listener, uint64_t owner, uint32_t *slot);
enum nacre_error nacre_ready_attach(struct io *io, io_socket s, uint64_t owner, uint32_t *slot);
enum nacre_error nacre_ready_connect(struct io *io, io_socket s, const struct io_address *to, uint64_t owner,
                                     uint32_t *slot);
void nacre_ready_detach(struct io *io, uint32_t slot);
void nacre_ready_slot_give(struct io *io, uint32_t slot);
/* The slot in use under that number, or NULL. */
struct ready_slot *nacre_ready_slot_find(const struct io *io, uint32_t slot);

static inline void ready_adjust(struct io *io, uint32_t slot)
{
    if (SYSTEM_ADJUSTS && io->notifier->adjust != NULL)
        io->notifier->adjust(io, slot);
}

/* The peer of a slot has hung up, and there is no room to send. */
void nacre_ready_note_full(struct io *io, uint32_t slot);

/* What a notifier has to tell of a slot that is in use, as ready_news. */
static inline void ready_note(struct io *io, uint32_t slot, unsigned news)
{
    struct ready_slot *s = ready_slot_at(io, slot);
    unsigned room = news & SLOT_FULL;
    unsigned flags = (s->flags | (news & ~room)) & ~room;
    /* After FIN or an error there is nothing more to receive. */
    if ((flags & (SLOT_FIN | SLOT_FAILED)) != 0)
        flags &= ~(unsigned)SLOT_READABLE;
    s->flags = (uint16_t)flags;
    if (ready_has(s, SLOT_HUNG_UP | SLOT_FULL))
        nacre_ready_note_full(io, slot);
    nacre_slot_queue_add(&io->slots, &io->work, slot);
    ready_adjust(io, slot);
}

/* The same of one that may be free by now, and with an error where the notifier knows which. */
void nacre_ready_note(struct io *io, uint32_t slot, unsigned news, enum nacre_error error);

/* Streams. */
void nacre_ready_receive(struct io *io, uint32_t slot, bool on);
void nacre_ready_portion(struct io *io, uint32_t slot, size_t next, size_t each);
enum nacre_error nacre_ready_send(struct io *io, uint32_t slot, const struct span *spans, unsigned count);
void nacre_ready_shut(struct io *io, uint32_t slot);
/* Does and reports what there is for a stream; queues it again when more is left. */
void nacre_ready_work_stream(struct io *io, uint32_t slot, struct ready_out *out);
/* Lets the stream try again in a while. */
void nacre_ready_go_hungry(struct io *io, uint32_t slot);
void nacre_ready_end_hunger(struct io *io, int64_t now_ns);

/* Listeners. */
void nacre_ready_work_listener(struct io *io, uint32_t slot, struct ready_out *out);
/* Lets one that failed rest for a while, and those that have rested go on: add() once more. */
void nacre_ready_rest(struct io *io, uint32_t slot, int64_t now_ns);
void nacre_ready_end_rest(struct io *io, int64_t now_ns);

/* Waiting. */
unsigned nacre_ready_wait(struct io *io, int64_t until_ns, struct io_done *out, unsigned max);
void nacre_ready_wake(struct io *io);
unsigned nacre_ready_reap(struct io *io, struct io_done *out, unsigned max);
int64_t nacre_ready_due(const struct io *io);
/* The time left, and in whole milliseconds, rounded up. A second at most: what cannot be woken looks for itself. */
int64_t nacre_ready_left_ns(int64_t until_ns);
int nacre_ready_left_ms(int64_t until_ns);

/* Of struct io_backend, what is the same whoever notifies. */
#define READY_CALLS                                                                                                    \
    .close = nacre_ready_close, .listen = nacre_ready_listen, .attach = nacre_ready_attach,                            \
    .connect = nacre_ready_connect, .receive = nacre_ready_receive, .portion = nacre_ready_portion,                    \
    .send = nacre_ready_send, .shut = nacre_ready_shut, .detach = nacre_ready_detach, .wait = nacre_ready_wait,        \
    .wake = nacre_ready_wake

/* A wake-up came out of the notifier. */
static inline void ready_woken(struct io *io)
{
    /* Before the shard looks at what it was woken for: a wake() after that look makes a new report. */
    if (atomic_exchange_explicit(&io->wake_sent, false, memory_order_acq_rel))
        io->woken = true;
}

#endif
