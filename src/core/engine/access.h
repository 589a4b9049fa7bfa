/* SPDX-License-Identifier: Apache-2.0 */
/* AllowedClients and BlockedClients: who may connect. */
#ifndef ENGINE_ACCESS_H
#define ENGINE_ACCESS_H

#include <stdbool.h>
#include <stddef.h>

#include "nacre/errors.h"

/* Checks a comma-separated list of numeric addresses, address blocks ("10.0.0.0/8", "fd00::/8"), patterns of addresses
 * with '*' and '?', and host names, and gives a copy in *out (freed by the caller) where every name is replaced by its
 * addresses, so that matching waits for nothing. Looks names up: never on a worker. On failure *out is NULL and `why`
 * names the entry. Errors: SETTING_VALUE, the resolver's, NOBUFS. */
enum nacre_error nacre_access_resolve(const char *list, char **out, char *why, size_t why_size);

/* True when an entry of a list without names matches `address` (numeric). */
bool nacre_access_match(const char *list, const char *address);

/* The same for a list of addresses and blocks alone, as a certificate's source-address is: anything else in it, or an
 * address with bits behind those of its block, and it matches nobody. */
bool nacre_access_match_blocks(const char *list, const char *address);

/* True when the list has addresses, blocks and patterns of addresses only. */
bool nacre_access_is_numeric(const char *list);

#endif
