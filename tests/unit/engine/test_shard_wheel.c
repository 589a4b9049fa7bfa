/* SPDX-License-Identifier: Apache-2.0 */
/* The engine over the scripted back end: what who leaves the wheel leaves behind for the worker. */
#include <criterion/criterion.h>
#include <stdatomic.h>
#include <unistd.h>

#include "engine/wheel.h"
#include "unit/engine/memory.h"

enum {
    PAUSE_MS = 5,
    BELL_MS = 200
};

/* A back end with pauses of its own, of which it has nothing to report. */
static unsigned wait_with_pauses(struct io *io, int64_t until_ns, struct io_done *out, unsigned max)
{
    for (;;) {
        int64_t pause_ns = nacre_clock_ns() + PAUSE_MS * INT64_C(1000000);
        unsigned count = fake_io_shared.wait(io, pause_ns < until_ns ? pause_ns : until_ns, out, max);
        if (count != 0 || nacre_clock_ns() >= until_ns)
            return count;
    }
}

static atomic_bool rang;

static void ring(struct timer *t, int64_t now_ns)
{
    (void)t;
    (void)now_ns;
    atomic_store(&rang, true);
}

Test(shard_wheel, the_worker_hears_of_what_was_left_due_while_its_back_end_paused, .timeout = 240)
{
    struct io_backend ops = fake_io_shared;
    struct engine e;
    struct timer bell;
    ops.wait = wait_with_pauses;
    engine_start_on(&e, &ops, "MaxReadTime=50");
    engine_hold_events(true); /* nobody else waits for the worker's sockets */
    struct shard *s = &e.server->nacre->shards[0];
    timer_init(&bell, ring);
    nacre_mutex_lock(&s->wheel);
    nacre_timer_arm(&s->timers, &bell, nacre_clock_ns() + BELL_MS * INT64_C(1000000));
    nacre_mutex_unlock(&s->wheel);
    nacre_wheel_nudge(s);
    for (int i = 0; i < MEMORY_WAIT_MS && !atomic_load(&rang); i++)
        (void)usleep(1000);
    cr_expect(atomic_load(&rang));
    engine_hold_events(false);
    nacre_mutex_lock(&s->wheel);
    nacre_timer_cancel(&s->timers, &bell);
    nacre_mutex_unlock(&s->wheel);
    engine_stop(&e);
}
