/* SPDX-License-Identifier: Apache-2.0 */
/* Notifier: WSAAsyncSelect. Messages go to a message-only window that belongs to the thread that waits, so it is made
 * when that thread first needs it. A message carries the socket; its number says which slots it can be about. Waking is
 * by an event that the wait for messages looks at, too: posting a message fails when the queue is full. */
#include <stdlib.h>

#include "engine/sock.h"
#include "io_ready/ready.h"

enum {
    NUMBERS = 0xc000 - WM_APP, /* of messages that are ours */
    /* A thread's queue takes 10,000 messages and drops the rest. That limit may be set, but not to less than this. */
    QUEUE_ROOM_LEAST = 4000,
};

struct notes {
    HANDLE event;
    HWND window;
    uint32_t taken; /* messages since the queue was empty, or was thought to have been full */
};

static HWND make_window(void)
{
    return CreateWindowExW(0, L"STATIC", NULL, 0, 0, 0, 0, 0, HWND_MESSAGE, NULL, NULL, NULL);
}

static bool have_window(struct notes *n)
{
    if (n->window == NULL)
        n->window = make_window();
    return n->window != NULL;
}

static UINT number_of(uint32_t slot)
{
    return WM_APP + slot % NUMBERS;
}

/* ---- sockets --------------------------------------------------------------------------------------------------- */

static enum nacre_error window_add(struct io *io, uint32_t slot)
{
    const struct ready_slot *s = ready_slot_at(io, slot);
    long events = s->kind == READY_LISTENER ? FD_ACCEPT : FD_READ | FD_WRITE | FD_CLOSE | FD_CONNECT;
    if (!have_window(io->notes))
        return nacre_error_from_errno((int)GetLastError());
    if (WSAAsyncSelect(s->socket, io->notes->window, number_of(slot), events) != 0)
        return nacre_error_from_errno(WSAGetLastError());
    return NACRE_OK;
}

/* accept() asks for the next message, but in Wine not when it finds nobody: a message that was posted for somebody who
 * had been accepted already would be the last. Asking anew posts one at once if somebody came meanwhile. */
static void window_emptied(struct io *io, uint32_t slot)
{
    (void)window_add(io, slot);
}

static void window_accepted(struct io *io, io_socket s)
{
    (void)WSAAsyncSelect(s, io->notes->window, 0, 0);
}

static unsigned news_of(unsigned event, int number)
{
    switch (event) {
    case FD_READ:
    case FD_ACCEPT:
        return NEWS_READ;
    case FD_CLOSE:
        return number == 0 ? NEWS_HANGUP : NEWS_HANGUP | NEWS_ERROR;
    case FD_WRITE:
    case FD_CONNECT:
        return NEWS_WRITE;
    default:
        return 0;
    }
}

/* Slots whose number leaves the same rest share a message. */
static void note(struct io *io, const MSG *m)
{
    int number = WSAGETSELECTERROR(m->lParam);
    unsigned news = news_of(WSAGETSELECTEVENT(m->lParam), number);
    for (uint32_t slot = m->message - WM_APP; slot < io->slots.made; slot += NUMBERS)
        if (ready_slot_at(io, slot)->socket == (io_socket)m->wParam) {
            nacre_ready_note(io, slot, news, nacre_error_from_errno(number));
            return;
        }
}

/* Messages that wait are taken as well: they would be about the next socket that gets the same slot and handle. */
static void window_remove(struct io *io, uint32_t slot)
{
    struct notes *n = io->notes;
    const struct ready_slot *s = ready_slot_at(io, slot);
    UINT number = number_of(slot);
    MSG m;
    (void)WSAAsyncSelect(s->socket, n->window, 0, 0);
    while (PeekMessageW(&m, n->window, number, number, PM_REMOVE)) {
        n->taken++;
        if ((io_socket)m.wParam != s->socket)
            note(io, &m);
    }
}

/* ---- waiting --------------------------------------------------------------------------------------------------- */

/* Messages may have been lost, and the system tells nothing twice before it is asked for what it told: everybody tries.
 * Trying to connect cannot be repeated: who connects has a time limit. */
static void look_at_all(struct io *io)
{
    for (uint32_t slot = 0; slot < io->slots.made; slot++) {
        const struct ready_slot *s = nacre_ready_slot_find(io, slot);
        if (s != NULL && !ready_has(s, SLOT_CONNECTING) && !ready_has(s, SLOT_RESTING))
            ready_note(io, slot, NEWS_HANGUP | NEWS_WRITE);
    }
}

/* While the queue was full, as many messages stood in it as it has room for; all of them are taken before it is empty.
 */
static bool next_message(struct io *io, MSG *m)
{
    struct notes *n = io->notes;
    bool came = PeekMessageW(m, NULL, 0, 0, PM_REMOVE);
    n->taken += came ? 1 : 0;
    if (n->taken >= QUEUE_ROOM_LEAST) {
        n->taken = 0;
        look_at_all(io);
    }
    if (!came)
        n->taken = 0;
    return came;
}

static enum nacre_error window_wait(struct io *io, int64_t until_ns)
{
    struct notes *n = io->notes;
    MSG m;
    DWORD result = MsgWaitForMultipleObjectsEx(1, &n->event, (DWORD)nacre_ready_left_ms(until_ns), QS_ALLINPUT,
                                               MWMO_INPUTAVAILABLE);
    if (result == WAIT_FAILED)
        return nacre_error_from_errno((int)GetLastError());
    if (result == WAIT_OBJECT_0)
        ready_woken(io);
    for (unsigned i = 0; i < NEWS_PER_WAIT && next_message(io, &m); i++)
        if (m.hwnd == n->window && m.message >= WM_APP && m.message < WM_APP + NUMBERS)
            note(io, &m);
        else
            (void)DispatchMessageW(&m);
    return NACRE_OK;
}

static void window_wake(struct io *io)
{
    (void)SetEvent(io->notes->event);
}

/* A window that is another thread's has ended with it. */
static void window_close(struct io *io)
{
    struct notes *n = io->notes;
    if (n == NULL)
        return;
    if (n->window != NULL)
        (void)DestroyWindow(n->window);
    if (n->event != NULL)
        (void)CloseHandle(n->event);
    free(n);
}

static enum nacre_error window_open(struct io *io)
{
    io->notes = (struct notes *)calloc(1, sizeof *io->notes);
    if (io->notes == NULL)
        return NACRE_E_NOBUFS;
    io->notes->event = CreateEventW(NULL, FALSE, FALSE, NULL);
    return io->notes->event != NULL ? NACRE_OK : nacre_error_from_errno((int)GetLastError());
}

static const struct notifier notifier = {
    .open = window_open,
    .close = window_close,
    .add = window_add,
    .remove = window_remove,
    .emptied = window_emptied,
    .accepted = window_accepted,
    .wait = window_wait,
    .wake = window_wake,
};

static bool usable(const char **why_not)
{
    HWND window = make_window();
    if (window != NULL) {
        (void)DestroyWindow(window);
        return true;
    }
    *why_not = "this process may not have windows (CreateWindowEx() fails)";
    return false;
}

static enum nacre_error open_window(struct io **out, const struct io_options *options)
{
    return nacre_ready_open(out, options, &notifier);
}

const struct io_backend nacre_io_wsaasyncselect = {
    .name = "wsaasyncselect",
    .usable = usable,
    .open = open_window,
    READY_CALLS,
};
