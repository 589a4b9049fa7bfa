/* SPDX-License-Identifier: Apache-2.0 */
/* The shell that makes the files of the tests; shell_posix.c, shell_win.c. */
#ifndef TESTS_KEYS_SHELL_H
#define TESTS_KEYS_SHELL_H

#include <stdbool.h>

/* Runs a command of /bin/sh in the current folder; gives its exit status, -1 where there is no such shell. */
int shell(const char *command);

/* Makes a folder for one test and goes there. */
bool shell_enter_folder(void);

/* Leaves it and removes it with all that is in it. */
bool shell_leave_folder(void);

#endif
