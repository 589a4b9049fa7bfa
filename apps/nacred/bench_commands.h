/* SPDX-License-Identifier: Apache-2.0 */
/* --bench: commands answered inside nacred, so that a measurement sees the SSH server and no process.
 *
 *   echo          sends back what comes, ends with status 0 at the client's eof
 *   sink          drops what comes, ends with status 0 at the client's eof
 *   source BYTES  sends so many bytes, ends with status 0
 *
 * Only the event handlers of the connection call these. */
#ifndef NACRED_BENCH_COMMANDS_H
#define NACRED_BENCH_COMMANDS_H

#include "session.h"

/* WORK_NONE when `command` is none of them. */
enum session_work nacred_bench_command(const char *command, uint64_t *source_bytes);

void nacred_bench_start(struct session *session);
void nacred_bench_data(struct session *session, const uint8_t *data, size_t len);
void nacred_bench_eof(struct session *session);
void nacred_bench_ready(struct session *session);

#endif
