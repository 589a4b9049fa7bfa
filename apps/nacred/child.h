/* SPDX-License-Identifier: Apache-2.0 */
/* Starting processes. Each gets a session (setsid) and so a process group of its own, default signals, and no
 * descriptor but 0, 1 and 2. */
#ifndef NACRED_CHILD_H
#define NACRED_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

#include "pty.h"

/* What to start. */
struct child_plan {
    const char *program; /* absolute */
    char *const *arguments;
    char *const *environment;
    const char *folder;
    struct pty *pty; /* NULL: pipes. Its slave is closed, its master taken over, when the child starts */
};

/* Our ends are non-blocking. On a terminal, `output` and `input` are its master twice and `errors` is -1. */
struct child {
    pid_t pid;
    int pidfd; /* readable when the process has ended */
    int input;
    int output;
    int errors;
};

/* False with errno; nothing is left open then, but for plan->pty. */
bool nacred_child_start(struct child *child, const struct child_plan *plan);

/* To the whole process group. */
void nacred_child_signal(pid_t pid, int signal);

/* Remembers the descriptor limit that children get. Call before the server starts, which raises it for itself. */
void nacred_child_keep_limits(void);

#endif
