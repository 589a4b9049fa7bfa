/* SPDX-License-Identifier: Apache-2.0 */
/* Large non-negative integers as people write them and as bytes, big-endian without leading zeros. Any thread. */
#ifndef CRYPTO_NUMBER_H
#define CRYPTO_NUMBER_H

#include "base/buf.h"

enum {
    NUMBER_TEXT_MAX = 40000
}; /* digits; more than a packet holds */

/* Decimal digits, or hexadecimal ones behind "0x", into bytes appended to `out`; zero appends none. False: something
 * else is in it, or it does not fit. */
bool nacre_number_read(const char *text, struct buf *out);

/* The bytes, at most NUMBER_TEXT_MAX, as decimal digits appended to `out`, no NUL behind them. False: there are more,
 * or they do not fit. */
bool nacre_number_write(struct span magnitude, struct buf *out);

#endif
