/* SPDX-License-Identifier: Apache-2.0 */
/* Our ends of the pipes are overlapped and named, as anonymous ones cannot be overlapped; the child's are not. A child
 * inherits its three handles and no other, and is put into its job before its first instruction. */
#include "child.h"

#include <windows.h>

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "source_win.h"
#include "system.h"
#include "wide_win.h"

enum {
    PIPE_BYTES = 64 * 1024,
    ENDS = 3,
    NAME_BYTES = 64,
};

/* ---- pipes ---- */

struct pipes {
    HANDLE theirs[ENDS];
    HANDLE ours[ENDS];
};

static void close_all(HANDLE *handles)
{
    for (int i = 0; i < ENDS; i++)
        if (handles[i] != INVALID_HANDLE_VALUE)
            CloseHandle(handles[i]);
}

static bool make_name(wchar_t name[NAME_BYTES])
{
    uint64_t random[2];

    if (!nacred_random(random, sizeof random))
        return false;
    swprintf(name, NAME_BYTES, L"\\\\.\\pipe\\nacred-%016llx%016llx", (unsigned long long)random[0],
             (unsigned long long)random[1]);
    return true;
}

static bool open_pipe(struct pipes *pipes, int which)
{
    SECURITY_ATTRIBUTES inherited = {.nLength = sizeof inherited, .bInheritHandle = TRUE};
    bool is_input = which == 0;
    wchar_t name[NAME_BYTES];

    if (!make_name(name))
        return false;
    pipes->ours[which] = CreateNamedPipeW(name,
                                          (is_input ? PIPE_ACCESS_OUTBOUND : PIPE_ACCESS_INBOUND) |
                                              FILE_FLAG_OVERLAPPED | FILE_FLAG_FIRST_PIPE_INSTANCE,
                                          PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS,
                                          1, PIPE_BYTES, PIPE_BYTES, 0, NULL);
    if (pipes->ours[which] == INVALID_HANDLE_VALUE)
        return false;
    /* As CreatePipe() has it: who reads may also set how the pipe is read. */
    pipes->theirs[which] =
        CreateFileW(name, is_input ? GENERIC_READ | FILE_WRITE_ATTRIBUTES : GENERIC_WRITE, 0, &inherited, OPEN_EXISTING,
                    SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION, NULL);
    return pipes->theirs[which] != INVALID_HANDLE_VALUE;
}

static bool open_pipes(struct pipes *pipes)
{
    for (int i = 0; i < ENDS; i++)
        pipes->theirs[i] = pipes->ours[i] = INVALID_HANDLE_VALUE;
    for (int i = 0; i < ENDS; i++)
        if (!open_pipe(pipes, i))
            return false;
    return true;
}

/* ---- the environment: sorted, each with a NUL behind it, and one more at the end ---- */

/* Names end at "=", are ASCII (environment.c), and count as if in capitals: "_" comes behind the letters. */
static int place_of(char c)
{
    return c == '=' ? 0 : toupper((unsigned char)c);
}

static int by_name(const void *a, const void *b)
{
    const char *x = *(char *const *)a, *y = *(char *const *)b;

    while (*x != '=' && place_of(*x) == place_of(*y)) {
        x++;
        y++;
    }
    return place_of(*x) - place_of(*y);
}

static wchar_t *join_environment(char **sorted, size_t count)
{
    size_t bytes = 2, used = 0;

    for (size_t i = 0; i < count; i++)
        bytes += strlen(sorted[i]) + 1; /* no fewer than its characters in UTF-16 */
    wchar_t *block = calloc(bytes, sizeof *block);
    for (size_t i = 0; block && i < count; i++) {
        wchar_t *wide = nacred_wide(sorted[i]);

        if (!wide) {
            free(block);
            return NULL;
        }
        wcscpy(block + used, wide);
        used += wcslen(wide) + 1;
        free(wide);
    }
    return block;
}

static wchar_t *make_environment(char *const *environment)
{
    size_t count = 0;

    while (environment[count])
        count++;
    char **sorted = calloc(count + 1, sizeof *sorted);
    if (!sorted)
        return NULL;
    memcpy(sorted, environment, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, by_name);
    wchar_t *block = join_environment(sorted, count);
    free(sorted);
    return block;
}

/* ---- the process ---- */

struct texts {
    wchar_t *program, *line, *folder, *environment;
};

static bool make_texts(struct texts *texts, const struct child_plan *plan)
{
    texts->program = nacred_wide(plan->program);
    texts->line = nacred_wide(plan->line);
    texts->folder = nacred_wide(plan->folder);
    texts->environment = make_environment(plan->environment);
    return texts->program && texts->line && texts->folder && texts->environment;
}

static void free_texts(struct texts *texts)
{
    free(texts->program);
    free(texts->line);
    free(texts->folder);
    free(texts->environment);
}

static LPPROC_THREAD_ATTRIBUTE_LIST make_attributes(HANDLE *handles)
{
    SIZE_T size = 0;

    InitializeProcThreadAttributeList(NULL, 1, 0, &size);
    LPPROC_THREAD_ATTRIBUTE_LIST list = malloc(size);
    if (!list || !InitializeProcThreadAttributeList(list, 1, 0, &size)) {
        free(list);
        return NULL;
    }
    if (UpdateProcThreadAttribute(list, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST, handles, ENDS * sizeof *handles, NULL,
                                  NULL))
        return list;
    DeleteProcThreadAttributeList(list);
    free(list);
    return NULL;
}

