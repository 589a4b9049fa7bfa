/* SPDX-License-Identifier: Apache-2.0 */
/* Host names into numeric addresses. May wait for a resolver: never on a worker. */
#ifndef ENGINE_LOOKUP_H
#define ENGINE_LOOKUP_H

#include "base/buf.h"
#include "nacre/errors.h"

/* Appends every address of `name` to `out` as text, each followed by a comma. An IPv4 address in IPv6 clothes is given
 * as plain IPv4. Errors: the resolver's, NOBUFS. */
enum nacre_error nacre_lookup_addresses(const char *name, struct buf *out);

#endif
