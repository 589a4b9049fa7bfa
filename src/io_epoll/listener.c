/* SPDX-License-Identifier: Apache-2.0 */
/* The epoll back end: listening sockets. When the system has no descriptor or memory for a connection, the listener
 * rests: asking again at once would only spin. */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "engine/sock.h"
#include "io_epoll/epoll.h"

enum {
    ACCEPTS_PER_TURN = 16, /* then the streams' turn; other workers may take the rest meanwhile */
};

static const int64_t rest_ns = 100 * 1000 * 1000;

/* Stops asking the listener for 100 ms. */
static void rest(struct io *io, uint32_t slot)
{
    struct epoll_slot *s = epoll_slot_at(io, slot);
    epoll_ctl(io->epoll, EPOLL_CTL_DEL, s->fd, NULL);
    s->rest_until = nacre_clock_ns() + rest_ns;
    nacre_slot_queue_add(&io->slots, &io->resting, slot);
}

void nacre_epoll_work_listener(struct io *io, uint32_t slot, struct epoll_out *out)
{
    struct epoll_slot *s = epoll_slot_at(io, slot);
    unsigned failed = 0;
    for (unsigned i = 0; i < ACCEPTS_PER_TURN && !epoll_out_is_full(out); i++) {
        int fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            epoll_report(out, IO_ACCEPTED, s)->accepted = fd;
            continue;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            return;
        failed++;
        if (nacre_sock_accept_goes_on(errno) && failed < ACCEPTS_PER_TURN) /* not when nothing else comes */
            continue;
        epoll_report(out, IO_LISTEN_FAILED, s)->error = nacre_error_from_errno(errno);
        rest(io, slot);
        return;
    }
    /* What is left is told again: listeners are level-triggered. */
}

void nacre_epoll_end_rest(struct io *io, int64_t now_ns)
{
    while (io->resting.first != 0) {
        struct epoll_slot *s = epoll_slot_at(io, io->resting.first - 1);
        if (s->rest_until > now_ns)
            return;
        uint32_t slot = slot_queue_pop(&io->slots, &io->resting);
        if (nacre_epoll_watch(io, slot, EPOLL_CTL_ADD, EPOLLIN | (uint32_t)EPOLLEXCLUSIVE) == NACRE_OK)
            continue;
        s->rest_until = now_ns + rest_ns;
        nacre_slot_queue_add(&io->slots, &io->resting, slot);
    }
}
