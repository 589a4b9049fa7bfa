/* SPDX-License-Identifier: Apache-2.0 */
/* Level-triggered epoll; a watch is registered only while something is waited for. */
#include "loop.h"

#include <stddef.h>
#include <sys/epoll.h>

#include "base/plat.h"

enum {
    BATCH = 256
};

bool bench_loop_init(struct loop *l)
{
    l->now_ns = nacre_clock_ns();
    l->stopped = false;
    nacre_timers_init(&l->timers, l->now_ns);
    l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    return l->epoll_fd >= 0;
}

bool bench_loop_watch(struct loop *l, struct watch *w, uint32_t events)
{
    if (w->events == events)
        return true;
    int op = w->events == 0 ? EPOLL_CTL_ADD : events == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;
    struct epoll_event e = {.events = events, .data.ptr = w};
    if (epoll_ctl(l->epoll_fd, op, w->fd, &e) != 0)
        return false;
    w->events = events;
    return true;
}

static int wait_ms(const struct loop *l)
{
    int64_t next = nacre_timers_next(&l->timers);
    if (next == INT64_MAX)
        return -1;
    int64_t ns = next - nacre_clock_ns();
    if (ns <= 0)
        return 0;
    return ns > INT64_C(60000000000) ? 60000 : (int)((ns + 999999) / 1000000);
}

void bench_loop_run(struct loop *l, void (*after)(void *context), void *context)
{
    struct epoll_event events[BATCH];
    l->stopped = false;
    while (!l->stopped) {
        int count = epoll_wait(l->epoll_fd, events, BATCH, wait_ms(l));
        l->now_ns = nacre_clock_ns();
        for (int i = 0; i < count; i++) {
            struct watch *w = events[i].data.ptr;
            if (w->events != 0) /* an earlier event of this batch may have ended it */
                w->ready(w, events[i].events);
        }
        nacre_timers_advance(&l->timers, l->now_ns);
        after(context);
    }
}
