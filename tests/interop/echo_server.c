/* SPDX-License-Identifier: Apache-2.0 */
/* examples/echo with a port and settings: echo_server PORT [SETTING]... Port 0: one that is free. */
#include <stdio.h>
#include <stdlib.h>
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
    nacre_send_bytes(server, event->channel_id, event->data, event->data_len);
}

static void finish(nacre_server *server, struct nacre_ssh_channel_eof *event, void *context)
{
    (void)context;
    nacre_send_exit_status(server, event->channel_id, 0);
    nacre_close_channel(server, event->channel_id);
}

int main(int argc, char **argv)
{
    const struct nacre_handlers handlers = {.on_ssh_user_auth_request = log_in,
                                            .on_ssh_channel_open_request = open_channel,
                                            .on_ssh_channel_request = request,
                                            .on_ssh_channel_data_in = echo,
                                            .on_ssh_channel_eof = finish};
    nacre_server *server = NULL;
    char pem[16384];
    int port = 2222;

    if (nacre_create(&server) || nacre_make_key("ssh-ed25519", pem, sizeof pem) ||
        nacre_set_ssh_cert_store(server, pem, strlen(pem)) || nacre_set_ssh_cert_store_type(server, 7) ||
        nacre_set_ssh_cert_subject(server, "*") || nacre_set_local_host(server, "127.0.0.1") ||
        nacre_set_local_port(server, argc > 1 ? (int)strtol(argv[1], NULL, 10) : port) ||
        nacre_set_handlers(server, &handlers, NULL))
        return fprintf(stderr, "%s\n", nacre_last_error(server)), 1;
    for (int i = 2; i < argc; i++)
        if (nacre_config(server, argv[i], NULL, 0))
            return fprintf(stderr, "%s\n", nacre_last_error(server)), 1;
    if (nacre_start_listening(server) || nacre_get_local_port(server, &port))
        return fprintf(stderr, "%s\n", nacre_last_error(server)), 1;
    printf("listening on 127.0.0.1:%d\n", port);
    fflush(stdout);
    while (nacre_do_events(server) == 0)
        continue;
    nacre_free(server);
}
