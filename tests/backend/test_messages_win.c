/* SPDX-License-Identifier: Apache-2.0 */
/* WSAAsyncSelect: news that finds no room in the queue of messages. */
#include <winsock2.h>
/* winsock2.h stands before the others, or the older winsock.h comes with them. */
#include <string.h>
#include <windows.h>
/* Words of 16-bit compilers that the headers still define. */
#undef far
#undef near

#include "backend/rig.h"
#include "support/divert_win.h"

enum {
    LISTENER = 1,
    OWNER = 100,
    QUEUE_ROOM = 4000, /* the least that the system's limit can be set to */
};

extern any_function __imp_PeekMessageW;

static any_function peek_message;

/* What is told of sockets is lost. */
static BOOL WINAPI lose_news(MSG *m, HWND window, UINT from, UINT to, UINT then)
{
    BOOL(WINAPI * real)(MSG *, HWND, UINT, UINT, UINT);
    memcpy(&real, &peek_message, sizeof real);
    while (real(m, window, from, to, then))
        if (m->message < WM_APP)
            return TRUE;
    return FALSE;
}

static void begin_to_lose(void)
{
    peek_message = divert(&__imp_PeekMessageW, (any_function)lose_news);
}

/* The queue is as full as it was when those were lost. */
static void end_full(void)
{
    (void)divert(&__imp_PeekMessageW, peek_message);
    for (int i = 0; i < QUEUE_ROOM; i++)
        cr_assert(PostThreadMessageW(GetCurrentThreadId(), WM_NULL, 0, 0));
}

Test(backend_messages_win, bytes_and_fin_that_a_full_queue_lost_are_found)
{
    struct rig r;
    uint32_t slot;
    uint8_t got[4];
    rig_open_only(&r, "wsaasyncselect");
    struct far f = rig_attach(&r, OWNER, &slot);
    r.ops->receive(r.io, slot, true);
    rig_quiet(&r);
    begin_to_lose();
    cr_assert(r.d->feed(f, "lost", 4));
    r.d->fin(f);
    rig_quiet(&r);
    end_full();
    rig_receive(&r, OWNER, got, 4);
    cr_assert_arr_eq(got, "lost", 4);
    cr_assert_eq(rig_expect(&r, IO_RECEIVED, OWNER).len, 0);
    rig_detach(&r, OWNER, slot);
    r.d->let_go(f);
    rig_close(&r);
}

Test(backend_messages_win, a_client_that_a_full_queue_lost_is_found_and_those_that_come_then)
{
    struct rig r;
    uint32_t slot;
    struct io_address at;
    struct far f[2];
    rig_open_only(&r, "wsaasyncselect");
    io_socket l = r.d->listener(&at);
    cr_assert_eq(r.ops->listen(r.io, l, LISTENER, &slot), NACRE_OK);
    rig_quiet(&r);
    begin_to_lose();
    f[0] = r.d->dial(l);
    rig_quiet(&r);
    end_full();
    r.d->close(rig_expect(&r, IO_ACCEPTED, LISTENER).accepted);
    f[1] = r.d->dial(l);
    r.d->close(rig_expect(&r, IO_ACCEPTED, LISTENER).accepted);
    rig_detach(&r, LISTENER, slot);
    r.d->let_go(f[0]);
    r.d->let_go(f[1]);
    r.d->close(l);
    rig_close(&r);
}
