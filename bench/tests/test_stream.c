/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "stream.h"

enum {
    SEED = 42,
    LEN = 1000
};

Test(stream, is_the_same_in_pieces)
{
    uint8_t whole[LEN], pieces[LEN];
    bench_stream_fill(SEED, 77, whole, LEN);
    size_t at = 0;
    for (size_t n = 0; at < LEN; n = n % 13 + 1) {
        size_t part = n < LEN - at ? n : LEN - at;
        bench_stream_fill(SEED, 77 + at, pieces + at, part);
        cr_assert(bench_stream_matches(SEED, 77 + at, whole + at, part));
        at += part;
    }
    cr_assert_arr_eq(whole, pieces, LEN);
}

Test(stream, tells_one_wrong_bit_anywhere)
{
    uint8_t bytes[64];
    bench_stream_fill(SEED, 3, bytes, sizeof bytes);
    for (size_t bit = 0; bit < 8 * sizeof bytes; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        cr_assert_not(bench_stream_matches(SEED, 3, bytes, sizeof bytes));
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    cr_assert(bench_stream_matches(SEED, 3, bytes, sizeof bytes));
}

Test(stream, differs_by_offset_and_seed)
{
    uint8_t bytes[64];
    bench_stream_fill(SEED, 0, bytes, sizeof bytes);
    cr_assert_not(bench_stream_matches(SEED, 64, bytes, sizeof bytes));
    cr_assert_not(bench_stream_matches(SEED + 1, 0, bytes, sizeof bytes));
}
