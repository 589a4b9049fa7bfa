/* SPDX-License-Identifier: Apache-2.0 */
/* Round trips: each connection has one message under way and sends the next when it is back (a closed loop: a server
 * that stalls is asked less often meanwhile, so the percentiles are those of the messages sent, not of a constant
 * rate). */
#include "base/plat.h"
#include "load.h"
#include "probe.h"

struct echo_client {
    struct client client;
    struct probe probe;
};

static void opened(struct client *c)
{
    bench_client_exec(c, c->shared->options->command);
}

static void go(struct load *l)
{
    for (unsigned i = 0; i < l->count; i++) {
        struct client *c = load_client(l, i);
        if (c->stage != CLIENT_READY)
            continue;
        bench_load_begin(c);
        bench_probe_send(c, &((struct echo_client *)c)->probe);
        bench_client_pump(c);
    }
}

static void data(struct client *c, struct span bytes)
{
    struct echo_client *e = (struct echo_client *)c;
    struct load *l = load_of(c);
    uint64_t took_ns;
    if (!bench_probe_take(c, &e->probe, bytes, &took_ns))
        return;
    bench_histogram_add(&c->shared->tally->latency, took_ns);
    tally_add(&c->shared->tally->operations, 1);
    if (nacre_clock_ns() < l->until_ns)
        bench_probe_send(c, &e->probe);
    else
        bench_load_end(c);
}

static void ended(struct client *c)
{
    bench_client_fail(c, FAILED_DISCONNECTED, "the command ended");
}

const struct mode bench_echo = {
    .client_size = sizeof(struct echo_client),
    .connects_first = true,
    .ops = {.logged_in = bench_client_open,
            .opened = opened,
            .running = bench_load_prepared,
            .data = data,
            .ended = ended,
            .gone = bench_load_gone},
    .go = go,
};
