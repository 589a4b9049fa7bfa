/* SPDX-License-Identifier: Apache-2.0 */
/* From what a session was asked for to a running process: program, arguments, environment, terminal. */
#ifndef NACRED_LAUNCH_H
#define NACRED_LAUNCH_H

#include "child.h"
#include "session.h"

/* session->work is WORK_SHELL, WORK_EXEC or WORK_SFTP. False with errno. */
bool nacred_launch(struct session *session, struct child *child);

#endif
