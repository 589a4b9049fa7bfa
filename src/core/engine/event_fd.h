/* SPDX-License-Identifier: Apache-2.0 */
/* A handle of the system that can be polled: readable while set. Any thread. */
#ifndef ENGINE_EVENT_FD_H
#define ENGINE_EVENT_FD_H

#include <stdint.h>

intptr_t nacre_event_fd_open(void); /* -1: the system has none left */
void nacre_event_fd_set(intptr_t fd);
void nacre_event_fd_clear(intptr_t fd);
void nacre_event_fd_close(intptr_t fd);

#endif
