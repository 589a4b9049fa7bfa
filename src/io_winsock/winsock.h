/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the back ends for WSAPoll and WSAAsyncSelect.
 *
 * Both tell of readiness; the shard wants completions. A notifier tells what a socket is ready for, which is kept as
 * flags of the slot, and a slot that has something to do or to report stands in the work queue. wait() works through
 * the queue, a bounded amount a slot, and asks the notifier in between. All of it runs on the shard's thread but
 * wake(), and open() and close(), which may run on another one while no other call is made. */
#ifndef IO_WINSOCK_WINSOCK_H
#define IO_WINSOCK_WINSOCK_H

#include <winsock2.h>
/* winsock2.h stands before windows.h, or the older winsock.h comes with it. */
#include <stdatomic.h>
#include <windows.h>

#include "base/landing.h"
#include "base/slots.h"
#include "engine/io.h"

enum {
    NEWS_PER_WAIT = 256, /* then the streams' turn */
};

enum winsock_kind {
    WINSOCK_FREE,
    WINSOCK_LISTENER,
    WINSOCK_STREAM,
};

enum winsock_flag {
    SLOT_READABLE = 1 << 0,    /* there may be bytes, FIN or an error for us */
    SLOT_WANTED = 1 << 1,      /* the shard wants to receive */
    SLOT_HUNG_UP = 1 << 2,     /* the peer's FIN or an error came: a short read says nothing about what follows */
    SLOT_CHECK = 1 << 3,       /* an error was told of: look it up */
    SLOT_FIN = 1 << 4,         /* the peer's FIN was reported */
    SLOT_SENDING = 1 << 5,     /* from send() until IO_SENT is reported */
    SLOT_BLOCKED = 1 << 6,     /* the first span waits until the socket takes more */
    SLOT_FULL = 1 << 7,        /* the socket takes nothing, or connects; the notifier will tell when it does */
    SLOT_SHUT = 1 << 8,        /* FIN is due once nothing is in flight */
    SLOT_ERROR = 1 << 9,       /* `error` is to be reported */
    SLOT_FAILED = 1 << 10,     /* it was */
    SLOT_DETACHED = 1 << 11,   /* IO_GONE is to be reported */
    SLOT_CONNECTING = 1 << 12, /* until IO_CONNECTED is reported */
    SLOT_RESTING = 1 << 13,    /* a listener that failed */
};

/* What a socket waits for, and what a notifier tells. */
enum winsock_news {
    NEWS_READ = 1 << 0, /* listeners: a connection */
    NEWS_WRITE = 1 << 1,
    NEWS_HANGUP = 1 << 2,
    NEWS_ERROR = 1 << 3,
};

struct winsock_slot {
    uint64_t owner;
    union {
        struct span blocked; /* SLOT_BLOCKED */
        int64_t rest_until;  /* a resting listener */
    };
    size_t asked, sent; /* bytes of the last send */
    io_socket socket;
    uint32_t next; /* in the work queue, among those that rest, or free */
    uint32_t next_hungry;
    uint32_t place; /* the notifier's */
    enum nacre_error error;
    uint16_t flags;
    uint8_t kind;
};

struct notes; /* a notifier's own state */

struct notifier {
    enum nacre_error (*open)(struct io *io);
    void (*close)(struct io *io);
    /* Begins to tell of a socket. Its slot is filled in. */
    enum nacre_error (*add)(struct io *io, uint32_t slot);
    void (*remove)(struct io *io, uint32_t slot);
    /* What the slot waits for may have changed. NULL: what is told does not depend on it. */
    void (*adjust)(struct io *io, uint32_t slot);
    /* A listener has nobody left to accept. NULL: whoever comes next is told of in any case. */
    void (*emptied)(struct io *io, uint32_t slot);
    /* Makes a socket that accept() gave forget the listener's notifier. NULL: there is nothing to forget. */
    void (*accepted)(struct io *io, io_socket s);
    /* Waits for news and calls nacre_winsock_note() for each. */
    void (*wait)(struct io *io, int64_t until_ns);
    void (*wake)(struct io *io); /* any thread; nacre_winsock_woken() follows in wait() */
    bool repeats_hangup;         /* goes on telling of it, wanted or not */
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
    _Alignas(64) atomic_bool wake_sent; /* a wake-up is under way; the only member other threads touch */
};

