/* SPDX-License-Identifier: Apache-2.0 */
/* JSON by hand: one object, no nesting deeper than two, and null for what was not measured. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "figures.h"
#include "measured.h"
#include "system.h"

struct json {
    FILE *f;
    bool first; /* in the object that is open */
};

/* Bytes of the character that begins there; 0: it is none (RFC 3629 section 4). */
static unsigned character_at(const unsigned char *p)
{
    unsigned len = *p < 0x80 ? 1 : *p < 0xc2 ? 0 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : *p < 0xf5 ? 4 : 0;
    for (unsigned i = 1; i < len; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    bool too_long = (*p == 0xe0 && p[1] < 0xa0) || (*p == 0xf0 && p[1] < 0x90);
    bool no_character = (*p == 0xed && p[1] > 0x9f) || (*p == 0xf4 && p[1] > 0x8f);
    return too_long || no_character ? 0 : len;
}

static void put_string(struct json *j, const char *text)
{
    if (text == NULL) {
        fputs("null", j->f);
        return;
    }
    fputc('"', j->f);
    for (const unsigned char *p = (const unsigned char *)text; *p != '\0';) {
        unsigned len = character_at(p);
        if (len == 0)
            fputs("\\ufffd", j->f);
        else if (*p == '"' || *p == '\\')
            fprintf(j->f, "\\%c", *p);
        else if (*p < ' ')
            fprintf(j->f, "\\u%04x", *p);
        else
            fwrite(p, 1, len, j->f);
        p += len == 0 ? 1 : len;
    }
    fputc('"', j->f);
}

static void put_name(struct json *j, const char *name)
{
    fputs(j->first ? "\n" : ",\n", j->f);
    j->first = false;
    put_string(j, name);
    fputs(": ", j->f);
}

static void text(struct json *j, const char *name, const char *value)
{
    put_name(j, name);
    put_string(j, value);
}

static void count(struct json *j, const char *name, uint64_t value)
{
    put_name(j, name);
    fprintf(j->f, "%" PRIu64, value);
}

static void count_known(struct json *j, const char *name, uint64_t value)
{
    if (value != PROCSTAT_UNKNOWN) {
        count(j, name, value);
        return;
    }
    put_name(j, name);
    fputs("null", j->f);
}

static void number(struct json *j, const char *name, double value)
{
    put_name(j, name);
    if (!is_measured(value))
        fputs("null", j->f);
    else
        fprintf(j->f, "%.9g", value);
}

static void flag(struct json *j, const char *name, bool value)
{
    put_name(j, name);
    fputs(value ? "true" : "false", j->f);
}

static void open_object(struct json *j, const char *name)
{
    if (name != NULL)
        put_name(j, name);
    fputc('{', j->f);
    j->first = true;
}

static void close_object(struct json *j)
{
    fputs("\n}", j->f);
    j->first = false;
}

static void put_settings(struct json *j, const struct options *o)
{
    open_object(j, "settings");
    text(j, "mode", bench_mode_name(o->mode));
    text(j, "target", o->target);
    text(j, "user", o->user);
    text(j, "login", o->key_file != NULL ? "key" : "password");
    count(j, "connections", o->connections);
    count(j, "processes", o->processes);
    count(j, "total", o->total);
    count(j, "seconds", o->seconds);
    count(j, "size", o->size);
    text(j, "kind", o->kind);
    text(j, "direction", o->mode == MODE_BULK ? bench_direction_name(o->direction) : NULL);
    text(j, "command", o->mode == MODE_HANDSHAKE ? NULL : o->command);
    flag(j, "exec_late", o->exec_late);
    flag(j, "verify", o->verify);
    text(j, "kex", o->kex);
    text(j, "cipher", o->cipher);
    text(j, "mac", o->mac);
    text(j, "host_key_algorithm", o->host_key);
    text(j, "comp", o->comp);
    count(j, "rekey", o->rekey_bytes);
    count(j, "source_addresses", o->source_addresses);
    count(j, "logins", o->logins);
    count(j, "rate", o->rate);
    count(j, "storm", o->mode == MODE_STORM ? o->storm : 0);
    count(j, "timeout", o->timeout);
    count(j, "server_pid", (uint64_t)o->server_pid);
    close_object(j);
}

static void put_agreed(struct json *j, const struct agreed *a)
{
    open_object(j, "agreed");
    text(j, "server", a->peer_version);
    text(j, "kex", a->kex);
    text(j, "host_key_algorithm", a->host_key);
    text(j, "cipher", a->cipher);
    text(j, "mac", a->mac);
    text(j, "comp", a->comp);
    close_object(j);
}

static void put_latency(struct json *j, const char *name, const struct histogram *h)
{
    open_object(j, name);
    count(j, "count", h->count);
    number(j, "mean", h->count == 0 ? NAN : bench_histogram_mean(h) / 1e9);
    number(j, "min", h->count == 0 ? NAN : (double)h->min / 1e9);
    number(j, "max", h->count == 0 ? NAN : (double)h->max / 1e9);
    static const struct {
        const char *name;
        double percent;
    } wanted[] = {{"p50", 50}, {"p75", 75}, {"p90", 90}, {"p95", 95}, {"p99", 99}, {"p99.9", 99.9}, {"p99.99", 99.99}};
    for (unsigned i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        number(j, wanted[i].name, h->count == 0 ? NAN : (double)bench_histogram_percentile(h, wanted[i].percent) / 1e9);
    close_object(j);
}

static void put_looks(struct json *j, const struct result *r)
{
    static const char *const names[LOOKS] = {"before", "connected", "held", "done"};
    open_object(j, "server");
    for (unsigned i = 0; i < LOOKS; i++) {
        if (!r->looked[i])
            continue;
        open_object(j, names[i]);
        number(j, "cpu_seconds", r->looks[i].cpu_seconds);
        count_known(j, "pss_bytes", r->looks[i].pss_bytes);
        count(j, "private_bytes", r->looks[i].private_bytes);
        count(j, "rss_bytes", r->looks[i].rss_bytes);
        count_known(j, "handles", r->looks[i].handles);
        count(j, "processes", r->looks[i].processes);
        count(j, "threads", r->looks[i].threads);
        count(j, "unreadable", r->looks[i].unreadable);
        close_object(j);
    }
    close_object(j);
}

static void put_failures(struct json *j, const struct tally *t)
{
    open_object(j, "failures");
    for (unsigned i = FAILED_NONE + 1; i < FAILURES; i++)
        count(j, bench_failure_name((enum failure)i), t->failures[i]);
    close_object(j);
    open_object(j, "first_failures");
    for (unsigned i = FAILED_NONE + 1; i < FAILURES; i++) {
        if (t->failures[i] != 0)
            text(j, bench_failure_name((enum failure)i), t->reasons[i]);
    }
    close_object(j);
}

static void put_figures(struct json *j, const struct result *r)
{
    struct figures f = bench_figures(r);
    number(j, "seconds", f.seconds);
    count(j, "operations", tally_get(&r->total.operations));
    number(j, "operations_per_second", f.operations_per_second);
    count(j, "bytes_in", tally_get(&r->total.bytes_in));
    count(j, "bytes_out", tally_get(&r->total.bytes_out));
    number(j, "bytes_in_per_second", f.in_per_second);
    number(j, "bytes_out_per_second", f.out_per_second);
    count(j, "logins", r->total.logins);
    count(j, "rekeys", r->total.rekeys);
    count(j, "storm_logins", r->total.storm_logins);
    number(j, "storm_logins_per_second", f.storm_logins_per_second);
    number(j, "held_seconds", r->held_seconds);
    number(j, "load_cpu_seconds", r->client_cpu_seconds);
    number(j, "server_cpu_seconds", f.server_cpu_seconds);
    number(j, "server_cpu_seconds_per_operation", f.server_cpu_per_operation);
    number(j, "server_cpu_seconds_per_gib", f.server_cpu_per_gib);
    number(j, "server_cpu_seconds_per_login", f.server_cpu_per_login);
    number(j, "server_cpu_while_held", f.server_cpu_held);
    number(j, "pss_bytes_per_connection", f.pss_per_connection);
    number(j, "private_bytes_per_connection", f.private_per_connection);
    number(j, "rss_bytes_per_connection", f.rss_per_connection);
    count(j, "failures_total", bench_tally_failures(&r->total));
    flag(j, "gave_up", r->total.gave_up);
    flag(j, "processes_well", r->processes_well);
}

bool bench_report_json(const struct result *r, const char *file)
{
    bool to_stdout = strcmp(file, "-") == 0;
    struct json j = {.f = to_stdout ? stdout : bench_system_create(file), .first = true};
    if (j.f == NULL) {
        fprintf(stderr, "nacre-bench: %s: %s\n", file, strerror(errno));
        return false;
    }
    open_object(&j, NULL);
    text(&j, "version", NACRE_BENCH_VERSION);
    put_settings(&j, r->options);
    put_agreed(&j, &r->total.agreed);
    put_figures(&j, r);
    put_latency(&j, "latency", &r->total.latency);
    if (r->options->mode == MODE_STORM)
        put_latency(&j, "quiet", &r->total.quiet);
    put_latency(&j, "login", &r->total.login);
    put_looks(&j, r);
    put_failures(&j, &r->total);
    close_object(&j);
    fputc('\n', j.f);
    bool ok = ferror(j.f) == 0;
    if ((to_stdout ? fflush(j.f) : fclose(j.f)) != 0 || !ok) {
        fprintf(stderr, "nacre-bench: %s: not written in full\n", file);
        return false;
    }
    return true;
}
