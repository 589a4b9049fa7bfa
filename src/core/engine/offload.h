/* SPDX-License-Identifier: Apache-2.0 */
/* The offload pool: a few threads for what takes longer than a data packet (finite-field DH, RSA signatures, key
 * files), so that a worker never stops for it. Jobs run in the order they came. */
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
};

struct offload {
    plat_mutex lock; /* protects the queue and `stopping` */
    plat_cond wake;
    struct job *first, **last;
    bool stopping;
    unsigned thread_count;
    plat_thread threads[OFFLOAD_THREADS];
};

/* Starts the threads. False: the system gave none. */
bool nacre_offload_start(struct offload *o, unsigned threads);

/* Any thread. */
void nacre_offload_put(struct offload *o, struct job *job);

/* Runs what is queued and ends the threads. */
void nacre_offload_stop(struct offload *o);

#endif