static BOOL create(const struct texts *texts, struct pipes *pipes, PROCESS_INFORMATION *info)
{
    STARTUPINFOEXW startup = {.StartupInfo = {.cb = sizeof startup,
                                              .dwFlags = STARTF_USESTDHANDLES,
                                              .hStdInput = pipes->theirs[0],
                                              .hStdOutput = pipes->theirs[1],
                                              .hStdError = pipes->theirs[2]},
                              .lpAttributeList = make_attributes(pipes->theirs)};

    if (!startup.lpAttributeList)
        return FALSE;
    BOOL created =
        CreateProcessW(texts->program, texts->line, NULL, NULL, TRUE,
                       CREATE_SUSPENDED | CREATE_NO_WINDOW | CREATE_UNICODE_ENVIRONMENT | EXTENDED_STARTUPINFO_PRESENT,
                       texts->environment, texts->folder, &startup.StartupInfo, info);
    DWORD failed = GetLastError();
    DeleteProcThreadAttributeList(startup.lpAttributeList);
    free(startup.lpAttributeList);
    SetLastError(failed);
    return created;
}

static bool spawn(struct process *process, const struct texts *texts, struct pipes *pipes)
{
    PROCESS_INFORMATION info;
    HANDLE job = CreateJobObjectW(NULL, NULL);

    if (!job)
        return false;
    if (!create(texts, pipes, &info)) {
        DWORD failed = GetLastError();
        CloseHandle(job);
        SetLastError(failed);
        return false;
    }
    bool good = AssignProcessToJobObject(job, info.hProcess) && ResumeThread(info.hThread) != (DWORD)-1;
    CloseHandle(info.hThread);
    *process = (struct process){.id = info.dwProcessId, .handle = info.hProcess, .job = job};
    if (good)
        return true;
    TerminateProcess(info.hProcess, 1);
    CloseHandle(info.hProcess);
    CloseHandle(job);
    SetLastError(ERROR_NOT_ENOUGH_MEMORY);
    return false;
}

/* Those that got a source own their handle. */
static bool open_sources(struct loop *loop, const struct process *process, const struct child_ends *ends,
                         struct pipes *pipes)
{
    struct watch *const watches[ENDS] = {ends->input, ends->output, ends->errors};

    for (int i = 0; i < ENDS; i++) {
        if (!nacred_source_open(loop, watches[i], i == 0 ? SOURCE_WRITE : SOURCE_READ, pipes->ours[i]))
            return false;
        pipes->ours[i] = INVALID_HANDLE_VALUE;
    }
    return nacred_source_open(loop, ends->end, SOURCE_PROCESS, process->handle);
}

static void undo(struct loop *loop, struct process *process, const struct child_ends *ends)
{
    struct child_end how;

    nacred_loop_close_watch(loop, ends->input);
    nacred_loop_close_watch(loop, ends->output);
    nacred_loop_close_watch(loop, ends->errors);
    nacred_child_kill(process);
    nacred_child_reap(process, &how, true);
    nacred_child_forget(process);
}

bool nacred_child_start(struct loop *loop, struct process *process, const struct child_ends *ends,
                        const struct child_plan *plan)
{
    struct texts texts = {0};
    struct pipes pipes;
    bool started = open_pipes(&pipes);
    int failed = started ? 0 : nacred_errno_of(GetLastError());

    if (started && !make_texts(&texts, plan)) {
        failed = errno;
        started = false;
    }
    if (started && !spawn(process, &texts, &pipes)) {
        failed = nacred_errno_of(GetLastError());
        started = false;
    }
    free_texts(&texts);
    close_all(pipes.theirs);
    if (started && !open_sources(loop, process, ends, &pipes)) {
        failed = errno;
        started = false;
        undo(loop, process, ends);
    }
    close_all(pipes.ours);
    errno = failed;
    return started;
}

/* ---- its life ---- */

/* With the status that a shell makes of the signal. */
static const struct {
    const char *name;
    UINT status;
} ends_it[] = {{"HUP", 129}, {"INT", 130}, {"QUIT", 131}, {"ABRT", 134}, {"KILL", 137}, {"TERM", 143}};

bool nacred_child_signal(const struct process *process, const char *name)
{
    for (size_t i = 0; i < sizeof ends_it / sizeof *ends_it; i++)
        if (strcmp(ends_it[i].name, name) == 0)
            return TerminateJobObject(process->job, ends_it[i].status);
    return false;
}

void nacred_child_hang_up(const struct process *process)
{
    nacred_child_signal(process, "HUP");
}

void nacred_child_kill(const struct process *process)
{
    nacred_child_signal(process, "KILL");
}

bool nacred_child_reap(struct process *process, struct child_end *end, bool wait)
{
    DWORD code = 0;

    if (WaitForSingleObject(process->handle, wait ? INFINITE : 0) != WAIT_OBJECT_0)
        return false;
    GetExitCodeProcess(process->handle, &code);
    *end = (struct child_end){.code = code};
    return true;
}

void nacred_child_forget(struct process *process)
{
    CloseHandle(process->handle);
    CloseHandle(process->job);
}

long nacred_child_read(struct watch *output, void *at, size_t size)
{
    return nacred_source_read(output->source, at, size);
}

long nacred_child_write(struct watch *input, const void *at, size_t len)
{
    return nacred_source_write(input->source, at, len);
}

/* Windows has none. */
void nacred_child_keep_limits(void)
{
}
