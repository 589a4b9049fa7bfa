/* SPDX-License-Identifier: Apache-2.0 */
/* The event loop of one load process: the sockets that are ready, and nacre's timer wheel. One thread. */
#ifndef BENCH_LOOP_H
#define BENCH_LOOP_H

#include "base/timers.h"
#include "ready.h"

struct loop {
    struct ready *ready;
    int64_t now_ns; /* taken after each wait */
    bool stopped;
    bool again; /* the next wait is none: there is more to do */
    struct timers timers;
    int64_t wake_ns;              /* a moment for which the timers' ticks are too coarse; INT64_MAX: none */
    void (*wake)(struct loop *l); /* then; sets the next */
};

/* False: the system refuses; bench_system_error() says why. */
bool bench_loop_init(struct loop *l);
void bench_loop_free(struct loop *l);

/* bench_ready_watch() for one of the loop's sockets. */
static inline bool loop_watch(struct loop *l, struct watch *w, uint32_t events)
{
    return w->events == events || bench_ready_watch(l->ready, w, events);
}

/* Runs until loop_stop(). `after` is called behind each batch of events: the place to free what events referred
 * to. */
void bench_loop_run(struct loop *l, void (*after)(void *context), void *context);

static inline void loop_stop(struct loop *l)
{
    l->stopped = true;
}

#endif
