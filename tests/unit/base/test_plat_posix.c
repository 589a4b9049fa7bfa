/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

#include "base/plat.h"

Test(base_plat, the_clock_never_goes_back)
{
    int64_t before = nacre_clock_ns();
    for (int i = 0; i < 1000; i++) {
        int64_t now = nacre_clock_ns();
        cr_assert_geq(now, before);
        before = now;
    }
    cr_assert_gt(nacre_clock_unix(), 1700000000);
}

Test(base_plat, entropy_fills_all_bytes)
{
    uint8_t a[600] = {0}, b[600] = {0};
    cr_assert(nacre_entropy(a, sizeof a));
    cr_assert(nacre_entropy(b, sizeof b));
    cr_assert_neq(memcmp(a, b, sizeof a), 0);
    uint8_t end = 0;
    for (size_t i = 568; i < 600; i++)
        end |= a[i];
    cr_assert_neq(end, 0);
    cr_assert(nacre_entropy(NULL, 0));
}

Test(base_plat, there_is_a_cpu)
{
    cr_assert_geq(nacre_cpu_count(), 1);
}

struct shared {
    plat_mutex lock;
    plat_cond changed;
    int value;
    bool signals_blocked;
    char name[16];
};

static void run(void *argument)
{
    struct shared *s = (struct shared *)argument;
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    nacre_mutex_lock(&s->lock);
    s->signals_blocked = sigismember(&mask, SIGTERM) == 1 && sigismember(&mask, SIGUSR1) == 1 &&
                         sigismember(&mask, SIGSEGV) == 0; /* it is how a crash gets its report */
    pthread_getname_np(pthread_self(), s->name, sizeof s->name);
    s->value = 1;
    nacre_cond_signal(&s->changed);
    while (s->value != 2)
        nacre_cond_wait(&s->changed, &s->lock, INT64_MAX);
    s->value = 3;
    nacre_cond_broadcast(&s->changed);
    nacre_mutex_unlock(&s->lock);
}

Test(base_plat, threads_run_named_with_signals_blocked_and_meet_at_conditions)
{
    static struct shared s;
    plat_thread t;
    nacre_mutex_init(&s.lock);
    nacre_cond_init(&s.changed);
    cr_assert(nacre_thread_start(&t, run, &s, "a-name-that-is-far-too-long"));
    nacre_mutex_lock(&s.lock);
    while (s.value != 1)
        nacre_cond_wait(&s.changed, &s.lock, INT64_MAX);
    s.value = 2;
    nacre_cond_broadcast(&s.changed);
    while (s.value != 3)
        nacre_cond_wait(&s.changed, &s.lock, nacre_clock_ns() + INT64_C(10000000000));
    nacre_mutex_unlock(&s.lock);
    nacre_thread_join(t);
    cr_assert(s.signals_blocked);
    cr_assert_str_eq(s.name, "a-name-that-is-");
    nacre_cond_destroy(&s.changed);
    nacre_mutex_destroy(&s.lock);
}

Test(base_plat, waiting_ends_when_time_runs_out)
{
    plat_mutex lock;
    plat_cond never;
    nacre_mutex_init(&lock);
    nacre_cond_init(&never);
    nacre_mutex_lock(&lock);
    int64_t until = nacre_clock_ns() + 20 * 1000 * 1000;
    while (nacre_cond_wait(&never, &lock, until))
        continue;
    cr_assert_geq(nacre_clock_ns(), until);
    cr_assert_not(nacre_cond_wait(&never, &lock, -5));
    nacre_mutex_unlock(&lock);
    nacre_cond_destroy(&never);
    nacre_mutex_destroy(&lock);
}

Test(base_plat, parking_ends_when_it_was_set_before)
{
    plat_park place;
    nacre_park_init(&place);
    nacre_park_set(&place);
    cr_assert(nacre_park_wait(&place, 0));
    cr_assert(nacre_park_wait(&place, INT64_MAX));
}

Test(base_plat, parking_ends_when_time_runs_out_and_may_go_on)
{
    plat_park place;
    nacre_park_init(&place);
    int64_t until = nacre_clock_ns() + 20 * 1000 * 1000;
    cr_assert_not(nacre_park_wait(&place, until));
    cr_assert_geq(nacre_clock_ns(), until);
    cr_assert_not(nacre_park_wait(&place, -5));
    nacre_park_set(&place);
    cr_assert(nacre_park_wait(&place, until));
}

struct parked {
    plat_park place;
    int value; /* written before it is set: the sleeper sees it */
};

static void wake_parked(void *argument)
{
    struct parked *p = (struct parked *)argument;
    p->value = 7;
    nacre_park_set(&p->place);
}

Test(base_plat, parking_ends_when_another_thread_sets_it)
{
    for (int i = 0; i < 50; i++) {
        struct parked p = {.value = 0};
        plat_thread t;
        nacre_park_init(&p.place);
        cr_assert(nacre_thread_start(&t, wake_parked, &p, "waker"));
        cr_assert(nacre_park_wait(&p.place, INT64_MAX));
        cr_assert_eq(p.value, 7);
        nacre_thread_join(t);
    }
}
