/* SPDX-License-Identifier: Apache-2.0 */
/* A bound on memory that several pools share. Pools take from it in large pieces, so that it is touched rarely. Any
 * thread. */
#ifndef BASE_BUDGET_H
#define BASE_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct budget {
    _Atomic size_t limit;    /* relaxed: 0 is none; may change any time */
    _Atomic size_t used;     /* relaxed: a budget and not an order */
    _Atomic size_t promised; /* relaxed: what peers have been allowed to send, all together */
};

void nacre_budget_init(struct budget *b, size_t limit);

/* False and nothing taken when the limit does not allow it. */
bool nacre_budget_take(struct budget *b, size_t bytes);
void nacre_budget_give(struct budget *b, size_t bytes);

/* The same for what may come: promises stay below the limit, too, but are not memory yet. */
bool nacre_budget_promise(struct budget *b, size_t bytes);
void nacre_budget_release(struct budget *b, size_t bytes);

/* More than 7/8 is in use: time not to begin anything. */
static inline bool budget_is_tight(const struct budget *b)
{
    size_t limit = atomic_load_explicit(&b->limit, memory_order_relaxed);
    return limit != 0 && atomic_load_explicit(&b->used, memory_order_relaxed) > limit - limit / 8;
}

/* More than 31/32: somebody has to go before all are refused. */
static inline bool budget_is_out(const struct budget *b)
{
    size_t limit = atomic_load_explicit(&b->limit, memory_order_relaxed);
    return limit != 0 && atomic_load_explicit(&b->used, memory_order_relaxed) > limit - limit / 32;
}

#endif
