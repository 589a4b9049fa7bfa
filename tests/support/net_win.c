/* SPDX-License-Identifier: Apache-2.0 */
/* See net.h. Handles of sockets fit into an int: they have 32 bits that count. */
#include "support/net.h"

#include <winsock2.h>
/* winsock2.h stands before the others, or the older winsock.h comes with them. */
#include <windows.h>
#include <ws2tcpip.h>

static SOCKET socket_of(int fd)
{
    return (SOCKET)(unsigned)fd;
}

int net_connect(const char *from, int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((u_short)port)};
    struct sockaddr_in source = {.sin_family = AF_INET};
    BOOL on = TRUE;
    u_long at_once = 1;
    WSADATA data;
    (void)WSAStartup(MAKEWORD(2, 2), &data);
    SOCKET s = WSASocketW(AF_INET, SOCK_STREAM, 0, NULL, 0, WSA_FLAG_OVERLAPPED);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (from != NULL) {
        (void)inet_pton(AF_INET, from, &source.sin_addr);
        (void)bind(s, (const struct sockaddr *)&source, sizeof source);
    }
    (void)setsockopt(s, IPPROTO_TCP, TCP_NODELAY, (const char *)&on, sizeof on);
    if (connect(s, (const struct sockaddr *)&to, sizeof to) == 0 && ioctlsocket(s, (long)FIONBIO, &at_once) == 0)
        return (int)s;
    (void)closesocket(s);
    return -1;
}

static int moved(int n)
{
    if (n >= 0)
        return n;
    return WSAGetLastError() == WSAEWOULDBLOCK ? NET_LATER : NET_ERROR;
}

int net_send(int fd, const void *bytes, size_t len)
{
    return moved(send(socket_of(fd), bytes, (int)len, 0));
}

int net_receive(int fd, void *at, size_t room)
{
    return moved(recv(socket_of(fd), at, (int)room, 0));
}

bool net_wait(int fd, bool receive, bool send, int ms)
{
    struct timeval t = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    fd_set readable, writable;
    FD_ZERO(&readable);
    FD_ZERO(&writable);
    if (receive)
        FD_SET(socket_of(fd), &readable);
    if (send)
        FD_SET(socket_of(fd), &writable);
    if (!receive && !send) {
        Sleep((DWORD)ms);
        return false;
    }
    return select(0, &readable, &writable, NULL, &t) > 0 && FD_ISSET(socket_of(fd), &readable);
}

void net_close(int fd)
{
    (void)closesocket(socket_of(fd));
}

void net_close_by_reset(int fd)
{
    const struct linger now = {.l_onoff = 1};
    (void)setsockopt(socket_of(fd), SOL_SOCKET, SO_LINGER, (const char *)&now, sizeof now);
}
