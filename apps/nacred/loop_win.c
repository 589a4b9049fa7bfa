/* SPDX-License-Identifier: Apache-2.0 */
/* Lock order: the owner's lock of a watch, then the source's. The loop calls back without the source's; `held` keeps
 * the source meanwhile. */
#include "loop.h"

#include <windows.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "source_win.h"
#include "wide_win.h"

enum {
    EVENTS_A_ROUND = 64,
    SOURCE_BYTES = 64 * 1024,
    LAST_WAIT_MS = 100, /* at the end, for operations that were cancelled */
};

/* What a packet of the port says. */
enum {
    KEY_OPERATION = 1, /* an operation has ended */
    KEY_NOTE,          /* posted by us: look at the source */
    KEY_WAKE,          /* posted by us: end the wait */
};

struct source {
    OVERLAPPED operation; /* first: its address is the source's */
    enum source_kind kind;
    HANDLE handle, port;
    SRWLOCK lock;        /* protects everything below, and `operation` */
    struct watch *watch; /* NULL: closed */
    HANDLE waiter;
    bool armed;
    bool busy;  /* an operation is under way */
    bool noted; /* a note is */
    bool held;  /* the loop is calling back */
    bool ended;
    size_t at, len; /* what of `bytes` waits to be read, or is still to be written */
    unsigned char bytes[SOURCE_BYTES];
};

/* ---- with the source's lock held ---- */

static void note(struct source *s)
{
    if (!s->noted)
        s->noted = PostQueuedCompletionStatus(s->port, 0, KEY_NOTE, &s->operation);
}

/* A pipe whose other end is gone fails at once, and then no packet comes. */
static void start_operation(struct source *s)
{
    memset(&s->operation, 0, sizeof s->operation);
    BOOL done = s->kind == SOURCE_READ
                    ? ReadFile(s->handle, s->bytes, SOURCE_BYTES, NULL, &s->operation)
                    : WriteFile(s->handle, s->bytes + s->at, (DWORD)(s->len - s->at), NULL, &s->operation);
    s->busy = done || GetLastError() == ERROR_IO_PENDING;
    s->ended = s->ended || !s->busy;
}

static void CALLBACK on_process_end(void *context, BOOLEAN timed_out)
{
    struct source *s = context;

    (void)timed_out;
    AcquireSRWLockExclusive(&s->lock);
    s->ended = true;
    note(s);
    ReleaseSRWLockExclusive(&s->lock);
}

/* Sees to it that something comes when the source is ready, for a watch that is armed. */
static bool expect(struct source *s)
{
    switch (s->kind) {
    case SOURCE_READ:
        if (s->at == s->len && !s->ended && !s->busy)
            start_operation(s);
        if (s->at < s->len || s->ended)
            note(s);
        return true;
    case SOURCE_WRITE:
        if (!s->busy)
            note(s);
        return true;
    case SOURCE_PROCESS:
        if (s->ended)
            note(s);
        return s->waiter ||
               RegisterWaitForSingleObject(&s->waiter, s->handle, on_process_end, s, INFINITE, WT_EXECUTEONLYONCE);
    }
    return false;
}

static bool is_ready(const struct source *s)
{
    switch (s->kind) {
    case SOURCE_READ:
        return s->at < s->len || s->ended;
    case SOURCE_WRITE:
        return !s->busy;
    case SOURCE_PROCESS:
        return s->ended;
    }
    return false;
}

static bool is_unused(const struct source *s)
{
    return !s->watch && !s->busy && !s->noted && !s->held;
}

static void end_operation(struct source *s)
{
    DWORD moved = 0;
    bool good = GetOverlappedResult(s->handle, &s->operation, &moved, FALSE);

    s->busy = false;
    s->ended = s->ended || !good;
    if (s->kind == SOURCE_READ) {
        /* None at all is what a writer has sent who wrote nothing: no end. */
        s->at = 0;
        s->len = good ? moved : 0;
        return;
    }
    s->at += moved;
    if (good && s->at < s->len)
        start_operation(s);
}

/* ---- */

/* Nobody knows the source any more, but for the wait for its process, which may be calling. */
static void destroy(struct source *s)
{
    if (s->waiter)
        UnregisterWaitEx(s->waiter, INVALID_HANDLE_VALUE);
    if (s->kind != SOURCE_PROCESS)
        CloseHandle(s->handle);
    free(s);
}

bool nacred_source_open(struct loop *loop, struct watch *watch, enum source_kind kind, void *handle)
{
    struct source *s = calloc(1, sizeof *s);

    if (!s || (kind != SOURCE_PROCESS && !CreateIoCompletionPort(handle, loop->port, KEY_OPERATION, 0))) {
        free(s);
        errno = ENOMEM;
        return false;
    }
    s->kind = kind;
    s->handle = handle;
    s->port = loop->port;
    s->watch = watch;
    InitializeSRWLock(&s->lock);
    watch->source = s;
    watch->fd = 0;
    watch->armed = false;
    return true;
}

