/* SPDX-License-Identifier: Apache-2.0 */
/* What a server tells a client that it does not let in. */
#ifndef TESTS_REFUSAL_H
#define TESTS_REFUSAL_H

#include <stdbool.h>
#include <stdint.h>

struct refusal_seen {
    bool greeted;  /* a version line came */
    bool refused;  /* a whole plain DISCONNECT behind it, then the end */
    uint32_t code; /* RFC 4253 section 11.1 */
    char text[160];
};

/* Connects from an address of 127.0.0.0/8 (NULL: 127.0.0.1), says nothing, and reads the version line and, when the end
 * of the stream or `ms` follows, what is behind it. */
struct refusal_seen refusal_of(const char *from, int port, int ms);

/* True when it is refused. Waits as long as it takes. */
bool is_refused(const char *from, int port);

/* A socket to the port that has been greeted with more than a DISCONNECT: it is in; -1: refused. */
int half_open(const char *from, int port);

#endif
