/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "base/secret.h"

Test(base_secret, wipe_clears_all_and_nothing_else)
{
    uint8_t bytes[8];
    memset(bytes, 0xa5, sizeof bytes);
    nacre_wipe(bytes + 1, 6);
    for (size_t i = 1; i < 7; i++)
        cr_assert_eq(bytes[i], 0);
    cr_assert_eq(bytes[0], 0xa5);
    cr_assert_eq(bytes[7], 0xa5);
}

Test(base_secret, wipe_of_nothing_allows_null)
{
    nacre_wipe(NULL, 0);
}

Test(base_secret, eq_sees_a_difference_in_every_bit)
{
    uint8_t a[16] = {0}, b[16] = {0};
    cr_assert(nacre_secret_eq(a, b, sizeof a));
    for (size_t bit = 0; bit < sizeof a * 8; bit++) {
        b[bit / 8] = (uint8_t)(1U << bit % 8);
        cr_assert_not(nacre_secret_eq(a, b, sizeof a), "bit %zu", bit);
        b[bit / 8] = 0;
    }
}

Test(base_secret, eq_of_nothing_is_true)
{
    cr_assert(nacre_secret_eq(NULL, NULL, 0));
}

Test(base_secret, clear_empties_a_secret)
{
    struct secret s = {.bytes = {1, 2, 3}, .len = 3};
    secret_clear(&s);
    cr_assert_eq(s.len, 0);
    cr_assert_eq(s.bytes[0], 0);
}
