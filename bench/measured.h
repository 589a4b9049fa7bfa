/* SPDX-License-Identifier: Apache-2.0 */
/* A figure that could not be measured is NAN. Not isnan() of math.h, which mingw-w64 makes of functions for every
 * width, so that the compiler sees a double becoming a float. */
#ifndef BENCH_MEASURED_H
#define BENCH_MEASURED_H

#include <stdbool.h>

static inline bool is_measured(double figure)
{
    return !__builtin_isnan(figure);
}

#endif
