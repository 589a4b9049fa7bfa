/* SPDX-License-Identifier: Apache-2.0 */
/* nacre-bench: puts load on an SSH server and measures it. This file is the parent process: it reads the options,
 * starts the load processes, looks at the server between their steps, and reports; and it is the beginning of those. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/plat.h"
#include "fleet.h"
#include "keys/store.h"
#include "limit.h"
#include "report.h"
#include "system.h"

enum {
    EXIT_USAGE = 2,
    OWN_DESCRIPTORS = 64,
    SETTLE_MS = 300,
    TICK_MS = 1000
};

struct run {
    struct options options;
    struct fleet fleet;
    struct result result;
    struct nacre_crypto *crypto;
    struct key *key;
    uint64_t shown_operations, shown_bytes;
};

/* ---- before the load ------------------------------------------------------------------------------------------- */

static bool load_key(struct run *r)
{
    const struct options *o = &r->options;
    if (o->key_file == NULL)
        return true;
    char why[256] = "", subject[256];
    struct store_request request = {
        .type = STORE_AUTO, .store = span_str(o->key_file), .password = o->key_password, .subject = "*"};
    enum nacre_error e = nacre_store_open(r->crypto, &request, &r->key, subject, sizeof subject, why, sizeof why);
    if (e != NACRE_OK)
        fprintf(stderr, "nacre-bench: --key %s: %s (error %d)\n", o->key_file, why, (int)e);
    return e == NACRE_OK;
}

typedef bool (*finder)(const struct nacre_crypto *c, struct span name);

static bool has_kex(const struct nacre_crypto *c, struct span name)
{
    return nacre_kex_find(c, name) != NULL;
}

static bool has_cipher(const struct nacre_crypto *c, struct span name)
{
    return nacre_cipher_find(c, name) != NULL;
}

static bool has_mac(const struct nacre_crypto *c, struct span name)
{
    return nacre_mac_find(c, name) != NULL;
}

static bool has_sig(const struct nacre_crypto *c, struct span name)
{
    return nacre_sig_find(c, name) != NULL;
}

static bool has_comp(const struct nacre_crypto *c, struct span name)
{
    return nacre_comp_find(c, name) != NULL;
}

static bool check_list(const struct run *r, const char *option, const char *list, finder find)
{
    for (const char *at = list; at != NULL;) {
        size_t len = strcspn(at, ",");
        if (!find(r->crypto, span_of(at, len))) {
            fprintf(stderr, "nacre-bench: --%s: no such algorithm here: %.*s\n", option, (int)len, at);
            return false;
        }
        at = at[len] == ',' ? at + len + 1 : NULL;
    }
    return true;
}

static bool check_algorithms(const struct run *r)
{
    const struct options *o = &r->options;
    return check_list(r, "kex", o->kex, has_kex) && check_list(r, "cipher", o->cipher, has_cipher) &&
           check_list(r, "mac", o->mac, has_mac) && check_list(r, "host-key-algorithm", o->host_key, has_sig) &&
           check_list(r, "comp", o->comp, has_comp);
}

/* Each process has a descriptor table of its own, so the limit is one a process. That of a storm has it, too. */
static bool make_room(const struct options *o)
{
    unsigned one = (o->connections + o->processes - 1) / o->processes;
    bool storms = o->mode == MODE_STORM && o->storm > one;
    uint64_t wanted = (uint64_t)(storms ? o->storm : one) + o->processes + OWN_DESCRIPTORS;
    uint64_t most = bench_system_descriptors();
    if (wanted <= most)
        return true;
    fprintf(stderr, "nacre-bench: %u connections in one process need %llu descriptors, and %llu are allowed%s\n",
            storms ? o->storm : one, (unsigned long long)wanted, (unsigned long long)most,
            storms || o->mode == MODE_LIMIT ? "" : ": use more processes (-j)");
    return false;
}

static bool prepare(struct run *r)
{
    r->crypto = nacre_crypto_open(true);
    if (r->crypto == NULL) {
        fprintf(stderr, "nacre-bench: the cryptographic library does not start\n");
        return false;
    }
    return load_key(r) && check_algorithms(r);
}

/* ---- a process that makes load --------------------------------------------------------------------------------- */

static int run_load(const struct duty *duty, void *context)
{
    struct run *r = context;
    bench_fleet_leave(&r->fleet);
    const struct load_start start = {
        .options = &r->options,
        .crypto = r->crypto,
        .key = r->key,
        .tally = (struct tally *)duty->shared + duty->number,
        .process = duty->number,
        .storms = duty->number == r->options.processes,
        .channel = duty->channel,
    };
    if (start.storms && r->options.rate != 0)
        bench_process_step_back();
    return bench_load_run(&start);
}

/* For one that has begun at main(). */
static int do_duty(struct run *r, const struct duty *duty)
{
    if (duty->job == JOB_TCP)
        return bench_limit_serve(duty, &r->options);
    return prepare(r) ? run_load(duty, r) : EXIT_FAILURE;
}

/* ---- during the load ------------------------------------------------------------------------------------------- */

/* Nobody wakes it up. */
static void sleep_ms(unsigned ms)
{
    plat_park place;
    nacre_park_init(&place);
    (void)nacre_park_wait(&place, nacre_clock_ns() + ms * INT64_C(1000000));
}

