/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/table.h"

struct thing {
    struct slot slot;
    int value;
    char rest[20];
};

static struct table make(enum table_kind kind, unsigned shard, uint32_t max)
{
    struct table t;
    nacre_table_init(&t, kind, shard, sizeof(struct thing), max);
    return t;
}

Test(base_table, ids_are_positive_and_find_their_object)
{
    struct table t = make(TABLE_CHANNELS, 1023, 5000);
    int64_t ids[1000];
    for (int i = 0; i < 1000; i++) {
        struct thing *x = nacre_table_take(&t);
        cr_assert_not_null(x);
        x->value = i;
        ids[i] = x->slot.id;
        cr_assert_gt(ids[i], 0);
        cr_assert_eq(id_shard(ids[i]), 1023);
        cr_assert_eq(id_kind(ids[i]), TABLE_CHANNELS);
    }
    cr_assert_eq(t.used, 1000);
    for (int i = 0; i < 1000; i++)
        cr_assert_eq(((struct thing *)nacre_table_find(&t, ids[i]))->value, i);
    nacre_table_destroy(&t);
}

Test(base_table, a_stale_id_finds_nothing_even_when_the_slot_is_used_again)
{
    struct table t = make(TABLE_CONNECTIONS, 0, 1);
    struct thing *x = nacre_table_take(&t);
    for (int i = 0; i < 100; i++) {
        int64_t stale = x->slot.id;
        nacre_table_give(&t, x);
        cr_assert_null(nacre_table_find(&t, stale));
        struct thing *again = nacre_table_take(&t);
        cr_assert_eq(again, x);
        cr_assert_neq(again->slot.id, stale);
        cr_assert_null(nacre_table_find(&t, stale));
        cr_assert_eq(nacre_table_find(&t, again->slot.id), again);
    }
    nacre_table_destroy(&t);
}

Test(base_table, a_place_is_that_of_the_id_whoever_has_it)
{
    struct table t = make(TABLE_CONNECTIONS, 0, 1);
    struct thing *x = nacre_table_take(&t);
    int64_t id = x->slot.id;
    cr_assert_eq(nacre_table_place(&t, id), x);
    nacre_table_give(&t, x);
    cr_assert_eq(nacre_table_place(&t, id), x);
    cr_assert_null(nacre_table_place(&t, id + ((int64_t)1 << ID_GENERATION_BITS)), "no such slot");
    cr_assert_null(nacre_table_place(&t, 0));
    cr_assert_null(nacre_table_place(&t, -id));
    nacre_table_destroy(&t);
}

Test(base_table, nonsense_ids_find_nothing)
{
    struct table t = make(TABLE_CONNECTIONS, 3, 10);
    struct thing *x = nacre_table_take(&t);
    int64_t id = x->slot.id;
    const int64_t bad[] = {0,
                           -1,
                           1,
                           INT64_MIN,
                           INT64_MAX,
                           -id,
                           id + 1,
                           id ^ (int64_t)1 << 62,
                           id ^ (int64_t)1 << 52,
                           id ^ (int64_t)1 << 30,
                           id ^ (int64_t)1 << 51};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert_null(nacre_table_find(&t, bad[i]), "case %zu", i);
    nacre_table_destroy(&t);
    cr_assert_null(nacre_table_find(&t, id));
}

Test(base_table, ids_of_another_table_do_not_fit)
{
    struct table a = make(TABLE_CONNECTIONS, 0, 256), b = make(TABLE_CONNECTIONS, 0, 256);
    unsigned fits = 0;
    for (int i = 0; i < 256; i++) {
        struct thing *x = nacre_table_take(&a);
        nacre_table_take(&b);
        fits += nacre_table_find(&b, x->slot.id) != NULL;
    }
    cr_assert_leq(fits, 1); /* 256 in 2^30 by chance */
    nacre_table_destroy(&a);
    nacre_table_destroy(&b);
}

