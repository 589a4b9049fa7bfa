/* SPDX-License-Identifier: Apache-2.0 */
/* See calls.h. */
#include "calls/calls.h"

#include <stdlib.h>

void calls_need_system(size_t row)
{
    if (driver_at(row) == &driver_fake)
        cr_skip_test("it makes no system calls");
}

struct server *calls_server(size_t row)
{
    calls_need_system(row);
    cr_assert_eq(setenv("NACRE_TEST_BACKEND", driver_at(row)->ops->name, 1), 0);
    return server_new();
}
