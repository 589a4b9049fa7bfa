/* SPDX-License-Identifier: Apache-2.0 */
/* The certificate stores of Windows, where there are none. */
#include "unit/keys/support.h"

TestSuite(system_store, .init = keys_setup, .fini = keys_teardown);

Test(system_store, is_not_supported_and_named)
{
    check_fails(STORE_USER, span_str("x"), NULL, NACRE_E_NOT_SUPPORTED);
    cr_expect_not_null(strstr(why, "User"), "%s", why);
    check_fails(STORE_MACHINE, span_str("x"), NULL, NACRE_E_NOT_SUPPORTED);
    cr_expect_not_null(strstr(why, "Machine"), "%s", why);
}