Test(base_table, generations_wrap_past_zero)
{
    struct table t = make(TABLE_CONNECTIONS, 0, 1);
    struct thing *x = nacre_table_take(&t);
    nacre_table_give(&t, x);
    x->slot.generation = (1U << ID_GENERATION_BITS) - 1;
    x = nacre_table_take(&t);
    cr_assert_eq(x->slot.id & ((1 << ID_GENERATION_BITS) - 1), (1 << ID_GENERATION_BITS) - 1);
    nacre_table_give(&t, x);
    x = nacre_table_take(&t);
    cr_assert_eq(x->slot.id & ((1 << ID_GENERATION_BITS) - 1), 1);
    nacre_table_destroy(&t);
}

Test(base_table, is_full_at_its_maximum)
{
    struct table t = make(TABLE_CONNECTIONS, 0, 300);
    struct thing *last = NULL;
    for (int i = 0; i < 300; i++)
        cr_assert_not_null(last = nacre_table_take(&t));
    cr_assert_null(nacre_table_take(&t));
    nacre_table_give(&t, last);
    cr_assert_eq(nacre_table_take(&t), last);
    cr_assert_null(nacre_table_take(&t));
    nacre_table_destroy(&t);
}

Test(base_table, free_slots_are_used_first_in_first_out)
{
    struct table t = make(TABLE_CONNECTIONS, 0, 4);
    struct thing *x[4];
    for (int i = 0; i < 4; i++)
        x[i] = nacre_table_take(&t);
    for (int i = 0; i < 4; i++)
        nacre_table_give(&t, x[(i + 2) % 4]);
    for (int i = 0; i < 4; i++)
        cr_assert_eq(nacre_table_take(&t), x[(i + 2) % 4]);
    nacre_table_destroy(&t);
}

Test(base_table, objects_come_zeroed)
{
    struct table t = make(TABLE_CONNECTIONS, 0, 1);
    struct thing *x = nacre_table_take(&t);
    memset(x->rest, 'x', sizeof x->rest);
    x->value = 7;
    nacre_table_give(&t, x);
    cr_assert_eq(x->value, 7);
    x = nacre_table_take(&t);
    cr_assert_eq(x->value, 0);
    cr_assert_eq(x->rest[19], 0);
    nacre_table_destroy(&t);
}

Test(base_table, giving_twice_is_harmless)
{
    struct table t = make(TABLE_CONNECTIONS, 0, 2);
    struct thing *x = nacre_table_take(&t);
    nacre_table_give(&t, x);
    nacre_table_give(&t, x);
    nacre_table_give(&t, NULL);
    cr_assert_eq(t.used, 0);
    cr_assert_not_null(nacre_table_take(&t));
    cr_assert_not_null(nacre_table_take(&t));
    cr_assert_null(nacre_table_take(&t));
    nacre_table_destroy(&t);
}

Test(base_table, walking_sees_those_in_use)
{
    struct table t = make(TABLE_CONNECTIONS, 0, 1000);
    struct thing *x[600];
    for (int i = 0; i < 600; i++)
        x[i] = nacre_table_take(&t);
    for (int i = 0; i < 600; i += 2)
        nacre_table_give(&t, x[i]);
    unsigned seen = 0;
    for (uint32_t n = 0; n < t.made; n++)
        seen += nacre_table_at(&t, n) != NULL;
    cr_assert_eq(seen, 300);
    cr_assert_null(nacre_table_at(&t, t.made));
    nacre_table_destroy(&t);
}

