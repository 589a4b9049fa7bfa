/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "base/pool.h"

Test(base_pool, gives_at_least_the_size_asked_for)
{
    static const size_t sizes[] = {0,     1,     1024,   1025,       4096,           4097,
                                   32768, 65536, 102400, 105 * 1024, 105 * 1024 + 1, 1 << 20};
    struct pool p;
    nacre_pool_init(&p, 0);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct block *b = nacre_pool_alloc(&p, sizes[i]);
        cr_assert_not_null(b);
        cr_assert_geq(b->size, sizes[i]);
        cr_assert_eq((uintptr_t)b->at % 16, 0);
        cr_assert_eq(b->len, 0);
        cr_assert_eq(b->start, 0);
        cr_assert(block_is_sole(b));
        memset(b->at, 0xff, b->size);
        cr_assert_eq(atomic_load(&p.used), b->size);
        nacre_block_release(b);
        cr_assert_eq(atomic_load(&p.used), 0);
    }
    nacre_pool_destroy(&p);
}

Test(base_pool, gives_a_freed_block_again)
{
    struct pool p;
    nacre_pool_init(&p, 0);
    struct block *first = nacre_pool_alloc(&p, 100);
    first->start = 7;
    first->len = 9;
    nacre_block_release(first);
    struct block *second = nacre_pool_alloc(&p, 200);
    cr_assert_eq(second, first);
    cr_assert_eq(second->start, 0);
    cr_assert_eq(second->len, 0);
    nacre_block_release(second);
    nacre_pool_destroy(&p);
}

Test(base_pool, lives_until_the_last_reference)
{
    struct pool p;
    nacre_pool_init(&p, 0);
    struct block *b = nacre_pool_alloc(&p, 10);
    cr_assert_eq(block_ref(b), b);
    cr_assert_not(block_is_sole(b));
    nacre_block_release(b);
    cr_assert(block_is_sole(b));
    cr_assert_neq(atomic_load(&p.used), 0);
    nacre_block_release(b);
    cr_assert_eq(atomic_load(&p.used), 0);
    nacre_pool_destroy(&p);
}

Test(base_pool, release_of_nothing_is_allowed)
{
    nacre_block_release(NULL);
}

Test(base_pool, fails_when_the_budget_is_out_and_recovers)
{
    struct pool p;
    struct block *held[4];
    nacre_pool_init(&p, 4096);
    for (size_t i = 0; i < 4; i++)
        cr_assert_not_null(held[i] = nacre_pool_alloc(&p, 1024));
    cr_assert_null(nacre_pool_alloc(&p, 1));
    cr_assert_null(nacre_pool_alloc(&p, 1 << 20));
    nacre_block_release(held[0]);
    cr_assert_not_null(held[0] = nacre_pool_alloc(&p, 1));
    for (size_t i = 0; i < 4; i++)
        nacre_block_release(held[i]);
    cr_assert_eq(atomic_load(&p.used), 0);
    nacre_pool_destroy(&p);
}

Test(base_pool, refuses_a_size_that_would_wrap)
{
    struct pool p;
    nacre_pool_init(&p, 0);
    cr_assert_null(nacre_pool_alloc(&p, SIZE_MAX));
    cr_assert_null(nacre_pool_alloc(&p, SIZE_MAX - sizeof(struct block) + 1));
    cr_assert_eq(atomic_load(&p.used), 0);
    nacre_pool_destroy(&p);
}

enum {
    MANY = 3000,
};

Test(base_pool, keeps_a_bounded_number_of_free_blocks)
{
    static struct block *held[MANY];
    struct pool p;
    nacre_pool_init(&p, 0);
    for (size_t i = 0; i < MANY; i++)
        held[i] = nacre_pool_alloc(&p, i % 2 == 0 ? 100 : 20000);
    for (size_t i = 0; i < MANY; i++)
        nacre_block_release(held[i]);
    unsigned kept = 0;
    for (size_t i = 0; i < POOL_CLASSES; i++)
        kept += p.kept[i];
    cr_assert_gt(kept, 0);
    cr_assert_lt(kept, 1500);
    nacre_pool_trim(&p);
    for (size_t i = 0; i < POOL_CLASSES; i++) {
        cr_assert_eq(p.kept[i], 0);
        cr_assert_null(p.free[i]);
    }
    nacre_pool_destroy(&p);
}

enum {
    THREADS = 4,
    ROUNDS = 20000,
    SHELF = 64,
};

/* Blocks pass between threads over the shelf: taken off by whoever comes, released there. */
struct exchange {
    struct pool pool;
    struct block *_Atomic shelf[SHELF];
    _Atomic unsigned wrong, done;
};

