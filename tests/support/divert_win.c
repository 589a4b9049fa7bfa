/* SPDX-License-Identifier: Apache-2.0 */
#include "support/divert_win.h"

#include <criterion/criterion.h>
#include <windows.h>

any_function divert(any_function *place, any_function other)
{
    DWORD before;
    any_function kept = *place;
    cr_assert(VirtualProtect(place, sizeof *place, PAGE_READWRITE, &before));
    *place = other;
    cr_assert(VirtualProtect(place, sizeof *place, before, &before));
    return kept;
}
