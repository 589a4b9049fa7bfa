/* SPDX-License-Identifier: Apache-2.0 */
#include "figures.h"

#include <math.h>

static double per(double amount, double count)
{
    return count > 0 ? amount / count : NAN;
}

static double cpu_between(const struct result *r, enum look from, enum look to)
{
    if (!r->looked[from] || !r->looked[to])
        return NAN;
    return r->looks[to].cpu_seconds - r->looks[from].cpu_seconds;
}

/* Before the measurement begins. */
static bool logs_in_first(const struct result *r)
{
    return r->options->mode != MODE_HANDSHAKE && r->options->mode != MODE_ATTACK;
}

/* Idle connections are weighed at the end of the hold, others when all are open. */
static void weigh(const struct result *r, struct figures *f)
{
    enum look open = r->options->mode == MODE_IDLE ? LOOK_HELD : LOOK_PREPARED;
    f->pss_per_connection = f->private_per_connection = f->rss_per_connection = NAN;
    if (!r->looked[LOOK_BEFORE] || !r->looked[open] || r->looks[open].unreadable != 0 || !logs_in_first(r))
        return;
    const double logins = (double)(r->total.logins - r->total.storm_logins);
    const struct procstat *before = &r->looks[LOOK_BEFORE], *now = &r->looks[open];
    if (now->pss_bytes != PROCSTAT_UNKNOWN)
        f->pss_per_connection = per((double)now->pss_bytes - (double)before->pss_bytes, logins);
    f->private_per_connection = per((double)now->private_bytes - (double)before->private_bytes, logins);
    f->rss_per_connection = per((double)now->rss_bytes - (double)before->rss_bytes, logins);
}

struct figures bench_figures(const struct result *r)
{
    const struct tally *t = &r->total;
    struct figures f;
    double operations = (double)tally_get(&t->operations);
    double in = (double)tally_get(&t->bytes_in), out = (double)tally_get(&t->bytes_out);
    enum look start = r->options->mode == MODE_IDLE ? LOOK_HELD : LOOK_PREPARED;
    bool bulk = r->options->mode == MODE_BULK, storm = r->options->mode == MODE_STORM;

    f.seconds = t->end_ns > t->start_ns ? (double)(t->end_ns - t->start_ns) / 1e9 : 0;
    f.operations_per_second = per(operations, f.seconds);
    f.in_per_second = per(in, f.seconds);
    f.out_per_second = per(out, f.seconds);
    f.server_cpu_seconds = cpu_between(r, start, LOOK_DONE);
    f.server_cpu_per_operation = bulk || storm ? NAN : per(f.server_cpu_seconds, operations);
    f.server_cpu_per_gib = bulk ? per(f.server_cpu_seconds, (in + out) / 1073741824.0) : NAN;
    f.server_cpu_per_login =
        logs_in_first(r) ? per(cpu_between(r, LOOK_BEFORE, LOOK_PREPARED), (double)(t->logins - t->storm_logins)) : NAN;
    f.server_cpu_held = per(cpu_between(r, LOOK_PREPARED, LOOK_HELD), r->held_seconds);
    f.storm_logins_per_second =
        storm && t->end_ns > r->storm_ns ? per((double)t->storm_logins, (double)(t->end_ns - r->storm_ns) / 1e9) : NAN;
    weigh(r, &f);
    return f;
}
