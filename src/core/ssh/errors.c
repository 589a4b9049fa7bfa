/* SPDX-License-Identifier: Apache-2.0 */
/* Columns of nacre/errors.def as look-ups. Errors end connections, so a scan of the table is fast enough. */
#include "ssh/errors.h"

#include <stddef.h>

struct error_row {
    enum nacre_error code;
    enum nacre_error_class class;
    uint32_t disconnect;
};

enum {
    BY_APPLICATION = 11
};

static const struct error_row rows[] = {
    {NACRE_OK, NACRE_CLASS_OK, BY_APPLICATION},
#define E(name, code, class, disconnect, text) {NACRE_E_##name, NACRE_CLASS_##class, disconnect},
#include "nacre/errors.def"
#undef E
};

static const struct error_row *row_of(enum nacre_error error)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].code == error)
            return &rows[i];
    }
    return NULL;
}

uint32_t nacre_error_disconnect_code(enum nacre_error error)
{
    const struct error_row *row = row_of(error);
    return row == NULL ? BY_APPLICATION : row->disconnect;
}

enum nacre_error_class nacre_error_class(enum nacre_error error)
{
    const struct error_row *row = row_of(error);
    return row == NULL ? NACRE_CLASS_INTERNAL : row->class;
}
