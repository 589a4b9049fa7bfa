/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "procstat.h"

enum {
    BURN_MS = 100
};

/* The system rounds a process's time of its own and in the kernel down to hundredths of a second each. */
static const double TICKS_LOST = 0.021;

static void burn_cpu(void)
{
    struct timespec now;
    do
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    while (now.tv_sec == 0 && now.tv_nsec < BURN_MS * 1000000L);
}

/* Forks, and the child forks: both burn processor time, say so and wait to be ended. */
static pid_t start_family(int ready)
{
    pid_t child = fork();
    if (child != 0)
        return child;
    fork();
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* each ends with its parent */
    burn_cpu();
    if (write(ready, "x", 1) != 1)
        _exit(1);
    for (;;)
        pause();
}

Test(procstat, adds_up_descendants)
{
    struct procstat before, during, after;
    int ends[2];
    char byte;
    cr_assert_eq(pipe(ends), 0);
    cr_assert(bench_procstat_read(getpid(), true, &before));
    cr_assert_eq(before.processes, 1);
    cr_assert(before.pss_bytes > 0 && before.rss_bytes >= before.pss_bytes && before.unreadable == 0);

    pid_t child = start_family(ends[1]);
    cr_assert_eq(read(ends[0], &byte, 1), 1);
    cr_assert_eq(read(ends[0], &byte, 1), 1);
    cr_assert(bench_procstat_read(getpid(), true, &during));
    cr_assert_eq(during.processes, 3);
    cr_assert_eq(during.threads, before.threads + 2);
    cr_assert(during.cpu_seconds - before.cpu_seconds >= 2 * BURN_MS / 1000.0 - 2 * TICKS_LOST);

    kill(child, SIGKILL);
    cr_assert_eq(waitpid(child, NULL, 0), child);
    cr_assert(bench_procstat_read(getpid(), false, &after));
    cr_assert_eq(after.processes, 1);
    cr_assert(after.cpu_seconds - before.cpu_seconds >= (double)BURN_MS / 1000.0 - TICKS_LOST,
              "time of an awaited child is kept");
}

Test(procstat, knows_who_is_not_there)
{
    struct procstat s;
    cr_assert_not(bench_procstat_read(INT32_MAX, true, &s));
}
