/* SPDX-License-Identifier: Apache-2.0 */
/* Full connections, each in place of the one before: TCP, key exchange, login, close. A connection counts when it is
 * logged in; the next begins when it is closed. */
#include "base/plat.h"
#include "load.h"

static bool may_begin(const struct load *l)
{
    if (l->shared.options->total != 0)
        return l->begun < l->share;
    struct tally *t = l->shared.tally;
    if (nacre_clock_ns() >= l->until_ns)
        return false;
    t->gave_up = t->gave_up || (t->logins == 0 && bench_tally_failures(t) >= TALLY_HOPELESS);
    return !t->gave_up;
}

static void begin(struct load *l, unsigned i)
{
    l->begun++;
    bench_load_connect(l, i);
    bench_load_begin(load_client(l, i));
}

static void go(struct load *l)
{
    for (unsigned i = 0; i < l->count && may_begin(l); i++)
        begin(l, i);
}

static void logged_in(struct client *c)
{
    struct tally *t = c->shared->tally;
    bench_histogram_add(&t->latency, (uint64_t)(nacre_clock_ns() - c->started_ns));
    tally_add(&t->operations, 1);
    bench_client_finish(c);
}

static void gone(struct client *c)
{
    struct load *l = load_of(c);
    if (l->closing || !may_begin(l)) {
        bench_load_gone(c);
        return;
    }
    begin(l, bench_load_vacate(c));
}

const struct mode bench_handshake = {
    .client_size = sizeof(struct client),
    .connects_first = false,
    .ops = {.logged_in = logged_in, .gone = gone},
    .go = go,
};
