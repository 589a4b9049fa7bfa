/* SPDX-License-Identifier: Apache-2.0 */
/* A set of sockets, and which of them can be read from or written to: level-triggered epoll (ready_posix.c) or WSAPoll
 * (ready_win.c). One thread. */
#ifndef BENCH_READY_H
#define BENCH_READY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/plat.h"

enum {
    READY_IN = 1,
    READY_OUT = 2,
    READY_LOST = 4, /* the connection has ended or failed; comes unasked */
    READY_BATCH = 256
};

/* A socket that is watched; lives in what owns it. */
struct watch {
    plat_socket fd;
    uint32_t events;                                 /* what is waited for; 0: not in the set */
    uint32_t place;                                  /* in the set, where that has places */
    void (*ready)(struct watch *w, uint32_t events); /* for those of a loop */
};

struct ready_note {
    struct watch *watch;
    uint32_t events;
};

struct ready;

/* NULL: the system refuses. */
struct ready *bench_ready_open(void);
void bench_ready_close(struct ready *r);

/* Sets what is waited for: READY_IN, READY_OUT; 0 takes it out of the set. False: the system refuses. */
bool bench_ready_watch(struct ready *r, struct watch *w, uint32_t events);

/* Takes it out of the set; the socket is closed next, which nothing stands between. */
void bench_ready_forget(struct ready *r, struct watch *w);

/* Waits for up to `ns` (-1: without end) and gives how many notes, READY_BATCH at most, it has
 * written. Windows counts whole milliseconds, rounded up. */
unsigned bench_ready_wait(struct ready *r, struct ready_note *notes, int64_t ns);

#endif
