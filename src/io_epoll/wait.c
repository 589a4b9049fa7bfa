/* SPDX-License-Identifier: Apache-2.0 */
/* The epoll back end: waiting and waking.
 *
 * Several threads may wait at once. The kernel tells each event to one of them, mostly to who came last, and what one
 * was told it notes when the instance is its own again; the order does not matter, since what is noted only makes
 * somebody look. */
#include <errno.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "engine/sock.h"
#include "io_epoll/epoll.h"

enum {
    TROUBLE_NS = 10 * 1000 * 1000
};

static const int64_t second_ns = 1000 * 1000 * 1000;

void nacre_epoll_wake(struct io *io)
{
    static const uint64_t one = 1;
    if (atomic_exchange_explicit(&io->wake_sent, true, memory_order_acq_rel))
        return;
    ssize_t written;
    do {
        written = write(io->event, &one, sizeof one);
    } while (written < 0 && errno == EINTR);
    /* The counter cannot be full. Should the system have other reasons, the next one tries again. */
    if (written < 0)
        atomic_store_explicit(&io->wake_sent, false, memory_order_release);
}

static void note_stream(struct epoll_slot *s, uint32_t events)
{
    if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
        epoll_set(s, SLOT_READABLE);
    if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
        epoll_set(s, SLOT_HUNG_UP);
    if ((events & EPOLLERR) != 0)
        epoll_set(s, SLOT_CHECK);
    if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0)
        epoll_clear(s, SLOT_FULL);
    /* After FIN or an error there is nothing more to receive. */
    if (epoll_has(s, SLOT_FIN) || epoll_has(s, SLOT_FAILED))
        epoll_clear(s, SLOT_READABLE);
}

static void note(struct io *io, const struct epoll_event *e)
{
    if (e->data.u64 == EPOLL_TOKEN_WAKE) {
        /* Before the shard looks at what it was woken for: a wake() after that look makes a new report. */
        atomic_exchange_explicit(&io->wake_sent, false, memory_order_acq_rel);
        io->woken = true;
        return;
    }
    uint32_t slot = (uint32_t)e->data.u64;
    struct epoll_slot *s = nacre_epoll_slot_find(io, slot);
    if (s == NULL || s->generation != (uint32_t)(e->data.u64 >> 32))
        return;
    if (s->kind == EPOLL_STREAM)
        note_stream(s, e->events);
    nacre_slot_queue_add(&io->slots, &io->work, slot);
}

/* The timeout left, in whole milliseconds, rounded up. */
static int left_ms(int64_t left_ns)
{
    int64_t ms = left_ns / 1000000 + (left_ns % 1000000 != 0);
    return ms > INT32_MAX ? INT32_MAX : (int)ms;
}

/* Other threads may be here at the same time. */
static int ask_kernel(int epoll, bool *no_pwait2, struct epoll_event *events, int64_t until_ns)
{
    if (until_ns == INT64_MAX)
        return epoll_wait(epoll, events, EVENTS_PER_POLL, -1);
    int64_t left = until_ns <= 0 ? 0 : until_ns - nacre_clock_ns();
    if (left <= 0)
        return epoll_wait(epoll, events, EVENTS_PER_POLL, 0);
    if (!*no_pwait2) {
        struct timespec t = {.tv_sec = (time_t)(left / second_ns), .tv_nsec = (long)(left % second_ns)};
        int n = epoll_pwait2(epoll, events, EVENTS_PER_POLL, &t, NULL);
        if (n >= 0 || (errno != ENOSYS && errno != EPERM))
            return n;
        *no_pwait2 = true; /* before Linux 5.11, or a seccomp filter that does not know it */
    }
    return epoll_wait(epoll, events, EVENTS_PER_POLL, left_ms(left));
}

/* The kernel could not be asked: that costs a pause, not a processor. */
static void rest_in_trouble(struct io *io, int error, struct epoll_out *out)
{
    static const struct timespec pause = {.tv_nsec = TROUBLE_NS};
    if (!io->in_trouble)
        out->at[out->count++] =
            (struct io_done){.kind = IO_TROUBLE, .error = nacre_error_from_errno(error), .accepted = IO_NO_SOCKET};
    else if (out->count == 0)
        (void)nanosleep(&pause, NULL);
    io->in_trouble = true;
}

