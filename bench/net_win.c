/* SPDX-License-Identifier: Apache-2.0 */
/* A pair is a connection on the loopback interface: unix sockets are newer than the oldest Windows that this runs on.
 */
#include "net.h"
/* winsock2.h stands before windows.h, or the older winsock.h comes with it. */
#include <windows.h>

static ptrdiff_t failed(void)
{
    return WSAGetLastError() == WSAEWOULDBLOCK ? NET_LATER : NET_FAILED;
}

ptrdiff_t bench_net_receive(plat_socket s, void *at, size_t size)
{
    int got = recv(s, at, (int)size, 0);
    return got >= 0 ? got : failed();
}

ptrdiff_t bench_net_send(plat_socket s, const struct span *spans, unsigned count)
{
    WSABUF parts[NET_SPANS];
    DWORD sent = 0;
    for (unsigned i = 0; i < count; i++)
        parts[i] = (WSABUF){.len = (ULONG)spans[i].len, .buf = (char *)(uintptr_t)spans[i].at};
    return WSASend(s, parts, count, &sent, 0, NULL, NULL) == 0 ? (ptrdiff_t)sent : failed();
}

bool bench_net_connect(plat_socket s, const struct sockaddr *to, sock_len len)
{
    return connect(s, to, len) == 0 || WSAGetLastError() == WSAEWOULDBLOCK;
}

bool bench_net_bind(plat_socket s, const struct sockaddr_in *from)
{
    return bind(s, (const struct sockaddr *)from, sizeof *from) == 0;
}

static bool begin_at_once(plat_socket s)
{
    u_long on = 1;
    return ioctlsocket(s, (long)FIONBIO, &on) == 0;
}

plat_socket bench_net_dial(const struct sockaddr_in *to)
{
    plat_socket s = WSASocketW(AF_INET, SOCK_STREAM, 0, NULL, 0, WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
    if (s == IO_NO_SOCKET)
        return IO_NO_SOCKET;
    (void)nacre_sock_set_nodelay(s, true);
    if (connect(s, (const struct sockaddr *)to, sizeof *to) == 0)
        return s;
    nacre_sock_close(s);
    return IO_NO_SOCKET;
}

plat_socket bench_net_accept(plat_socket listener)
{
    plat_socket s = accept(listener, NULL, NULL);
    if (s == IO_NO_SOCKET || begin_at_once(s))
        return s;
    nacre_sock_close(s);
    return IO_NO_SOCKET;
}

/* Anybody on this machine may connect to the listener: strangers are sent away. */
static plat_socket accept_own(plat_socket listener, plat_socket dialed)
{
    struct sockaddr_in mine, theirs;
    int len = sizeof mine;
    if (getsockname(dialed, (struct sockaddr *)&mine, &len) != 0)
        return IO_NO_SOCKET;
    for (;;) {
        len = sizeof theirs;
        plat_socket s = accept(listener, (struct sockaddr *)&theirs, &len);
        if (s == IO_NO_SOCKET || (theirs.sin_port == mine.sin_port && theirs.sin_addr.s_addr == mine.sin_addr.s_addr))
            return s;
        nacre_sock_close(s);
    }
}

static bool take_pair(plat_socket listener, plat_socket ends[2])
{
    struct sockaddr_in at;
    int len = sizeof at;
    u_long wait = 0; /* accept_own() waits for who has been dialed */
    if (getsockname(listener, (struct sockaddr *)&at, &len) != 0 || ioctlsocket(listener, (long)FIONBIO, &wait) != 0)
        return false;
    ends[0] = bench_net_dial(&at);
    if (ends[0] == IO_NO_SOCKET)
        return false;
    ends[1] = accept_own(listener, ends[0]);
    if (ends[1] != IO_NO_SOCKET && begin_at_once(ends[0]) && begin_at_once(ends[1]) &&
        nacre_sock_set_nodelay(ends[1], true) == NACRE_OK)
        return true;
    nacre_sock_close(ends[0]);
    nacre_sock_close(ends[1]);
    return false;
}

bool bench_net_pair(plat_socket ends[2])
{
    const struct sock_listen here = {.host = "127.0.0.1", .backlog = 1, .exclusive = true};
    plat_socket listener;
    if (nacre_sock_listen(&here, &listener) != NACRE_OK)
        return false;
    bool made = take_pair(listener, ends);
    nacre_sock_close(listener);
    return made;
}
