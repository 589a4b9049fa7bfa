/* SPDX-License-Identifier: Apache-2.0 */
/* A server's life on Windows. */
#include <criterion/criterion.h>
#include <string.h>
#include <windows.h>

#include "support/divert_win.h"
#include "support/server.h"

extern any_function __imp_PostQueuedCompletionStatus;

static any_function post;

/* A system that is slow to say that an operation has ended. Wake-ups carry none. */
static BOOL WINAPI post_late(HANDLE port, DWORD moved, ULONG_PTR key, LPOVERLAPPED overlapped)
{
    BOOL(WINAPI * real)(HANDLE, DWORD, ULONG_PTR, LPOVERLAPPED);
    memcpy(&real, &post, sizeof real);
    if (overlapped != NULL)
        Sleep(20);
    return real(port, moved, key, overlapped);
}

static void begin_and_end(void)
{
    struct server *s = server_new();
    server_set(s, "UseIOCP=True");
    server_set(s, "WorkerThreads=4");
    server_start(s, 1);
    server_free(s);
}

/* What a listener has in flight when the server is freed ends before the workers do. */
Test(class_life_win, a_server_that_is_freed_leaves_nothing_open, .timeout = 240)
{
    enum {
        TIMES = 5
    };
    begin_and_end(); /* what stays for the process is there now */
    size_t before = server_descriptors();
    post = divert(&__imp_PostQueuedCompletionStatus, (any_function)post_late);
    for (int i = 0; i < TIMES; i++)
        begin_and_end();
    (void)divert(&__imp_PostQueuedCompletionStatus, post);
    cr_assert_lt(server_descriptors(), before + TIMES);
}
