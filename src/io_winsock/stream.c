/* SPDX-License-Identifier: Apache-2.0 */
/* The back ends for WSAPoll and WSAAsyncSelect: connected sockets. send() tries at once, so that a completion costs no
 * visit to the kernel; receiving is tried when the notifier has told of bytes, until they are used up. */
#include "engine/sock.h"
#include "io_winsock/winsock.h"

enum {
    RECEIVES_PER_TURN = 4, /* then it is another slot's turn */
    SEND_MAX = 256 * 1024, /* in one call: the system takes all of it, whatever the room */
};

static const int64_t hunger_ns = 10 * 1000 * 1000;

static struct winsock_slot *find_stream(const struct io *io, uint32_t slot)
{
    struct winsock_slot *s = nacre_winsock_slot_find(io, slot);
    return s == NULL || s->kind != WINSOCK_STREAM ? NULL : s;
}

/* True when there may be something to receive that the shard wants. */
static bool wants_data(const struct winsock_slot *s)
{
    return winsock_has(s, SLOT_READABLE | SLOT_WANTED);
}

static bool may_receive(const struct winsock_slot *s)
{
    return wants_data(s) && s->next_hungry == 0;
}

static bool may_send(const struct winsock_slot *s)
{
    return winsock_has(s, SLOT_BLOCKED) && !winsock_has(s, SLOT_FULL);
}

/* True when work_stream() would have something to do. */
static bool has_work(const struct winsock_slot *s)
{
    bool sent = winsock_has(s, SLOT_SENDING) && !winsock_has(s, SLOT_BLOCKED);
    bool failed = winsock_has(s, SLOT_CHECK) || (winsock_has(s, SLOT_ERROR) && !winsock_has(s, SLOT_FAILED));
    return sent || may_send(s) || may_receive(s) || (failed && !wants_data(s));
}

/* Remembers the first error; wait() reports it. */
static void fail(struct winsock_slot *s, enum nacre_error error)
{
    if (winsock_has(s, SLOT_ERROR))
        return;
    s->error = error;
    winsock_set(s, SLOT_ERROR);
    winsock_clear(s, SLOT_SENDING | SLOT_BLOCKED);
}

void nacre_winsock_receive(struct io *io, uint32_t slot, bool on)
{
    struct winsock_slot *s = find_stream(io, slot);
    if (s == NULL || winsock_has(s, SLOT_FIN) || winsock_has(s, SLOT_FAILED))
        return;
    if (!on) {
        winsock_clear(s, SLOT_WANTED);
        return;
    }
    winsock_set(s, SLOT_WANTED);
    if (has_work(s))
        nacre_slot_queue_add(&io->slots, &io->work, slot);
}

/* What one call sends: all of it, or the beginning when it is much. */
static DWORD fill(WSABUF v[IO_SPANS], const struct span *spans, unsigned count)
{
    size_t room = SEND_MAX;
    DWORD n = 0;
    while (n < count && room != 0) {
        size_t len = spans[n].len < room ? spans[n].len : room;
        v[n] = (WSABUF){.buf = (char *)(uintptr_t)spans[n].at, .len = (ULONG)len};
        room -= len;
        n++;
    }
    return n;
}

/* One WSASend(). Gives the bytes taken, 0 when the socket is full, or -1 after fail(). */
static int64_t push(struct winsock_slot *s, const struct span *spans, unsigned count)
{
    WSABUF v[IO_SPANS];
    DWORD buffers = fill(v, spans, count), sent = 0;
    if (WSASend(s->socket, v, buffers, &sent, 0, NULL, NULL) == 0)
        return sent;
    if (WSAGetLastError() == WSAEWOULDBLOCK)
        return 0;
    fail(s, nacre_error_from_errno(WSAGetLastError()));
    return -1;
}

/* The socket is full: from now on the notifier tells when it takes more, or we try. */
static void wait_for_room(struct io *io, uint32_t slot)
{
    struct winsock_slot *s = winsock_slot_at(io, slot);
    winsock_set(s, SLOT_FULL);
    if (io->notifier->repeats_hangup && winsock_has(s, SLOT_HUNG_UP))
        nacre_winsock_go_hungry(io, slot);
}

