/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include <stdbool.h>
#include <stdint.h>

/* Lives through the world of a seed; the process ends where something does not hold. Once a process. Gives what
 * identifies this run: the same for the same seed. */
uint64_t world_run(uint64_t seed, bool loud);

/* How often a caller of do_events waited in a worker's place while the worker waited below it. */
uint64_t world_rides(void);

#endif
