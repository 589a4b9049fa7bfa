/* SPDX-License-Identifier: Apache-2.0 */
#include "loop.h"

#include <stddef.h>

#include "base/plat.h"

bool bench_loop_init(struct loop *l)
{
    l->now_ns = nacre_clock_ns();
    l->stopped = l->again = false;
    l->wake_ns = INT64_MAX;
    nacre_timers_init(&l->timers, l->now_ns);
    l->ready = bench_ready_open();
    return l->ready != NULL;
}

void bench_loop_free(struct loop *l)
{
    bench_ready_close(l->ready);
}

static int64_t wait_ns(const struct loop *l)
{
    if (l->again)
        return 0;
    int64_t next = nacre_timers_next(&l->timers);
    next = l->wake_ns < next ? l->wake_ns : next;
    if (next == INT64_MAX)
        return -1;
    int64_t ns = next - nacre_clock_ns();
    return ns > 0 ? ns : 0;
}

void bench_loop_run(struct loop *l, void (*after)(void *context), void *context)
{
    struct ready_note notes[READY_BATCH];
    l->stopped = false;
    while (!l->stopped) {
        unsigned count = bench_ready_wait(l->ready, notes, wait_ns(l));
        l->now_ns = nacre_clock_ns();
        for (unsigned i = 0; i < count; i++) {
            struct watch *w = notes[i].watch;
            if (w->events != 0) /* an earlier event of this batch may have ended it */
                w->ready(w, notes[i].events);
        }
        nacre_timers_advance(&l->timers, l->now_ns);
        if (l->now_ns >= l->wake_ns)
            l->wake(l);
        after(context);
    }
}
