/* SPDX-License-Identifier: Apache-2.0 */
/* The part of a session that has a process: bytes both ways, signals, its end. */
#ifndef NACRED_CHILD_SESSION_H
#define NACRED_CHILD_SESSION_H

#include <stdint.h>

#include "session.h"

/* Sets up what a new session needs. */
void nacred_child_session_init(struct session *session);

/* Starts what session->work says. When that fails, the client is told on stderr and by exit status 255. */
void nacred_child_session_start(struct session *session);

/* Bytes and eof for the child's input. */
void nacred_child_session_data(struct session *session, const uint8_t *data, size_t len);
void nacred_child_session_eof(struct session *session);

/* The channel takes data again. */
void nacred_child_session_ready(struct session *session);

/* RFC 4254 sections 6.9 and 6.7. */
bool nacred_child_session_signal(struct session *session, const char *name);
void nacred_child_session_resize(struct session *session);

/* The channel is closed: hang up. */
void nacred_child_session_hang_up(struct session *session);

/* At the end of nacred: ends every child that is left. Any thread. */
void nacred_child_sessions_kill(struct app *app);

#endif
