/* SPDX-License-Identifier: Apache-2.0 */
/* Windows calls the handler on a thread of its own. Where it ends the process when the handler returns (a closed
 * console, a shutdown), the handler waits for nacred to have ended by itself; Windows does not wait longer than some
 * seconds. */
#include "ending.h"

#include <windows.h>

#include <errno.h>
#include <stddef.h>

static struct ending *told;

static BOOL WINAPI on_control(DWORD type)
{
    atomic_fetch_add_explicit(&told->wishes, 1, memory_order_relaxed);
    nacred_loop_wake(told->loop);
    if (type != CTRL_C_EVENT && type != CTRL_BREAK_EVENT)
        Sleep(INFINITE);
    return TRUE;
}

bool nacred_ending_open(struct ending *ending, struct loop *loop)
{
    *ending = (struct ending){.watch.fd = -1, .loop = loop};
    told = ending;
    if (SetConsoleCtrlHandler(on_control, TRUE))
        return true;
    errno = ENOTSUP;
    return false;
}

void nacred_ending_close(struct ending *ending)
{
    if (ending->loop)
        SetConsoleCtrlHandler(on_control, FALSE);
}
