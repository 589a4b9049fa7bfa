/* SPDX-License-Identifier: Apache-2.0 */
/* The back end for I/O completion ports: connected sockets. send() tries at once, so that a completion costs no visit
 * to the kernel; only what the socket does not take then is sent overlapped. A receive of no bytes is in flight while
 * nothing is known to have come; its end tells of bytes, FIN or an error. */
#include "base/list.h"
#include "engine/sock.h"
#include "io_iocp/iocp.h"

enum {
    RECEIVES_PER_TURN = 4,   /* then it is another slot's turn */
    SEND_MAX = 256 * 1024,   /* in one call: the system takes all of it, whatever the room */
    BLOCKED_SEND = 8 * 1024, /* of a send that found no room: its end says that there is some */
};

static const int64_t hunger_ns = 10 * 1000 * 1000;

static struct iocp_slot *find_stream(const struct io *io, uint32_t slot)
{
    struct iocp_slot *s = nacre_iocp_slot_find(io, slot);
    return s == NULL || s->kind != IOCP_STREAM ? NULL : s;
}

/* True when there may be something to receive that the shard wants. */
static bool wants_data(const struct iocp_slot *s)
{
    return iocp_has(s, SLOT_READABLE | SLOT_WANTED);
}

static bool may_receive(const struct iocp_slot *s)
{
    return wants_data(s) && s->next_hungry == 0;
}

/* True when it is not known whether something has come, and nobody has been asked to tell. */
static bool may_watch(const struct iocp_slot *s)
{
    return (s->flags & (SLOT_READABLE | SLOT_FIN | SLOT_ERROR | SLOT_CONNECTING)) == 0 && !s->receive.is_flying;
}

/* True when work_stream() would have something to do. */
static bool has_work(const struct iocp_slot *s)
{
    bool sent = iocp_has(s, SLOT_SENDING) && !s->send.is_flying;
    bool failed = iocp_has(s, SLOT_ERROR) && !iocp_has(s, SLOT_FAILED);
    return sent || may_receive(s) || (failed && !wants_data(s)) || may_watch(s);
}

void nacre_iocp_fail(struct iocp_slot *s, enum nacre_error error)
{
    if (iocp_has(s, SLOT_ERROR))
        return;
    s->error = error;
    iocp_set(s, SLOT_ERROR);
    iocp_clear(s, SLOT_SENDING);
}

void nacre_iocp_receive(struct io *io, uint32_t slot, bool on)
{
    struct iocp_slot *s = find_stream(io, slot);
    if (s == NULL || iocp_has(s, SLOT_FIN) || iocp_has(s, SLOT_FAILED))
        return;
    if (!on) {
        iocp_clear(s, SLOT_WANTED);
        return;
    }
    iocp_set(s, SLOT_WANTED);
    if (has_work(s))
        nacre_slot_queue_add(&io->slots, &io->work, slot);
}

/* ---- sending --------------------------------------------------------------------------------------------------- */

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

/* The socket is full: the first bytes go out when it is not. */
static void send_later(struct iocp_slot *s, const struct span *first)
{
    size_t len = first->len < BLOCKED_SEND ? first->len : BLOCKED_SEND;
    WSABUF v = {.buf = (char *)(uintptr_t)first->at, .len = (ULONG)len};
    s->send.overlapped = (OVERLAPPED){.hEvent = NULL};
    s->send.is_flying = true;
    if (WSASend(s->socket, &v, 1, NULL, 0, &s->send.overlapped, NULL) == 0 || WSAGetLastError() == WSA_IO_PENDING)
        return;
    s->send.is_flying = false;
    nacre_iocp_fail(s, nacre_error_from_errno(WSAGetLastError()));
}

/* Begins a send of at least one byte; the first span is not empty. */
static void begin_send(struct iocp_slot *s, const struct span *spans, unsigned count)
{
    WSABUF v[IO_SPANS];
    DWORD buffers = fill(v, spans, count), sent = 0;
    if (WSASend(s->socket, v, buffers, &sent, 0, NULL, NULL) == 0)
        s->sent = sent;
    else if (WSAGetLastError() == WSAEWOULDBLOCK)
        send_later(s, &spans[0]);
    else
        nacre_iocp_fail(s, nacre_error_from_errno(WSAGetLastError()));
}

