/* SPDX-License-Identifier: Apache-2.0 */
/* A relay that holds back what passes through it: a path of some length where the kernel has no netem.
 *
 *     nacre-bench-relay PORT TARGET-PORT MILLISECONDS BYTES
 *
 * Both ports on 127.0.0.1; 0 takes a free one, and the line that says so is the only output. Each way holds a byte for
 * the given time, and at most BYTES of them, so a connection alone gets BYTES in each MILLISECONDS: that is the rate
 * and the buffer of the path. Ends when its standard input does. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum {
    PAIRS_MAX = 64,
    MARKS = 4096, /* a way: what came in one moment has one */
    MOMENT_NS = 200 * 1000,
    BYTES_MIN = 4096,
    BYTES_MAX = 1 << 28,
    DELAY_MAX = 60000
};

/* What came until `end`, counted from the first byte of the way, may go on at `due_ns`. */
struct mark {
    uint64_t end;
    int64_t due_ns;
};

struct way {
    int from, to;
    uint8_t *ring;
    uint64_t in, out; /* bytes that came and went so far */
    struct mark marks[MARKS];
    uint32_t first, count;
    bool ended, shut, full; /* nothing more comes; said so to the other side; the other side takes nothing now */
    int64_t end_due_ns;
};

struct pair {
    struct way there, back;
};

static struct {
    int listener;
    uint16_t target;
    int64_t delay_ns, moment_ns; /* what comes within a moment goes on together */
    uint64_t bytes;
    struct pair *pairs[PAIRS_MAX];
} relay;

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* ---- one way --------------------------------------------------------------------------------------------------- */

/* The bytes from `start` to `end` in the ring: one piece or two. */
static int pieces(const struct way *w, uint64_t start, uint64_t end, struct iovec v[2])
{
    uint64_t at = start % relay.bytes, len = end - start;
    uint64_t first = relay.bytes - at < len ? relay.bytes - at : len;
    v[0] = (struct iovec){w->ring + at, first};
    v[1] = (struct iovec){w->ring, len - first};
    return first == len ? 1 : 2;
}

static bool wants_more(const struct way *w)
{
    return !w->ended && w->in - w->out < relay.bytes;
}

static void mark(struct way *w, int64_t now)
{
    struct mark *last = &w->marks[(w->first + w->count + MARKS - 1) % MARKS];
    int64_t due = now + relay.delay_ns;
    due += relay.moment_ns - due % relay.moment_ns; /* late by a moment rather than early */
    bool joins = w->count != 0 && (last->due_ns == due || w->count == MARKS);
    if (!joins)
        w->count++;
    w->marks[(w->first + w->count - 1) % MARKS] = (struct mark){w->in, due};
}

/* False: the connection broke. */
static bool way_read(struct way *w, int64_t now)
{
    struct iovec v[2];
    int n = pieces(w, w->in, w->out + relay.bytes, v);
    ssize_t got = readv(w->from, v, n);
    if (got > 0) {
        w->in += (uint64_t)got;
        mark(w, now);
    }
    if (got == 0) {
        w->ended = true;
        w->end_due_ns = now + relay.delay_ns;
    }
    return got >= 0 || errno == EAGAIN || errno == EINTR;
}

/* How far bytes may go by now. */
static uint64_t due_until(struct way *w, int64_t now)
{
    uint64_t end = w->out;
    for (uint32_t i = 0; i < w->count; i++) {
        const struct mark *m = &w->marks[(w->first + i) % MARKS];
        if (m->due_ns > now)
            break;
        end = m->end;
    }
    return end;
}

static void forget_marks(struct way *w)
{
    while (w->count != 0 && w->marks[w->first].end <= w->out) {
        w->first = (w->first + 1) % MARKS;
        w->count--;
    }
}

