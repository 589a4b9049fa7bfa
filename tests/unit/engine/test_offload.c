/* SPDX-License-Identifier: Apache-2.0 */
/* The offload pool: order, every job once, and what is queued at the end. */
#include <criterion/criterion.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/plat.h"
#include "engine/offload.h"

static atomic_int ran, out_of_order;

struct numbered {
    struct job job; /* first */
    int number;
};

static void count(struct job *job)
{
    struct numbered *n = (struct numbered *)(void *)job;
    if (atomic_fetch_add(&ran, 1) != n->number)
        atomic_fetch_add(&out_of_order, 1);
    free(n);
}

static void linger(struct job *job)
{
    usleep(20000);
    count(job);
}

static void put(struct offload *o, int number, void (*run)(struct job *))
{
    struct numbered *n = calloc(1, sizeof *n);
    n->job.run = run;
    n->number = number;
    nacre_offload_put(o, &n->job);
}

Test(engine_offload, one_thread_runs_jobs_in_the_order_they_came)
{
    struct offload o;
    cr_assert(nacre_offload_start(&o, 1));
    for (int i = 0; i < 1000; i++)
        put(&o, i, count);
    nacre_offload_stop(&o);
    cr_assert_eq(atomic_load(&ran), 1000);
    cr_assert_eq(atomic_load(&out_of_order), 0);
}

Test(engine_offload, stopping_runs_what_is_queued)
{
    struct offload o;
    cr_assert(nacre_offload_start(&o, 2));
    for (int i = 0; i < 10; i++)
        put(&o, i, linger);
    nacre_offload_stop(&o);
    cr_assert_eq(atomic_load(&ran), 10);
}

Test(engine_offload, more_threads_than_the_bound_are_not_started)
{
    struct offload o;
    cr_assert(nacre_offload_start(&o, 1000));
    cr_assert_leq(o.thread_count, OFFLOAD_THREADS);
    nacre_offload_stop(&o);
    cr_assert_eq(atomic_load(&ran), 0);
}

Test(engine_offload, jobs_run_side_by_side)
{
    struct offload o;
    cr_assert(nacre_offload_start(&o, 4));
    int64_t start = nacre_clock_ns();
    for (int i = 0; i < 8; i++)
        put(&o, i, linger);
    nacre_offload_stop(&o);
    cr_assert_lt(nacre_clock_ns() - start, INT64_C(150000000), "eight jobs of 20 ms one after another");
}
