/* SPDX-License-Identifier: Apache-2.0 */
/* The event loop of one load process: epoll, and nacre's timer wheel. One thread. */
#ifndef BENCH_LOOP_H
#define BENCH_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/timers.h"

/* A descriptor that is watched; lives in what owns it. */
struct watch {
    int fd;
    uint32_t events; /* what epoll was told; 0: not registered */
    void (*ready)(struct watch *w, uint32_t events);
};

struct loop {
    int epoll_fd;
    int64_t now_ns; /* taken after each wait */
    bool stopped;
    struct timers timers;
};

/* False: the system gives no epoll; errno says why. */
bool bench_loop_init(struct loop *l);

/* Sets what is waited for: EPOLLIN, EPOLLOUT; 0 unregisters. False: the system refuses. */
bool bench_loop_watch(struct loop *l, struct watch *w, uint32_t events);

/* Runs until bench_loop_stop(). `after` is called behind each batch of events: the place to free what events referred
 * to. */
void bench_loop_run(struct loop *l, void (*after)(void *context), void *context);

static inline void loop_stop(struct loop *l)
{
    l->stopped = true;
}

#endif
