/* SPDX-License-Identifier: Apache-2.0 */
/* RLIMIT_NOFILE: the soft limit is raised, which needs no right, and past the hard one each worker counts for itself.
 */
#include "engine/limit.h"

#include <limits.h>
#include <stdio.h>
#include <sys/resource.h>

#include "engine/shard.h"

enum {
    TUNNELS_LEAST = 32,
    BESIDES = 32 + TUNNELS_LEAST, /* in any table: also listeners, polls and what the program itself has open */
    OF_EACH_WORKER = 4            /* in any table: what wakes it and how sockets reach it */
};

/* Raises the soft limit to `need`, or to the hard limit where that is less. Gives the soft limit there is then. */
static rlim_t raise_to(rlim_t need, rlim_t *hard)
{
    struct rlimit limit;
    *hard = RLIM_INFINITY;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return RLIM_INFINITY;
    *hard = limit.rlim_max;
    if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= need)
        return limit.rlim_cur;
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max == RLIM_INFINITY || limit.rlim_max >= need ? need : limit.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : before;
}

static enum nacre_error refuse(unsigned connections, rlim_t need, rlim_t hard, char *why, size_t why_size)
{
    (void)snprintf(
        why, why_size,
        "MaxConnections=%u needs %llu open files, but the hard limit is %llu: raise it (ulimit -Hn, LimitNOFILE=) or "
        "lower MaxConnections.",
        connections, (unsigned long long)need, (unsigned long long)hard);
    return NACRE_E_MFILE;
}

/* What is in a table beside connections, where `workers` workers live on it. */
static rlim_t taken_by(unsigned workers)
{
    return BESIDES + (rlim_t)OF_EACH_WORKER * workers;
}

static unsigned room_beside(rlim_t limit, unsigned workers)
{
    rlim_t taken = taken_by(workers);
    return limit > taken ? (unsigned)(limit - taken) : 0;
}

/* What `workers` workers have for tunnels, where there are places in their tables beside those of connections. */
static unsigned share_of(uint64_t left, unsigned workers)
{
    uint64_t share = left / workers;
    return share == 0 ? 1 : share < UINT_MAX ? (unsigned)share : UINT_MAX;
}

/* Each instance of the back end has a table of its own anyway, and it is as long as the limit. */
static void plan_instances(unsigned connections, rlim_t limit, struct limit_plan *plan)
{
    plan->room = (unsigned)limit;
    while (plan->workers < SHARDS_MAX && (uint64_t)plan->room * plan->workers < connections)
        plan->workers++;
}

static void plan_tables(unsigned connections, rlim_t limit, struct limit_plan *plan)
{
    while (plan->workers < SHARDS_MAX && (uint64_t)room_beside(limit, plan->workers) * plan->workers < connections)
        plan->workers++;
    plan->room = room_beside(limit, plan->workers);
}

enum nacre_error nacre_limit_plan(const struct io_backend *ops, unsigned connections, unsigned workers,
                                  struct limit_plan *plan, char *why, size_t why_size)
{
    rlim_t need = connections + taken_by(workers), hard;
    *plan = (struct limit_plan){.workers = workers, .tunnels = UINT_MAX};
    rlim_t limit = raise_to(need + connections, &hard);
    if (limit == RLIM_INFINITY)
        return NACRE_OK;
    if (limit >= need) {
        plan->tunnels = share_of(limit - need + TUNNELS_LEAST, workers);
        return NACRE_OK;
    }
    plan->own_tables = ops->descriptors != NULL;
    if (plan->own_tables)
        plan_tables(connections, limit, plan);
    else
        plan_instances(connections, limit, plan);
    uint64_t room = (uint64_t)plan->room * plan->workers;
    if (room < connections)
        return refuse(connections, need, hard, why, why_size);
    plan->tunnels = TUNNELS_LEAST + share_of(room - connections, plan->workers);
    return NACRE_OK;
}

enum nacre_error nacre_limit_fits(unsigned connections, const struct limit_plan *plan, char *why, size_t why_size)
{
    rlim_t need = connections + taken_by(plan->workers), hard;
    if (plan->room != 0) {
        uint64_t room = (uint64_t)plan->room * plan->workers;
        if (room >= connections)
            return NACRE_OK;
        (void)snprintf(why, why_size,
                       "MaxConnections=%u does not fit into %u workers of %u each, and workers stay as they are after "
                       "the first start: set it before that, on a new server.",
                       connections, plan->workers, plan->room);
        return NACRE_E_MFILE;
    }
    rlim_t tunnels = plan->tunnels == UINT_MAX ? 0 : (rlim_t)plan->tunnels * plan->workers;
    rlim_t limit = raise_to(need + tunnels, &hard);
    return limit == RLIM_INFINITY || limit >= need ? NACRE_OK : refuse(connections, need, hard, why, why_size);
}
