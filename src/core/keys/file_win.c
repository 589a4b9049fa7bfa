/* SPDX-License-Identifier: Apache-2.0 */
/* Reading one file whole. Only files on a disk: a directory has no contents, a pipe may never end. Names are UTF-8. */
#include <winsock2.h>
/* winsock2.h stands before windows.h, or the older winsock.h comes with it. */
#include <windows.h>

#include <string.h>

#include "keys/container.h"

enum {
    FILE_NAME_MAX = 4096,
    TEXT_MAX = 3 * 160 + 1, /* of what the system says */
};

static enum nacre_error error_of(DWORD number)
{
    switch (number) {
    case ERROR_ACCESS_DENIED:
    case ERROR_SHARING_VIOLATION:
        return NACRE_E_ACCES;
    case ERROR_TOO_MANY_OPEN_FILES:
        return NACRE_E_MFILE;
    case ERROR_FILENAME_EXCED_RANGE:
        return NACRE_E_NAMETOOLONG;
    default:
        return NACRE_E_KEY; /* the class has no code for a file that is not there */
    }
}

/* In the user's language, as UTF-8. The system ends its sentences with a full stop and a line end. */
static void describe(DWORD number, char text[TEXT_MAX])
{
    wchar_t wide[TEXT_MAX / 3]; /* no unit takes more bytes */
    DWORD len = FormatMessageW(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, NULL, number, 0, wide,
                               sizeof wide / sizeof *wide, NULL);
    while (len != 0 && (wide[len - 1] == L'\n' || wide[len - 1] == L'\r' || wide[len - 1] == L'.'))
        len--;
    int made = len == 0 ? 0 : WideCharToMultiByte(CP_UTF8, 0, wide, (int)len, text, TEXT_MAX - 1, NULL, NULL);
    text[made] = 0;
}

static enum nacre_error fail_last(struct container *k, DWORD number)
{
    char text[TEXT_MAX];
    describe(number, text);
    if (*text == 0)
        return nacre_container_fail(k, error_of(number), "cannot be read: error %lu.", (unsigned long)number);
    return nacre_container_fail(k, error_of(number), "cannot be read: %s.", text);
}

/* Opening a folder is refused with the same number as a file that may not be read. */
static enum nacre_error fail_open(struct container *k, const wchar_t *path)
{
    DWORD number = GetLastError(), attributes = GetFileAttributesW(path);
    if (attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_DIRECTORY) != 0)
        return nacre_container_fail(k, NACRE_E_KEY, "cannot be read: it is a folder.");
    return fail_last(k, number);
}

static enum nacre_error read_all(struct container *k, HANDLE file, struct buf *out)
{
    for (;;) {
        size_t room = out->max - out->len < 4096 ? out->max - out->len : 4096;
        uint8_t *at = room == 0 ? NULL : nacre_buf_reserve(out, room);
        DWORD n = 0;
        if (at == NULL)
            return nacre_container_fail(k, NACRE_E_KEY, "is larger than %d bytes.", STORE_FILE_MAX);
        if (!ReadFile(file, at, (DWORD)room, &n, NULL))
            return fail_last(k, GetLastError());
        if (n == 0)
            return NACRE_OK;
        out->len += n;
    }
}

/* False: the name does not fit or is not UTF-8. */
static bool wide_name(struct span name, wchar_t wide[FILE_NAME_MAX])
{
    int len = name.len >= FILE_NAME_MAX ? 0
                                        : MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, (const char *)name.at,
                                                              (int)name.len, wide, FILE_NAME_MAX - 1);
    wide[len > 0 ? len : 0] = 0;
    return len > 0;
}

enum nacre_error nacre_file_read(struct container *k, struct span name, struct buf *out)
{
    wchar_t path[FILE_NAME_MAX];
    LARGE_INTEGER size;
    enum nacre_error e;
    if (name.len == 0)
        return nacre_container_fail(k, NACRE_E_KEY, "has no file name.");
    if (name.len >= FILE_NAME_MAX)
        return nacre_container_fail(k, NACRE_E_NAMETOOLONG, "cannot be read: its name is too long.");
    if (span_has_nul(name))
        return nacre_container_fail(k, NACRE_E_INVAL, "cannot be read: its name has a zero byte in it.");
    if (!wide_name(name, path))
        return nacre_container_fail(k, NACRE_E_INVAL, "cannot be read: its name is not UTF-8.");
    HANDLE file = CreateFileW(path, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, NULL);
    if (file == INVALID_HANDLE_VALUE)
        return fail_open(k, path);
    if (GetFileType(file) != FILE_TYPE_DISK)
        e = nacre_container_fail(k, NACRE_E_KEY, "cannot be read: it is not a regular file.");
    else if (!GetFileSizeEx(file, &size))
        e = fail_last(k, GetLastError());
    else if (size.QuadPart > STORE_FILE_MAX)
        e = nacre_container_fail(k, NACRE_E_KEY, "is larger than %d bytes.", STORE_FILE_MAX);
    else
        e = read_all(k, file, out);
    (void)CloseHandle(file);
    return e;
}

bool nacre_file_exists(struct span name)
{
    wchar_t path[FILE_NAME_MAX];
    if (name.len == 0 || span_has_nul(name) || !wide_name(name, path))
        return false;
    if (GetFileAttributesW(path) != INVALID_FILE_ATTRIBUTES)
        return true;
    DWORD e = GetLastError();
    return e != ERROR_FILE_NOT_FOUND && e != ERROR_PATH_NOT_FOUND && e != ERROR_INVALID_NAME &&
           e != ERROR_BAD_NETPATH && e != ERROR_FILENAME_EXCED_RANGE;
}

/* Tried here first, because libp11 writes to standard error what cannot be loaded. */
bool nacre_file_is_module(const char *path)
{
    wchar_t wide[FILE_NAME_MAX];
    HMODULE m = wide_name(span_str(path), wide) ? LoadLibraryW(wide) : NULL;
    bool is = m != NULL && GetProcAddress(m, "C_GetFunctionList") != NULL;
    if (m != NULL)
        (void)FreeLibrary(m);
    return is;
}
