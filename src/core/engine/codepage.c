/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/codepage.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/codepage_sys.h"

static const struct {
    int64_t page;
    const char *name;
} pages[] = {
#define P(identifier, name) {identifier, name},
#include "engine/codepage.def"
#undef P
};

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

enum nacre_error nacre_codepage_check(int64_t page, char *why, size_t why_size)
{
    const char *name = NULL;
    if (!find(page, &name)) {
        (void)snprintf(why, why_size, "CodePage %" PRId64 " is not a code page identifier of the class.", page);
        return NACRE_E_SETTING_VALUE;
    }
    if (nacre_codepage_known(page, name))
        return NACRE_OK;
    (void)snprintf(why, why_size, "CodePage %" PRId64 " is not known to %s.", page, nacre_codepage_source);
    return NACRE_E_NOT_SUPPORTED;
}

bool nacre_codepage_encode(int64_t page, struct span text, struct buf *out)
{
    const char *name = NULL;
    return find(page, &name) && nacre_codepage_from_utf8(page, name, text, out);
}

bool nacre_codepage_decode(int64_t page, struct span bytes, struct buf *out)
{
    const char *name = NULL;
    return find(page, &name) && nacre_codepage_to_utf8(page, name, bytes, out);
}
