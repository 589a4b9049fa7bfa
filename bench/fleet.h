/* SPDX-License-Identifier: Apache-2.0 */
/* The parent's side of the load processes: starts them, waits for them at the gates, opens the gates, adds up what they
 * counted. */
#ifndef BENCH_FLEET_H
#define BENCH_FLEET_H

#include "load.h"

struct fleet {
    unsigned count;
    struct tally *tallies; /* shared memory */
    pid_t *pids;
    int *reports;     /* -1: ended */
    char *said;       /* last byte of each */
    int gates[GATES]; /* writing ends; -1: open */
};

/* Starts all processes; each connects on its own. False: the system refuses; errno says why. */
bool bench_fleet_start(struct fleet *f, const struct options *o, struct nacre_crypto *crypto, struct key *key);

/* Waits until every process has said `what` or has ended. `tick` is called about once a second meanwhile. */
void bench_fleet_wait(struct fleet *f, char what, void (*tick)(void *context), void *context);

void bench_fleet_open_gate(struct fleet *f, enum gate gate);

/* Waits for the ends of all processes, and frees all but the tallies. False when one did not end well. */
bool bench_fleet_finish(struct fleet *f);

#endif
