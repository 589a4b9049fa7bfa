/* SPDX-License-Identifier: Apache-2.0 */
#include "ending.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void on_signal(struct watch *watch)
{
    struct ending *ending = (struct ending *)watch;
    struct signalfd_siginfo info;

    while (read(watch->fd, &info, sizeof info) == (ssize_t)sizeof info)
        atomic_fetch_add_explicit(&ending->wishes, 1, memory_order_relaxed);
}

/* Blocked in every thread that starts later; children get an empty mask. */
bool nacred_ending_open(struct ending *ending, struct loop *loop)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    *ending = (struct ending){.watch = {.ready = on_signal, .fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)},
                              .loop = loop};
    return ending->watch.fd >= 0 && nacred_loop_arm(loop, &ending->watch, LOOP_READ);
}

void nacred_ending_close(struct ending *ending)
{
    if (ending->loop)
        nacred_loop_close_watch(ending->loop, &ending->watch);
}
