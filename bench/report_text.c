/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>

#include "figures.h"
#include "measured.h"

static void print_latency(const char *title, const struct histogram *h)
{
    static const double percents[] = {50, 90, 99, 99.9};
    if (h->count == 0)
        return;
    printf("%-14s", title);
    for (unsigned i = 0; i < sizeof percents / sizeof percents[0]; i++)
        printf(" p%g %.3f", percents[i], (double)bench_histogram_percentile(h, percents[i]) / 1e6);
    printf(" max %.3f, mean %.3f ms (of %" PRIu64 ")\n", (double)h->max / 1e6, bench_histogram_mean(h) / 1e6, h->count);
}

static void print_failures(const struct tally *t, unsigned processes)
{
    if (t->gave_up)
        printf("stopped: %u failures and no success%s\n", TALLY_HOPELESS, processes > 1 ? " in one process" : "");
    printf("failures       %" PRIu64 "\n", bench_tally_failures(t));
    for (unsigned i = 0; i < FAILURES; i++) {
        if (t->failures[i] != 0)
            printf("  %-12s %" PRIu64 ", the first: %s\n", bench_failure_name((enum failure)i), t->failures[i],
                   t->reasons[i]);
    }
}

static void print_if(const char *title, double value, double scale, const char *unit)
{
    if (is_measured(value))
        printf("%-14s %.3f %s\n", title, value * scale, unit);
}

/* The first of these says what a connection takes, where the system knows it. */
static void print_look(const char *when, const struct procstat *s)
{
    bool shares = s->pss_bytes != PROCSTAT_UNKNOWN;
    printf("  %-12s %s %.1f MiB, RSS %.1f MiB, %u processes, %u threads", when, shares ? "PSS" : "private",
           (double)(shares ? s->pss_bytes : s->private_bytes) / 1048576.0, (double)s->rss_bytes / 1048576.0,
           s->processes, s->threads);
    if (s->handles != PROCSTAT_UNKNOWN)
        printf(", %" PRIu64 " handles", s->handles);
    printf("%s\n", s->unreadable != 0 ? "; memory not readable" : "");
}

static void print_server(const struct result *r, const struct figures *f)
{
    print_if("server CPU", f->server_cpu_seconds, 1, "s");
    print_if("  an operation", f->server_cpu_per_operation, 1e6, "us");
    print_if("  a GiB", f->server_cpu_per_gib, 1, "s");
    print_if("  a login", f->server_cpu_per_login, 1e6, "us");
    print_if("  holding", f->server_cpu_held, 1e3, "ms a second");
    print_if("PSS/connection", f->pss_per_connection, 1.0 / 1024, "KiB");
    if (!is_measured(f->pss_per_connection))
        print_if("private/conn.", f->private_per_connection, 1.0 / 1024, "KiB");
    print_if("RSS/connection", f->rss_per_connection, 1.0 / 1024, "KiB");
    for (unsigned i = 0; i < LOOKS; i++) {
        static const char *const when[LOOKS] = {"before", "connected", "held", "done"};
        if (r->looked[i])
            print_look(when[i], &r->looks[i]);
    }
}

static void print_rates(const struct result *r, const struct figures *f)
{
    static const char *const units[MODES] = {
        "handshakes", "round trips", "transfers", "connections checked", "round trips", "", "acts"};
    const struct tally *t = &r->total;
    printf("%-14s %" PRIu64 " in %.3f s", units[r->options->mode], tally_get(&t->operations), f->seconds);
    if (r->options->mode != MODE_BULK && r->options->mode != MODE_IDLE && is_measured(f->operations_per_second))
        printf(": %.1f a second", f->operations_per_second);
    printf("\n");
    if (r->options->mode != MODE_BULK)
        return;
    printf("to server      %.1f MiB, %.1f MiB/s\n", (double)tally_get(&t->bytes_in) / 1048576.0,
           f->in_per_second / 1048576.0);
    printf("from server    %.1f MiB, %.1f MiB/s%s\n", (double)tally_get(&t->bytes_out) / 1048576.0,
           f->out_per_second / 1048576.0, r->options->verify ? "; every byte compared" : "");
}

void bench_report_text(const struct result *r)
{
    struct figures f = bench_figures(r);
    const struct options *o = r->options;
    const struct agreed *a = &r->total.agreed;
    printf("nacre-bench %s: %s, %u connections, %u processes\n", bench_mode_name(o->mode), o->target, o->connections,
           o->processes);
    if (a->peer_version[0] != '\0')
        printf("server         %s; %s, %s, %s%s%s, %s\n", a->peer_version, a->kex, a->host_key, a->cipher,
               a->mac[0] == '\0' ? "" : " ", a->mac, a->comp);
    print_rates(r, &f);
    print_latency("quiet", &r->total.quiet);
    if (o->mode != MODE_BULK)
        print_latency(o->mode == MODE_STORM ? "under storm" : "latency", &r->total.latency);
    print_if("storm logins", f.storm_logins_per_second, 1, "a second");
    if (o->mode != MODE_HANDSHAKE)
        print_latency("login", &r->total.login);
    if (r->total.rekeys != 0)
        printf("rekeys         %" PRIu64 "\n", r->total.rekeys);
    print_server(r, &f);
    printf("load CPU       %.3f s\n", r->client_cpu_seconds);
    print_failures(&r->total, o->processes);
}
