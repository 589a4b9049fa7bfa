/* SPDX-License-Identifier: Apache-2.0 */
/* What ends nacred on Windows. */
#include <windows.h>

#include <criterion/criterion.h>

#include "ending.h"
#include "support/divert_win.h"

extern any_function __imp_SetConsoleCtrlHandler;

static struct loop loop;
static struct ending ending;

static void open_ending(void)
{
    cr_assert(nacred_loop_open(&loop));
    cr_assert(nacred_ending_open(&ending, &loop));
}

static void close_ending(void)
{
    nacred_ending_close(&ending);
    nacred_loop_close(&loop);
}

static void wait_for_wishes(int count)
{
    while (ending_wishes(&ending) < count)
        nacred_loop_run_once(&loop, 60000);
    cr_assert_eq(ending_wishes(&ending), count);
}

static bool may_have_windows(void)
{
    HWND window = CreateWindowExW(0, L"STATIC", NULL, 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL);
    return window != NULL && DestroyWindow(window);
}

static BOOL CALLBACK take_own(HWND window, LPARAM to)
{
    wchar_t class[16];
    DWORD process = 0;
    (void)GetWindowThreadProcessId(window, &process);
    if (process == GetCurrentProcessId() && GetClassNameW(window, class, 16) != 0 && wcscmp(class, L"nacred") == 0)
        *(HWND *)to = window;
    return TRUE;
}

/* As a session ends: every program is asked, and then all are told whether it does. */
Test(nacred_ending_win, a_log_off_or_a_shutdown_is_a_wish_and_is_answered_when_all_is_over)
{
    HWND window = NULL;
    DWORD_PTR answer = 0;
    if (!may_have_windows())
        cr_skip_test("there is no screen: Wine makes no windows");
    open_ending();
    (void)EnumWindows(take_own, (LPARAM)&window);
    cr_assert_not_null(window);
    cr_expect_eq(IsWindowVisible(window), FALSE);
    cr_assert_neq(SendMessageTimeoutW(window, WM_QUERYENDSESSION, 0, 0, SMTO_NORMAL, 60000, &answer), 0);
    cr_expect_eq(answer, TRUE);
    cr_assert_neq(SendMessageTimeoutW(window, WM_ENDSESSION, FALSE, 0, SMTO_NORMAL, 60000, &answer), 0);
    cr_expect_eq(ending_wishes(&ending), 0);
    cr_assert(SendNotifyMessageW(window, WM_CLOSE, 0, 0));
    wait_for_wishes(1);
    cr_assert(SendNotifyMessageW(window, WM_ENDSESSION, TRUE, 0));
    wait_for_wishes(2);
    cr_expect_eq(SendMessageTimeoutW(window, WM_NULL, 0, 0, SMTO_NORMAL, 100, &answer), 0);
    close_ending();
    cr_expect_eq(IsWindow(window), FALSE);
}

static PHANDLER_ROUTINE handler;

static BOOL WINAPI take_handler(PHANDLER_ROUTINE given, BOOL add)
{
    handler = add ? given : handler;
    return TRUE;
}

Test(nacred_ending_win, another_users_log_off_does_not_end_a_service)
{
    any_function kept = divert(&__imp_SetConsoleCtrlHandler, (any_function)take_handler);
    open_ending();
    cr_expect_eq(handler(CTRL_LOGOFF_EVENT), TRUE);
    cr_expect_eq(ending_wishes(&ending), 0);
    cr_expect_eq(handler(CTRL_BREAK_EVENT), TRUE);
    wait_for_wishes(1);
    close_ending();
    (void)divert(&__imp_SetConsoleCtrlHandler, kept);
}
