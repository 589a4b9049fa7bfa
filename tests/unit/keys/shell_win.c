/* SPDX-License-Identifier: Apache-2.0 */
/* See shell.h. Wine starts programs of the system below it by their path, and gives no handle to wait for: the shell
 * leaves its exit status in a file. Where nothing is below, there is no shell, and no test of what it makes. */
#include "unit/keys/shell.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

enum {
    FOLDERS = 100000,
    POLL_MS = 5,
    POLLS_MAX = 200 * 1000 / POLL_MS
};

static const wchar_t program[] = L"\\\\?\\unix\\bin\\sh";

static wchar_t folder[MAX_PATH], before[MAX_PATH];
static bool entered;

static bool write_script(const char *command)
{
    FILE *f = fopen(".script", "wb");
    if (f == NULL)
        return false;
    bool good = fprintf(f, "(%s\n)\necho $? >.ending\nexec mv .ending .ended\n", command) > 0;
    return fclose(f) == 0 && good;
}

static bool start(void)
{
    wchar_t line[] = L"sh .script";
    STARTUPINFOW how = {.cb = sizeof how};
    PROCESS_INFORMATION made = {0};
    if (!CreateProcessW(program, line, NULL, NULL, TRUE, 0, NULL, NULL, &how, &made))
        return false;
    if (made.hThread != NULL)
        (void)CloseHandle(made.hThread);
    if (made.hProcess != NULL)
        (void)CloseHandle(made.hProcess);
    return true;
}

int shell(const char *command)
{
    int status = -1;
    FILE *f = NULL;
    (void)DeleteFileW(L".ended");
    if (!write_script(command) || !start())
        return -1;
    for (unsigned i = 0; i < POLLS_MAX && (f = fopen(".ended", "rb")) == NULL; i++)
        Sleep(POLL_MS);
    if (f == NULL)
        return -1;
    if (fscanf(f, "%d", &status) != 1)
        status = -1;
    (void)fclose(f);
    return status;
}

/* Numbers of processes come back, and a process that was ended leaves its folder behind. */
static bool make_folder(wchar_t *end, size_t room)
{
    for (unsigned i = 0; i < FOLDERS; i++) {
        (void)swprintf(end, room, L"nacre-keys-%u", i);
        if (CreateDirectoryW(folder, NULL))
            return true;
        if (GetLastError() != ERROR_ALREADY_EXISTS)
            return false;
    }
    return false;
}

/* A test that is skipped or fails ends its process, and nobody leaves. */
static void leave_at_exit(void)
{
    (void)shell_leave_folder();
}

bool shell_enter_folder(void)
{
    DWORD len = GetTempPathW(MAX_PATH, folder);
    if (len == 0 || len > MAX_PATH - 32 || GetCurrentDirectoryW(MAX_PATH, before) == 0 ||
        !make_folder(folder + len, MAX_PATH - len))
        return false;
    entered = SetCurrentDirectoryW(folder) != FALSE;
    return entered && atexit(leave_at_exit) == 0;
}

/* The shell does not remove what it leaves its own status in. */
bool shell_leave_folder(void)
{
    if (!entered)
        return true;
    entered = false;
    (void)shell("chmod -R u+rwX . && find . -mindepth 1 ! -name '.script' ! -name '.ending' -delete");
    (void)DeleteFileW(L".script");
    (void)DeleteFileW(L".ended");
    return SetCurrentDirectoryW(before) && RemoveDirectoryW(folder);
}
