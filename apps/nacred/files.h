/* SPDX-License-Identifier: Apache-2.0 */
/* Files that decide who gets in: opened, made, and looked at for who else may touch them. files_posix.c or files_win.c.
 */
#ifndef NACRED_FILES_H
#define NACRED_FILES_H

#include <stdbool.h>
#include <stdio.h>

/* To be read, byte for byte; no child inherits it. NULL with errno. */
FILE *nacred_file_open(const char *path);

/* Whether nothing has that name. */
bool nacred_file_is_missing(const char *path);

/* Makes a file that only this account can read. It appears whole or not at all, and what somebody else has put there
 * meanwhile stays. False with errno. */
bool nacred_file_make(const char *path, const char *text);

/* NULL, or why the file is no good to keep a secret in: others can read it, or put another there. */
const char *nacred_file_secret_wrong(const char *path);

/* NULL, or why the file is no good to believe: others can write it. */
const char *nacred_file_trust_wrong(FILE *file, const char *path);

#endif
