/* SPDX-License-Identifier: Apache-2.0 */
/* CPU time and memory of a process and all its descendants, so that servers that fork for each connection are counted
 * whole. From /proc (procstat_posix.c), or from what Windows tells of processes (procstat_win.c). */
#ifndef BENCH_PROCSTAT_H
#define BENCH_PROCSTAT_H

#include <stdbool.h>
#include <stdint.h>

/* For what a system does not know. */
#define PROCSTAT_UNKNOWN UINT64_MAX

struct procstat {
    double
        cpu_seconds; /* user and system, of descendants that are alive and, on Linux, of those that were waited for */
    uint64_t pss_bytes; /* proportional set size: shared pages are divided among those who share them; Linux alone */
    uint64_t private_bytes; /* of pages that nobody shares; on Windows in memory or not */
    uint64_t rss_bytes;
    uint64_t handles; /* Windows alone */
    unsigned processes;
    unsigned threads;
    unsigned unreadable; /* processes whose memory could not be read: another user's */
};

/* False when `pid` is not there. */
bool bench_procstat_read(int32_t pid, bool with_memory, struct procstat *out);

#endif
