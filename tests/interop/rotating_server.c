/* SPDX-License-Identifier: Apache-2.0 */
/* A server on the public interface alone whose settings change while it listens: each line of standard input is one, as
 * nacre_config() takes it, or "key=FILE" for another host key. After each line it prints "done" and the result.
 *
 * Anybody gets in, and any command prints "welcome". Listens once the first line has come, and ends with standard
 * input. */
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "small_server.h"

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

static int run(nacre_server *server)
{
    static const struct nacre_handlers handlers = {
        .on_ssh_user_auth_request = on_auth,
        .on_ssh_channel_open_request = small_open,
        .on_ssh_channel_request = small_request,
        .on_ssh_channel_requested = small_welcome,
    };
    int error = take_line(server) ? small_listen(server, &handlers) : NACRE_E_INVAL;
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
