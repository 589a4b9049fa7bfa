/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"

bool nacre_secret_eq(const void *a, const void *b, size_t len)
{
    /* volatile keeps the compiler from leaving the loop once it knows the answer. */
    const volatile uint8_t *x = (const volatile uint8_t *)a;
    const volatile uint8_t *y = (const volatile uint8_t *)b;
    volatile uint8_t differ = 0;
    for (size_t i = 0; i < len; i++)
        differ = (uint8_t)(differ | (x[i] ^ y[i]));
    return differ == 0;
}
