/* SPDX-License-Identifier: Apache-2.0 */
/* AllowedClients and BlockedClients: who may connect. */
#ifndef ENGINE_ACCESS_H
#define ENGINE_ACCESS_H

#include <stdbool.h>

/* True when every entry of the comma-separated `list` is a numeric address, an address block ("10.0.0.0/8",
 * "fd00::/8"), or a pattern of addresses with '*' and '?'. Names are not: a worker must never wait for a resolver. */
bool nacre_access_valid(const char *list);

/* True when an entry matches `address` (numeric). */
bool nacre_access_match(const char *list, const char *address);

#endif
