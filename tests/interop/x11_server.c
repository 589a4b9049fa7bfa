/* SPDX-License-Identifier: Apache-2.0 */
/* A server on the public interface alone that draws on its client's display: when a command is started, it opens an x11
 * channel, says there what an X client says first, with the cookie that the client sent, and copies what comes back to
 * the command's channel.
 *
 * Runs until it is killed. One client at a time. */
#include <string.h>

#include "small_server.h"

enum {
    COOKIE_MAX = 64
};

static nacre_channel_id session, display;
static char protocol[64], cookie[COOKIE_MAX]; /* the cookie in hexadecimal */

static void on_auth(nacre_server *server, struct nacre_ssh_user_auth_request *e, void *context)
{
    (void)server;
    (void)context;
    e->accept = strcmp(e->auth_method, "none") == 0;
}

static void on_request(nacre_server *server, struct nacre_ssh_channel_request *e, void *context)
{
    small_request(server, e, context);
    if (strcmp(e->request_type, "x11-req") == 0)
        e->success = nacre_get_ssh_param(e->packet, e->packet_len, "X11AuthProtocol", protocol, sizeof protocol) == 0 &&
                     nacre_get_ssh_param(e->packet, e->packet_len, "X11AuthCookie", cookie, sizeof cookie) == 0;
}

/* RFC 4254 section 6.3.2: who connected to the display here. */
static void on_requested(nacre_server *server, struct nacre_ssh_channel_requested *e, void *context)
{
    unsigned char from[64];
    size_t len = sizeof from;
    (void)context;
    if (strcmp(e->request_type, "exec") != 0)
        return;
    session = e->channel_id;
    if (nacre_set_ssh_param(NULL, 0, "s", "127.0.0.1", from, &len) != 0)
        return;
    size_t room = sizeof from;
    if (nacre_set_ssh_param(from, len, "i", "6010", from, &room) == 0)
        (void)nacre_open_channel_with(server, e->connection_id, "x11", from, room, &display);
}

static size_t padded(size_t len)
{
    return (len + 3) / 4 * 4;
}

/* The set-up of the X protocol: byte order, version 11.0, the name of the authorization, the cookie. */
static void on_opened(nacre_server *server, struct nacre_ssh_channel_opened *e, void *context)
{
    unsigned char hello[256] = {'l', 0, 11, 0, 0, 0}, field[4 + COOKIE_MAX];
    size_t name = strlen(protocol), len = sizeof field;
    (void)context;
    if (e->channel_id != display || nacre_set_ssh_param(NULL, 0, "sb", cookie, field, &len) != 0)
        return;
    size_t data = len - 4;
    hello[6] = (unsigned char)name;
    hello[8] = (unsigned char)data;
    memcpy(hello + 12, protocol, name);
    memcpy(hello + 12 + padded(name), field + 4, data);
    (void)nacre_send_bytes(server, display, hello, 12 + padded(name) + padded(data));
}

static void on_data(nacre_server *server, struct nacre_ssh_channel_data_in *e, void *context)
{
    (void)context;
    if (e->channel_id == display)
        (void)nacre_send_bytes(server, session, e->data, e->data_len);
}

/* The display has said all it had to say, or was refused. */
static void on_closed(nacre_server *server, struct nacre_ssh_channel_closed *e, void *context)
{
    (void)context;
    if (e->channel_id != display)
        return;
    (void)nacre_send_exit_status(server, session, 0);
    (void)nacre_close_channel(server, session);
}

static void on_eof(nacre_server *server, struct nacre_ssh_channel_eof *e, void *context)
{
    (void)context;
    if (e->channel_id == display)
        (void)nacre_close_channel(server, display);
}

static int ask_for_nothing(nacre_server *server)
{
    return nacre_set_default_auth_methods(server, "none");
}

int main(int argc, char **argv)
{
    static const struct nacre_handlers handlers = {
        .on_ssh_user_auth_request = on_auth,
        .on_ssh_channel_open_request = small_open,
        .on_ssh_channel_request = on_request,
        .on_ssh_channel_requested = on_requested,
        .on_ssh_channel_opened = on_opened,
        .on_ssh_channel_data_in = on_data,
        .on_ssh_channel_eof = on_eof,
        .on_ssh_channel_closed = on_closed,
    };
    return small_main(argc, argv, &handlers, ask_for_nothing);
}
