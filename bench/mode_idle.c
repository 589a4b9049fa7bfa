/* SPDX-License-Identifier: Apache-2.0 */
/* Connections that do nothing: logged in, with a session channel open and, unless --exec-late, its command running. The
 * parent holds them and looks at the server; then each has to send a message back, which shows that it was alive. */
#include "load.h"
#include "probe.h"

static void opened(struct client *c)
{
    if (c->shared->options->exec_late)
        bench_load_prepared(c);
    else
        bench_client_exec(c, c->shared->options->command);
}

static void running(struct client *c)
{
    if (c->shared->options->exec_late)
        bench_probe_send(c);
    else
        bench_load_prepared(c);
}

static void wake(struct client *c)
{
    if (c->shared->options->exec_late)
        bench_client_exec(c, c->shared->options->command);
    else
        bench_probe_send(c);
}

static void go(struct load *l)
{
    bench_load_begin_all(l, wake);
}

static void data(struct client *c, struct span bytes)
{
    uint64_t took_ns;
    if (!bench_probe_take(c, bytes, &took_ns))
        return;
    bench_histogram_add(&c->shared->tally->latency, took_ns);
    tally_add(&c->shared->tally->operations, 1);
    bench_load_end(c);
}

const struct mode bench_idle = {
    .client_size = sizeof(struct prober),
    .connects_first = true,
    .ops = {.logged_in = bench_client_open,
            .opened = opened,
            .running = running,
            .data = data,
            .ended = bench_probe_ended,
            .gone = bench_load_gone},
    .go = go,
};
