/* SPDX-License-Identifier: Apache-2.0 */
/* TCP without SSH: a server as small as one can be, in a child process with one thread and epoll, and the load in this
 * process. What is measured is the CPU time of the child, so it contains what the kernel does for the server and
 * nothing of the load. Where there are two processors or more, the child has the lower half of them and the load the
 * upper. */
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/plat.h"
#include "limit.h"

enum {
    EVENTS = 256,
    BUFFER = 65536,
    BULK_CONNECTIONS = 2,
    LOGIN_CONNECTIONS = 16,
    STEPS = 4,
    PATIENCE_MS = 5000 /* with a server of which nothing comes at all */
};

/* The bytes of an SSH login with curve25519, ed25519 and a password, as one side and the other write them: version and
 * KEXINIT; the exchange; NEWKEYS and the service; the password. */
static const size_t from_client[STEPS] = {811, 48, 52, 100}, from_server[STEPS] = {629, 512, 44, 36};

enum task {
    TASK_ECHO,
    TASK_SINK,
    TASK_SOURCE,
    TASK_LOGIN
};

static unsigned char buffer[BUFFER];

/* ---- the server ------------------------------------------------------------------------------------------------ */

struct served {
    int fd;
    unsigned heard; /* parts of a login that have come */
    size_t got;     /* of the next one */
};

struct server {
    enum task task;
    int epoll, listener;
};

static void watch(int epoll, int fd, void *at, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = at};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
}

