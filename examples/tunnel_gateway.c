/* SPDX-License-Identifier: Apache-2.0 */
/* A tunnel gateway: whoever has the password may forward TCP connections to the hosts named on the command line, and
 * nothing else: no shell, no commands, no files.
 *
 *   tunnel_gateway PORT PASSWORD HOST:PORT...
 *   ssh -N -L 8080:intranet:80 -p PORT anyone@localhost */
#include <nacre/nacre.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct gateway {
    const char *password;
    char **targets; /* "host:port", NULL at the end */
};

static void authenticate(nacre_server *server, struct nacre_ssh_user_auth_request *e, void *context)
{
    const struct gateway *g = context;
    (void)server;
    e->accept = strcmp(e->auth_method, "password") == 0 && strcmp(e->auth_param, g->password) == 0;
}

/* Only forward tunnels, and only to what the operator has named. */
static void tunnel(nacre_server *server, struct nacre_ssh_tunnel_requested *e, void *context)
{
    const struct gateway *g = context;
    char target[300];
    (void)server;
    snprintf(target, sizeof target, "%s:%d", e->address, e->port);
    for (char **t = g->targets; e->direction == 0 && *t != NULL; t++)
        if (strcmp(*t, target) == 0)
            e->accept = true;
    printf("connection %lld: tunnel to %s %s\n", (long long)e->connection_id, target,
           e->accept ? "accepted" : "refused");
}

static void closed(nacre_server *server, struct nacre_ssh_tunnel_closed *e, void *context)
{
    (void)server;
    (void)context;
    printf("connection %lld: tunnel to %s:%d closed\n", (long long)e->connection_id, e->address, e->port);
}

static void failed(nacre_server *server, struct nacre_error_event *e, void *context)
{
    (void)server;
    (void)context;
    fprintf(stderr, "connection %lld: error %d: %s\n", (long long)e->connection_id, e->error_code, e->description);
}

static int check(nacre_server *server, int error)
{
    if (error != 0)
        fprintf(stderr, "tunnel_gateway: %s\n", nacre_last_error(server));
    return error;
}

int main(int argc, char **argv)
{
    char key[16384];
    nacre_server *server = NULL;
    if (argc < 4) {
        fprintf(stderr, "usage: tunnel_gateway PORT PASSWORD HOST:PORT...\n");
        return 2;
    }
    struct gateway gateway = {argv[2], argv + 3};
    const struct nacre_handlers handlers = {.on_ssh_user_auth_request = authenticate,
                                            .on_ssh_tunnel_requested = tunnel,
                                            .on_ssh_tunnel_closed = closed,
                                            .on_error = failed};
    setvbuf(stdout, NULL, _IONBF, 0); /* what is told is seen at once, through a pipe, too */
    if (check(NULL, nacre_create(&server)) || check(server, nacre_make_key("ssh-ed25519", key, sizeof key)))
        return 1;
    if (check(server, nacre_set_handlers(server, &handlers, &gateway)) ||
        check(server, nacre_set_ssh_cert_store_type(server, 7)) || /* a PEM key in memory */
        check(server, nacre_set_ssh_cert_store(server, key, strlen(key))) ||
        check(server, nacre_set_ssh_cert_subject(server, "*")) ||
        check(server, nacre_set_default_auth_methods(server, "password")) ||
        check(server, nacre_set_local_host(server, "127.0.0.1")) ||
        check(server, nacre_set_local_port(server, (int)strtol(argv[1], NULL, 10))) ||
        check(server, nacre_start_listening(server)))
        return 1;
    while (check(server, nacre_do_events(server)) == 0)
        continue;
    nacre_free(server);
}
