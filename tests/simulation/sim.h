/* SPDX-License-Identifier: Apache-2.0 */
/* One seed, one world: the engine's threads, its clock and its randomness are the simulation's, which takes the place
 * of base/plat_posix.c. One thread runs at a time; who goes on, at every lock and every wait, is drawn from the seed,
 * and so is everything that happens in the world. The same seed gives the same world, step by step.
 *
 * Threads are real ones that hand a baton on, so that thread-local storage and sanitizers are as they always are. */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Starts the world with the calling thread in it; `loud` tells on stderr what happens. */
void sim_begin(uint64_t seed, bool loud);

/* Random numbers of the world: below `n`, and one time in `n`. */
uint64_t sim_random(void);
uint32_t sim_below(uint32_t n);
bool sim_one_in(uint32_t n);

/* Lets the others run, until `ns` of the world's time have passed. */
void sim_sleep(int64_t ns);

/* Lets another thread run, perhaps. */
void sim_yield(void);

/* Ends the process when it does not hold, naming the seed. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
void sim_must(bool holds, const char *format, ...);

#if defined(__GNUC__)
__attribute__((format(printf, 1, 2)))
#endif
void sim_tell(const char *format, ...);

/* A number that depends on every choice made so far: two runs of a seed end with the same one. */
uint64_t sim_trace(void);

/* The world's clock leaps, as that of a machine does which was suspended; its calendar is set, forward or back. */
void sim_leap(int64_t ns);
void sim_set_calendar(int64_t by_seconds);

/* Called whenever nobody can go on before time does. It looks, and neither waits nor takes locks. */
void sim_when_idle(void (*look)(int64_t now_ns));

/* How old the world is. */
double sim_seconds(void);

/* ---- faults.c: allocations and cryptography that fail ----------------------------------------------------------- */

/* One in so many fails on the engine's threads; 0: none. Before sim_begin(): sim_faults_prepare(). */
void sim_faults_prepare(void);
void sim_faults(uint32_t allocations, uint32_t crypto);
uint64_t sim_faults_made(void);

/* True on a thread that the engine started, or that is inside a call of it; those of the world itself never fail. */
bool sim_is_engine(void);
void sim_enter_engine(bool inside);

#endif