/* Asks the kernel and notes what it tells. An interrupting signal is as good as nothing to tell. */
static void poll_kernel(struct io *io, int64_t until_ns, struct epoll_out *out)
{
    struct epoll_event events[EVENTS_PER_POLL];
    bool no_pwait2 = io->no_pwait2, in_trouble = io->in_trouble;
    bool rests = until_ns > 0 && io->options.rest != NULL;
    if (rests)
        io->options.rest(io->options.context, until_ns);
    int n = ask_kernel(io->epoll, &no_pwait2, events, until_ns);
    int error = n < 0 ? errno : 0;
    if (rests)
        io->options.resume(io->options.context);
    io->no_pwait2 = io->no_pwait2 || no_pwait2;
    io->skipped_poll = false;
    if (n < 0 && error != EINTR) {
        if (!epoll_out_is_full(out))
            rest_in_trouble(io, error, out);
        return;
    }
    if (in_trouble) /* what succeeds now was asked after it began */
        io->in_trouble = false;
    for (int i = 0; i < n; i++)
        note(io, &events[i]);
}

static void work(struct io *io, uint32_t slot, struct epoll_out *out)
{
    struct epoll_slot *s = epoll_slot_at(io, slot);
    if (epoll_has(s, SLOT_DETACHED)) {
        epoll_report(out, IO_GONE, s);
        nacre_epoll_slot_give(io, slot);
    } else if (s->kind == EPOLL_LISTENER) {
        nacre_epoll_work_listener(io, slot, out);
    } else {
        nacre_epoll_work_stream(io, slot, out);
    }
}

/* Works through those that stand in the queue now, each once. */
static void work_once(struct io *io, struct epoll_out *out)
{
    if (io->woken && !epoll_out_is_full(out)) {
        io->woken = false;
        out->at[out->count++] = (struct io_done){.kind = IO_WOKEN, .accepted = IO_NO_SOCKET};
    }
    uint32_t last = io->work.last;
    while (io->work.first != 0 && !epoll_out_is_full(out)) {
        bool done = io->work.first == last;
        work(io, slot_queue_pop(&io->slots, &io->work), out);
        if (done)
            return;
    }
}

/* Until when the kernel may be waited for. */
static int64_t sleep_until(const struct io *io, int64_t until_ns)
{
    if (io->work.first != 0 || io->woken)
        return 0;
    if (io->resting.first != 0 && epoll_slot_at(io, io->resting.first - 1)->rest_until < until_ns)
        until_ns = epoll_slot_at(io, io->resting.first - 1)->rest_until;
    if (io->hungry.first != 0 && io->hungry_until < until_ns)
        until_ns = io->hungry_until;
    return until_ns;
}

static void end_pauses(struct io *io)
{
    if (io->resting.first == 0 && io->hungry.first == 0)
        return;
    int64_t now = nacre_clock_ns();
    nacre_epoll_end_rest(io, now);
    nacre_epoll_end_hunger(io, now);
}

unsigned nacre_epoll_reap(struct io *io, struct io_done *out, unsigned max)
{
    struct epoll_out o = {.at = out, .max = max};
    work_once(io, &o);
    return o.count;
}

int64_t nacre_epoll_due(const struct io *io)
{
    return sleep_until(io, INT64_MAX);
}

unsigned nacre_epoll_wait(struct io *io, int64_t until_ns, struct io_done *out, unsigned max)
{
    struct epoll_out o = {.at = out, .max = max};
    if (max == 0)
        return 0;
    for (;;) {
        end_pauses(io);
        work_once(io, &o);
        /* Enough to report as it is; but every other time the kernel is asked all the same, or a busy few would keep
         * the rest from being heard. */
        if (o.count != 0 && !io->skipped_poll) {
            io->skipped_poll = true;
            return o.count;
        }
        poll_kernel(io, o.count != 0 ? 0 : sleep_until(io, until_ns), &o);
        end_pauses(io);
        work_once(io, &o);
        if (o.count != 0 || io->in_trouble || until_ns <= 0 || (until_ns != INT64_MAX && nacre_clock_ns() >= until_ns))
            return o.count;
    }
}