/* Begins or goes on with a send; `len` is the sum of the spans. */
static void try_send(struct io *io, uint32_t slot, const struct span *spans, unsigned count, size_t len)
{
    struct winsock_slot *s = winsock_slot_at(io, slot);
    int64_t n = winsock_has(s, SLOT_FULL) ? 0 : push(s, spans, count);
    if (n < 0)
        return;
    s->sent = (size_t)n;
    if (s->sent == len) {
        winsock_clear(s, SLOT_BLOCKED);
        return;
    }
    if (n != 0) {
        winsock_clear(s, SLOT_BLOCKED); /* and nothing says that the socket is full: SEND_MAX may have ended it */
        return;
    }
    /* The list of spans is the caller's and will be gone; the first one is enough, as IO_SENT may report fewer. */
    s->blocked = spans[0];
    winsock_set(s, SLOT_BLOCKED);
    wait_for_room(io, slot);
}

enum nacre_error nacre_winsock_send(struct io *io, uint32_t slot, const struct span *spans, unsigned count)
{
    struct winsock_slot *s = find_stream(io, slot);
    if (s == NULL)
        return NACRE_E_NOTSOCK;
    if (count > IO_SPANS)
        return NACRE_E_INVAL;
    if (winsock_has(s, SLOT_SENDING))
        return NACRE_E_ALREADY;
    if (winsock_has(s, SLOT_ERROR))
        return NACRE_OK; /* IO_FAILED is on its way, or was reported */
    while (count != 0 && spans[0].len == 0) {
        spans++;
        count--;
    }
    size_t asked = 0;
    for (unsigned i = 0; i < count; i++)
        asked += spans[i].len;
    winsock_set(s, SLOT_SENDING);
    s->asked = asked;
    s->sent = 0;
    if (asked != 0)
        try_send(io, slot, spans, count, asked);
    if (has_work(s))
        nacre_slot_queue_add(&io->slots, &io->work, slot);
    winsock_adjust(io, slot);
    return NACRE_OK;
}

/* Sends FIN when it is due. Bytes that the last send was asked for and did not take go first: the shard sends them
 * again. */
static void shut_when_due(struct winsock_slot *s)
{
    if (!winsock_has(s, SLOT_SHUT) || winsock_has(s, SLOT_SENDING) || s->sent < s->asked)
        return;
    winsock_clear(s, SLOT_SHUT);
    (void)shutdown(s->socket, SD_SEND); /* a socket that is dead already says so when it is read */
}

void nacre_winsock_shut(struct io *io, uint32_t slot)
{
    struct winsock_slot *s = find_stream(io, slot);
    if (s == NULL)
        return;
    winsock_set(s, SLOT_SHUT);
    shut_when_due(s);
}

/* Takes note of a receive that gave no bytes: FIN, nothing there, or an error. */
static void end_of_receive(struct winsock_slot *s, int n, struct winsock_out *out)
{
    int number = n == 0 ? 0 : WSAGetLastError();
    winsock_clear(s, SLOT_READABLE);
    if (n == 0) {
        winsock_clear(s, SLOT_WANTED);
        winsock_set(s, SLOT_FIN);
        winsock_report(out, IO_RECEIVED, s);
    } else if (number != WSAEWOULDBLOCK) {
        winsock_clear(s, SLOT_WANTED);
        fail(s, nacre_error_from_errno(number));
    }
}

/* One recv() to `at`, reported. The caller has seen that `out` is not full. */
static void receive_once(struct io *io, struct winsock_slot *s, uint8_t *at, struct winsock_out *out)
{
    size_t room = io->landing.room;
    int n = recv(s->socket, (char *)at, (int)room, 0);
    if (n <= 0) {
        end_of_receive(s, n, out);
        return;
    }
    struct block *b = landing_take(&io->landing, (size_t)n);
    struct io_done *d = winsock_report(out, IO_RECEIVED, s);
    d->block = b;
    d->len = (size_t)n;
    /* A short read has emptied the socket, and what comes later is told anew, unless FIN or an error follows. */
    if ((size_t)n < room && !winsock_has(s, SLOT_HUNG_UP))
        winsock_clear(s, SLOT_READABLE);
}

void nacre_winsock_go_hungry(struct io *io, uint32_t slot)
{
    if (io->hungry.first == 0)
        io->hungry_until = nacre_clock_ns() + hunger_ns;
    nacre_slot_queue_add(&io->slots, &io->hungry, slot);
}

