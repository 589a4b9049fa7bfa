/* SPDX-License-Identifier: Apache-2.0 */
/* The system's bound on open descriptors. */
#ifndef ENGINE_LIMIT_H
#define ENGINE_LIMIT_H

#include <stddef.h>

#include "nacre/errors.h"

/* Makes sure that `connections` sockets and some more can be open, raising the soft limit as far as the hard one
 * allows. MFILE: it cannot; `why` then says what would help. */
enum nacre_error nacre_limit_check(unsigned connections, char *why, size_t why_size);

#endif
