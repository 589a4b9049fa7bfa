/* SPDX-License-Identifier: Apache-2.0 */
/* Name-lists, RFC 4251 section 5: comma-separated US-ASCII names of 1 to 64 bytes. */
#ifndef WIRE_NAMELIST_H
#define WIRE_NAMELIST_H

#include "base/span.h"

/* Takes the next name off the front of `*list` and gives it in `*name`; false at the end. */
bool nacre_names_next(struct span *list, struct span *name);

/* True when every name is legal: not empty, at most 64 bytes, printable ASCII without comma or space. "" is legal. */
bool nacre_names_valid(struct span list);

bool nacre_names_has(struct span list, struct span name);

/* RFC 4253 section 7.1: the first of the client's names that the server also lists; an empty span when there is none.
 */
struct span nacre_names_choose(struct span client, struct span server);

/* Matches the class's patterns: '*' any run, '?' any one byte; the rest byte by byte, ASCII case ignored when `fold`.
 */
bool nacre_glob(const char *pattern, struct span text, bool fold);

#endif
