/* SPDX-License-Identifier: Apache-2.0 */
/* System calls of the library that the linker hands over (--wrap, CMakeLists.txt), to fail when the test says so or, by
 * a pattern that comes from a seed, to move less than was asked for and to be interrupted.
 *
 * The test's own clients are left alone: only what the library has registered with epoll is twisted, requests of its
 * rings, and what is written to its eventfds. A call on a registered socket that is made to say that the socket is full
 * or empty is followed by what the kernel tells when that is over. */
#ifndef TESTS_TWIST_H
#define TESTS_TWIST_H

#include <stdbool.h>
#include <stddef.h>

enum twist_call {
    TWIST_ACCEPT, /* accept4(), or the request for it */
    TWIST_SEND,
    TWIST_RECEIVE,
    TWIST_WAIT,   /* epoll_wait() and epoll_pwait2(), or entering the ring */
    TWIST_WAKE,   /* write() to an eventfd */
    TWIST_ADD,    /* epoll_ctl() of a socket */
    TWIST_CHANGE, /* the same for one that is registered */
    TWIST_WATCH,  /* a ring's polls: of its eventfd, and for errors */
    TWIST_ENTER,  /* handing requests to the kernel by a ring: it takes none */
    TWIST_CALLS
};

/* Accepting, waking, registering, watching and entering fail with that error number from now on; 0: no more. */
void twist_fail(enum twist_call call, int number);

/* The same, but only the first `times` of them. */
void twist_fail_some(enum twist_call call, int number, unsigned times);

/* Sending, receiving and waiting go by the pattern from now on; 0: no more. */
void twist_by(unsigned seed);

/* Calls that failed because of us, and those that moved less than they could have. */
unsigned twist_failed(enum twist_call call);
unsigned twist_shortened(enum twist_call call);

/* For the calls themselves. */

/* The number that this call is to fail with, or 0. Counts. */
int twist_number(enum twist_call call);
/* How many of so many bytes are moved. Counts. */
size_t twist_share(enum twist_call call, size_t len);
unsigned twist_draw(void);
bool twist_is_on(void);

#endif
