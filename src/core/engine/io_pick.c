/* SPDX-License-Identifier: Apache-2.0 */
/* The only file that names the back ends. */
#include "engine/io_pick.h"

#include <string.h>

/* Best first. */
static const struct io_backend *const backends[] = {
    &nacre_io_epoll,
};

const struct io_backend *nacre_io_pick(void)
{
    const char *why_not;
    for (size_t i = 0; i < sizeof backends / sizeof *backends; i++)
        if (backends[i]->usable(&why_not))
            return backends[i];
    return backends[0];
}

const struct io_backend *nacre_io_named(const char *name)
{
    for (size_t i = 0; i < sizeof backends / sizeof *backends; i++)
        if (strcmp(backends[i]->name, name) == 0)
            return backends[i];
    return NULL;
}
