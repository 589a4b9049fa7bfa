/* SPDX-License-Identifier: Apache-2.0 */
/* Paths are given to Windows in the form that is taken as it stands ("\\?\"). Nothing behind a reparse point (a link, a
 * junction, a mount) is reached: a client cannot make one, and each folder of a path is looked at before it is used. */
#include "sftp_files.h"

#include <windows.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "wide_win.h"
#include "windows_names.h"

enum {
    WIDE_MAX = 32768, /* of a path */
    NAME_MAX_WIDE = 255,
    OWNER_MAY_WRITE = 0200,
    DRIVE_LEN = 6, /* of "\\?\C:" */
};

#define KIND_FILE 0100000U
#define KIND_FOLDER 0040000U
#define KIND_LINK 0120000U
#define SECONDS_TO_1970 11644473600ULL
#define TICKS_A_SECOND 10000000ULL
#define SHARE_ALL (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)

struct sftp_file {
    HANDLE handle;
    bool appends;
};

struct sftp_folder {
    HANDLE search; /* INVALID_HANDLE_VALUE: nothing is in it */
    WIN32_FIND_DATAW data;
    enum sftp_status next; /* SFTP_OK: `data` is */
};

static wchar_t root[WIDE_MAX]; /* without a backslash at its end */
static size_t root_len;

static enum sftp_status status_of(DWORD error)
{
    switch (nacred_errno_of(error)) {
    case ENOENT:
    case ENOTDIR:
        return SFTP_NO_SUCH_FILE;
    case EACCES:
        return SFTP_PERMISSION_DENIED;
    default:
        return SFTP_FAILURE;
    }
}

static enum sftp_status result(BOOL good)
{
    return good ? SFTP_OK : status_of(GetLastError());
}

/* ---- paths ---- */

/* "\\server\share" becomes "\\?\UNC\server\share"; what is given in that form stays as it is. */
static void set_root(const wchar_t *full)
{
    bool is_made = wcsncmp(full, L"\\\\?\\", 4) == 0;
    bool is_share = !is_made && full[0] == L'\\' && full[1] == L'\\';

    wcscpy(root, is_made ? L"" : is_share ? L"\\\\?\\UNC" : L"\\\\?\\");
    wcscat(root, is_share ? full + 1 : full);
    root_len = wcslen(root);
    while (root[root_len - 1] == L'\\')
        root[--root_len] = 0;
}

static bool find_root(const char *path, wchar_t full[WIDE_MAX / 2])
{
    wchar_t *wide = nacred_wide(path);
    DWORD len = wide ? GetFullPathNameW(wide, WIDE_MAX / 2, full, NULL) : 0;
    DWORD attributes = len > 0 && len < WIDE_MAX / 2 ? GetFileAttributesW(full) : INVALID_FILE_ATTRIBUTES;

    free(wide);
    if (attributes == INVALID_FILE_ATTRIBUTES || (attributes & FILE_ATTRIBUTE_DIRECTORY) == 0) {
        errno = attributes == INVALID_FILE_ATTRIBUTES ? ENOENT : ENOTDIR;
        return false;
    }
    return true;
}

bool nacred_sftp_files_has_root(const char *path)
{
    static wchar_t full[WIDE_MAX / 2];

    return find_root(path, full);
}

bool nacred_sftp_files_open_root(const char *path)
{
    static wchar_t full[WIDE_MAX / 2];

    if (!find_root(path, full))
        return false;
    set_root(full);
    return true;
}

bool nacred_sftp_name_is_good(const char *name)
{
    wchar_t *wide = nacred_wide(name);
    bool good = wide && wcslen(wide) <= NAME_MAX_WIDE && nacred_windows_name_is_good(name);

    free(wide);
    return good;
}

/* Windows' own path, of static memory: `which` is 0 or 1. */
static enum sftp_status make_path(const char *path, int which, wchar_t **made)
{
    static wchar_t paths[2][WIDE_MAX];
    wchar_t *at = paths[which];
    wchar_t *wide = nacred_wide(path);

