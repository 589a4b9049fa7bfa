/* SPDX-License-Identifier: Apache-2.0 */
/* What is said about files that cannot be read. */
#include <winsock2.h>
/* winsock2.h stands before windows.h, or the older winsock.h comes with it. */
#include <windows.h>

#include <criterion/criterion.h>
#include <stdarg.h>
#include <string.h>

#include "keys/container.h"
#include "support/divert_win.h"

extern any_function __imp_FormatMessageA, __imp_FormatMessageW;

/* A system that speaks German, with the Windows-1252 code page. */
static DWORD WINAPI say_narrow(DWORD flags, LPCVOID source, DWORD message, DWORD language, LPSTR to, DWORD size,
                               va_list *arguments)
{
    (void)flags, (void)source, (void)message, (void)language, (void)size, (void)arguments;
    static const char said[] = "F\xfcnf.\r\n";
    memcpy(to, said, sizeof said);
    return sizeof said - 1;
}

static DWORD WINAPI say_wide(DWORD flags, LPCVOID source, DWORD message, DWORD language, LPWSTR to, DWORD size,
                             va_list *arguments)
{
    (void)flags, (void)source, (void)message, (void)language, (void)size, (void)arguments;
    static const wchar_t said[] = L"F\u00fcnf.\r\n";
    memcpy(to, said, sizeof said);
    return sizeof said / sizeof *said - 1;
}

Test(keys_file_win, what_the_system_says_is_told_in_utf8)
{
    char why[256];
    struct buf out = {.max = 100};
    struct container k = {.name = "'nowhere'", .why = why, .why_size = sizeof why};
    any_function narrow = divert(&__imp_FormatMessageA, (any_function)say_narrow);
    any_function wide = divert(&__imp_FormatMessageW, (any_function)say_wide);
    cr_expect_eq(nacre_file_read(&k, span_str("nowhere/nothing"), &out), NACRE_E_KEY);
    (void)divert(&__imp_FormatMessageA, narrow);
    (void)divert(&__imp_FormatMessageW, wide);
    cr_expect_not_null(strstr(why, "cannot be read: F\xc3\xbcnf."), "%s", why);
    nacre_buf_free(&out);
}
