/* SPDX-License-Identifier: Apache-2.0 */
/* What --max-sessions and --max-processes count. */
#include <criterion/criterion.h>
#include <pthread.h>

#include "seats.h"

Test(nacred_seats, a_seat_is_free_again_when_it_is_left)
{
    struct seats *seats = nacred_seats_new();

    cr_assert_not_null(seats);
    cr_assert_not(nacred_seats_take(seats, 0));
    cr_assert(nacred_seats_take(seats, 2));
    cr_assert(nacred_seats_take(seats, 2));
    cr_assert_not(nacred_seats_take(seats, 2));
    nacred_seats_leave(seats);
    cr_assert(nacred_seats_take(seats, 2));
    cr_assert_not(nacred_seats_take(seats, 2));
    /* The connection goes first, then what it started. */
    nacred_seats_leave(seats);
    nacred_seats_leave(seats);
    nacred_seats_leave(seats);
    nacred_seats_leave(NULL);
}

static atomic_int count;
static atomic_int most;

static void *comes_and_goes(void *argument)
{
    (void)argument;
    for (int i = 0; i < 20000; i++) {
        if (!nacred_count_take(&count, 2))
            continue;
        int now = atomic_load(&count);
        if (now > atomic_load(&most))
            atomic_store(&most, now);
        nacred_count_leave(&count);
    }
    return NULL;
}

Test(nacred_seats, a_count_that_threads_share_stays_below_its_limit)
{
    pthread_t threads[4];

    for (int i = 0; i < 4; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, comes_and_goes, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    cr_assert_eq(atomic_load(&count), 0);
    cr_assert_leq(atomic_load(&most), 2);
    for (int i = 0; i < 1000; i++)
        cr_assert(nacred_count_take(&count, 0), "0 is no limit");
}
