/* SPDX-License-Identifier: Apache-2.0 */
#include "base/tick.h"

#include <sys/timerfd.h>
#include <unistd.h>

enum {
    TICK_NS = 1000 * 1000,     /* of a kernel that has a thousand a second */
    SLEEP_LEAST_NS = 5 * 1000, /* what is shorter was no sleep: there was something to tell */
    SLEEPS_LEAST = 4
};

void nacre_tick_open(struct tick *t)
{
    *t = (struct tick){.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)};
}

void nacre_tick_close(struct tick *t)
{
    if (t->fd >= 0)
        close(t->fd);
    t->fd = -1;
}

void nacre_tick_slept(struct tick *t, int64_t from_ns, int64_t now_ns)
{
    static const struct itimerspec once = {.it_value.tv_nsec = TICK_NS};
    int64_t for_ns = now_ns - from_ns;
    if (for_ns >= SLEEP_LEAST_NS && for_ns < TICK_NS)
        t->sleeps++;
    if (t->fd < 0 || now_ns < t->due_ns)
        return;
    if (t->sleeps >= SLEEPS_LEAST)
        (void)timerfd_settime(t->fd, 0, &once, NULL);
    t->sleeps = 0;
    t->due_ns = now_ns + TICK_NS;
}
