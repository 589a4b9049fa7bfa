/* SPDX-License-Identifier: Apache-2.0 */
/* UseInternalSecurityAPI and UseFIPSCompliantAPI: which library context a server works with. */
#ifndef ENGINE_SECURITY_H
#define ENGINE_SECURITY_H

#include <stdbool.h>
#include <stddef.h>

#include "nacre/errors.h"

struct nacre_server;

/* Opens the library that way, reads every key again in it, and sets the algorithm lists to those of AlgorithmProfile.
 * On failure nothing has changed and `why` has the remedy. The server's lock is held. Errors: SETTING_LATE while
 * listening, NOT_SUPPORTED, KEY*, NOBUFS. */
enum nacre_error nacre_security_set(struct nacre_server *server, bool internal, bool fips, char *why, size_t why_size);

#endif
