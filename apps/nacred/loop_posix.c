/* SPDX-License-Identifier: Apache-2.0 */
#include "loop.h"

#include <errno.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    EVENTS_A_ROUND = 64
};

bool nacred_loop_open(struct loop *loop)
{
    *loop = (struct loop){.epoll_fd = epoll_create1(EPOLL_CLOEXEC), .wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    loop->last = &loop->first;
    pthread_mutex_init(&loop->lock, NULL);
    if (loop->epoll_fd < 0 || loop->wake_fd < 0)
        return false;
    /* The wake-up is the one event without a watch. */
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    return epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->wake_fd, &event) == 0;
}

void nacred_loop_close(struct loop *loop)
{
    if (loop->epoll_fd >= 0)
        close(loop->epoll_fd);
    if (loop->wake_fd >= 0)
        close(loop->wake_fd);
    pthread_mutex_destroy(&loop->lock);
}

bool nacred_loop_arm(struct loop *loop, struct watch *watch, enum loop_event what)
{
    struct epoll_event event = {.events = what == LOOP_READ ? EPOLLIN : EPOLLOUT, .data.ptr = watch};

    if (watch->armed)
        return true;
    watch->armed = epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, watch->fd, &event) == 0;
    return watch->armed;
}

/* Taken out of the set rather than given no events: epoll reports a hang-up even to who asked for nothing. */
void nacred_loop_disarm(struct loop *loop, struct watch *watch)
{
    if (watch->armed)
        epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
    watch->armed = false;
}

void nacred_loop_close_watch(struct loop *loop, struct watch *watch)
{
    nacred_loop_disarm(loop, watch);
    if (watch->fd >= 0)
        close(watch->fd);
    watch->fd = -1;
}

void nacred_loop_wake(struct loop *loop)
{
    static const uint64_t one = 1;

    /* The counter cannot be full. */
    while (write(loop->wake_fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

static void clear_wake(struct loop *loop)
{
    uint64_t count;

    while (read(loop->wake_fd, &count, sizeof count) < 0 && errno == EINTR)
        ;
}

void nacred_loop_wait(struct loop *loop, int wait_ms)
{
    struct epoll_event events[EVENTS_A_ROUND];
    int count = epoll_wait(loop->epoll_fd, events, EVENTS_A_ROUND, wait_ms);

    for (int i = 0; i < count; i++) {
        struct watch *watch = events[i].data.ptr;

        if (watch)
            watch->ready(watch);
        else
            clear_wake(loop);
    }
}
