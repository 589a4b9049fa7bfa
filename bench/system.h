/* SPDX-License-Identifier: Apache-2.0 */
/* What the load needs of an operating system besides sockets (net.h, ready.h) and processes (process.h). system_posix.c
 * or system_win.c. */
#ifndef BENCH_SYSTEM_H
#define BENCH_SYSTEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* main()'s first call: from now on sockets work, a connection that is lost ends no process, and the arguments are
 * UTF-8. False: there is no going on. */
bool bench_system_start(int *argc, char ***argv);

/* Why the calling thread's last call of the system or of a socket failed. */
int bench_system_error(void);

/* What that means; gives `out`. */
const char *bench_system_text(int error, char *out, size_t size);

/* Sockets and the like that each process may have open at most; sees to it that it may. UINT64_MAX: no limit is known.
 */
uint64_t bench_system_descriptors(void);

/* An empty file of that name, which is UTF-8, to be written to. NULL: errno says why. */
FILE *bench_system_create(const char *name);

#endif
