/* SPDX-License-Identifier: Apache-2.0 */
/* Readiness: connected sockets. send() tries at once, so that a completion costs no visit to the kernel; receiving is
 * tried when the notifier has told of bytes, until they are used up. */
#include "engine/sock.h"
#include "io_ready/ready.h"

enum {
    RECEIVES_ALONE = 4, /* a turn */
};

static const int64_t hunger_ns = 10 * 1000 * 1000;

static struct ready_slot *find_stream(const struct io *io, uint32_t slot)
{
    struct ready_slot *s = nacre_ready_slot_find(io, slot);
    return s == NULL || s->kind != READY_STREAM ? NULL : s;
}

/* True when there may be something to receive that the shard wants. */
static bool wants_data(const struct ready_slot *s)
{
    return ready_has(s, SLOT_READABLE | SLOT_WANTED);
}

/* Who is among the hungry for room to send is heard meanwhile. */
static bool may_receive(const struct ready_slot *s)
{
    return wants_data(s) && !ready_has(s, SLOT_STARVED);
}

static bool may_send(const struct ready_slot *s)
{
    return ready_has(s, SLOT_BLOCKED) && !ready_has(s, SLOT_FULL);
}

/* True when nacre_ready_work_stream() would have something to do. */
static bool has_work(const struct ready_slot *s)
{
    bool sent = ready_has(s, SLOT_SENDING) && !ready_has(s, SLOT_BLOCKED);
    bool failed = ready_has(s, SLOT_CHECK) || (ready_has(s, SLOT_ERROR) && !ready_has(s, SLOT_FAILED));
    return sent || may_send(s) || may_receive(s) || (failed && !wants_data(s));
}

/* Remembers the first error; wait() reports it. */
static void fail(struct ready_slot *s, enum nacre_error error)
{
    if (ready_has(s, SLOT_ERROR))
        return;
    s->error = error;
    ready_set(s, SLOT_ERROR);
    ready_clear(s, SLOT_SENDING | SLOT_BLOCKED);
}

void nacre_ready_receive(struct io *io, uint32_t slot, bool on)
{
    struct ready_slot *s = find_stream(io, slot);
    if (s == NULL || ready_has(s, SLOT_FIN) || ready_has(s, SLOT_FAILED))
        return;
    if (!on) {
        ready_clear(s, SLOT_WANTED);
        return;
    }
    ready_set(s, SLOT_WANTED);
    if (has_work(s))
        nacre_slot_queue_add(&io->slots, &io->work, slot);
}

static uint32_t portion_of(const struct io *io, size_t bytes)
{
    return (uint32_t)(bytes == 0 || bytes > io->landing.room ? io->landing.room : bytes);
}

void nacre_ready_portion(struct io *io, uint32_t slot, size_t next, size_t each)
{
    struct ready_slot *s = find_stream(io, slot);
    if (s == NULL)
        return;
    s->next_portion = portion_of(io, next);
    s->portion = portion_of(io, each);
}

/* One call. Gives the bytes taken, 0 when the socket is full, or -1 after fail(). */
static int64_t push(struct ready_slot *s, const struct span *spans, unsigned count)
{
    int64_t n = system_send(s->socket, spans, count);
    if (n >= 0)
        return n;
    int number = system_error();
    if (system_would_block(number))
        return 0;
    fail(s, nacre_error_from_errno(number));
    return -1;
}

/* The socket is full: from now on the notifier tells when it takes more, or we try. */
static void wait_for_room(struct io *io, uint32_t slot)
{
    struct ready_slot *s = ready_slot_at(io, slot);
    ready_set(s, SLOT_FULL);
    if (io->notifier->repeats_hangup && ready_has(s, SLOT_HUNG_UP))
        nacre_ready_go_hungry(io, slot);
    if (io->notifier->watch_write == NULL || ready_has(s, SLOT_WATCH_WRITE))
        return;
    enum nacre_error error = io->notifier->watch_write(io, slot);
    if (error == NACRE_OK)
        ready_set(s, SLOT_WATCH_WRITE);
    else
        fail(s, error);
}

