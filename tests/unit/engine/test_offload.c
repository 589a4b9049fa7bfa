/* SPDX-License-Identifier: Apache-2.0 */
/* The offload pool: order, every job once, and what is queued at the end. */
#include <criterion/criterion.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
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
    cr_assert(nacre_offload_start(&o, 1, "offload"));
    for (int i = 0; i < 1000; i++)
        put(&o, i, count);
    nacre_offload_stop(&o);
    cr_assert_eq(atomic_load(&ran), 1000);
    cr_assert_eq(atomic_load(&out_of_order), 0);
}

Test(engine_offload, stopping_runs_what_is_queued)
{
    struct offload o;
    cr_assert(nacre_offload_start(&o, 2, "offload"));
    for (int i = 0; i < 10; i++)
        put(&o, i, linger);
    nacre_offload_stop(&o);
    cr_assert_eq(atomic_load(&ran), 10);
}

Test(engine_offload, more_threads_than_the_bound_are_not_started)
{
    struct offload o;
    cr_assert(nacre_offload_start(&o, 1000, "offload"));
    cr_assert_leq(o.thread_count, OFFLOAD_THREADS);
    nacre_offload_stop(&o);
    cr_assert_eq(atomic_load(&ran), 0);
}

enum {
    SIDE_BY_SIDE = 4,
    MEETING_MS = 20000
};

static atomic_int there, met;

/* Ends when as many are under way as may be, which never happens where one comes after another. */
static void meet(struct job *job)
{
    int64_t until = nacre_clock_ns() + MEETING_MS * INT64_C(1000000);
    atomic_fetch_add(&there, 1);
    while (atomic_load(&there) < SIDE_BY_SIDE && nacre_clock_ns() < until)
        usleep(1000);
    atomic_fetch_add(&met, atomic_load(&there) == SIDE_BY_SIDE);
    free(job);
}

Test(engine_offload, jobs_run_side_by_side)
{
    struct offload o;
    cr_assert(nacre_offload_start(&o, SIDE_BY_SIDE, "offload"));
    for (int i = 0; i < SIDE_BY_SIDE; i++)
        put(&o, i, meet);
    nacre_offload_stop(&o);
    cr_assert_eq(atomic_load(&met), SIDE_BY_SIDE);
}

/* ---- two lanes ------------------------------------------------------------------------------------------------- */

enum {
    EACH = 20
};

static char order[4 * EACH];
static _Atomic size_t ordered;
static plat_mutex gate;

static void note(struct job *job)
{
    order[atomic_fetch_add(&ordered, 1)] = job->first ? 'f' : 'o';
    free(job);
}

static void wait_at_gate(struct job *job)
{
    nacre_mutex_lock(&gate);
    nacre_mutex_unlock(&gate);
    free(job);
}

static void put_plain(struct offload *o, bool first, void (*run)(struct job *))
{
    struct job *job = calloc(1, sizeof *job);
    job->run = run;
    job->first = first;
    nacre_offload_put(o, job);
}

/* While handshakes queue up, a re-keying of somebody who works does not stand behind them; nor do they starve. */
Test(engine_offload, those_who_have_logged_in_go_first_and_others_are_not_starved)
{
    struct offload o;
    nacre_mutex_init(&gate);
    nacre_mutex_lock(&gate);
    cr_assert(nacre_offload_start(&o, 1, "offload"));
    put_plain(&o, true, wait_at_gate);
    for (int i = 0; i < EACH; i++)
        put_plain(&o, false, note);
    for (int i = 0; i < EACH; i++)
        put_plain(&o, true, note);
    nacre_mutex_unlock(&gate);
    nacre_offload_stop(&o);
    cr_assert_eq(atomic_load(&ordered), 2 * EACH);
    /* The first run may be one short, since the job at the gate counts when others waited already. */
    const char *last = strrchr(order, 'f');
    cr_expect_leq(last - order, EACH + EACH / 4, "%s", order);
    cr_expect_null(strstr(order, "fffff"), "%s", order);
    cr_expect(strncmp(order, "ffffoffffo", 10) == 0 || strncmp(order, "fffoffffo", 9) == 0, "%s", order);
    nacre_mutex_destroy(&gate);
}