static void set_nodelay(int fd)
{
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

static void accept_all(struct server *s)
{
    for (int fd; (fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
        struct served *c = calloc(1, sizeof *c);
        if (c == NULL)
            _exit(1);
        c->fd = fd;
        set_nodelay(fd);
        if (s->task == TASK_LOGIN)
            (void)send(fd, buffer, from_server[0], MSG_NOSIGNAL);
        watch(s->epoll, fd, c, s->task == TASK_SOURCE ? EPOLLIN | EPOLLOUT : EPOLLIN);
    }
}

/* The client's first part is answered by what accept_all() has sent already; each later one when it is there. */
static void step(struct served *c, size_t got)
{
    c->got += got;
    while (c->heard < STEPS && c->got >= from_client[c->heard]) {
        c->got -= from_client[c->heard];
        if (c->heard != 0)
            (void)send(c->fd, buffer, from_server[c->heard], MSG_NOSIGNAL);
        c->heard++;
    }
}

static void serve(struct server *s, struct served *c, uint32_t events)
{
    if ((events & EPOLLOUT) != 0)
        (void)send(c->fd, buffer, BUFFER, MSG_NOSIGNAL);
    if ((events & ~(uint32_t)EPOLLOUT) == 0)
        return;
    ssize_t got = recv(c->fd, buffer, BUFFER, 0);
    if (got > 0 && s->task == TASK_ECHO)
        (void)send(c->fd, buffer, (size_t)got, MSG_NOSIGNAL);
    else if (got > 0 && s->task == TASK_LOGIN)
        step(c, (size_t)got);
    if (got > 0 || (got < 0 && errno == EAGAIN))
        return;
    close(c->fd);
    free(c);
}

static void run_server(enum task task, int listener)
{
    struct epoll_event events[EVENTS];
    struct server s = {.task = task, .epoll = epoll_create1(EPOLL_CLOEXEC), .listener = listener};
    watch(s.epoll, listener, NULL, EPOLLIN);
    for (;;) {
        int n = epoll_wait(s.epoll, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr == NULL)
                accept_all(&s);
            else
                serve(&s, events[i].data.ptr, events[i].events);
        }
    }
}

/* ---- the child ------------------------------------------------------------------------------------------------- */

struct child {
    pid_t pid;
    struct sockaddr_in address;
    cpu_set_t before; /* where this process may run */
};

/* Half of the processors that this process may use. */
static void take_half(const cpu_set_t *all, bool upper)
{
    cpu_set_t half;
    int count = CPU_COUNT(all), seen = 0;
    CPU_ZERO(&half);
    for (int i = 0; i < CPU_SETSIZE; i++) {
        if (!CPU_ISSET((size_t)i, all))
            continue;
        if ((seen++ < count / 2) != upper)
            CPU_SET((size_t)i, &half);
    }
    if (count >= 2)
        sched_setaffinity(0, sizeof half, &half);
}

static bool start_child(struct child *c, enum task task)
{
    socklen_t len = sizeof c->address;
    pid_t parent = getpid();
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    c->address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    bool ok = listener >= 0 && sched_getaffinity(0, sizeof c->before, &c->before) == 0 &&
              bind(listener, (struct sockaddr *)&c->address, sizeof c->address) == 0 &&
              listen(listener, SOMAXCONN) == 0 && getsockname(listener, (struct sockaddr *)&c->address, &len) == 0;
    c->pid = ok ? fork() : -1;
    if (c->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(1);
        take_half(&c->before, false);
        run_server(task, listener);
    }
    if (listener >= 0)
        close(listener);
    if (c->pid > 0)
        take_half(&c->before, true);
    return c->pid > 0;
}

static void end_child(struct child *c)
{
    kill(c->pid, SIGKILL);
    while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    sched_setaffinity(0, sizeof c->before, &c->before);
}

/* The child's user and system time, in nanoseconds' steps. */
static double child_cpu(const struct child *c)
{
    clockid_t clock;
    struct timespec t;
    if (clock_getcpuclockid(c->pid, &clock) != 0 || clock_gettime(clock, &t) != 0)
        return NAN;
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int connect_to(const struct child *c, int flags)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    if (fd < 0)
        return -1;
    set_nodelay(fd);
    if (connect(fd, (const struct sockaddr *)&c->address, sizeof c->address) == 0 || errno == EINPROGRESS)
        return fd;
    close(fd);
    return -1;
}

static int64_t end_of(double seconds)
{
    return nacre_clock_ns() + (int64_t)(seconds * 1e9);
}

static double per_unit(double seconds, double units)
{
    return units > 0 ? seconds / units : NAN;
}

/* ---- the loads ------------------------------------------------------------------------------------------------- */

static double load_echo(const struct child *c, const struct options *o, double seconds)
{
    struct epoll_event events[EVENTS];
    size_t size = o->size < BUFFER ? o->size : BUFFER;
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    uint64_t done = 0;
    size_t *got = calloc(o->connections, sizeof *got);
    int *fds = calloc(o->connections, sizeof *fds);
    if (got == NULL || fds == NULL)
        return NAN;
    for (unsigned i = 0; i < o->connections; i++) {
        fds[i] = connect_to(c, 0);
        struct epoll_event e = {.events = EPOLLIN, .data.u32 = i};
        if (fds[i] < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &e) != 0)
            return NAN;
    }
    double before = child_cpu(c);
    for (unsigned i = 0; i < o->connections; i++)
        (void)send(fds[i], buffer, size, MSG_NOSIGNAL);
    const int64_t end = end_of(seconds);
    for (int n = 1; nacre_clock_ns() < end || (done == 0 && n > 0);) {
        n = epoll_wait(epoll, events, EVENTS, PATIENCE_MS);
        for (int k = 0; k < n; k++) {
            unsigned i = events[k].data.u32;
            ssize_t part = recv(fds[i], buffer, size - got[i], MSG_DONTWAIT);
            got[i] += part > 0 ? (size_t)part : 0;
            if (got[i] < size)
                continue;
            got[i] = 0;
            done++;
            (void)send(fds[i], buffer, size, MSG_NOSIGNAL);
        }
    }
    double taken = per_unit(child_cpu(c) - before, (double)done);
    for (unsigned i = 0; i < o->connections; i++)
        close(fds[i]);
    close(epoll);
    free(got);
    free(fds);
    return taken;
}

