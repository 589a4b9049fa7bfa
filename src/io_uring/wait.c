/* SPDX-License-Identifier: Apache-2.0 */
/* The io_uring back end: waiting and waking. One call hands over what was asked for and waits for what ends. */
#include <errno.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include "engine/sock.h"
#include "io_uring/uring.h"

enum {
    REAP = 64, /* completions looked at in one go */
    TROUBLE_NS = 10 * 1000 * 1000
};

static const int64_t second_ns = 1000 * 1000 * 1000;
static const int64_t look_ns = IO_LOOK_MS * INT64_C(1000000);

void nacre_uring_wake(struct io *io)
{
    static const uint64_t one = 1;
    if (atomic_exchange_explicit(&io->wake_sent, true, memory_order_acq_rel))
        return;
    ssize_t written;
    do {
        written = write(io->event, &one, sizeof one);
    } while (written < 0 && errno == EINTR);
    /* The counter cannot be full. Should the system have other reasons, wait() looks for itself. */
}

/* Each write is told once, and the counter never has to be read. */
static void watch_wakes(struct io *io)
{
    if (io->woken_armed || (io->watch_again_ns != 0 && nacre_clock_ns() < io->watch_again_ns))
        return;
    struct io_uring_sqe *sqe = nacre_uring_request(io, 0, OP_NONE);
    if (sqe == NULL)
        return;
    io->watch_again_ns = 0;
    io_uring_prep_poll_multishot(sqe, io->event, POLLIN);
    io_uring_sqe_set_data64(sqe, uring_token(0, OP_WAKE));
    io->woken_armed = true;
}

/* The ring belongs to the thread that turns it on. */
static void start(struct io *io)
{
    if (io->enabled)
        return;
    io->enabled = io_uring_register((unsigned)io->ring.ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0) == 0;
}

/* ---- asking the kernel ----------------------------------------------------------------------------------------- */

/* Hands over all requests, and waits for a completion unless `until_ns` is 0. An interrupting signal is as good as
 * nothing to tell; what could not be handed over stays for the next time. */
static int enter(struct io *io, int64_t until_ns)
{
    int result;
    int64_t now = until_ns <= 0 ? 0 : nacre_clock_ns();
    int64_t left = until_ns == INT64_MAX || until_ns <= 0 ? until_ns : until_ns - now;
    if (left <= 0) {
        result = io_uring_submit_and_get_events(&io->ring);
    } else {
        left = left < look_ns ? left : look_ns;
        struct __kernel_timespec t = {.tv_sec = left / second_ns, .tv_nsec = left % second_ns};
        struct io_uring_cqe *first;
        result = io_uring_submit_and_wait_timeout(&io->ring, &first, 1, &t, NULL);
        nacre_tick_slept(&io->tick, now, nacre_clock_ns());
    }
    if (io_uring_sq_ready(&io->ring) == 0)
        io->arena_used = 0;
    return result;
}

/* Time that is up, a signal, and completions that have to be taken first, if there are any, are no trouble. Trouble
 * costs a pause, not a processor. */
static void look_for_trouble(struct io *io, int result, struct uring_out *out)
{
    static const struct timespec pause = {.tv_nsec = TROUBLE_NS};
    bool before = io->in_trouble;
    bool later = (result == -EBUSY || result == -EAGAIN) && io_uring_cq_ready(&io->ring) != 0;
    bool now = result < 0 && result != -ETIME && result != -EINTR && !later;
    if (now && uring_out_is_full(out))
        return; /* it is told the next time */
    io->in_trouble = now;
    if (!now)
        return;
    if (!before)
        uring_report(out, IO_TROUBLE, NULL)->error = nacre_error_from_errno(-result);
    else if (out->count == 0)
        (void)nanosleep(&pause, NULL);
}

void nacre_uring_woken(struct io *io, struct uring_out *out)
{
    /* Before the shard looks at what it was woken for: a wake() after that look makes a new report. */
    if (atomic_exchange_explicit(&io->wake_sent, false, memory_order_acq_rel))
        uring_report(out, IO_WOKEN, NULL);
}

/* Nothing was told, and yet somebody has called wake(): the system may have refused to carry that. In trouble wait()
 * returns anyway. */
static void look_for_lost_wake(struct io *io, struct uring_out *out)
{
    if (out->count == 0 && !io->in_trouble && atomic_load_explicit(&io->wake_sent, memory_order_acquire))
        nacre_uring_woken(io, out);
}

