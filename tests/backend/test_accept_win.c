/* SPDX-License-Identifier: Apache-2.0 */
/* Completion ports: connections that are lost while they are accepted, and listeners that cannot go on. */
#include <winsock2.h>
/* winsock2.h stands before the others, or the older winsock.h comes with them. */
#include <mswsock.h>
#include <string.h>
#include <windows.h>
/* Words of 16-bit compilers that the headers still define. */
#undef far
#undef near

#include "backend/rig.h"
#include "base/plat.h"
#include "support/divert_win.h"

enum {
    LISTENER = 1,
};

extern any_function __imp_setsockopt, __imp_WSAIoctl, __imp_WSASocketW, __imp_PostQueuedCompletionStatus;

/* The functions that are diverted, and how often they still fail: less than 0: always. */
static any_function set_option, control, make_socket;
static LPFN_ACCEPTEX accept_ex;
static int failures;

static bool fails(void)
{
    if (failures > 0)
        failures--;
    else if (failures == 0)
        return false;
    return true;
}

static io_socket listen_over(struct rig *r, uint32_t *slot)
{
    struct io_address at;
    rig_open_only(r, "iocp");
    io_socket l = r->d->listener(&at);
    cr_assert_eq(r->ops->listen(r->io, l, LISTENER, slot), NACRE_OK);
    return l;
}

static void end(struct rig *r, io_socket l, uint32_t slot)
{
    rig_detach(r, LISTENER, slot);
    r->d->close(l);
    rig_close(r);
}

/* ---- a peer that has gone --------------------------------------------------------------------------------------- */

static int WSAAPI refuse_context(io_socket s, int level, int option, const char *value, int len)
{
    int(WSAAPI * real)(io_socket, int, int, const char *, int);
    memcpy(&real, &set_option, sizeof real);
    if (option != SO_UPDATE_ACCEPT_CONTEXT || !fails())
        return real(s, level, option, value, len);
    WSASetLastError(WSAENOTCONN);
    return SOCKET_ERROR;
}

/* Whoever resets a connection before we have it makes nobody else wait. */
Test(backend_accept_win, a_connection_that_is_lost_while_it_is_taken_in_does_not_make_the_listener_rest)
{
    struct rig r;
    uint32_t slot;
    io_socket l = listen_over(&r, &slot);
    set_option = divert(&__imp_setsockopt, (any_function)refuse_context);
    failures = 1;
    struct far lost = r.d->dial(l);
    rig_quiet(&r);
    cr_assert_eq(failures, 0);
    struct far f = r.d->dial(l);
    r.d->close(rig_expect(&r, IO_ACCEPTED, LISTENER).accepted);
    (void)divert(&__imp_setsockopt, set_option);
    r.d->let_go(lost);
    r.d->let_go(f);
    end(&r, l, slot);
}

/* ---- nothing but lost connections ------------------------------------------------------------------------------- */

static BOOL PASCAL refuse_accept(io_socket listener, io_socket s, PVOID to, DWORD len, DWORD local, DWORD remote,
                                 LPDWORD got, LPOVERLAPPED overlapped)
{
    if (!fails())
        return accept_ex(listener, s, to, len, local, remote, got, overlapped);
    WSASetLastError(WSAENETDOWN);
    return FALSE;
}

static int WSAAPI give_own_accept(io_socket s, DWORD code, LPVOID in, DWORD in_len, LPVOID out, DWORD out_len,
                                  LPDWORD got, LPWSAOVERLAPPED overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE then)
{
    static const GUID wanted = WSAID_ACCEPTEX;
    const LPFN_ACCEPTEX own = refuse_accept;
    int(WSAAPI * real)(io_socket, DWORD, LPVOID, DWORD, LPVOID, DWORD, LPDWORD, LPWSAOVERLAPPED,
                       LPWSAOVERLAPPED_COMPLETION_ROUTINE);
    memcpy(&real, &control, sizeof real);
    int result = real(s, code, in, in_len, out, out_len, got, overlapped, then);
    if (memcmp(in, &wanted, sizeof wanted) == 0) {
        memcpy(&accept_ex, out, sizeof accept_ex);
        memcpy(out, &own, sizeof own);
    }
    return result;
}

Test(backend_accept_win, a_listener_whose_connections_are_all_lost_rests)
{
    struct rig r;
    uint32_t slot;
    control = divert(&__imp_WSAIoctl, (any_function)give_own_accept);
    failures = -1;
    io_socket l = listen_over(&r, &slot);
    cr_assert_eq(rig_expect(&r, IO_LISTEN_FAILED, LISTENER).error, NACRE_E_NETDOWN);
    failures = 3;
    struct far f = r.d->dial(l);
    r.d->close(rig_expect(&r, IO_ACCEPTED, LISTENER).accepted);
    r.d->let_go(f);
    end(&r, l, slot);
}

/* ---- no socket for the next ------------------------------------------------------------------------------------- */

/* Those of the other side are made without that flag. */
static io_socket WSAAPI refuse_socket(int family, int type, int protocol, LPWSAPROTOCOL_INFOW info, GROUP group,
                                      DWORD flags)
{
    io_socket(WSAAPI * real)(int, int, int, LPWSAPROTOCOL_INFOW, GROUP, DWORD);
    memcpy(&real, &make_socket, sizeof real);
    if ((flags & WSA_FLAG_NO_HANDLE_INHERIT) == 0 || !fails())
        return real(family, type, protocol, info, group, flags);
    WSASetLastError(WSAEMFILE);
    return IO_NO_SOCKET;
}

