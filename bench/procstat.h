/* SPDX-License-Identifier: Apache-2.0 */
/* CPU time and memory of a process and all its descendants, from /proc. Servers that fork for each connection are thus
 * counted whole. */
#ifndef BENCH_PROCSTAT_H
#define BENCH_PROCSTAT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct procstat {
    double cpu_seconds; /* user and system, of descendants that are alive and of those that were waited for */
    uint64_t pss_bytes; /* proportional set size: shared pages are divided among those who share them */
    uint64_t rss_bytes;
    unsigned processes;
    unsigned threads;
    unsigned unreadable; /* processes whose memory could not be read: another user's */
};

/* False when `pid` is not there. */
bool bench_procstat_read(pid_t pid, bool with_memory, struct procstat *out);

#endif
