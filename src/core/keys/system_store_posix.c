/* SPDX-License-Identifier: Apache-2.0 */
/* The stores of Windows, where there are none. */
#include "keys/container.h"

enum nacre_error nacre_user_store_read(struct container *k, struct key **out)
{
    (void)out;
    return nacre_container_fail(k, NACRE_E_NOT_SUPPORTED, "is of type User, which exists on Windows only.");
}

enum nacre_error nacre_machine_store_read(struct container *k, struct key **out)
{
    (void)out;
    return nacre_container_fail(k, NACRE_E_NOT_SUPPORTED, "is of type Machine, which exists on Windows only.");
}