enum nacre_error nacre_iocp_send(struct io *io, uint32_t slot, const struct span *spans, unsigned count)
{
    struct iocp_slot *s = find_stream(io, slot);
    if (s == NULL)
        return NACRE_E_NOTSOCK;
    if (count > IO_SPANS)
        return NACRE_E_INVAL;
    if (iocp_has(s, SLOT_SENDING))
        return NACRE_E_ALREADY;
    if (iocp_has(s, SLOT_ERROR))
        return NACRE_OK; /* IO_FAILED is on its way, or was reported */
    while (count != 0 && spans[0].len == 0) {
        spans++;
        count--;
    }
    size_t asked = 0;
    for (unsigned i = 0; i < count; i++)
        asked += spans[i].len;
    iocp_set(s, SLOT_SENDING);
    s->asked = asked;
    s->sent = 0;
    if (asked != 0)
        begin_send(s, spans, count);
    if (has_work(s))
        nacre_slot_queue_add(&io->slots, &io->work, slot);
    return NACRE_OK;
}

/* Sends FIN when it is due. Bytes that the last send was asked for and did not take go first: the shard sends them
 * again. */
static void shut_when_due(struct iocp_slot *s)
{
    if (!iocp_has(s, SLOT_SHUT) || iocp_has(s, SLOT_SENDING) || s->sent < s->asked)
        return;
    iocp_clear(s, SLOT_SHUT);
    (void)shutdown(s->socket, SD_SEND); /* a socket that is dead already says so when it is read */
}

void nacre_iocp_shut(struct io *io, uint32_t slot)
{
    struct iocp_slot *s = find_stream(io, slot);
    if (s == NULL)
        return;
    iocp_set(s, SLOT_SHUT);
    shut_when_due(s);
}

static void report_sent(struct iocp_slot *s, struct iocp_out *out)
{
    if (!iocp_has(s, SLOT_SENDING) || s->send.is_flying || iocp_out_is_full(out))
        return;
    iocp_clear(s, SLOT_SENDING);
    iocp_report(out, IO_SENT, s)->len = s->sent;
    shut_when_due(s);
}

/* ---- receiving ------------------------------------------------------------------------------------------------- */

/* Asks the system to tell when something comes. */
static void watch(struct iocp_slot *s)
{
    WSABUF nothing = {0};
    DWORD flags = 0;
    s->receive.overlapped = (OVERLAPPED){.hEvent = NULL};
    s->receive.is_flying = true;
    if (WSARecv(s->socket, &nothing, 1, NULL, &flags, &s->receive.overlapped, NULL) == 0 ||
        WSAGetLastError() == WSA_IO_PENDING)
        return;
    s->receive.is_flying = false;
    iocp_set(s, SLOT_READABLE);
    nacre_iocp_fail(s, nacre_error_from_errno(WSAGetLastError()));
}

/* Takes note of a receive that gave no bytes: FIN, nothing there, or an error. */
static void end_of_receive(struct iocp_slot *s, int n, struct iocp_out *out)
{
    int number = n == 0 ? 0 : WSAGetLastError();
    iocp_clear(s, SLOT_READABLE);
    if (n == 0) {
        iocp_clear(s, SLOT_WANTED);
        iocp_set(s, SLOT_FIN);
        iocp_report(out, IO_RECEIVED, s);
    } else if (number != WSAEWOULDBLOCK) {
        iocp_clear(s, SLOT_WANTED);
        nacre_iocp_fail(s, nacre_error_from_errno(number));
    }
}

/* One recv() to `at`, reported. The caller has seen that `out` is not full. */
static void receive_once(struct io *io, struct iocp_slot *s, uint8_t *at, struct iocp_out *out)
{
    size_t room = io->landing.room;
    int n = recv(s->socket, (char *)at, (int)room, 0);
    if (n <= 0) {
        end_of_receive(s, n, out);
        return;
    }
    struct block *b = landing_take(&io->landing, (size_t)n);
    struct io_done *d = iocp_report(out, IO_RECEIVED, s);
    d->block = b;
    d->len = (size_t)n;
    /* A short read has emptied the socket: what comes later is told anew. What is left to tell of an error comes last,
     * after all that can be read. */
    if ((size_t)n < room && !iocp_has(s, SLOT_ERROR))
        iocp_clear(s, SLOT_READABLE);
}

