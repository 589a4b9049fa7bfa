/* SPDX-License-Identifier: Apache-2.0 */
/* What programs find as their standard handles on Windows. */
#include <windows.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "child.h"
#include "support/divert_win.h"

extern any_function __imp_CreateProcessW;

static DWORD access[3];
static wchar_t block[64];

/* Wine lets a handle be asked whatever its rights are: those are looked at. */
static DWORD access_of(HANDLE handle)
{
    struct {
        ULONG attributes;
        ACCESS_MASK granted;
        ULONG others[12];
    } info = {0};
    LONG(WINAPI * query)(HANDLE, ULONG, PVOID, ULONG, PULONG);
    FARPROC found = GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "NtQueryObject");
    memcpy(&query, &found, sizeof query);
    cr_assert_eq(query(handle, 0, &info, sizeof info, NULL), 0);
    return info.granted;
}

/* Looks at what the program would have, and starts none. */
static BOOL WINAPI look(LPCWSTR program, LPWSTR line, LPSECURITY_ATTRIBUTES process, LPSECURITY_ATTRIBUTES thread,
                        BOOL inherit, DWORD flags, LPVOID environment, LPCWSTR folder, LPSTARTUPINFOW startup,
                        LPPROCESS_INFORMATION info)
{
    const HANDLE handles[3] = {startup->hStdInput, startup->hStdOutput, startup->hStdError};
    (void)program, (void)line, (void)process, (void)thread, (void)inherit, (void)flags, (void)environment, (void)folder,
        (void)info;
    for (int i = 0; i < 3; i++)
        access[i] = access_of(handles[i]);
    const wchar_t *at = environment;
    for (size_t i = 0; i + 2 < sizeof block / sizeof *block && (at[i] != 0 || at[i + 1] != 0); i++)
        block[i] = at[i];
    SetLastError(ERROR_FILE_NOT_FOUND);
    return FALSE;
}

/* Nothing starts; what would have is left in `access` and `block`. */
static void look_at(char *const *environment)
{
    const struct child_plan plan = {
        .program = "C:\\nothing.exe", .line = "nothing", .environment = environment, .folder = "C:\\"};
    struct watch watches[4] = {{.fd = -1}, {.fd = -1}, {.fd = -1}, {.fd = -1}};
    const struct child_ends ends = {&watches[0], &watches[1], &watches[2], &watches[3]};
    struct process process;
    struct loop loop;
    cr_assert(nacred_loop_open(&loop));
    any_function kept = divert(&__imp_CreateProcessW, (any_function)look);
    bool started = nacred_child_start(&loop, &process, &ends, &plan);
    (void)divert(&__imp_CreateProcessW, kept);
    cr_expect(!started && errno == ENOENT);
    nacred_loop_close(&loop);
}

/* "Remarks" of GetNamedPipeInfo() and of SetNamedPipeHandleState(): one that is written needs the right to read
 * attributes, one that is read the right to write them. Both ends of CreatePipe(), which programs are used to, have it.
 */
Test(nacred_child_win, a_program_may_ask_what_its_pipes_are_and_set_how_they_are_used)
{
    char *environment[] = {NULL};
    const DWORD both = FILE_READ_ATTRIBUTES | FILE_WRITE_ATTRIBUTES;
    look_at(environment);
    for (int i = 0; i < 3; i++)
        cr_expect_eq(access[i] & both, both, "handle %d: rights %lx", i, access[i]);
}

/* "Remarks" of CreateProcessW() and "Changing Environment Variables": by name, as capital letters. */
Test(nacred_child_win, variables_are_in_the_order_that_the_system_wants)
{
    static const wchar_t wanted[] = L"A=4\0a1=3\0AB=1\0A_B=2\0";
    char a[] = "a1=3", b[] = "A_B=2", c[] = "AB=1", d[] = "A=4";
    char *environment[] = {a, b, c, d, NULL};
    look_at(environment);
    cr_expect_eq(memcmp(block, wanted, sizeof wanted), 0);
}
