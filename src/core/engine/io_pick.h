/* SPDX-License-Identifier: Apache-2.0 */
/* Which back end a server runs on. */
#ifndef ENGINE_IO_PICK_H
#define ENGINE_IO_PICK_H

#include "engine/io.h"

/* The best one that this system permits. */
const struct io_backend *nacre_io_pick(void);

/* The one of that name, or NULL. */
const struct io_backend *nacre_io_named(const char *name);

#endif
