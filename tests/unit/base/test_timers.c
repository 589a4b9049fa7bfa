/* SPDX-License-Identifier: Apache-2.0 */
/* The wheel against a naive model: every timer fires in the first advance to a tick at or past its due time, and not
 * before. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/timers.h"

static const int64_t tick = 10 * 1000 * 1000;
static const int64_t second = 1000 * 1000 * 1000;

struct probe {
    struct timer timer;
    unsigned fired;
    int64_t fired_ns;
    struct timers *wheel;
    struct probe *other;
    int64_t again; /* re-arms itself that much later */
};

static void on_fire(struct timer *t, int64_t now_ns)
{
    struct probe *p = CONTAINER_OF(t, struct probe, timer);
    p->fired++;
    p->fired_ns = now_ns;
    if (p->again != 0)
        nacre_timer_arm(p->wheel, t, now_ns + p->again);
    if (p->other != NULL)
        nacre_timer_cancel(p->wheel, &p->other->timer);
}

static void probe_init(struct probe *p, struct timers *w)
{
    *p = (struct probe){.wheel = w};
    timer_init(&p->timer, on_fire);
}

Test(base_timers, nothing_armed_means_no_next)
{
    struct timers w;
    nacre_timers_init(&w, 12345);
    cr_assert_eq(nacre_timers_next(&w), INT64_MAX);
    nacre_timers_advance(&w, second);
    cr_assert_eq(nacre_timers_next(&w), INT64_MAX);
}

Test(base_timers, fires_once_and_never_early)
{
    struct timers w;
    struct probe p;
    nacre_timers_init(&w, 0);
    probe_init(&p, &w);
    nacre_timer_arm(&w, &p.timer, second + 1);
    nacre_timers_advance(&w, second);
    cr_assert_eq(p.fired, 0);
    nacre_timers_advance(&w, second + tick);
    cr_assert_eq(p.fired, 1);
    cr_assert_eq(p.timer.due_ns, 0);
    nacre_timers_advance(&w, 100 * second);
    cr_assert_eq(p.fired, 1);
}

Test(base_timers, a_due_time_that_has_passed_fires_at_the_next_advance)
{
    static const int64_t dues[] = {0, -5, 1, 999999999, 1000000000};
    struct timers w;
    struct probe p;
    nacre_timers_init(&w, second);
    probe_init(&p, &w);
    for (size_t i = 0; i < sizeof dues / sizeof *dues; i++) {
        nacre_timer_arm(&w, &p.timer, dues[i]);
        cr_assert_leq(nacre_timers_next(&w), second);
        nacre_timers_advance(&w, second);
        cr_assert_eq(p.fired, i + 1);
    }
}

Test(base_timers, rearming_replaces_the_due_time)
{
    struct timers w;
    struct probe p;
    nacre_timers_init(&w, 0);
    probe_init(&p, &w);
    nacre_timer_arm(&w, &p.timer, second);
    nacre_timer_arm(&w, &p.timer, 3 * second);
    nacre_timers_advance(&w, 2 * second);
    cr_assert_eq(p.fired, 0);
    nacre_timers_advance(&w, 3 * second);
    cr_assert_eq(p.fired, 1);
}

Test(base_timers, cancelling_the_last_one_leaves_no_next)
{
    static const int64_t dues[] = {-1, 5000000, 100000000, 10000000000, 1000000000000, INT64_MAX};
    struct timers w;
    struct probe p;
    nacre_timers_init(&w, second);
    probe_init(&p, &w);
    for (size_t i = 0; i < sizeof dues / sizeof *dues; i++) {
        nacre_timer_arm(&w, &p.timer, dues[i]);
        nacre_timer_cancel(&w, &p.timer);
        nacre_timer_cancel(&w, &p.timer);
        cr_assert_eq(nacre_timers_next(&w), INT64_MAX);
    }
    nacre_timers_advance(&w, 1000 * second);
    cr_assert_eq(p.fired, 0);
}

Test(base_timers, a_handler_may_rearm_its_own_timer)
{
    struct timers w;
    struct probe p;
    nacre_timers_init(&w, 0);
    probe_init(&p, &w);
    p.again = second;
    nacre_timer_arm(&w, &p.timer, second);
    for (unsigned i = 1; i <= 5; i++) {
        nacre_timers_advance(&w, (int64_t)i * second);
        cr_assert_eq(p.fired, i);
    }
}

Test(base_timers, rearming_for_now_does_not_loop_for_ever)
{
    struct timers w;
    struct probe p;
    nacre_timers_init(&w, 0);
    probe_init(&p, &w);
    p.again = -1;
    nacre_timer_arm(&w, &p.timer, 1);
    nacre_timers_advance(&w, second + 5);
    unsigned fired = p.fired;
    cr_assert_geq(fired, 1);
    cr_assert_leq(fired, 3);
    nacre_timers_advance(&w, second + 6);
    cr_assert_eq(p.fired, fired + 1);
}

Test(base_timers, a_handler_may_cancel_another_that_is_due_at_once)
{
    struct timers w;
    struct probe a, b;
    nacre_timers_init(&w, 0);
    probe_init(&a, &w);
    probe_init(&b, &w);
    a.other = &b;
    nacre_timer_arm(&w, &a.timer, second);
    nacre_timer_arm(&w, &b.timer, second);
    nacre_timers_advance(&w, 2 * second);
    cr_assert_eq(a.fired, 1);
    cr_assert_eq(b.fired, 0);
    cr_assert_eq(b.timer.due_ns, 0);
    cr_assert_eq(nacre_timers_next(&w), INT64_MAX);
}

