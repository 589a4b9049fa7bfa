/* SPDX-License-Identifier: Apache-2.0 */
/* Round trips as in echo, and in the second half of the time logins without end beside them.
 *
 * The connections that echo (mode_echo.c) and those that log in (here) are in processes of their own, so that what
 * delays an echo is the server (or the machine), and not the cryptography of the logins on the load's side. Where both
 * share a processor that holds with --rate alone: then the logins have what the echoes leave of it. Echoes without
 * pause would leave nothing. */
#include "base/plat.h"
#include "load.h"

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
    begin(l, bench_load_vacate(c));
}

const struct mode bench_storm_logins = {
    .client_size = sizeof(struct client),
    .connects_first = false,
    .ops = {.logged_in = logged_in, .gone = gone},
    .go = logins_go,
    .storm = logins_storm,
};
