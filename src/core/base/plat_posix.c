/* SPDX-License-Identifier: Apache-2.0 */
/* Threads, locks, clocks and entropy on Linux. */
#include "base/plat.h"

#include <errno.h>
#include <linux/futex.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const int64_t second_ns = 1000 * 1000 * 1000;

int64_t nacre_clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * second_ns + now.tv_nsec;
}

int64_t nacre_clock_unix(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec;
}

bool nacre_entropy(void *at, size_t len)
{
    unsigned char *p = (unsigned char *)at;
    while (len != 0) {
        ssize_t n = getrandom(p, len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}

unsigned nacre_cpu_count(void)
{
    /* A fixed cpu_set_t ends at 1024 CPUs; the kernel answers EINVAL on machines with more. */
    for (int cpus = 1024; cpus <= 1 << 20; cpus *= 2) {
        cpu_set_t *set = CPU_ALLOC((size_t)cpus);
        size_t size = CPU_ALLOC_SIZE((size_t)cpus);
        if (set == NULL)
            break;
        int failed = sched_getaffinity(0, size, set) != 0 ? errno : 0;
        int count = failed == 0 ? CPU_COUNT_S(size, set) : 0;
        CPU_FREE(set);
        if (count > 0)
            return (unsigned)count;
        if (failed != EINVAL)
            break;
    }
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (unsigned)online : 1;
}

static size_t page_size(void)
{
    long size = sysconf(_SC_PAGESIZE);
    return size > 0 ? (size_t)size : 4096;
}

void *nacre_pages_alloc(size_t size)
{
    size_t page = page_size();
    if (size > SIZE_MAX - page)
        return NULL;
    return aligned_alloc(page, (size + page - 1) / page * page);
}

void nacre_pages_clean(void *pages, size_t size)
{
    size_t page = page_size();
    (void)madvise(pages, (size + page - 1) / page * page, MADV_DONTNEED);
}

void nacre_pages_free(void *pages)
{
    free(pages);
}

void nacre_memory_trim(void)
{
#ifdef __GLIBC__
    (void)malloc_trim(0);
#endif
}

bool nacre_random_is_at_hand(void)
{
    uint8_t byte;
    return getentropy(&byte, sizeof byte) == 0;
}

uint64_t nacre_memory_size(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    return pages <= 0 || size <= 0 ? 0 : (uint64_t)pages * (uint64_t)size;
}

void nacre_mutex_init(plat_mutex *m)
{
    pthread_mutex_init(m, NULL);
}

void nacre_mutex_destroy(plat_mutex *m)
{
    pthread_mutex_destroy(m);
}

void nacre_mutex_lock(plat_mutex *m)
{
    pthread_mutex_lock(m);
}

void nacre_mutex_unlock(plat_mutex *m)
{
    pthread_mutex_unlock(m);
}

bool nacre_mutex_try(plat_mutex *m)
{
    return pthread_mutex_trylock(m) == 0;
}

int nacre_cancel_off(void)
{
    int before = PTHREAD_CANCEL_ENABLE;
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    return before;
}

void nacre_cancel_on(int before)
{
    (void)pthread_setcancelstate(before, NULL);
}

void nacre_cond_init(plat_cond *c)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(c, &attributes);
    pthread_condattr_destroy(&attributes);
}

void nacre_cond_destroy(plat_cond *c)
{
    pthread_cond_destroy(c);
}

bool nacre_cond_wait(plat_cond *c, plat_mutex *m, int64_t until_ns)
{
    if (until_ns == INT64_MAX)
        return pthread_cond_wait(c, m) == 0;
    int64_t at = until_ns > 0 ? until_ns : 0;
    struct timespec until = {.tv_sec = (time_t)(at / second_ns), .tv_nsec = (long)(at % second_ns)};
    return pthread_cond_timedwait(c, m, &until) != ETIMEDOUT;
}

void nacre_cond_signal(plat_cond *c)
{
    pthread_cond_signal(c);
}

void nacre_cond_broadcast(plat_cond *c)
{
    pthread_cond_broadcast(c);
}

/* Systems of 32 bits with a time_t of 64 have a call of their own for it. */
#if defined SYS_futex_time64 && !defined SYS_futex
#define FUTEX_CALL SYS_futex_time64
#elif defined SYS_futex_time64
#define FUTEX_CALL (sizeof(time_t) > sizeof(long) ? SYS_futex_time64 : SYS_futex)
#else
#define FUTEX_CALL SYS_futex
#endif

void nacre_park_init(plat_park *p)
{
    atomic_init(&p->set, 0);
}

bool nacre_park_wait(plat_park *p, int64_t until_ns)
{
    int64_t at = until_ns > 0 ? until_ns : 0;
    struct timespec until = {.tv_sec = (time_t)(at / second_ns), .tv_nsec = (long)(at % second_ns)};
    while (atomic_load_explicit(&p->set, memory_order_acquire) == 0) {
        /* FUTEX_WAIT_BITSET takes an absolute time, on the clock that nacre_clock_ns() reads. */
        long failed = syscall(FUTEX_CALL, &p->set, FUTEX_WAIT_BITSET_PRIVATE, 0, until_ns == INT64_MAX ? NULL : &until,
                              NULL, FUTEX_BITSET_MATCH_ANY);
        if (failed != 0 && errno == ETIMEDOUT)
            return atomic_load_explicit(&p->set, memory_order_acquire) != 0;
    }
    return true;
}

void nacre_park_set(plat_park *p)
{
    atomic_store_explicit(&p->set, 1, memory_order_release);
    /* To the kernel the address is only a name: it does not matter when the sleeper is gone by now. */
    (void)syscall(FUTEX_CALL, &p->set, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* What a new thread needs; freed by it. */
struct start {
    void (*run)(void *);
    void *argument;
    char name[16];
};

static void *thread_main(void *p)
{
    struct start s = *(struct start *)p;
    free(p);
    pthread_setname_np(pthread_self(), s.name);
    s.run(s.argument);
    return NULL;
}

/* A thread inherits its maker's mask; signals belong to the application's own threads. Those that a thread raises by
 * what it does itself stay: blocked, they would end the process without the handler that says where it was. */
static void block_signals(sigset_t *all)
{
    static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS};
    sigfillset(all);
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        sigdelset(all, own[i]);
}

bool nacre_thread_start(plat_thread *t, void (*run)(void *), void *argument, const char *name)
{
    struct start *s = (struct start *)calloc(1, sizeof *s);
    if (s == NULL)
        return false;
    s->run = run;
    s->argument = argument;
    strncpy(s->name, name, sizeof s->name - 1);
    sigset_t all, before;
    block_signals(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(t, NULL, thread_main, s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed != 0)
        free(s);
    return failed == 0;
}

void nacre_thread_join(plat_thread t)
{
    pthread_join(t, NULL);
}

void nacre_thread_yield(void)
{
    (void)sched_yield();
}
