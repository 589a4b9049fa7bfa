/* SPDX-License-Identifier: Apache-2.0 */
#include "seats.h"

#include <stdlib.h>

struct seats {
    atomic_int holders; /* acquire-release: the sessions, and the connection */
};

struct seats *nacred_seats_new(void)
{
    struct seats *seats = malloc(sizeof *seats);

    if (seats)
        atomic_init(&seats->holders, 1);
    return seats;
}

bool nacred_seats_take(struct seats *seats, int max)
{
    /* Others only leave meanwhile. */
    if (atomic_load_explicit(&seats->holders, memory_order_acquire) - 1 >= max)
        return false;
    atomic_fetch_add_explicit(&seats->holders, 1, memory_order_relaxed);
    return true;
}

void nacred_seats_leave(struct seats *seats)
{
    if (seats && atomic_fetch_sub_explicit(&seats->holders, 1, memory_order_acq_rel) == 1)
        free(seats);
}

bool nacred_count_take(atomic_int *count, int max)
{
    int now = atomic_load_explicit(count, memory_order_relaxed);

    do {
        if (max > 0 && now >= max)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(count, &now, now + 1, memory_order_relaxed, memory_order_relaxed));
    return true;
}

void nacred_count_leave(atomic_int *count)
{
    atomic_fetch_sub_explicit(count, 1, memory_order_relaxed);
}
