/* SPDX-License-Identifier: Apache-2.0 */
/* Far ends for back ends that move bytes over real sockets of a POSIX system: TCP on 127.0.0.1. */
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "backend/driver.h"
#include "engine/sock.h"

enum {
    FAR_WAIT_MS = 100000,
    FILLERS = 4,
    NARROW = 4096,
};

static struct io_address address_of(int fd)
{
    struct io_address a = {.len = sizeof a.bytes};
    cr_assert_eq(getsockname(fd, (struct sockaddr *)(void *)a.bytes, &a.len), 0);
    return a;
}

static int open_listener(int backlog)
{
    const struct sock_listen options = {.host = "127.0.0.1", .backlog = backlog, .exclusive = true};
    io_socket s = IO_NO_SOCKET;
    cr_assert_eq(nacre_sock_listen(&options, &s), NACRE_OK);
    return s;
}

static io_socket listener(struct io_address *at)
{
    int fd = open_listener(0);
    *at = address_of(fd);
    return fd;
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

/* A unix socket that nobody listens on refuses inside connect(); a port does so by a packet, and one that is bound is
 * nobody else's meanwhile. */
static struct io_address nowhere(bool at_once)
{
    struct io_address a = {.len = sizeof(struct sockaddr_in)};
    if (!at_once) {
        const struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        nowhere_end();
        memcpy(a.bytes, &own, sizeof own);
        refusing = unconnected(&a);
        cr_assert_eq(bind(refusing, (const struct sockaddr *)&own, sizeof own), 0);
        return address_of(refusing);
    }
    struct sockaddr_un nobody = {.sun_family = AF_UNIX};
    int len = snprintf(nobody.sun_path + 1, sizeof nobody.sun_path - 1, "nacre-nobody-%ld", (long)getpid());
    a.len = (uint32_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len);
    memcpy(a.bytes, &nobody, a.len);
    return a;
}

static int silent_listener, fillers[FILLERS];

/* A listener whose queue is full drops what comes. */
static struct io_address silent(void)
{
    silent_listener = open_listener(1);
    cr_assert_eq(listen(silent_listener, 0), 0);
    struct io_address a = address_of(silent_listener);
    for (int i = 0; i < FILLERS; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(fillers[i], (const struct sockaddr *)(const void *)a.bytes, a.len);
    }
    usleep(20000);
    return a;
}

static void silent_end(void)
{
    for (int i = 0; i < FILLERS; i++)
        close(fillers[i]);
    close(silent_listener);
}

static struct far far_of(int fd)
{
    return (struct far){.fd = fd};
}

static struct far dial(io_socket s)
{
    struct io_address a = address_of(s);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(fd >= 0);
    cr_assert_eq(connect(fd, (const struct sockaddr *)(const void *)a.bytes, a.len), 0);
    return far_of(fd);
}

static bool wait_for(int fd, int ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, ms) > 0;
}

static struct far accept_one(io_socket s)
{
    cr_assert(wait_for(s, FAR_WAIT_MS));
    return far_of(accept4(s, NULL, NULL, SOCK_CLOEXEC));
}

static struct far pair(io_socket *near)
{
    int at = open_listener(0);
    struct far f = dial(at);
    cr_assert(wait_for(at, FAR_WAIT_MS));
    *near = accept4(at, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    cr_assert(*near >= 0);
    close(at);
    return f;
}

static bool feed(struct far f, const void *bytes, size_t len)
{
    return send(f.fd, bytes, len, MSG_NOSIGNAL) == (ssize_t)len;
}

static size_t take(struct far f, void *at, size_t room, int ms)
{
    ssize_t n = wait_for(f.fd, ms) ? recv(f.fd, at, room, MSG_DONTWAIT) : 0;
    return n > 0 ? (size_t)n : 0;
}

static bool got_fin(struct far f)
{
    char byte;
    return wait_for(f.fd, FAR_WAIT_MS) && recv(f.fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
}

static void fin(struct far f)
{
    shutdown(f.fd, SHUT_WR);
}

/* The descriptor stays, unconnected, so that let_go() closes nobody else's. */
static void reset(struct far f)
{
    const struct linger now = {.l_onoff = 1};
    int spare = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(setsockopt(f.fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
    cr_assert_eq(dup3(spare, f.fd, O_CLOEXEC), f.fd);
    close(spare);
}

static void narrow(struct far f, io_socket near)
{
    int bytes = NARROW;
    (void)setsockopt(near, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    (void)setsockopt(f.fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
}

static void let_go(struct far f)
{
    close(f.fd);
}

static size_t sockets(void)
{
    size_t count = 0;
    DIR *d = opendir("/proc/self/fd");
    cr_assert(d != NULL);
    while (readdir(d) != NULL)
        count++;
    closedir(d);
    return count;
}

bool driver_has_room(size_t count)
{
    struct rlimit limit;
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_max >= count;
}

/* The limit is the lowest number that is free. */
static void starve(io_socket s, bool on)
{
    static struct rlimit before;
    if (!on) {
        cr_assert_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
        return;
    }
    int lowest = dup(s);
    cr_assert(lowest >= 0);
    close(lowest);
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit now = {.rlim_cur = (rlim_t)lowest, .rlim_max = before.rlim_max};
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &now), 0);
}

/* What the instance waits for cannot be waited for meanwhile. */
static void deafen_epoll(const struct io *io, bool on)
{
    static int kept;
    io_socket own[IO_DESCRIPTORS];
    (void)nacre_io_epoll.descriptors(io, false, own);
    int other = on ? open("/dev/null", O_RDONLY | O_CLOEXEC) : kept;
    if (on)
        kept = fcntl(own[0], F_DUPFD_CLOEXEC, 0);
    cr_assert_eq(dup3(other, own[0], O_CLOEXEC), own[0]);
    close(other);
}

/* The far ends are the same for every back end here. */
#define FAR_ENDS                                                                                                       \
    .listener = listener, .unconnected = unconnected, .nowhere = nowhere, .nowhere_end = nowhere_end,                  \
    .silent = silent, .silent_end = silent_end, .pair = pair, .dial = dial, .accept = accept_one, .feed = feed,        \
    .take = take, .got_fin = got_fin, .fin = fin, .reset = reset, .narrow = narrow, .let_go = let_go,                  \
    .close = nacre_sock_close, .sockets = sockets, .starve = starve

static const struct driver driver_epoll = {.ops = &nacre_io_epoll, FAR_ENDS, .deafen = deafen_epoll};
static const struct driver driver_uring = {.ops = &nacre_io_uring, FAR_ENDS};
const struct driver *const system_drivers[] = {&driver_epoll, &driver_uring, NULL};
