/* SPDX-License-Identifier: Apache-2.0 */
#include "tally.h"

#include <stdio.h>

static const char *const names[FAILURES] = {
    [FAILED_NONE] = "none",
    [FAILED_CONNECT] = "connect",
    [FAILED_HANDSHAKE] = "handshake",
    [FAILED_LOGIN] = "login",
    [FAILED_CHANNEL] = "channel",
    [FAILED_TIMEOUT] = "timeout",
    [FAILED_DISCONNECTED] = "disconnected",
    [FAILED_CONTENT] = "content",
    [FAILED_LOCAL] = "local",
};

const char *bench_failure_name(enum failure kind)
{
    return names[kind];
}

void bench_tally_fail(struct tally *t, enum failure kind, const char *reason)
{
    if (t->failures[kind]++ == 0)
        snprintf(t->reasons[kind], REASON_MAX, "%s", reason);
}

uint64_t bench_tally_failures(const struct tally *t)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < FAILURES; i++)
        sum += t->failures[i];
    return sum;
}

static void merge_failures(struct tally *sum, const struct tally *one)
{
    for (unsigned i = 0; i < FAILURES; i++) {
        if (sum->failures[i] == 0 && one->failures[i] != 0)
            snprintf(sum->reasons[i], REASON_MAX, "%s", one->reasons[i]);
        sum->failures[i] += one->failures[i];
    }
}

void bench_tally_merge(struct tally *sum, const struct tally *one)
{
    tally_add(&sum->operations, tally_get(&one->operations));
    tally_add(&sum->bytes_in, tally_get(&one->bytes_in));
    tally_add(&sum->bytes_out, tally_get(&one->bytes_out));
    tally_add(&sum->open, tally_get(&one->open));
    sum->logins += one->logins;
    sum->rekeys += one->rekeys;
    sum->storm_logins += one->storm_logins;
    sum->gave_up = sum->gave_up || one->gave_up;
    if (one->start_ns != 0 && (sum->start_ns == 0 || one->start_ns < sum->start_ns))
        sum->start_ns = one->start_ns;
    if (one->end_ns > sum->end_ns)
        sum->end_ns = one->end_ns;
    if (sum->agreed.peer_version[0] == '\0')
        sum->agreed = one->agreed;
    merge_failures(sum, one);
    bench_histogram_merge(&sum->latency, &one->latency);
    bench_histogram_merge(&sum->quiet, &one->quiet);
    bench_histogram_merge(&sum->login, &one->login);
}