/* Bytes to or from the server on two connections. What was sent has been taken when the server closes. */
static double load_bulk(const struct child *c, bool in, double seconds)
{
    struct pollfd polled[BULK_CONNECTIONS];
    uint64_t bytes = 0;
    for (unsigned i = 0; i < BULK_CONNECTIONS; i++)
        polled[i] = (struct pollfd){.fd = connect_to(c, 0), .events = in ? POLLOUT : POLLIN};
    double before = child_cpu(c);
    const int64_t end = end_of(seconds);
    while ((nacre_clock_ns() < end || bytes == 0) && poll(polled, BULK_CONNECTIONS, PATIENCE_MS) > 0) {
        for (unsigned i = 0; i < BULK_CONNECTIONS; i++) {
            if (polled[i].revents == 0)
                continue;
            ssize_t n = in ? send(polled[i].fd, buffer, BUFFER, MSG_DONTWAIT | MSG_NOSIGNAL)
                           : recv(polled[i].fd, buffer, BUFFER, MSG_DONTWAIT);
            if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
                return NAN;
            bytes += n > 0 ? (uint64_t)n : 0;
        }
    }
    for (unsigned i = 0; in && i < BULK_CONNECTIONS; i++) {
        shutdown(polled[i].fd, SHUT_WR);
        (void)recv(polled[i].fd, buffer, BUFFER, 0);
    }
    double taken = child_cpu(c) - before;
    for (unsigned i = 0; i < BULK_CONNECTIONS; i++)
        close(polled[i].fd);
    return per_unit(taken, (double)bytes / 1073741824.0);
}

struct login {
    int fd;
    unsigned step;
    size_t got;
};

static bool begin_login(const struct child *c, int epoll, struct login *l)
{
    *l = (struct login){.fd = connect_to(c, 0)};
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = l};
    return l->fd >= 0 && send(l->fd, buffer, from_client[0], MSG_NOSIGNAL) > 0 &&
           epoll_ctl(epoll, EPOLL_CTL_ADD, l->fd, &e) == 0;
}

/* True when the server's last part is there. */
static bool go_on(struct login *l)
{
    ssize_t n = recv(l->fd, buffer, BUFFER, MSG_DONTWAIT);
    l->got += n > 0 ? (size_t)n : 0;
    if (l->got < from_server[l->step])
        return false;
    l->got -= from_server[l->step++];
    if (l->step < STEPS)
        (void)send(l->fd, buffer, from_client[l->step], MSG_NOSIGNAL);
    return l->step == STEPS;
}

static double load_logins(const struct child *c, double seconds)
{
    struct login logins[LOGIN_CONNECTIONS];
    struct epoll_event events[EVENTS];
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    uint64_t done = 0;
    double before = child_cpu(c);
    for (unsigned i = 0; i < LOGIN_CONNECTIONS; i++) {
        if (!begin_login(c, epoll, &logins[i]))
            return NAN;
    }
    const int64_t end = end_of(seconds);
    for (int n = 1; nacre_clock_ns() < end || (done == 0 && n > 0);) {
        n = epoll_wait(epoll, events, EVENTS, PATIENCE_MS);
        for (int k = 0; k < n; k++) {
            struct login *l = events[k].data.ptr;
            if (!go_on(l))
                continue;
            done++;
            close(l->fd);
            if (!begin_login(c, epoll, l))
                return NAN;
        }
    }
    double taken = per_unit(child_cpu(c) - before, (double)done);
    for (unsigned i = 0; i < LOGIN_CONNECTIONS; i++)
        close(logins[i].fd);
    close(epoll);
    return taken;
}

static double measure_task(const struct options *o, enum task task, double seconds)
{
    struct child c;
    double taken = NAN;
    if (!start_child(&c, task))
        return NAN;
    switch (task) {
    case TASK_ECHO:
        taken = load_echo(&c, o, seconds);
        break;
    case TASK_SINK:
    case TASK_SOURCE:
        taken = load_bulk(&c, task == TASK_SINK, seconds);
        break;
    case TASK_LOGIN:
        taken = load_logins(&c, seconds);
        break;
    }
    end_child(&c);
    return taken;
}

void bench_limit_tcp(const struct options *o, double seconds, struct limit_tcp *out)
{
    out->echo = measure_task(o, TASK_ECHO, seconds);
    out->in = measure_task(o, TASK_SINK, seconds);
    out->out = measure_task(o, TASK_SOURCE, seconds);
    out->login = measure_task(o, TASK_LOGIN, seconds);
}
