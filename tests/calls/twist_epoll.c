/* SPDX-License-Identifier: Apache-2.0 */
/* See twist.h: calls on sockets that are registered with epoll, and on eventfds. */
#include <errno.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "calls/twist.h"

enum {
    DESCRIPTORS = 4096,
    SPANS = 64
};

/* What the library registered, by descriptor. */
static struct {
    bool is_registered, is_event;
    int epoll;
    struct epoll_event e;
} known[DESCRIPTORS];

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

ssize_t __real_send(int fd, const void *at, size_t len, int flags);
ssize_t __real_sendmsg(int fd, const struct msghdr *m, int flags);
ssize_t __real_recv(int fd, void *at, size_t len, int flags);
ssize_t __real_write(int fd, const void *at, size_t len);
int __real_accept4(int fd, struct sockaddr *at, socklen_t *len, int flags);
int __real_close(int fd);
int __real_eventfd(unsigned start, int flags);
int __real_epoll_ctl(int epoll, int op, int fd, struct epoll_event *e);
int __real_epoll_wait(int epoll, struct epoll_event *e, int max, int ms);
int __real_epoll_pwait2(int epoll, struct epoll_event *e, int max, const struct timespec *t, const sigset_t *signals);

ssize_t __wrap_send(int fd, const void *at, size_t len, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *m, int flags);
ssize_t __wrap_recv(int fd, void *at, size_t len, int flags);
ssize_t __wrap_write(int fd, const void *at, size_t len);
int __wrap_accept4(int fd, struct sockaddr *at, socklen_t *len, int flags);
int __wrap_close(int fd);
int __wrap_eventfd(unsigned start, int flags);
int __wrap_epoll_ctl(int epoll, int op, int fd, struct epoll_event *e);
int __wrap_epoll_wait(int epoll, struct epoll_event *e, int max, int ms);
int __wrap_epoll_pwait2(int epoll, struct epoll_event *e, int max, const struct timespec *t, const sigset_t *signals);

/* ---- what is known of a descriptor ----------------------------------------------------------------------------- */

static bool is_in_range(int fd)
{
    return fd >= 0 && fd < DESCRIPTORS;
}

static bool is_registered(int fd)
{
    pthread_mutex_lock(&lock);
    bool is = is_in_range(fd) && known[fd].is_registered;
    pthread_mutex_unlock(&lock);
    return is;
}

static bool is_event(int fd)
{
    pthread_mutex_lock(&lock);
    bool is = is_in_range(fd) && known[fd].is_event;
    pthread_mutex_unlock(&lock);
    return is;
}

static void forget(int fd)
{
    pthread_mutex_lock(&lock);
    if (is_in_range(fd))
        known[fd].is_registered = known[fd].is_event = false;
    pthread_mutex_unlock(&lock);
}

static void note(int epoll, int fd, const struct epoll_event *e)
{
    pthread_mutex_lock(&lock);
    if (is_in_range(fd)) {
        known[fd].is_registered = true;
        known[fd].epoll = epoll;
        known[fd].e = *e;
    }
    pthread_mutex_unlock(&lock);
}

/* The kernel tells of a socket anew when its registration is changed: what was refused may be tried again. */
static void tell_again(int fd)
{
    pthread_mutex_lock(&lock);
    if (is_in_range(fd) && known[fd].is_registered) {
        struct epoll_event e = known[fd].e;
        (void)__real_epoll_ctl(known[fd].epoll, EPOLL_CTL_MOD, fd, &e);
    }
    pthread_mutex_unlock(&lock);
}

static int failure(int number)
{
    errno = number;
    return -1;
}

/* ---- bytes ------------------------------------------------------------------------------------------------------- */

/* True: the call on that socket ends here, with errno. */
static bool fails(enum twist_call call, int fd)
{
    int number = is_registered(fd) ? twist_number(call) : 0;
    if (number == EAGAIN)
        tell_again(fd);
    errno = number;
    return number != 0;
}

