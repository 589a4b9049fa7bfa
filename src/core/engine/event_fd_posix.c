/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/event_fd.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

intptr_t nacre_event_fd_open(void)
{
    return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

void nacre_event_fd_set(intptr_t fd)
{
    while (eventfd_write((int)fd, 1) != 0 && errno == EINTR) /* else it fails only when it is set already */
        ;
}

void nacre_event_fd_clear(intptr_t fd)
{
    eventfd_t value;
    while (eventfd_read((int)fd, &value) != 0 && errno == EINTR) /* else it fails only when it is clear already */
        ;
}

void nacre_event_fd_close(intptr_t fd)
{
    (void)close((int)fd);
}
