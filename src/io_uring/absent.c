/* SPDX-License-Identifier: Apache-2.0 */
/* In the place of the io_uring back end where the build is without liburing. */
#include "engine/io.h"

static bool absent(const char **why_not)
{
    *why_not = "this build is without liburing: build with NACRE_WITH_URING=ON, or use UseIOCP=False";
    return false;
}

const struct io_backend nacre_io_uring = {.name = "io_uring", .usable = absent};
