/* SPDX-License-Identifier: Apache-2.0 */
/* Completion ports: requests that the system has no memory for. */
#include <winsock2.h>
/* winsock2.h stands before the others, or the older winsock.h comes with them. */
#include <stdlib.h>
#include <string.h>
#include <windows.h>
/* Words of 16-bit compilers that the headers still define. */
#undef far
#undef near

#include "backend/rig.h"
#include "support/divert_win.h"

enum {
    OWNER = 100,
    LOTS = 16 * 1024 * 1024,
    FULL_MS = 200,
};

extern any_function __imp_WSARecv, __imp_WSASend;

static any_function send_bytes;
static unsigned refused;

static int WSAAPI refuse_receive(io_socket s, LPWSABUF at, DWORD count, LPDWORD got, LPDWORD flags,
                                 LPWSAOVERLAPPED overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE then)
{
    (void)s, (void)at, (void)count, (void)got, (void)flags, (void)overlapped, (void)then;
    refused++;
    WSASetLastError(WSAENOBUFS);
    return SOCKET_ERROR;
}

Test(backend_request_win, a_connection_outlives_that_its_receive_cannot_be_asked_for)
{
    struct rig r;
    uint32_t slot;
    uint8_t got[4];
    rig_open_only(&r, "iocp");
    any_function receive = divert(&__imp_WSARecv, (any_function)refuse_receive);
    struct far f = rig_attach(&r, OWNER, &slot);
    r.ops->receive(r.io, slot, true);
    cr_assert(r.d->feed(f, "wait", 4));
    rig_quiet(&r);
    cr_assert(refused > 1 && refused < RIG_QUIET_MS, "it was asked for %u times", refused);
    (void)divert(&__imp_WSARecv, receive);
    rig_receive(&r, OWNER, got, 4);
    cr_assert_arr_eq(got, "wait", 4);
    rig_detach(&r, OWNER, slot);
    r.d->let_go(f);
    rig_close(&r);
}

Test(backend_request_win, detaching_while_a_receive_cannot_be_asked_for)
{
    struct rig r;
    uint32_t slot;
    rig_open_only(&r, "iocp");
    any_function receive = divert(&__imp_WSARecv, (any_function)refuse_receive);
    struct far f = rig_attach(&r, OWNER, &slot);
    rig_quiet(&r);
    rig_detach(&r, OWNER, slot);
    r.d->let_go(f);
    rig_quiet(&r);
    (void)divert(&__imp_WSARecv, receive);
    rig_close(&r);
}

/* Only of those that tell of their end later. */
static int WSAAPI refuse_send(io_socket s, LPWSABUF at, DWORD count, LPDWORD sent, DWORD flags,
                              LPWSAOVERLAPPED overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE then)
{
    int(WSAAPI * real)(io_socket, LPWSABUF, DWORD, LPDWORD, DWORD, LPWSAOVERLAPPED, LPWSAOVERLAPPED_COMPLETION_ROUTINE);
    memcpy(&real, &send_bytes, sizeof real);
    if (overlapped == NULL)
        return real(s, at, count, sent, flags, overlapped, then);
    refused++;
    WSASetLastError(WSAENOBUFS);
    return SOCKET_ERROR;
}

Test(backend_request_win, a_send_outlives_that_room_for_it_cannot_be_asked_for)
{
    struct rig r;
    struct io_done d;
    uint32_t slot;
    io_socket s;
    size_t sent = 0, taken = 0;
    uint8_t *out = calloc(LOTS, 1), *in = malloc(LOTS);
    rig_open_only(&r, "iocp");
    struct far f = r.d->pair(&s);
    r.d->narrow(f, s);
    cr_assert_eq(r.ops->attach(r.io, s, OWNER, &slot), NACRE_OK);
    send_bytes = divert(&__imp_WSASend, (any_function)refuse_send);
    do {
        const struct span rest = span_of(out + sent, LOTS - sent);
        cr_assert_eq(r.ops->send(r.io, slot, &rest, 1), NACRE_OK);
        if (!rig_next(&r, &d, FULL_MS))
            break;
        cr_assert_eq(d.kind, IO_SENT);
        sent += d.len;
    } while (sent < LOTS);
    cr_assert_lt(sent, LOTS);
    cr_assert(refused > 1 && refused < FULL_MS, "it was asked for %u times", refused);
    (void)divert(&__imp_WSASend, send_bytes);
    while (taken < sent)
        taken += r.d->take(f, in, LOTS, 1);
    cr_assert_neq(rig_expect(&r, IO_SENT, OWNER).len, 0);
    rig_detach(&r, OWNER, slot);
    r.d->let_go(f);
    free(in);
    free(out);
    rig_close(&r);
}
