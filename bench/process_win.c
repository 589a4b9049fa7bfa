/* SPDX-License-Identifier: Apache-2.0 */
/* A process is told by its first argument which handle leads to its note, a page of memory that has its duty and the
 * socket that was duplicated for it. It inherits that handle, that of the shared memory and no other. */
#include "process.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "measured.h"
#include "net.h"
/* winsock2.h stands before windows.h, or the older winsock.h comes with it. */
#include <windows.h>

enum {
    LINE_MAX = 32767, /* of a command line, in characters */
    INHERITED = 2
};

static const char mark[] = "--duty=";

struct note {
    struct duty duty;
    HANDLE memory; /* NULL: none is shared */
    WSAPROTOCOL_INFOW channel;
};

static HANDLE memory;
static void *shared;

/* A piece of memory that processes inherit by its handle. */
static HANDLE make_memory(size_t size, void **at)
{
    SECURITY_ATTRIBUTES inherited = {.nLength = sizeof inherited, .bInheritHandle = TRUE};
    HANDLE made = CreateFileMappingW(INVALID_HANDLE_VALUE, &inherited, PAGE_READWRITE, (DWORD)((uint64_t)size >> 32),
                                     (DWORD)size, NULL);
    *at = made == NULL ? NULL : MapViewOfFile(made, FILE_MAP_ALL_ACCESS, 0, 0, 0);
    if (*at == NULL && made != NULL)
        CloseHandle(made);
    return *at == NULL ? NULL : made;
}

void *bench_process_share(size_t size)
{
    memory = make_memory(size, &shared);
    return shared;
}

/* ---- in the process that is started ---------------------------------------------------------------------------- */

