/* SPDX-License-Identifier: Apache-2.0 */
#include "environment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "system.h"
#include "text.h"

/* Stricter than the system: a name that no shell could use is more likely a trick than a wish. */
static bool is_variable_name(const char *name)
{
    static const char signs[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";
    size_t len = strlen(name);

    return len > 0 && len <= 256 && strspn(name, signs) == len && !(*name >= '0' && *name <= '9');
}

bool nacred_environment_allows(char *const *patterns, size_t count, const char *name)
{
    if (!is_variable_name(name))
        return false;
    for (size_t i = 0; i < count; i++)
        if (nacred_text_fits(name, patterns[i]))
            return true;
    return false;
}

static char *make_entry(const char *name, const char *value)
{
    size_t size = strlen(name) + strlen(value) + 2;
    char *entry = malloc(size);

    if (entry)
        snprintf(entry, size, "%s=%s", name, value);
    return entry;
}

static size_t find_entry(const struct environment *environment, const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < environment->count; i++)
        if (nacred_variable_is(environment->list[i], name, len) && environment->list[i][len] == '=')
            return i;
    return environment->count;
}

bool nacred_environment_set(struct environment *environment, const char *name, const char *value)
{
    size_t at = find_entry(environment, name);
    size_t old = at < environment->count ? strlen(environment->list[at]) + 1 : 0;
    size_t bytes = environment->bytes - old + strlen(name) + strlen(value) + 2;

    if (bytes > ENVIRONMENT_BYTES_MAX || (old == 0 && environment->count == ENVIRONMENT_COUNT_MAX))
        return false;
    char *entry = make_entry(name, value);
    if (!entry)
        return false;
    if (old > 0) {
        free(environment->list[at]);
    } else {
        char **grown = realloc(environment->list, (environment->count + 2) * sizeof *grown);
        if (!grown) {
            free(entry);
            return false;
        }
        environment->list = grown;
        environment->count++;
        environment->list[environment->count] = NULL;
    }
    environment->list[at] = entry;
    environment->bytes = bytes;
    return true;
}

void nacred_environment_free(struct environment *environment)
{
    for (size_t i = 0; i < environment->count; i++)
        free(environment->list[i]);
    free(environment->list);
    *environment = (struct environment){0};
}
