/* SPDX-License-Identifier: Apache-2.0 */
/* The offload pool: a few threads for what takes longer than a data packet (finite-field DH, RSA signatures, key
 * files), so that a worker never stops for it. Jobs run in the order they came, in two lanes: those of connections that
 * have logged in go first, but every fifth at least is one of the others.
 *
 * Name look-ups, which wait for others and not for a processor, have a pool of their own: a name server that does not
 * answer holds up no login. There a connection's only look-up goes first, so that nobody's hundred hold up another's.
 */
#ifndef ENGINE_OFFLOAD_H
#define ENGINE_OFFLOAD_H

#include <stdbool.h>

#include "base/plat.h"

enum {
    OFFLOAD_THREADS = 4
};

struct job {
    struct job *next;
    void (*run)(struct job *job); /* owns the job */
    bool first;                   /* the lane: see above */
};

struct job_lane {
    struct job *first, **last;
};

struct offload {
    plat_mutex lock; /* protects what follows up to `stopping` */
    plat_cond wake;
    struct job_lane lanes[2]; /* those that go first; the others */
    unsigned in_a_row;        /* taken from the first while others waited */
    bool stopping;
    unsigned thread_count;
    plat_thread threads[OFFLOAD_THREADS];
};

/* Starts the threads; `name` is theirs, at most 15 bytes. False: the system gave none. */
bool nacre_offload_start(struct offload *o, unsigned threads, const char *name);

/* Any thread. */
void nacre_offload_put(struct offload *o, struct job *job);

/* Runs what is queued and ends the threads. */
void nacre_offload_stop(struct offload *o);

#endif
