/* SPDX-License-Identifier: Apache-2.0 */
/* The back end for I/O completion ports: instances, slots, and the table of its functions. */
#include "io_iocp/iocp.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <ws2tcpip.h>

#include "engine/sock.h"

static enum nacre_error last_error(void)
{
    return nacre_error_from_errno(WSAGetLastError());
}

/* ---- instances ------------------------------------------------------------------------------------------------- */

static bool iocp_usable(const char **why_not)
{
    HANDLE port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 1);
    if (port != NULL) {
        (void)CloseHandle(port);
        return true;
    }
    *why_not = "the system refuses CreateIoCompletionPort()";
    return false;
}

static void iocp_close(struct io *io)
{
    if (io->port != NULL)
        (void)CloseHandle(io->port);
    landing_close(&io->landing);
    nacre_slots_destroy(&io->slots);
    _aligned_free(io);
}

static bool find_function(io_socket s, GUID id, void *function, DWORD size)
{
    DWORD got;
    return WSAIoctl(s, SIO_GET_EXTENSION_FUNCTION_POINTER, &id, sizeof id, function, size, &got, NULL, NULL) == 0;
}

/* Winsock gives these two functions for a socket of the kind they are used with. */
static enum nacre_error find_functions(struct io *io)
{
    const struct sockaddr_in any = {.sin_family = AF_INET};
    struct io_address address = {.len = sizeof any};
    io_socket s;
    memcpy(address.bytes, &any, sizeof any);
    enum nacre_error error = nacre_sock_open(&address, &s);
    if (error != NACRE_OK)
        return error;
    if (!find_function(s, (GUID)WSAID_ACCEPTEX, &io->accept, sizeof io->accept) ||
        !find_function(s, (GUID)WSAID_CONNECTEX, &io->connect, sizeof io->connect))
        error = last_error();
    nacre_sock_close(s);
    return error;
}

static enum nacre_error start(struct io *io)
{
    if (!nacre_slots_init(&io->slots, sizeof(struct iocp_slot), offsetof(struct iocp_slot, next),
                          io->options.max_slots))
        return NACRE_E_NOBUFS;
    io->port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 1);
    if (io->port == NULL)
        return nacre_error_from_errno((int)GetLastError());
    return find_functions(io);
}

static enum nacre_error iocp_open(struct io **out, const struct io_options *options)
{
    *out = NULL;
    if (options->pool == NULL || options->receive_bytes == 0 || options->max_slots == 0 ||
        options->receive_bytes > INT32_MAX || options->headroom > SIZE_MAX - options->receive_bytes)
        return NACRE_E_INVAL;
    struct io *io = (struct io *)_aligned_malloc(sizeof *io, _Alignof(struct io));
    if (io == NULL)
        return NACRE_E_NOBUFS;
    *io =
        (struct io){.options = *options,
                    .work.link = offsetof(struct iocp_slot, next),
                    .resting.link = offsetof(struct iocp_slot, next),
                    .hungry.link = offsetof(struct iocp_slot, next_hungry),
                    .landing = {.pool = options->pool, .headroom = options->headroom, .room = options->receive_bytes}};
    atomic_init(&io->wake_sent, false);
    enum nacre_error error = start(io);
    if (error != NACRE_OK) {
        iocp_close(io);
        return error;
    }
    *out = io;
    return NACRE_OK;
}

/* ---- slots ----------------------------------------------------------------------------------------------------- */

static enum nacre_error slot_take(struct io *io, io_socket s, uint64_t owner, enum iocp_kind kind, uint32_t *slot)
{
    enum nacre_error error = nacre_slots_take(&io->slots, slot);
    if (error != NACRE_OK)
        return error;
    struct iocp_slot *at = iocp_slot_at(io, *slot);
    *at = (struct iocp_slot){.owner = owner, .socket = s, .kind = (uint8_t)kind};
    at->receive.slot = at->send.slot = *slot;
    return NACRE_OK;
}

void nacre_iocp_slot_give(struct io *io, uint32_t slot)
{
    struct iocp_slot *s = iocp_slot_at(io, slot);
    s->kind = IOCP_FREE;
    s->flags = 0;
    nacre_slots_give(&io->slots, slot);
}

struct iocp_slot *nacre_iocp_slot_find(const struct io *io, uint32_t slot)
{
    if (slot >= io->slots.made)
        return NULL;
    struct iocp_slot *s = iocp_slot_at(io, slot);
    return s->kind == IOCP_FREE || iocp_has(s, SLOT_DETACHED) ? NULL : s;
}

/* ---- taking over and letting go -------------------------------------------------------------------------------- */

