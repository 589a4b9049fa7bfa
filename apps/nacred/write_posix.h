/* SPDX-License-Identifier: Apache-2.0 */
/* Writing to a descriptor that waits. */
#ifndef NACRED_WRITE_POSIX_H
#define NACRED_WRITE_POSIX_H

#include <stdbool.h>
#include <stddef.h>

/* All of it, however often the system takes a part or a signal comes in between. False with errno. */
bool nacred_write_all(int fd, const void *at, size_t len);

#endif
