/* SPDX-License-Identifier: Apache-2.0 */
#include "process.h"

#include <errno.h>
#include <math.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "net.h"

_Static_assert(sizeof(cpu_set_t) <= sizeof(struct processors), "a set of processors fits");

static void *shared;

enum process_kind bench_process_begin(int *argc, char ***argv, struct duty *duty)
{
    (void)argc;
    (void)argv;
    (void)duty;
    return PROCESS_FIRST;
}

void *bench_process_share(size_t size)
{
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    shared = at == MAP_FAILED ? NULL : at;
    return shared;
}

bool bench_process_start(struct process *p, const struct duty *duty, int (*run)(const struct duty *duty, void *context),
                         void *context)
{
    plat_socket ends[2];
    if (!bench_net_pair(ends))
        return false;
    pid_t pid = fork();
    if (pid == 0) {
        struct duty own = *duty;
        close(ends[0]);
        own.channel = ends[1];
        own.shared = shared;
        _exit(run(&own, context));
    }
    close(ends[1]);
    if (pid < 0)
        close(ends[0]);
    *p = (struct process){.id = pid, .channel = ends[0]};
    return pid > 0;
}

/* In nanoseconds' steps. */
double bench_process_cpu(const struct process *p)
{
    clockid_t clock;
    struct timespec t;
    if (clock_getcpuclockid((pid_t)p->id, &clock) != 0 || clock_gettime(clock, &t) != 0)
        return NAN;
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

bool bench_process_finish(struct process *p, double *cpu_seconds)
{
    struct rusage u;
    int status = 0;
    pid_t ended;
    do
        ended = wait4((pid_t)p->id, &status, 0, &u);
    while (ended < 0 && errno == EINTR);
    nacre_sock_close(p->channel);
    p->channel = IO_NO_SOCKET;
    if (ended < 0)
        return false;
    *cpu_seconds +=
        (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void bench_process_step_back(void)
{
    const struct sched_param none = {.sched_priority = 0};
    (void)sched_setscheduler(0, SCHED_IDLE, &none); /* unlike a nice value, it gives way at once */
}

void bench_processors_halve(struct processors *before, bool upper)
{
    cpu_set_t all, half;
    CPU_ZERO(&all);
    CPU_ZERO(&half);
    (void)sched_getaffinity(0, sizeof all, &all);
    memcpy(before->set, &all, sizeof all);
    int count = CPU_COUNT(&all), seen = 0;
    for (int i = 0; i < CPU_SETSIZE; i++) {
        if (!CPU_ISSET((size_t)i, &all))
            continue;
        if ((seen++ < count / 2) != upper)
            CPU_SET((size_t)i, &half);
    }
    if (count >= 2)
        sched_setaffinity(0, sizeof half, &half);
}

void bench_processors_restore(const struct processors *before)
{
    cpu_set_t all;
    memcpy(&all, before->set, sizeof all);
    sched_setaffinity(0, sizeof all, &all);
}
