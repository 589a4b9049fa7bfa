/* SPDX-License-Identifier: Apache-2.0 */
/* More connections than the hard limit of open files: workers with descriptor tables of their own, what is in them, and
 * what the application notices of it. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "class/tunnels.h"
#include "engine/server.h"

enum {
    HARD = 256,
    MANY = 4 * HARD,
    PEAK = 4000, /* connections whose memory is looked for */
    THREADS_MAX = 64,
};

static void limit_to(rlim_t hard)
{
    struct rlimit limit = {.rlim_cur = hard, .rlim_max = hard};
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0, "%s", strerror(errno));
}

/* A server with so few descriptors that its workers have tables of their own. */
static struct server *small_server(int connections)
{
#if defined(__SANITIZE_THREAD__)
    cr_skip_test("ThreadSanitizer takes a descriptor's number as one of the whole process");
#endif
    struct server *s = server_new();
    char setting[64];
    limit_to(HARD);
    (void)snprintf(setting, sizeof setting, "MaxConnections=%d", connections);
    server_set(s, setting);
    server_set(s, "WorkerThreads=2");
    server_set(s, "LoginGraceTime=0");
    s->echo = true;
    return s;
}

/* ---- counting -------------------------------------------------------------------------------------------------- */

static unsigned entries(const char *path)
{
    unsigned count = 0;
    DIR *d = opendir(path);
    if (d == NULL)
        return 0;
    for (const struct dirent *e; (e = readdir(d)) != NULL;)
        count += e->d_name[0] != '.';
    closedir(d);
    return count;
}

/* Descriptors of all threads' tables together, and the largest; *threads is how many there are. */
static unsigned all_descriptors(unsigned *largest, unsigned *threads)
{
    unsigned sum = 0;
    DIR *d = opendir("/proc/self/task");
    *largest = 0;
    *threads = 0;
    for (const struct dirent *e; d != NULL && (e = readdir(d)) != NULL;) {
        char path[64];
        if (e->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof path, "/proc/self/task/%.20s/fd", e->d_name);
        unsigned count = entries(path);
        sum += count;
        *largest = count > *largest ? count : *largest;
        ++*threads;
    }
    if (d != NULL)
        closedir(d);
    return sum;
}

/* ---- many clients, in a process of their own ------------------------------------------------------------------- */

static int dial(int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&to, sizeof to) == 0)
        return fd;
    close(fd);
    return -1;
}

/* Receives until `bytes` have come or, 0, until the end. False: it did not in time. */
static bool hear(int fd, size_t bytes)
{
    char buffer[4096];
    struct pollfd p = {.fd = fd, .events = POLLIN};
    for (size_t got = 0; bytes == 0 || got < bytes;) {
        if (poll(&p, 1, CLIENT_WAIT_MS) != 1)
            return false;
        ssize_t n = recv(fd, buffer, bytes == 0 ? sizeof buffer : bytes - got, 0);
        if (n <= 0)
            return bytes == 0;
        got += (size_t)n;
    }
    return true;
}

/* Every one is greeted; all are held until the other side says go; then each speaks, badly, and is answered by the end.
 */
static bool hold_many(int port, int count, int out, int in)
{
    static const char speech[] = "SSH-2.0-many\r\n\xff\xff\xff\xff\xff\xff\xff\xff";
    static int fds[PEAK];
    char byte = 'h';
    for (int i = 0; i < count; i++) {
        fds[i] = dial(port);
        if (fds[i] < 0 || !hear(fds[i], 8))
            return false;
    }
    if (write(out, &byte, 1) != 1 || read(in, &byte, 1) != 1)
        return false;
    for (int i = 0; i < count; i++)
        if (send(fds[i], speech, sizeof speech - 1, MSG_NOSIGNAL) < 0 || !hear(fds[i], 0))
            return false;
    return true;
}

struct crowd {
    pid_t pid;
    int to, from;
};

/* Starts before the limit is lowered, since it needs more than that. */
static struct crowd crowd_new(int count)
{
    int there[2], back[2], port;
    cr_assert_eq(pipe(there), 0);
    cr_assert_eq(pipe(back), 0);
    struct crowd c = {.pid = fork(), .to = there[1], .from = back[0]};
    cr_assert_geq(c.pid, 0);
    if (c.pid == 0) {
        struct rlimit limit;
        close(there[1]);
        close(back[0]);
        if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
            limit.rlim_cur = limit.rlim_max;
            (void)setrlimit(RLIMIT_NOFILE, &limit);
        }
        bool got = read(there[0], &port, sizeof port) == sizeof port;
        _exit(got && hold_many(port, count, back[1], there[0]) ? 0 : 1);
    }
    close(there[0]);
    close(back[1]);
    return c;
}

