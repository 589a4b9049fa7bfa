/* SPDX-License-Identifier: Apache-2.0 */
#include "account.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool nacred_account_read(struct account *account)
{
    const struct passwd *entry = getpwuid(geteuid());
    bool shell_runs = entry && entry->pw_shell && entry->pw_shell[0] == '/' && access(entry->pw_shell, X_OK) == 0;
    char number[16];

    snprintf(number, sizeof number, "%u", (unsigned)geteuid());
    account->name = strdup(entry ? entry->pw_name : number);
    account->home = strdup(entry && entry->pw_dir && entry->pw_dir[0] == '/' ? entry->pw_dir : "/");
    account->shell = strdup(shell_runs ? entry->pw_shell : "/bin/sh");
    if (!account->name || !account->home || !account->shell)
        return false;
    account->folder = access(account->home, X_OK) == 0 ? account->home : "/";
    return true;
}

void nacred_account_free(struct account *account)
{
    free(account->name);
    free(account->home);
    free(account->shell);
}
