/* SPDX-License-Identifier: Apache-2.0 */
/* What tells nacred to end: SIGTERM and SIGINT on Linux; Ctrl+C, Ctrl+Break, a closed console, a log-off and a shutdown
 * on Windows. The loop hears of it. ending_posix.c or ending_win.c. */
#ifndef NACRED_ENDING_H
#define NACRED_ENDING_H

#include <stdatomic.h>
#include <stdbool.h>

#include "loop.h"

struct ending {
    struct watch watch;
    struct loop *loop;
    atomic_int wishes; /* how many came; relaxed: a counter that is polled */
};

/* Before any other thread starts. False with errno. */
bool nacred_ending_open(struct ending *ending, struct loop *loop);
/* Also for one that was never opened but is {.watch.fd = -1}. */
void nacred_ending_close(struct ending *ending);

static inline int ending_wishes(const struct ending *ending)
{
    return atomic_load_explicit(&ending->wishes, memory_order_relaxed);
}

#endif