static bool hard_limit_allows(rlim_t need)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_max >= need;
}

Test(class_descriptors, four_times_the_hard_limit_of_connections_are_held_and_answered, .timeout = 240)
{
    char byte;
    int status = -1, count = 0;
    unsigned largest, threads;
    if (!hard_limit_allows(MANY + 32))
        cr_skip_test("the clients need more descriptors than they may have");
    struct crowd crowd = crowd_new(MANY);
    struct server *s = small_server(MANY);
    server_start(s, 1);
    cr_expect_gt(atomic_load(&s->nacre->shard_count), 4U, "as many workers as the limit asks for");
    cr_assert_eq(write(crowd.to, &s->port, sizeof s->port), (ssize_t)sizeof s->port);
    cr_assert_eq(read(crowd.from, &byte, 1), 1, "not all were greeted");
    cr_expect_eq(nacre_get_ssh_connection_count(s->nacre, &count), 0);
    cr_expect_eq(count, MANY);
    cr_expect_gt(all_descriptors(&largest, &threads), (unsigned)MANY);
    cr_expect_leq(largest, (unsigned)HARD);
    cr_expect_lt(entries("/proc/self/fd"), 128U, "the application's table holds no connection");
    cr_assert_eq(write(crowd.to, &byte, 1), 1);
    cr_assert_eq(waitpid(crowd.pid, &status, 0), crowd.pid);
    cr_expect_eq(status, 0, "not all were answered");
    cr_expect(server_wait_empty(s));
    server_free(s);
}

/* Whether all that libraries write messages to is an epoll descriptor, which takes none. */
static bool is_deaf(const char *task)
{
    static const char epoll[] = "anon_inode:[eventpoll]";
    bool deaf = true;
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        char path[64], link[64];
        (void)snprintf(path, sizeof path, "/proc/self/task/%.20s/fd/%d", task, fd);
        ssize_t n = readlink(path, link, sizeof link);
        deaf = deaf && n == (ssize_t)sizeof epoll - 1 && memcmp(link, epoll, sizeof epoll - 1) == 0;
    }
    return deaf;
}

/* Fails when they are the application's handle, which would be readable for ever with nothing to be done. */
Test(class_descriptors, nothing_hears_what_libraries_write_on_a_worker)
{
    struct server *s = small_server(MANY);
    unsigned deaf = 0;
    server_start(s, 1);
    DIR *d = opendir("/proc/self/task");
    cr_assert_not_null(d);
    for (const struct dirent *e; (e = readdir(d)) != NULL;)
        deaf += e->d_name[0] != '.' && is_deaf(e->d_name);
    closedir(d);
    cr_expect_eq(deaf, atomic_load(&s->nacre->shard_count));
    server_free(s);
}

/* What many workers live on counts as well: here they would leave too little of a table that they share. */
Test(class_descriptors, many_workers_leave_room_for_every_connection, .timeout = 240)
{
    const int count = HARD - 64 - 8;
    char byte;
    int status = -1;
    if (!hard_limit_allows(HARD))
        cr_skip_test("the clients need more descriptors than they may have");
    struct crowd crowd = crowd_new(count);
    struct server *s = small_server(count);
    server_set(s, "WorkerThreads=24");
    server_start(s, 1);
    cr_assert_eq(write(crowd.to, &s->port, sizeof s->port), (ssize_t)sizeof s->port);
    cr_assert_eq(read(crowd.from, &byte, 1), 1, "not all were greeted");
    cr_assert_eq(write(crowd.to, &byte, 1), 1);
    cr_assert_eq(waitpid(crowd.pid, &status, 0), crowd.pid);
    cr_expect_eq(status, 0, "not all were answered");
    server_free(s);
}

static void let_tunnels(nacre_server *n, struct nacre_ssh_tunnel_requested *e, void *context)
{
    (void)n;
    (void)context;
    e->accept = true;
}

