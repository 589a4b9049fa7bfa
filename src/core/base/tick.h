/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps a processor's tick going under a thread that sleeps often and briefly.
 *
 * A processor that goes idle with nothing due soon stops its tick, and starts it again when it is woken: its timer is
 * set twice, which under a hypervisor is dearer than all else that a short sleep takes. A timer that is due about
 * when the tick is prevents that. Nobody waits for this one, so it wakes no thread; it costs a call and an interrupt a
 * millisecond, and is set only while there are enough sleeps to be worth that. */
#ifndef BASE_TICK_H
#define BASE_TICK_H

#include <stdint.h>

struct tick {
    int fd;          /* a timer; -1: the system gave none, and nothing is done */
    unsigned sleeps; /* short ones, since the timer was set or could have been */
    int64_t due_ns;  /* not before then again */
};

void nacre_tick_open(struct tick *t);
void nacre_tick_close(struct tick *t);

/* A thread was in the kernel from then until now, to wait for something. */
void nacre_tick_slept(struct tick *t, int64_t from_ns, int64_t now_ns);

#endif
