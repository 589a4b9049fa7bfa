/* SPDX-License-Identifier: Apache-2.0 */
#include "launch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent.h"

/* Set last, so that a client cannot put something else into their place. */
static bool set_own_variables(struct environment *environment, const struct session *session, const struct pty *pty)
{
    const struct peer *peer = session->peer;
    char connection[160], client[128];
    int port = 0;

    nacre_get_local_port(session->app->server, &port);
    snprintf(client, sizeof client, "%s %d %d", peer->remote_host, peer->remote_port, port);
    snprintf(connection, sizeof connection, "%s %d %s %d", peer->remote_host, peer->remote_port, peer->local_host,
             port);
    return nacred_program_environment(environment, &session->app->account) &&
           nacred_environment_set(environment, "NACRED_USER", peer->user ? peer->user : "") &&
           nacred_environment_set(environment, "SSH_CLIENT", client) &&
           nacred_environment_set(environment, "SSH_CONNECTION", connection) &&
           (!peer->agent || nacred_environment_set(environment, "SSH_AUTH_SOCK", nacred_agent_path(peer->agent))) &&
           (!pty || (nacred_environment_set(environment, "TERM", session->terminal->name) &&
                     nacred_environment_set(environment, "SSH_TTY", pty->path)));
}

static void free_program(struct program *program)
{
    int failed = errno;

    for (size_t i = 0; program->words[i]; i++)
        free(program->words[i]);
    free(program->path);
    free(program->line);
    errno = failed;
}

static bool start(struct session *session, struct pty *pty)
{
    const struct app *app = session->app;
    struct program program = {0};
    const struct child_ends ends = {.input = &session->input,
                                    .output = &session->outputs[0].watch,
                                    .errors = &session->outputs[1].watch,
                                    .end = &session->end};

    /* What clients set is for programs they may run: the loader of this one would let them out of the folder. */
    if (session->work == WORK_SFTP && app->options.sftp_root)
        nacred_environment_free(&session->environment);
    if (!set_own_variables(&session->environment, session, pty)) {
        errno = ENOMEM;
        return false;
    }
    bool started = nacred_program_find(session, &program);
    if (started) {
        const struct child_plan plan = {.program = program.path,
                                        .arguments = program.words,
                                        .line = program.line,
                                        .environment = session->environment.list,
                                        .folder = app->account.folder,
                                        .pty = pty};
        started = nacred_child_start(&session->app->loop, &session->process, &ends, &plan);
    }
    free_program(&program);
    return started;
}

bool nacred_launch(struct session *session)
{
    struct pty pty;

    if (!session->on_terminal)
        return start(session, NULL);
    if (!nacred_pty_open(&pty, session->terminal))
        return false;
    if (start(session, &pty))
        return true;
    nacred_pty_close(&pty);
    return false;
}
