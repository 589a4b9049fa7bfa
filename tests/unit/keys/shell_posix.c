/* SPDX-License-Identifier: Apache-2.0 */
/* See shell.h. */
#include "unit/keys/shell.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/nacre-keys-XXXXXX";

int shell(const char *command)
{
    int status = system(command);
    return status != -1 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool shell_enter_folder(void)
{
    return mkdtemp(folder) != NULL && chdir(folder) == 0;
}

bool shell_leave_folder(void)
{
    char command[128];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return chdir("/") == 0 && shell(command) == 0;
}
