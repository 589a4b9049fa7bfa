/* SPDX-License-Identifier: Apache-2.0 */
/* Windows calls the handler of the console on a thread of its own, for Ctrl+C, Ctrl+Break and a closed console. To who
 * has user32 loaded, as the server has for its own hidden windows, it tells of a log-off and a shutdown by messages to
 * a window instead ("Remarks" of SetConsoleCtrlHandler()): so there is one here, never shown, with a thread. taskkill
 * closes it, which is a wish as well.
 *
 * Where Windows ends the process when it has been answered, the answer waits until nacred has ended by itself; Windows
 * does not wait longer than some seconds. */
#include "ending.h"

#include <windows.h>

#include <errno.h>
#include <stddef.h>

enum {
    LEAVE = WM_APP, /* from us to the window */
};

static struct ending *told;

/* What has the window. */
static struct {
    pthread_t thread;
    HANDLE made; /* set once the window is there, or will not be */
    HANDLE over; /* set when nacred has ended */
    HWND window;
    bool runs;
} hearing;

static void wish(void)
{
    atomic_fetch_add_explicit(&told->wishes, 1, memory_order_relaxed);
    nacred_loop_wake(told->loop);
}

/* Only services are told of a log-off, and of everybody's. */
static BOOL WINAPI on_control(DWORD type)
{
    if (type == CTRL_LOGOFF_EVENT)
        return TRUE;
    wish();
    if (type != CTRL_C_EVENT && type != CTRL_BREAK_EVENT)
        Sleep(INFINITE);
    return TRUE;
}

static LRESULT CALLBACK on_message(HWND window, UINT message, WPARAM a, LPARAM b)
{
    switch (message) {
    case WM_ENDSESSION: /* "false": somebody else has refused it */
        if (a) {
            wish();
            WaitForSingleObject(hearing.over, INFINITE);
        }
        return 0;
    case WM_CLOSE:
        wish();
        return 0;
    case LEAVE:
        DestroyWindow(window);
        return 0;
    case WM_DESTROY:
        PostQuitMessage(0);
        return 0;
    default:
        return DefWindowProcW(window, message, a, b);
    }
}

/* Where there can be no window, nobody is told by one. */
static void *hear(void *context)
{
    const WNDCLASSW class = {
        .lpfnWndProc = on_message, .hInstance = GetModuleHandleW(NULL), .lpszClassName = L"nacred"};
    MSG message;

    (void)context;
    RegisterClassW(&class);
    hearing.window =
        CreateWindowExW(0, class.lpszClassName, L"nacred", 0, 0, 0, 0, 0, NULL, NULL, class.hInstance, NULL);
    SetEvent(hearing.made);
    while (hearing.window && GetMessageW(&message, NULL, 0, 0) > 0)
        DispatchMessageW(&message);
    return NULL;
}

static bool begin_to_hear(void)
{
    hearing.made = CreateEventW(NULL, TRUE, FALSE, NULL);
    hearing.over = CreateEventW(NULL, TRUE, FALSE, NULL);
    hearing.runs = hearing.made && hearing.over && pthread_create(&hearing.thread, NULL, hear, NULL) == 0;
    if (hearing.runs)
        WaitForSingleObject(hearing.made, INFINITE);
    return hearing.runs;
}

bool nacred_ending_open(struct ending *ending, struct loop *loop)
{
    *ending = (struct ending){.watch.fd = -1, .loop = loop};
    told = ending;
    if (begin_to_hear() && SetConsoleCtrlHandler(on_control, TRUE))
        return true;
    errno = ENOTSUP;
    return false;
}

void nacred_ending_close(struct ending *ending)
{
    if (!ending->loop)
        return;
    SetConsoleCtrlHandler(on_control, FALSE);
    if (hearing.runs) {
        SetEvent(hearing.over);
        PostMessageW(hearing.window, LEAVE, 0, 0);
        pthread_join(hearing.thread, NULL);
    }
    if (hearing.made)
        CloseHandle(hearing.made);
    if (hearing.over)
        CloseHandle(hearing.over);
}
