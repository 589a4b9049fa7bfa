/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/secret.h"

void nacre_wipe(void *at, size_t len)
{
    if (len != 0)
        explicit_bzero(at, len);
}
