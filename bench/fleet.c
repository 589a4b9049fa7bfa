/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet.h"

#include <stdlib.h>

#include "base/plat.h"
#include "net.h"

enum {
    TICK_MS = 1000
};

/* A storm has a process of its own, the last. */
unsigned bench_fleet_size(const struct options *o)
{
    return o->processes + (o->mode == MODE_STORM ? 1 : 0);
}

static bool start_one(struct fleet *f, struct vessel *v, int (*run)(const struct duty *duty, void *context),
                      void *context)
{
    const struct duty duty = {.job = JOB_LOAD, .number = f->count};
    if (!bench_process_start(&v->process, &duty, run, context))
        return false;
    v->watch = (struct watch){.fd = v->process.channel};
    f->count++;
    return bench_ready_watch(f->ready, &v->watch, READY_IN);
}

bool bench_fleet_start(struct fleet *f, const struct options *o, int (*run)(const struct duty *duty, void *context),
                       void *context)
{
    const unsigned processes = bench_fleet_size(o);
    f->tallies = bench_process_share(processes * sizeof *f->tallies);
    f->vessels = calloc(processes, sizeof *f->vessels);
    f->ready = bench_ready_open();
    if (f->tallies == NULL || f->vessels == NULL || f->ready == NULL)
        return false;
    while (f->count < processes) {
        if (!start_one(f, &f->vessels[f->count], run, context))
            return false;
    }
    return true;
}

void bench_fleet_leave(struct fleet *f)
{
    for (unsigned i = 0; i < f->count; i++)
        nacre_sock_close(f->vessels[i].process.channel);
    if (f->ready != NULL)
        bench_ready_close(f->ready);
}

static bool all_said(const struct fleet *f, char what)
{
    for (unsigned i = 0; i < f->count; i++) {
        if (f->vessels[i].watch.events != 0 && f->vessels[i].said != what)
            return false;
    }
    return true;
}

static void hear(struct fleet *f, struct vessel *v)
{
    ptrdiff_t got = bench_net_receive(v->watch.fd, &v->said, 1);
    if (got == 0 || got == NET_FAILED)
        (void)bench_ready_watch(f->ready, &v->watch, 0);
}

void bench_fleet_wait(struct fleet *f, char what, void (*tick)(void *context), void *context)
{
    struct ready_note notes[READY_BATCH];
    int64_t next_ns = nacre_clock_ns() + (int64_t)TICK_MS * 1000000;
    while (!all_said(f, what)) {
        int64_t left_ns = next_ns - nacre_clock_ns();
        unsigned count = bench_ready_wait(f->ready, notes, left_ns > 0 ? left_ns : 0);
        for (unsigned i = 0; i < count; i++)
            hear(f, CONTAINER_OF(notes[i].watch, struct vessel, watch));
        if (nacre_clock_ns() >= next_ns) {
            next_ns += (int64_t)TICK_MS * 1000000;
            tick(context);
        }
    }
}

void bench_fleet_open_gate(struct fleet *f, enum gate gate)
{
    const uint8_t word = (uint8_t)gate;
    const struct span say = span_of(&word, 1);
    for (unsigned i = 0; i < f->count; i++) {
        if (f->vessels[i].watch.events != 0)
            (void)bench_net_send(f->vessels[i].watch.fd, &say, 1); /* who has ended meanwhile goes through no gate */
    }
}

bool bench_fleet_finish(struct fleet *f)
{
    bool well = true;
    for (unsigned i = 0; i < f->count; i++) {
        bench_ready_forget(f->ready, &f->vessels[i].watch);
        well = bench_process_finish(&f->vessels[i].process, &f->cpu_seconds) && well;
    }
    bench_ready_close(f->ready);
    free(f->vessels);
    return well;
}
