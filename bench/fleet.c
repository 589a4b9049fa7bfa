/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/plat.h"

enum {
    TICK_MS = 1000
};

/* In the child: never returns. */
static void run_child(struct fleet *f, const struct load_start *start, pid_t parent)
{
    for (unsigned g = 0; g < GATES; g++)
        close(f->gates[g]);
    for (unsigned i = 0; i < start->process; i++)
        close(f->reports[i]);
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a load without a parent would never end */
    if (getppid() != parent)
        _exit(1);
    _exit(bench_load_run(start));
}

static bool start_one(struct fleet *f, struct load_start *start)
{
    int ends[2];
    pid_t parent = getpid();
    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    start->report_fd = ends[1];
    start->tally = &f->tallies[start->process];
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        run_child(f, start, parent);
    }
    close(ends[1]);
    f->reports[start->process] = ends[0];
    f->pids[start->process] = pid;
    if (pid < 0)
        close(ends[0]);
    return pid > 0;
}

bool bench_fleet_start(struct fleet *f, const struct options *o, struct nacre_crypto *crypto, struct key *key)
{
    struct load_start start = {.options = o, .crypto = crypto, .key = key};
    const unsigned processes = o->processes + (o->mode == MODE_STORM ? 1 : 0);
    f->tallies = mmap(NULL, processes * sizeof *f->tallies, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    f->pids = calloc(processes, sizeof *f->pids);
    f->reports = calloc(processes, sizeof *f->reports);
    f->said = calloc(processes, 1);
    if (f->tallies == MAP_FAILED || f->pids == NULL || f->reports == NULL || f->said == NULL)
        return false;
    for (unsigned g = 0; g < GATES; g++) {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) != 0)
            return false;
        start.gate_fds[g] = ends[0];
        f->gates[g] = ends[1];
    }
    for (f->count = 0; f->count < processes; f->count++) {
        start.process = f->count;
        start.storms = f->count == o->processes;
        if (!start_one(f, &start))
            return false;
    }
    for (unsigned g = 0; g < GATES; g++)
        close(start.gate_fds[g]);
    return true;
}

static bool all_said(const struct fleet *f, char what)
{
    for (unsigned i = 0; i < f->count; i++) {
        if (f->reports[i] >= 0 && f->said[i] != what)
            return false;
    }
    return true;
}

static void hear(struct fleet *f, unsigned i)
{
    ssize_t got = read(f->reports[i], &f->said[i], 1);
    if (got > 0 || (got < 0 && errno == EINTR))
        return;
    close(f->reports[i]);
    f->reports[i] = -1;
}

void bench_fleet_wait(struct fleet *f, char what, void (*tick)(void *context), void *context)
{
    struct pollfd polled[1024 + 1]; /* as many as -j allows, and a storm's */
    int64_t next_ns = nacre_clock_ns() + (int64_t)TICK_MS * 1000000;
    while (!all_said(f, what)) {
        for (unsigned i = 0; i < f->count; i++)
            polled[i] = (struct pollfd){.fd = f->said[i] == what ? -1 : f->reports[i], .events = POLLIN};
        int64_t left_ms = (next_ns - nacre_clock_ns()) / 1000000;
        int ready = poll(polled, f->count, left_ms > 0 ? (int)left_ms : 0);
        for (unsigned i = 0; ready > 0 && i < f->count; i++) {
            if (polled[i].revents != 0)
                hear(f, i);
        }
        if (nacre_clock_ns() >= next_ns) {
            next_ns += (int64_t)TICK_MS * 1000000;
            tick(context);
        }
    }
}

void bench_fleet_open_gate(struct fleet *f, enum gate gate)
{
    if (f->gates[gate] >= 0)
        close(f->gates[gate]);
    f->gates[gate] = -1;
}

bool bench_fleet_finish(struct fleet *f)
{
    bool well = true;
    for (unsigned i = 0; i < f->count; i++) {
        int status = 0;
        while (waitpid(f->pids[i], &status, 0) < 0 && errno == EINTR)
            continue;
        well = well && WIFEXITED(status) && WEXITSTATUS(status) == 0;
        if (f->reports[i] >= 0)
            close(f->reports[i]);
    }
    free(f->pids);
    free(f->reports);
    free(f->said);
    return well;
}
