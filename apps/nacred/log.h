/* SPDX-License-Identifier: Apache-2.0 */
/* nacred's log: one line an event on stderr, as text or JSON. Any thread; a line is one write and never mixes with
 * another. */
#ifndef NACRED_LOG_H
#define NACRED_LOG_H

#include <stdbool.h>

enum log_format {
    LOG_TEXT,
    LOG_JSON,
};

enum log_level {
    LOG_LEVEL_ERROR,
    LOG_LEVEL_WARNING,
    LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG,
};

struct peer;

/* Before any other thread runs. Lines of `most` and of what is more severe are written. */
void nacred_log_set(enum log_format format, enum log_level most);

/* The level of that name; false: there is none. */
bool nacred_log_level_of(const char *name, enum log_level *level);

/* `event` is a short word of ours. `peer` may be NULL. What the message quotes from a peer needs no care: whatever
 * could forge or hide a line is escaped. */
void nacred_log(enum log_level level, const struct peer *peer, const char *event, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
