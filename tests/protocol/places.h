/* SPDX-License-Identifier: Apache-2.0 */
/* Pairs of which one side is at a certain place of the protocol, and ways to say something to it there. */
#ifndef TESTS_PROTOCOL_PLACES_H
#define TESTS_PROTOCOL_PLACES_H

#include "support/pair.h"

/* Where a side is when the message comes. Two of them are the table's first column: before and after the KEXINIT. */
enum place {
    BEFORE_KEXINIT,
    LAX_KEX,
    STRICT_KEX,
    SERVICE,
    LOGIN,
    LOGGED_IN,
    REKEYING,
    PLACES
};

struct side *side_of(struct pair *p, enum conn_role role);
struct side *other_side(struct pair *p, enum conn_role role);

/* A pair of which that side is at that place. `kex`: the client's only key exchange method; NULL: the usual ones. */
struct pair *pair_at(enum conn_role role, enum place place, const char *kex);

/* A packet of the first key exchange, in clear. `out` has room for the payload and 64 bytes more. Returns its length.
 */
size_t clear_packet(uint8_t *out, struct span payload);

/* In clear, with the version line where the peer has not had one yet. */
void say_in_clear(struct side *to, bool with_version, struct span payload);

/* Seals the payload as the peer would and gives it to that side. */
void say_sealed(struct side *from, struct side *to, struct span payload);

/* The one or the other, as it has to be there. */
void say(struct pair *p, enum conn_role role, enum place place, struct span payload);

#endif