    if (!wide || root_len + wcslen(wide) + 3 > WIDE_MAX) {
        free(wide);
        return SFTP_NO_SUCH_FILE;
    }
    for (wchar_t *c = wide; *c; c++)
        if (*c == L'/')
            *c = L'\\';
    wcscpy(at, root);
    /* "\" alone is the root itself, and that of a drive needs it. */
    if (wide[1] || root_len == DRIVE_LEN)
        wcscat(at, wide);
    free(wide);
    *made = at;
    return SFTP_OK;
}

static enum sftp_status check_folder(const wchar_t *path)
{
    DWORD attributes = GetFileAttributesW(path);

    if (attributes == INVALID_FILE_ATTRIBUTES)
        return status_of(GetLastError());
    if (attributes & FILE_ATTRIBUTE_REPARSE_POINT)
        return SFTP_PERMISSION_DENIED;
    return attributes & FILE_ATTRIBUTE_DIRECTORY ? SFTP_OK : SFTP_NO_SUCH_FILE;
}

/* The path, with all folders in front of its last name looked at. */
static enum sftp_status resolve(const char *path, int which, wchar_t **made)
{
    enum sftp_status status = make_path(path, which, made);

    if (status != SFTP_OK)
        return status;
    for (wchar_t *at = wcschr(*made + root_len + (path[1] ? 1 : 0), L'\\'); at && at[1] && status == SFTP_OK;
         at = wcschr(at + 1, L'\\')) {
        *at = 0;
        status = check_folder(*made);
        *at = L'\\';
    }
    return status;
}

/* ---- attributes ---- */

static uint64_t seconds(FILETIME time)
{
    uint64_t ticks = (uint64_t)time.dwHighDateTime << 32 | time.dwLowDateTime;

    return ticks / TICKS_A_SECOND > SECONDS_TO_1970 ? ticks / TICKS_A_SECOND - SECONDS_TO_1970 : 0;
}

static FILETIME file_time(uint32_t unix_seconds)
{
    uint64_t ticks = (unix_seconds + SECONDS_TO_1970) * TICKS_A_SECOND;

    return (FILETIME){.dwLowDateTime = (DWORD)ticks, .dwHighDateTime = (DWORD)(ticks >> 32)};
}

/* Windows' rights do not fit into nine bits: whether it is read-only is all that is told. */
static void describe(DWORD attributes, DWORD high, DWORD low, FILETIME atime, FILETIME mtime, struct sftp_attributes *a)
{
    uint32_t rights = attributes & FILE_ATTRIBUTE_READONLY ? 0444 : 0644;

    *a = (struct sftp_attributes){
        .flags = SFTP_ATTR_SIZE | SFTP_ATTR_PERMISSIONS | SFTP_ATTR_ACMODTIME,
        .size = (uint64_t)high << 32 | low,
        .permissions = attributes & FILE_ATTRIBUTE_REPARSE_POINT ? KIND_LINK | 0777
                       : attributes & FILE_ATTRIBUTE_DIRECTORY   ? KIND_FOLDER | rights | 0111
                                                                 : KIND_FILE | rights,
        .atime = (uint32_t)seconds(atime),
        .mtime = (uint32_t)seconds(mtime),
    };
}

static bool set_size(HANDLE handle, uint64_t size)
{
    FILE_END_OF_FILE_INFO end = {.EndOfFile.QuadPart = (LONGLONG)size};

    return size <= INT64_MAX && SetFileInformationByHandle(handle, FileEndOfFileInfo, &end, sizeof end);
}

static bool set_writable(HANDLE handle, bool writable)
{
    FILE_BASIC_INFO info;

    if (!GetFileInformationByHandleEx(handle, FileBasicInfo, &info, sizeof info))
        return false;
    DWORD attributes = writable ? info.FileAttributes & ~(DWORD)FILE_ATTRIBUTE_READONLY
                                : info.FileAttributes | FILE_ATTRIBUTE_READONLY;
    /* Of a folder the attribute says something else. */
    if ((attributes & FILE_ATTRIBUTE_DIRECTORY) || attributes == info.FileAttributes)
        return true;
    /* What is zero stays: times, and attributes, too. */
    info = (FILE_BASIC_INFO){.FileAttributes = attributes ? attributes : FILE_ATTRIBUTE_NORMAL};
    return SetFileInformationByHandle(handle, FileBasicInfo, &info, sizeof info);
}

