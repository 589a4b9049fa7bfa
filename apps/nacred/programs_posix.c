/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "launch.h"

#define CHILD_PATH "/usr/local/bin:/usr/bin:/bin"

/* Copies of the path and of up to three words. */
static bool make(struct program *program, const char *path, const char *const words[])
{
    bool good = (program->path = strdup(path));

    for (size_t i = 0; good && i < 4 && words[i]; i++)
        good = (program->words[i] = strdup(words[i]));
    return good;
}

bool nacred_program_find(const struct session *session, struct program *program)
{
    const struct app *app = session->app;
    const char *shell = app->account.shell;

    if (session->work == WORK_EXEC)
        return make(program, "/bin/sh", (const char *const[]){"sh", "-c", session->command, NULL});
    if (session->work == WORK_SHELL)
        return make(program, shell, (const char *const[]){strrchr(shell, '/') + 1, NULL});
    if (app->options.sftp_root)
        return make(program, "/proc/self/exe",
                    (const char *const[]){"nacred", "--serve-sftp", app->options.sftp_root, NULL});
    return make(program, app->options.sftp_server, (const char *const[]){"sftp-server", NULL});
}

bool nacred_program_environment(struct environment *environment, const struct account *account)
{
    const char *zone = getenv("TZ");

    return nacred_environment_set(environment, "PATH", CHILD_PATH) &&
           nacred_environment_set(environment, "HOME", account->home) &&
           nacred_environment_set(environment, "USER", account->name) &&
           nacred_environment_set(environment, "LOGNAME", account->name) &&
           nacred_environment_set(environment, "SHELL", account->shell) &&
           (!zone || nacred_environment_set(environment, "TZ", zone));
}
