/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "base/landing.h"

enum {
    HEADROOM = 32,
    ROOM = 16 * SMALL_RECEIVE
};

static void receive(struct landing *l, uint8_t byte, size_t n)
{
    uint8_t *at = landing_at(l);
    cr_assert_not_null(at);
    memset(at, byte, n);
}

static void expect(struct block *b, uint8_t byte, size_t n)
{
    cr_assert_eq(b->start, HEADROOM);
    cr_assert_eq(b->len, n);
    for (size_t i = 0; i < n; i++)
        cr_assert_eq(b->at[HEADROOM + i], byte);
    nacre_block_release(b);
}

Test(base_landing, little_is_copied_and_the_block_stays)
{
    struct pool p;
    nacre_pool_init(&p, 0);
    struct landing l = {.pool = &p, .headroom = HEADROOM, .room = ROOM};
    receive(&l, 1, SMALL_RECEIVE);
    struct block *shared = l.block, *first = landing_take(&l, SMALL_RECEIVE);
    cr_assert_neq(first, shared);
    cr_assert_eq(l.block, shared);
    cr_assert_lt(first->size, shared->size);
    receive(&l, 2, 10);
    struct block *second = landing_take(&l, 10);
    expect(first, 1, SMALL_RECEIVE);
    expect(second, 2, 10);
    landing_close(&l);
    cr_assert_eq(atomic_load(&p.used), 0);
    nacre_pool_destroy(&p);
}

Test(base_landing, much_is_handed_over_and_a_new_block_taken)
{
    struct pool p;
    nacre_pool_init(&p, 0);
    struct landing l = {.pool = &p, .headroom = HEADROOM, .room = ROOM};
    receive(&l, 3, ROOM);
    struct block *shared = l.block, *got = landing_take(&l, SMALL_RECEIVE + 1);
    cr_assert_eq(got, shared);
    cr_assert_null(l.block);
    receive(&l, 4, ROOM);
    cr_assert_neq(l.block, got);
    expect(got, 3, SMALL_RECEIVE + 1);
    landing_close(&l);
    cr_assert_eq(atomic_load(&p.used), 0);
    nacre_pool_destroy(&p);
}

Test(base_landing, without_memory_for_a_copy_the_block_is_handed_over)
{
    struct pool p;
    nacre_pool_init(&p, 0);
    struct landing l = {.pool = &p, .headroom = HEADROOM, .room = ROOM};
    uint8_t *at = landing_at(&l);
    cr_assert_not_null(at);
    p.max_bytes = atomic_load(&p.used); /* room for the shared block alone */
    memset(at, 5, 1);
    struct block *shared = l.block, *got = landing_take(&l, 1);
    cr_assert_eq(got, shared);
    cr_assert_null(landing_at(&l));
    expect(got, 5, 1);
    cr_assert_not_null(landing_at(&l));
    landing_close(&l);
    nacre_pool_destroy(&p);
}
