/* SPDX-License-Identifier: Apache-2.0 */
/* The arguments come in the code page of the system, which cannot spell every path: they are taken from Windows. */
#include "system.h"

#include "engine/sock_sys.h"
/* winsock2.h stands before windows.h, or the older winsock.h comes with it. */
#include <windows.h>

#include <errno.h>
#include <shellapi.h>
#include <stdlib.h>

enum {
    PATH_MAX_WIDE = 4096
};

static char *utf8_of(const wchar_t *wide)
{
    int size = WideCharToMultiByte(CP_UTF8, 0, wide, -1, NULL, 0, NULL, NULL);
    char *text = size > 0 ? malloc((size_t)size) : NULL;
    if (text != NULL)
        WideCharToMultiByte(CP_UTF8, 0, wide, -1, text, size, NULL, NULL);
    return text;
}

/* They live as long as the process. */
static bool take_arguments(int *argc, char ***argv)
{
    int count = 0, made = 0;
    wchar_t **wide = CommandLineToArgvW(GetCommandLineW(), &count);
    char **texts = wide == NULL ? NULL : calloc((size_t)count + 1, sizeof *texts);
    while (texts != NULL && made < count && (texts[made] = utf8_of(wide[made])) != NULL)
        made++;
    LocalFree(wide);
    if (texts == NULL || made < count)
        return false;
    *argc = count;
    *argv = texts;
    return true;
}

bool bench_system_start(int *argc, char ***argv)
{
    return nacre_sock_start() == NACRE_OK && take_arguments(argc, argv);
}

/* Sockets keep theirs in the same place. */
int bench_system_error(void)
{
    return (int)GetLastError();
}

/* The system ends its sentences with a full stop and a line end. */
const char *bench_system_text(int error, char *out, size_t size)
{
    DWORD len = FormatMessageA(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, NULL, (DWORD)error, 0, out,
                               (DWORD)size, NULL);
    while (len != 0 && (out[len - 1] == '\n' || out[len - 1] == '\r' || out[len - 1] == '.'))
        out[--len] = '\0';
    if (len == 0)
        snprintf(out, size, "error %d", error);
    return out;
}

/* Handles run out when memory does. */
uint64_t bench_system_descriptors(void)
{
    return UINT64_MAX;
}

FILE *bench_system_create(const char *name)
{
    wchar_t wide[PATH_MAX_WIDE];
    if (MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, name, -1, wide, PATH_MAX_WIDE) != 0)
        return _wfopen(wide, L"wb");
    errno = EINVAL;
    return NULL;
}
