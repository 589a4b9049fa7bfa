/* SPDX-License-Identifier: Apache-2.0 */
/* Multiple-precision integers, RFC 4251 section 5: the rules in one place. */
#ifndef WIRE_MPINT_H
#define WIRE_MPINT_H

#include "wire/rd.h"
#include "wire/wr.h"

/* Writes unsigned big-endian bytes as an mpint: leading zeros dropped, one put in front of a set high bit. */
void nacre_wr_mpint(struct wr *w, struct span magnitude);

/* Reads a non-negative mpint and gives its magnitude without leading zero. Negative, not minimal, or a magnitude longer
 * than `max` bytes is bad. */
struct span nacre_rd_mpint(struct rd *r, size_t max);

#endif
