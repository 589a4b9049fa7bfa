/* SPDX-License-Identifier: Apache-2.0 */
/* Name-lists, RFC 4251 section 5, and the patterns of the class. */
#include "wire/namelist.h"

enum {
    NAME_MAX_LEN = 64
};

bool nacre_names_next(struct span *list, struct span *name)
{
    if (list->len == 0)
        return false;
    const uint8_t *comma = (const uint8_t *)memchr(list->at, ',', list->len);
    size_t n = comma == NULL ? list->len : (size_t)(comma - list->at);
    size_t used = comma == NULL ? n : n + 1;
    *name = (struct span){list->at, n};
    *list = (struct span){list->at + used, list->len - used};
    return true;
}

static bool name_valid(struct span name)
{
    if (name.len == 0 || name.len > NAME_MAX_LEN)
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (name.at[i] <= ' ' || name.at[i] >= 0x7f)
            return false;
    return true;
}

bool nacre_names_valid(struct span list)
{
    /* nacre_names_next() does not see the empty name behind a last comma. */
    if (list.len != 0 && list.at[list.len - 1] == ',')
        return false;
    struct span name;
    while (nacre_names_next(&list, &name))
        if (!name_valid(name))
            return false;
    return true;
}

bool nacre_names_has(struct span list, struct span name)
{
    struct span each;
    if (name.len == 0)
        return false;
    while (nacre_names_next(&list, &each))
        if (span_eq(each, name))
            return true;
    return false;
}

struct span nacre_names_choose(struct span client, struct span server)
{
    struct span name;
    while (nacre_names_next(&client, &name))
        if (nacre_names_has(server, name))
            return name;
    return (struct span){NULL, 0};
}

static bool same_byte(uint8_t a, uint8_t b, bool fold)
{
    if (fold && a >= 'A' && a <= 'Z')
        a = (uint8_t)(a + ('a' - 'A'));
    if (fold && b >= 'A' && b <= 'Z')
        b = (uint8_t)(b + ('a' - 'A'));
    return a == b;
}

bool nacre_glob(const char *pattern, struct span text, bool fold)
{
    /* Only the last '*' ever needs to take one byte more, so this is O(pattern * text) and needs no recursion. */
    const char *p = pattern, *star = NULL;
    size_t at = 0, star_at = 0;
    while (at < text.len) {
        if (*p == '*') {
            star = p++;
            star_at = at;
        } else if (*p != '\0' && (*p == '?' || same_byte((uint8_t)*p, text.at[at], fold))) {
            p++;
            at++;
        } else if (star != NULL) {
            p = star + 1;
            at = ++star_at;
        } else {
            return false;
        }
    }
    while (*p == '*')
        p++;
    return *p == '\0';
}
