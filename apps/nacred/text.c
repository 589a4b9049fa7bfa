/* SPDX-License-Identifier: Apache-2.0 */
#include "text.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

char *nacred_text_copy(const char *text, size_t len)
{
    char *copy = malloc(len + 1);

    if (!copy)
        return NULL;
    memcpy(copy, text, len);
    copy[len] = 0;
    return copy;
}

bool nacred_text_holds(const char *text, const char *part)
{
    size_t len = strlen(part);

    for (; *text; text++)
        if (strncasecmp(text, part, len) == 0)
            return true;
    return len == 0;
}

static char small(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Only the last * needs to be tried with more bytes: what fitted before it fits still. */
static bool fits(const char *text, const char *pattern, bool any_case)
{
    const char *star = NULL, *tried = NULL;

    while (*text) {
        bool same = *pattern == *text || (any_case && small(*pattern) == small(*text));

        if (*pattern == '*') {
            star = pattern++;
            tried = text;
        } else if (*pattern == '?' || same) {
            pattern++;
            text++;
        } else if (star) {
            pattern = star + 1;
            text = ++tried;
        } else {
            return false;
        }
    }
    return !pattern[strspn(pattern, "*")];
}

bool nacred_text_fits(const char *text, const char *pattern)
{
    return fits(text, pattern, false);
}

bool nacred_text_fits_any_case(const char *text, const char *pattern)
{
    return fits(text, pattern, true);
}
