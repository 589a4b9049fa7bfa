/* SPDX-License-Identifier: Apache-2.0 */
/* "Naming Files, Paths, and Namespaces" of the Windows documentation. */
#include "windows_names.h"

#include <string.h>
#include <strings.h>

static bool is_one_of(const char *name, size_t len, const char *const list[])
{
    for (size_t i = 0; list[i]; i++)
        if (strlen(list[i]) == len && strncasecmp(name, list[i], len) == 0)
            return true;
    return false;
}

/* What stands before the first dot counts, without the blanks at its end. The little digits 1, 2 and 3 are digits. */
static bool is_device(const char *name)
{
    static const char *const whole[] = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$", NULL};
    static const char *const numbered[] = {"COM", "LPT", NULL};
    static const char *const numbers[] = {"0", "1", "2", "3",        "4",        "5",        "6",
                                          "7", "8", "9", "\xc2\xb9", "\xc2\xb2", "\xc2\xb3", NULL};
    size_t len = strcspn(name, ".");

    while (len > 0 && name[len - 1] == ' ')
        len--;
    return is_one_of(name, len, whole) ||
           (len > 3 && is_one_of(name, 3, numbered) && is_one_of(name + 3, len - 3, numbers));
}

bool nacred_windows_name_is_good(const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < len; i++)
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f || strchr("<>:\"/\\|?*", name[i]))
            return false;
    return name[len - 1] != '.' && name[len - 1] != ' ' && !is_device(name);
}