/* Begins or goes on with a send; `len` is the sum of the spans. */
static void try_send(struct io *io, uint32_t slot, const struct span *spans, unsigned count, size_t len)
{
    struct ready_slot *s = ready_slot_at(io, slot);
    int64_t n = ready_has(s, SLOT_FULL) ? 0 : push(s, spans, count);
    if (n < 0)
        return;
    s->sent = (uint32_t)n;
    if (s->sent == len) {
        ready_clear(s, SLOT_BLOCKED);
        return;
    }
    if (n != 0) {
        ready_clear(s, SLOT_BLOCKED);
        if (!SYSTEM_SHORT_SEND_IS_FULL)
            return;
    } else {
        /* The list of spans is the caller's and will be gone; the first one is enough, as IO_SENT may report fewer. */
        s->blocked = spans[0];
        ready_set(s, SLOT_BLOCKED);
    }
    wait_for_room(io, slot);
}

enum nacre_error nacre_ready_send(struct io *io, uint32_t slot, const struct span *spans, unsigned count)
{
    struct ready_slot *s = find_stream(io, slot);
    if (s == NULL)
        return NACRE_E_NOTSOCK;
    if (count > IO_SPANS)
        return NACRE_E_INVAL;
    if (ready_has(s, SLOT_SENDING))
        return NACRE_E_ALREADY;
    if (ready_has(s, SLOT_ERROR))
        return NACRE_OK; /* IO_FAILED is on its way, or was reported */
    size_t asked = io_spans_trim(&spans, &count);
    ready_set(s, SLOT_SENDING);
    s->asked = (uint32_t)asked;
    s->sent = 0;
    if (asked != 0)
        try_send(io, slot, spans, count, asked);
    if (has_work(s))
        nacre_slot_queue_add(&io->slots, &io->work, slot);
    ready_adjust(io, slot);
    return NACRE_OK;
}

/* Sends FIN when it is due. Bytes that the last send was asked for and did not take go first: the shard sends them
 * again. */
static void shut_when_due(struct ready_slot *s)
{
    if (!ready_has(s, SLOT_SHUT) || ready_has(s, SLOT_SENDING) || s->sent < s->asked)
        return;
    ready_clear(s, SLOT_SHUT);
    system_shut(s->socket); /* a socket that is dead already says so when it is read */
}

void nacre_ready_shut(struct io *io, uint32_t slot)
{
    struct ready_slot *s = find_stream(io, slot);
    if (s == NULL)
        return;
    ready_set(s, SLOT_SHUT);
    shut_when_due(s);
}

/* Takes note of a receive that gave no bytes: FIN, nothing there, or an error. */
static void end_of_receive(struct ready_slot *s, int64_t n, struct ready_out *out)
{
    int number = n == 0 ? 0 : system_error();
    ready_clear(s, SLOT_READABLE);
    if (n == 0) {
        ready_clear(s, SLOT_WANTED);
        ready_set(s, SLOT_FIN);
        ready_report(out, IO_RECEIVED, s);
    } else if (!system_would_block(number)) {
        ready_clear(s, SLOT_WANTED);
        fail(s, nacre_error_from_errno(number));
    }
}

/* One recv() to `at`, reported. The caller has seen that `out` is not full. */
static void receive_once(struct io *io, struct ready_slot *s, uint8_t *at, struct ready_out *out)
{
    size_t room = s->next_portion;
    int64_t n = system_receive(s->socket, at, room);
    if (n <= 0) {
        end_of_receive(s, n, out);
        return;
    }
    struct block *b = landing_take(&io->landing, (size_t)n);
    struct io_done *d = ready_report(out, IO_RECEIVED, s);
    d->block = b;
    d->len = (size_t)n;
    d->full = d->len == room;
    s->next_portion = s->portion;
    /* A short read has emptied the socket, and what comes later is told anew, unless FIN or an error follows or it ends
     * early. */
    if (!d->full && !ready_has(s, SLOT_HUNG_UP) && !s->ends_early)
        ready_clear(s, SLOT_READABLE);
}

void nacre_ready_go_hungry(struct io *io, uint32_t slot)
{
    if (io->hungry.first == 0)
        io->hungry_until = nacre_clock_ns() + hunger_ns;
    nacre_slot_queue_add(&io->slots, &io->hungry, slot);
}

