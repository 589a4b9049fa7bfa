/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets: names of files. */
#include <winsock2.h>
/* winsock2.h stands before windows.h, or the older winsock.h comes with it. */
#include <windows.h>

#include <criterion/criterion.h>

#include "engine/sock.h"

static void make_file(const wchar_t *name)
{
    HANDLE file = CreateFileW(name, GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, FILE_ATTRIBUTE_NORMAL, NULL);
    cr_assert_neq(file, INVALID_HANDLE_VALUE);
    (void)CloseHandle(file);
}

/* The system binds to them as UTF-8; read in its code page the bytes are another file's name. */
Test(engine_sock_win, paths_of_unix_sockets_that_are_removed_are_utf8)
{
    make_file(L"stra\u00dfe.sock");
    make_file(L"stra\u00c3\u0178e.sock");
    nacre_sock_unlink("stra\xc3\x9f"
                      "e.sock");
    cr_expect_eq(GetFileAttributesW(L"stra\u00dfe.sock"), INVALID_FILE_ATTRIBUTES);
    cr_expect_neq(GetFileAttributesW(L"stra\u00c3\u0178e.sock"), INVALID_FILE_ATTRIBUTES);
    (void)DeleteFileW(L"stra\u00dfe.sock");
    (void)DeleteFileW(L"stra\u00c3\u0178e.sock");
    nacre_sock_unlink("\xff");
}
