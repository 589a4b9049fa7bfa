/* SPDX-License-Identifier: Apache-2.0 */
/* Threads, locks, clocks and entropy on Windows. */
#include <winsock2.h>
/* winsock2.h stands before windows.h, or the older winsock.h comes with it. */
#include <windows.h>

#include <bcrypt.h>
#include <process.h>
#include <stdlib.h>
#include <string.h>

#include "base/plat.h"

_Static_assert(sizeof(plat_mutex) == sizeof(SRWLOCK), "a lock is one pointer");
_Static_assert(sizeof(plat_cond) == sizeof(CONDITION_VARIABLE), "a condition variable is one pointer");

static const int64_t second_ns = 1000 * 1000 * 1000;

static SRWLOCK *lock_of(plat_mutex *m)
{
    return (SRWLOCK *)(void *)m;
}

static CONDITION_VARIABLE *condition_of(plat_cond *c)
{
    return (CONDITION_VARIABLE *)(void *)c;
}

int64_t nacre_clock_ns(void)
{
    LARGE_INTEGER now, each_second;
    QueryPerformanceFrequency(&each_second);
    QueryPerformanceCounter(&now);
    int64_t whole = now.QuadPart / each_second.QuadPart, rest = now.QuadPart % each_second.QuadPart;
    return whole * second_ns + rest * second_ns / each_second.QuadPart;
}

int64_t nacre_clock_unix(void)
{
    static const int64_t from_1601_to_1970 = INT64_C(11644473600), tick_100ns = 10 * 1000 * 1000;
    FILETIME now;
    GetSystemTimeAsFileTime(&now);
    int64_t ticks = (int64_t)(((uint64_t)now.dwHighDateTime << 32) | now.dwLowDateTime);
    return ticks / tick_100ns - from_1601_to_1970;
}

bool nacre_entropy(void *at, size_t len)
{
    unsigned char *p = (unsigned char *)at;
    while (len != 0) {
        ULONG n = len < UINT32_MAX ? (ULONG)len : UINT32_MAX;
        if (BCryptGenRandom(NULL, p, n, BCRYPT_USE_SYSTEM_PREFERRED_RNG) != 0)
            return false;
        p += n;
        len -= n;
    }
    return true;
}

unsigned nacre_cpu_count(void)
{
    DWORD_PTR mine = 0, all = 0;
    unsigned count = 0;
    /* The mask covers one group of processors; a process that runs in several has all of them. */
    if (GetActiveProcessorGroupCount() > 1)
        count = GetActiveProcessorCount(ALL_PROCESSOR_GROUPS);
    else if (GetProcessAffinityMask(GetCurrentProcess(), &mine, &all))
        for (; mine != 0; mine &= mine - 1)
            count++;
    return count != 0 ? count : 1;
}

bool nacre_random_is_at_hand(void)
{
    return true;
}

uint64_t nacre_memory_size(void)
{
    MEMORYSTATUSEX memory = {.dwLength = sizeof memory};
    return GlobalMemoryStatusEx(&memory) ? memory.ullTotalPhys : 0;
}