/* What could not be watched is asked for again after a pause. */
static void watched(struct io *io, const struct io_uring_cqe *cqe, struct uring_out *out)
{
    if ((cqe->flags & IORING_CQE_F_MORE) == 0)
        io->woken_armed = false;
    if (!io->woken_armed && cqe->res < 0)
        io->watch_again_ns = nacre_clock_ns() + TROUBLE_NS;
    nacre_uring_woken(io, out);
}

static void complete(struct io *io, const struct io_uring_cqe *cqe, struct uring_out *out)
{
    enum uring_op op = (enum uring_op)(cqe->user_data & 0xff);
    uint32_t slot = (uint32_t)(cqe->user_data >> 8);
    if (op == OP_WAKE)
        watched(io, cqe, out);
    else if (op == OP_ACCEPT)
        nacre_uring_accepted(io, slot, cqe, out);
    else if (op != OP_NONE)
        nacre_uring_complete_stream(io, slot, op, cqe, out);
}

/* Turns completions into reports, at most one each, as long as there is room. */
static void reap(struct io *io, struct uring_out *out)
{
    struct io_uring_cqe *cqes[REAP];
    while (!uring_out_is_full(out)) {
        unsigned room = out->max - out->count;
        unsigned n = io_uring_peek_batch_cqe(&io->ring, cqes, room < REAP ? room : REAP);
        if (n == 0)
            return;
        for (unsigned i = 0; i < n; i++)
            complete(io, cqes[i], out);
        io_uring_cq_advance(&io->ring, n);
    }
}

/* ---- the work queue -------------------------------------------------------------------------------------------- */

static void work(struct io *io, uint32_t slot, struct uring_out *out)
{
    if (uring_slot_at(io, slot)->kind == URING_LISTENER)
        nacre_uring_work_listener(io, slot, out);
    else
        nacre_uring_work_stream(io, slot, out);
}

/* Works through those that stand in the queue now, each once. They write requests even when nothing more can be
 * reported. */
static void work_once(struct io *io, struct uring_out *out)
{
    uint32_t last = io->work.last;
    while (io->work.first != 0) {
        bool done = io->work.first == last;
        work(io, slot_queue_pop(&io->slots, &io->work), out);
        if (done)
            return;
    }
}

static void prepare(struct io *io, struct uring_out *out)
{
    watch_wakes(io);
    if (io->resting.first != 0)
        nacre_uring_end_rest(io, nacre_clock_ns());
    nacre_uring_feed(io);
    work_once(io, out);
}

/* Until when the kernel may be waited for. */
static int64_t sleep_until(const struct io *io, int64_t until_ns)
{
    bool waits = io->woken_armed || io->watch_again_ns != 0;
    if (io->work.first != 0 || !waits || io_uring_cq_ready(&io->ring) != 0 || nacre_uring_can_feed(io))
        return 0;
    if (io->watch_again_ns != 0 && io->watch_again_ns < until_ns)
        until_ns = io->watch_again_ns;
    if (io->resting.first != 0 && uring_slot_at(io, io->resting.first - 1)->rest_until < until_ns)
        until_ns = uring_slot_at(io, io->resting.first - 1)->rest_until;
    if (io->hungry_until != 0 && io->hungry_until < until_ns)
        until_ns = io->hungry_until;
    return until_ns;
}

unsigned nacre_uring_wait(struct io *io, int64_t until_ns, struct io_done *out, unsigned max)
{
    struct uring_out o = {.at = out, .max = max};
    if (max == 0)
        return 0;
    while (!io->have_ring) {
        work_once(io, &o);
        if (o.count == 0)
            nacre_uring_sleep_without(io, until_ns, &o);
        if (o.count != 0 || until_ns <= 0 || (until_ns != INT64_MAX && nacre_clock_ns() >= until_ns))
            return o.count;
    }
    start(io);
    for (;;) {
        prepare(io, &o);
        look_for_trouble(io, enter(io, o.count != 0 ? 0 : sleep_until(io, until_ns)), &o);
        reap(io, &o);
        work_once(io, &o);
        look_for_lost_wake(io, &o);
        nacre_uring_look_after(io);
        if (o.count != 0 || io->in_trouble || !io->have_ring || until_ns <= 0 ||
            (until_ns != INT64_MAX && nacre_clock_ns() >= until_ns))
            return o.count;
    }
}
