/* SPDX-License-Identifier: Apache-2.0 */
/* Handles are bounded by memory alone here. */
#include "engine/limit.h"

#include <limits.h>

enum nacre_error nacre_limit_plan(const struct io_backend *ops, unsigned connections, unsigned workers,
                                  struct limit_plan *plan, char *why, size_t why_size)
{
    (void)ops;
    (void)connections;
    (void)why;
    (void)why_size;
    *plan = (struct limit_plan){.workers = workers, .tunnels = UINT_MAX};
    return NACRE_OK;
}

enum nacre_error nacre_limit_fits(unsigned connections, const struct limit_plan *plan, char *why, size_t why_size)
{
    (void)connections;
    (void)plan;
    (void)why;
    (void)why_size;
    return NACRE_OK;
}
