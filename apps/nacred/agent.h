/* SPDX-License-Identifier: Apache-2.0 */
/* Agent forwarding, as OpenSSH does it: a unix socket in a folder of its own, which only the account can enter. Each
 * connection to it becomes an auth-agent@openssh.com channel to the client, whose agent answers.
 *
 * One agent a connection, made by its first auth-agent-req@openssh.com and gone with the connection, files included.
 * The loop accepts and moves bytes, handlers take what comes from the channels. */
#ifndef NACRED_AGENT_H
#define NACRED_AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app.h"
#include "nacre/nacre.h"
#include "peers.h"

struct agent;

/* NULL with errno. */
struct agent *nacred_agent_new(struct app *app, const struct peer *peer);

/* What SSH_AUTH_SOCK is to be. */
const char *nacred_agent_path(const struct agent *agent);

/* The connection has ended: ends all its channels and removes the files. NULL is fine. */
void nacred_agent_end(struct agent *agent);

/* Channel events. False: the channel is none of an agent's. */
bool nacred_agent_opened(struct agent *agent, nacre_channel_id id);
bool nacred_agent_data(struct app *app, nacre_channel_id id, const uint8_t *data, size_t len);
bool nacred_agent_eof(struct app *app, nacre_channel_id id);
bool nacred_agent_ready(struct app *app, nacre_channel_id id);
bool nacred_agent_closed(struct agent *agent, nacre_channel_id id);

#endif
