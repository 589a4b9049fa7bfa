/* SPDX-License-Identifier: Apache-2.0 */
/* Latencies counted in the way of HDR histograms: buckets that grow with the value, so that every value from 1 ns to
 * over an hour is kept to three significant digits in memory of one size, and recording is one addition. Plain data
 * without pointers: it may lie in memory shared between processes, one writer each. */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

enum {
    HISTOGRAM_SUB_BITS = 11, /* 2048 steps before the first halving of precision: error below 1/1024 */
    HISTOGRAM_VALUE_BITS = 42,
    HISTOGRAM_HALF = 1 << (HISTOGRAM_SUB_BITS - 1),
    HISTOGRAM_BUCKETS = (HISTOGRAM_VALUE_BITS - HISTOGRAM_SUB_BITS + 2) * HISTOGRAM_HALF,
};

/* All zero is empty. */
struct histogram {
    uint64_t count;
    uint64_t sum;
    uint64_t min, max; /* exact; min is of no meaning while count is 0 */
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

/* Values past the last bucket are counted in it; `max` keeps the exact value. */
void bench_histogram_add(struct histogram *h, uint64_t value);

void bench_histogram_merge(struct histogram *to, const struct histogram *from);

/* The value that `percent` (0 to 100) of all counted do not exceed: the top of its bucket, at most the maximum. 0 when
 * empty. */
uint64_t bench_histogram_percentile(const struct histogram *h, double percent);

double bench_histogram_mean(const struct histogram *h);

#endif
