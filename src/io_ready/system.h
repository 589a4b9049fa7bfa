/* SPDX-License-Identifier: Apache-2.0 */
/* The calls on sockets that the machine for readiness makes, as each system has them. What fails gives -1, or
 * IO_NO_SOCKET, and leaves system_error(). Sockets do not block. */
#ifndef IO_READY_SYSTEM_H
#define IO_READY_SYSTEM_H

#include "engine/io.h"

#ifdef _WIN32
#include <winsock2.h>
/* winsock2.h stands before windows.h, or the older winsock.h comes with it. */
#include <malloc.h>
#include <windows.h>

enum {
    SYSTEM_SEND_MAX = 256 * 1024,  /* in one call: the system takes all of it, whatever the room */
    SYSTEM_SHORT_SEND_IS_FULL = 0, /* that may have ended it */
    SYSTEM_ADJUSTS = 1,            /* some notifier has an adjust() */
};

static inline int system_error(void)
{
    return WSAGetLastError();
}

static inline bool system_would_block(int number)
{
    return number == WSAEWOULDBLOCK;
}

/* What one call sends: all of it, or the beginning when it is much. */
static inline DWORD system_fill(WSABUF v[IO_SPANS], const struct span *spans, unsigned count)
{
    size_t room = SYSTEM_SEND_MAX;
    DWORD n = 0;
    while (n < count && room != 0) {
        size_t len = spans[n].len < room ? spans[n].len : room;
        v[n] = (WSABUF){.buf = (char *)(uintptr_t)spans[n].at, .len = (ULONG)len};
        room -= len;
        n++;
    }
    return n;
}

static inline int64_t system_send(io_socket s, const struct span *spans, unsigned count)
{
    WSABUF v[IO_SPANS];
    DWORD buffers = system_fill(v, spans, count), sent = 0;
    return WSASend(s, v, buffers, &sent, 0, NULL, NULL) == 0 ? (int64_t)sent : -1;
}

static inline int64_t system_receive(io_socket s, uint8_t *at, size_t room)
{
    return recv(s, (char *)at, (int)room, 0);
}

static inline void system_shut(io_socket s)
{
    (void)shutdown(s, SD_SEND);
}

/* The error that was told of and not named; 0: there is none. */
static inline int system_pending_error(io_socket s)
{
    int number = 0, len = sizeof number;
    char byte;
    if (getsockopt(s, SOL_SOCKET, SO_ERROR, (char *)&number, &len) == 0 && number != 0)
        return number;
    if (recv(s, &byte, 1, MSG_PEEK) >= 0 || WSAGetLastError() == WSAEWOULDBLOCK)
        return 0;
    return WSAGetLastError();
}

/* False leaves the error; *pending: the end is told later. */
static inline bool system_connect(io_socket s, const struct io_address *to, bool *pending)
{
    bool done = connect(s, (const struct sockaddr *)(const void *)to->bytes, (int)to->len) == 0;
    *pending = !done && WSAGetLastError() == WSAEWOULDBLOCK;
    return done || *pending;
}

/* Accepted sockets are non-blocking, as the listener is. */
static inline io_socket system_accept(io_socket listener)
{
    io_socket s = accept(listener, NULL, NULL);
    if (s != IO_NO_SOCKET)
        (void)SetHandleInformation((HANDLE)s, HANDLE_FLAG_INHERIT, 0);
    return s;
}

/* 10 ms. */
static inline void system_pause(void)
{
    Sleep(10);
}

static inline void *system_alloc(size_t alignment, size_t size)
{
    return _aligned_malloc(size, alignment);
}

static inline void system_free(void *memory)
{
    _aligned_free(memory);
}
#else
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

enum {
    SYSTEM_SHORT_SEND_IS_FULL = 1,
    SYSTEM_ADJUSTS = 0,
};

static inline int system_error(void)
{
    return errno;
}

static inline bool system_would_block(int number)
{
    return number == EAGAIN || number == EWOULDBLOCK;
}

static inline ssize_t system_send_gathered(io_socket s, const struct span *spans, unsigned count)
{
    struct iovec v[IO_SPANS];
    for (unsigned i = 0; i < count; i++)
        v[i] = (struct iovec){.iov_base = (void *)(uintptr_t)spans[i].at, .iov_len = spans[i].len};
    struct msghdr m = {.msg_iov = v, .msg_iovlen = count};
    return sendmsg(s, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static inline int64_t system_send(io_socket s, const struct span *spans, unsigned count)
{
    ssize_t n;
    do {
        n = count == 1 ? send(s, spans[0].at, spans[0].len, MSG_DONTWAIT | MSG_NOSIGNAL)
                       : system_send_gathered(s, spans, count);
    } while (n < 0 && errno == EINTR);
    return n;
}

static inline int64_t system_receive(io_socket s, uint8_t *at, size_t room)
{
    ssize_t n;
    do {
        n = recv(s, at, room, MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    return n;
}

static inline void system_shut(io_socket s)
{
    (void)shutdown(s, SHUT_WR);
}

/* The error that was told of and not named; 0: there is none. */
static inline int system_pending_error(io_socket s)
{
    int number = 0;
    socklen_t len = sizeof number;
    return getsockopt(s, SOL_SOCKET, SO_ERROR, &number, &len) == 0 ? number : 0;
}

/* False leaves the error; *pending: the end is told later. */
static inline bool system_connect(io_socket s, const struct io_address *to, bool *pending)
{
    bool done = connect(s, (const struct sockaddr *)(const void *)to->bytes, to->len) == 0;
    *pending = !done && (errno == EINPROGRESS || errno == EINTR); /* interrupted, it goes on by itself */
    return done || *pending;
}

static inline io_socket system_accept(io_socket listener)
{
    return accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

/* 10 ms. */
static inline void system_pause(void)
{
    static const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};
    (void)nanosleep(&pause, NULL);
}

static inline void *system_alloc(size_t alignment, size_t size)
{
    return aligned_alloc(alignment, size);
}

static inline void system_free(void *memory)
{
    free(memory);
}
#endif

#endif