long nacred_source_read(struct source *s, void *at, size_t size)
{
    AcquireSRWLockExclusive(&s->lock);
    size_t len = s->busy ? 0 : s->len - s->at;
    long result = len > 0 ? (long)(len < size ? len : size) : s->ended ? 0 : -1;
    if (result > 0) {
        memcpy(at, s->bytes + s->at, (size_t)result);
        s->at += (size_t)result;
    }
    ReleaseSRWLockExclusive(&s->lock);
    return result;
}

long nacred_source_write(struct source *s, const void *at, size_t len)
{
    long result = 0;

    AcquireSRWLockExclusive(&s->lock);
    if (!s->busy && !s->ended && len > 0) {
        s->at = 0;
        s->len = len < SOURCE_BYTES ? len : SOURCE_BYTES;
        memcpy(s->bytes, at, s->len);
        result = (long)s->len;
        start_operation(s);
    }
    if (s->ended)
        result = -1;
    ReleaseSRWLockExclusive(&s->lock);
    return result;
}

/* ---- the loop ---- */

bool nacred_loop_open(struct loop *loop)
{
    *loop = (struct loop){.epoll_fd = -1, .wake_fd = -1};
    loop->last = &loop->first;
    pthread_mutex_init(&loop->lock, NULL);
    loop->port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 1);
    if (!loop->port)
        errno = ENOMEM;
    return loop->port;
}

void nacred_loop_close(struct loop *loop)
{
    if (loop->port) {
        nacred_loop_wait(loop, LAST_WAIT_MS);
        CloseHandle(loop->port);
    }
    pthread_mutex_destroy(&loop->lock);
}

/* Which event it is stands in the source. */
bool nacred_loop_arm(struct loop *loop, struct watch *watch, enum loop_event event)
{
    struct source *s = watch->source;

    (void)loop;
    (void)event;
    if (watch->armed)
        return true;
    AcquireSRWLockExclusive(&s->lock);
    watch->armed = s->armed = expect(s);
    ReleaseSRWLockExclusive(&s->lock);
    if (!watch->armed)
        errno = ENOMEM;
    return watch->armed;
}

void nacred_loop_disarm(struct loop *loop, struct watch *watch)
{
    (void)loop;
    if (!watch->armed)
        return;
    AcquireSRWLockExclusive(&watch->source->lock);
    watch->armed = watch->source->armed = false;
    ReleaseSRWLockExclusive(&watch->source->lock);
}

/* Bytes that were taken are still written: who reads them sees the end behind the last. */
void nacred_loop_close_watch(struct loop *loop, struct watch *watch)
{
    struct source *s = watch->source;

    nacred_loop_disarm(loop, watch);
    watch->fd = -1;
    watch->source = NULL;
    if (!s)
        return;
    AcquireSRWLockExclusive(&s->lock);
    s->watch = NULL;
    if (s->kind == SOURCE_READ && s->busy)
        CancelIoEx(s->handle, &s->operation);
    bool unused = is_unused(s);
    ReleaseSRWLockExclusive(&s->lock);
    if (unused)
        destroy(s);
}

void nacred_loop_wake(struct loop *loop)
{
    PostQueuedCompletionStatus(loop->port, 0, KEY_WAKE, NULL);
}

static void take_packet(struct source *s, ULONG_PTR key)
{
    AcquireSRWLockExclusive(&s->lock);
    if (key == KEY_OPERATION)
        end_operation(s);
    else
        s->noted = false;
    struct watch *watch = s->armed && is_ready(s) ? s->watch : NULL;
    s->held = watch;
    ReleaseSRWLockExclusive(&s->lock);

    if (watch)
        watch->ready(watch);

    AcquireSRWLockExclusive(&s->lock);
    s->held = false;
    /* Level-triggered: as long as it is ready, there is a next packet. */
    if (s->watch && s->armed)
        expect(s);
    bool unused = is_unused(s);
    ReleaseSRWLockExclusive(&s->lock);
    if (unused)
        destroy(s);
}

void nacred_loop_wait(struct loop *loop, int wait_ms)
{
    OVERLAPPED_ENTRY entries[EVENTS_A_ROUND];
    ULONG count = 0;

    if (!GetQueuedCompletionStatusEx(loop->port, entries, EVENTS_A_ROUND, &count,
                                     wait_ms < 0 ? INFINITE : (DWORD)wait_ms, FALSE))
        return;
    for (ULONG i = 0; i < count; i++)
        if (entries[i].lpCompletionKey != KEY_WAKE)
            take_packet((struct source *)entries[i].lpOverlapped, entries[i].lpCompletionKey);
}
