/* SPDX-License-Identifier: Apache-2.0 */
/* Readiness: waiting and waking. */
#include "io_ready/ready.h"

static const int64_t ms_ns = 1000 * 1000;
static const int64_t look_ns = IO_LOOK_MS * INT64_C(1000000);

void nacre_ready_wake(struct io *io)
{
    if (!atomic_exchange_explicit(&io->wake_sent, true, memory_order_acq_rel))
        io->notifier->wake(io);
}

int64_t nacre_ready_left_ns(int64_t until_ns)
{
    if (until_ns <= 0)
        return 0;
    int64_t left = until_ns == INT64_MAX ? look_ns : until_ns - nacre_clock_ns();
    if (left <= 0)
        return 0;
    return left < look_ns ? left : look_ns;
}

int nacre_ready_left_ms(int64_t until_ns)
{
    int64_t left = nacre_ready_left_ns(until_ns);
    return (int)(left / ms_ns + (left % ms_ns != 0));
}

/* Nothing was told, and yet somebody has called wake(): the system may have refused to carry that. In trouble wait()
 * returns anyway. */
static void look_for_lost_wake(struct io *io)
{
    if (io->work.first == 0 && !io->woken && !io->in_trouble &&
        atomic_load_explicit(&io->wake_sent, memory_order_acquire))
        ready_woken(io);
}

/* The system could not be asked: that costs a pause, not a processor. */
static void rest_in_trouble(struct io *io, enum nacre_error error, struct ready_out *out)
{
    if (!io->in_trouble)
        out->at[out->count++] = (struct io_done){.kind = IO_TROUBLE, .error = error, .accepted = IO_NO_SOCKET};
    else if (out->count == 0)
        system_pause();
    io->in_trouble = true;
}

static void ask_notifier(struct io *io, int64_t until_ns, struct ready_out *out)
{
    bool in_trouble = io->in_trouble;
    enum nacre_error error = io->notifier->wait(io, until_ns);
    io->skipped_poll = false;
    if (error == NACRE_OK && in_trouble)
        io->in_trouble = false; /* what succeeds now was asked after it began */
    else if (error != NACRE_OK && !ready_out_is_full(out))
        rest_in_trouble(io, error, out);
}

static void work(struct io *io, uint32_t slot, struct ready_out *out)
{
    struct ready_slot *s = ready_slot_at(io, slot);
    if (ready_has(s, SLOT_DETACHED)) {
        if (io->notifier->is_over != NULL && !io->notifier->is_over(io, slot))
            return;
        ready_report(out, IO_GONE, s);
        nacre_ready_slot_give(io, slot);
    } else if (s->kind == READY_LISTENER) {
        if (io->notifier->work_listener != NULL)
            io->notifier->work_listener(io, slot, out);
        else
            nacre_ready_work_listener(io, slot, out);
    } else {
        nacre_ready_work_stream(io, slot, out);
    }
}

/* Works through those that stand in the queue now, each once. */
static void work_once(struct io *io, struct ready_out *out)
{
    if (io->woken && !ready_out_is_full(out)) {
        io->woken = false;
        out->at[out->count++] = (struct io_done){.kind = IO_WOKEN, .accepted = IO_NO_SOCKET};
    }
    uint32_t last = io->work.last;
    while (io->work.first != 0 && !ready_out_is_full(out)) {
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
    if (io->resting.first != 0 && ready_slot_at(io, io->resting.first - 1)->rest_until < until_ns)
        until_ns = ready_slot_at(io, io->resting.first - 1)->rest_until;
    if (io->hungry.first != 0 && io->hungry_until < until_ns)
        until_ns = io->hungry_until;
    return until_ns;
}

static void end_pauses(struct io *io)
{
    if (io->resting.first == 0 && io->hungry.first == 0)
        return;
    int64_t now = nacre_clock_ns();
    nacre_ready_end_rest(io, now);
    nacre_ready_end_hunger(io, now);
}

unsigned nacre_ready_reap(struct io *io, struct io_done *out, unsigned max)
{
    struct ready_out o = {.at = out, .max = max};
    end_pauses(io); /* who is detached stands among the hungry no more when its slot is given back */
    work_once(io, &o);
    return o.count;
}

int64_t nacre_ready_due(const struct io *io)
{
    return sleep_until(io, INT64_MAX);
}

unsigned nacre_ready_wait(struct io *io, int64_t until_ns, struct io_done *out, unsigned max)
{
    struct ready_out o = {.at = out, .max = max};
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
        ask_notifier(io, o.count != 0 ? 0 : sleep_until(io, until_ns), &o);
        look_for_lost_wake(io);
        end_pauses(io);
        work_once(io, &o);
        if (o.count != 0 || io->in_trouble || until_ns <= 0 || (until_ns != INT64_MAX && nacre_clock_ns() >= until_ns))
            return o.count;
    }
}
