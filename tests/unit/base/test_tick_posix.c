/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <poll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/tick.h"

enum {
    US = 1000,
    MS = 1000 * 1000,
    OFTEN = 4,   /* short sleeps in a millisecond */
    WAIT_MS = 50 /* for a timer that is due in one */
};

/* Whether it was set since the last time this was asked. It is over by then. */
static bool was_set(const struct tick *t)
{
    struct pollfd p = {.fd = t->fd, .events = POLLIN};
    struct itimerspec left;
    uint64_t expired = 0;
    cr_assert_eq(timerfd_gettime(t->fd, &left), 0);
    cr_expect_leq(left.it_value.tv_sec * MS + left.it_value.tv_nsec, MS);
    cr_expect_eq(left.it_interval.tv_nsec, 0, "it ends by itself");
    if (poll(&p, 1, WAIT_MS) != 1)
        return false;
    cr_assert_eq(read(t->fd, &expired, sizeof expired), sizeof expired);
    cr_expect_eq(expired, 1);
    return true;
}

/* The last of them ends at that time. */
static void sleep_for(struct tick *t, int times, int64_t each_ns, int64_t until_ns)
{
    for (int i = times - 1; i >= 0; i--)
        nacre_tick_slept(t, until_ns - i * each_ns - each_ns, until_ns - i * each_ns);
}

Test(tick, short_sleeps_that_are_many_set_the_timer_once_a_millisecond)
{
    struct tick t;
    nacre_tick_open(&t);
    cr_assert_geq(t.fd, 0);
    nacre_tick_slept(&t, 5 * MS, 5 * MS);
    sleep_for(&t, OFTEN, 50 * US, 6 * MS - 1);
    cr_expect_not(was_set(&t), "not yet");
    nacre_tick_slept(&t, 6 * MS, 6 * MS);
    cr_expect(was_set(&t));
    sleep_for(&t, OFTEN, 50 * US, 7 * MS);
    cr_expect(was_set(&t));
    nacre_tick_close(&t);
}

Test(tick, few_sleeps_long_ones_and_none_do_not_set_it)
{
    struct tick t;
    nacre_tick_open(&t);
    cr_assert_geq(t.fd, 0);
    nacre_tick_slept(&t, 5 * MS, 5 * MS);
    sleep_for(&t, OFTEN - 1, 50 * US, 6 * MS);
    cr_expect_not(was_set(&t), "few");
    sleep_for(&t, OFTEN - 1, 50 * US, 7 * MS);
    cr_expect_not(was_set(&t), "those of before do not count");
    sleep_for(&t, 100 * OFTEN, 1 * US, 8 * MS);
    cr_expect_not(was_set(&t), "no sleeps");
    sleep_for(&t, OFTEN, MS, 20 * MS);
    cr_expect_not(was_set(&t), "long ones");
    nacre_tick_close(&t);
}

Test(tick, without_a_descriptor_nothing_is_done)
{
    struct tick t = {.fd = -1};
    sleep_for(&t, OFTEN, 50 * US, 5 * MS);
    nacre_tick_close(&t);
    cr_expect_eq(t.fd, -1);
}
