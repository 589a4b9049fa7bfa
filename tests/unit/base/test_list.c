/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "base/list.h"

struct item {
    int number;
    struct list link;
};

static void fill(struct list *head, struct item *items, int count)
{
    list_init(head);
    for (int i = 0; i < count; i++) {
        items[i].number = i;
        list_init(&items[i].link);
        list_append(head, &items[i].link);
    }
}

Test(base_list, pops_in_the_order_of_appending)
{
    struct list head;
    struct item items[4];
    fill(&head, items, 4);
    for (int i = 0; i < 4; i++)
        cr_assert_eq(CONTAINER_OF(list_pop(&head), struct item, link)->number, i);
    cr_assert_null(list_pop(&head));
}

Test(base_list, removing_twice_is_harmless)
{
    struct list head;
    struct item items[3];
    fill(&head, items, 3);
    list_remove(&items[1].link);
    list_remove(&items[1].link);
    cr_assert(list_is_empty(&items[1].link));
    cr_assert_eq(list_pop(&head), &items[0].link);
    cr_assert_eq(list_pop(&head), &items[2].link);
    cr_assert(list_is_empty(&head));
}

Test(base_list, splice_moves_all_and_empties_the_source)
{
    struct list a, b;
    struct item left[2], right[2];
    fill(&a, left, 2);
    fill(&b, right, 2);
    list_splice(&a, &b);
    cr_assert(list_is_empty(&b));
    list_splice(&a, &b);
    struct list *order[] = {&left[0].link, &left[1].link, &right[0].link, &right[1].link};
    for (size_t i = 0; i < 4; i++)
        cr_assert_eq(list_pop(&a), order[i]);
    cr_assert(list_is_empty(&a));
}
