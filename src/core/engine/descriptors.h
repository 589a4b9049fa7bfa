/* SPDX-License-Identifier: Apache-2.0 */
/* A worker with a descriptor table of its own, and how sockets get there.
 *
 * The system bounds the open descriptors of a table, not of a process (RLIMIT_NOFILE), and a thread may leave the
 * process's table for one of its own. What such a worker opens or accepts nobody else in the process sees, and what the
 * application opens or closes does not touch the worker: a number means something only in the table it comes from. A
 * listening socket is therefore handed over through a pair of unix sockets. */
#ifndef ENGINE_DESCRIPTORS_H
#define ENGINE_DESCRIPTORS_H

#include "engine/io.h"

/* What a socket is on its way for; travels with it. */
enum passed {
    PASSED_NONE,
    PASSED_LISTENER,
    PASSED_CLIENT, /* accepted by another worker */
};

/* Both ends of a way for sockets to go, [0] to put in and [1] to take out. Any thread may put in, whole sockets at a
 * time. */
enum nacre_error nacre_descriptors_pair(io_socket ends[2]);

/* Gives the calling thread a table that holds nothing but `keep`, under the same numbers, and 0 to 2, which are
 * keep[0] again: what somebody writes to standard error there reaches nobody. NOT_SUPPORTED and *why: the system does
 * not let us; the thread is then as it was. */
enum nacre_error nacre_descriptors_seclude(const io_socket *keep, unsigned count, const char **why);

/* Puts a socket on its way; it stays the caller's. */
enum nacre_error nacre_descriptors_pass(io_socket through, io_socket s, enum passed what);

/* Takes out the next one, now in this thread's table. NONE: no more are there. *s may be IO_NO_SOCKET: it did not fit
 * into the table, and is closed. */
enum passed nacre_descriptors_take(io_socket through, io_socket *s);

#endif
