/* SPDX-License-Identifier: Apache-2.0 */
/* Which back end a server runs on. */
#ifndef ENGINE_IO_PICK_H
#define ENGINE_IO_PICK_H

#include "engine/io.h"

/* The one that is asked for: by its name; "auto": the best one that this system permits; NULL: the default. NULL when
 * it cannot work here; *why_not then says why and what would help. */
const struct io_backend *nacre_io_pick(const char *asked, const char **why_not);

/* Static text for "auto" or the name of a back end of this build, whatever the case; else NULL. */
const char *nacre_io_name(const char *text);

/* Why this build does not have the back end of that name; NULL: no build has such a one. */
const char *nacre_io_missing(const char *text);
extern const char nacre_io_not_here[]; /* of those that other systems have */

/* The values of IOBackend, in words. */
const char *nacre_io_names(void);

/* The name of this system's completion model, which UseIOCP=True asks for; NULL when this build is without it. */
const char *nacre_io_completion_name(void);

/* The name of the model that works by window messages, which UseWindowsMessages=True asks for; NULL where the system
 * has none. */
const char *nacre_io_messages_name(void);

/* What this build has, in words. */
const char *nacre_io_features(void);

#endif
