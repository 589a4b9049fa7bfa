/* SPDX-License-Identifier: Apache-2.0 */
/* Far ends for back ends that move bytes over Winsock: TCP on 127.0.0.1. */
#include <winsock2.h>
/* winsock2.h stands before the others, or the older winsock.h comes with them. */
#include <string.h>
#include <windows.h>
#include <ws2tcpip.h>
/* Words of 16-bit compilers that the headers still define. */
#undef far
#undef near

#include "backend/driver.h"
#include "engine/sock.h"
#include "support/divert_win.h"

enum {
    FAR_WAIT_MS = 100000,
    FILLERS = 4,
    FARS = 8192,
    NARROW = 4096,
    HANDLES_END = 0x8000, /* handles are multiples of 4 and the lowest that are free */
};

/* Far ends by number: a handle that was closed may be somebody else's soon. */
static io_socket fars[FARS];
static int fars_made;

static struct io_address address_of(io_socket s)
{
    struct io_address a = {.len = sizeof a.bytes};
    int len = sizeof a.bytes;
    cr_assert_eq(getsockname(s, (struct sockaddr *)(void *)a.bytes, &len), 0);
    a.len = (uint32_t)len;
    return a;
}

static io_socket open_listener(int backlog)
{
    const struct sock_listen options = {.host = "127.0.0.1", .backlog = backlog, .exclusive = true};
    io_socket s = IO_NO_SOCKET;
    cr_assert_eq(nacre_sock_listen(&options, &s), NACRE_OK);
    return s;
}

static io_socket listener(struct io_address *at)
{
    io_socket s = open_listener(0);
    *at = address_of(s);
    return s;
}

static io_socket unconnected(const struct io_address *to)
{
    io_socket s = IO_NO_SOCKET;
    cr_assert_eq(nacre_sock_open(to, &s), NACRE_OK);
    return s;
}

static io_socket refusing = IO_NO_SOCKET;

static void nowhere_end(void)
{
    nacre_sock_close(refusing);
    refusing = IO_NO_SOCKET;
}

/* Nothing refuses inside of connect() here. A port that is bound and does not listen does, and is nobody else's. */
static struct io_address nowhere(bool at_once)
{
    const struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct io_address a = {.len = sizeof own};
    (void)at_once;
    nowhere_end();
    memcpy(a.bytes, &own, sizeof own);
    refusing = unconnected(&a);
    cr_assert_eq(bind(refusing, (const struct sockaddr *)&own, sizeof own), 0);
    return address_of(refusing);
}

static io_socket silent_listener, fillers[FILLERS];

/* A listener whose queue is full drops what comes. */
static struct io_address silent(void)
{
    silent_listener = open_listener(1);
    cr_assert_eq(listen(silent_listener, 0), 0);
    struct io_address a = address_of(silent_listener);
    for (int i = 0; i < FILLERS; i++) {
        fillers[i] = unconnected(&a);
        (void)connect(fillers[i], (const struct sockaddr *)(const void *)a.bytes, (int)a.len);
    }
    Sleep(20);
    return a;
}

static void silent_end(void)
{
    for (int i = 0; i < FILLERS; i++)
        nacre_sock_close(fillers[i]);
    nacre_sock_close(silent_listener);
}

static struct far far_of(io_socket s)
{
    cr_assert_lt(fars_made, FARS);
    fars[fars_made] = s;
    return (struct far){.fd = fars_made++};
}

static io_socket socket_of(struct far f)
{
    return fars[f.fd];
}

static struct far dial(io_socket s)
{
    struct io_address a = address_of(s);
    io_socket far_end = WSASocketW(AF_INET, SOCK_STREAM, 0, NULL, 0, WSA_FLAG_OVERLAPPED);
    cr_assert(far_end != IO_NO_SOCKET);
    cr_assert_eq(connect(far_end, (const struct sockaddr *)(const void *)a.bytes, (int)a.len), 0);
    return far_of(far_end);
}

static bool wait_for(io_socket s, int ms)
{
    struct timeval t = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    fd_set set;
    FD_ZERO(&set);
    FD_SET(s, &set);
    return select(0, &set, NULL, NULL, &t) > 0;
}

static struct far accept_one(io_socket s)
{
    cr_assert(wait_for(s, FAR_WAIT_MS));
    io_socket far_end = accept(s, NULL, NULL);
    u_long off = 0;
    cr_assert(far_end != IO_NO_SOCKET);
    cr_assert_eq(ioctlsocket(far_end, (long)FIONBIO, &off), 0);
    return far_of(far_end);
}

static struct far pair(io_socket *near)
{
    io_socket at = open_listener(0);
    struct far f = dial(at);
    cr_assert(wait_for(at, FAR_WAIT_MS));
    *near = accept(at, NULL, NULL);
    cr_assert(*near != IO_NO_SOCKET);
    nacre_sock_close(at);
    return f;
}

static bool feed(struct far f, const void *bytes, size_t len)
{
    return send(socket_of(f), bytes, (int)len, 0) == (int)len;
}

static size_t take(struct far f, void *at, size_t room, int ms)
{
    int n = wait_for(socket_of(f), ms) ? recv(socket_of(f), at, (int)room, 0) : 0;
    return n > 0 ? (size_t)n : 0;
}

