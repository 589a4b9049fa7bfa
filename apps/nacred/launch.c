/* SPDX-License-Identifier: Apache-2.0 */
#include "launch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"

#define CHILD_PATH "/usr/local/bin:/usr/bin:/bin"

/* Set last, so that a client cannot put something else into their place. */
static bool set_own_variables(struct environment *environment, const struct session *session, const struct pty *pty)
{
    const struct account *account = &session->app->account;
    const struct peer *peer = session->peer;
    const char *zone = getenv("TZ");
    char connection[160], client[128];
    int port = 0;

    nacre_get_local_port(session->app->server, &port);
    snprintf(client, sizeof client, "%s %d %d", peer->remote_host, peer->remote_port, port);
    snprintf(connection, sizeof connection, "%s %d %s %d", peer->remote_host, peer->remote_port, peer->local_host,
             port);
    return nacred_environment_set(environment, "PATH", CHILD_PATH) &&
           nacred_environment_set(environment, "HOME", account->home) &&
           nacred_environment_set(environment, "USER", account->name) &&
           nacred_environment_set(environment, "LOGNAME", account->name) &&
           nacred_environment_set(environment, "SHELL", account->shell) &&
           nacred_environment_set(environment, "NACRED_USER", peer->user ? peer->user : "") &&
           nacred_environment_set(environment, "SSH_CLIENT", client) &&
           nacred_environment_set(environment, "SSH_CONNECTION", connection) &&
           (!peer->agent || nacred_environment_set(environment, "SSH_AUTH_SOCK", nacred_agent_path(peer->agent))) &&
           (!zone || nacred_environment_set(environment, "TZ", zone)) &&
           (!pty || (nacred_environment_set(environment, "TERM", session->terminal->name) &&
                     nacred_environment_set(environment, "SSH_TTY", pty->path)));
}

/* What posix_spawn() takes as `char *const *` and does not write to. */
static char sh_name[] = "sh", sh_option[] = "-c", sftp_name[] = "sftp-server";

static bool start(struct session *session, struct child *child, struct pty *pty)
{
    const struct app *app = session->app;
    char *shell = app->account.shell;
    char *exec_arguments[] = {sh_name, sh_option, session->command, NULL};
    char *shell_arguments[] = {strrchr(shell, '/') + 1, NULL};
    char *sftp_arguments[] = {sftp_name, NULL};
    struct child_plan plan = {.folder = app->account.folder, .pty = pty};

    if (!set_own_variables(&session->environment, session, pty)) {
        errno = ENOMEM;
        return false;
    }
    plan.environment = session->environment.list;
    plan.program = session->work == WORK_EXEC    ? "/bin/sh"
                   : session->work == WORK_SHELL ? shell
                                                 : app->options.sftp_server;
    plan.arguments = session->work == WORK_EXEC    ? exec_arguments
                     : session->work == WORK_SHELL ? shell_arguments
                                                   : sftp_arguments;
    return nacred_child_start(child, &plan);
}

bool nacred_launch(struct session *session, struct child *child)
{
    struct pty pty;

    if (!session->on_terminal)
        return start(session, child, NULL);
    if (!nacred_pty_open(&pty, session->terminal))
        return false;
    if (start(session, child, &pty))
        return true;
    int failed = errno;
    close(pty.slave);
    close(pty.master);
    errno = failed;
    return false;
}