static void trade(void *argument)
{
    struct exchange *x = (struct exchange *)argument;
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct block *b = nacre_pool_alloc(&x->pool, i % 3 == 0 ? 5000 : 500);
        if (b != NULL) {
            b->len = 1 + i % 200;
            memset(b->at, (int)b->len, b->len);
        }
        struct block *got = atomic_exchange_explicit(&x->shelf[i * 7 % SHELF], b, memory_order_acq_rel);
        if (got != NULL && (got->at[0] != (uint8_t)got->len || got->at[got->len - 1] != (uint8_t)got->len))
            atomic_fetch_add(&x->wrong, 1);
        nacre_block_release(got);
    }
    atomic_fetch_add(&x->done, 1);
}

Test(base_pool, blocks_may_be_released_by_another_thread)
{
    static struct exchange x;
    plat_thread threads[THREADS];
    nacre_pool_init(&x.pool, 512 * 1024);
    for (size_t i = 0; i < THREADS; i++)
        cr_assert(nacre_thread_start(&threads[i], trade, &x, "trade"));
    /* As a worker does beside those who send: ThreadSanitizer sees a count that is read without the lock. */
    while (atomic_load(&x.done) != THREADS)
        (void)nacre_pool_tidy(&x.pool);
    for (size_t i = 0; i < THREADS; i++)
        nacre_thread_join(threads[i]);
    for (size_t i = 0; i < SHELF; i++)
        nacre_block_release(atomic_load(&x.shelf[i]));
    cr_assert_eq(atomic_load(&x.wrong), 0);
    cr_assert_eq(atomic_load(&x.pool.used), 0);
    nacre_pool_destroy(&x.pool);
}

Test(base_pool, a_peak_is_over_when_half_of_it_has_gone_back)
{
    enum {
        COUNT = 100
    };
    struct pool p;
    struct block *b[COUNT];
    nacre_pool_init(&p, 0);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < COUNT; i++)
            b[i] = nacre_pool_alloc(&p, 128 * 1024);
        cr_expect_not(nacre_pool_peak_is_over(&p));
        for (int i = 0; i < COUNT; i++)
            nacre_block_release(b[i]);
        nacre_pool_trim(&p);
        cr_expect_eq(atomic_load(&p.made), 0U);
        cr_expect(nacre_pool_peak_is_over(&p));
        cr_expect_not(nacre_pool_peak_is_over(&p), "told once");
    }
    nacre_block_release(nacre_pool_alloc(&p, 512 * 1024));
    cr_expect_not(nacre_pool_peak_is_over(&p), "it was none");
    nacre_pool_destroy(&p);
}

Test(base_pool, what_fits_already_is_not_copied)
{
    struct pool p;
    nacre_pool_init(&p, 0);
    struct block *b = nacre_pool_alloc(&p, 100 * 1024);
    b->start = 7;
    b->len = 3000;
    memset(b->at + b->start, 'x', b->len);
    struct block *fit = nacre_block_fit(b);
    cr_assert(fit != b && fit->start == 0 && fit->len == 3000 && fit->size == 4096);
    cr_expect(fit->at[0] == 'x' && fit->at[2999] == 'x');
    cr_expect_eq(nacre_block_fit(fit), fit);
    struct block *other = nacre_block_fit(block_ref(fit));
    cr_expect_neq(other, fit, "one that others hold, too, is");
    nacre_block_release(other);
    nacre_block_release(fit);
    b = nacre_pool_alloc(&p, 512 * 1024);
    b->len = 300 * 1024;
    fit = nacre_block_fit(b);
    cr_expect_eq(fit->size, 300U * 1024U, "past the largest class");
    nacre_block_release(fit);
    nacre_pool_destroy(&p);
}

Test(base_pool, tidying_keeps_what_was_needed_since_the_last_time)
{
    enum {
        COUNT = 10,
        NEEDED = 3
    };
    struct pool p;
    struct block *b[COUNT];
    nacre_pool_init(&p, 0);
    for (int i = 0; i < COUNT; i++)
        b[i] = nacre_pool_alloc(&p, 100);
    for (int i = 0; i < COUNT; i++)
        nacre_block_release(b[i]);
    cr_expect(nacre_pool_tidy(&p), "there was a moment when none was kept");
    cr_expect_eq(p.kept[0], (unsigned)COUNT);
    for (int i = 0; i < NEEDED; i++)
        b[i] = nacre_pool_alloc(&p, 100);
    for (int i = 0; i < NEEDED; i++)
        nacre_block_release(b[i]);
    cr_expect(nacre_pool_tidy(&p));
    cr_expect_eq(p.kept[0], (unsigned)NEEDED);
    cr_expect_not(nacre_pool_tidy(&p));
    cr_expect_eq(p.kept[0], 0U);
    cr_expect_null(p.free[0]);
    nacre_pool_destroy(&p);
}
