/* SPDX-License-Identifier: Apache-2.0 */
/* Notifier: an I/O completion port. A receive of no bytes is in flight while nothing is known to have come; its end
 * tells of bytes, FIN or an error. What a socket does not take at once is sent overlapped, and the end of that says
 * that there is room. */
#include "io_iocp/iocp.h"

#include <stdlib.h>
#include <string.h>
#include <ws2tcpip.h>

#include "base/list.h"
#include "engine/sock.h"

enum {
    BLOCKED_SEND = 8 * 1024, /* of a send that found no room */
};

static enum nacre_error last_error(void)
{
    return nacre_error_from_errno(WSAGetLastError());
}

/* ---- instances ------------------------------------------------------------------------------------------------- */

static uint32_t slabs_of(const struct io *io)
{
    return io->options.max_slots / SLAB_SLOTS + 1;
}

static void port_close(struct io *io)
{
    struct notes *n = io->notes;
    if (n == NULL)
        return;
    if (n->port != NULL)
        (void)CloseHandle(n->port);
    for (uint32_t i = 0; n->slabs != NULL && i < slabs_of(io); i++)
        free(n->slabs[i]);
    free(n->slabs);
    free(n);
}

static bool find_function(io_socket s, GUID id, void *function, DWORD size)
{
    DWORD got;
    return WSAIoctl(s, SIO_GET_EXTENSION_FUNCTION_POINTER, &id, sizeof id, function, size, &got, NULL, NULL) == 0;
}

/* Winsock gives these two functions for a socket of the kind they are used with. */
static enum nacre_error find_functions(struct notes *n)
{
    const struct sockaddr_in any = {.sin_family = AF_INET};
    struct io_address address = {.len = sizeof any};
    io_socket s;
    memcpy(address.bytes, &any, sizeof any);
    enum nacre_error error = nacre_sock_open(&address, &s);
    if (error != NACRE_OK)
        return error;
    if (!find_function(s, (GUID)WSAID_ACCEPTEX, &n->accept, sizeof n->accept) ||
        !find_function(s, (GUID)WSAID_CONNECTEX, &n->connect, sizeof n->connect))
        error = last_error();
    nacre_sock_close(s);
    return error;
}

static enum nacre_error port_open(struct io *io)
{
    struct notes *n = (struct notes *)calloc(1, sizeof *n);
    if (n == NULL)
        return NACRE_E_NOBUFS;
    io->notes = n;
    atomic_init(&n->untold, NULL);
    n->slabs = (struct iocp_side **)calloc(slabs_of(io), sizeof *n->slabs);
    if (n->slabs == NULL)
        return NACRE_E_NOBUFS;
    n->port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 1);
    if (n->port == NULL)
        return nacre_error_from_errno((int)GetLastError());
    return find_functions(n);
}

/* ---- sockets --------------------------------------------------------------------------------------------------- */

static bool make_side(struct io *io, uint32_t slot)
{
    struct iocp_side **slab = &io->notes->slabs[slot / SLAB_SLOTS];
    if (*slab == NULL)
        *slab = (struct iocp_side *)calloc(SLAB_SLOTS, sizeof **slab);
    if (*slab == NULL)
        return false;
    struct iocp_side *side = iocp_side_at(io, slot);
    *side = (struct iocp_side){.receive.slot = slot, .send.slot = slot, .accepts = side->accepts};
    return true;
}

/* The system has not taken a request. Out of memory, or of requests, it is asked again in a while. */
static void note_refusal(struct io *io, uint32_t slot, unsigned news, int number)
{
    if (number == WSAENOBUFS || number == WSAEWOULDBLOCK)
        nacre_ready_go_hungry(io, slot);
    else
        nacre_ready_note(io, slot, news, nacre_error_from_errno(number));
}

