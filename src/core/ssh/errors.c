/* SPDX-License-Identifier: Apache-2.0 */
/* A column of nacre/errors.def as a look-up. Errors end connections, so a scan of the table is fast enough. */
#include "ssh/errors.h"

#include <stddef.h>

struct error_row {
    enum nacre_error code;
    uint32_t disconnect;
};

enum {
    BY_APPLICATION = 11
};

static const struct error_row rows[] = {
    {NACRE_OK, BY_APPLICATION},
#define E(name, code, class, disconnect, text) {NACRE_E_##name, disconnect},
#include "nacre/errors.def"
#undef E
};

uint32_t nacre_error_disconnect_code(enum nacre_error error)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].code == error)
            return rows[i].disconnect;
    }
    return BY_APPLICATION;
}
