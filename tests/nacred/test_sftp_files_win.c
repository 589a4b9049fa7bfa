/* SPDX-License-Identifier: Apache-2.0 */
/* Files of SFTP's clients on Windows: what the file systems of the machine that tests it do not do by themselves. */
#include <windows.h>

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "sftp_files.h"
#include "support/divert_win.h"

extern any_function __imp_FindFirstFileW, __imp_FindNextFileW, __imp_GetFileInformationByHandleEx,
    __imp_SetFileInformationByHandle;

enum {
    ROOT_MAX = 64
};

/* A folder of the test's own is what clients see. */
static void open_root(char path[ROOT_MAX])
{
    snprintf(path, ROOT_MAX, "sftp-%lu-%lu", GetCurrentProcessId(), GetTickCount());
    cr_assert(CreateDirectoryA(path, NULL));
    cr_assert(nacred_sftp_files_open_root(path));
}

static void make_file(const char *path)
{
    const struct sftp_attributes none = {.flags = 0};
    struct sftp_file *file;
    cr_assert_eq(nacred_sftp_file_open(path, SFTP_OPEN_WRITE | SFTP_OPEN_CREATE, &none, &file), SFTP_OK);
    nacred_sftp_file_close(file);
}

/* ---- folders ---- */

static HANDLE WINAPI find_nothing(LPCWSTR pattern, LPWIN32_FIND_DATAW data)
{
    (void)pattern, (void)data;
    SetLastError(ERROR_FILE_NOT_FOUND);
    return INVALID_HANDLE_VALUE;
}

/* Every other folder has "." and ".." at least. */
Test(nacred_sftp_files_win, the_root_of_a_drive_without_files_is_an_empty_folder)
{
    char root[ROOT_MAX], name[SFTP_NAME_MAX + 1];
    struct sftp_attributes attributes;
    struct sftp_folder *folder;
    open_root(root);
    any_function kept = divert(&__imp_FindFirstFileW, (any_function)find_nothing);
    enum sftp_status opened = nacred_sftp_folder_open("/", &folder);
    (void)divert(&__imp_FindFirstFileW, kept);
    cr_expect_eq(RemoveDirectoryA(root), TRUE);
    cr_assert_eq(opened, SFTP_OK);
    for (int i = 0; i < 2; i++)
        cr_expect_eq(nacred_sftp_folder_next(folder, name, &attributes), SFTP_EOF);
    nacred_sftp_folder_close(folder);
}

static BOOL WINAPI lose_share(HANDLE search, LPWIN32_FIND_DATAW data)
{
    (void)search, (void)data;
    SetLastError(ERROR_NETNAME_DELETED);
    return FALSE;
}

/* Else a client that mirrors the folder would delete what it was not told of. */
Test(nacred_sftp_files_win, a_list_that_breaks_off_does_not_end)
{
    char root[ROOT_MAX], name[SFTP_NAME_MAX + 1];
    struct sftp_attributes attributes;
    struct sftp_folder *folder;
    open_root(root);
    make_file("/file");
    cr_assert_eq(nacred_sftp_folder_open("/", &folder), SFTP_OK);
    any_function kept = divert(&__imp_FindNextFileW, (any_function)lose_share);
    for (int i = 0; i < 2; i++)
        cr_expect_eq(nacred_sftp_folder_next(folder, name, &attributes), SFTP_FAILURE);
    (void)divert(&__imp_FindNextFileW, kept);
    nacred_sftp_folder_close(folder);
    cr_expect_eq(nacred_sftp_remove("/file"), SFTP_OK);
    cr_expect_eq(RemoveDirectoryA(root), TRUE);
}

/* ---- attributes ---- */

static DWORD set_attributes;

static BOOL WINAPI say_read_only(HANDLE file, FILE_INFO_BY_HANDLE_CLASS kind, LPVOID to, DWORD size)
{
    (void)file, (void)size;
    cr_assert_eq(kind, FileBasicInfo);
    *(FILE_BASIC_INFO *)to = (FILE_BASIC_INFO){.FileAttributes = FILE_ATTRIBUTE_READONLY};
    return TRUE;
}

static BOOL WINAPI take_attributes(HANDLE file, FILE_INFO_BY_HANDLE_CLASS kind, LPVOID from, DWORD size)
{
    (void)file, (void)size;
    cr_assert_eq(kind, FileBasicInfo);
    set_attributes = ((const FILE_BASIC_INFO *)from)->FileAttributes;
    return TRUE;
}

/* No attributes at all mean to the system that they stay as they are. */
Test(nacred_sftp_files_win, a_file_that_is_nothing_but_read_only_can_be_made_writable)
{
    const struct sftp_attributes writable = {.flags = SFTP_ATTR_PERMISSIONS, .permissions = 0644};
    char root[ROOT_MAX];
    open_root(root);
    make_file("/file");
    any_function get = divert(&__imp_GetFileInformationByHandleEx, (any_function)say_read_only);
    any_function set = divert(&__imp_SetFileInformationByHandle, (any_function)take_attributes);
    cr_expect_eq(nacred_sftp_set("/file", &writable), SFTP_OK);
    (void)divert(&__imp_GetFileInformationByHandleEx, get);
    (void)divert(&__imp_SetFileInformationByHandle, set);
    cr_expect_eq(set_attributes, FILE_ATTRIBUTE_NORMAL);
    cr_expect_eq(nacred_sftp_remove("/file"), SFTP_OK);
    cr_expect_eq(RemoveDirectoryA(root), TRUE);
}
