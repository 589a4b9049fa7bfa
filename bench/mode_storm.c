/* SPDX-License-Identifier: Apache-2.0 */
/* Round trips as in echo, and in the second half of the time logins without end beside them.
 *
 * The connections that echo and those that log in are in processes of their own, so that what delays an echo is the
 * server (or the machine), and not the cryptography of the logins on the load's side. */
#include "base/plat.h"
#include "load.h"
#include "probe.h"

struct storm_client {
    struct client client;
    struct probe probe;
};

/* ---- the processes that echo ----------------------------------------------------------------------------------- */

static void opened(struct client *c)
{
    bench_client_exec(c, c->shared->options->command);
}

static void echo_go(struct load *l)
{
    for (unsigned i = 0; i < l->count; i++) {
        struct client *c = load_client(l, i);
        if (c->stage != CLIENT_READY)
            continue;
        bench_load_begin(c);
        bench_probe_send(c, &((struct storm_client *)c)->probe);
        bench_client_pump(c);
    }
}

/* A message counts for the time in which it came back. */
static void data(struct client *c, struct span bytes)
{
    struct storm_client *e = (struct storm_client *)c;
    struct load *l = load_of(c);
    struct tally *t = c->shared->tally;
    uint64_t took_ns;
    if (!bench_probe_take(c, &e->probe, bytes, &took_ns))
        return;
    bench_histogram_add(l->storming ? &t->latency : &t->quiet, took_ns);
    tally_add(&t->operations, 1);
    if (nacre_clock_ns() < l->until_ns)
        bench_probe_send(c, &e->probe);
    else
        bench_load_end(c);
}

static void ended(struct client *c)
{
    bench_client_fail(c, FAILED_DISCONNECTED, "the command ended");
}

const struct mode bench_storm_echo = {
    .client_size = sizeof(struct storm_client),
    .connects_first = true,
    .ops = {.logged_in = bench_client_open,
            .opened = opened,
            .running = bench_load_prepared,
            .data = data,
            .ended = ended,
            .gone = bench_load_gone},
    .go = echo_go,
};

/* ---- the process that logs in ---------------------------------------------------------------------------------- */

static void begin(struct load *l, unsigned i)
{
    bench_load_connect(l, i);
    bench_load_begin(load_client(l, i));
}

static void logins_go(struct load *l)
{
    l->waits_for_storm = true;
}

static void logins_storm(struct load *l)
{
    l->waits_for_storm = false;
    for (unsigned i = 0; i < l->count; i++)
        begin(l, i);
}

static void logged_in(struct client *c)
{
    c->shared->tally->storm_logins++;
    bench_client_finish(c);
}

/* A failure ends its place in the storm: a server that refuses all is not asked without end. */
static void gone(struct client *c)
{
    struct load *l = load_of(c);
    if (l->closing || c->failure != FAILED_NONE || nacre_clock_ns() >= l->until_ns) {
        bench_load_gone(c);
        return;
    }
    l->alive--;
    l->busy--;
    begin(l, c->number - l->first);
}

const struct mode bench_storm_logins = {
    .client_size = sizeof(struct client),
    .connects_first = false,
    .ops = {.logged_in = logged_in, .gone = gone},
    .go = logins_go,
    .storm = logins_storm,
};
