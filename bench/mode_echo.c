/* SPDX-License-Identifier: Apache-2.0 */
/* Round trips: each connection has one message under way and sends the next when it is back (a closed loop: a server
 * that stalls is asked less often meanwhile, so the percentiles are those of the messages sent, not of a constant
 * rate). In storm mode those before the logins begin are counted apart from those beside them; a message counts for the
 * time in which it came back. */
#include "base/plat.h"
#include "load.h"
#include "probe.h"

static void opened(struct client *c)
{
    bench_client_exec(c, c->shared->options->command);
}

static void go(struct load *l)
{
    bench_load_begin_all(l, bench_probe_send);
}

static void data(struct client *c, struct span bytes)
{
    struct load *l = load_of(c);
    struct tally *t = c->shared->tally;
    bool quiet = c->shared->options->mode == MODE_STORM && !l->storming;
    uint64_t took_ns;
    if (!bench_probe_take(c, bytes, &took_ns))
        return;
    bench_histogram_add(quiet ? &t->quiet : &t->latency, took_ns);
    tally_add(&t->operations, 1);
    if (nacre_clock_ns() < l->until_ns)
        bench_probe_send(c);
    else
        bench_load_end(c);
}

const struct mode bench_echo = {
    .client_size = sizeof(struct prober),
    .connects_first = true,
    .ops = {.logged_in = bench_client_open,
            .opened = opened,
            .running = bench_load_prepared,
            .data = data,
            .ended = bench_probe_ended,
            .gone = bench_load_gone},
    .go = go,
};
