/* SPDX-License-Identifier: Apache-2.0 */
/* The lock, condition, thread and socket types of base/plat.h on Windows. A slim lock and a condition variable are one
 * pointer each and need no clean-up; they are declared here in that form so that windows.h stays out of every other
 * file. */
#ifndef BASE_PLAT_TYPES_WIN_H
#define BASE_PLAT_TYPES_WIN_H

typedef struct plat_mutex {
    void *srw; /* SRWLOCK */
} plat_mutex;

typedef struct plat_cond {
    void *cv; /* CONDITION_VARIABLE */
} plat_cond;

typedef struct plat_park {
    plat_mutex lock; /* protects `set` */
    plat_cond changed;
    int set;
} plat_park;

typedef void *plat_thread;     /* HANDLE */
typedef uintptr_t plat_socket; /* SOCKET */

#endif
