/* SPDX-License-Identifier: Apache-2.0 */
#include "account.h"

#include <windows.h>

#include <stdlib.h>

#include "wide_win.h"

enum {
    NAME_MAX_WIDE = 257, /* UNLEN + 1 */
};

/* A variable of the environment in memory of its own, or `instead`; NULL when out of memory. */
static char *variable(const wchar_t *name, const wchar_t *instead)
{
    DWORD size = GetEnvironmentVariableW(name, NULL, 0);
    wchar_t *value = size > 1 ? malloc(size * sizeof *value) : NULL;
    bool there = value && GetEnvironmentVariableW(name, value, size) == size - 1;
    char *text = nacred_narrow(there ? value : instead);

    free(value);
    return text;
}

static bool is_folder(const char *path)
{
    wchar_t *wide = nacred_wide(path);
    DWORD attributes = wide ? GetFileAttributesW(wide) : INVALID_FILE_ATTRIBUTES;

    free(wide);
    return attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_DIRECTORY);
}

bool nacred_account_read(struct account *account)
{
    wchar_t name[NAME_MAX_WIDE];
    DWORD size = NAME_MAX_WIDE;

    account->name = nacred_narrow(GetUserNameW(name, &size) ? name : L"nobody");
    account->home = variable(L"USERPROFILE", L"C:\\");
    account->shell = variable(L"ComSpec", L"C:\\Windows\\System32\\cmd.exe");
    if (!account->name || !account->home || !account->shell)
        return false;
    account->folder = is_folder(account->home) ? account->home : "C:\\";
    return true;
}

void nacred_account_free(struct account *account)
{
    free(account->name);
    free(account->home);
    free(account->shell);
}
