/* SPDX-License-Identifier: Apache-2.0 */
#include <winsock2.h>
/* winsock2.h stands before windows.h, or the older winsock.h comes with it. */
#include <windows.h>

#include "base/secret.h"

void nacre_wipe(void *at, size_t len)
{
    if (len != 0)
        SecureZeroMemory(at, len);
}
