/* SPDX-License-Identifier: Apache-2.0 */
/* One message that is sent through a channel and has to come back as it was: the round trip that echo and storm measure
 * and idle checks. */
#ifndef BENCH_PROBE_H
#define BENCH_PROBE_H

#include "client.h"

/* What a connection of these modes is: its mode's client_size is the size of this. */
struct prober {
    struct client client;
    uint64_t round; /* messages sent before this one */
    size_t got;     /* bytes of it that came back */
    int64_t sent_ns;
};

void bench_probe_send(struct client *c);

/* Takes what came back. True when the message is complete, and *took_ns says how long it took; a wrong byte fails the
 * client. */
bool bench_probe_take(struct client *c, struct span data, uint64_t *took_ns);

/* The ended() of these modes: the server owes an answer as long as the connection stands. */
void bench_probe_ended(struct client *c);

#endif