static bool way_write(struct way *w, int64_t now)
{
    uint64_t end = due_until(w, now);
    w->full = false;
    if (end != w->out) {
        struct iovec v[2];
        int n = pieces(w, w->out, end, v);
        struct msghdr m = {.msg_iov = v, .msg_iovlen = (size_t)n};
        ssize_t put = sendmsg(w->to, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (put < 0 && errno != EAGAIN && errno != EINTR)
            return false;
        w->out += put < 0 ? 0 : (uint64_t)put;
        w->full = w->out != end;
        forget_marks(w);
    }
    if (w->ended && !w->shut && w->out == w->in && w->end_due_ns <= now) {
        (void)shutdown(w->to, SHUT_WR);
        w->shut = true;
    }
    return true;
}

/* When this way has something to do that no descriptor says. */
static int64_t way_due(const struct way *w)
{
    if (w->count != 0 && !w->full)
        return w->marks[w->first].due_ns;
    return w->ended && !w->shut && w->count == 0 ? w->end_due_ns : INT64_MAX;
}

/* ---- pairs ----------------------------------------------------------------------------------------------------- */

static void pair_free(struct pair *p)
{
    if (p == NULL)
        return;
    close(p->there.from);
    close(p->there.to);
    free(p->there.ring);
    free(p->back.ring);
    free(p);
}

static int connect_target(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(relay.target)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static struct pair *pair_new(int client, int server)
{
    struct pair *p = calloc(1, sizeof *p);
    int one = 1;
    if (p == NULL)
        return NULL;
    p->there = (struct way){.from = client, .to = server, .ring = malloc(relay.bytes)};
    p->back = (struct way){.from = server, .to = client, .ring = malloc(relay.bytes)};
    (void)setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    (void)setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (p->there.ring != NULL && p->back.ring != NULL)
        return p;
    free(p->there.ring);
    free(p->back.ring);
    free(p);
    return NULL;
}

static void accept_one(void)
{
    size_t i = 0;
    while (i < PAIRS_MAX && relay.pairs[i] != NULL)
        i++;
    int client = accept(relay.listener, NULL, NULL);
    if (client < 0)
        return;
    int server = i < PAIRS_MAX ? connect_target() : -1;
    if (server >= 0)
        relay.pairs[i] = pair_new(client, server);
    if (server >= 0 && relay.pairs[i] != NULL)
        return;
    if (server >= 0)
        close(server);
    close(client);
}

/* False: over, or broken. */
static bool pair_run(struct pair *p, const struct pollfd *client, const struct pollfd *server, int64_t now)
{
    bool ok =
        ((client->revents & (POLLIN | POLLHUP | POLLERR)) == 0 || !wants_more(&p->there) || way_read(&p->there, now)) &&
        ((server->revents & (POLLIN | POLLHUP | POLLERR)) == 0 || !wants_more(&p->back) || way_read(&p->back, now));
    return ok && way_write(&p->there, now) && way_write(&p->back, now) && !(p->there.shut && p->back.shut);
}

static short events_of(const struct way *in, const struct way *out)
{
    return (short)((wants_more(in) ? POLLIN : 0) | (out->full ? POLLOUT : 0));
}

/* ---- the program ----------------------------------------------------------------------------------------------- */

static int timeout_ms(int64_t due, int64_t now)
{
    if (due == INT64_MAX)
        return -1;
    return due <= now ? 0 : (int)((due - now + 999999) / 1000000);
}

/* Fills what to wait for; the time when something is due. */
static int64_t prepare(struct pollfd *fds)
{
    int64_t due = INT64_MAX;
    fds[0] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
    fds[1] = (struct pollfd){.fd = relay.listener, .events = POLLIN};
    for (size_t i = 0; i < PAIRS_MAX; i++) {
        struct pair *p = relay.pairs[i];
        struct pollfd *at = &fds[2 + 2 * i];
        at[0] = at[1] = (struct pollfd){.fd = -1};
        if (p == NULL)
            continue;
        at[0].events = events_of(&p->there, &p->back);
        at[1].events = events_of(&p->back, &p->there);
        at[0].fd = at[0].events == 0 ? -1 : p->there.from;
        at[1].fd = at[1].events == 0 ? -1 : p->there.to;
        int64_t there = way_due(&p->there), back = way_due(&p->back);
        due = there < due ? there : due;
        due = back < due ? back : due;
    }
    return due;
}

/* Until standard input ends. */
static int run(void)
{
    struct pollfd fds[2 + 2 * PAIRS_MAX];
    for (char c;;) {
        int64_t due = prepare(fds);
        if (poll(fds, 2 + 2 * PAIRS_MAX, timeout_ms(due, now_ns())) < 0 && errno != EINTR)
            return 1;
        if (fds[0].revents != 0 && read(STDIN_FILENO, &c, 1) <= 0)
            return 0;
        int64_t now = now_ns();
        for (size_t i = 0; i < PAIRS_MAX; i++) {
            struct pair *p = relay.pairs[i];
            if (p == NULL || pair_run(p, &fds[2 + 2 * i], &fds[3 + 2 * i], now))
                continue;
            pair_free(p);
            relay.pairs[i] = NULL;
        }
        if (fds[1].revents != 0)
            accept_one();
    }
}

static bool listen_on(uint16_t port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    socklen_t len = sizeof at;
    int one = 1;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    relay.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (relay.listener < 0 || setsockopt(relay.listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
        bind(relay.listener, (struct sockaddr *)&at, len) != 0 || listen(relay.listener, PAIRS_MAX) != 0 ||
        getsockname(relay.listener, (struct sockaddr *)&at, &len) != 0)
        return false;
    printf("relay: listening on 127.0.0.1:%u\n", (unsigned)ntohs(at.sin_port));
    return fflush(stdout) == 0;
}

static bool number(const char *text, uint64_t min, uint64_t max, uint64_t *value)
{
    char *end = NULL;
    errno = 0;
    *value = strtoull(text, &end, 10);
    return errno == 0 && end != text && *end == 0 && *value >= min && *value <= max;
}

int main(int argc, char **argv)
{
    uint64_t port, target, delay;
    if (argc != 5 || !number(argv[1], 0, 65535, &port) || !number(argv[2], 1, 65535, &target) ||
        !number(argv[3], 0, DELAY_MAX, &delay) || !number(argv[4], BYTES_MIN, BYTES_MAX, &relay.bytes)) {
        fputs("Usage: nacre-bench-relay PORT TARGET-PORT MILLISECONDS BYTES\n", stderr);
        return 2;
    }
    relay.target = (uint16_t)target;
    relay.delay_ns = (int64_t)delay * 1000000;
    relay.moment_ns = relay.delay_ns / (MARKS / 2) > MOMENT_NS ? relay.delay_ns / (MARKS / 2) : MOMENT_NS;
    if (!listen_on((uint16_t)port)) {
        perror("nacre-bench-relay");
        return 1;
    }
    return run();
}
