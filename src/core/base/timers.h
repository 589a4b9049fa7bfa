/* SPDX-License-Identifier: Apache-2.0 */
/* Hierarchical timer wheel. Time is passed in, in nanoseconds of nacre_clock_ns(); resolution is one tick of 10 ms.
 * Arming and cancelling are O(1), as fits 100,000 connections with a timer each. One thread. */
#ifndef BASE_TIMERS_H
#define BASE_TIMERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

enum {
    TIMER_LEVELS = 5,
    TIMER_SLOTS = 64
};

struct timer {
    struct list link;
    int64_t due_ns; /* 0: not armed */
    void (*fire)(struct timer *t, int64_t now_ns);
};

struct timers {
    int64_t tick;                /* ticks already handled */
    int64_t now_ns;              /* of the latest advance */
    uint64_t busy[TIMER_LEVELS]; /* bit per slot that is not empty */
    struct list overdue;         /* armed for a moment that had passed; fire at the next advance */
    struct list slots[TIMER_LEVELS][TIMER_SLOTS];
};

void nacre_timers_init(struct timers *w, int64_t now_ns);

static inline void timer_init(struct timer *t, void (*fire)(struct timer *, int64_t))
{
    list_init(&t->link);
    t->due_ns = 0;
    t->fire = fire;
}

/* Arms or re-arms. A due time that has passed fires at the next advance. */
void nacre_timer_arm(struct timers *w, struct timer *t, int64_t due_ns);
void nacre_timer_cancel(struct timers *w, struct timer *t);

/* Fires all that are due by `now_ns`, each disarmed first; they may arm and cancel any timer, themselves included. */
void nacre_timers_advance(struct timers *w, int64_t now_ns);

/* The moment by which nacre_timers_advance() should next be called; INT64_MAX when nothing is armed. May be early. */
int64_t nacre_timers_next(const struct timers *w);

#endif
