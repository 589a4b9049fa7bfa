/* SPDX-License-Identifier: Apache-2.0 */
/* Between client.c and client_events.c. */
#ifndef BENCH_CLIENT_EVENTS_H
#define BENCH_CLIENT_EVENTS_H

#include "client.h"

extern const struct conn_sink bench_client_sink; /* its context is the struct client */

/* How a connection that ends at this point has failed. */
enum failure bench_client_failure(const struct client *c);

/* Takes down what is worth reporting of a connection that is about to be freed. */
void bench_client_record(struct client *c);

#endif
