/* SPDX-License-Identifier: Apache-2.0 */
/* Texts and classes of error codes, and the calling thread's last error. */
#include <stdio.h>
#include <string.h>

#include "engine/server.h"

static _Thread_local char last_error[320];

const char *nacre_error_text(int code)
{
    switch (code) {
    case NACRE_OK:
        return "OK";
#define E(name, number, class, disconnect, text)                                                                       \
    case number:                                                                                                       \
        return text;
#include "nacre/errors.def"
#undef E
    default:
        return "Unknown error.";
    }
}

enum nacre_error_class nacre_error_class(int code)
{
    switch (code) {
    case NACRE_OK:
        return NACRE_CLASS_OK;
#define E(name, number, class, disconnect, text)                                                                       \
    case number:                                                                                                       \
        return NACRE_CLASS_##class;
#include "nacre/errors.def"
#undef E
    default:
        return NACRE_CLASS_INTERNAL;
    }
}

int nacre_fail(enum nacre_error error, const char *why)
{
    bool own = why != NULL && why[0] != '\0';
    (void)snprintf(last_error, sizeof last_error, "%s", own ? why : nacre_error_text((int)error));
    return (int)error;
}

int nacre_succeed(void)
{
    last_error[0] = '\0';
    return NACRE_OK;
}

const char *nacre_last_error(const nacre_server *server)
{
    (void)server; /* a thread's last call is the last one, whichever server it was on */
    return last_error;
}

int nacre_copy_out(char *value, size_t size, const char *text)
{
    size_t need = strlen(text) + 1;
    if (value == NULL || size < need) {
        char why[96];
        (void)snprintf(why, sizeof why, "The value needs a buffer of %zu bytes.", need);
        return nacre_fail(NACRE_E_BUFFER_SIZE, why);
    }
    memcpy(value, text, need);
    return nacre_succeed();
}
