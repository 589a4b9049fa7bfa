/* SPDX-License-Identifier: Apache-2.0 */
/* A snapshot of all processes says who is whose child; an entry names its parent even after that has ended and its
 * number is another's, so a parent is one that has begun before its child. What descendants used that have ended is
 * lost. */
#include "procstat.h"

#include <stdlib.h>
#include <windows.h>

#include <psapi.h>
#include <tlhelp32.h>

struct process {
    DWORD pid, parent;
    unsigned threads;
    uint64_t begun; /* 0: it cannot be opened */
    bool inside;
};

struct processes {
    struct process *at;
    size_t count, room;
};

static uint64_t ticks_of(FILETIME t)
{
    return (uint64_t)t.dwHighDateTime << 32 | t.dwLowDateTime;
}

static uint64_t begun_of(DWORD pid)
{
    FILETIME begun = {0}, ended, kernel, user;
    HANDLE p = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, pid);
    if (p == NULL)
        return 0;
    (void)GetProcessTimes(p, &begun, &ended, &kernel, &user);
    CloseHandle(p);
    return ticks_of(begun);
}

static bool append(struct processes *all, const PROCESSENTRY32W *e)
{
    if (all->count == all->room) {
        size_t room = all->room == 0 ? 256 : all->room * 2;
        struct process *more = realloc(all->at, room * sizeof *more);
        if (more == NULL)
            return false;
        all->at = more;
        all->room = room;
    }
    all->at[all->count++] = (struct process){.pid = e->th32ProcessID,
                                             .parent = e->th32ParentProcessID,
                                             .threads = e->cntThreads,
                                             .begun = begun_of(e->th32ProcessID)};
    return true;
}

static bool read_all(struct processes *all)
{
    PROCESSENTRY32W entry = {.dwSize = sizeof entry};
    HANDLE snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0);
    if (snapshot == INVALID_HANDLE_VALUE)
        return false;
    bool ok = true;
    for (BOOL more = Process32FirstW(snapshot, &entry); more && ok; more = Process32NextW(snapshot, &entry))
        ok = append(all, &entry);
    CloseHandle(snapshot);
    return ok;
}

static bool has_parent_inside(const struct processes *all, const struct process *p)
{
    for (size_t i = 0; i < all->count; i++) {
        const struct process *parent = &all->at[i];
        if (parent->inside && parent->pid == p->parent && parent->begun <= p->begun)
            return true;
    }
    return false;
}

static void mark_descendants(struct processes *all)
{
    for (bool found = true; found;) {
        found = false;
        for (size_t i = 0; i < all->count; i++) {
            struct process *p = &all->at[i];
            if (!p->inside && has_parent_inside(all, p))
                p->inside = found = true;
        }
    }
}

static void add_memory(HANDLE process, struct procstat *out)
{
    PROCESS_MEMORY_COUNTERS_EX m = {.cb = sizeof m};
    if (!GetProcessMemoryInfo(process, (PROCESS_MEMORY_COUNTERS *)(void *)&m, sizeof m)) {
        out->unreadable++;
        return;
    }
    out->private_bytes += m.PrivateUsage;
    out->rss_bytes += m.WorkingSetSize;
}

static void add(const struct process *p, bool with_memory, struct procstat *out)
{
    FILETIME begun, ended, kernel, user;
    DWORD handles = 0;
    HANDLE process = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, p->pid);
    out->processes++;
    out->threads += p->threads;
    if (process == NULL) {
        out->unreadable++;
        return;
    }
    if (GetProcessTimes(process, &begun, &ended, &kernel, &user))
        out->cpu_seconds += (double)(ticks_of(kernel) + ticks_of(user)) / 1e7;
    if (GetProcessHandleCount(process, &handles))
        out->handles += handles;
    if (with_memory)
        add_memory(process, out);
    CloseHandle(process);
}

bool bench_procstat_read(int32_t pid, bool with_memory, struct procstat *out)
{
    struct processes all = {0};
    bool found = false;
    *out = (struct procstat){.pss_bytes = PROCSTAT_UNKNOWN};
    bool ok = read_all(&all);
    for (size_t i = 0; ok && i < all.count; i++)
        found |= all.at[i].inside = all.at[i].pid == (DWORD)pid;
    if (found)
        mark_descendants(&all);
    for (size_t i = 0; found && i < all.count; i++)
        if (all.at[i].inside)
            add(&all.at[i], with_memory, out);
    free(all.at);
    return found;
}
