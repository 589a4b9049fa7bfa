/* SPDX-License-Identifier: Apache-2.0 */
/* The epoll back end: connected sockets. send() tries at once, so that a completion costs no visit to the kernel;
 * receiving is tried when the kernel has told of bytes, until they are used up. */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "engine/sock.h"
#include "io_epoll/epoll.h"

enum {
    RECEIVES_PER_TURN = 4, /* then it is another slot's turn */
};

static const int64_t hunger_ns = 10 * 1000 * 1000;

static struct epoll_slot *find_stream(const struct io *io, uint32_t slot)
{
    struct epoll_slot *s = nacre_epoll_slot_find(io, slot);
    return s == NULL || s->kind != EPOLL_STREAM ? NULL : s;
}

/* True when there may be something to receive that the shard wants. */
static bool wants_data(const struct epoll_slot *s)
{
    return epoll_has(s, SLOT_READABLE | SLOT_WANTED);
}

static bool may_receive(const struct epoll_slot *s)
{
    return wants_data(s) && s->next_hungry == 0;
}

static bool may_send(const struct epoll_slot *s)
{
    return epoll_has(s, SLOT_BLOCKED) && !epoll_has(s, SLOT_FULL);
}

/* True when work_stream() would have something to do. */
static bool has_work(const struct epoll_slot *s)
{
    bool sent = epoll_has(s, SLOT_SENDING) && !epoll_has(s, SLOT_BLOCKED);
    bool failed = epoll_has(s, SLOT_CHECK) || (epoll_has(s, SLOT_ERROR) && !epoll_has(s, SLOT_FAILED));
    return sent || may_send(s) || may_receive(s) || (failed && !wants_data(s));
}

/* Remembers the first error; wait() reports it. */
static void fail(struct epoll_slot *s, enum nacre_error error)
{
    if (epoll_has(s, SLOT_ERROR))
        return;
    s->error = error;
    epoll_set(s, SLOT_ERROR);
    epoll_clear(s, SLOT_SENDING | SLOT_BLOCKED);
}

void nacre_epoll_receive(struct io *io, uint32_t slot, bool on)
{
    struct epoll_slot *s = find_stream(io, slot);
    if (s == NULL || epoll_has(s, SLOT_FIN) || epoll_has(s, SLOT_FAILED))
        return;
    if (!on) {
        epoll_clear(s, SLOT_WANTED);
        return;
    }
    epoll_set(s, SLOT_WANTED);
    if (has_work(s))
        nacre_slot_queue_add(&io->slots, &io->work, slot);
}

