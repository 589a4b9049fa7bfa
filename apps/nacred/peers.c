/* SPDX-License-Identifier: Apache-2.0 */
#include "peers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "key_options.h"
#include "log.h"
#include "permits.h"
#include "seats.h"

struct peer *nacred_peer_new(nacre_server *server, nacre_connection_id connection_id)
{
    struct peer *peer = calloc(1, sizeof *peer);

    if (!peer)
        return NULL;
    peer->connection_id = connection_id;
    /* A connection that is gone already has no addresses any more; its events follow all the same. */
    nacre_get_ssh_connection_remote_host(server, connection_id, peer->remote_host, sizeof peer->remote_host);
    nacre_get_ssh_connection_remote_port(server, connection_id, &peer->remote_port);
    nacre_get_ssh_connection_local_address(server, connection_id, peer->local_host, sizeof peer->local_host);
    const char *format = strchr(peer->remote_host, ':') ? "[%s]:%d" : "%s:%d";
    snprintf(peer->address, sizeof peer->address, format, peer->remote_host, peer->remote_port);
    return peer;
}

void nacred_peer_free(struct peer *peer)
{
    if (!peer)
        return;
    nacred_seats_leave(peer->seats);
    free(peer->user);
    free(peer->forced_command);
    free(peer->prompted_user);
    free(peer);
}

bool nacred_peer_refused(struct peer *peer, enum refusal what)
{
    return peer->refused[what]++ == 0;
}

void nacred_peer_log_refused(const struct peer *peer)
{
    static const char *const names[REFUSALS] = {
        [REFUSED_SESSION] = "sessions",
        [REFUSED_PROCESS] = "processes",
        [REFUSED_TUNNEL] = "tunnels",
    };

    for (size_t i = 0; i < REFUSALS; i++)
        if (peer->refused[i] > 1)
            nacred_log(LOG_LEVEL_INFO, peer, "refused", "%lu more %s", (unsigned long)(peer->refused[i] - 1), names[i]);
}

bool nacred_peer_set_user(struct peer *peer, const char *user)
{
    char *copy = strdup(user);

    if (!copy)
        return false;
    free(peer->user);
    peer->user = copy;
    return true;
}

static bool permits(const struct nacre_ssh_user_auth_request *event, const char *what)
{
    size_t len = strlen(what);

    if (!event->certificate_authority)
        return true;
    for (const char *p = event->certificate_extensions; *p; p += strcspn(p, ","), p += *p == ',')
        if (strncmp(p, what, len) == 0 && (p[len] == ',' || !p[len]))
            return true;
    return false;
}

bool nacred_peer_set_limits(struct peer *peer, const struct nacre_ssh_user_auth_request *event,
                            const struct key_options *options)
{
    static const struct key_options all;
    const struct key_options *o = options ? options : &all;
    const char *command = event->force_command ? event->force_command : o->command;

    free(peer->forced_command);
    peer->forced_command = command ? strdup(command) : NULL;
    peer->may_pty = permits(event, "permit-pty") && !o->no_pty;
    peer->may_tunnel = permits(event, "permit-port-forwarding") && !o->no_tunnels;
    peer->key_options = options;
    peer->may_agent = permits(event, "permit-agent-forwarding") && !o->no_agent;
    return peer->forced_command || !command;
}

const char *nacred_peer_tunnel_wrong(const struct peer *peer, const struct nacre_ssh_tunnel_requested *event)
{
    const struct key_options *options = peer->key_options;
    bool is_listen = event->direction != 0;
    const char *list = !options ? NULL : is_listen ? options->permit_listen : options->permit_open;

    if (!peer->may_tunnel)
        return "the key or certificate does not permit any";
    /* Such a list has no way to name a unix socket. */
    if (list && (event->is_path || !nacred_permits_have(list, is_listen, event->address, event->port)))
        return is_listen ? "permitlisten does not name it" : "permitopen does not name it";
    return NULL;
}
