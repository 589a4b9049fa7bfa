/* SPDX-License-Identifier: Apache-2.0 */
/* The processes that one nacre-bench consists of. A process that is started is this program once more: where the system
 * can copy a process (process_posix.c) it goes on with what its parent has; where not (process_win.c) it begins at
 * main() with the same arguments, and is told by bench_process_begin() what it is for.
 *
 * Between the two is a channel, whose end means that the other side has ended. */
#ifndef BENCH_PROCESS_H
#define BENCH_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/plat.h"

enum job {
    JOB_LOAD, /* connections (load.h) */
    JOB_TCP   /* the server of the mode limit */
};

/* What a process is started for. */
struct duty {
    enum job job;
    unsigned number;     /* of the load; of what the server does */
    plat_socket channel; /* to the process that started it */
    void *shared;        /* what that has from bench_process_share() */
};

struct process {
    intptr_t id;     /* the system's number of it, or a HANDLE */
    intptr_t thread; /* Windows: HANDLE of its one thread */
    plat_socket channel;
};

enum process_kind {
    PROCESS_FIRST,
    PROCESS_STARTED, /* by bench_process_start(), from the beginning: `duty` is filled */
    PROCESS_BROKEN   /* by that, and what it was given is not there */
};

/* Behind bench_system_start(); takes out of the arguments what is not for the user. */
enum process_kind bench_process_begin(int *argc, char ***argv, struct duty *duty);

/* Memory, zeros, that all processes started from now on have, too; once in a program. NULL: the system refuses. */
void *bench_process_share(size_t size);

/* Starts a process for `duty` but its channel and memory, which are filled here. Where it is a copy, run() is called in
 * it and its result is its exit status. False: the system refuses. */
bool bench_process_start(struct process *p, const struct duty *duty, int (*run)(const struct duty *duty, void *context),
                         void *context);

/* Seconds of processor time that it has used; NAN: not known. */
double bench_process_cpu(const struct process *p);

/* Waits for its end, and adds all of its processor time. True: it ended well. */
bool bench_process_finish(struct process *p, double *cpu_seconds);

/* Gives this process the lowest priority: it gets what others leave of the processors. */
void bench_process_step_back(void);

/* Which processors a process may use, in the system's own form. */
struct processors {
    _Alignas(8) unsigned char set[128];
};

/* Confines this process to one half of its processors; keeps in `before` what they were. */
void bench_processors_halve(struct processors *before, bool upper);
void bench_processors_restore(const struct processors *before);

#endif
