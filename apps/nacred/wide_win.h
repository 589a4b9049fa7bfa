/* SPDX-License-Identifier: Apache-2.0 */
/* nacred's text is UTF-8, Windows' is UTF-16. */
#ifndef NACRED_WIDE_WIN_H
#define NACRED_WIDE_WIN_H

#include <wchar.h>

/* Both give memory of their own; NULL with errno when there is none or the text is malformed. */
wchar_t *nacred_wide(const char *text);
char *nacred_narrow(const wchar_t *text);

/* What a Windows error is in errno's terms. */
int nacred_errno_of(unsigned long error);

#endif
