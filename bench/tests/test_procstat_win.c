/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <windows.h>

#include "procstat.h"

enum {
    MORE = 50
};

Test(procstat, knows_this_process)
{
    struct procstat before, after;
    HANDLE events[MORE];
    cr_assert(bench_procstat_read((int32_t)GetCurrentProcessId(), true, &before));
    cr_assert_eq(before.processes, 1);
    cr_assert(before.threads >= 1 && before.unreadable == 0);
    cr_assert(before.rss_bytes > 0 && before.pss_bytes == PROCSTAT_UNKNOWN);
    for (unsigned i = 0; i < MORE; i++)
        events[i] = CreateEventW(NULL, TRUE, FALSE, NULL);
    cr_assert(bench_procstat_read((int32_t)GetCurrentProcessId(), false, &after));
    cr_assert(after.cpu_seconds >= before.cpu_seconds);
    cr_assert(after.handles >= before.handles + MORE || after.handles == 0, "Wine 8 counts no handles");
    for (unsigned i = 0; i < MORE; i++)
        CloseHandle(events[i]);
}

Test(procstat, adds_up_descendants)
{
    struct procstat before, during, after;
    wchar_t line[] = L"cmd.exe"; /* which never begins */
    STARTUPINFOW startup = {.cb = sizeof startup};
    PROCESS_INFORMATION child;
    cr_assert(bench_procstat_read((int32_t)GetCurrentProcessId(), true, &before));
    cr_assert(CreateProcessW(NULL, line, NULL, NULL, FALSE, CREATE_NO_WINDOW | CREATE_SUSPENDED, NULL, NULL, &startup,
                             &child));
    cr_assert(bench_procstat_read((int32_t)GetCurrentProcessId(), true, &during));
    cr_assert(during.processes > before.processes && during.threads > before.threads);

    cr_assert(TerminateProcess(child.hProcess, 0));
    cr_assert_eq(WaitForSingleObject(child.hProcess, INFINITE), WAIT_OBJECT_0);
    CloseHandle(child.hThread);
    CloseHandle(child.hProcess);
    cr_assert(bench_procstat_read((int32_t)GetCurrentProcessId(), false, &after));
    cr_assert_eq(after.processes, before.processes);
}

Test(procstat, knows_who_is_not_there)
{
    struct procstat s;
    cr_assert_not(bench_procstat_read(INT32_MAX, true, &s));
}
