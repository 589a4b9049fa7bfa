/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/codepage.h"

#include <errno.h>
#include <iconv.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    STEP = 256
};

static const struct {
    int64_t page;
    const char *name;
} pages[] = {
#define P(identifier, name) {identifier, name},
#include "engine/codepage.def"
#undef P
};

static const char utf8[] = "UTF-8";

/* False: the class has no such page. *name is NULL for one that iconv does not have. */
static bool find(int64_t page, const char **name)
{
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        if (pages[i].page != page)
            continue;
        *name = pages[i].name;
        return true;
    }
    return false;
}

static bool opens(const char *to, const char *from)
{
    iconv_t x = iconv_open(to, from);
    if (x == (iconv_t)-1)
        return false;
    iconv_close(x);
    return true;
}

enum nacre_error nacre_codepage_check(int64_t page, char *why, size_t why_size)
{
    const char *name = NULL;
    if (!find(page, &name)) {
        (void)snprintf(why, why_size, "CodePage %" PRId64 " is not a code page identifier of the class.", page);
        return NACRE_E_SETTING_VALUE;
    }
    if (name != NULL && opens(name, utf8) && opens(utf8, name))
        return NACRE_OK;
    (void)snprintf(why, why_size, "CodePage %" PRId64 " is not known to this system's iconv.", page);
    return NACRE_E_NOT_SUPPORTED;
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

bool nacre_codepage_encode(int64_t page, struct span text, struct buf *out)
{
    const char *name = NULL;
    return find(page, &name) && convert(name, utf8, text, out);
}

bool nacre_codepage_decode(int64_t page, struct span bytes, struct buf *out)
{
    const char *name = NULL;
    return find(page, &name) && convert(utf8, name, bytes, out);
}
