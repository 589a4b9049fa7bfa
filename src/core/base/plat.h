/* SPDX-License-Identifier: Apache-2.0 */
/* What nacre needs of an operating system besides calls on sockets: threads, locks, clocks, entropy. One plat_*.c is
 * linked. */
#ifndef BASE_PLAT_H
#define BASE_PLAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef _WIN32
#include "base/plat_types_win.h"
#else
#include <pthread.h>
#include <stdatomic.h>
typedef pthread_mutex_t plat_mutex;
typedef pthread_cond_t plat_cond;
typedef pthread_t plat_thread;
typedef int plat_socket;
typedef struct plat_park {
    _Atomic uint32_t set; /* the word of a futex: release when set, acquire by who slept */
} plat_park;
#endif

/* Monotonic nanoseconds since some moment in the past; never goes back. Any thread. */
int64_t nacre_clock_ns(void);

/* Seconds since 1970-01-01 UTC. Any thread. */
int64_t nacre_clock_unix(void);

/* Fills with unpredictable bytes from the system. False when the system cannot give any. Any thread. */
bool nacre_entropy(void *at, size_t len);

/* Online CPUs this process may use; at least 1. */
unsigned nacre_cpu_count(void);

/* Memory in whole pages, of any content, or NULL. nacre_pages_clean() gives what is behind it back to the system until
 * it is written to again; it may read as zeros then. nacre_pages_free(): NULL is allowed. */
void *nacre_pages_alloc(size_t size);
void nacre_pages_clean(void *pages, size_t size);
void nacre_pages_free(void *pages);

/* Gives the free memory of malloc() back to the system, as far as the system can do that. Takes long; any thread. */
void nacre_memory_trim(void);

/* The system gives random bytes to who asks it, without a file. */
bool nacre_random_is_at_hand(void);

/* Bytes of memory that the machine has; 0: not known. */
uint64_t nacre_memory_size(void);

void nacre_mutex_init(plat_mutex *m);
void nacre_mutex_destroy(plat_mutex *m);
void nacre_mutex_lock(plat_mutex *m);
void nacre_mutex_unlock(plat_mutex *m);
bool nacre_mutex_try(plat_mutex *m); /* false: somebody has it */

void nacre_cond_init(plat_cond *c);
void nacre_cond_destroy(plat_cond *c);
/* Waits until signalled or `until_ns` on nacre_clock_ns() has passed (INT64_MAX: for ever). False when time ran out. */
bool nacre_cond_wait(plat_cond *c, plat_mutex *m, int64_t until_ns);
void nacre_cond_signal(plat_cond *c);
void nacre_cond_broadcast(plat_cond *c);

/* A place for one thread to sleep in: cheaper than a condition, since whoever wakes up meets no lock. wait() returns
 * once set() was called, before or meanwhile, or `until_ns` has passed (false; INT64_MAX: never). set() happens once,
 * and does not touch the place any more when the sleeper has returned; wait() may be called again until then. */
void nacre_park_init(plat_park *p);
bool nacre_park_wait(plat_park *p, int64_t until_ns);
void nacre_park_set(plat_park *p);

/* Between the two, nobody can end the calling thread from outside (pthread_cancel()); off() returns what on() takes. */
int nacre_cancel_off(void);
void nacre_cancel_on(int before);

/* Starts a thread with every signal blocked that others may send, named for debuggers (15 bytes count). False when the
 * system refuses. */
bool nacre_thread_start(plat_thread *t, void (*run)(void *), void *argument, const char *name);
void nacre_thread_join(plat_thread t);

/* Lets others go first that are ready to run on this processor. */
void nacre_thread_yield(void);

#endif