static bool got_fin(struct far f)
{
    char byte;
    return wait_for(socket_of(f), FAR_WAIT_MS) && recv(socket_of(f), &byte, 1, MSG_PEEK) == 0;
}

static void fin(struct far f)
{
    (void)shutdown(socket_of(f), SD_SEND);
}

static void let_go(struct far f)
{
    nacre_sock_close(socket_of(f));
    fars[f.fd] = IO_NO_SOCKET;
}

static void reset(struct far f)
{
    const struct linger now = {.l_onoff = 1};
    cr_assert_eq(setsockopt(socket_of(f), SOL_SOCKET, SO_LINGER, (const char *)&now, sizeof now), 0);
    let_go(f);
}

/* Wine 8 shuts a socket down before it closes it, whatever SO_LINGER says: the other side has FIN before the reset, and
 * then nothing more to be told. */
static bool resets(void)
{
    return GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "wine_get_version") == NULL;
}

static void narrow(struct far f, io_socket near)
{
    int bytes = NARROW;
    (void)setsockopt(near, SOL_SOCKET, SO_SNDBUF, (const char *)&bytes, sizeof bytes);
    (void)setsockopt(socket_of(f), SOL_SOCKET, SO_RCVBUF, (const char *)&bytes, sizeof bytes);
}

static size_t sockets(void)
{
    size_t count = 0;
    for (io_socket s = 4; s < HANDLES_END; s += 4) {
        int type, len = sizeof type;
        if (getsockopt(s, SOL_SOCKET, SO_TYPE, (char *)&type, &len) == 0)
            count++;
    }
    return count;
}

bool driver_has_room(size_t count)
{
    (void)count;
    return true;
}

/* ---- waiting that fails ---------------------------------------------------------------------------------------- */

static BOOL WINAPI refuse_port(HANDLE port, OVERLAPPED_ENTRY *entries, ULONG room, ULONG *count, DWORD ms,
                               BOOL alertable)
{
    (void)port, (void)entries, (void)room, (void)count, (void)ms, (void)alertable;
    SetLastError(ERROR_NO_SYSTEM_RESOURCES);
    return FALSE;
}

static DWORD WINAPI refuse_messages(DWORD count, const HANDLE *handles, DWORD ms, DWORD mask, DWORD flags)
{
    (void)count, (void)handles, (void)ms, (void)mask, (void)flags;
    SetLastError(ERROR_NO_SYSTEM_RESOURCES);
    return WAIT_FAILED;
}

static int WSAAPI refuse_poll(WSAPOLLFD *at, ULONG count, INT ms)
{
    (void)at, (void)count, (void)ms;
    WSASetLastError(WSAENOBUFS);
    return SOCKET_ERROR;
}

/* Where this program finds the system's functions. */
extern any_function __imp_GetQueuedCompletionStatusEx, __imp_MsgWaitForMultipleObjectsEx, __imp_WSAPoll, __imp_accept;

/* One at a time. */
static void set_diverted(any_function *place, any_function other, bool on)
{
    static any_function kept;
    any_function was = divert(place, on ? other : kept);
    kept = on ? was : kept;
}

static void deafen_iocp(const struct io *io, bool on)
{
    (void)io;
    set_diverted(&__imp_GetQueuedCompletionStatusEx, (any_function)refuse_port, on);
}

static void deafen_wsaasyncselect(const struct io *io, bool on)
{
    (void)io;
    set_diverted(&__imp_MsgWaitForMultipleObjectsEx, (any_function)refuse_messages, on);
}

static void deafen_wsapoll(const struct io *io, bool on)
{
    (void)io;
    set_diverted(&__imp_WSAPoll, (any_function)refuse_poll, on);
}

/* ---- accepting that fails -------------------------------------------------------------------------------------- */

/* Handles have no limit here. */
static io_socket WSAAPI refuse_accept(io_socket s, struct sockaddr *from, int *len)
{
    (void)s, (void)from, (void)len;
    WSASetLastError(WSAEMFILE);
    return IO_NO_SOCKET;
}

static void starve(io_socket s, bool on)
{
    (void)s;
    set_diverted(&__imp_accept, (any_function)refuse_accept, on);
}

/* The far ends are the same for every back end here. What completion ports accept with is in test_accept_win.c. */
#define FAR_ENDS                                                                                                       \
    .listener = listener, .unconnected = unconnected, .nowhere = nowhere, .nowhere_end = nowhere_end,                  \
    .silent = silent, .silent_end = silent_end, .pair = pair, .dial = dial, .accept = accept_one, .feed = feed,        \
    .take = take, .got_fin = got_fin, .fin = fin, .reset = reset, .resets = resets, .narrow = narrow,                  \
    .let_go = let_go, .close = nacre_sock_close, .sockets = sockets

static const struct driver driver_iocp = {.ops = &nacre_io_iocp, FAR_ENDS, .deafen = deafen_iocp};
static const struct driver driver_wsaasyncselect = {
    .ops = &nacre_io_wsaasyncselect, FAR_ENDS, .starve = starve, .deafen = deafen_wsaasyncselect};
static const struct driver driver_wsapoll = {
    .ops = &nacre_io_wsapoll, FAR_ENDS, .starve = starve, .deafen = deafen_wsapoll};
const struct driver *const system_drivers[] = {&driver_iocp, &driver_wsaasyncselect, &driver_wsapoll, NULL};