static bool take_note(HANDLE handle, struct duty *duty)
{
    struct note *n = MapViewOfFile(handle, FILE_MAP_ALL_ACCESS, 0, 0, 0);
    u_long on = 1;
    if (n == NULL)
        return false;
    *duty = n->duty;
    duty->channel = WSASocketW(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &n->channel, 0,
                               WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
    duty->shared = n->memory == NULL ? NULL : MapViewOfFile(n->memory, FILE_MAP_ALL_ACCESS, 0, 0, 0);
    bool good = duty->channel != IO_NO_SOCKET && ioctlsocket(duty->channel, (long)FIONBIO, &on) == 0 &&
                (n->memory == NULL || duty->shared != NULL);
    UnmapViewOfFile(n);
    CloseHandle(handle);
    return good;
}

enum process_kind bench_process_begin(int *argc, char ***argv, struct duty *duty)
{
    char **all = *argv;
    if (*argc < 2 || strncmp(all[1], mark, sizeof mark - 1) != 0)
        return PROCESS_FIRST;
    HANDLE handle = (HANDLE)(uintptr_t)strtoull(all[1] + sizeof mark - 1, NULL, 16);
    all[1] = all[0];
    *argv = all + 1;
    (*argc)--;
    return take_note(handle, duty) ? PROCESS_STARTED : PROCESS_BROKEN;
}

/* ---- in the process that starts it ----------------------------------------------------------------------------- */

/* What stands behind the program's name, which has no quotation marks in it. */
static const wchar_t *arguments(void)
{
    const wchar_t *at = GetCommandLineW();
    if (*at == L'"')
        at = wcschr(at + 1, L'"');
    else
        at += wcscspn(at, L" \t");
    return at == NULL ? L"" : at + (*at == L'"');
}

static bool write_line(wchar_t *program, wchar_t *line, HANDLE note)
{
    DWORD len = GetModuleFileNameW(NULL, program, LINE_MAX);
    if (len == 0 || len >= LINE_MAX)
        return false;
    int written = swprintf(line, LINE_MAX, L"\"%ls\" %hs%llx%ls", program, mark, (unsigned long long)(uintptr_t)note,
                           arguments());
    return written > 0;
}

static LPPROC_THREAD_ATTRIBUTE_LIST make_attributes(HANDLE *handles, unsigned count)
{
    SIZE_T size = 0;
    InitializeProcThreadAttributeList(NULL, 1, 0, &size);
    LPPROC_THREAD_ATTRIBUTE_LIST list = malloc(size);
    if (list == NULL || !InitializeProcThreadAttributeList(list, 1, 0, &size)) {
        free(list);
        return NULL;
    }
    if (UpdateProcThreadAttribute(list, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST, handles, count * sizeof *handles, NULL,
                                  NULL))
        return list;
    DeleteProcThreadAttributeList(list);
    free(list);
    return NULL;
}

static bool create(wchar_t *program, wchar_t *line, HANDLE note, PROCESS_INFORMATION *info)
{
    HANDLE inherited[INHERITED] = {note, memory};
    STARTUPINFOEXW startup = {.StartupInfo = {.cb = sizeof startup},
                              .lpAttributeList = make_attributes(inherited, memory == NULL ? 1 : INHERITED)};
    if (startup.lpAttributeList == NULL)
        return false;
    bool made = CreateProcessW(program, line, NULL, NULL, TRUE, CREATE_SUSPENDED | EXTENDED_STARTUPINFO_PRESENT, NULL,
                               NULL, &startup.StartupInfo, info) != 0;
    DWORD error = GetLastError();
    DeleteProcThreadAttributeList(startup.lpAttributeList);
    free(startup.lpAttributeList);
    SetLastError(error);
    return made;
}

/* Hands its end of the channel to the process, which has not run yet. */
static bool launch(struct process *p, struct note *n, HANDLE note, plat_socket theirs)
{
    PROCESS_INFORMATION info;
    wchar_t *texts = malloc(2 * LINE_MAX * sizeof *texts);
    bool made =
        texts != NULL && write_line(texts, texts + LINE_MAX, note) && create(texts, texts + LINE_MAX, note, &info);
    DWORD error = GetLastError();
    free(texts);
    SetLastError(error);
    if (!made)
        return false;
    *p = (struct process){.id = (intptr_t)info.hProcess, .thread = (intptr_t)info.hThread, .channel = p->channel};
    if (WSADuplicateSocketW(theirs, info.dwProcessId, &n->channel) == 0 && ResumeThread(info.hThread) != (DWORD)-1)
        return true;
    error = GetLastError();
    TerminateProcess(info.hProcess, 1);
    CloseHandle(info.hThread);
    CloseHandle(info.hProcess);
    SetLastError(error);
    return false;
}

bool bench_process_start(struct process *p, const struct duty *duty, int (*run)(const struct duty *duty, void *context),
                         void *context)
{
    plat_socket ends[2];
    void *at;
    (void)run; /* main() finds it by the duty */
    (void)context;
    if (!bench_net_pair(ends))
        return false;
    HANDLE note = make_memory(sizeof(struct note), &at);
    p->channel = ends[0];
    if (note != NULL)
        *(struct note *)at = (struct note){.duty = *duty, .memory = memory};
    bool started = note != NULL && launch(p, at, note, ends[1]);
    DWORD error = GetLastError();
    if (note != NULL) {
        UnmapViewOfFile(at);
        CloseHandle(note);
    }
    nacre_sock_close(ends[1]);
    if (!started)
        nacre_sock_close(ends[0]);
    SetLastError(error);
    return started;
}

/* ---- what it has used ------------------------------------------------------------------------------------------ */

static uint64_t ticks_of(FILETIME t)
{
    return (uint64_t)t.dwHighDateTime << 32 | t.dwLowDateTime;
}

/* Its thread's, not its own: the same, and Wine knows the times of other processes' threads alone. */
double bench_process_cpu(const struct process *p)
{
    FILETIME begun, ended, kernel, user;
    if (!GetThreadTimes((HANDLE)p->thread, &begun, &ended, &kernel, &user))
        return NAN;
    return (double)(ticks_of(kernel) + ticks_of(user)) / 1e7;
}

bool bench_process_finish(struct process *p, double *cpu_seconds)
{
    DWORD code = 1;
    (void)WaitForSingleObject((HANDLE)p->id, INFINITE);
    bool known = GetExitCodeProcess((HANDLE)p->id, &code) != 0;
    double cpu = bench_process_cpu(p);
    *cpu_seconds += is_measured(cpu) ? cpu : 0;
    CloseHandle((HANDLE)p->thread);
    CloseHandle((HANDLE)p->id);
    nacre_sock_close(p->channel);
    p->channel = IO_NO_SOCKET;
    return known && code == 0;
}

void bench_process_step_back(void)
{
    (void)SetPriorityClass(GetCurrentProcess(), IDLE_PRIORITY_CLASS);
}

void bench_processors_halve(struct processors *before, bool upper)
{
    DWORD_PTR all = 0, machine = 0, half = 0;
    unsigned count = 0, seen = 0;
    (void)GetProcessAffinityMask(GetCurrentProcess(), &all, &machine);
    memcpy(before->set, &all, sizeof all);
    for (DWORD_PTR left = all; left != 0; left &= left - 1)
        count++;
    for (DWORD_PTR left = all; left != 0; left &= left - 1)
        if ((seen++ < count / 2) != upper)
            half |= left & (~left + 1);
    if (count >= 2)
        (void)SetProcessAffinityMask(GetCurrentProcess(), half);
}

void bench_processors_restore(const struct processors *before)
{
    DWORD_PTR all;
    memcpy(&all, before->set, sizeof all);
    (void)SetProcessAffinityMask(GetCurrentProcess(), all);
}
