/* SPDX-License-Identifier: Apache-2.0 */
/* The back end for I/O completion ports: listening sockets.
 *
 * A socket can be tied to one port, but each worker has a port of its own and all may wait on the same listener. So
 * listeners are tied to none: each AcceptEx has an event, and a callback of the system's wait thread turns the event
 * into a packet for the port of the worker that asked. Accepted sockets are tied to a port when a shard attaches them.
 * When the system has no socket or memory for a connection, the listener rests: asking again at once would only spin.
 */
#include <stdlib.h>

#include "base/list.h"
#include "engine/sock.h"
#include "io_iocp/iocp.h"

enum {
    ACCEPTS = 4,    /* in flight for a listener */
    LOST_MOST = 16, /* connections in a row that were given up; then it rests */
    ADDRESS_ROOM = sizeof(SOCKADDR_STORAGE) + 16
};

/* One connection that a listener waits for. */
struct iocp_accept {
    struct iocp_op op;
    struct notes *notes; /* whose port its end is told at */
    struct iocp_accept *next_untold;
    HANDLE event; /* set by the system at its end */
    HANDLE wait;  /* the system's, for `event` */
    io_socket socket;
    bool has_ended; /* and was not looked at yet */
    uint8_t addresses[2 * ADDRESS_ROOM];
};

struct iocp_accepts {
    struct iocp_accept at[ACCEPTS];
};

/* On a thread of the system. */
static VOID CALLBACK tell_port(PVOID argument, BOOLEAN timed_out)
{
    struct iocp_accept *a = (struct iocp_accept *)argument;
    struct notes *n = a->notes;
    (void)timed_out;
    if (PostQueuedCompletionStatus(n->port, 0, KEY_ACCEPT, &a->op.overlapped))
        return;
    /* Should memory be out, wait() looks for itself. */
    a->next_untold = atomic_load_explicit(&n->untold, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&n->untold, &a->next_untold, a, memory_order_release,
                                                  memory_order_relaxed))
        ;
}

static void free_accepts(struct iocp_accepts *accepts)
{
    for (unsigned i = 0; i < ACCEPTS; i++) {
        struct iocp_accept *a = &accepts->at[i];
        if (a->wait != NULL)
            (void)UnregisterWaitEx(a->wait, INVALID_HANDLE_VALUE);
        if (a->event != NULL)
            (void)CloseHandle(a->event);
        nacre_sock_close(a->socket);
    }
    free(accepts);
}

static bool make_accept(struct iocp_accept *a)
{
    a->event = CreateEventW(NULL, FALSE, FALSE, NULL);
    return a->event != NULL &&
           RegisterWaitForSingleObject(&a->wait, a->event, tell_port, a, INFINITE, WT_EXECUTEINWAITTHREAD);
}

static enum nacre_error make_accepts(struct io *io, uint32_t slot)
{
    struct iocp_accepts *accepts = (struct iocp_accepts *)calloc(1, sizeof *accepts);
    if (accepts == NULL)
        return NACRE_E_NOBUFS;
    for (unsigned i = 0; i < ACCEPTS; i++) {
        accepts->at[i].op.slot = slot;
        accepts->at[i].notes = io->notes;
        accepts->at[i].socket = IO_NO_SOCKET;
    }
    for (unsigned i = 0; i < ACCEPTS; i++)
        if (!make_accept(&accepts->at[i])) {
            enum nacre_error error = nacre_error_from_errno((int)GetLastError());
            free_accepts(accepts);
            return error;
        }
    iocp_side_at(io, slot)->accepts = accepts;
    return NACRE_OK;
}

enum nacre_error nacre_iocp_listen(struct io *io, uint32_t slot)
{
    bool has_rested = iocp_side_at(io, slot)->accepts != NULL;
    enum nacre_error error = has_rested ? NACRE_OK : make_accepts(io, slot);
    if (error == NACRE_OK)
        nacre_slot_queue_add(&io->slots, &io->work, slot);
    return error;
}

/* Begins to wait for a connection. Connections that were given up before we had them do not matter, unless nothing else
 * comes. */
