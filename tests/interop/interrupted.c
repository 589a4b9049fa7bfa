/* SPDX-License-Identifier: Apache-2.0 */
/* System calls of a program that the linker hands over (--wrap): every third one of each kind is interrupted by a
 * signal that never was, and much is read and written in parts. What the program does must not depend on it.
 *
 * Sockets are not read or written in parts: their end of an edge is a short call, which the kernel makes short for one
 * reason alone. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    ONE_IN = 3,
    WHOLE = 128, /* what is not longer comes in one piece: counters, signals */
    PART = 3000,
};

/* True: this call of that kind is interrupted. */
static bool interrupted(_Atomic unsigned *calls)
{
    if (atomic_fetch_add_explicit(calls, 1, memory_order_relaxed) % ONE_IN != ONE_IN - 1)
        return false;
    errno = EINTR;
    return true;
}

/* How much of it is moved this time. */
static size_t part(size_t len)
{
    static _Atomic unsigned calls;
    unsigned n = atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed);
    size_t most = WHOLE + n * 7919U % PART;
    return len <= WHOLE || len < most ? len : most;
}

#define INTERRUPTED(type, name, parameters, arguments)                                                                 \
    type __real_##name parameters;                                                                                     \
    type __wrap_##name parameters;                                                                                     \
    type __wrap_##name parameters                                                                                      \
    {                                                                                                                  \
        static _Atomic unsigned calls;                                                                                 \
        return interrupted(&calls) ? -1 : __real_##name arguments;                                                     \
    }

/* clang-format off */
INTERRUPTED(ssize_t, read, (int fd, void *at, size_t len), (fd, at, part(len)))
INTERRUPTED(ssize_t, write, (int fd, const void *at, size_t len), (fd, at, part(len)))
INTERRUPTED(ssize_t, pread, (int fd, void *at, size_t len, off_t from), (fd, at, part(len), from))
INTERRUPTED(ssize_t, pwrite, (int fd, const void *at, size_t len, off_t from), (fd, at, part(len), from))
INTERRUPTED(ssize_t, recv, (int s, void *at, size_t len, int flags), (s, at, len, flags))
INTERRUPTED(ssize_t, send, (int s, const void *at, size_t len, int flags), (s, at, len, flags))
INTERRUPTED(ssize_t, recvmsg, (int s, struct msghdr *m, int flags), (s, m, flags))
INTERRUPTED(ssize_t, sendmsg, (int s, const struct msghdr *m, int flags), (s, m, flags))
INTERRUPTED(int, accept4, (int s, struct sockaddr *at, socklen_t *len, int flags), (s, at, len, flags))
INTERRUPTED(int, poll, (struct pollfd *p, nfds_t count, int ms), (p, count, ms))
INTERRUPTED(int, epoll_wait, (int fd, struct epoll_event *e, int most, int ms), (fd, e, most, ms))
INTERRUPTED(int, epoll_pwait2, (int fd, struct epoll_event *e, int most, const struct timespec *t, const sigset_t *set), (fd, e, most, t, set))
INTERRUPTED(int, fsync, (int fd), (fd))
INTERRUPTED(int, ftruncate, (int fd, off_t len), (fd, len))
INTERRUPTED(int, nanosleep, (const struct timespec *t, struct timespec *left), (t, left))
INTERRUPTED(pid_t, waitpid, (pid_t id, int *status, int options), (id, status, options))
INTERRUPTED(ssize_t, getrandom, (void *at, size_t len, unsigned flags), (at, part(len), flags))
INTERRUPTED(int, dup2, (int from, int to), (from, to))
/* clang-format on */

/* Interrupted, it goes on by itself. */
int __real_connect(int s, const struct sockaddr *to, socklen_t len);
int __wrap_connect(int s, const struct sockaddr *to, socklen_t len);
int __wrap_connect(int s, const struct sockaddr *to, socklen_t len)
{
    static _Atomic unsigned calls;
    int result = __real_connect(s, to, len);
    return result == 0 || errno == EINPROGRESS ? (interrupted(&calls) ? -1 : result) : result;
}

static mode_t mode_of(int flags, va_list arguments)
{
    return (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
    static _Atomic unsigned calls;
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    return interrupted(&calls) ? -1 : __real_open(path, flags, mode);
}

int __real_openat(int folder, const char *path, int flags, ...);
int __wrap_openat(int folder, const char *path, int flags, ...);
int __wrap_openat(int folder, const char *path, int flags, ...)
{
    static _Atomic unsigned calls;
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    return interrupted(&calls) ? -1 : __real_openat(folder, path, flags, mode);
}

FILE *__real_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode)
{
    static _Atomic unsigned calls;
    return interrupted(&calls) ? NULL : __real_fopen(path, mode);
}

int __real_mkostemp(char *path, int flags);
int __wrap_mkostemp(char *path, int flags);
int __wrap_mkostemp(char *path, int flags)
{
    static _Atomic unsigned calls;
    return interrupted(&calls) ? -1 : __real_mkostemp(path, flags);
}

int __real_getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **out);
int __wrap_getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **out);
int __wrap_getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
    static _Atomic unsigned calls;
    return interrupted(&calls) ? EAI_SYSTEM : __real_getaddrinfo(name, service, hints, out);
}

#if defined(NACRE_HAVE_URING)
/* liburing gives the error itself. */
struct io_uring;
struct io_uring_cqe;
struct __kernel_timespec;
int __real_io_uring_submit_and_wait(struct io_uring *ring, unsigned count);
int __wrap_io_uring_submit_and_wait(struct io_uring *ring, unsigned count);
int __wrap_io_uring_submit_and_wait(struct io_uring *ring, unsigned count)
{
    static _Atomic unsigned calls;
    return interrupted(&calls) ? -EINTR : __real_io_uring_submit_and_wait(ring, count);
}

int __real_io_uring_submit_and_get_events(struct io_uring *ring);
int __wrap_io_uring_submit_and_get_events(struct io_uring *ring);
int __wrap_io_uring_submit_and_get_events(struct io_uring *ring)
{
    static _Atomic unsigned calls;
    return interrupted(&calls) ? -EINTR : __real_io_uring_submit_and_get_events(ring);
}

int __real_io_uring_submit_and_wait_timeout(struct io_uring *ring, struct io_uring_cqe **first, unsigned count,
                                            struct __kernel_timespec *t, sigset_t *set);
int __wrap_io_uring_submit_and_wait_timeout(struct io_uring *ring, struct io_uring_cqe **first, unsigned count,
                                            struct __kernel_timespec *t, sigset_t *set);
int __wrap_io_uring_submit_and_wait_timeout(struct io_uring *ring, struct io_uring_cqe **first, unsigned count,
                                            struct __kernel_timespec *t, sigset_t *set)
{
    static _Atomic unsigned calls;
    return interrupted(&calls) ? -EINTR : __real_io_uring_submit_and_wait_timeout(ring, first, count, t, set);
}
#endif
