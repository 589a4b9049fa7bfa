/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "histogram.h"

static struct histogram *fresh(void)
{
    struct histogram *h = calloc(1, sizeof *h);
    cr_assert_not_null(h);
    return h;
}

Test(histogram, is_empty_at_first)
{
    struct histogram *h = fresh();
    cr_assert_eq(bench_histogram_percentile(h, 99), 0);
    cr_assert_float_eq(bench_histogram_mean(h), 0, 0);
    free(h);
}

Test(histogram, keeps_small_values_exactly)
{
    struct histogram *h = fresh();
    for (uint64_t v = 1; v <= 1000; v++)
        bench_histogram_add(h, v);
    cr_assert_eq(bench_histogram_percentile(h, 50), 500);
    cr_assert_eq(bench_histogram_percentile(h, 99), 990);
    cr_assert_eq(bench_histogram_percentile(h, 99.9), 999);
    cr_assert_eq(bench_histogram_percentile(h, 100), 1000);
    cr_assert_eq(h->min, 1);
    cr_assert_float_eq(bench_histogram_mean(h), 500.5, 1e-9);
    free(h);
}

/* Three significant digits: each value alone is given back within 1/1024 of itself, and never below it. */
Test(histogram, keeps_three_digits_of_every_value)
{
    struct histogram *h = fresh();
    bench_histogram_add(h, UINT64_C(1) << 41);
    for (uint64_t v = 3; v < UINT64_C(1) << 41; v += v / 7 + 1) {
        struct histogram *one = fresh();
        bench_histogram_add(one, v);
        bench_histogram_merge(one, h); /* so that the maximum does not cut it off */
        uint64_t got = bench_histogram_percentile(one, 50);
        cr_assert(got >= v && got - v <= v / 1024, "%llu became %llu", (unsigned long long)v, (unsigned long long)got);
        free(one);
    }
    free(h);
}

Test(histogram, counts_values_past_its_range_in_the_last_bucket)
{
    struct histogram *h = fresh();
    bench_histogram_add(h, UINT64_MAX / 2);
    bench_histogram_add(h, 5);
    cr_assert_eq(h->max, UINT64_MAX / 2);
    cr_assert_eq(h->buckets[HISTOGRAM_BUCKETS - 1], 1);
    cr_assert_eq(bench_histogram_percentile(h, 50), 5);
    free(h);
}

Test(histogram, merges)
{
    struct histogram *a = fresh(), *b = fresh();
    bench_histogram_add(a, 10);
    bench_histogram_add(b, 4);
    bench_histogram_add(b, 30);
    bench_histogram_merge(a, b);
    cr_assert_eq(a->count, 3);
    cr_assert_eq(a->min, 4);
    cr_assert_eq(a->max, 30);
    cr_assert_eq(bench_histogram_percentile(a, 50), 10);
    free(a);
    free(b);
}