/* Out of memory or budget: the peer waits, and we try again in a while. */
static void go_hungry(struct io *io, uint32_t slot)
{
    if (io->hungry.first == 0)
        io->hungry_until = nacre_clock_ns() + hunger_ns;
    nacre_slot_queue_add(&io->slots, &io->hungry, slot);
}

void nacre_iocp_end_hunger(struct io *io, int64_t now_ns)
{
    if (now_ns < io->hungry_until)
        return;
    while (io->hungry.first != 0) {
        uint32_t slot = slot_queue_pop(&io->slots, &io->hungry);
        nacre_slot_queue_add(&io->slots, &io->work, slot);
    }
}

static void receive_some(struct io *io, uint32_t slot, struct iocp_out *out)
{
    struct iocp_slot *s = iocp_slot_at(io, slot);
    for (unsigned i = 0; i < RECEIVES_PER_TURN && may_receive(s) && !iocp_out_is_full(out); i++) {
        uint8_t *at = landing_at(&io->landing);
        if (at != NULL)
            receive_once(io, s, at, out);
        else
            go_hungry(io, slot);
    }
}

/* ---- what the port tells --------------------------------------------------------------------------------------- */

static void connect_ended(struct iocp_slot *s, enum nacre_error error)
{
    s->error = error;
    /* Without it the socket has no addresses and cannot be shut down. */
    if (error == NACRE_OK && setsockopt(s->socket, SOL_SOCKET, SO_UPDATE_CONNECT_CONTEXT, NULL, 0) != 0)
        s->error = nacre_error_from_errno(WSAGetLastError());
}

void nacre_iocp_ended(struct io *io, struct iocp_op *op)
{
    struct iocp_slot *s = iocp_slot_at(io, op->slot);
    DWORD moved = 0, flags;
    enum nacre_error error = NACRE_OK;
    if (iocp_has(s, SLOT_DETACHED))
        return;
    if (!WSAGetOverlappedResult(s->socket, &op->overlapped, &moved, FALSE, &flags))
        error = nacre_error_from_errno(WSAGetLastError());
    if (op == &s->receive) {
        iocp_set(s, SLOT_READABLE);
    } else if (iocp_has(s, SLOT_CONNECTING)) {
        connect_ended(s, error);
        return;
    } else {
        s->sent = moved;
    }
    if (error != NACRE_OK)
        nacre_iocp_fail(s, error);
}

/* Errors come last, after what can still be received. */
static void report_failed(struct iocp_slot *s, struct iocp_out *out)
{
    if (wants_data(s) || !iocp_has(s, SLOT_ERROR) || iocp_has(s, SLOT_FAILED) || iocp_out_is_full(out))
        return;
    iocp_set(s, SLOT_FAILED);
    iocp_clear(s, SLOT_WANTED);
    iocp_report(out, IO_FAILED, s)->error = s->error;
}

static void report_connected(struct iocp_slot *s, struct iocp_out *out)
{
    if (s->send.is_flying)
        return;
    iocp_clear(s, SLOT_CONNECTING);
    iocp_report(out, IO_CONNECTED, s)->error = s->error;
    if (s->error == NACRE_OK)
        return;
    iocp_set(s, SLOT_ERROR | SLOT_FAILED);
    iocp_clear(s, SLOT_WANTED | SLOT_SENDING);
}

/* The caller has seen that `out` is not full. */
static void end(struct io *io, uint32_t slot, struct iocp_out *out)
{
    struct iocp_slot *s = iocp_slot_at(io, slot);
    if (s->receive.is_flying || s->send.is_flying)
        return; /* its end queues the slot again */
    iocp_report(out, IO_GONE, s);
    nacre_iocp_slot_give(io, slot);
}

void nacre_iocp_work_stream(struct io *io, uint32_t slot, struct iocp_out *out)
{
    struct iocp_slot *s = iocp_slot_at(io, slot);
    if (iocp_has(s, SLOT_DETACHED)) {
        end(io, slot, out);
        return;
    }
    if (iocp_has(s, SLOT_CONNECTING))
        report_connected(s, out);
    if (iocp_has(s, SLOT_CONNECTING))
        return; /* its end queues the slot again */
    report_sent(s, out);
    receive_some(io, slot, out);
    report_failed(s, out);
    if (may_watch(s))
        watch(s);
    if (has_work(s))
        nacre_slot_queue_add(&io->slots, &io->work, slot);
}
