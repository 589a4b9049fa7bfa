/* SPDX-License-Identifier: Apache-2.0 */
/* A server that echoes what comes until EOF, for user "guest" with password "guest". Its arguments are settings. Runs
 * until it is killed. */
#include <string.h>

#include "small_server.h"

static void on_auth(nacre_server *server, struct nacre_ssh_user_auth_request *e, void *context)
{
    (void)server;
    (void)context;
    e->accept =
        strcmp(e->auth_method, "password") == 0 && strcmp(e->user, "guest") == 0 && strcmp(e->auth_param, "guest") == 0;
}

static void on_request(nacre_server *server, struct nacre_ssh_channel_request *e, void *context)
{
    (void)server;
    (void)context;
    e->success = strcmp(e->request_type, "shell") == 0 || strcmp(e->request_type, "exec") == 0;
}

static void on_data(nacre_server *server, struct nacre_ssh_channel_data_in *e, void *context)
{
    (void)context;
    nacre_send_bytes(server, e->channel_id, e->data, e->data_len);
}

static void on_eof(nacre_server *server, struct nacre_ssh_channel_eof *e, void *context)
{
    (void)context;
    nacre_send_exit_status(server, e->channel_id, 0);
    nacre_close_channel(server, e->channel_id);
}

int main(int argc, char **argv)
{
    static const struct nacre_handlers handlers = {
        .on_ssh_user_auth_request = on_auth,
        .on_ssh_channel_open_request = small_open,
        .on_ssh_channel_request = on_request,
        .on_ssh_channel_data_in = on_data,
        .on_ssh_channel_eof = on_eof,
    };
    return small_main(argc, argv, &handlers, NULL);
}