static enum sftp_status set_attributes(HANDLE handle, const struct sftp_attributes *a)
{
    const FILETIME atime = file_time(a->atime), mtime = file_time(a->mtime);
    bool good = true;

    if (a->flags & SFTP_ATTR_UIDGID)
        return SFTP_OP_UNSUPPORTED;
    if (a->flags & SFTP_ATTR_SIZE)
        good = set_size(handle, a->size);
    if (good && (a->flags & SFTP_ATTR_ACMODTIME))
        good = SetFileTime(handle, NULL, &atime, &mtime);
    if (good && (a->flags & SFTP_ATTR_PERMISSIONS))
        good = set_writable(handle, a->permissions & OWNER_MAY_WRITE);
    return result(good);
}

static enum sftp_status stat_handle(HANDLE handle, struct sftp_attributes *a)
{
    BY_HANDLE_FILE_INFORMATION info;

    if (!GetFileInformationByHandle(handle, &info))
        return status_of(GetLastError());
    describe(info.dwFileAttributes, info.nFileSizeHigh, info.nFileSizeLow, info.ftLastAccessTime, info.ftLastWriteTime,
             a);
    return SFTP_OK;
}

/* ---- files ---- */

/* What is a link itself is opened as one, and refused. */
static enum sftp_status open_checked(const wchar_t *path, DWORD access, DWORD how, DWORD flags, HANDLE *handle)
{
    struct sftp_attributes attributes;

    *handle = CreateFileW(path, access, SHARE_ALL, NULL, how, flags | FILE_FLAG_OPEN_REPARSE_POINT, NULL);
    if (*handle == INVALID_HANDLE_VALUE)
        return status_of(GetLastError());
    enum sftp_status status = GetFileType(*handle) == FILE_TYPE_DISK ? stat_handle(*handle, &attributes) : SFTP_FAILURE;
    if (status == SFTP_OK && (attributes.permissions & KIND_LINK) == KIND_LINK)
        status = SFTP_PERMISSION_DENIED;
    if (status != SFTP_OK)
        CloseHandle(*handle);
    return status;
}

/* Truncated only when it is known to be no link. */
static DWORD how_to_open(uint32_t flags)
{
    if ((flags & SFTP_OPEN_CREATE) == 0)
        return OPEN_EXISTING;
    return flags & SFTP_OPEN_EXCLUSIVE ? CREATE_NEW : OPEN_ALWAYS;
}

enum sftp_status nacred_sftp_file_open(const char *path, uint32_t flags, const struct sftp_attributes *attributes,
                                       struct sftp_file **file)
{
    bool read_only = (attributes->flags & SFTP_ATTR_PERMISSIONS) && (attributes->permissions & OWNER_MAY_WRITE) == 0;
    DWORD access = (flags & SFTP_OPEN_READ ? GENERIC_READ : 0) | (flags & SFTP_OPEN_WRITE ? GENERIC_WRITE : 0);
    wchar_t *wide;
    HANDLE handle;
    enum sftp_status status = resolve(path, 0, &wide);

    if (status == SFTP_OK)
        status = open_checked(wide, access, how_to_open(flags),
                              read_only ? FILE_ATTRIBUTE_READONLY : FILE_ATTRIBUTE_NORMAL, &handle);
    if (status != SFTP_OK)
        return status;
    *file = malloc(sizeof **file);
    if (!*file || ((flags & SFTP_OPEN_TRUNCATE) && !set_size(handle, 0))) {
        free(*file);
        *file = NULL;
        CloseHandle(handle);
        return SFTP_FAILURE;
    }
    **file = (struct sftp_file){.handle = handle, .appends = flags & SFTP_OPEN_APPEND};
    return SFTP_OK;
}

void nacred_sftp_file_close(struct sftp_file *file)
{
    CloseHandle(file->handle);
    free(file);
}

static OVERLAPPED at_offset(uint64_t offset)
{
    return (OVERLAPPED){.Offset = (DWORD)offset, .OffsetHigh = (DWORD)(offset >> 32)};
}

enum sftp_status nacred_sftp_file_read(struct sftp_file *file, uint64_t offset, void *at, size_t size, size_t *len)
{
    OVERLAPPED where = at_offset(offset);
    DWORD n = 0;