/* Asks the system to tell when something comes, when that is not known and nobody has been asked. */
static void ask_for_bytes(struct io *io, uint32_t slot)
{
    const struct ready_slot *s = ready_slot_at(io, slot);
    struct iocp_op *op = &iocp_side_at(io, slot)->receive;
    WSABUF nothing = {0};
    DWORD flags = 0;
    const unsigned no_need = SLOT_READABLE | SLOT_FIN | SLOT_ERROR | SLOT_CONNECTING | SLOT_DETACHED;
    if ((s->flags & no_need) != 0 || op->is_flying)
        return;
    op->overlapped = (OVERLAPPED){.hEvent = NULL};
    int number = WSARecv(s->socket, &nothing, 1, NULL, &flags, &op->overlapped, NULL) == 0 ? 0 : WSAGetLastError();
    op->is_flying = number == 0 || number == WSA_IO_PENDING;
    if (!op->is_flying)
        note_refusal(io, slot, NEWS_HANGUP, number);
}

/* The socket is full: the first bytes go out when it is not. */
static void ask_for_room(struct io *io, uint32_t slot)
{
    const struct ready_slot *s = ready_slot_at(io, slot);
    struct iocp_op *op = &iocp_side_at(io, slot)->send;
    if (!ready_has(s, SLOT_BLOCKED | SLOT_FULL) || op->is_flying)
        return;
    size_t len = s->blocked.len < BLOCKED_SEND ? s->blocked.len : BLOCKED_SEND;
    WSABUF v = {.buf = (char *)(uintptr_t)s->blocked.at, .len = (ULONG)len};
    op->overlapped = (OVERLAPPED){.hEvent = NULL};
    int number = WSASend(s->socket, &v, 1, NULL, 0, &op->overlapped, NULL) == 0 ? 0 : WSAGetLastError();
    op->is_flying = number == 0 || number == WSA_IO_PENDING;
    if (!op->is_flying)
        note_refusal(io, slot, NEWS_WRITE, number);
}

static void port_adjust(struct io *io, uint32_t slot)
{
    if (ready_slot_at(io, slot)->kind != READY_STREAM)
        return;
    ask_for_bytes(io, slot);
    ask_for_room(io, slot);
}

/* A listening socket is not tied to a port: other workers wait on it as well, and it could have only one. */
static enum nacre_error port_add(struct io *io, uint32_t slot)
{
    const struct ready_slot *s = ready_slot_at(io, slot);
    if (!make_side(io, slot))
        return NACRE_E_NOBUFS;
    if (s->kind == READY_LISTENER)
        return nacre_iocp_listen(io, slot);
    if (CreateIoCompletionPort((HANDLE)s->socket, io->notes->port, KEY_SOCKET, 0) == NULL)
        return nacre_error_from_errno((int)GetLastError());
    port_adjust(io, slot);
    return NACRE_OK;
}

static void port_remove(struct io *io, uint32_t slot)
{
    const struct ready_slot *s = ready_slot_at(io, slot);
    const struct iocp_side *side = iocp_side_at(io, slot);
    if (s->kind == READY_LISTENER)
        nacre_iocp_stop_accepting(io, slot);
    else if (side->receive.is_flying || side->send.is_flying)
        (void)CancelIoEx((HANDLE)s->socket, NULL);
}

static bool port_is_over(struct io *io, uint32_t slot)
{
    const struct iocp_side *side = iocp_side_at(io, slot);
    if (ready_slot_at(io, slot)->kind == READY_LISTENER)
        return nacre_iocp_listener_is_over(io, slot);
    return !side->receive.is_flying && !side->send.is_flying;
}

/* ConnectEx wants a bound socket. */
static bool bind_any(io_socket s, int family)
{
    const struct sockaddr_in any = {.sin_family = AF_INET};
    const struct sockaddr_in6 any6 = {.sin6_family = AF_INET6};
    if (family == AF_INET6)
        return bind(s, (const struct sockaddr *)&any6, sizeof any6) == 0;
    return bind(s, (const struct sockaddr *)&any, sizeof any) == 0;
}

static bool port_connect(struct io *io, uint32_t slot, const struct io_address *to, bool *pending)
{
    const struct sockaddr *address = (const struct sockaddr *)(const void *)to->bytes;
    io_socket s = ready_slot_at(io, slot)->socket;
    struct iocp_op *op = &iocp_side_at(io, slot)->send;
    /* Unix sockets have no ConnectEx; connecting one does not take time. */
    *pending = address->sa_family == AF_INET || address->sa_family == AF_INET6;
    if (!*pending)
        return connect(s, address, (int)to->len) == 0;
    op->is_flying = bind_any(s, address->sa_family) &&
                    (io->notes->connect(s, address, (int)to->len, NULL, 0, NULL, &op->overlapped) ||
                     WSAGetLastError() == WSA_IO_PENDING);
    *pending = op->is_flying;
    return *pending;
}

