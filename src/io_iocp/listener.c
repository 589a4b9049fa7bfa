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
    ADDRESS_ROOM = sizeof(SOCKADDR_STORAGE) + 16
};

static const int64_t rest_ns = 100 * 1000 * 1000;

static void rest(struct io *io, uint32_t slot)
{
    struct iocp_slot *s = iocp_slot_at(io, slot);
    s->rest_until = nacre_clock_ns() + rest_ns;
    nacre_slot_queue_add(&io->slots, &io->resting, slot);
}

/* On a thread of the system. */
static VOID CALLBACK tell_port(PVOID argument, BOOLEAN timed_out)
{
    struct iocp_accept *a = (struct iocp_accept *)argument;
    (void)timed_out;
    (void)PostQueuedCompletionStatus(a->port, 0, KEY_ACCEPT, &a->op.overlapped);
}

static void free_accepts(struct iocp_accept *accepts)
{
    for (unsigned i = 0; i < ACCEPTS; i++) {
        if (accepts[i].wait != NULL)
            (void)UnregisterWaitEx(accepts[i].wait, INVALID_HANDLE_VALUE);
        if (accepts[i].event != NULL)
            (void)CloseHandle(accepts[i].event);
        nacre_sock_close(accepts[i].socket);
    }
    free(accepts);
}

static bool make_accept(struct iocp_accept *a)
{
    a->event = CreateEventW(NULL, FALSE, FALSE, NULL);
    return a->event != NULL &&
           RegisterWaitForSingleObject(&a->wait, a->event, tell_port, a, INFINITE, WT_EXECUTEINWAITTHREAD);
}

enum nacre_error nacre_iocp_listen(struct io *io, uint32_t slot)
{
    struct iocp_accept *accepts = (struct iocp_accept *)calloc(ACCEPTS, sizeof *accepts);
    if (accepts == NULL)
        return NACRE_E_NOBUFS;
    for (unsigned i = 0; i < ACCEPTS; i++) {
        accepts[i].op.slot = slot;
        accepts[i].port = io->port;
        accepts[i].socket = IO_NO_SOCKET;
    }
    for (unsigned i = 0; i < ACCEPTS; i++)
        if (!make_accept(&accepts[i])) {
            enum nacre_error error = nacre_error_from_errno((int)GetLastError());
            free_accepts(accepts);
            return error;
        }
    iocp_slot_at(io, slot)->accepts = accepts;
    return NACRE_OK;
}

/* Begins to wait for a connection. Connections that were given up before we had them do not matter. */
static enum nacre_error begin(struct io *io, const struct iocp_slot *s, struct iocp_accept *a)
{
    struct io_address at = {.len = 0};
    int len = sizeof at.bytes, number;
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
        if (io->accept(s->socket, a->socket, a->addresses, 0, ADDRESS_ROOM, ADDRESS_ROOM, &got, &a->op.overlapped))
            return NACRE_OK;
        number = WSAGetLastError();
        if (number == WSA_IO_PENDING)
            return NACRE_OK;
        a->op.is_flying = false;
    } while (nacre_sock_accept_goes_on(number));
    nacre_sock_close(a->socket);
    a->socket = IO_NO_SOCKET;
    return nacre_error_from_errno(number);
}

/* How an accept ended: NACRE_OK with a->socket, or without one when that connection is gone already. */
static enum nacre_error outcome(const struct iocp_slot *s, struct iocp_accept *a)
{
    DWORD got, flags;
    int number = 0;
    if (!WSAGetOverlappedResult(s->socket, &a->op.overlapped, &got, FALSE, &flags))
        number = WSAGetLastError();
    else if (setsockopt(a->socket, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT, (const char *)&s->socket, sizeof s->socket) !=
             0)
        number = WSAGetLastError();
    if (number == 0)
        return NACRE_OK;
    nacre_sock_close(a->socket);
    a->socket = IO_NO_SOCKET;
    return nacre_sock_accept_goes_on(number) ? NACRE_OK : nacre_error_from_errno(number);
}

/* Reports how one ended and begins the next. False when the listener has to rest. */
static bool go_on(struct io *io, const struct iocp_slot *s, struct iocp_accept *a, struct iocp_out *out)
{
    enum nacre_error error = NACRE_OK;
    if (a->has_ended) {
        a->has_ended = false;
        error = outcome(s, a);
        if (error == NACRE_OK && a->socket != IO_NO_SOCKET) {
            iocp_report(out, IO_ACCEPTED, s)->accepted = a->socket;
            a->socket = IO_NO_SOCKET;
        }
        if (error == NACRE_OK && iocp_out_is_full(out))
            return true; /* its turn comes again */
    }
    if (error == NACRE_OK)
        error = begin(io, s, a);
    if (error == NACRE_OK)
        return true;
    iocp_report(out, IO_LISTEN_FAILED, s)->error = error;
    return false;
}

static void end(struct io *io, uint32_t slot, struct iocp_out *out)
{
    struct iocp_slot *s = iocp_slot_at(io, slot);
    for (unsigned i = 0; i < ACCEPTS; i++)
        if (s->accepts[i].op.is_flying)
            return; /* its end queues the slot again */
    free_accepts(s->accepts);
    iocp_report(out, IO_GONE, s);
    nacre_iocp_slot_give(io, slot);
}

void nacre_iocp_work_listener(struct io *io, uint32_t slot, struct iocp_out *out)
{
    struct iocp_slot *s = iocp_slot_at(io, slot);
    if (iocp_has(s, SLOT_DETACHED)) {
        end(io, slot, out);
        return;
    }
    for (unsigned i = 0; i < ACCEPTS; i++) {
        if (s->accepts[i].op.is_flying)
            continue;
        if (iocp_out_is_full(out)) {
            nacre_slot_queue_add(&io->slots, &io->work, slot);
            return;
        }
        if (!go_on(io, s, &s->accepts[i], out)) {
            rest(io, slot);
            return;
        }
    }
}

void nacre_iocp_stop_accepting(struct io *io, uint32_t slot)
{
    struct iocp_slot *s = iocp_slot_at(io, slot);
    for (unsigned i = 0; i < ACCEPTS; i++)
        if (s->accepts[i].op.is_flying)
            (void)CancelIoEx((HANDLE)s->socket, &s->accepts[i].op.overlapped);
}

void nacre_iocp_end_rest(struct io *io, int64_t now_ns)
{
    while (io->resting.first != 0) {
        if (iocp_slot_at(io, io->resting.first - 1)->rest_until > now_ns)
            return;
        uint32_t slot = slot_queue_pop(&io->slots, &io->resting);
        nacre_slot_queue_add(&io->slots, &io->work, slot);
    }
}
