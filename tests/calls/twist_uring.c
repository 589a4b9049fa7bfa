/* SPDX-License-Identifier: Apache-2.0 */
/* See twist.h: requests of a ring, on their way to the kernel, and their completions. A request that is to fail is made
 * to name no descriptor; its completion gets the number that was wanted. A request to send is cut. One to receive
 * cannot be, as the kernel says how much there is room for: what comes short comes from peers that send little. */
#include <errno.h>
#include <sys/socket.h>

#include "calls/twist.h"
#include "io_uring/uring.h"

int __real_io_uring_submit(struct io_uring *ring);
int __real_io_uring_submit_and_wait(struct io_uring *ring, unsigned count);
int __real_io_uring_submit_and_get_events(struct io_uring *ring);
int __real_io_uring_submit_and_wait_timeout(struct io_uring *ring, struct io_uring_cqe **first, unsigned count,
                                            struct __kernel_timespec *t, sigset_t *signals);
unsigned __real_io_uring_peek_batch_cqe(struct io_uring *ring, struct io_uring_cqe **cqes, unsigned count);

int __wrap_io_uring_submit(struct io_uring *ring);
int __wrap_io_uring_submit_and_wait(struct io_uring *ring, unsigned count);
int __wrap_io_uring_submit_and_get_events(struct io_uring *ring);
int __wrap_io_uring_submit_and_wait_timeout(struct io_uring *ring, struct io_uring_cqe **first, unsigned count,
                                            struct __kernel_timespec *t, sigset_t *signals);
unsigned __wrap_io_uring_peek_batch_cqe(struct io_uring *ring, struct io_uring_cqe **cqes, unsigned count);

static enum twist_call call_of(enum uring_op op)
{
    switch ((int)op) {
    case OP_ACCEPT:
        return TWIST_ACCEPT;
    case OP_RECEIVE:
        return TWIST_RECEIVE;
    case OP_SEND:
        return TWIST_SEND;
    case OP_WAKE:
    case OP_WATCH:
        return TWIST_WATCH;
    default:
        return TWIST_CALLS;
    }
}

/* The number stands in the slot's part of what the kernel gives back, so that it is not lost on the way. */
enum {
    NUMBER_SHIFT = 48
};

static void cut(struct io_uring_sqe *sqe)
{
    if (sqe->opcode == IORING_OP_SEND) {
        sqe->len = (unsigned)twist_share(TWIST_SEND, sqe->len);
        return;
    }
    struct msghdr *m = (struct msghdr *)(uintptr_t)sqe->addr;
    m->msg_iov[0].iov_len = twist_share(TWIST_SEND, m->msg_iov[0].iov_len);
    m->msg_iovlen = 1;
}

static void twist(struct io_uring_sqe *sqe)
{
    enum uring_op op = (enum uring_op)(sqe->user_data & 0xff);
    enum twist_call call = sqe->opcode == IORING_OP_ASYNC_CANCEL ? TWIST_CALLS : call_of(op);
    int number = call == TWIST_CALLS ? 0 : twist_number(call);
    if (call == TWIST_RECEIVE && number == EAGAIN && twist_draw() % 2 == 0)
        number = ENOBUFS; /* the kernel found no buffer to pick */
    if (number != 0) {
        sqe->fd = -1;
        sqe->flags &= (uint8_t)~IOSQE_FIXED_FILE;
        sqe->user_data |= (uint64_t)number << NUMBER_SHIFT;
    } else if (call == TWIST_SEND && twist_is_on()) {
        cut(sqe);
    }
}

/* Those that liburing has not handed over yet, each once. */
static void twist_all(struct io_uring *ring)
{
    struct io_uring_sq *sq = &ring->sq;
    for (unsigned i = sq->sqe_head; i != sq->sqe_tail; i++)
        twist(&sq->sqes[i & sq->ring_mask]);
}

/* A signal comes while nothing is there: what was handed over is handed over. Or nothing is taken. */
static bool is_interrupted(struct io_uring *ring, int *result)
{
    int number = twist_number(TWIST_ENTER);
    if (number != 0) {
        *result = -number;
        return true;
    }
    twist_all(ring);
    number = twist_number(TWIST_WAIT);
    if (number == 0)
        return false;
    *result = __real_io_uring_submit(ring);
    if (*result == 0)
        *result = -number;
    return true;
}

int __wrap_io_uring_submit(struct io_uring *ring)
{
    int number = twist_number(TWIST_ENTER);
    if (number != 0)
        return -number;
    twist_all(ring);
    return __real_io_uring_submit(ring);
}

int __wrap_io_uring_submit_and_get_events(struct io_uring *ring)
{
    int number = twist_number(TWIST_ENTER);
    if (number != 0)
        return -number;
    twist_all(ring);
    return __real_io_uring_submit_and_get_events(ring);
}

int __wrap_io_uring_submit_and_wait(struct io_uring *ring, unsigned count)
{
    int result;
    return is_interrupted(ring, &result) ? result : __real_io_uring_submit_and_wait(ring, count);
}

int __wrap_io_uring_submit_and_wait_timeout(struct io_uring *ring, struct io_uring_cqe **first, unsigned count,
                                            struct __kernel_timespec *t, sigset_t *signals)
{
    int result;
    if (is_interrupted(ring, &result))
        return result;
    return __real_io_uring_submit_and_wait_timeout(ring, first, count, t, signals);
}

unsigned __wrap_io_uring_peek_batch_cqe(struct io_uring *ring, struct io_uring_cqe **cqes, unsigned count)
{
    unsigned n = __real_io_uring_peek_batch_cqe(ring, cqes, count);
    for (unsigned i = 0; i < n; i++) {
        int number = (int)(cqes[i]->user_data >> NUMBER_SHIFT);
        if (number == 0)
            continue;
        cqes[i]->user_data &= (UINT64_C(1) << NUMBER_SHIFT) - 1;
        cqes[i]->res = -number;
    }
    return n;
}
