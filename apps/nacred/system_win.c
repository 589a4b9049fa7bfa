/* SPDX-License-Identifier: Apache-2.0 */
/* The arguments come in the code page of the system, which cannot spell every path: they are taken from Windows. */
#include "system.h"

#include <winsock2.h>

#include <ws2tcpip.h>

#include <bcrypt.h>
#include <errno.h>
#include <shellapi.h>
#include <stdlib.h>
#include <string.h>

#include "wide_win.h"

const char *const nacred_sftp_program = NULL;

static bool take_arguments(int *argc, char ***argv)
{
    int count = 0;
    wchar_t **wide = CommandLineToArgvW(GetCommandLineW(), &count);
    char **narrow = wide ? calloc((size_t)count + 1, sizeof *narrow) : NULL;
    int made = 0;

    while (narrow && made < count && (narrow[made] = nacred_narrow(wide[made])))
        made++;
    LocalFree(wide);
    if (!narrow || made < count)
        return false; /* the process ends, and its memory with it */
    *argc = count;
    *argv = narrow;
    return true;
}

/* A file that is missing on a drive that is empty must not open a box that nobody sees. */
bool nacred_system_start(int *argc, char ***argv)
{
    SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOOPENFILEERRORBOX);
    return take_arguments(argc, argv);
}

void nacred_wipe_bytes(void *at, size_t len)
{
    SecureZeroMemory(at, len);
}

bool nacred_random(void *at, size_t len)
{
    if (BCryptGenRandom(NULL, at, (ULONG)len, BCRYPT_USE_SYSTEM_PREFERRED_RNG) == 0)
        return true;
    errno = EIO;
    return false;
}

unsigned nacred_ip_read(const char *text, uint8_t bytes[16])
{
    return inet_pton(AF_INET, text, bytes) == 1 ? 32 : inet_pton(AF_INET6, text, bytes) == 1 ? 128 : 0;
}

void nacred_standard_error(const char *text, size_t len)
{
    DWORD written;

    /* A log that cannot be written has nowhere to say so. */
    WriteFile(GetStdHandle(STD_ERROR_HANDLE), text, (DWORD)len, &written, NULL);
}

void nacred_utc_of(time_t when, struct tm *utc)
{
    if (gmtime_s(utc, &when) != 0)
        memset(utc, 0, sizeof *utc);
}

time_t nacred_utc_seconds(struct tm *utc)
{
    return _mkgmtime(utc);
}

const char *nacred_option_refusal(const char *name, const char *value)
{
    if (strcmp(name, "agent-forwarding") == 0)
        return "is not there on Windows: the socket of an agent is a unix socket";
    if (strcmp(name, "sftp") == 0 && !value)
        return "needs a program on Windows; --sftp-root serves files without one";
    return NULL;
}

/* Names have no case here. They are of letters that a C locale knows. */
bool nacred_variable_is(const char *a, const char *b, size_t len)
{
    return _strnicmp(a, b, len) == 0;
}

static bool is_separator(char c)
{
    return c == '\\' || c == '/';
}

/* C:\ or \\server. */
bool nacred_path_is_absolute(const char *path)
{
    bool letter = (*path >= 'a' && *path <= 'z') || (*path >= 'A' && *path <= 'Z');

    return (letter && path[1] == ':' && is_separator(path[2])) || (is_separator(path[0]) && is_separator(path[1]));
}
