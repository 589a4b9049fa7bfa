/* SPDX-License-Identifier: Apache-2.0 */
/* What the system's bound on open descriptors means for a server's connections and workers. */
#ifndef ENGINE_LIMIT_H
#define ENGINE_LIMIT_H

#include "engine/io.h"

/* How connections are spread. */
struct limit_plan {
    unsigned workers; /* at least as many as asked for */
    bool own_tables;  /* each worker needs a descriptor table of its own */
    unsigned room; /* sockets that fit into the table of one worker, its own or its back end's; 0: as many as there are
                      connections */
    unsigned tunnels; /* sockets that a worker may have for tunnels, so that MaxConnections has what it was promised */
};

/* Decides how `connections` fit into `workers` or more, and what is left for tunnels, raising the process's soft limit
 * as far as the hard one allows and it takes for those and as many tunnels. MFILE: they cannot; `why` then says what
 * would help. */
enum nacre_error nacre_limit_plan(const struct io_backend *ops, unsigned connections, unsigned workers,
                                  struct limit_plan *plan, char *why, size_t why_size);

/* The same for workers that stand and go by `plan`, which cannot change any more. */
enum nacre_error nacre_limit_fits(unsigned connections, const struct limit_plan *plan, char *why, size_t why_size);

#endif