void *nacre_pages_alloc(size_t size)
{
    return VirtualAlloc(NULL, size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
}

/* The pages stay committed, and what they hold is of no interest until they are written to. */
void nacre_pages_clean(void *pages, size_t size)
{
    memset(pages, 0, size);
    (void)VirtualAlloc(pages, size, MEM_RESET, PAGE_READWRITE);
}

void nacre_pages_free(void *pages)
{
    if (pages != NULL)
        (void)VirtualFree(pages, 0, MEM_RELEASE);
}

void nacre_memory_trim(void)
{
    (void)HeapCompact(GetProcessHeap(), 0);
}

void nacre_mutex_init(plat_mutex *m)
{
    InitializeSRWLock(lock_of(m));
}

void nacre_mutex_destroy(plat_mutex *m)
{
    (void)m;
}

void nacre_mutex_lock(plat_mutex *m)
{
    AcquireSRWLockExclusive(lock_of(m));
}

void nacre_mutex_unlock(plat_mutex *m)
{
    ReleaseSRWLockExclusive(lock_of(m));
}

bool nacre_mutex_try(plat_mutex *m)
{
    return TryAcquireSRWLockExclusive(lock_of(m)) != 0;
}

/* Threads are not ended from outside on this system, but for TerminateThread(), which nothing survives. */
int nacre_cancel_off(void)
{
    return 0;
}

void nacre_cancel_on(int before)
{
    (void)before;
}

void nacre_cond_init(plat_cond *c)
{
    InitializeConditionVariable(condition_of(c));
}

void nacre_cond_destroy(plat_cond *c)
{
    (void)c;
}

bool nacre_cond_wait(plat_cond *c, plat_mutex *m, int64_t until_ns)
{
    static const int64_t ms_ns = 1000 * 1000;
    DWORD ms = INFINITE;
    if (until_ns != INT64_MAX) {
        int64_t left = until_ns - nacre_clock_ns();
        /* Rounded up: a wait that ends too early would only be begun again. */
        int64_t left_ms = left > 0 ? (left + ms_ns - 1) / ms_ns : 0;
        ms = left_ms < INFINITE ? (DWORD)left_ms : INFINITE - 1;
    }
    return SleepConditionVariableSRW(condition_of(c), lock_of(m), ms, 0) || GetLastError() != ERROR_TIMEOUT;
}

void nacre_cond_signal(plat_cond *c)
{
    WakeConditionVariable(condition_of(c));
}

void nacre_cond_broadcast(plat_cond *c)
{
    WakeAllConditionVariable(condition_of(c));
}

void nacre_park_init(plat_park *p)
{
    *p = (plat_park){.set = 0};
    nacre_mutex_init(&p->lock);
    nacre_cond_init(&p->changed);
}

bool nacre_park_wait(plat_park *p, int64_t until_ns)
{
    nacre_mutex_lock(&p->lock);
    while (!p->set && nacre_cond_wait(&p->changed, &p->lock, until_ns))
        ;
    bool set = p->set != 0;
    nacre_mutex_unlock(&p->lock);
    return set;
}

void nacre_park_set(plat_park *p)
{
    nacre_mutex_lock(&p->lock);
    p->set = 1;
    nacre_cond_signal(&p->changed);
    nacre_mutex_unlock(&p->lock);
}

/* What a new thread needs; freed by it. */
struct start {
    void (*run)(void *);
    void *argument;
    wchar_t name[16];
};

typedef HRESULT(WINAPI *set_description)(HANDLE, PCWSTR);

/* Windows 10 and newer name threads. */
static void set_name(const wchar_t *name)
{
    HMODULE kernel = GetModuleHandleW(L"kernel32.dll");
    FARPROC found = kernel == NULL ? NULL : GetProcAddress(kernel, "SetThreadDescription");
    set_description set;
    if (found == NULL)
        return;
    memcpy(&set, &found, sizeof set);
    (void)set(GetCurrentThread(), name);
}

static unsigned WINAPI thread_main(void *p)
{
    struct start s = *(struct start *)p;
    free(p);
    set_name(s.name);
    s.run(s.argument);
    return 0;
}

bool nacre_thread_start(plat_thread *t, void (*run)(void *), void *argument, const char *name)
{
    struct start *s = (struct start *)calloc(1, sizeof *s);
    if (s == NULL)
        return false;
    s->run = run;
    s->argument = argument;
    for (size_t i = 0; name[i] != 0 && i + 1 < sizeof s->name / sizeof *s->name; i++)
        s->name[i] = (wchar_t)(unsigned char)name[i];
    /* Not CreateThread: the C library keeps state for each of its threads. */
    uintptr_t handle = _beginthreadex(NULL, 0, thread_main, s, 0, NULL);
    if (handle == 0) {
        free(s);
        return false;
    }
    *t = (plat_thread)handle;
    return true;
}

void nacre_thread_join(plat_thread t)
{
    (void)WaitForSingleObject(t, INFINITE);
    (void)CloseHandle(t);
}

void nacre_thread_yield(void)
{
    (void)SwitchToThread();
}
