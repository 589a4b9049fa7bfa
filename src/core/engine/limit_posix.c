/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/limit.h"

#include <stdio.h>
#include <sys/resource.h>

enum {
    BESIDES = 64
}; /* listeners, polls, wake-ups, and what the program itself has open */

enum nacre_error nacre_limit_check(unsigned connections, char *why, size_t why_size)
{
    struct rlimit limit;
    rlim_t need = (rlim_t)connections + BESIDES;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= need)
        return NACRE_OK;
    if (limit.rlim_max == RLIM_INFINITY || limit.rlim_max >= need) {
        limit.rlim_cur = need;
        if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
            return NACRE_OK;
    }
    (void)snprintf(
        why, why_size,
        "MaxConnections=%u needs %llu open files, but the hard limit is %llu: raise it (ulimit -Hn, LimitNOFILE=) or "
        "lower MaxConnections.",
        connections, (unsigned long long)need, (unsigned long long)limit.rlim_max);
    return NACRE_E_MFILE;
}
