/* SPDX-License-Identifier: Apache-2.0 */
#include "small_server.h"

#include <stdio.h>
#include <string.h>

enum {
    STORE_PEM_BLOB = 7
};

void small_open(nacre_server *server, struct nacre_ssh_channel_open_request *e, void *context)
{
    (void)server;
    (void)context;
    e->accept = strcmp(e->service, "session") == 0;
}

void small_request(nacre_server *server, struct nacre_ssh_channel_request *e, void *context)
{
    (void)server;
    (void)context;
    e->success = strcmp(e->request_type, "exec") == 0;
}

void small_welcome(nacre_server *server, struct nacre_ssh_channel_requested *e, void *context)
{
    (void)context;
    if (strcmp(e->request_type, "exec") != 0)
        return;
    nacre_send_text(server, e->channel_id, "welcome\n");
    nacre_send_exit_status(server, e->channel_id, 0);
    nacre_send_eof(server, e->channel_id);
    nacre_close_channel(server, e->channel_id);
}

static int use_new_key(nacre_server *server)
{
    char pem[16384];
    int error = nacre_make_key("ssh-ed25519", pem, sizeof pem);
    if (error == 0)
        error = nacre_set_ssh_cert_store_type(server, STORE_PEM_BLOB);
    if (error == 0)
        error = nacre_set_ssh_cert_store(server, pem, strlen(pem));
    return error != 0 ? error : nacre_set_ssh_cert_subject(server, "*");
}

int small_listen(nacre_server *server, const struct nacre_handlers *handlers)
{
    int port = 0;
    int error = nacre_set_handlers(server, handlers, NULL);
    if (error == 0)
        error = nacre_set_local_host(server, "127.0.0.1");
    if (error == 0)
        error = nacre_set_local_port(server, 0);
    if (error == 0)
        error = nacre_start_listening(server);
    if (error == 0)
        error = nacre_get_local_port(server, &port);
    if (error != 0)
        return error;
    printf("listening on 127.0.0.1:%d\n", port);
    fflush(stdout);
    return 0;
}

int small_main(int argc, char **argv, const struct nacre_handlers *handlers, int (*prepare)(nacre_server *server))
{
    nacre_server *server = NULL;
    if (nacre_create(&server) != 0)
        return 1;
    int error = use_new_key(server);
    if (error == 0 && prepare != NULL)
        error = prepare(server);
    for (int i = 1; error == 0 && i < argc; i++)
        error = nacre_config(server, argv[i], NULL, 0);
    if (error == 0)
        error = small_listen(server, handlers);
    while (error == 0)
        error = nacre_do_events(server);
    fprintf(stderr, "%s: %d: %s\n", argv[0], error, nacre_last_error(server));
    nacre_free(server);
    return 1;
}
