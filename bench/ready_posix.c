/* SPDX-License-Identifier: Apache-2.0 */
/* Level-triggered epoll; a watch is registered only while something is waited for. */
#include "ready.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

struct ready {
    int epoll;
};

struct ready *bench_ready_open(void)
{
    struct ready *r = malloc(sizeof *r);
    if (r == NULL)
        return NULL;
    r->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (r->epoll >= 0)
        return r;
    free(r);
    return NULL;
}

void bench_ready_close(struct ready *r)
{
    close(r->epoll);
    free(r);
}

bool bench_ready_watch(struct ready *r, struct watch *w, uint32_t events)
{
    if (w->events == events)
        return true;
    int op = w->events == 0 ? EPOLL_CTL_ADD : events == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;
    uint32_t wanted = ((events & READY_IN) != 0 ? EPOLLIN : 0U) | ((events & READY_OUT) != 0 ? EPOLLOUT : 0U);
    struct epoll_event e = {.events = wanted, .data.ptr = w};
    if (epoll_ctl(r->epoll, op, w->fd, &e) != 0)
        return false;
    w->events = events;
    return true;
}

/* Closing does it. */
void bench_ready_forget(struct ready *r, struct watch *w)
{
    (void)r;
    w->events = 0;
}

static uint32_t events_of(uint32_t seen)
{
    return ((seen & EPOLLIN) != 0 ? READY_IN : 0U) | ((seen & EPOLLOUT) != 0 ? READY_OUT : 0U) |
           ((seen & (EPOLLHUP | EPOLLERR)) != 0 ? READY_LOST : 0U);
}

unsigned bench_ready_wait(struct ready *r, struct ready_note *notes, int64_t ns)
{
    struct epoll_event seen[READY_BATCH];
    const struct timespec limit = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    int count = epoll_pwait2(r->epoll, seen, READY_BATCH, ns < 0 ? NULL : &limit, NULL);
    for (int i = 0; i < count; i++)
        notes[i] = (struct ready_note){seen[i].data.ptr, events_of(seen[i].events)};
    return count > 0 ? (unsigned)count : 0;
}
