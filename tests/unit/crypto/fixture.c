/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/crypto/fixture.h"

#include <criterion/criterion.h>

struct nacre_crypto *crypto;

void crypto_set_up(void)
{
    crypto = nacre_crypto_open(true);
    cr_assert_not_null(crypto);
}

void crypto_tear_down(void)
{
    nacre_crypto_unref(crypto);
}