/* A listening socket is not tied to a port: other workers wait on it as well, and it could have only one. */
static enum nacre_error iocp_listen(struct io *io, io_socket listener, uint64_t owner, uint32_t *slot)
{
    enum nacre_error error = slot_take(io, listener, owner, IOCP_LISTENER, slot);
    if (error != NACRE_OK)
        return error;
    error = nacre_iocp_listen(io, *slot);
    if (error != NACRE_OK)
        nacre_iocp_slot_give(io, *slot);
    else
        nacre_slot_queue_add(&io->slots, &io->work, *slot);
    return error;
}

static enum nacre_error iocp_attach(struct io *io, io_socket s, uint64_t owner, uint32_t *slot)
{
    if (s == IO_NO_SOCKET)
        return NACRE_E_NOTSOCK;
    enum nacre_error error = slot_take(io, s, owner, IOCP_STREAM, slot);
    if (error != NACRE_OK)
        return error;
    if (CreateIoCompletionPort((HANDLE)s, io->port, KEY_SOCKET, 0) == NULL) {
        error = nacre_error_from_errno((int)GetLastError());
        nacre_iocp_slot_give(io, *slot);
        return error;
    }
    nacre_slot_queue_add(&io->slots, &io->work, *slot); /* to tell of errors, whether or not anything is wanted */
    return NACRE_OK;
}

/* ConnectEx wants a bound socket. False leaves the error. */
static bool bind_any(io_socket s, int family)
{
    const struct sockaddr_in any = {.sin_family = AF_INET};
    const struct sockaddr_in6 any6 = {.sin6_family = AF_INET6};
    if (family == AF_INET6)
        return bind(s, (const struct sockaddr *)&any6, sizeof any6) == 0;
    return bind(s, (const struct sockaddr *)&any, sizeof any) == 0;
}

/* Begins to connect; the end is told by the port. What it gives, unless all is well, is reported by wait(). */
static enum nacre_error begin_connect(struct io *io, struct iocp_slot *s, const struct io_address *to)
{
    const struct sockaddr *address = (const struct sockaddr *)(const void *)to->bytes;
    /* Unix sockets have no ConnectEx; connecting one does not take time. */
    if (address->sa_family != AF_INET && address->sa_family != AF_INET6)
        return connect(s->socket, address, (int)to->len) == 0 ? NACRE_OK : last_error();
    if (!bind_any(s->socket, address->sa_family))
        return last_error();
    s->send.is_flying = true;
    if (io->connect(s->socket, address, (int)to->len, NULL, 0, NULL, &s->send.overlapped) ||
        WSAGetLastError() == WSA_IO_PENDING)
        return NACRE_OK;
    s->send.is_flying = false;
    return last_error();
}

static enum nacre_error iocp_connect(struct io *io, io_socket s, const struct io_address *to, uint64_t owner,
                                     uint32_t *slot)
{
    enum nacre_error error = iocp_attach(io, s, owner, slot);
    if (error != NACRE_OK)
        return error;
    struct iocp_slot *at = iocp_slot_at(io, *slot);
    iocp_set(at, SLOT_CONNECTING);
    at->error = begin_connect(io, at, to);
    return NACRE_OK;
}

/* The system ends what is in flight; IO_GONE waits for that. */
static void iocp_detach(struct io *io, uint32_t slot)
{
    struct iocp_slot *s = nacre_iocp_slot_find(io, slot);
    if (s == NULL)
        return;
    iocp_set(s, SLOT_DETACHED);
    if (s->kind == IOCP_LISTENER) {
        nacre_slot_queue_remove(&io->slots, &io->resting, slot);
        nacre_iocp_stop_accepting(io, slot);
    } else {
        if (s->receive.is_flying || s->send.is_flying)
            (void)CancelIoEx((HANDLE)s->socket, NULL);
        nacre_sock_close(s->socket);
        s->socket = IO_NO_SOCKET;
        if (s->next_hungry != 0)
            io->hungry_until = 0; /* the list is emptied before the slot is free */
    }
    nacre_slot_queue_add(&io->slots, &io->work, slot);
}

const struct io_backend nacre_io_iocp = {
    .name = "iocp",
    .usable = iocp_usable,
    .open = iocp_open,
    .close = iocp_close,
    .listen = iocp_listen,
    .attach = iocp_attach,
    .connect = iocp_connect,
    .receive = nacre_iocp_receive,
    .send = nacre_iocp_send,
    .shut = nacre_iocp_shut,
    .detach = iocp_detach,
    .wait = nacre_iocp_wait,
    .wake = nacre_iocp_wake,
};
