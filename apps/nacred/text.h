/* SPDX-License-Identifier: Apache-2.0 */
/* Small things with text that not every system's library has. */
#ifndef NACRED_TEXT_H
#define NACRED_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* A copy with a NUL behind it; NULL when out of memory. */
char *nacred_text_copy(const char *text, size_t len);

/* Whether `part`, in small letters, stands in `text` in letters of either size. */
bool nacred_text_holds(const char *text, const char *part);

/* Whether all of `text` fits the pattern, in which * stands for any bytes and ? for any one. Takes no longer than the
 * product of their lengths. */
bool nacred_text_fits(const char *text, const char *pattern);
/* The same; the size of letters does not matter. */
bool nacred_text_fits_any_case(const char *text, const char *pattern);

#endif
