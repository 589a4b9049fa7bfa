/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/tick.h"

enum {
    US = 1000,
    MS = 1000 * 1000,
    OFTEN = 4 /* short sleeps in a millisecond */
};

/* Whether it was set since the last time this was asked: it is turned off then. */
static bool was_set(const struct tick *t)
{
    static const struct itimerspec off = {.it_value.tv_nsec = 0};
    struct itimerspec before;
    uint64_t expired;
    bool set = read(t->fd, &expired, sizeof expired) == sizeof expired;
    cr_assert_eq(timerfd_settime(t->fd, 0, &off, &before), 0);
    cr_expect_leq(before.it_value.tv_nsec, MS);
    cr_expect_eq(before.it_value.tv_sec, 0);
    cr_expect_eq(before.it_interval.tv_nsec, 0, "it ends by itself");
    return set || before.it_value.tv_nsec != 0;
}

static void sleep_for(struct tick *t, int times, int64_t each_ns)
{
    for (int i = 0; i < times; i++)
        nacre_tick_slept(t, each_ns);
}

Test(tick, short_sleeps_that_are_many_set_the_timer_once_a_millisecond)
{
    struct tick t;
    nacre_tick_open(&t);
    cr_assert_geq(t.fd, 0);
    sleep_for(&t, OFTEN, 50 * US);
    nacre_tick_keep(&t, 5 * MS);
    cr_expect(was_set(&t));
    sleep_for(&t, OFTEN, 50 * US);
    nacre_tick_keep(&t, 6 * MS - 1);
    cr_expect_not(was_set(&t), "it was set less than a millisecond ago");
    nacre_tick_keep(&t, 6 * MS);
    cr_expect(was_set(&t));
    nacre_tick_close(&t);
}

Test(tick, few_sleeps_long_ones_and_none_do_not_set_it)
{
    struct tick t;
    nacre_tick_open(&t);
    cr_assert_geq(t.fd, 0);
    nacre_tick_keep(&t, 5 * MS);
    cr_expect_not(was_set(&t));
    sleep_for(&t, OFTEN - 1, 50 * US);
    nacre_tick_keep(&t, 6 * MS);
    cr_expect_not(was_set(&t), "few");
    sleep_for(&t, OFTEN - 1, 50 * US);
    nacre_tick_keep(&t, 7 * MS);
    cr_expect_not(was_set(&t), "those of before do not count");
    sleep_for(&t, 100 * OFTEN, 1 * US);
    nacre_tick_keep(&t, 8 * MS);
    cr_expect_not(was_set(&t), "no sleeps");
    sleep_for(&t, OFTEN, MS);
    nacre_tick_keep(&t, 9 * MS);
    cr_expect_not(was_set(&t), "long ones");
    nacre_tick_close(&t);
}

Test(tick, without_a_descriptor_nothing_is_done)
{
    struct tick t = {.fd = -1};
    sleep_for(&t, OFTEN, 50 * US);
    nacre_tick_keep(&t, 5 * MS);
    nacre_tick_close(&t);
    cr_expect_eq(t.fd, -1);
}