void nacre_winsock_end_hunger(struct io *io, int64_t now_ns)
{
    if (now_ns < io->hungry_until)
        return;
    while (io->hungry.first != 0) {
        uint32_t slot = slot_queue_pop(&io->slots, &io->hungry);
        struct winsock_slot *s = winsock_slot_at(io, slot);
        if (io->notifier->repeats_hangup && winsock_has(s, SLOT_HUNG_UP) && !winsock_has(s, SLOT_CONNECTING))
            winsock_clear(s, SLOT_FULL);
        nacre_slot_queue_add(&io->slots, &io->work, slot);
    }
}

static void receive_some(struct io *io, uint32_t slot, struct winsock_out *out)
{
    struct winsock_slot *s = winsock_slot_at(io, slot);
    for (unsigned i = 0; i < RECEIVES_PER_TURN && may_receive(s) && !winsock_out_is_full(out); i++) {
        uint8_t *at = landing_at(&io->landing);
        if (at != NULL)
            receive_once(io, s, at, out);
        else
            nacre_winsock_go_hungry(io, slot); /* out of memory or budget: the peer waits */
    }
}

static void report_sent(struct winsock_slot *s, struct winsock_out *out)
{
    if (!winsock_has(s, SLOT_SENDING) || winsock_has(s, SLOT_BLOCKED) || winsock_out_is_full(out))
        return;
    winsock_clear(s, SLOT_SENDING);
    winsock_report(out, IO_SENT, s)->len = s->sent;
    shut_when_due(s);
}

/* The error that the notifier told of and did not name; 0: there is none. */
static int pending_error(const struct winsock_slot *s)
{
    int number = 0, len = sizeof number;
    char byte;
    if (getsockopt(s->socket, SOL_SOCKET, SO_ERROR, (char *)&number, &len) == 0 && number != 0)
        return number;
    if (recv(s->socket, &byte, 1, MSG_PEEK) >= 0 || WSAGetLastError() == WSAEWOULDBLOCK)
        return 0;
    return WSAGetLastError();
}

/* Errors come last, after what can still be received. */
static void report_failed(struct winsock_slot *s, struct winsock_out *out)
{
    if (wants_data(s))
        return;
    if (winsock_has(s, SLOT_CHECK)) {
        int number = pending_error(s);
        winsock_clear(s, SLOT_CHECK);
        if (number != 0)
            fail(s, nacre_error_from_errno(number));
    }
    if (!winsock_has(s, SLOT_ERROR) || winsock_has(s, SLOT_FAILED) || winsock_out_is_full(out))
        return;
    winsock_set(s, SLOT_FAILED);
    winsock_clear(s, SLOT_WANTED);
    winsock_report(out, IO_FAILED, s)->error = s->error;
}

/* The notifier has told how connecting ended. */
static void report_connected(struct winsock_slot *s, struct winsock_out *out)
{
    if (winsock_has(s, SLOT_FULL) || winsock_out_is_full(out))
        return;
    if (s->error == NACRE_OK && winsock_has(s, SLOT_CHECK))
        s->error = nacre_error_from_errno(pending_error(s));
    winsock_clear(s, SLOT_CONNECTING | SLOT_CHECK);
    winsock_report(out, IO_CONNECTED, s)->error = s->error;
    if (s->error == NACRE_OK)
        return;
    winsock_set(s, SLOT_ERROR | SLOT_FAILED);
    winsock_clear(s, SLOT_WANTED | SLOT_READABLE | SLOT_SENDING | SLOT_BLOCKED);
}

void nacre_winsock_work_stream(struct io *io, uint32_t slot, struct winsock_out *out)
{
    struct winsock_slot *s = winsock_slot_at(io, slot);
    if (winsock_has(s, SLOT_CONNECTING)) {
        report_connected(s, out);
        /* What came with the connection is told only once: bytes, too, if they are wanted already. */
        bool more = winsock_has(s, SLOT_CONNECTING) ? !winsock_has(s, SLOT_FULL) : has_work(s);
        if (more)
            nacre_slot_queue_add(&io->slots, &io->work, slot);
        winsock_adjust(io, slot);
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
    winsock_adjust(io, slot);
}