/* However many tunnels one connection asks for: their sockets have what is left, and some of what is beside. */
Test(class_descriptors, r29_tunnels_leave_to_connections_what_they_were_promised, .timeout = 240)
{
    enum {
        CONNECTIONS = 20,
        LEFT = 12,
        ASKED = 60
    };
    struct client c, later;
    int port, far = tunnels_listen_tcp(AF_INET, &port), opened = 0, channel;
    cr_assert_eq(listen(far, ASKED), 0);
    struct server *s = server_new();
    limit_to(CONNECTIONS + 64 + 4 + LEFT);
    s->handlers.on_ssh_tunnel_requested = let_tunnels;
    server_set(s, "MaxConnections=20");
    server_set(s, "WorkerThreads=1");
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
    for (int i = 0; i < ASKED; i++)
        opened += tunnels_open(&c, "direct-tcpip", "127.0.0.1", port, &channel) ? 1 : 0;
    cr_expect_eq(opened, LEFT + 32);
    cr_expect(client_start(&later, s->port), "a connection has what it was promised");
    cr_assert_eq(nacre_chan_close(c.conn, 0, nacre_clock_ns()), NACRE_OK);
    cr_assert(client_wait(&c, &c.channels[0].closed));
    cr_expect(tunnels_open(&c, "direct-tcpip", "127.0.0.1", port, &channel), "there is room again");
    client_free(&later);
    client_free(&c);
    close(far);
    server_free(s);
}

/* io_uring's tables are the kernel's own: nothing of the process's is needed, and no worker leaves its table. */
Test(class_descriptors, io_uring_holds_them_in_tables_of_its_own, .timeout = 240)
{
    char byte;
    int status = -1, count = 0;
    const char *why_not = "the clients need more descriptors than they may have";
    if (!hard_limit_allows(MANY + 32) || !nacre_io_uring.usable(&why_not))
        cr_skip_test("%s", why_not);
    struct crowd crowd = crowd_new(MANY);
    struct server *s = small_server(MANY);
    server_set(s, "UseIOCP=True");
    server_start(s, 1);
    cr_expect_eq(atomic_load(&s->nacre->shard_count), 4U, "as many workers as the limit asks for");
    cr_assert_eq(write(crowd.to, &s->port, sizeof s->port), (ssize_t)sizeof s->port);
    cr_assert_eq(read(crowd.from, &byte, 1), 1, "not all were greeted");
    cr_expect_eq(nacre_get_ssh_connection_count(s->nacre, &count), 0);
    cr_expect_eq(count, MANY);
    cr_expect_lt(entries("/proc/self/fd"), 64U, "the process's table holds next to no connection");
    cr_assert_eq(write(crowd.to, &byte, 1), 1);
    cr_assert_eq(waitpid(crowd.pid, &status, 0), crowd.pid);
    cr_expect_eq(status, 0, "not all were answered");
    cr_expect(server_wait_empty(s));
    server_free(s);
}

/* ---- what the application notices ------------------------------------------------------------------------------ */

/* Under a name that is this test's alone: a port that is given up may be another program's at once. */
static struct sockaddr_un own_name(int number)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    (void)snprintf(a.sun_path + 1, sizeof a.sun_path - 1, "nacre-test-%d-%d", (int)getpid(), number);
    return a;
}

static int listen_as(int number)
{
    const struct sockaddr_un a = own_name(number);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(fd, (const struct sockaddr *)&a, sizeof a), 0);
    cr_assert_eq(listen(fd, 4), 0);
    return fd;
}

static bool is_listened_on(int number)
{
    const struct sockaddr_un a = own_name(number);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is = connect(fd, (const struct sockaddr *)&a, sizeof a) == 0;
    close(fd);
    return is;
}

static void expect_closing_closes(int listener, int number, const int ends[2])
{
    char byte;
    cr_assert(is_listened_on(number));
    cr_assert_eq(close(listener), 0);
    cr_expect_not(is_listened_on(number), "somebody still listens");
    cr_assert_eq(close(ends[1]), 0);
    cr_expect_eq(read(ends[0], &byte, 1), 0, "somebody still has the pipe's other end: %s", strerror(errno));
    close(ends[0]);
}

Test(class_descriptors, what_the_application_closes_is_closed, .timeout = 240)
{
    int before[2], after[2], before_listener = listen_as(0);
    cr_assert_eq(pipe2(before, O_NONBLOCK), 0);
    struct server *s = small_server(MANY);
    server_start(s, 1);
    int after_listener = listen_as(1);
    cr_assert_eq(pipe2(after, O_NONBLOCK), 0);
    expect_closing_closes(before_listener, 0, before);
    expect_closing_closes(after_listener, 1, after);
    server_free(s);
}