static size_t share(enum twist_call call, int fd, size_t len)
{
    return is_registered(fd) ? twist_share(call, len) : len;
}

/* So many bytes of `asked` were let through; `n` went. */
static ssize_t moved(int fd, ssize_t n, size_t allowed, size_t asked)
{
    if (n == (ssize_t)allowed && allowed < asked)
        tell_again(fd);
    return n;
}

ssize_t __wrap_send(int fd, const void *at, size_t len, int flags)
{
    if (fails(TWIST_SEND, fd))
        return -1;
    size_t allowed = share(TWIST_SEND, fd, len);
    return moved(fd, __real_send(fd, at, allowed, flags), allowed, len);
}

/* Only as many bytes of a list as are allowed. */
ssize_t __wrap_sendmsg(int fd, const struct msghdr *m, int flags)
{
    struct iovec v[SPANS];
    size_t asked = 0, left;
    if (m->msg_control != NULL || m->msg_iovlen > SPANS)
        return __real_sendmsg(fd, m, flags);
    if (fails(TWIST_SEND, fd))
        return -1;
    for (size_t i = 0; i < m->msg_iovlen; i++)
        asked += m->msg_iov[i].iov_len;
    size_t allowed = left = share(TWIST_SEND, fd, asked);
    struct msghdr some = {.msg_iov = v};
    for (size_t i = 0; i < m->msg_iovlen && left != 0; i++) {
        v[i] = m->msg_iov[i];
        if (v[i].iov_len > left)
            v[i].iov_len = left;
        left -= v[i].iov_len;
        some.msg_iovlen++;
    }
    return moved(fd, __real_sendmsg(fd, &some, flags), allowed, asked);
}

ssize_t __wrap_recv(int fd, void *at, size_t len, int flags)
{
    if (fails(TWIST_RECEIVE, fd))
        return -1;
    size_t allowed = share(TWIST_RECEIVE, fd, len);
    return moved(fd, __real_recv(fd, at, allowed, flags), allowed, len);
}

int __wrap_accept4(int fd, struct sockaddr *at, socklen_t *len, int flags)
{
    int number = is_registered(fd) ? twist_number(TWIST_ACCEPT) : 0;
    return number != 0 ? failure(number) : __real_accept4(fd, at, len, flags);
}

/* ---- registrations and waits ------------------------------------------------------------------------------------- */

ssize_t __wrap_write(int fd, const void *at, size_t len)
{
    int number = is_event(fd) ? twist_number(TWIST_WAKE) : 0;
    return number != 0 ? failure(number) : __real_write(fd, at, len);
}

int __wrap_eventfd(unsigned start, int flags)
{
    int fd = __real_eventfd(start, flags);
    pthread_mutex_lock(&lock);
    if (is_in_range(fd))
        known[fd].is_event = true;
    pthread_mutex_unlock(&lock);
    return fd;
}

int __wrap_close(int fd)
{
    forget(fd);
    return __real_close(fd);
}

int __wrap_epoll_ctl(int epoll, int op, int fd, struct epoll_event *e)
{
    int number = is_event(fd) || op == EPOLL_CTL_DEL ? 0 : twist_number(op == EPOLL_CTL_ADD ? TWIST_ADD : TWIST_CHANGE);
    if (number != 0)
        return failure(number);
    if (op != EPOLL_CTL_DEL &&
        !is_event(fd)) /* a listener is in others' sets, too, and stays known until it is closed */
        note(epoll, fd, e);
    return __real_epoll_ctl(epoll, op, fd, e);
}

int __wrap_epoll_wait(int epoll, struct epoll_event *e, int max, int ms)
{
    int number = twist_number(TWIST_WAIT);
    return number != 0 ? failure(number) : __real_epoll_wait(epoll, e, max, ms);
}

int __wrap_epoll_pwait2(int epoll, struct epoll_event *e, int max, const struct timespec *t, const sigset_t *signals)
{
    int number = twist_number(TWIST_WAIT);
    return number != 0 ? failure(number) : __real_epoll_pwait2(epoll, e, max, t, signals);
}
