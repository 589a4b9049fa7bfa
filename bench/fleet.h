/* SPDX-License-Identifier: Apache-2.0 */
/* The parent's side of the load processes: starts them, waits for them at the gates, opens the gates, adds up what they
 * counted. */
#ifndef BENCH_FLEET_H
#define BENCH_FLEET_H

#include "load.h"
#include "process.h"

struct vessel {
    struct process process;
    struct watch watch; /* its channel, as long as it has not ended */
    char said;          /* the last it said */
};

struct fleet {
    unsigned count;
    struct tally *tallies; /* shared memory */
    struct vessel *vessels;
    struct ready *ready;
    double cpu_seconds; /* of those that have ended */
};

/* How many load processes there are with these options. */
unsigned bench_fleet_size(const struct options *o);

/* Starts all processes; each connects on its own. `run` and `context` are bench_process_start()'s. False: the system
 * refuses; bench_system_error() says why. */
bool bench_fleet_start(struct fleet *f, const struct options *o, int (*run)(const struct duty *duty, void *context),
                       void *context);

/* In a process that is a copy: what the others and their parent have between them is none of its business. */
void bench_fleet_leave(struct fleet *f);

/* Waits until every process has said `what` or has ended. `tick` is called about once a second meanwhile. */
void bench_fleet_wait(struct fleet *f, char what, void (*tick)(void *context), void *context);

void bench_fleet_open_gate(struct fleet *f, enum gate gate);

/* Waits for the ends of all processes, and frees all but the tallies. False when one did not end well. */
bool bench_fleet_finish(struct fleet *f);

#endif
