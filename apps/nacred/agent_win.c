/* SPDX-License-Identifier: Apache-2.0 */
/* No agents: --agent-forwarding is refused here, so that none is ever asked for. */
#include "agent.h"

#include <errno.h>

struct agent *nacred_agent_new(struct app *app, const struct peer *peer)
{
    (void)app;
    (void)peer;
    errno = ENOTSUP;
    return NULL;
}

const char *nacred_agent_path(const struct agent *agent)
{
    (void)agent;
    return "";
}

void nacred_agent_end(struct agent *agent)
{
    (void)agent;
}

bool nacred_agent_opened(struct agent *agent, nacre_channel_id id)
{
    (void)agent;
    (void)id;
    return false;
}

bool nacred_agent_data(struct app *app, nacre_channel_id id, const uint8_t *data, size_t len)
{
    (void)app;
    (void)id;
    (void)data;
    (void)len;
    return false;
}

bool nacred_agent_eof(struct app *app, nacre_channel_id id)
{
    (void)app;
    (void)id;
    return false;
}

bool nacred_agent_ready(struct app *app, nacre_channel_id id)
{
    (void)app;
    (void)id;
    return false;
}

bool nacred_agent_closed(struct agent *agent, nacre_channel_id id)
{
    (void)agent;
    (void)id;
    return false;
}
