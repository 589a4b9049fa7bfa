/* SPDX-License-Identifier: Apache-2.0 */
/* How many sessions a connection has, for --max-sessions. Each holds a seat until its channel is closed and its program
 * has ended, which may be after the connection's own end. Any thread. */
#ifndef NACRED_SEATS_H
#define NACRED_SEATS_H

#include <stdatomic.h>
#include <stdbool.h>

struct seats;

/* The connection's own hold is one nacred_seats_leave() too. NULL when out of memory. */
struct seats *nacred_seats_new(void);

/* False: `max` are taken. One thread at a time. */
bool nacred_seats_take(struct seats *seats, int max);

/* The last one frees them. NULL is allowed. */
void nacred_seats_leave(struct seats *seats);

/* The same for what all connections share: a count that never goes above `max`; 0: without limit. */
bool nacred_count_take(atomic_int *count, int max);
void nacred_count_leave(atomic_int *count);

#endif
