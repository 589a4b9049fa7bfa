/* SPDX-License-Identifier: Apache-2.0 */
/* TCP without SSH: a server as small as one can be, in a child process with one thread and one set of sockets, and the
 * load in this process. What is measured is the CPU time of the child, so it contains what the kernel does for the
 * server and nothing of the load. Where there are two processors or more, the child has the lower half of them and the
 * load the upper. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/plat.h"
#include "limit.h"
#include "measured.h"
#include "net.h"
#include "ready.h"

enum {
    BUFFER = 65536,
    BULK_CONNECTIONS = 2,
    LOGIN_CONNECTIONS = 16,
    STEPS = 4,
    PATIENCE_S = 60 /* with a server of which nothing comes at all */
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
_Static_assert((size_t)LIMIT_SIZE_MAX <= sizeof buffer, "a message fits");

/* ---- the server ------------------------------------------------------------------------------------------------ */

struct served {
    struct watch watch;
    unsigned heard; /* parts of a login that have come */
    size_t got;     /* of the next one */
};

struct server {
    enum task task;
    struct ready *ready;
    struct watch listener;
    struct watch parent; /* ends when that does */
};

/* What does not fit is not sent: nothing that matters here does not. */
static void put(plat_socket s, size_t len)
{
    (void)send(s, (const void *)buffer, (sock_bytes)len, SOCK_AT_ONCE);
}

static bool accept_all(struct server *s)
{
    for (plat_socket fd; (fd = bench_net_accept(s->listener.fd)) != IO_NO_SOCKET;) {
        struct served *c = calloc(1, sizeof *c);
        if (c == NULL)
            return false;
        c->watch.fd = fd;
        (void)nacre_sock_set_nodelay(fd, true);
        if (s->task == TASK_LOGIN)
            put(fd, from_server[0]);
        if (!bench_ready_watch(s->ready, &c->watch, s->task == TASK_SOURCE ? READY_IN | READY_OUT : READY_IN))
            return false;
    }
    return true;
}

/* The client's first part is answered by what accept_all() has sent already; each later one when it is there. */
static void step(struct served *c, size_t got)
{
    c->got += got;
    while (c->heard < STEPS && c->got >= from_client[c->heard]) {
        c->got -= from_client[c->heard];
        if (c->heard != 0)
            put(c->watch.fd, from_server[c->heard]);
        c->heard++;
    }
}

static void serve(struct server *s, struct served *c, uint32_t events)
{
    if ((events & READY_OUT) != 0)
        put(c->watch.fd, BUFFER);
    if ((events & ~(uint32_t)READY_OUT) == 0)
        return;
    ptrdiff_t got = bench_net_receive(c->watch.fd, buffer, BUFFER);
    if (got > 0 && s->task == TASK_ECHO)
        put(c->watch.fd, (size_t)got);
    else if (got > 0 && s->task == TASK_LOGIN)
        step(c, (size_t)got);
    if (got > 0 || got == NET_LATER)
        return;
    bench_ready_forget(s->ready, &c->watch);
    nacre_sock_close(c->watch.fd);
    free(c);
}

/* Tells the parent where it listens. */
static bool begin_to_serve(struct server *s, const struct duty *duty)
{
    const struct sock_listen here = {.host = "127.0.0.1", .exclusive = true};
    s->task = (enum task)duty->number;
    s->parent.fd = duty->channel;
    s->ready = bench_ready_open();
    if (s->ready == NULL || nacre_sock_listen(&here, &s->listener.fd) != NACRE_OK)
        return false;
    const uint16_t port = nacre_sock_port(s->listener.fd);
    const struct span word = span_of(&port, sizeof port);
    return bench_ready_watch(s->ready, &s->listener, READY_IN) && bench_ready_watch(s->ready, &s->parent, READY_IN) &&
           bench_net_send(duty->channel, &word, 1) == sizeof port;
}

/* What it has is the system's to free: it ends with the process. */
int bench_limit_serve(const struct duty *duty, void *context)
{
    struct ready_note notes[READY_BATCH];
    struct server s = {0};
    struct processors before;
    (void)context;
    bench_processors_halve(&before, false);
    if (!begin_to_serve(&s, duty))
        return EXIT_FAILURE;
    for (;;) {
        unsigned n = bench_ready_wait(s.ready, notes, -1);
        for (unsigned i = 0; i < n; i++) {
            if (notes[i].watch == &s.parent)
                return EXIT_SUCCESS;
            if (notes[i].watch != &s.listener)
                serve(&s, CONTAINER_OF(notes[i].watch, struct served, watch), notes[i].events);
            else if (!accept_all(&s))
                return EXIT_FAILURE;
        }
    }
}

/* ---- the child ------------------------------------------------------------------------------------------------- */