/* A child that the application forks holds no connection open. */
Test(class_descriptors, a_forked_process_has_no_connection, .timeout = 240)
{
    struct server *s = small_server(MANY);
    struct client c;
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
    unsigned own = entries("/proc/self/fd");
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        char byte;
        close(ends[1]);
        (void)!read(ends[0], &byte, 1);
        _exit(0);
    }
    close(ends[0]);
    cr_expect_eq(entries("/proc/self/fd"), own + 1);
    cr_assert_eq(nacre_shutdown(s->nacre), 0);
    cr_expect(client_wait_end(&c));
    close(ends[1]);
    cr_assert_eq(waitpid(pid, NULL, 0), pid);
    client_free(&c);
    server_free(s);
}

/* ---- starting and stopping ------------------------------------------------------------------------------------- */

/* Whether a server that has stopped still takes connections. The port may be another program's by now. */
static bool still_listens(struct server *s)
{
    int count = 0, fd = dial(s->port);
    if (fd < 0)
        return false;
    (void)hear(fd, 8);
    cr_assert_eq(nacre_get_ssh_connection_count(s->nacre, &count), 0);
    close(fd);
    return count != 0;
}

static void start_and_stop_many_times(bool exclusive)
{
    unsigned largest, threads;
    struct server *s = small_server(MANY);
    struct client c;
    server_set(s, exclusive ? "BindExclusively=True" : "BindExclusively=False");
    server_start(s, 1);
    unsigned before = all_descriptors(&largest, &threads);
    cr_expect_lt(threads, (unsigned)THREADS_MAX);
    for (int i = 0; i < 20; i++) {
        cr_assert_eq(nacre_stop_listening(s->nacre), 0);
        cr_expect_not(still_listens(s), "the port is still there");
        cr_assert_eq(nacre_set_local_port(s->nacre, 0), 0);
        cr_assert_eq(nacre_start_listening(s->nacre), 0, "%s", nacre_last_error(s->nacre));
        cr_assert_eq(nacre_get_local_port(s->nacre, &s->port), 0);
        cr_assert(client_start(&c, s->port));
        int ch = client_open(&c, "session");
        cr_assert(client_send(&c, ch, "there?", 6));
        cr_assert(client_wait_count(&c, &c.channels[ch].received, 6));
        client_free(&c);
        cr_assert(server_wait_empty(s));
    }
    cr_expect_eq(all_descriptors(&largest, &threads), before);
    server_free(s);
}

Test(class_descriptors, starting_and_stopping_leaves_no_descriptor_in_any_table, .timeout = 240)
{
    start_and_stop_many_times(true);
}

Test(class_descriptors, sockets_of_each_worker_are_left_by_none_either, .timeout = 240)
{
    start_and_stop_many_times(false);
}

Test(class_descriptors, freeing_the_server_leaves_nothing, .timeout = 240)
{
    unsigned before = entries("/proc/self/fd");
    struct server *s = small_server(MANY);
    server_start(s, 1);
    server_free(s);
    cr_expect_eq(entries("/proc/self/fd"), before);
}

/* ---- what cannot be -------------------------------------------------------------------------------------------- */

Test(class_descriptors, connections_that_no_number_of_workers_can_hold_are_refused_at_the_start)
{
    struct server *s = server_new();
    limit_to(100);
    server_set(s, "WorkerThreads=1");
    server_set(s, "MaxConnections=100000");
    cr_expect_eq(nacre_start_listening(s->nacre), NACRE_E_MFILE);
    const char *text = nacre_last_error(s->nacre);
    cr_expect(strstr(text, "MaxConnections=100000") != NULL && strstr(text, "LimitNOFILE") != NULL, "%s", text);
    server_set(s, "MaxConnections=30");
    cr_expect_eq(nacre_start_listening(s->nacre), 0, "%s", nacre_last_error(s->nacre));
    cr_expect_eq(nacre_stop_listening(s->nacre), 0);
    server_set(s, "MaxConnections=50");
    cr_expect_eq(nacre_start_listening(s->nacre), NACRE_E_MFILE, "workers that share a table cannot leave it later");
    server_free(s);
}

Test(class_descriptors, workers_that_stand_do_not_take_more_than_they_can_hold)
{
    struct server *s = small_server(MANY);
    server_start(s, 1);
    cr_assert_eq(nacre_stop_listening(s->nacre), 0);
    server_set(s, "MaxConnections=2000");
    cr_expect_eq(nacre_start_listening(s->nacre), NACRE_E_MFILE);
    cr_expect_neq(strstr(nacre_last_error(s->nacre), "MaxConnections=2000"), NULL);
    server_set(s, "MaxConnections=1000");
    cr_expect_eq(nacre_start_listening(s->nacre), 0, "%s", nacre_last_error(s->nacre));
    server_free(s);
}

