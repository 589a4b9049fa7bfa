/* SPDX-License-Identifier: Apache-2.0 */
/* One message that is sent through a channel and has to come back as it was: the round trip that echo measures and idle
 * checks. */
#ifndef BENCH_PROBE_H
#define BENCH_PROBE_H

#include "client.h"

struct probe {
    uint64_t round; /* messages sent before this one */
    size_t got;     /* bytes of it that came back */
    int64_t sent_ns;
};

void bench_probe_send(struct client *c, struct probe *p);

/* Takes what came back. True when the message is complete, and *took_ns says how long it took; a wrong byte fails the
 * client. */
bool bench_probe_take(struct client *c, struct probe *p, struct span data, uint64_t *took_ns);

#endif
