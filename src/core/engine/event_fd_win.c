/* SPDX-License-Identifier: Apache-2.0 */
#include <winsock2.h>
/* winsock2.h stands before windows.h, or the older winsock.h comes with it. */
#include <windows.h>

#include "engine/event_fd.h"

intptr_t nacre_event_fd_open(void)
{
    HANDLE event = CreateEventW(NULL, TRUE, FALSE, NULL);
    return event == NULL ? -1 : (intptr_t)event;
}

void nacre_event_fd_set(intptr_t fd)
{
    (void)SetEvent((HANDLE)fd);
}

void nacre_event_fd_clear(intptr_t fd)
{
    (void)ResetEvent((HANDLE)fd);
}

void nacre_event_fd_close(intptr_t fd)
{
    (void)CloseHandle((HANDLE)fd);
}
