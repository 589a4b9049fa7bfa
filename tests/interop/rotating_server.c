/* SPDX-License-Identifier: Apache-2.0 */
/* A server on the public interface alone whose settings change while it listens: each line of standard input is one, as
 * nacre_config() takes it, or "key=FILE" for another host key. After each line it prints "done" and the result.
 *
 * Anybody gets in, and any command prints "welcome". Listens on a free port of 127.0.0.1 once the first line has come,
 * says which, and ends with standard input. */
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "nacre/nacre.h"

enum {
    STORE_AUTO = 99,
    LINE_BYTES = 1024
};

static void on_auth(nacre_server *server, struct nacre_ssh_user_auth_request *e, void *context)
{
    (void)server;
    (void)context;
    e->accept = true;
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
    nacre_send_text(server, e->channel_id, "welcome\n");
    nacre_send_exit_status(server, e->channel_id, 0);
    nacre_send_eof(server, e->channel_id);
    nacre_close_channel(server, e->channel_id);
}

static int use_key(nacre_server *server, const char *file)
{
    int error = nacre_set_ssh_cert_store_type(server, STORE_AUTO);
    if (error == 0)
        error = nacre_set_ssh_cert_store(server, file, strlen(file));
    return error != 0 ? error : nacre_set_ssh_cert_subject(server, "*");
}

/* One line of standard input; false at its end. */
static bool take_line(nacre_server *server)
{
    char line[LINE_BYTES];
    if (fgets(line, sizeof line, stdin) == NULL)
        return false;
    line[strcspn(line, "\n")] = '\0';
    int error = strncmp(line, "key=", 4) == 0 ? use_key(server, line + 4) : nacre_config(server, line, NULL, 0);
    printf("done %d %s\n", error, error == 0 ? "" : nacre_last_error(server));
    fflush(stdout);
    return true;
}

static int start(nacre_server *server)
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

static int run(nacre_server *server)
{
    int error = take_line(server) ? start(server) : NACRE_E_INVAL;
    for (bool more = true; error == 0 && more;) {
        struct pollfd in = {.fd = 0, .events = POLLIN};
        error = nacre_do_events(server);
        if (poll(&in, 1, 0) > 0)
            more = take_line(server);
    }
    return error;
}

int main(void)
{
    nacre_server *server = NULL;
    setvbuf(stdin, NULL, _IONBF, 0); /* what poll() does not see must not wait in a buffer */
    if (nacre_create(&server) != 0)
        return 1;
    int error = run(server);
    if (error != 0)
        fprintf(stderr, "rotating_server: %d: %s\n", error, nacre_last_error(server));
    nacre_free(server);
    return error == 0 ? 0 : 1;
}