/* Where wait() puts what ended. */
struct winsock_out {
    struct io_done *at;
    unsigned count, max;
};

static inline struct winsock_slot *winsock_slot_at(const struct io *io, uint32_t n)
{
    return (struct winsock_slot *)io->slots.slabs[n / SLAB_SLOTS] + n % SLAB_SLOTS;
}

static inline bool winsock_has(const struct winsock_slot *s, unsigned flags)
{
    return (s->flags & flags) == flags;
}

static inline void winsock_set(struct winsock_slot *s, unsigned flags)
{
    s->flags = (uint16_t)(s->flags | flags);
}

static inline void winsock_clear(struct winsock_slot *s, unsigned flags)
{
    s->flags = (uint16_t)(s->flags & ~flags);
}

static inline bool winsock_out_is_full(const struct winsock_out *out)
{
    return out->count == out->max;
}

/* The caller has seen that `out` is not full. */
static inline struct io_done *winsock_report(struct winsock_out *out, enum io_kind kind, const struct winsock_slot *s)
{
    struct io_done *d = &out->at[out->count++];
    *d = (struct io_done){.kind = kind, .owner = s->owner, .accepted = IO_NO_SOCKET};
    return d;
}

/* Instances: for the open() of each model. */
enum nacre_error nacre_winsock_open(struct io **out, const struct io_options *options, const struct notifier *notifier);
void nacre_winsock_close(struct io *io);

/* Slots. */
enum nacre_error nacre_winsock_listen(struct io *io, io_socket listener, uint64_t owner, uint32_t *slot);
enum nacre_error nacre_winsock_attach(struct io *io, io_socket s, uint64_t owner, uint32_t *slot);
enum nacre_error nacre_winsock_connect(struct io *io, io_socket s, const struct io_address *to, uint64_t owner,
                                       uint32_t *slot);
void nacre_winsock_detach(struct io *io, uint32_t slot);
void nacre_winsock_slot_give(struct io *io, uint32_t slot);
/* The slot in use under that number, or NULL. */
struct winsock_slot *nacre_winsock_slot_find(const struct io *io, uint32_t slot);

/* News, as winsock_news. `error` is NACRE_OK where the notifier does not know. */
void nacre_winsock_note(struct io *io, uint32_t slot, unsigned news, enum nacre_error error);
/* What the slot waits for. */
unsigned nacre_winsock_interest(const struct io *io, const struct winsock_slot *s);
static inline void winsock_adjust(struct io *io, uint32_t slot)
{
    if (io->notifier->adjust != NULL)
        io->notifier->adjust(io, slot);
}

/* Streams. */
void nacre_winsock_receive(struct io *io, uint32_t slot, bool on);
enum nacre_error nacre_winsock_send(struct io *io, uint32_t slot, const struct span *spans, unsigned count);
void nacre_winsock_shut(struct io *io, uint32_t slot);
/* Does and reports what there is for a stream; queues it again when more is left. */
void nacre_winsock_work_stream(struct io *io, uint32_t slot, struct winsock_out *out);
/* Lets the stream try again in a while. */
void nacre_winsock_go_hungry(struct io *io, uint32_t slot);
void nacre_winsock_end_hunger(struct io *io, int64_t now_ns);

/* Listeners. */
void nacre_winsock_work_listener(struct io *io, uint32_t slot, struct winsock_out *out);
/* Lets listeners that have rested go on. */
void nacre_winsock_end_rest(struct io *io, int64_t now_ns);

/* Waiting. */
unsigned nacre_winsock_wait(struct io *io, int64_t until_ns, struct io_done *out, unsigned max);
void nacre_winsock_wake(struct io *io);
/* The time left, in whole milliseconds, rounded up; INFINITE: no limit. */
DWORD nacre_winsock_left_ms(int64_t until_ns);
/* A wake-up came out of the notifier. */
void nacre_winsock_woken(struct io *io);

#endif
