/* SPDX-License-Identifier: Apache-2.0 */
/* Connections that do nothing: logged in, with a session channel open and, unless --exec-late, its command running. The
 * parent holds them and looks at the server; then each has to send a message back, which shows that it was alive. */
#include "load.h"
#include "probe.h"

struct idle_client {
    struct client client;
    struct probe probe;
};

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
        bench_probe_send(c, &((struct idle_client *)c)->probe);
    else
        bench_load_prepared(c);
}

static void go(struct load *l)
{
    for (unsigned i = 0; i < l->count; i++) {
        struct client *c = load_client(l, i);
        if (c->stage != CLIENT_READY)
            continue;
        bench_load_begin(c);
        if (c->shared->options->exec_late)
            bench_client_exec(c, c->shared->options->command);
        else
            bench_probe_send(c, &((struct idle_client *)c)->probe);
        bench_client_pump(c);
    }
}

static void data(struct client *c, struct span bytes)
{
    uint64_t took_ns;
    if (!bench_probe_take(c, &((struct idle_client *)c)->probe, bytes, &took_ns))
        return;
    bench_histogram_add(&c->shared->tally->latency, took_ns);
    tally_add(&c->shared->tally->operations, 1);
    bench_load_end(c);
}

static void ended(struct client *c)
{
    bench_client_fail(c, FAILED_DISCONNECTED, "the command ended");
}

const struct mode bench_idle = {
    .client_size = sizeof(struct idle_client),
    .connects_first = true,
    .ops = {.logged_in = bench_client_open,
            .opened = opened,
            .running = running,
            .data = data,
            .ended = ended,
            .gone = bench_load_gone},
    .go = go,
};
