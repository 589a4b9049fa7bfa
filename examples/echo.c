/* SPDX-License-Identifier: Apache-2.0 */
/* An SSH server that echoes: ssh -p 2222 guest@127.0.0.1, password "guest". */
#include <stdio.h>
#include <string.h>

#include <nacre/nacre.h>

static void log_in(nacre_server *server, struct nacre_ssh_user_auth_request *event, void *context)
{
    (void)server, (void)context;
    event->accept = strcmp(event->auth_method, "password") == 0 && strcmp(event->user, "guest") == 0 &&
                    strcmp(event->auth_param, "guest") == 0;
}

static void open_channel(nacre_server *server, struct nacre_ssh_channel_open_request *event, void *context)
{
    (void)server, (void)context;
    event->accept = strcmp(event->service, "session") == 0;
}

static void request(nacre_server *server, struct nacre_ssh_channel_request *event, void *context)
{
    (void)server, (void)context;
    event->success = strcmp(event->request_type, "shell") == 0 || strcmp(event->request_type, "exec") == 0;
}

static void echo(nacre_server *server, struct nacre_ssh_channel_data_in *event, void *context)
{
    (void)context;
    if (nacre_send_bytes(server, event->channel_id, event->data, event->data_len)) /* reads nothing, or is gone */
        nacre_close_channel(server, event->channel_id);
}

static void finish(nacre_server *server, struct nacre_ssh_channel_eof *event, void *context)
{
    (void)context;
    nacre_send_exit_status(server, event->channel_id, 0);
    nacre_close_channel(server, event->channel_id);
}

int main(void)
{
    const struct nacre_handlers handlers = {.on_ssh_user_auth_request = log_in,
                                            .on_ssh_channel_open_request = open_channel,
                                            .on_ssh_channel_request = request,
                                            .on_ssh_channel_data_in = echo,
                                            .on_ssh_channel_eof = finish};
    nacre_server *server = NULL;
    char pem[16384];

    if (nacre_create(&server) || nacre_make_key("ssh-ed25519", pem, sizeof pem) ||
        nacre_set_ssh_cert_store(server, pem, strlen(pem)) || nacre_set_ssh_cert_store_type(server, 7) ||
        nacre_set_ssh_cert_subject(server, "*") || nacre_set_local_host(server, "127.0.0.1") ||
        nacre_set_local_port(server, 2222) || nacre_set_handlers(server, &handlers, NULL) ||
        nacre_start_listening(server))
        return fprintf(stderr, "%s\n", nacre_last_error(server)), 1;
    while (nacre_do_events(server) == 0)
        continue;
    nacre_free(server);
}
