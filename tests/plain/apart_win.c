/* SPDX-License-Identifier: Apache-2.0 */
/* A process for each test: this program, started anew. */
#include <windows.h>

#include "runner.h"

/* A crash ends the process with its code; no debugger is asked. */
static LONG WINAPI crashed(EXCEPTION_POINTERS *e)
{
    fprintf(stderr, "exception %08lx at %p\n", e->ExceptionRecord->ExceptionCode, e->ExceptionRecord->ExceptionAddress);
    return EXCEPTION_EXECUTE_HANDLER;
}

__attribute__((constructor)) static void end_at_crashes(void)
{
    (void)SetUnhandledExceptionFilter(crashed);
}

/* Wine's desktop begins with the first window and ends with the last, and a process that comes while it ends gets no
 * window: this one stays until all tests are over. */
static void hold_desktop(void)
{
    static HWND held;
    for (int i = 0; i < 50 && held == NULL; i++) {
        held = CreateWindowExW(0, L"STATIC", NULL, 0, 0, 0, 0, 0, HWND_MESSAGE, NULL, NULL, NULL);
        if (held == NULL)
            Sleep(100);
    }
}

intptr_t plain_begin(const struct plain_test *test, size_t number)
{
    wchar_t program[MAX_PATH];
    char line[1024];
    wchar_t wide[1024];
    STARTUPINFOW how = {.cb = sizeof how};
    PROCESS_INFORMATION made;
    fflush(NULL);
    hold_desktop();
    if (GetModuleFileNameW(NULL, program, MAX_PATH) == 0)
        return -1;
    snprintf(line, sizeof line, "test --one %s::%s %u", test->suite, test->name, (unsigned)number);
    for (size_t i = 0; i == 0 || line[i - 1] != 0; i++)
        wide[i] = (wchar_t)(unsigned char)line[i];
    if (!CreateProcessW(program, wide, NULL, NULL, TRUE, 0, NULL, NULL, &how, &made))
        return -1;
    (void)CloseHandle(made.hThread);
    return (intptr_t)made.hProcess;
}

int plain_end(intptr_t process, unsigned seconds)
{
    HANDLE h = (HANDLE)process;
    DWORD end = PLAIN_FAILED;
    if (WaitForSingleObject(h, seconds * 1000) != WAIT_OBJECT_0)
        (void)TerminateProcess(h, PLAIN_FAILED);
    (void)WaitForSingleObject(h, INFINITE);
    (void)GetExitCodeProcess(h, &end);
    (void)CloseHandle(h);
    return (int)end;
}
