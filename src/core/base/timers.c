/* SPDX-License-Identifier: Apache-2.0 */
/* The timer wheel.
 *
 * Level l has 64 slots of 64^l ticks each. A timer due at tick d lies on the lowest level where its slot is less than
 * 64 slots ahead of the present one; on levels above 0 it is at least one ahead. So when time reaches the first tick of
 * a slot, its timers move down (all of them fit below), and a tick of level 0 is fired as a whole. What lies past the
 * top level waits in its last slot and is placed anew from there. The wheel jumps from one busy slot to the next, so a
 * long sleep costs no more than a short one. */
#include "base/timers.h"

#include <stddef.h>

enum {
    LEVEL_BITS = 6
};

static const int64_t tick_ns = 10 * 1000 * 1000;

void nacre_timers_init(struct timers *w, int64_t now_ns)
{
    w->tick = now_ns / tick_ns;
    w->now_ns = now_ns;
    list_init(&w->overdue);
    for (unsigned level = 0; level < TIMER_LEVELS; level++) {
        w->busy[level] = 0;
        for (unsigned slot = 0; slot < TIMER_SLOTS; slot++)
            list_init(&w->slots[level][slot]);
    }
}

/* The tick at whose start `due_ns` has passed: a timer never fires early. */
static int64_t due_tick(int64_t due_ns)
{
    return due_ns / tick_ns + (due_ns % tick_ns != 0);
}

static void put(struct timers *w, struct timer *t, unsigned level, int64_t slot)
{
    unsigned n = (unsigned)(slot & (TIMER_SLOTS - 1));
    list_append(&w->slots[level][n], &t->link);
    w->busy[level] |= UINT64_C(1) << n;
}

/* Puts a timer due at tick `due`, at or after the present one, into its slot. */
static void place(struct timers *w, struct timer *t, int64_t due)
{
    for (unsigned level = 0; level < TIMER_LEVELS; level++) {
        unsigned shift = level * LEVEL_BITS;
        if ((due >> shift) - (w->tick >> shift) < TIMER_SLOTS) {
            put(w, t, level, due >> shift);
            return;
        }
    }
    put(w, t, TIMER_LEVELS - 1, (w->tick >> (TIMER_LEVELS - 1) * LEVEL_BITS) + TIMER_SLOTS - 1);
}

void nacre_timer_arm(struct timers *w, struct timer *t, int64_t due_ns)
{
    if (t->due_ns != 0)
        nacre_timer_cancel(w, t);
    t->due_ns = due_ns > 0 ? due_ns : 1;
    if (t->due_ns <= w->now_ns)
        list_append(&w->overdue, &t->link);
    else
        place(w, t, due_tick(t->due_ns));
}

/* Clears the busy bit of an empty list if that is the head of a slot, to spare an idle thread a wake-up for nothing. */
static void settle(struct timers *w, const struct list *head)
{
    uintptr_t first = (uintptr_t)&w->slots[0][0];
    uintptr_t at = (uintptr_t)head;
    if (!list_is_empty(head) || at < first || at >= first + sizeof w->slots)
        return;
    size_t n = (at - first) / sizeof(struct list);
    w->busy[n / TIMER_SLOTS] &= ~(UINT64_C(1) << n % TIMER_SLOTS);
}

void nacre_timer_cancel(struct timers *w, struct timer *t)
{
    if (t->due_ns == 0)
        return;
    const struct list *neighbour = t->link.next;
    list_remove(&t->link);
    t->due_ns = 0;
    settle(w, neighbour);
}

/* Fires all timers of a list; `batch` is the caller's, so that what a handler arms meanwhile is not among them. */
static void fire_all(struct list *from, int64_t now_ns)
{
    struct list batch;
    list_init(&batch);
    list_splice(&batch, from);
    for (struct list *node = list_pop(&batch); node != NULL; node = list_pop(&batch)) {
        struct timer *t = CONTAINER_OF(node, struct timer, link);
        t->due_ns = 0;
        t->fire(t, now_ns);
    }
}

/* The next tick at which a slot has to be fired or moved down; INT64_MAX when all are empty. */
static int64_t next_busy(const struct timers *w)
{
    int64_t best = INT64_MAX;
    for (unsigned level = 0; level < TIMER_LEVELS; level++) {
        if (w->busy[level] == 0)
            continue;
        unsigned shift = level * LEVEL_BITS;
        int64_t first = (w->tick >> shift) + 1;
        unsigned turn = (unsigned)(first & (TIMER_SLOTS - 1));
        uint64_t ahead = turn == 0 ? w->busy[level] : w->busy[level] >> turn | w->busy[level] << (TIMER_SLOTS - turn);
        int64_t at = (first + __builtin_ctzll(ahead)) * ((int64_t)1 << shift);
        if (at < best)
            best = at;
    }
    return best;
}

/* Moves down the timers of the slots that begin at the present tick, top level first. */
static void cascade(struct timers *w)
{
    for (unsigned level = TIMER_LEVELS - 1; level > 0; level--) {
        unsigned shift = level * LEVEL_BITS;
        if ((w->tick & (((int64_t)1 << shift) - 1)) != 0)
            continue;
        unsigned n = (unsigned)(w->tick >> shift & (TIMER_SLOTS - 1));
        struct list batch;
        list_init(&batch);
        list_splice(&batch, &w->slots[level][n]);
        w->busy[level] &= ~(UINT64_C(1) << n);
        for (struct list *node = list_pop(&batch); node != NULL; node = list_pop(&batch)) {
            struct timer *t = CONTAINER_OF(node, struct timer, link);
            place(w, t, due_tick(t->due_ns));
        }
    }
}

void nacre_timers_advance(struct timers *w, int64_t now_ns)
{
    if (now_ns > w->now_ns)
        w->now_ns = now_ns;
    fire_all(&w->overdue, now_ns);
    int64_t until = now_ns / tick_ns;
    for (int64_t at = next_busy(w); at <= until; at = next_busy(w)) {
        w->tick = at;
        cascade(w);
        unsigned n = (unsigned)(at & (TIMER_SLOTS - 1));
        w->busy[0] &= ~(UINT64_C(1) << n);
        fire_all(&w->slots[0][n], now_ns);
    }
    if (until > w->tick)
        w->tick = until;
}

int64_t nacre_timers_next(const struct timers *w)
{
    if (!list_is_empty(&w->overdue))
        return 0;
    int64_t at = next_busy(w);
    return at > INT64_MAX / tick_ns ? INT64_MAX : at * tick_ns;
}