static void show_progress(void *context)
{
    struct run *r = context;
    uint64_t open = 0, operations = 0, bytes = 0;
    if (!r->options.progress)
        return;
    for (unsigned i = 0; i < r->fleet.count; i++) {
        const struct tally *t = &r->fleet.tallies[i];
        open += tally_get(&t->open);
        operations += tally_get(&t->operations);
        bytes += tally_get(&t->bytes_in) + tally_get(&t->bytes_out);
    }
    fprintf(stderr, "%llu open, %llu operations (+%llu), %.1f MiB (+%.1f)\n", (unsigned long long)open,
            (unsigned long long)operations, (unsigned long long)(operations - r->shown_operations),
            (double)bytes / 1048576.0, (double)(bytes - r->shown_bytes) / 1048576.0);
    r->shown_operations = operations;
    r->shown_bytes = bytes;
}

/* Processes that serve a connection each need a moment to end, and a server one to come to rest. */
static void look(struct run *r, enum look when, bool settle)
{
    if (r->options.server_pid == 0)
        return;
    if (settle)
        sleep_ms(SETTLE_MS);
    r->result.looked[when] = bench_procstat_read(r->options.server_pid, true, &r->result.looks[when]);
}

static void sleep_with_progress(struct run *r, unsigned ms)
{
    for (; ms >= TICK_MS; ms -= TICK_MS) {
        sleep_ms(TICK_MS);
        show_progress(r);
    }
    sleep_ms(ms);
}

static void hold(struct run *r)
{
    int64_t start = nacre_clock_ns();
    sleep_with_progress(r, r->options.seconds * 1000);
    r->result.held_seconds = (double)(nacre_clock_ns() - start) / 1e9;
    look(r, LOOK_HELD, false);
}

/* Half of the time without the storm. */
static void storm(struct run *r)
{
    sleep_with_progress(r, r->options.seconds * 500);
    look(r, LOOK_HELD, false);
    r->result.storm_ns = nacre_clock_ns();
    bench_fleet_open_gate(&r->fleet, GATE_STORM);
}

static bool drive(struct run *r)
{
    look(r, LOOK_BEFORE, false);
    if (!bench_fleet_start(&r->fleet, &r->options, run_load, r)) {
        char why[128];
        fprintf(stderr, "nacre-bench: cannot start %u processes: %s\n", r->options.processes,
                bench_system_text(bench_system_error(), why, sizeof why));
        return false;
    }
    bench_fleet_wait(&r->fleet, LOAD_PREPARED, show_progress, r);
    look(r, LOOK_PREPARED, r->options.mode != MODE_HANDSHAKE);
    if (r->options.mode == MODE_IDLE)
        hold(r);
    bench_fleet_open_gate(&r->fleet, GATE_GO);
    if (r->options.mode == MODE_STORM)
        storm(r);
    bench_fleet_wait(&r->fleet, LOAD_DONE, show_progress, r);
    look(r, LOOK_DONE, r->options.mode == MODE_HANDSHAKE);
    bench_fleet_open_gate(&r->fleet, GATE_CLOSE);
    r->result.processes_well = bench_fleet_finish(&r->fleet);
    return true;
}

/* ---- after it -------------------------------------------------------------------------------------------------- */

static void add_up(struct run *r)
{
    for (unsigned i = 0; i < r->fleet.count; i++)
        bench_tally_merge(&r->result.total, &r->fleet.tallies[i]);
    r->result.client_cpu_seconds = r->fleet.cpu_seconds;
}

static int report(struct run *r)
{
    const char *file = r->options.json_file;
    if (file == NULL || strcmp(file, "-") != 0)
        bench_report_text(&r->result);
    bool written = file == NULL || bench_report_json(&r->result, file);
    bool looked = r->options.server_pid == 0 || (r->result.looked[LOOK_BEFORE] && r->result.looked[LOOK_DONE]);
    if (!looked)
        fprintf(stderr, "nacre-bench: --server-pid %ld: not there, so it was not measured\n",
                (long)r->options.server_pid);
    if (!r->result.processes_well)
        fprintf(stderr, "nacre-bench: a load process did not end well\n");
    bool well = bench_tally_failures(&r->result.total) == 0 && r->result.processes_well;
    return well && written && looked ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* The process that was called. */
static int run_all(struct run *r)
{
    if (!make_room(&r->options))
        return EXIT_USAGE;
    if (r->options.mode == MODE_LIMIT)
        return bench_limit_run(&r->options);
    if (!prepare(r))
        return EXIT_USAGE;
    if (!drive(r))
        return EXIT_FAILURE;
    add_up(r);
    int status = report(r);
    nacre_key_unref(r->key);
    nacre_crypto_unref(r->crypto);
    return status;
}

/* What was printed has to have arrived. */
static int finish(int status)
{
    if (status != EXIT_SUCCESS || (fflush(stdout) == 0 && ferror(stdout) == 0))
        return status;
    fprintf(stderr, "nacre-bench: standard output: not written in full\n");
    return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    static struct run r; /* large: three histograms */
    struct duty duty;
    enum process_kind kind =
        bench_system_start(&argc, &argv) ? bench_process_begin(&argc, &argv, &duty) : PROCESS_BROKEN;
    if (kind == PROCESS_BROKEN) {
        fprintf(stderr, "nacre-bench: cannot start\n");
        return EXIT_FAILURE;
    }
    switch (bench_options_read(&r.options, argc, argv)) {
    case OPTIONS_RUN:
        break;
    case OPTIONS_DONE:
        return finish(EXIT_SUCCESS);
    case OPTIONS_WRONG:
        return EXIT_USAGE;
    }
    r.result.options = &r.options;
    return kind == PROCESS_STARTED ? do_duty(&r, &duty) : finish(run_all(&r));
}
