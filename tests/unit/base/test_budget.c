/* SPDX-License-Identifier: Apache-2.0 */
/* A budget that pools share: what one has drawn the other cannot have, and all of it comes back. */
#include <criterion/criterion.h>

#include "base/budget.h"
#include "base/pool.h"

enum {
    LIMIT = 4 * 1024 * 1024,
    BLOCK = 64 * 1024
};

static unsigned fill(struct pool *p, struct block **blocks)
{
    unsigned n = 0;
    while (n < 1000 && (blocks[n] = nacre_pool_alloc(p, BLOCK)) != NULL)
        n++;
    return n;
}

static void empty(struct block **blocks, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        nacre_block_release(blocks[i]);
}

Test(base_budget, pools_share_one_limit)
{
    struct budget b;
    struct pool one, two;
    static struct block *first[1000], *second[1000];
    nacre_budget_init(&b, LIMIT);
    nacre_pool_init(&one, 0);
    nacre_pool_init(&two, 0);
    nacre_pool_share(&one, &b);
    nacre_pool_share(&two, &b);
    unsigned n = fill(&one, first);
    cr_expect(n >= LIMIT / (2 * BLOCK) && n <= LIMIT / BLOCK, "%u", n);
    cr_expect_null(nacre_pool_alloc(&two, BLOCK));
    cr_expect(budget_is_tight(&b) && budget_is_out(&b) && pool_is_tight(&two));
    empty(first, n);
    cr_expect_not(budget_is_tight(&b));
    unsigned m = fill(&two, second);
    cr_expect(m + 8 >= n, "%u of %u: but for what the other keeps drawn", m, n);
    empty(second, m);
    nacre_pool_destroy(&one);
    nacre_pool_destroy(&two);
    cr_expect_eq(atomic_load(&b.used), 0);
}

Test(base_budget, what_is_not_in_blocks_counts)
{
    struct budget b;
    struct pool p;
    nacre_budget_init(&b, LIMIT);
    nacre_pool_init(&p, 0);
    nacre_pool_share(&p, &b);
    cr_assert(nacre_pool_charge(&p, LIMIT - BLOCK));
    cr_expect_null(nacre_pool_alloc(&p, 2 * BLOCK));
    cr_expect_not(nacre_pool_charge(&p, 2 * BLOCK));
    nacre_pool_uncharge(&p, LIMIT - BLOCK);
    struct block *block = nacre_pool_alloc(&p, 2 * BLOCK);
    cr_expect_not_null(block);
    nacre_block_release(block);
    nacre_pool_destroy(&p);
    cr_expect_eq(atomic_load(&b.used), 0);
}

Test(base_budget, no_limit_only_counts)
{
    struct budget b;
    nacre_budget_init(&b, 0);
    cr_expect(nacre_budget_take(&b, SIZE_MAX / 2));
    cr_expect_not(budget_is_tight(&b));
    cr_expect(nacre_budget_promise(&b, SIZE_MAX / 2));
    nacre_budget_release(&b, SIZE_MAX / 2);
    nacre_budget_give(&b, SIZE_MAX / 2);
    cr_expect_eq(atomic_load(&b.used), 0);
    cr_expect_eq(atomic_load(&b.promised), 0);
}
