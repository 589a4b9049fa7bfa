/* SPDX-License-Identifier: Apache-2.0 */
/* An agent's listener when the process has no descriptors. The linker sends what nacred asks of a connection here
 * (--wrap). */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent.h"

enum {
    CLIENTS = 3
};

int __wrap_nacre_open_channel(nacre_server *server, nacre_connection_id id, const char *type,
                              nacre_channel_id *channel);

static unsigned opened;

int __wrap_nacre_open_channel(nacre_server *server, nacre_connection_id id, const char *type, nacre_channel_id *channel)
{
    (void)server;
    (void)id;
    (void)type;
    (void)channel;
    opened++;
    return NACRE_E_CHANNEL_OPEN; /* that it was asked for is all */
}

static void connect_to(int fd, const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};

    snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    cr_assert_eq(connect(fd, (const struct sockaddr *)&a, sizeof a), 0);
}

Test(nacred_agent, without_descriptors_clients_are_turned_away_and_later_ones_are_not)
{
    static struct app app;
    static const struct peer peer = {.connection_id = 1, .address = "127.0.0.1:1"};
    const struct timeval soon = {.tv_sec = 10};
    struct rlimit before, none;
    int clients[CLIENTS];
    char byte;

    cr_assert(nacred_loop_open(&app.loop));
    struct agent *agent = nacred_agent_new(&app, &peer);
    cr_assert_not_null(agent);
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        cr_assert_eq(setsockopt(clients[i], SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon), 0);
    }
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
    for (int i = 0; i < CLIENTS; i++) {
        bool last = i == CLIENTS - 1;
        connect_to(clients[i], nacred_agent_path(agent));
        none.rlim_cur = last ? before.rlim_cur : (rlim_t)clients[CLIENTS - 1] + 1;
        cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
        nacred_loop_run_once(&app.loop, 10000);
        cr_assert_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
        cr_expect_eq(recv(clients[i], &byte, 1, 0), 0, "%d is told", i);
        cr_expect_eq(opened, last ? 1 : 0, "%d: %u", i, opened);
    }
    for (int i = 0; i < CLIENTS; i++)
        close(clients[i]);
    nacred_agent_end(agent);
    nacred_loop_run_once(&app.loop, 0);
    nacred_loop_close(&app.loop);
}