/* ---- waiting --------------------------------------------------------------------------------------------------- */

static void port_wake(struct io *io)
{
    /* Should memory be out, wait() looks for itself. */
    (void)PostQueuedCompletionStatus(io->notes->port, 0, KEY_WAKE, NULL);
}

static void connect_ended(struct io *io, uint32_t slot, enum nacre_error error)
{
    io_socket s = ready_slot_at(io, slot)->socket;
    /* Without it the socket has no addresses and cannot be shut down. */
    if (error == NACRE_OK && setsockopt(s, SOL_SOCKET, SO_UPDATE_CONNECT_CONTEXT, NULL, 0) != 0)
        error = last_error();
    nacre_ready_note(io, slot, NEWS_WRITE, error);
}

static void send_ended(struct io *io, uint32_t slot, DWORD moved, enum nacre_error error)
{
    struct ready_slot *s = ready_slot_at(io, slot);
    s->sent = moved;
    ready_clear(s, SLOT_BLOCKED);
    nacre_ready_note(io, slot, NEWS_WRITE, error);
}

/* An operation of a stream. */
static void stream_ended(struct io *io, const struct ready_slot *s, struct iocp_op *op)
{
    DWORD moved = 0, flags;
    enum nacre_error error = NACRE_OK;
    if (!WSAGetOverlappedResult(s->socket, &op->overlapped, &moved, FALSE, &flags))
        error = last_error();
    if (op == &iocp_side_at(io, op->slot)->receive)
        nacre_ready_note(io, op->slot, error == NACRE_OK ? NEWS_READ : NEWS_HANGUP, error);
    else if (ready_has(s, SLOT_CONNECTING))
        connect_ended(io, op->slot, error);
    else
        send_ended(io, op->slot, moved, error);
}

static void note(struct io *io, const OVERLAPPED_ENTRY *e)
{
    if (e->lpCompletionKey == KEY_WAKE) {
        ready_woken(io);
        return;
    }
    struct iocp_op *op = CONTAINER_OF(e->lpOverlapped, struct iocp_op, overlapped);
    if (e->lpCompletionKey == KEY_ACCEPT) {
        nacre_iocp_accept_ended(io, op);
        return;
    }
    const struct ready_slot *s = ready_slot_at(io, op->slot);
    op->is_flying = false;
    if (!ready_has(s, SLOT_DETACHED))
        stream_ended(io, s, op);
    nacre_slot_queue_add(&io->slots, &io->work, op->slot);
}

static enum nacre_error port_wait(struct io *io, int64_t until_ns)
{
    OVERLAPPED_ENTRY entries[NEWS_PER_WAIT];
    ULONG count = 0;
    DWORD ms = (DWORD)nacre_ready_left_ms(until_ns);
    BOOL came = GetQueuedCompletionStatusEx(io->notes->port, entries, NEWS_PER_WAIT, &count, ms, FALSE);
    DWORD number = GetLastError();
    nacre_iocp_look_for_untold(io);
    if (!came)
        return number == WAIT_TIMEOUT ? NACRE_OK : nacre_error_from_errno((int)number);
    for (ULONG i = 0; i < count; i++)
        note(io, &entries[i]);
    return NACRE_OK;
}

static const struct notifier notifier = {
    .open = port_open,
    .close = port_close,
    .add = port_add,
    .remove = port_remove,
    .is_over = port_is_over,
    .adjust = port_adjust,
    .connect = port_connect,
    .work_listener = nacre_iocp_work_listener,
    .wait = port_wait,
    .wake = port_wake,
};

static bool usable(const char **why_not)
{
    HANDLE port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 1);
    if (port != NULL) {
        (void)CloseHandle(port);
        return true;
    }
    *why_not = "the system refuses CreateIoCompletionPort()";
    return false;
}

static enum nacre_error open_port(struct io **out, const struct io_options *options)
{
    return nacre_ready_open(out, options, &notifier);
}

const struct io_backend nacre_io_iocp = {
    .name = "iocp",
    .usable = usable,
    .open = open_port,
    READY_CALLS,
};