struct child {
    struct process process;
    struct sockaddr_in address;
    struct processors before; /* where this process may run */
};

/* True when it listens. */
static bool hear_port(struct child *c)
{
    struct watch w = {.fd = c->process.channel};
    struct ready_note note[READY_BATCH];
    struct ready *r = bench_ready_open();
    uint16_t port = 0;
    bool heard = r != NULL && bench_ready_watch(r, &w, READY_IN) && bench_ready_wait(r, note, -1) == 1 &&
                 bench_net_receive(w.fd, &port, sizeof port) == sizeof port;
    if (r != NULL) {
        bench_ready_forget(r, &w);
        bench_ready_close(r);
    }
    c->address.sin_port = htons(port);
    return heard;
}

static void end_child(struct child *c)
{
    double seconds = 0;
    nacre_sock_close(c->process.channel); /* which it takes for the word to end */
    c->process.channel = IO_NO_SOCKET;
    (void)bench_process_finish(&c->process, &seconds);
    bench_processors_restore(&c->before);
}

static bool start_child(struct child *c, enum task task)
{
    const struct duty duty = {.job = JOB_TCP, .number = task};
    c->address = (struct sockaddr_in){.sin_family = AF_INET};
    c->address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (!bench_process_start(&c->process, &duty, bench_limit_serve, NULL))
        return false;
    bench_processors_halve(&c->before, true);
    if (hear_port(c))
        return true;
    end_child(c);
    return false;
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

/* A connection of the load, and what has come of the next answer. */
struct caller {
    struct watch watch;
    unsigned step; /* of a login */
    size_t got;
};

static bool call(const struct child *c, struct ready *r, struct caller *at, uint32_t events)
{
    *at = (struct caller){.watch.fd = bench_net_dial(&c->address)};
    return at->watch.fd != IO_NO_SOCKET && bench_ready_watch(r, &at->watch, events);
}

static void hang_up(struct ready *r, struct caller *at)
{
    bench_ready_forget(r, &at->watch);
    nacre_sock_close(at->watch.fd);
}

/* All of it: the sockets of the load wait. */
static bool say(const struct caller *at, size_t len)
{
    return send(at->watch.fd, (const void *)buffer, (sock_bytes)len, 0) > 0;
}

/* Calls `each` for whoever is ready, until the time is over and something was done. `each` gives how much was done, or
 * less than 0 when there is no going on. */
static double run_calls(struct ready *r, double seconds, int64_t (*each)(void *context, struct caller *at),
                        void *context)
{
    struct ready_note notes[READY_BATCH];
    const int64_t end = end_of(seconds);
    double done = 0;
    for (unsigned n = 1; nacre_clock_ns() < end || (done == 0 && n > 0);) {
        n = bench_ready_wait(r, notes, PATIENCE_S * INT64_C(1000000000));
        for (unsigned i = 0; i < n; i++) {
            int64_t more = each(context, CONTAINER_OF(notes[i].watch, struct caller, watch));
            if (more < 0)
                return NAN;
            done += (double)more;
        }
    }
    return done;
}

static int64_t echo_one(void *context, struct caller *at)
{
    const size_t size = *(const size_t *)context;
    ptrdiff_t part = bench_net_receive(at->watch.fd, buffer, size - at->got);
    if (part == NET_LATER)
        return 0;
    if (part <= 0)
        return -1;
    at->got += (size_t)part;
    if (at->got < size)
        return 0;
    at->got = 0;
    return say(at, size) ? 1 : -1;
}

/* Waits for the messages that are under way. */
static bool hear_all(struct caller *callers, unsigned count, size_t size)
{
    for (unsigned i = 0; i < count; i++) {
        for (struct caller *at = &callers[i]; at->got < size;) {
            ptrdiff_t part = recv(at->watch.fd, (void *)buffer, (sock_bytes)(size - at->got), 0);
            if (part <= 0)
                return false;
            at->got += (size_t)part;
        }
        callers[i].got = 0;
    }
    return true;
}

static bool say_all(const struct caller *callers, unsigned count, size_t size)
{
    for (unsigned i = 0; i < count; i++)
        if (!say(&callers[i], size))
            return false;
    return true;
}

/* A round trip on each before the first look, so that no accept() is in the figure, and as many as were begun. */
static double echo_all(const struct child *c, struct ready *r, struct caller *callers, const struct options *o,
                       double seconds)
{
    size_t size = o->size;
    unsigned count = o->connections;
    if (!say_all(callers, count, size) || !hear_all(callers, count, size))
        return NAN;
    double before = bench_process_cpu(&c->process);
    double done = say_all(callers, count, size) ? run_calls(r, seconds, echo_one, &size) : NAN;
    bool all_back = is_measured(done) && hear_all(callers, count, size);
    return all_back ? per_unit(bench_process_cpu(&c->process) - before, done + count) : NAN;
}

static double load_echo(const struct child *c, struct ready *r, const struct options *o, double seconds)
{
    struct caller *callers = calloc(o->connections, sizeof *callers);
    unsigned count = 0;
    double taken = NAN;
    if (callers == NULL)
        return NAN;
    while (count < o->connections && call(c, r, &callers[count], READY_IN))
        count++;
    if (count == o->connections)
        taken = echo_all(c, r, callers, o, seconds);
    for (unsigned i = 0; i < count; i++)
        hang_up(r, &callers[i]);
    free(callers);
    return taken;
}

static int64_t move_one(void *context, struct caller *at)
{
    const bool in = *(const bool *)context;
    const struct span all = span_of(buffer, BUFFER);
    ptrdiff_t n = in ? bench_net_send(at->watch.fd, &all, 1) : bench_net_receive(at->watch.fd, buffer, BUFFER);
    return n == NET_LATER ? 0 : n > 0 ? n : -1;
}

/* Waits until the server closes: it has taken what was sent by then, and sent what it gives. The bytes of that. */
static double wait_for_end(const struct caller *at)
{
    double bytes = 0;
    shutdown(at->watch.fd, SOCK_NO_MORE);
    for (ptrdiff_t n; (n = recv(at->watch.fd, (void *)buffer, BUFFER, 0)) > 0;)
        bytes += (double)n;
    return bytes;
}

/* Bytes to or from the server on two connections. */
static double load_bulk(const struct child *c, struct ready *r, bool in, double seconds)
{
    struct caller callers[BULK_CONNECTIONS];
    unsigned count = 0;
    double taken = NAN;
    while (count < BULK_CONNECTIONS && call(c, r, &callers[count], in ? READY_OUT : READY_IN))
        count++;
    if (count == BULK_CONNECTIONS) {
        double before = bench_process_cpu(&c->process), bytes = run_calls(r, seconds, move_one, &in);
        for (unsigned i = 0; i < count; i++)
            bytes += wait_for_end(&callers[i]);
        taken = per_unit(bench_process_cpu(&c->process) - before, bytes / 1073741824.0);
    }
    for (unsigned i = 0; i < count; i++)
        hang_up(r, &callers[i]);
    return taken;
}

struct logins {
    const struct child *child;
    struct ready *ready;
};

static bool begin_login(const struct logins *l, struct caller *at)
{
    return call(l->child, l->ready, at, READY_IN) && say(at, from_client[0]);
}

static int64_t log_in_one(void *context, struct caller *at)
{
    const struct logins *l = context;
    ptrdiff_t n = bench_net_receive(at->watch.fd, buffer, BUFFER);
    if (n == NET_LATER)
        return 0;
    if (n <= 0)
        return -1;
    at->got += (size_t)n;
    if (at->got < from_server[at->step])
        return 0;
    at->got -= from_server[at->step++];
    if (at->step < STEPS)
        return say(at, from_client[at->step]) ? 0 : -1;
    hang_up(l->ready, at);
    return begin_login(l, at) ? 1 : -1;
}

static double load_logins(const struct child *c, struct ready *r, double seconds)
{
    struct caller callers[LOGIN_CONNECTIONS];
    struct logins l = {c, r};
    unsigned count = 0;
    double taken = NAN, before = bench_process_cpu(&c->process);
    while (count < LOGIN_CONNECTIONS && begin_login(&l, &callers[count]))
        count++;
    if (count == LOGIN_CONNECTIONS) {
        double done = run_calls(r, seconds, log_in_one, &l);
        taken = per_unit(bench_process_cpu(&c->process) - before, done);
    }
    for (unsigned i = 0; i < count; i++)
        hang_up(r, &callers[i]);
    return taken;
}

static double measure_task(const struct options *o, enum task task, double seconds)
{
    struct child c;
    struct ready *r = bench_ready_open();
    double taken = NAN;
    if (r == NULL)
        return NAN;
    if (!start_child(&c, task)) {
        bench_ready_close(r);
        return NAN;
    }
    switch (task) {
    case TASK_ECHO:
        taken = load_echo(&c, r, o, seconds);
        break;
    case TASK_SINK:
    case TASK_SOURCE:
        taken = load_bulk(&c, r, task == TASK_SINK, seconds);
        break;
    case TASK_LOGIN:
        taken = load_logins(&c, r, seconds);
        break;
    }
    end_child(&c);
    bench_ready_close(r);
    return taken;
}

void bench_limit_tcp(const struct options *o, double seconds, struct limit_tcp *out)
{
    out->echo = measure_task(o, TASK_ECHO, seconds);
    out->in = measure_task(o, TASK_SINK, seconds);
    out->out = measure_task(o, TASK_SOURCE, seconds);
    out->login = measure_task(o, TASK_LOGIN, seconds);
}
