/* SPDX-License-Identifier: Apache-2.0 */
/* Which names are just names of files on Windows. */
#ifndef NACRED_WINDOWS_NAMES_H
#define NACRED_WINDOWS_NAMES_H

#include <stdbool.h>

/* False for what Windows gives another sense: devices (CON, NUL.txt), streams (a:b), patterns, names that lose the dots
 * and blanks at their end, control characters. `name` is UTF-8, not empty. */
bool nacred_windows_name_is_good(const char *name);

#endif
