/* SPDX-License-Identifier: Apache-2.0 */
/* What the system does for CodePage: iconv, or Windows' own conversions. `name` is iconv's and NULL where it has none.
 */
#ifndef ENGINE_CODEPAGE_SYS_H
#define ENGINE_CODEPAGE_SYS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

extern const char nacre_codepage_source[]; /* what to call it in a message */

bool nacre_codepage_known(int64_t page, const char *name);
bool nacre_codepage_from_utf8(int64_t page, const char *name, struct span text, struct buf *out);
bool nacre_codepage_to_utf8(int64_t page, const char *name, struct span bytes, struct buf *out);

#endif
