/* SPDX-License-Identifier: Apache-2.0 */
#include "handlers.h"

#include <stddef.h>
#include <string.h>

#include "agent.h"
#include "auth.h"
#include "log.h"
#include "peers.h"
#include "session.h"

enum {
    OPEN_RESOURCE_SHORTAGE = 4 /* RFC 4254 section 5.1 */
};

static struct peer *kept_peer(struct app *app, nacre_connection_id id)
{
    struct idmap_node *node = id == 0 ? NULL : nacred_idmap_find(&app->peers, id);

    return node ? (struct peer *)((char *)node - offsetof(struct peer, node)) : NULL;
}

/* What is known of a connection, from its first event on that is not just for the log; events of one connection never
 * overlap. NULL: no connection, or out of memory. */
static struct peer *find_peer(struct app *app, nacre_connection_id id)
{
    struct peer *peer = kept_peer(app, id);

    if (peer || id == 0)
        return peer;
    peer = nacred_peer_new(app->server, id);
    if (peer)
        nacred_idmap_add(&app->peers, id, &peer->node);
    return peer;
}

/* Who a line of the log is about. A connection that is not let in has lines, but no end at which it would be forgotten:
 * what is not known yet is kept for this line alone, as `*passing`, to be freed. */
static const struct peer *peer_of_line(struct app *app, nacre_connection_id id, struct peer **passing)
{
    const struct peer *peer = kept_peer(app, id);

    *passing = peer || id == 0 ? NULL : nacred_peer_new(app->server, id);
    return peer ? peer : *passing;
}

static void on_disconnected(nacre_server *server, struct nacre_disconnected *event, void *context)
{
    struct app *app = context;
    struct peer *peer = find_peer(app, event->connection_id);

    (void)server;
    if (!peer)
        return;
    while (peer->sessions)
        nacred_session_close(peer->sessions);
    nacred_agent_end(peer->agent);
    nacred_peer_log_refused(peer);
    nacred_log(LOG_LEVEL_INFO, peer, "disconnected", "%d %s", event->status_code,
               event->description ? event->description : "");
    nacred_idmap_remove(&app->peers, event->connection_id);
    nacred_peer_free(peer);
}

static void on_error(nacre_server *server, struct nacre_error_event *event, void *context)
{
    struct peer *passing;
    const struct peer *peer = peer_of_line(context, event->connection_id, &passing);

    (void)server;
    nacred_log(LOG_LEVEL_WARNING, peer, "error", "%d %s", event->error_code,
               event->description ? event->description : "");
    nacred_peer_free(passing);
}

static void on_log(nacre_server *server, struct nacre_log *event, void *context)
{
    struct peer *passing;
    const struct peer *peer = peer_of_line(context, event->connection_id, &passing);

    (void)server;
    nacred_log(event->log_level > 1 ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO, peer, "log", "%s", event->message);
    nacred_peer_free(passing);
}

static void on_user_auth_request(nacre_server *server, struct nacre_ssh_user_auth_request *event, void *context)
{
    struct peer *peer = find_peer(context, event->connection_id);

    (void)server;
    if (peer)
        nacred_auth(context, peer, event);
}

static void on_channel_open_request(nacre_server *server, struct nacre_ssh_channel_open_request *event, void *context)
{
    struct app *app = context;
    struct peer *peer = find_peer(app, event->connection_id);
    bool full;

    (void)server;
    /* A channel without anything that could be asked for on it is no use to anybody. */
    bool serves = app->options.exec || app->options.shell || app->options.bench || app->options.sftp_server ||
                  app->options.sftp_root;
    if (!peer || !serves || strcmp(event->service, "session") != 0)
        return;
    event->accept = nacred_session_open(app, peer, event->channel_id, &full);
    event->reason = OPEN_RESOURCE_SHORTAGE;
    if (full && nacred_peer_refused(peer, REFUSED_SESSION))
        nacred_log(LOG_LEVEL_INFO, peer, "refused", "session: there are %d, which is --max-sessions",
                   app->options.max_sessions);
}

static void on_channel_opened(nacre_server *server, struct nacre_ssh_channel_opened *event, void *context)
{
    struct peer *peer = find_peer(context, event->connection_id);

    (void)server;
    if (peer)
        nacred_agent_opened(peer->agent, event->channel_id);
}