static enum nacre_error begin(struct io *io, const struct ready_slot *s, struct iocp_accept *a)
{
    struct io_address at = {.len = 0};
    int len = sizeof at.bytes, number;
    unsigned lost = 0;
    if (getsockname(s->socket, (struct sockaddr *)(void *)at.bytes, &len) != 0)
        return nacre_error_from_errno(WSAGetLastError());
    at.len = (uint32_t)len;
    enum nacre_error error = nacre_sock_open(&at, &a->socket);
    if (error != NACRE_OK)
        return error;
    do {
        DWORD got;
        a->op.overlapped = (OVERLAPPED){.hEvent = a->event};
        a->op.is_flying = true;
        if (io->notes->accept(s->socket, a->socket, a->addresses, 0, ADDRESS_ROOM, ADDRESS_ROOM, &got,
                              &a->op.overlapped))
            return NACRE_OK;
        number = WSAGetLastError();
        if (number == WSA_IO_PENDING)
            return NACRE_OK;
        a->op.is_flying = false;
    } while (nacre_sock_accept_goes_on(number) && ++lost < LOST_MOST);
    nacre_sock_close(a->socket);
    a->socket = IO_NO_SOCKET;
    return nacre_error_from_errno(number);
}

/* How an accept ended: NACRE_OK with a->socket, or without one when that connection is gone already. What fails on the
 * accepted socket is its peer's doing and says nothing about the listener. */
static enum nacre_error outcome(const struct ready_slot *s, struct iocp_accept *a)
{
    DWORD got, flags;
    int number = 0;
    if (!WSAGetOverlappedResult(s->socket, &a->op.overlapped, &got, FALSE, &flags))
        number = WSAGetLastError();
    else if (setsockopt(a->socket, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT, (const char *)&s->socket, sizeof s->socket) ==
             0)
        return NACRE_OK;
    nacre_sock_close(a->socket);
    a->socket = IO_NO_SOCKET;
    return nacre_sock_accept_goes_on(number) ? NACRE_OK : nacre_error_from_errno(number); /* 0 has none */
}

/* Reports how one ended. The caller has seen that `out` is not full. */
static enum nacre_error report(const struct ready_slot *s, struct iocp_accept *a, struct ready_out *out)
{
    enum nacre_error error = outcome(s, a);
    a->has_ended = false;
    if (error != NACRE_OK || a->socket == IO_NO_SOCKET)
        return error;
    ready_report(out, IO_ACCEPTED, s)->accepted = a->socket;
    a->socket = IO_NO_SOCKET;
    return NACRE_OK;
}

bool nacre_iocp_listener_is_over(struct io *io, uint32_t slot)
{
    struct iocp_side *side = iocp_side_at(io, slot);
    for (unsigned i = 0; i < ACCEPTS; i++)
        if (side->accepts->at[i].op.is_flying)
            return false;
    free_accepts(side->accepts);
    side->accepts = NULL;
    return true;
}

/* Those that have come are first: there may be no socket to wait for the next with. */
void nacre_iocp_work_listener(struct io *io, uint32_t slot, struct ready_out *out)
{
    const struct ready_slot *s = ready_slot_at(io, slot);
    struct iocp_accept *at = iocp_side_at(io, slot)->accepts->at;
    enum nacre_error error = NACRE_OK;
    for (unsigned i = 0; i < ACCEPTS && error == NACRE_OK && !ready_out_is_full(out); i++)
        if (at[i].has_ended)
            error = report(s, &at[i], out);
    for (unsigned i = 0; i < ACCEPTS && error == NACRE_OK && !ready_out_is_full(out); i++)
        if (!at[i].op.is_flying)
            error = begin(io, s, &at[i]);
    if (error != NACRE_OK) {
        ready_report(out, IO_LISTEN_FAILED, s)->error = error;
        nacre_ready_rest(io, slot, nacre_clock_ns());
    } else if (ready_out_is_full(out)) {
        nacre_slot_queue_add(&io->slots, &io->work, slot); /* its turn comes again */
    }
}

void nacre_iocp_accept_ended(struct io *io, struct iocp_op *op)
{
    op->is_flying = false;
    CONTAINER_OF(op, struct iocp_accept, op)->has_ended = true;
    /* A listener that rests goes on when it has rested. */
    nacre_slot_queue_add(&io->slots, &io->work, op->slot);
}

void nacre_iocp_look_for_untold(struct io *io)
{
    struct iocp_accept *a = atomic_exchange_explicit(&io->notes->untold, NULL, memory_order_acquire);
    while (a != NULL) {
        struct iocp_accept *next = a->next_untold;
        nacre_iocp_accept_ended(io, &a->op);
        a = next;
    }
}

void nacre_iocp_stop_accepting(struct io *io, uint32_t slot)
{
    struct iocp_accepts *accepts = iocp_side_at(io, slot)->accepts;
    for (unsigned i = 0; i < ACCEPTS; i++)
        if (accepts->at[i].op.is_flying)
            (void)CancelIoEx((HANDLE)ready_slot_at(io, slot)->socket, &accepts->at[i].op.overlapped);
}
