/* SPDX-License-Identifier: Apache-2.0 */
/* CodePage: texts between UTF-8, which the application sees, and the code page that clients speak. Any thread. */
#ifndef ENGINE_CODEPAGE_H
#define ENGINE_CODEPAGE_H

#include "base/buf.h"
#include "nacre/errors.h"

enum {
    CODEPAGE_UTF8 = 65001
};

/* SETTING_VALUE: no such identifier. NOT_SUPPORTED: this system does not have it. `why` says so. */
enum nacre_error nacre_codepage_check(int64_t page, char *why, size_t why_size);

/* Appends `text` (UTF-8) to `out` in the code page. False: it has characters that the code page does not have, or out
 * of memory. */
bool nacre_codepage_encode(int64_t page, struct span text, struct buf *out);

/* Appends `bytes` of the code page to `out` as UTF-8. False: they are no text of it, or out of memory. */
bool nacre_codepage_decode(int64_t page, struct span bytes, struct buf *out);

#endif
