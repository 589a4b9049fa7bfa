/* SPDX-License-Identifier: Apache-2.0 */
/* Messages that wait behind a question or for a key exchange, first in, first out.
 *
 * They lie in pieces that come with need and go when what they held has been taken: neither adding a message nor taking
 * one moves the others, and an empty lane owns nothing. What goes is wiped. Not thread-safe. */
#ifndef SSH_LANE_H
#define SSH_LANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

struct lane_piece;

struct lane {
    struct lane_piece *first, *last; /* NULL: empty */
    size_t bytes;                    /* of the messages and their lengths */
    size_t room;                     /* allocated */
};

/* Adds a copy of the message. False, and as it was: out of memory, or there would be more than `max` bytes. */
bool nacre_lane_put(struct lane *lane, size_t max, uint8_t type, struct span body);

/* The first message, which stays where it is until it is dropped. False: there is none. */
bool nacre_lane_peek(const struct lane *lane, struct span *payload);

/* Forgets the first message, which there is. */
void nacre_lane_drop(struct lane *lane);

void nacre_lane_free(struct lane *lane);

#endif