    if (offset > INT64_MAX - size)
        return SFTP_EOF;
    if (!ReadFile(file->handle, at, (DWORD)size, &n, &where))
        return GetLastError() == ERROR_HANDLE_EOF ? SFTP_EOF : status_of(GetLastError());
    *len = n;
    return n == 0 && size > 0 ? SFTP_EOF : SFTP_OK;
}

enum sftp_status nacred_sftp_file_write(struct sftp_file *file, uint64_t offset, const void *at, size_t len)
{
    const uint8_t *bytes = at;

    if (offset > INT64_MAX - len)
        return SFTP_FAILURE;
    while (len > 0) {
        OVERLAPPED where = at_offset(file->appends ? UINT64_MAX : offset); /* all ones: the end */
        DWORD n = 0;

        if (!WriteFile(file->handle, bytes, (DWORD)len, &n, &where))
            return status_of(GetLastError());
        bytes += n;
        len -= n;
        offset += n;
    }
    return SFTP_OK;
}

enum sftp_status nacred_sftp_file_stat(struct sftp_file *file, struct sftp_attributes *attributes)
{
    return stat_handle(file->handle, attributes);
}

enum sftp_status nacred_sftp_file_set(struct sftp_file *file, const struct sftp_attributes *attributes)
{
    return set_attributes(file->handle, attributes);
}

enum sftp_status nacred_sftp_file_sync(struct sftp_file *file)
{
    return result(FlushFileBuffers(file->handle));
}

/* ---- folders ---- */

/* Where there is nothing, not even "." and "..", as in the empty root of a drive, the search finds no file. */
static enum sftp_status status_of_search(bool found)
{
    DWORD error = found ? 0 : GetLastError();

    if (error == ERROR_NO_MORE_FILES || error == ERROR_FILE_NOT_FOUND)
        return SFTP_EOF;
    return found ? SFTP_OK : status_of(error);
}

enum sftp_status nacred_sftp_folder_open(const char *path, struct sftp_folder **folder)
{
    wchar_t *wide;
    enum sftp_status status = resolve(path, 0, &wide);

    if (status == SFTP_OK && path[1])
        status = check_folder(wide);
    if (status != SFTP_OK)
        return status;
    *folder = malloc(sizeof **folder);
    if (!*folder)
        return SFTP_FAILURE;
    wcscat(wide, wide[wcslen(wide) - 1] == L'\\' ? L"*" : L"\\*");
    (*folder)->search = FindFirstFileW(wide, &(*folder)->data);
    (*folder)->next = status = status_of_search((*folder)->search != INVALID_HANDLE_VALUE);
    if (status == SFTP_OK || status == SFTP_EOF)
        return SFTP_OK;
    free(*folder);
    *folder = NULL;
    return status;
}

void nacred_sftp_folder_close(struct sftp_folder *folder)
{
    if (folder->search != INVALID_HANDLE_VALUE)
        FindClose(folder->search);
    free(folder);
}

static bool is_dots(const wchar_t *name)
{
    return wcscmp(name, L".") == 0 || wcscmp(name, L"..") == 0;
}

/* False: the name is none that a client could ask for. */
static bool take_data(const WIN32_FIND_DATAW *data, char name[SFTP_NAME_MAX + 1], struct sftp_attributes *a)
{
    char *narrow = is_dots(data->cFileName) ? NULL : nacred_narrow(data->cFileName);
    bool good = narrow && strlen(narrow) <= SFTP_NAME_MAX && nacred_sftp_name_is_good(narrow);

    if (good) {
        memcpy(name, narrow, strlen(narrow) + 1);
        describe(data->dwFileAttributes, data->nFileSizeHigh, data->nFileSizeLow, data->ftLastAccessTime,
                 data->ftLastWriteTime, a);
    }
    free(narrow);
    return good;
}

enum sftp_status nacred_sftp_folder_next(struct sftp_folder *folder, char name[SFTP_NAME_MAX + 1],
                                         struct sftp_attributes *attributes)
{
    while (folder->next == SFTP_OK) {
        bool taken = take_data(&folder->data, name, attributes);

        folder->next = status_of_search(FindNextFileW(folder->search, &folder->data));
        if (taken)
            return SFTP_OK;
    }
    return folder->next;
}

