/* SPDX-License-Identifier: Apache-2.0 */
/* The back ends for WSAPoll and WSAAsyncSelect: waiting and waking. */
#include "io_winsock/winsock.h"

static const int64_t ms_ns = 1000 * 1000;

void nacre_winsock_wake(struct io *io)
{
    if (!atomic_exchange_explicit(&io->wake_sent, true, memory_order_acq_rel))
        io->notifier->wake(io);
}

void nacre_winsock_woken(struct io *io)
{
    /* Before the shard looks at what it was woken for: a wake() after that look makes a new report. */
    if (atomic_exchange_explicit(&io->wake_sent, false, memory_order_acq_rel))
        io->woken = true;
}

DWORD nacre_winsock_left_ms(int64_t until_ns)
{
    if (until_ns == INT64_MAX)
        return INFINITE;
    int64_t left = until_ns <= 0 ? 0 : until_ns - nacre_clock_ns();
    int64_t ms = left <= 0 ? 0 : left / ms_ns + (left % ms_ns != 0);
    return ms < INT32_MAX ? (DWORD)ms : INT32_MAX;
}

static void work(struct io *io, uint32_t slot, struct winsock_out *out)
{
    struct winsock_slot *s = winsock_slot_at(io, slot);
    if (winsock_has(s, SLOT_DETACHED)) {
        winsock_report(out, IO_GONE, s);
        nacre_winsock_slot_give(io, slot);
    } else if (s->kind == WINSOCK_LISTENER) {
        nacre_winsock_work_listener(io, slot, out);
    } else {
        nacre_winsock_work_stream(io, slot, out);
    }
}

/* Works through those that stand in the queue now, each once. */
static void work_once(struct io *io, struct winsock_out *out)
{
    if (io->woken && !winsock_out_is_full(out)) {
        io->woken = false;
        out->at[out->count++] = (struct io_done){.kind = IO_WOKEN, .accepted = IO_NO_SOCKET};
    }
    uint32_t last = io->work.last;
    while (io->work.first != 0 && !winsock_out_is_full(out)) {
        bool done = io->work.first == last;
        work(io, slot_queue_pop(&io->slots, &io->work), out);
        if (done)
            return;
    }
}

/* Until when the notifier may be waited for. */
static int64_t sleep_until(const struct io *io, int64_t until_ns)
{
    if (io->work.first != 0 || io->woken)
        return 0;
    if (io->resting.first != 0 && winsock_slot_at(io, io->resting.first - 1)->rest_until < until_ns)
        until_ns = winsock_slot_at(io, io->resting.first - 1)->rest_until;
    if (io->hungry.first != 0 && io->hungry_until < until_ns)
        until_ns = io->hungry_until;
    return until_ns;
}

static void end_pauses(struct io *io)
{
    if (io->resting.first == 0 && io->hungry.first == 0)
        return;
    int64_t now = nacre_clock_ns();
    nacre_winsock_end_rest(io, now);
    nacre_winsock_end_hunger(io, now);
}

unsigned nacre_winsock_wait(struct io *io, int64_t until_ns, struct io_done *out, unsigned max)
{
    struct winsock_out o = {.at = out, .max = max};
    if (max == 0)
        return 0;
    for (;;) {
        end_pauses(io);
        work_once(io, &o);
        /* Enough to report as it is; but every other time the notifier is asked all the same, or a busy few would keep
         * the rest from being heard. */
        if (o.count != 0 && !io->skipped_poll) {
            io->skipped_poll = true;
            return o.count;
        }
        io->skipped_poll = false;
        io->notifier->wait(io, o.count != 0 ? 0 : sleep_until(io, until_ns));
        end_pauses(io);
        work_once(io, &o);
        if (o.count != 0 || until_ns <= 0 || (until_ns != INT64_MAX && nacre_clock_ns() >= until_ns))
            return o.count;
    }
}
