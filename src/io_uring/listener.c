/* SPDX-License-Identifier: Apache-2.0 */
/* The io_uring back end: listening sockets. Accepted sockets are ordinary descriptors until the shard attaches them.
 *
 * A socket of one's own is accepted from by one standing request. One that other workers wait on, too, is accepted from
 * by requests for a single connection: the kernel wakes the first in the queue, and who has had one goes to its end, so
 * that connections go round. When the system has no descriptor or memory for a connection, or one after the other
 * fails, the listener rests: asking again at once would only spin. */
#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/sock.h"
#include "io_uring/uring.h"

enum {
    ACCEPTS_SHARED = 8,   /* in flight: a burst is taken in few turns */
    FAILURES_PASSED = 16, /* in a row, each of the one connection that was to be accepted */
};

static const int64_t rest_ns = 100 * 1000 * 1000;

/* It may stand in the work queue, which leads to the other. */
static void rest(struct io *io, uint32_t slot)
{
    struct uring_slot *s = uring_slot_at(io, slot);
    uring_set(s, SLOT_RESTING);
    s->runs = 0;
    s->rest_until = nacre_clock_ns() + rest_ns;
    nacre_slot_queue_add(&io->slots, &io->work, slot);
}

static bool arm(struct io *io, uint32_t slot)
{
    struct uring_slot *s = uring_slot_at(io, slot);
    struct io_uring_sqe *sqe = nacre_uring_request(io, slot, OP_ACCEPT);
    if (sqe == NULL)
        return false;
    if (uring_has(s, SLOT_SHARED))
        io_uring_prep_accept(sqe, s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    else
        io_uring_prep_multishot_accept(sqe, s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    io_uring_sqe_set_data64(sqe, uring_token(slot, OP_ACCEPT));
    s->accepts++;
    return true;
}

void nacre_uring_work_listener(struct io *io, uint32_t slot, struct uring_out *out)
{
    struct uring_slot *s = uring_slot_at(io, slot);
    if (uring_has(s, SLOT_DETACHED)) {
        if (s->accepts != 0 && nacre_uring_cancel(io, slot, OP_ACCEPT))
            return; /* its end queues the slot again */
        if (s->accepts != 0 || uring_out_is_full(out)) {
            nacre_slot_queue_add(&io->slots, &io->work, slot);
            return;
        }
        uring_report(out, IO_GONE, s);
        nacre_uring_slot_give(io, slot);
        return;
    }
    if (uring_has(s, SLOT_RESTING)) {
        nacre_slot_queue_add(&io->slots, &io->resting, slot);
        return;
    }
    unsigned wanted = uring_has(s, SLOT_SHARED) ? ACCEPTS_SHARED : 1;
    while (s->accepts < wanted)
        if (!arm(io, slot)) {
            nacre_slot_queue_add(&io->slots, &io->work, slot);
            return;
        }
}

/* Whether to try again at once. */
static bool goes_on(struct uring_slot *s, int result)
{
    bool passing = result == -ECANCELED || uring_goes_on(result) || nacre_sock_accept_goes_on(-result);
    return passing && ++s->runs < FAILURES_PASSED;
}

void nacre_uring_accepted(struct io *io, uint32_t slot, const struct io_uring_cqe *cqe, struct uring_out *out)
{
    struct uring_slot *s = uring_slot_at(io, slot);
    if ((cqe->flags & IORING_CQE_F_MORE) == 0) {
        s->accepts--;
        if (s->accepts == 0)
            uring_land(s, OP_ACCEPT);
    }
    if (uring_has(s, SLOT_DETACHED)) {
        if (cqe->res >= 0)
            close(cqe->res);
    } else if (cqe->res >= 0) {
        s->runs = 0;
        uring_report(out, IO_ACCEPTED, s)->accepted = cqe->res;
    } else if (uring_has(s, SLOT_RESTING)) {
        return;
    } else if (!goes_on(s, cqe->res)) {
        uring_report(out, IO_LISTEN_FAILED, s)->error = nacre_error_from_errno(-cqe->res);
        rest(io, slot);
        return;
    }
    nacre_slot_queue_add(&io->slots, &io->work, slot);
}

void nacre_uring_end_rest(struct io *io, int64_t now_ns)
{
    while (io->resting.first != 0) {
        if (uring_slot_at(io, io->resting.first - 1)->rest_until > now_ns)
            return;
        uint32_t slot = slot_queue_pop(&io->slots, &io->resting);
        uring_clear(uring_slot_at(io, slot), SLOT_RESTING);
        nacre_slot_queue_add(&io->slots, &io->work, slot);
    }
}
