/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/limit.h"

enum nacre_error nacre_limit_check(unsigned connections, char *why, size_t why_size)
{
    (void)connections; /* handles are bounded by memory alone here */
    (void)why;
    (void)why_size;
    return NACRE_OK;
}
