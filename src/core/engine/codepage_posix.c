/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <iconv.h>

#include "engine/codepage_sys.h"

enum {
    STEP = 256
};

static const char utf8[] = "UTF-8";

const char nacre_codepage_source[] = "this system's iconv";

static bool opens(const char *to, const char *from)
{
    iconv_t x = iconv_open(to, from);
    if (x == (iconv_t)-1)
        return false;
    iconv_close(x);
    return true;
}

bool nacre_codepage_known(int64_t page, const char *name)
{
    (void)page;
    return name != NULL && opens(name, utf8) && opens(utf8, name);
}

/* Converts in steps, as the result may be longer or shorter; the last step writes what ends a state. */
static bool run(iconv_t x, struct span in, struct buf *out)
{
    char *from = (char *)(uintptr_t)in.at;
    size_t left = in.len;
    bool flushed = false;
    while (!flushed) {
        bool last = left == 0;
        char *at = (char *)nacre_buf_reserve(out, STEP);
        size_t room = STEP;
        if (at == NULL)
            return false;
        size_t result = iconv(x, last ? NULL : &from, last ? NULL : &left, &at, &room);
        out->len += STEP - room;
        if (result == (size_t)-1 && errno != E2BIG)
            return false;
        flushed = last && result != (size_t)-1;
    }
    return true;
}

static bool convert(const char *to, const char *from, struct span in, struct buf *out)
{
    iconv_t x = to == NULL || from == NULL ? (iconv_t)-1 : iconv_open(to, from);
    if (x == (iconv_t)-1)
        return false;
    bool ok = run(x, in, out);
    iconv_close(x);
    return ok;
}

bool nacre_codepage_from_utf8(int64_t page, const char *name, struct span text, struct buf *out)
{
    (void)page;
    return convert(name, utf8, text, out);
}

bool nacre_codepage_to_utf8(int64_t page, const char *name, struct span bytes, struct buf *out)
{
    (void)page;
    return convert(utf8, name, bytes, out);
}