/* ---- by path ---- */

enum sftp_status nacred_sftp_stat(const char *path, bool follow, struct sftp_attributes *attributes)
{
    WIN32_FILE_ATTRIBUTE_DATA data;
    wchar_t *wide;
    enum sftp_status status = resolve(path, 0, &wide);

    if (status != SFTP_OK)
        return status;
    if (!GetFileAttributesExW(wide, GetFileExInfoStandard, &data))
        return status_of(GetLastError());
    describe(data.dwFileAttributes, data.nFileSizeHigh, data.nFileSizeLow, data.ftLastAccessTime, data.ftLastWriteTime,
             attributes);
    bool is_link = path[1] && (data.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT);
    return follow && is_link ? SFTP_PERMISSION_DENIED : SFTP_OK;
}

enum sftp_status nacred_sftp_set(const char *path, const struct sftp_attributes *attributes)
{
    DWORD access =
        FILE_READ_ATTRIBUTES | FILE_WRITE_ATTRIBUTES | (attributes->flags & SFTP_ATTR_SIZE ? GENERIC_WRITE : 0);
    wchar_t *wide;
    HANDLE handle;
    enum sftp_status status = resolve(path, 0, &wide);

    if (status == SFTP_OK)
        status = open_checked(wide, access, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, &handle);
    if (status != SFTP_OK)
        return status;
    status = set_attributes(handle, attributes);
    CloseHandle(handle);
    return status;
}

/* A link to a folder is removed as a folder is; what it leads to stays. */
enum sftp_status nacred_sftp_remove(const char *path)
{
    wchar_t *wide;
    enum sftp_status status = resolve(path, 0, &wide);

    if (status != SFTP_OK)
        return status;
    DWORD attributes = GetFileAttributesW(wide);
    if (attributes == INVALID_FILE_ATTRIBUTES)
        return status_of(GetLastError());
    if ((attributes & FILE_ATTRIBUTE_DIRECTORY) == 0)
        return result(DeleteFileW(wide));
    return attributes & FILE_ATTRIBUTE_REPARSE_POINT && path[1] ? result(RemoveDirectoryW(wide)) : SFTP_FAILURE;
}

enum sftp_status nacred_sftp_make_folder(const char *path, const struct sftp_attributes *attributes)
{
    wchar_t *wide;
    enum sftp_status status = resolve(path, 0, &wide);

    (void)attributes; /* a folder has none of them here */
    return status == SFTP_OK ? result(CreateDirectoryW(wide, NULL)) : status;
}

enum sftp_status nacred_sftp_remove_folder(const char *path)
{
    wchar_t *wide;
    enum sftp_status status = resolve(path, 0, &wide);

    if (status == SFTP_OK && !path[1])
        return SFTP_FAILURE;
    return status == SFTP_OK ? result(RemoveDirectoryW(wide)) : status;
}

enum sftp_status nacred_sftp_rename(const char *from, const char *to, bool over)
{
    wchar_t *wide, *new_wide;
    enum sftp_status status = resolve(from, 0, &wide);

    if (status == SFTP_OK)
        status = resolve(to, 1, &new_wide);
    if (status == SFTP_OK && (!from[1] || !to[1]))
        return SFTP_FAILURE;
    return status == SFTP_OK ? result(MoveFileExW(wide, new_wide, over ? MOVEFILE_REPLACE_EXISTING : 0)) : status;
}

/* ---- the client ---- */

size_t nacred_sftp_receive(void *at, size_t size)
{
    DWORD n = 0;

    return ReadFile(GetStdHandle(STD_INPUT_HANDLE), at, (DWORD)size, &n, NULL) ? n : 0;
}

bool nacred_sftp_send(const void *at, size_t len)
{
    const uint8_t *bytes = at;

    while (len > 0) {
        DWORD n = 0;

        if (!WriteFile(GetStdHandle(STD_OUTPUT_HANDLE), bytes, (DWORD)len, &n, NULL))
            return false;
        bytes += n;
        len -= n;
    }
    return true;
}