Test(base_table, agrees_with_a_plain_array_over_random_use)
{
    enum {
        ROOM = 2000
    };
    static int64_t ids[ROOM];
    static struct thing *things[ROOM];
    struct table t = make(TABLE_CONNECTIONS, 5, ROOM);
    uint32_t state = 12345, used = 0;
    for (int i = 0; i < 100000; i++) {
        state = state * 1664525 + 1013904223;
        uint32_t n = (state >> 8) % ROOM;
        if (things[n] == NULL) {
            things[n] = nacre_table_take(&t);
            cr_assert_not_null(things[n]);
            ids[n] = things[n]->slot.id;
            used++;
        } else {
            cr_assert_eq(nacre_table_find(&t, ids[n]), things[n]);
            nacre_table_give(&t, things[n]);
            cr_assert_null(nacre_table_find(&t, ids[n]));
            things[n] = NULL;
            used--;
        }
        cr_assert_eq(t.used, used);
    }
    nacre_table_destroy(&t);
}

/* Fills `count` slots, gives the ids, and frees all. */
static void fill_and_empty(struct table *t, int64_t *ids, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        ids[i] = ((struct thing *)nacre_table_take(t))->slot.id;
    for (uint32_t i = 0; i < count; i++)
        nacre_table_give(t, nacre_table_find(t, ids[i]));
    cr_assert_eq(t->used, 0);
}

Test(base_table, memory_of_empty_slabs_goes_back_and_old_ids_stay_stale)
{
    enum {
        COUNT = 8 * TABLE_SLAB_SLOTS
    };
    static int64_t old[COUNT], ids[COUNT];
    struct table t = make(TABLE_CONNECTIONS, 1, COUNT);
    fill_and_empty(&t, old, COUNT);
    struct thing *cleaned = NULL;
    unsigned with_memory = 0;
    for (uint32_t i = 0; i < 8; i++) {
        with_memory += t.slabs[i].fresh != 0;
        if (t.slabs[i].fresh == 0)
            cleaned = (struct thing *)(void *)t.slabs[i].at;
    }
    cr_expect_eq(with_memory, 1);
    cr_assert_not_null(cleaned);
    cr_expect_eq(cleaned->slot.id, 0);
    cr_expect_eq(cleaned->slot.generation, 0, "the memory is still there");
    for (int round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < COUNT; i++)
            cr_assert_null(nacre_table_find(&t, old[i]));
        fill_and_empty(&t, ids, COUNT);
        for (uint32_t i = 0; i < COUNT; i++)
            cr_assert_neq(ids[i], old[i]);
    }
    nacre_table_destroy(&t);
}

Test(base_table, the_lowest_slab_is_used_first)
{
    struct table t = make(TABLE_CONNECTIONS, 0, 3 * TABLE_SLAB_SLOTS);
    struct thing *x[3 * TABLE_SLAB_SLOTS];
    for (int i = 0; i < 3 * TABLE_SLAB_SLOTS; i++)
        x[i] = nacre_table_take(&t);
    cr_assert_null(nacre_table_take(&t));
    nacre_table_give(&t, x[2 * TABLE_SLAB_SLOTS + 5]);
    nacre_table_give(&t, x[TABLE_SLAB_SLOTS + 5]);
    nacre_table_give(&t, x[5]);
    cr_expect_eq(nacre_table_take(&t), x[5]);
    cr_expect_eq(nacre_table_take(&t), x[TABLE_SLAB_SLOTS + 5]);
    cr_expect_eq(nacre_table_take(&t), x[2 * TABLE_SLAB_SLOTS + 5]);
    cr_expect_null(nacre_table_take(&t));
    nacre_table_destroy(&t);
}

Test(base_table, a_slab_whose_generations_have_wrapped_keeps_its_memory)
{
    struct table t = make(TABLE_CONNECTIONS, 0, 2 * TABLE_SLAB_SLOTS);
    struct thing *x[2 * TABLE_SLAB_SLOTS];
    for (int i = 0; i < 2 * TABLE_SLAB_SLOTS; i++)
        x[i] = nacre_table_take(&t);
    x[300]->slot.generation = (1U << ID_GENERATION_BITS) - 1;
    for (int i = 0; i < 2 * TABLE_SLAB_SLOTS; i++)
        nacre_table_give(&t, x[i]);
    cr_expect_neq(t.slabs[1].fresh, 0U);
    nacre_table_destroy(&t);
}
