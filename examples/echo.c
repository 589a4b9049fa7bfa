/* SPDX-License-Identifier: Apache-2.0 */
/* An SSH server that echoes: ssh -p 2222 guest@127.0.0.1, password "guest". */
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

/* What a client has not read yet. Its channel is paused meanwhile, so there is one of it at most. */
struct rest {
    struct rest *next;
    nacre_channel_id id;
    size_t len;
    uint8_t bytes[];
};

static struct rest *rests; /* of the only thread in nacre_do_events() */

static struct rest *take_rest(nacre_channel_id id)
{
    struct rest **at = &rests, *found;
    while (*at && (*at)->id != id)
        at = &(*at)->next;
    if ((found = *at))
        *at = found->next;
    return found;
}

/* Sends what there is room for, and keeps the rest. */
static void send_back(nacre_server *server, nacre_channel_id id, const uint8_t *data, size_t len)
{
    size_t sent = 0;
    struct rest *rest = NULL;
    int e = nacre_send_bytes(server, id, data, len);
    if (e == NACRE_E_WOULDBLOCK && !nacre_get_bytes_sent(server, id, &sent) && !nacre_pause_channel(server, id))
        rest = malloc(sizeof *rest + len - sent);
    if (rest) {
        *rest = (struct rest){.next = rests, .id = id, .len = len - sent};
        memcpy(rest->bytes, data + sent, len - sent);
        rests = rest;
    } else if (e) {
        nacre_close_channel(server, id);
    }
}

static void echo(nacre_server *server, struct nacre_ssh_channel_data_in *event, void *context)
{
    (void)context;
    send_back(server, event->channel_id, event->data, event->data_len);
}

static void go_on(nacre_server *server, struct nacre_ssh_channel_ready_to_send *event, void *context)
{
    (void)context;
    struct rest *rest = take_rest(event->channel_id);
    if (rest) {
        nacre_resume_channel(server, rest->id);
        send_back(server, rest->id, rest->bytes, rest->len);
    }
    free(rest);
}

static void forget(nacre_server *server, struct nacre_ssh_channel_closed *event, void *context)
{
    (void)server, (void)context;
    free(take_rest(event->channel_id));
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
                                            .on_ssh_channel_ready_to_send = go_on,
                                            .on_ssh_channel_closed = forget,
                                            .on_ssh_channel_eof = finish};
    nacre_server *server = NULL;
    char pem[16384];

    if (nacre_create(&server) || nacre_make_key("ssh-ed25519", pem, sizeof pem) ||
        nacre_set_ssh_cert_store(server, pem, strlen(pem)) || nacre_set_ssh_cert_store_type(server, 7) ||
        nacre_set_ssh_cert_subject(server, "*") || nacre_set_local_host(server, "127.0.0.1") ||
        nacre_set_local_port(server, 2222) || nacre_set_default_timeout(server, 0) || /* sends never wait */
        nacre_set_handlers(server, &handlers, NULL) || nacre_start_listening(server))
        return fprintf(stderr, "%s\n", nacre_last_error(server)), 1;
    while (nacre_do_events(server) == 0)
        continue;
    nacre_free(server);
}
