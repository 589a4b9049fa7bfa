/* SPDX-License-Identifier: Apache-2.0 */
/* What a run has shown, as text for people and as JSON for programs. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "options.h"
#include "procstat.h"
#include "tally.h"

/* Looks at the server: before any connection, when all were prepared, after holding them (idle) or when the storm
 * begins, and when all was done.
 */
enum look {
    LOOK_BEFORE,
    LOOK_PREPARED,
    LOOK_HELD,
    LOOK_DONE,
    LOOKS
};

struct result {
    const struct options *options;
    struct tally total;
    struct procstat looks[LOOKS];
    bool looked[LOOKS];
    double client_cpu_seconds; /* of all load processes, from start to end */
    double held_seconds;       /* idle */
    int64_t storm_ns;          /* storm: when it began */
    bool processes_well;
};

void bench_report_text(const struct result *r);

/* False: the file cannot be written; said on standard error. */
bool bench_report_json(const struct result *r, const char *file);

#endif