/* Connections that come while it rests are told of when it goes on. */
Test(backend_accept_win, a_listener_without_a_socket_for_the_next_rests_and_goes_on)
{
    enum {
        CLIENTS = 8
    };
    struct rig r;
    struct io_done d;
    uint32_t slot;
    struct far f[CLIENTS];
    io_socket l = listen_over(&r, &slot);
    rig_quiet(&r);
    make_socket = divert(&__imp_WSASocketW, (any_function)refuse_socket);
    failures = -1;
    int64_t begun = nacre_clock_ns();
    f[0] = r.d->dial(l);
    r.d->close(rig_expect(&r, IO_ACCEPTED, LISTENER).accepted);
    cr_assert_eq(rig_expect(&r, IO_LISTEN_FAILED, LISTENER).error, NACRE_E_MFILE);
    for (int i = 1; i < CLIENTS; i++)
        f[i] = r.d->dial(l);
    for (int i = 1; i < CLIENTS; i++) {
        do {
            cr_assert(rig_next(&r, &d, RIG_WAIT_MS));
            failures = 0;
        } while (d.kind == IO_LISTEN_FAILED);
        cr_assert_eq(d.kind, IO_ACCEPTED);
        r.d->close(d.accepted);
    }
    cr_assert_geq(nacre_clock_ns() - begun, INT64_C(90000000));
    (void)divert(&__imp_WSASocketW, make_socket);
    for (int i = 0; i < CLIENTS; i++)
        r.d->let_go(f[i]);
    end(&r, l, slot);
}

/* They have a socket each, whatever there is for those behind them. */
Test(backend_accept_win, connections_that_have_come_do_not_wait_for_a_socket_for_the_next)
{
    enum {
        CLIENTS = 4, /* as many as a listener waits for */
    };
    struct rig r;
    struct io_done d;
    uint32_t slot;
    struct far f[CLIENTS];
    io_socket l = listen_over(&r, &slot);
    rig_quiet(&r);
    make_socket = divert(&__imp_WSASocketW, (any_function)refuse_socket);
    failures = -1;
    for (int i = 0; i < CLIENTS; i++)
        f[i] = r.d->dial(l);
    int64_t begun = nacre_clock_ns();
    for (int i = 0; i < CLIENTS;) {
        cr_assert(rig_next(&r, &d, RIG_WAIT_MS));
        cr_assert(d.kind == IO_ACCEPTED || d.kind == IO_LISTEN_FAILED);
        if (d.kind == IO_ACCEPTED) {
            r.d->close(d.accepted);
            i++;
        }
        cr_assert_lt(nacre_clock_ns() - begun, INT64_C(1000000) * RIG_WAIT_MS);
    }
    (void)rig_expect(&r, IO_LISTEN_FAILED, LISTENER);
    (void)divert(&__imp_WSASocketW, make_socket);
    for (int i = 0; i < CLIENTS; i++)
        r.d->let_go(f[i]);
    end(&r, l, slot);
}

Test(backend_accept_win, a_resting_listener_with_connections_can_be_detached)
{
    struct rig r;
    uint32_t slot;
    io_socket l = listen_over(&r, &slot);
    rig_quiet(&r);
    make_socket = divert(&__imp_WSASocketW, (any_function)refuse_socket);
    failures = -1;
    struct far f = r.d->dial(l);
    r.d->close(rig_expect(&r, IO_ACCEPTED, LISTENER).accepted);
    cr_assert_eq(rig_expect(&r, IO_LISTEN_FAILED, LISTENER).error, NACRE_E_MFILE);
    struct far g = r.d->dial(l);
    rig_detach(&r, LISTENER, slot);
    rig_quiet(&r);
    rig_quiet(&r);
    (void)divert(&__imp_WSASocketW, make_socket);
    r.d->close(l);
    r.d->let_go(f);
    r.d->let_go(g);
    rig_close(&r);
}

/* ---- no memory to tell of one ----------------------------------------------------------------------------------- */

static BOOL WINAPI refuse_packet(HANDLE port, DWORD moved, ULONG_PTR key, LPOVERLAPPED overlapped)
{
    (void)port, (void)moved, (void)key, (void)overlapped;
    SetLastError(ERROR_NO_SYSTEM_RESOURCES);
    return FALSE;
}

Test(backend_accept_win, connections_and_ends_that_the_port_is_not_told_of_are_found)
{
    enum {
        CLIENTS = 8
    };
    struct rig r;
    uint32_t slot;
    struct far f[CLIENTS];
    io_socket l = listen_over(&r, &slot);
    rig_quiet(&r);
    any_function post = divert(&__imp_PostQueuedCompletionStatus, (any_function)refuse_packet);
    for (int i = 0; i < CLIENTS; i++)
        f[i] = r.d->dial(l);
    for (int i = 0; i < CLIENTS; i++)
        r.d->close(rig_expect(&r, IO_ACCEPTED, LISTENER).accepted);
    rig_detach(&r, LISTENER, slot);
    (void)divert(&__imp_PostQueuedCompletionStatus, post);
    for (int i = 0; i < CLIENTS; i++)
        r.d->let_go(f[i]);
    r.d->close(l);
    rig_close(&r);
}
