/* SPDX-License-Identifier: Apache-2.0 */
/* What is run is a command line of one piece. cmd.exe takes what stands after /s /c between the first and the last
 * quote as it is, as sh does after -c. */
#include <windows.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "launch.h"
#include "wide_win.h"

enum {
    PATH_MAX_WIDE = 32768
};

/* All of the texts behind each other. */
static char *join(const char *const texts[])
{
    size_t size = 1, at = 0;

    for (size_t i = 0; texts[i]; i++)
        size += strlen(texts[i]);
    char *joined = calloc(1, size);
    for (size_t i = 0; joined && texts[i]; i++) {
        memcpy(joined + at, texts[i], strlen(texts[i]));
        at += strlen(texts[i]);
    }
    return joined;
}

static char *own_path(void)
{
    wchar_t *wide = malloc(PATH_MAX_WIDE * sizeof *wide);
    DWORD len = wide ? GetModuleFileNameW(NULL, wide, PATH_MAX_WIDE) : 0;
    char *path = len > 0 && len < PATH_MAX_WIDE ? nacred_narrow(wide) : NULL;

    free(wide);
    return path;
}

/* A path cannot hold a quote, but backslashes at its end would take the sense of the one behind it. */
static char *quoted_folder(const char *path)
{
    size_t len = strlen(path), backslashes = 0;

    while (backslashes < len && path[len - 1 - backslashes] == '\\')
        backslashes++;
    return join((const char *const[]){"\"", path, path + len - backslashes, "\"", NULL});
}

static bool serve_sftp(struct program *program, const char *root)
{
    char *folder = quoted_folder(root);

    program->path = own_path();
    if (folder)
        program->line = join((const char *const[]){"nacred --serve-sftp ", folder, NULL});
    free(folder);
    return program->path && program->line;
}

bool nacred_program_find(const struct session *session, struct program *program)
{
    const struct app *app = session->app;
    const char *shell = app->account.shell;

    errno = ENOMEM;
    if (session->work == WORK_SFTP && app->options.sftp_root)
        return serve_sftp(program, app->options.sftp_root);
    program->path = strdup(session->work == WORK_SFTP ? app->options.sftp_server : shell);
    program->line = session->work == WORK_EXEC
                        ? join((const char *const[]){"cmd.exe /d /s /c \"", session->command, "\"", NULL})
                    : session->work == WORK_SHELL ? strdup("cmd.exe")
                                                  : strdup("sftp-server");
    return program->path && program->line;
}

/* What programs of Windows cannot start or find their files without. */
static const wchar_t *const inherited[] = {
    L"ComSpec", L"PATH", L"PATHEXT", L"SystemDrive", L"SystemRoot", L"TEMP", L"TMP", L"windir", L"TZ",
};

/* True when there is none. */
static bool inherit(struct environment *environment, const wchar_t *wide_name)
{
    DWORD size = GetEnvironmentVariableW(wide_name, NULL, 0);
    wchar_t *wide = size > 0 ? malloc(size * sizeof *wide) : NULL;
    bool set = true;

    if (wide && GetEnvironmentVariableW(wide_name, wide, size) < size) {
        char *name = nacred_narrow(wide_name), *value = nacred_narrow(wide);
        set = name && value && nacred_environment_set(environment, name, value);
        free(name);
        free(value);
    }
    free(wide);
    return set;
}

bool nacred_program_environment(struct environment *environment, const struct account *account)
{
    for (size_t i = 0; i < sizeof inherited / sizeof *inherited; i++)
        if (!inherit(environment, inherited[i]))
            return false;
    return nacred_environment_set(environment, "USERPROFILE", account->home) &&
           nacred_environment_set(environment, "HOME", account->home) &&
           nacred_environment_set(environment, "USERNAME", account->name) &&
           nacred_environment_set(environment, "USER", account->name);
}
