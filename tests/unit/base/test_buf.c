/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "base/buf.h"

Test(base_buf, init_allocates_nothing)
{
    struct buf b;
    nacre_buf_init(&b, 100);
    cr_assert_null(b.at);
    cr_assert_eq(b.len, 0);
    cr_assert_eq(b.room, 0);
    cr_assert_eq(b.max, 100);
}

Test(base_buf, grows_to_its_maximum_and_not_past_it)
{
    struct buf b;
    nacre_buf_init(&b, 1000);
    for (size_t i = 0; i < 1000; i++) {
        uint8_t byte = (uint8_t)i;
        cr_assert(nacre_buf_append(&b, &byte, 1));
        cr_assert_leq(b.room, 1000);
    }
    cr_assert_not(nacre_buf_append(&b, "x", 1));
    cr_assert_null(nacre_buf_reserve(&b, 1));
    cr_assert_eq(b.len, 1000);
    for (size_t i = 0; i < 1000; i++)
        cr_assert_eq(b.at[i], (uint8_t)i);
    nacre_buf_free(&b);
}

Test(base_buf, refuses_lengths_that_would_wrap)
{
    struct buf b;
    nacre_buf_init(&b, SIZE_MAX);
    cr_assert(nacre_buf_append(&b, "abc", 3));
    cr_assert_null(nacre_buf_reserve(&b, SIZE_MAX));
    cr_assert_null(nacre_buf_reserve(&b, SIZE_MAX - 2));
    cr_assert_eq(b.len, 3);
    cr_assert_arr_eq(b.at, "abc", 3);
    nacre_buf_free(&b);
}

Test(base_buf, reserve_does_not_count_until_the_caller_does)
{
    struct buf b;
    nacre_buf_init(&b, 64);
    uint8_t *at = nacre_buf_reserve(&b, 10);
    cr_assert_not_null(at);
    cr_assert_eq(b.len, 0);
    memcpy(at, "hello", 5);
    b.len += 5;
    cr_assert(span_is(buf_span(&b), "hello"));
    nacre_buf_free(&b);
}

Test(base_buf, append_of_nothing_works_even_when_full)
{
    struct buf b;
    nacre_buf_init(&b, 0);
    cr_assert(nacre_buf_append(&b, NULL, 0));
    cr_assert_not(nacre_buf_append(&b, "x", 1));
}

Test(base_buf, drop_keeps_the_rest)
{
    struct buf b;
    nacre_buf_init(&b, 64);
    nacre_buf_append(&b, "abcdef", 6);
    nacre_buf_drop(&b, 2);
    cr_assert(span_is(buf_span(&b), "cdef"));
    nacre_buf_drop(&b, 0);
    cr_assert(span_is(buf_span(&b), "cdef"));
    nacre_buf_drop(&b, 100);
    cr_assert_eq(b.len, 0);
    nacre_buf_free(&b);
}

Test(base_buf, free_and_wipe_return_to_the_state_after_init)
{
    struct buf b;
    nacre_buf_init(&b, 64);
    nacre_buf_append(&b, "secret", 6);
    nacre_buf_wipe(&b);
    cr_assert_null(b.at);
    cr_assert_eq(b.max, 64);
    cr_assert(nacre_buf_append(&b, "x", 1));
    nacre_buf_free(&b);
    nacre_buf_free(&b);
    nacre_buf_wipe(&b);
}
