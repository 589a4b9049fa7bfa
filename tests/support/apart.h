/* SPDX-License-Identifier: Apache-2.0 */
/* A test's process apart from its machine: a network and an /etc of its own, and system calls that fail as they are
 * told to. What is changed stays so until the process ends, which is with the test. */
#ifndef TESTS_APART_H
#define TESTS_APART_H

#include <stdbool.h>

/* A network with nothing but a loopback (127.0.0.1, and ::1 where the system has IPv6), and mounts that nobody else
 * sees. Call it before any thread is started. False: not permitted here. */
bool apart_enter(void);

/* Takes the loopback up or down. */
bool apart_loopback(bool up);

/* The address has a route, and it says that the host cannot be reached. */
bool apart_route_unreachable(const char *address);

/* Names are asked of a server on 127.0.0.1 alone. It answers by the first label: here (127.0.0.1), nxdomain, servfail,
 * formerr; anything else exists without an address. After apart_enter(). */
bool apart_names_begin(void);
void apart_names_end(void);

/* No port below 1024 from now on, whoever runs this. Of the calling thread and those it starts. */
bool apart_drop_bind(void);

/* From now on the system call fails with that error in every thread; `first_argument` >= 0: only with that one (a
 * descriptor). Of several for one call the last counts. False: not permitted here. */
bool apart_refuse(long call, int first_argument, int error);

#endif
