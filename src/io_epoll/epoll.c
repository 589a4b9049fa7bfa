/* SPDX-License-Identifier: Apache-2.0 */
/* The back end for epoll: what the kernel tells. Streams are registered once, edge-triggered; listeners are
 * level-triggered, so that a batch of accepts may stop early, and exclusive, so that one connection wakes one worker.
 *
 * Several threads may wait at once. The kernel tells each event to one of them, mostly to who came last, and what one
 * was told it notes when the instance is its own again; the order does not matter, since what is noted only makes
 * somebody look. */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/tick.h"
#include "engine/sock.h"
#include "io_ready/ready.h"

#define TOKEN_WAKE UINT64_MAX /* no slot has that number */

_Static_assert(sizeof(struct ready_slot) <= 64, "a slot is one cache line");

static const int64_t second_ns = 1000 * 1000 * 1000;

struct notes {
    int epoll, event;
    bool no_pwait2; /* the kernel has no epoll_pwait2() */
    struct tick tick;
};

static bool epoll_usable(const char **why_not)
{
    int fd = epoll_create1(EPOLL_CLOEXEC);
    if (fd >= 0) {
        close(fd);
        return true;
    }
    *why_not = "the kernel refuses epoll_create1()";
    return errno == EMFILE || errno == ENFILE; /* nothing is wrong with epoll then: opening says what is */
}

static void notes_close(struct io *io)
{
    struct notes *n = io->notes;
    if (n == NULL)
        return;
    nacre_tick_close(&n->tick);
    if (n->event >= 0)
        close(n->event);
    if (n->epoll >= 0)
        close(n->epoll);
    free(n);
}

/* False leaves errno. */
static bool open_descriptors(struct notes *n)
{
    n->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (n->epoll < 0)
        return false;
    n->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (n->event < 0)
        return false;
    /* Edge-triggered: each write is told once, and the counter never has to be read. */
    struct epoll_event e = {.events = EPOLLIN | EPOLLET, .data.u64 = TOKEN_WAKE};
    return epoll_ctl(n->epoll, EPOLL_CTL_ADD, n->event, &e) == 0;
}

static enum nacre_error notes_open(struct io *io)
{
    struct notes *n = (struct notes *)malloc(sizeof *n);
    if (n == NULL)
        return NACRE_E_NOBUFS;
    *n = (struct notes){.epoll = -1, .event = -1, .tick.fd = -1};
    io->notes = n;
    if (!open_descriptors(n))
        return nacre_error_from_errno(errno);
    nacre_tick_open(&n->tick); /* last: it may be done without */
    return NACRE_OK;
}

/* ---- sockets --------------------------------------------------------------------------------------------------- */

/* A report names the slot and its mark, which changes when a socket comes and when it goes, so that one about an
 * earlier user of the slot is known. */
static enum nacre_error watch(struct io *io, uint32_t slot, int op, uint32_t events)
{
    const struct ready_slot *s = ready_slot_at(io, slot);
    struct epoll_event e = {.events = events, .data.u64 = (uint64_t)s->mark << 32 | slot};
    return epoll_ctl(io->notes->epoll, op, s->socket, &e) == 0 ? NACRE_OK : nacre_error_from_errno(errno);
}

static const uint32_t stream_events = EPOLLIN | EPOLLPRI | EPOLLRDHUP | (uint32_t)EPOLLET;