/* One sendmsg(). Gives the bytes taken, 0 when the socket is full, or -1 after fail(). */
static ssize_t push(struct epoll_slot *s, const struct span *spans, unsigned count)
{
    struct iovec v[IO_SPANS];
    for (unsigned i = 0; i < count; i++)
        v[i] = (struct iovec){.iov_base = (void *)(uintptr_t)spans[i].at, .iov_len = spans[i].len};
    struct msghdr m = {.msg_iov = v, .msg_iovlen = count};
    ssize_t n;
    do {
        n = sendmsg(s->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    if (n >= 0)
        return n;
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        return 0;
    fail(s, nacre_error_from_errno(errno));
    return -1;
}

/* The socket is full: from now on the kernel tells when it takes more. */
static void wait_for_room(struct io *io, uint32_t slot)
{
    struct epoll_slot *s = epoll_slot_at(io, slot);
    epoll_set(s, SLOT_FULL);
    if (epoll_has(s, SLOT_WATCH_WRITE))
        return;
    enum nacre_error error =
        nacre_epoll_watch(io, slot, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT | EPOLLRDHUP | (uint32_t)EPOLLET);
    if (error == NACRE_OK)
        epoll_set(s, SLOT_WATCH_WRITE);
    else
        fail(s, error);
}

/* Begins or goes on with a send; `len` is the sum of the spans. */
static void try_send(struct io *io, uint32_t slot, const struct span *spans, unsigned count, size_t len)
{
    struct epoll_slot *s = epoll_slot_at(io, slot);
    ssize_t n = epoll_has(s, SLOT_FULL) ? 0 : push(s, spans, count);
    if (n < 0)
        return;
    s->sent = (size_t)n;
    if (s->sent == len) {
        epoll_clear(s, SLOT_BLOCKED);
        return;
    }
    if (n != 0) {
        epoll_clear(s, SLOT_BLOCKED);
    } else {
        /* The list of spans is the caller's and will be gone; the first one is enough, as IO_SENT may report fewer. */
        s->blocked = spans[0];
        epoll_set(s, SLOT_BLOCKED);
    }
    wait_for_room(io, slot);
}

enum nacre_error nacre_epoll_send(struct io *io, uint32_t slot, const struct span *spans, unsigned count)
{
    struct epoll_slot *s = find_stream(io, slot);
    if (s == NULL)
        return NACRE_E_NOTSOCK;
    if (count > IO_SPANS)
        return NACRE_E_INVAL;
    if (epoll_has(s, SLOT_SENDING))
        return NACRE_E_ALREADY;
    if (epoll_has(s, SLOT_ERROR))
        return NACRE_OK; /* IO_FAILED is on its way, or was reported */
    while (count != 0 && spans[0].len == 0) {
        spans++;
        count--;
    }
    size_t asked = 0;
    for (unsigned i = 0; i < count; i++)
        asked += spans[i].len;
    epoll_set(s, SLOT_SENDING);
    s->asked = asked;
    s->sent = 0;
    if (asked != 0)
        try_send(io, slot, spans, count, asked);
    if (has_work(s))
        nacre_slot_queue_add(&io->slots, &io->work, slot);
    return NACRE_OK;
}

/* Sends FIN when it is due. Bytes that the last send was asked for and did not take go first: the shard sends them
 * again. */
static void shut_when_due(struct epoll_slot *s)
{
    if (!epoll_has(s, SLOT_SHUT) || epoll_has(s, SLOT_SENDING) || s->sent < s->asked)
        return;
    epoll_clear(s, SLOT_SHUT);
    shutdown(s->fd, SHUT_WR); /* a socket that is dead already says so when it is read */
}

void nacre_epoll_shut(struct io *io, uint32_t slot)
{
    struct epoll_slot *s = find_stream(io, slot);
    if (s == NULL)
        return;
    epoll_set(s, SLOT_SHUT);
    shut_when_due(s);
}

/* Takes note of a receive that gave no bytes: FIN, nothing there, or an error. */
static void end_of_receive(struct epoll_slot *s, ssize_t n, struct epoll_out *out)
{
    epoll_clear(s, SLOT_READABLE);
    if (n == 0) {
        epoll_clear(s, SLOT_WANTED);
        epoll_set(s, SLOT_FIN);
        epoll_report(out, IO_RECEIVED, s);
    } else if (errno != EAGAIN && errno != EWOULDBLOCK) {
        epoll_clear(s, SLOT_WANTED);
        fail(s, nacre_error_from_errno(errno));
    }
}

/* One recv() to `at`, reported. The caller has seen that `out` is not full. */
static void receive_once(struct io *io, struct epoll_slot *s, uint8_t *at, struct epoll_out *out)
{
    size_t room = io->landing.room;
    ssize_t n;
    do {
        n = recv(s->fd, at, room, MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n <= 0) {
        end_of_receive(s, n, out);
        return;
    }
    struct block *b = landing_take(&io->landing, (size_t)n);
    struct io_done *d = epoll_report(out, IO_RECEIVED, s);
    d->block = b;
    d->len = (size_t)n;
    /* A short read has emptied the socket, and what comes later is told anew, unless FIN or an error follows. */
    if ((size_t)n < room && !epoll_has(s, SLOT_HUNG_UP))
        epoll_clear(s, SLOT_READABLE);
}

/* Out of memory or budget: the peer waits, and we try again in a while. */
static void go_hungry(struct io *io, uint32_t slot)
{
    if (io->hungry.first == 0)
        io->hungry_until = nacre_clock_ns() + hunger_ns;
    nacre_slot_queue_add(&io->slots, &io->hungry, slot);
}

void nacre_epoll_end_hunger(struct io *io, int64_t now_ns)
{
    if (now_ns < io->hungry_until)
        return;
    while (io->hungry.first != 0) {
        uint32_t slot = slot_queue_pop(&io->slots, &io->hungry);
        nacre_slot_queue_add(&io->slots, &io->work, slot);
    }
}

static void receive_some(struct io *io, uint32_t slot, struct epoll_out *out)
{
    struct epoll_slot *s = epoll_slot_at(io, slot);
    for (unsigned i = 0; i < RECEIVES_PER_TURN && may_receive(s) && !epoll_out_is_full(out); i++) {
        uint8_t *at = landing_at(&io->landing);
        if (at != NULL)
            receive_once(io, s, at, out);
        else
            go_hungry(io, slot);
    }
}

static void report_sent(struct epoll_slot *s, struct epoll_out *out)
{
    if (!epoll_has(s, SLOT_SENDING) || epoll_has(s, SLOT_BLOCKED) || epoll_out_is_full(out))
        return;
    epoll_clear(s, SLOT_SENDING);
    epoll_report(out, IO_SENT, s)->len = s->sent;
    shut_when_due(s);
}

/* Errors come last, after what can still be received. */
static void report_failed(struct epoll_slot *s, struct epoll_out *out)
{
    if (wants_data(s))
        return;
    if (epoll_has(s, SLOT_CHECK)) {
        int error = 0;
        socklen_t len = sizeof error;
        epoll_clear(s, SLOT_CHECK);
        if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error != 0)
            fail(s, nacre_error_from_errno(error));
    }
    if (!epoll_has(s, SLOT_ERROR) || epoll_has(s, SLOT_FAILED) || epoll_out_is_full(out))
        return;
    epoll_set(s, SLOT_FAILED);
    epoll_clear(s, SLOT_WANTED);
    epoll_report(out, IO_FAILED, s)->error = s->error;
}

/* The kernel has told how connecting ended. */
static void report_connected(struct epoll_slot *s, struct epoll_out *out)
{
    int error = 0;
    socklen_t len = sizeof error;
    if (epoll_has(s, SLOT_FULL) || epoll_out_is_full(out))
        return;
    if (s->error == NACRE_OK && getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error != 0)
        s->error = nacre_error_from_errno(error);
    epoll_clear(s, SLOT_CONNECTING | SLOT_CHECK);
    epoll_report(out, IO_CONNECTED, s)->error = s->error;
    if (s->error == NACRE_OK)
        return;
    epoll_set(s, SLOT_ERROR | SLOT_FAILED);
    epoll_clear(s, SLOT_WANTED | SLOT_READABLE | SLOT_SENDING | SLOT_BLOCKED);
}

void nacre_epoll_work_stream(struct io *io, uint32_t slot, struct epoll_out *out)
{
    struct epoll_slot *s = epoll_slot_at(io, slot);
    if (epoll_has(s, SLOT_CONNECTING)) {
        report_connected(s, out);
        /* What came with the connection is told only once: bytes, too, if they are wanted already. */
        bool more = epoll_has(s, SLOT_CONNECTING) ? !epoll_has(s, SLOT_FULL) : has_work(s);
        if (more)
            nacre_slot_queue_add(&io->slots, &io->work, slot);
        return;
    }
    if (may_send(s)) {
        struct span first = s->blocked;
        try_send(io, slot, &first, 1, first.len);
    }
    report_sent(s, out);
    receive_some(io, slot, out);
    report_failed(s, out);
    if (has_work(s))
        nacre_slot_queue_add(&io->slots, &io->work, slot);
}
