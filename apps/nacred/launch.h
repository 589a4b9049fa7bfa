/* SPDX-License-Identifier: Apache-2.0 */
/* From what a session was asked for to a running process: program, arguments, environment, terminal. */
#ifndef NACRED_LAUNCH_H
#define NACRED_LAUNCH_H

#include "child.h"
#include "session.h"

/* session->work is WORK_SHELL, WORK_EXEC or WORK_SFTP; the session's watches get what is to be watched. False with
 * errno. */
bool nacred_launch(struct session *session);

/* A program and how it is called; what is not NULL is to be freed. */
struct program {
    char *path;
    char *words[5]; /* of them, NULL at the end; not on Windows */
    char *line;     /* Windows alone */
};

/* For launch.c alone, programs_posix.c or programs_win.c. False with errno. */
bool nacred_program_find(const struct session *session, struct program *program);

/* What a child's environment has of this account's and of nacred's own; the client cannot put anything else into its
 * place. */
bool nacred_program_environment(struct environment *environment, const struct account *account);

#endif
