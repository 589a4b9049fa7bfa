/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "base/slots.h"

enum {
    MAX = 2 * SLAB_SLOTS + 3
};

struct seat {
    uint64_t value;
    uint32_t next;
    uint32_t other;
};

static struct slots make(uint32_t max)
{
    struct slots s;
    cr_assert(nacre_slots_init(&s, sizeof(struct seat), offsetof(struct seat, next), max));
    return s;
}

static struct seat *seat(const struct slots *s, uint32_t number)
{
    return (struct seat *)slots_at(s, number);
}

static uint32_t take(struct slots *s)
{
    uint32_t number;
    cr_assert_eq(nacre_slots_take(s, &number), NACRE_OK);
    return number;
}

static void expect_order(const struct slots *s, struct slot_queue *q, const uint32_t *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        cr_assert_neq(q->first, 0);
        cr_assert_eq(slot_queue_pop(s, q), numbers[i]);
    }
    cr_assert_eq(q->first, 0);
}

Test(base_slots, gives_every_number_once_and_then_no_more)
{
    struct slots s = make(MAX);
    bool seen[MAX] = {false};
    uint32_t none;
    for (uint32_t i = 0; i < MAX; i++) {
        uint32_t number = take(&s);
        cr_assert_lt(number, MAX);
        cr_assert_not(seen[number]);
        seen[number] = true;
        cr_assert_eq(seat(&s, number)->value, 0);
        cr_assert_eq(seat(&s, number)->next, 0);
        seat(&s, number)->value = number + 1000;
    }
    cr_assert_eq(s.made, MAX);
    cr_assert_eq(nacre_slots_take(&s, &none), NACRE_E_TOO_MANY_CONNECTIONS);
    for (uint32_t i = 0; i < MAX; i++)
        cr_assert_eq(seat(&s, i)->value, i + 1000);
    nacre_slots_destroy(&s);
}

Test(base_slots, gives_again_what_came_back_last_and_leaves_its_bytes_alone)
{
    struct slots s = make(MAX);
    uint32_t a = take(&s), b = take(&s);
    seat(&s, a)->value = 1;
    seat(&s, b)->value = 2;
    nacre_slots_give(&s, a);
    nacre_slots_give(&s, b);
    cr_assert_eq(take(&s), b);
    cr_assert_eq(take(&s), a);
    cr_assert_eq(seat(&s, a)->value, 1);
    cr_assert_eq(seat(&s, b)->value, 2);
    cr_assert_eq(seat(&s, a)->next, 0);
    cr_assert_eq(seat(&s, b)->next, 0);
    nacre_slots_destroy(&s);
}

Test(base_slots, slots_stay_where_they_are)
{
    struct slots s = make(MAX);
    struct seat *first = seat(&s, take(&s));
    for (uint32_t i = 1; i < MAX; i++)
        take(&s);
    cr_assert_eq(seat(&s, 0), first);
    nacre_slots_destroy(&s);
}

Test(base_slots, destroying_twice_or_nothing_is_allowed)
{
    struct slots s = {0};
    nacre_slots_destroy(&s);
    s = make(1);
    take(&s);
    nacre_slots_destroy(&s);
    nacre_slots_destroy(&s);
    cr_assert_null(s.slabs);
}

Test(base_slots, a_queue_is_first_in_first_out)
{
    struct slots s = make(MAX);
    struct slot_queue q = {.link = offsetof(struct seat, next)};
    for (int i = 0; i < MAX; i++)
        take(&s);
    nacre_slot_queue_add(&s, &q, SLAB_SLOTS + 1);
    nacre_slot_queue_add(&s, &q, 0);
    nacre_slot_queue_add(&s, &q, 5);
    expect_order(&s, &q, (const uint32_t[]){SLAB_SLOTS + 1, 0, 5}, 3);
    nacre_slot_queue_add(&s, &q, 7);
    expect_order(&s, &q, (const uint32_t[]){7}, 1);
    nacre_slots_destroy(&s);
}

Test(base_slots, adding_again_leaves_the_slot_in_its_place)
{
    struct slots s = make(MAX);
    struct slot_queue q = {.link = offsetof(struct seat, next)};
    struct slot_queue rival = {.link = offsetof(struct seat, next)};
    for (int i = 0; i < 3; i++)
        take(&s);
    nacre_slot_queue_add(&s, &q, 2);
    nacre_slot_queue_add(&s, &q, 2);
    nacre_slot_queue_add(&s, &q, 0);
    nacre_slot_queue_add(&s, &q, 2);
    nacre_slot_queue_add(&s, &q, 0);
    nacre_slot_queue_add(&s, &rival, 0);
    cr_assert_eq(rival.first, 0);
    expect_order(&s, &q, (const uint32_t[]){2, 0}, 2);
    nacre_slots_destroy(&s);
}

Test(base_slots, a_slot_stands_in_one_queue_by_each_link)
{
    struct slots s = make(MAX);
    struct slot_queue work = {.link = offsetof(struct seat, next)};
    struct slot_queue hungry = {.link = offsetof(struct seat, other)};
    for (int i = 0; i < 3; i++)
        take(&s);
    for (uint32_t i = 0; i < 3; i++) {
        nacre_slot_queue_add(&s, &work, i);
        nacre_slot_queue_add(&s, &hungry, 2 - i);
    }
    expect_order(&s, &work, (const uint32_t[]){0, 1, 2}, 3);
    expect_order(&s, &hungry, (const uint32_t[]){2, 1, 0}, 3);
    nacre_slots_destroy(&s);
}

/* Takes `out` of a queue of three, adds another, and looks at what is left. */
static void remove_one(uint32_t out, const uint32_t *left, size_t count)
{
    struct slots s = make(MAX);
    struct slot_queue q = {.link = offsetof(struct seat, next)};
    for (int i = 0; i < 5; i++)
        take(&s);
    for (uint32_t i = 0; i < 3; i++)
        nacre_slot_queue_add(&s, &q, i);
    nacre_slot_queue_remove(&s, &q, out);
    cr_assert_eq(seat(&s, out)->next, 0);
    nacre_slot_queue_add(&s, &q, 4);
    expect_order(&s, &q, left, count);
    nacre_slots_destroy(&s);
}

Test(base_slots, removes_the_first_the_middle_and_the_last)
{
    remove_one(0, (const uint32_t[]){1, 2, 4}, 3);
    remove_one(1, (const uint32_t[]){0, 2, 4}, 3);
    remove_one(2, (const uint32_t[]){0, 1, 4}, 3);
}

Test(base_slots, removing_who_is_not_there_changes_nothing)
{
    remove_one(3, (const uint32_t[]){0, 1, 2, 4}, 4);
    struct slots s = make(MAX);
    struct slot_queue q = {.link = offsetof(struct seat, next)}, other = q;
    take(&s);
    nacre_slot_queue_remove(&s, &q, 0);
    cr_assert_eq(q.first, 0);
    nacre_slot_queue_add(&s, &other, 0);
    nacre_slot_queue_remove(&s, &q, 0);
    expect_order(&s, &other, (const uint32_t[]){0}, 1);
    nacre_slot_queue_add(&s, &q, 0);
    nacre_slot_queue_remove(&s, &q, 0);
    cr_assert_eq(q.first, 0);
    nacre_slot_queue_add(&s, &q, 0);
    expect_order(&s, &q, (const uint32_t[]){0}, 1);
    nacre_slots_destroy(&s);
}
