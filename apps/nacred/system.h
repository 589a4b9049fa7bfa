/* SPDX-License-Identifier: Apache-2.0 */
/* What nacred needs of an operating system besides files, children and its loop. system_posix.c or system_win.c. */
#ifndef NACRED_SYSTEM_H
#define NACRED_SYSTEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* Before anything else, by main(): makes descriptors 0, 1 and 2 such that nothing else becomes them, and the arguments
 * UTF-8. False: there is no going on. */
bool nacred_system_start(int *argc, char ***argv);

/* Wipes so that no compiler leaves it out. */
void nacred_wipe_bytes(void *at, size_t len);

/* False with errno. */
bool nacred_random(void *at, size_t len);

/* Bits of the address that `text` is: 32 or 128; 0: it is none. */
unsigned nacred_ip_read(const char *text, uint8_t bytes[16]);

/* One write to standard error. */
void nacred_standard_error(const char *text, size_t len);

void nacred_utc_of(time_t when, struct tm *utc);
/* -1: it cannot be told. */
time_t nacred_utc_seconds(struct tm *utc);

/* NULL, or why this system has no such option: --name, with `value` or without (NULL). */
const char *nacred_option_refusal(const char *name, const char *value);

/* Whether a path begins at a root. */
bool nacred_path_is_absolute(const char *path);

/* Whether the first `len` bytes of both name the same environment variable. */
bool nacred_variable_is(const char *a, const char *b, size_t len);

/* What --sftp starts when it names no program; NULL: it has to. */
extern const char *const nacred_sftp_program;

#endif