/* Whose receive ends behind a message that brought descriptors, and nothing tells so. */
static bool is_unix(const struct ready_slot *s)
{
    int domain = 0;
    socklen_t len = sizeof domain;
    return getsockopt(s->socket, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_UNIX;
}

/* EPOLLOUT from the start tells how connecting ends. Else it is added when a send finds the socket full for the first
 * time: most connections never do. */
static enum nacre_error notes_add(struct io *io, uint32_t slot)
{
    struct ready_slot *s = ready_slot_at(io, slot);
    s->mark++;
    if (s->kind == READY_LISTENER)
        return watch(io, slot, EPOLL_CTL_ADD, EPOLLIN | (uint32_t)EPOLLEXCLUSIVE);
    s->ends_early = is_unix(s);
    if (!ready_has(s, SLOT_CONNECTING))
        return watch(io, slot, EPOLL_CTL_ADD, stream_events);
    ready_set(s, SLOT_WATCH_WRITE);
    return watch(io, slot, EPOLL_CTL_ADD, stream_events | EPOLLOUT);
}

static enum nacre_error notes_watch_write(struct io *io, uint32_t slot)
{
    return watch(io, slot, EPOLL_CTL_MOD, stream_events | EPOLLOUT);
}

/* Closing a stream's socket is enough. */
static void notes_remove(struct io *io, uint32_t slot)
{
    struct ready_slot *s = ready_slot_at(io, slot);
    s->mark++;
    if (s->kind == READY_LISTENER)
        epoll_ctl(io->notes->epoll, EPOLL_CTL_DEL, s->socket, NULL);
}

/* ---- waiting --------------------------------------------------------------------------------------------------- */

static void notes_wake(struct io *io)
{
    static const uint64_t one = 1;
    ssize_t written;
    do {
        written = write(io->notes->event, &one, sizeof one);
    } while (written < 0 && errno == EINTR);
    /* The counter cannot be full. Should the system have other reasons, wait() looks for itself. */
}

static unsigned news_of(uint32_t events)
{
    if (events == EPOLLIN) /* the usual case */
        return NEWS_READ;
    return ((events & EPOLLIN) != 0 ? NEWS_READ : 0U) | ((events & (EPOLLOUT | EPOLLHUP)) != 0 ? NEWS_WRITE : 0U) |
           ((events & (EPOLLRDHUP | EPOLLHUP)) != 0 ? NEWS_HANGUP : 0U) | ((events & EPOLLERR) != 0 ? NEWS_ERROR : 0U);
}

static void note(struct io *io, const struct epoll_event *e)
{
    uint32_t slot = (uint32_t)e->data.u64;
    if (e->data.u64 == TOKEN_WAKE) {
        ready_woken(io);
        return;
    }
    struct ready_slot *s = ready_slot_at(io, slot);
    if (s->mark != (uint32_t)(e->data.u64 >> 32))
        return;
    if ((e->events & EPOLLPRI) != 0)
        s->ends_early = true; /* TCP's receive does before an urgent byte */
    ready_note(io, slot, news_of(e->events));
}

/* Other threads may be here at the same time. */
static int ask_kernel(int epoll, bool *no_pwait2, struct epoll_event *events, int64_t until_ns)
{
    int64_t left = nacre_ready_left_ns(until_ns);
    if (left > 0 && !*no_pwait2) {
        struct timespec t = {.tv_sec = (time_t)(left / second_ns), .tv_nsec = (long)(left % second_ns)};
        int count = epoll_pwait2(epoll, events, NEWS_PER_WAIT, &t, NULL);
        if (count >= 0 || (errno != ENOSYS && errno != EPERM))
            return count;
        *no_pwait2 = true; /* before Linux 5.11, or a seccomp filter that does not know it */
    }
    return epoll_wait(epoll, events, NEWS_PER_WAIT, nacre_ready_left_ms(until_ns));
}

/* The same, with the instance another thread's meanwhile. Gives how many came, or the error as a negative number. */
static int ask_resting(struct io *io, struct epoll_event *events, int64_t until_ns)
{
    struct notes *n = io->notes;
    bool no_pwait2 = n->no_pwait2, rests = until_ns > 0 && io->options.rest != NULL;
    if (rests)
        io->options.rest(io->options.context, until_ns);
    int64_t before = until_ns > 0 ? nacre_clock_ns() : 0;
    int count = ask_kernel(n->epoll, &no_pwait2, events, until_ns);
    int number = errno;
    int64_t after = until_ns > 0 ? nacre_clock_ns() : 0;
    if (rests)
        io->options.resume(io->options.context);
    if (until_ns > 0)
        nacre_tick_slept(&n->tick, before, after);
    n->no_pwait2 = n->no_pwait2 || no_pwait2;
    return count >= 0 ? count : -number;
}

/* An interrupting signal is as good as nothing to tell. */
static enum nacre_error notes_wait(struct io *io, int64_t until_ns)
{
    struct epoll_event events[NEWS_PER_WAIT];
    int count = ask_resting(io, events, until_ns);
    if (count < 0 && count != -EINTR)
        return nacre_error_from_errno(-count);
    for (int i = 0; i < count; i++)
        note(io, &events[i]);
    return NACRE_OK;
}

static const struct notifier notifier = {
    .open = notes_open,
    .close = notes_close,
    .add = notes_add,
    .remove = notes_remove,
    .watch_write = notes_watch_write,
    .wait = notes_wait,
    .wake = notes_wake,
    .connects_first = true,
};

static enum nacre_error epoll_open(struct io **out, const struct io_options *options)
{
    return nacre_ready_open(out, options, &notifier);
}

/* epoll's own comes first: read() and write() refuse it. */
static unsigned epoll_descriptors(const struct io *io, bool own, io_socket out[IO_DESCRIPTORS])
{
    out[0] = io->notes->epoll;
    out[1] = io->notes->event;
    out[2] = io->notes->tick.fd;
    return own && out[2] >= 0 ? 3 : 2;
}

const struct io_backend nacre_io_epoll = {
    .name = "epoll",
    .usable = epoll_usable,
    .open = epoll_open,
    READY_CALLS,
    .descriptors = epoll_descriptors,
    .reap = nacre_ready_reap,
    .due = nacre_ready_due,
};
