/* SPDX-License-Identifier: Apache-2.0 */
/* What has to be found: a leak made on a test's own thread. */
#include <criterion/criterion.h>
#include <stdlib.h>

Test(leaks, a_test_that_leaks_fails)
{
    void *volatile lost = malloc(64);
    cr_assert(lost != NULL);
    lost = NULL;
}