Test(base_timers, waiting_for_next_fires_all_at_their_tick)
{
    static const int64_t dues[] = {3, 639999999, 640000000, 640000001, 40960000000, 40960000001, 2621440000001};
    enum {
        COUNT = sizeof dues / sizeof *dues
    };
    struct timers w;
    struct probe p[COUNT];
    nacre_timers_init(&w, 0);
    for (size_t i = 0; i < COUNT; i++) {
        probe_init(&p[i], &w);
        nacre_timer_arm(&w, &p[i].timer, dues[i]);
    }
    unsigned steps = 0;
    for (int64_t next = nacre_timers_next(&w); next != INT64_MAX; next = nacre_timers_next(&w)) {
        nacre_timers_advance(&w, next);
        cr_assert_lt(++steps, 100);
    }
    for (size_t i = 0; i < COUNT; i++) {
        cr_assert_eq(p[i].fired, 1);
        cr_assert_geq(p[i].fired_ns, dues[i]);
        cr_assert_lt(p[i].fired_ns, dues[i] + tick);
    }
}

Test(base_timers, times_past_the_top_level_are_kept_until_then)
{
    const int64_t year = 365 * 24 * 3600 * second;
    struct timers w;
    struct probe p;
    nacre_timers_init(&w, 77 * second);
    probe_init(&p, &w);
    nacre_timer_arm(&w, &p.timer, year);
    for (int64_t now = 77 * second; now < year; now += 24 * 3600 * second) {
        nacre_timers_advance(&w, now);
        cr_assert_eq(p.fired, 0);
    }
    nacre_timers_advance(&w, year);
    cr_assert_eq(p.fired, 1);
}

Test(base_timers, one_long_jump_fires_everything)
{
    struct timers w;
    static struct probe p[500];
    nacre_timers_init(&w, 0);
    for (int i = 0; i < 500; i++) {
        probe_init(&p[i], &w);
        nacre_timer_arm(&w, &p[i].timer, (int64_t)i * i * i * second + 1);
    }
    nacre_timers_advance(&w, INT64_C(500) * 500 * 500 * second);
    for (int i = 0; i < 500; i++)
        cr_assert_eq(p[i].fired, 1);
}

/* A random length whose magnitude is random too, so that all levels are used. */
static int64_t random_span(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    unsigned bits = (unsigned)(*state >> 58) % 56;
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (int64_t)(*state >> 8 & ((UINT64_C(1) << bits) - 1));
}

static int64_t expected_tick(int64_t due)
{
    return due / tick + (due % tick != 0);
}

struct model {
    struct timers wheel;
    struct probe probes[3000];
    int64_t due[3000]; /* 0: not armed */
    int64_t armed_at[3000];
    int64_t now;
};

static void check(struct model *m, size_t i, unsigned fired_before)
{
    bool overdue = m->due[i] != 0 && expected_tick(m->due[i]) <= m->now / tick;
    cr_assert_eq(m->probes[i].fired - fired_before, overdue, "timer %zu due %lld at %lld", i, (long long)m->due[i],
                 (long long)m->now);
    if (overdue)
        m->due[i] = 0;
    cr_assert_eq(m->probes[i].timer.due_ns, m->due[i]);
}

Test(base_timers, agrees_with_a_naive_model_over_thousands_of_random_timers)
{
    enum {
        COUNT = 3000
    };
    static struct model m;
    static unsigned before[COUNT];
    static const uint64_t seeds[] = {1, 42, 20251121};
    for (size_t run = 0; run < sizeof seeds / sizeof *seeds; run++) {
        uint64_t state = seeds[run];
        m.now = random_span(&state);
        nacre_timers_init(&m.wheel, m.now);
        for (size_t i = 0; i < COUNT; i++) {
            probe_init(&m.probes[i], &m.wheel);
            m.due[i] = 0;
        }
        for (unsigned step = 0; step < 400; step++) {
            for (unsigned k = 0; k < 60; k++) {
                size_t i = (size_t)random_span(&state) % COUNT;
                bool cancel = random_span(&state) % 5 == 0;
                m.due[i] = cancel ? 0 : m.now + random_span(&state) + 1;
                if (cancel)
                    nacre_timer_cancel(&m.wheel, &m.probes[i].timer);
                else
                    nacre_timer_arm(&m.wheel, &m.probes[i].timer, m.due[i]);
            }
            for (size_t i = 0; i < COUNT; i++)
                before[i] = m.probes[i].fired;
            int64_t next = nacre_timers_next(&m.wheel);
            for (size_t i = 0; i < COUNT; i++)
                cr_assert(m.due[i] == 0 || next <= expected_tick(m.due[i]) * tick, "seed %llu",
                          (unsigned long long)seeds[run]);
            m.now += step % 3 == 0 && next > m.now && next != INT64_MAX ? next - m.now : random_span(&state);
            nacre_timers_advance(&m.wheel, m.now);
            for (size_t i = 0; i < COUNT; i++)
                check(&m, i, before[i]);
        }
    }
}
