/* SPDX-License-Identifier: Apache-2.0 */
/* A server on the public interface alone with two users: "guest" needs nothing, and "anna" has a password, "old", which
 * has expired; the new one needs eight bytes. A third, "berta", has the password "old" and cannot change it.
 *
 * Any command prints "welcome". Listens on a free port of 127.0.0.1, says which, and runs until it is killed. */
#include <stdio.h>
#include <string.h>

#include "nacre/nacre.h"

enum {
    STORE_PEM_BLOB = 7,
    NEW_MIN = 8
};

/* anna's, once it was changed. One thread handles all events. */
static char changed[128];

static void change_password(struct nacre_ssh_user_auth_request *e)
{
    if (strlen(e->new_password) < NEW_MIN) {
        e->change_prompt = "The new password needs eight bytes.";
        return;
    }
    (void)snprintf(changed, sizeof changed, "%s", e->new_password);
    e->accept = true;
}

static void anna(struct nacre_ssh_user_auth_request *e)
{
    bool expired = changed[0] == '\0';
    if (strcmp(e->auth_param, expired ? "old" : changed) != 0)
        return;
    if (e->new_password != NULL)
        change_password(e);
    else if (expired)
        e->change_prompt = "Your password has expired.";
    else
        e->accept = true;
}

static void on_auth(nacre_server *server, struct nacre_ssh_user_auth_request *e, void *context)
{
    (void)server;
    (void)context;
    printf("%s %s%s\n", e->user, e->auth_method, e->new_password != NULL ? " change" : "");
    fflush(stdout);
    if (strcmp(e->auth_method, "none") == 0)
        e->accept = strcmp(e->user, "guest") == 0;
    else if (strcmp(e->auth_method, "password") == 0 && strcmp(e->user, "anna") == 0)
        anna(e);
    else if (strcmp(e->auth_method, "password") == 0 && strcmp(e->user, "berta") == 0 && e->new_password == NULL &&
             strcmp(e->auth_param, "old") == 0)
        e->change_prompt = "Your password has expired.";
}

static void on_open(nacre_server *server, struct nacre_ssh_channel_open_request *e, void *context)
{
    (void)server;
    (void)context;
    e->accept = strcmp(e->service, "session") == 0;
}

static void on_request(nacre_server *server, struct nacre_ssh_channel_request *e, void *context)
{
    (void)server;
    (void)context;
    e->success = strcmp(e->request_type, "exec") == 0;
}

static void on_requested(nacre_server *server, struct nacre_ssh_channel_requested *e, void *context)
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

static int listen_locally(nacre_server *server)
{
    int error = nacre_set_local_host(server, "127.0.0.1");
    if (error == 0)
        error = nacre_set_local_port(server, 0);
    return error != 0 ? error : nacre_start_listening(server);
}

static int run(nacre_server *server)
{
    static const struct nacre_handlers handlers = {
        .on_ssh_user_auth_request = on_auth,
        .on_ssh_channel_open_request = on_open,
        .on_ssh_channel_request = on_request,
        .on_ssh_channel_requested = on_requested,
    };
    int port = 0;
    int error = nacre_set_handlers(server, &handlers, NULL);
    if (error == 0)
        error = nacre_set_default_auth_methods(server, "password");
    if (error == 0)
        error = use_new_key(server);
    if (error == 0)
        error = listen_locally(server);
    if (error == 0)
        error = nacre_get_local_port(server, &port);
    if (error != 0)
        return error;
    printf("listening on 127.0.0.1:%d\n", port);
    fflush(stdout);
    while (error == 0)
        error = nacre_do_events(server);
    return error;
}

int main(void)
{
    nacre_server *server = NULL;
    if (nacre_create(&server) != 0)
        return 1;
    int error = run(server);
    fprintf(stderr, "login_server: %d: %s\n", error, nacre_last_error(server));
    nacre_free(server);
    return 1;
}