void nacre_ready_end_hunger(struct io *io, int64_t now_ns)
{
    if (now_ns < io->hungry_until)
        return;
    while (io->hungry.first != 0) {
        uint32_t slot = slot_queue_pop(&io->slots, &io->hungry);
        struct ready_slot *s = ready_slot_at(io, slot);
        ready_clear(s, SLOT_STARVED);
        if (io->notifier->repeats_hangup && ready_has(s, SLOT_HUNG_UP) && !ready_has(s, SLOT_CONNECTING))
            ready_clear(s, SLOT_FULL);
        nacre_slot_queue_add(&io->slots, &io->work, slot);
    }
}

/* While others have something to do it is one receive and then their turn: who floods us is not to be heard for longer
 * than they are. */
static void receive_some(struct io *io, uint32_t slot, struct ready_out *out)
{
    struct ready_slot *s = ready_slot_at(io, slot);
    unsigned most = io->work.first == 0 ? RECEIVES_ALONE : 1;
    for (unsigned i = 0; i < most && may_receive(s) && !ready_out_is_full(out); i++) {
        uint8_t *at = landing_at(&io->landing);
        if (at != NULL) {
            receive_once(io, s, at, out);
        } else { /* out of memory or budget: the peer waits */
            ready_set(s, SLOT_STARVED);
            nacre_ready_go_hungry(io, slot);
        }
    }
}

static void report_sent(struct ready_slot *s, struct ready_out *out)
{
    if (!ready_has(s, SLOT_SENDING) || ready_has(s, SLOT_BLOCKED) || ready_out_is_full(out))
        return;
    ready_clear(s, SLOT_SENDING);
    ready_report(out, IO_SENT, s)->len = s->sent;
    shut_when_due(s);
}

/* Errors come last, after what can still be received. */
static void report_failed(struct ready_slot *s, struct ready_out *out)
{
    if (wants_data(s))
        return;
    if (ready_has(s, SLOT_CHECK)) {
        int number = system_pending_error(s->socket);
        ready_clear(s, SLOT_CHECK);
        if (number != 0)
            fail(s, nacre_error_from_errno(number));
    }
    if (!ready_has(s, SLOT_ERROR) || ready_has(s, SLOT_FAILED) || ready_out_is_full(out))
        return;
    ready_set(s, SLOT_FAILED);
    ready_clear(s, SLOT_WANTED);
    ready_report(out, IO_FAILED, s)->error = s->error;
}

/* The notifier has told how connecting ended. */
static void report_connected(struct ready_slot *s, struct ready_out *out)
{
    if (ready_has(s, SLOT_FULL) || ready_out_is_full(out))
        return;
    if (s->error == NACRE_OK && ready_has(s, SLOT_CHECK))
        s->error = nacre_error_from_errno(system_pending_error(s->socket));
    ready_clear(s, SLOT_CONNECTING | SLOT_CHECK);
    ready_report(out, IO_CONNECTED, s)->error = s->error;
    if (s->error == NACRE_OK)
        return;
    ready_set(s, SLOT_ERROR | SLOT_FAILED);
    ready_clear(s, SLOT_WANTED | SLOT_READABLE | SLOT_SENDING | SLOT_BLOCKED);
}

void nacre_ready_work_stream(struct io *io, uint32_t slot, struct ready_out *out)
{
    struct ready_slot *s = ready_slot_at(io, slot);
    if (ready_has(s, SLOT_CONNECTING)) {
        report_connected(s, out);
        /* What came with the connection is told only once: bytes, too, if they are wanted already. */
        bool more = ready_has(s, SLOT_CONNECTING) ? !ready_has(s, SLOT_FULL) : has_work(s);
        if (more)
            nacre_slot_queue_add(&io->slots, &io->work, slot);
        ready_adjust(io, slot);
        return;
    }
    if (may_send(s)) {
        struct span first = s->blocked;
        try_send(io, slot, &first, 1, first.len);
    }
    report_sent(s, out);
    receive_some(io, slot, out);
    report_failed(s, out);
    if (has_work(s))
        nacre_slot_queue_add(&io->slots, &io->work, slot);
    ready_adjust(io, slot);
}
