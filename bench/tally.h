/* SPDX-License-Identifier: Apache-2.0 */
/* What one load process has counted. Lies in memory shared with the parent: the process alone writes; the parent reads
 * the atomic members at any time for its progress line, and everything else after the process has ended. */
#ifndef BENCH_TALLY_H
#define BENCH_TALLY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "histogram.h"

enum failure {
    FAILED_NONE,
    FAILED_CONNECT,      /* TCP: refused, out of ports */
    FAILED_HANDSHAKE,    /* ended in identification or key exchange */
    FAILED_LOGIN,        /* not let in, or ended during the login */
    FAILED_CHANNEL,      /* channel or command refused */
    FAILED_TIMEOUT,      /* no progress for --timeout seconds */
    FAILED_DISCONNECTED, /* the connection ended while it was in use */
    FAILED_CONTENT,      /* bytes came back that are not those sent, too few or too many, or the command failed */
    FAILED_LOCAL,        /* memory or descriptors ran out here */
    FAILURES
};

enum {
    TALLY_HOPELESS = 200, /* failures without one success after which a process gives up */
    REASON_MAX = 256,
    NAME_MAX_LEN = 80
};

/* Names that the first logged-in connection of a process has negotiated. */
struct agreed {
    char peer_version[256];
    char kex[NAME_MAX_LEN], host_key[NAME_MAX_LEN];
    char cipher[NAME_MAX_LEN], mac[NAME_MAX_LEN], comp[NAME_MAX_LEN];
};

struct tally {
    _Atomic uint64_t operations; /* handshakes, round trips, connections checked */
    _Atomic uint64_t bytes_in;   /* channel data to the server ... */
    _Atomic uint64_t bytes_out;  /* ... and from it */
    _Atomic uint64_t open;       /* connections logged in now */
    uint64_t logins;
    uint64_t rekeys;
    int64_t start_ns, end_ns; /* of what is measured; nacre_clock_ns(), the same for all processes */
    bool gave_up; /* handshake, over time: TALLY_HOPELESS failures and no login; of the sum: in some process */
    uint64_t failures[FAILURES];
    char reasons[FAILURES][REASON_MAX]; /* of the first of its kind */
    struct agreed agreed;
    uint64_t storm_logins;    /* of the storm, between its gate and the end */
    struct histogram latency; /* of operations; storm: under it */
    struct histogram quiet;   /* storm: of operations before it */
    struct histogram login;   /* from connect() to the login */
};

/* Adds to a counter that only the calling process writes. */
static inline void tally_add(_Atomic uint64_t *counter, uint64_t more)
{
    uint64_t now =
        atomic_load_explicit(counter, memory_order_relaxed); /* relaxed: a single writer, readers only show it */
    atomic_store_explicit(counter, now + more, memory_order_relaxed);
}

static inline uint64_t tally_get(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

void bench_tally_fail(struct tally *t, enum failure kind, const char *reason);

/* Adds a process's counts to the sum over all. */
void bench_tally_merge(struct tally *sum, const struct tally *one);

uint64_t bench_tally_failures(const struct tally *t);
const char *bench_failure_name(enum failure kind);

#endif
