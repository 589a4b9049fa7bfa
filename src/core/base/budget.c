/* SPDX-License-Identifier: Apache-2.0 */
#include "base/budget.h"

void nacre_budget_init(struct budget *b, size_t limit)
{
    atomic_init(&b->limit, limit);
    atomic_init(&b->used, 0);
    atomic_init(&b->promised, 0);
}

static bool add_below(_Atomic size_t *sum, size_t limit, size_t bytes)
{
    if (limit == 0) {
        atomic_fetch_add_explicit(sum, bytes, memory_order_relaxed);
        return true;
    }
    size_t now = atomic_load_explicit(sum, memory_order_relaxed);
    do {
        if (bytes > limit || now > limit - bytes)
            return false;
    } while (
        !atomic_compare_exchange_weak_explicit(sum, &now, now + bytes, memory_order_relaxed, memory_order_relaxed));
    return true;
}

bool nacre_budget_take(struct budget *b, size_t bytes)
{
    return add_below(&b->used, atomic_load_explicit(&b->limit, memory_order_relaxed), bytes);
}

void nacre_budget_give(struct budget *b, size_t bytes)
{
    atomic_fetch_sub_explicit(&b->used, bytes, memory_order_relaxed);
}

bool nacre_budget_promise(struct budget *b, size_t bytes)
{
    return add_below(&b->promised, atomic_load_explicit(&b->limit, memory_order_relaxed), bytes);
}

void nacre_budget_release(struct budget *b, size_t bytes)
{
    atomic_fetch_sub_explicit(&b->promised, bytes, memory_order_relaxed);
}
