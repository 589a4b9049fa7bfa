/* SPDX-License-Identifier: Apache-2.0 */
/* Starting processes. Each gets a process group (Windows: a job) of its own and no descriptor but 0, 1 and 2; on Linux
 * a session (setsid) and default signals as well. child_posix.c or child_win.c. */
#ifndef NACRED_CHILD_H
#define NACRED_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loop.h"
#include "pty.h"

/* What to start. */
struct child_plan {
    const char *program;    /* absolute */
    char *const *arguments; /* not on Windows */
    const char *line;       /* Windows alone: the command line, the program's name in front */
    char *const *environment;
    const char *folder;
    struct pty *pty; /* NULL: pipes. Closed, or taken over, when the child starts */
};

struct process {
    int64_t id;
    void *handle, *job; /* Windows alone */
};

/* The watches of a child, without a source yet. On a terminal `input` and `output` become its master twice, and
 * `errors` none. */
struct child_ends {
    struct watch *input, *output, *errors, *end;
};

/* How a process ended. */
struct child_end {
    unsigned code;
    const char *signal_name; /* as RFC 4254 section 6.10 has it; NULL: by itself, or by a signal without such a name */
    unsigned signal_number;
    bool core_dumped;
};

/* False with errno; nothing is left open then, but for plan->pty. */
bool nacred_child_start(struct loop *loop, struct process *process, const struct child_ends *ends,
                        const struct child_plan *plan);

/* Sends a signal by its name in RFC 4254 section 6.10 to the whole group. False: there is no such signal here. On
 * Windows those that end a process end it at once, and there are no others. */
bool nacred_child_signal(const struct process *process, const char *name);

/* Nobody is there any more that the group could talk to. */
void nacred_child_hang_up(const struct process *process);
void nacred_child_kill(const struct process *process);

/* How the process ended, once; `wait`: as soon as it does. False: it has not yet. */
bool nacred_child_reap(struct process *process, struct child_end *end, bool wait);

/* After the watch of its end is closed, and nobody sends it signals any more. */
void nacred_child_forget(struct process *process);

/* Bytes of a child's output: 0: there will be no more; -1: there are none yet. Loop thread. */
long nacred_child_read(struct watch *output, void *at, size_t size);

/* Bytes that the child's input took; 0: none now; -1: nobody reads them any more. */
long nacred_child_write(struct watch *input, const void *at, size_t len);

/* Remembers the descriptor limit that children get. Call before the server starts, which raises it for itself. */
void nacred_child_keep_limits(void);

#endif