/* The soft limit is raised for MaxConnections and as many tunnels, and only as far. */
Test(class_descriptors, the_soft_limit_is_raised_as_far_as_max_connections_need)
{
    struct rlimit limit = {.rlim_cur = 128, .rlim_max = 4000};
    struct server *s = server_new();
    server_set(s, "MaxConnections=500");
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    cr_assert_eq(nacre_start_listening(s->nacre), 0, "%s", nacre_last_error(s->nacre));
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    cr_expect_geq(limit.rlim_cur, 2 * 500, "as many tunnels beside them");
    cr_expect_lt(limit.rlim_cur, 2 * 1000);
    unsigned cpus = nacre_cpu_count();
    cr_expect_eq(atomic_load(&s->nacre->shard_count), cpus, "no more workers than the processors ask for");
    rlim_t tunnels = (rlim_t)s->nacre->plan.tunnels * cpus;
    cr_assert_eq(nacre_stop_listening(s->nacre), 0);
    server_set(s, "MaxConnections=1500");
    cr_assert_eq(nacre_start_listening(s->nacre), 0, "%s", nacre_last_error(s->nacre));
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    cr_expect_geq(limit.rlim_cur, 1500 + tunnels, "beside those that workers may have already");
    server_free(s);
}

/* ---- memory ---------------------------------------------------------------------------------------------------- */

static size_t resident_bytes(void)
{
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f == NULL || fscanf(f, "%*s %lu", &pages) != 1)
        pages = 0;
    if (f != NULL)
        fclose(f);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static bool falls_below(size_t bytes)
{
    for (int i = 0; i < CLIENT_WAIT_MS / 50 && resident_bytes() > bytes; i++)
        usleep(50 * 1000);
    return resident_bytes() <= bytes;
}

/* The sanitizers keep freed memory for themselves. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static const bool memory_is_watched = true;
#else
static const bool memory_is_watched = false;
#endif

Test(class_descriptors, memory_goes_back_when_a_peak_is_over, .timeout = 240)
{
    char byte;
    int status = -1;
    struct client c;
    if (memory_is_watched || !hard_limit_allows(PEAK + 128))
        cr_skip_test("memory or descriptors are not ours here");
    struct crowd crowd = crowd_new(PEAK);
    struct server *s = server_new();
    server_set(s, "MaxConnections=4001");
    server_set(s, "WorkerThreads=2");
    server_set(s, "LoginGraceTime=0");
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
    size_t before = resident_bytes();
    cr_assert_eq(write(crowd.to, &s->port, sizeof s->port), (ssize_t)sizeof s->port);
    cr_assert_eq(read(crowd.from, &byte, 1), 1, "not all were greeted");
    size_t growth = resident_bytes() - before;
    cr_assert_gt(growth, (size_t)PEAK * 1024, "there is nothing to give back");
    cr_assert_eq(write(crowd.to, &byte, 1), 1);
    cr_assert_eq(waitpid(crowd.pid, &status, 0), crowd.pid);
    cr_expect_eq(status, 0);
    cr_expect(falls_below(before + growth / 2), "%zu before, %zu more at the peak, %zu now", before, growth,
              resident_bytes());
    client_free(&c);
    server_free(s);
}

/* ---- who gets a connection ------------------------------------------------------------------------------------- */

static void expect_even(struct server *s, unsigned clients)
{
    int fds[96];
    unsigned count = atomic_load(&s->nacre->shard_count);
    cr_assert_leq(clients, sizeof fds / sizeof *fds);
    for (unsigned i = 0; i < clients; i++) {
        fds[i] = dial(s->port);
        cr_assert(fds[i] >= 0 && hear(fds[i], 8));
    }
    for (unsigned i = 0; i < count; i++) {
        unsigned load = atomic_load(&s->nacre->shards[i].load);
        cr_expect_leq(load, clients / count + clients / count / 8 + 9, "worker %u has %u of %u", i, load, clients);
    }
    for (unsigned i = 0; i < clients; i++)
        close(fds[i]);
    cr_expect(server_wait_empty(s));
    for (unsigned i = 0; i < count; i++)
        cr_expect_eq(atomic_load(&s->nacre->shards[i].load), 0U);
}

Test(class_descriptors, connections_that_come_one_by_one_are_spread_over_the_workers, .timeout = 240)
{
    struct server *s = server_new();
    server_set(s, "WorkerThreads=4");
    server_start(s, 1);
    expect_even(s, 96);
    server_free(s);
}

Test(class_descriptors, they_are_spread_over_tables_too, .timeout = 240)
{
    struct server *s = small_server(MANY);
    server_start(s, 1);
    expect_even(s, 96);
    server_free(s);
}