static void on_channel_closed(nacre_server *server, struct nacre_ssh_channel_closed *event, void *context)
{
    struct session *session = nacred_session_find(context, event->channel_id);
    struct peer *peer = session ? NULL : find_peer(context, event->connection_id);

    (void)server;
    if (session)
        nacred_session_close(session);
    else if (peer)
        nacred_agent_closed(peer->agent, event->channel_id);
}

static void on_channel_request(nacre_server *server, struct nacre_ssh_channel_request *event, void *context)
{
    struct session *session = nacred_session_find(context, event->channel_id);

    (void)server;
    if (session)
        event->success = nacred_session_request(session, event->request_type, event->packet, event->packet_len);
}

static void on_channel_requested(nacre_server *server, struct nacre_ssh_channel_requested *event, void *context)
{
    struct session *session = nacred_session_find(context, event->channel_id);

    (void)server;
    if (session)
        nacred_session_start(session, event->request_type);
}

static void on_channel_data_in(nacre_server *server, struct nacre_ssh_channel_data_in *event, void *context)
{
    struct session *session = nacred_session_find(context, event->channel_id);

    (void)server;
    /* Extended data goes from server to client only, RFC 4254 section 5.2. */
    if (event->data_type != 0)
        return;
    if (session)
        nacred_session_data(session, event->data, event->data_len);
    else
        nacred_agent_data(context, event->channel_id, event->data, event->data_len);
}

static void on_channel_eof(nacre_server *server, struct nacre_ssh_channel_eof *event, void *context)
{
    struct session *session = nacred_session_find(context, event->channel_id);

    (void)server;
    if (session)
        nacred_session_eof(session);
    else
        nacred_agent_eof(context, event->channel_id);
}

static void on_channel_ready_to_send(nacre_server *server, struct nacre_ssh_channel_ready_to_send *event, void *context)
{
    struct session *session = nacred_session_find(context, event->channel_id);

    (void)server;
    if (session)
        nacred_session_ready(session);
    else
        nacred_agent_ready(context, event->channel_id);
}

static void on_tunnel_requested(nacre_server *server, struct nacre_ssh_tunnel_requested *event, void *context)
{
    struct app *app = context;
    struct peer *peer = find_peer(app, event->connection_id);

    (void)server;
    if (!peer)
        return;
    const char *wrong = app->options.tunnels ? nacred_peer_tunnel_wrong(peer, event) : "there is no --tunnels";
    event->accept = !wrong;
    if (wrong) {
        if (nacred_peer_refused(peer, REFUSED_TUNNEL))
            nacred_log(LOG_LEVEL_INFO, peer, "refused", "tunnel, as %s: %s %s port %d", wrong,
                       event->direction == 0 ? "to" : "from", event->address, event->port);
        return;
    }
    nacred_log(LOG_LEVEL_INFO, peer, "tunnel", "%s %s port %d", event->direction == 0 ? "to" : "from", event->address,
               event->port);
}

static void on_tunnel_closed(nacre_server *server, struct nacre_ssh_tunnel_closed *event, void *context)
{
    struct peer *peer = find_peer(context, event->connection_id);

    (void)server;
    nacred_log(LOG_LEVEL_INFO, peer, "tunnel", "%s port %d closed", event->address, event->port);
}

int nacred_handlers_set(struct app *app, bool verbose)
{
    const struct nacre_handlers handlers = {
        .on_disconnected = on_disconnected,
        .on_error = on_error,
        .on_log = verbose ? on_log : NULL,
        .on_ssh_user_auth_request = on_user_auth_request,
        .on_ssh_channel_open_request = on_channel_open_request,
        .on_ssh_channel_opened = app->options.agent_forwarding ? on_channel_opened : NULL,
        .on_ssh_channel_closed = on_channel_closed,
        .on_ssh_channel_request = on_channel_request,
        .on_ssh_channel_requested = on_channel_requested,
        .on_ssh_channel_data_in = on_channel_data_in,
        .on_ssh_channel_eof = on_channel_eof,
        .on_ssh_channel_ready_to_send = on_channel_ready_to_send,
        .on_ssh_tunnel_requested = on_tunnel_requested,
        .on_ssh_tunnel_closed = app->options.tunnels ? on_tunnel_closed : NULL,
    };

    return nacre_set_handlers(app->server, &handlers, app);
}
