/* SPDX-License-Identifier: Apache-2.0 */
/* The environment of a child: a small fixed part, and what the client set and was allowed to set (RFC 4254
 * section 6.4). Nothing of nacred's own environment but TZ. */
#ifndef NACRED_ENVIRONMENT_H
#define NACRED_ENVIRONMENT_H

#include <stdbool.h>
#include <stddef.h>

enum {
    ENVIRONMENT_COUNT_MAX = 128,
    ENVIRONMENT_BYTES_MAX = 64 * 1024,
};

struct environment {
    char **list; /* "NAME=value", ends with NULL; NULL when empty */
    size_t count;
    size_t bytes;
};

/* Whether `name` is a variable name that fits one of the patterns; * and ? as in a shell. */
bool nacred_environment_allows(char *const *patterns, size_t count, const char *name);

/* Adds or replaces. False when a limit is reached or memory is out. */
bool nacred_environment_set(struct environment *environment, const char *name, const char *value);

void nacred_environment_free(struct environment *environment);

#endif
