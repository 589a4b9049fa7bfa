/* SPDX-License-Identifier: Apache-2.0 */
#include "settings.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum property_kind {
    PROPERTY_TEXT,
    PROPERTY_NUMBER,
    PROPERTY_BYTES,
    PROPERTY_INDEXED_TEXT, /* name[index] */
    PROPERTY_INDEXED_FLAG,
};

struct property_row {
    const char *name;
    enum property_kind kind;
    union {
        int (*text)(nacre_server *, const char *);
        int (*number)(nacre_server *, int);
        int (*bytes)(nacre_server *, const void *, size_t);
        int (*indexed_text)(nacre_server *, int, const char *);
        int (*indexed_flag)(nacre_server *, int, bool);
    } set;
};

/* clang-format off */
static const struct property_row property_rows[] = {
    {"local_host",                          PROPERTY_TEXT,         {.text = nacre_set_local_host}},
    {"local_port",                          PROPERTY_NUMBER,       {.number = nacre_set_local_port}},
    {"connection_backlog",                  PROPERTY_NUMBER,       {.number = nacre_set_connection_backlog}},
    {"default_auth_methods",                PROPERTY_TEXT,         {.text = nacre_set_default_auth_methods}},
    {"default_idle_timeout",                PROPERTY_NUMBER,       {.number = nacre_set_default_idle_timeout}},
    {"default_timeout",                     PROPERTY_NUMBER,       {.number = nacre_set_default_timeout}},
    {"keyboard_interactive_message",        PROPERTY_TEXT,         {.text = nacre_set_keyboard_interactive_message}},
    {"keyboard_interactive_prompt_count",   PROPERTY_NUMBER,       {.number = nacre_set_keyboard_interactive_prompt_count}},
    {"keyboard_interactive_prompt_echo",    PROPERTY_INDEXED_FLAG, {.indexed_flag = nacre_set_keyboard_interactive_prompt_echo}},
    {"keyboard_interactive_prompt_prompt",  PROPERTY_INDEXED_TEXT, {.indexed_text = nacre_set_keyboard_interactive_prompt_prompt}},
    {"ssh_cert_encoded",                    PROPERTY_BYTES,        {.bytes = nacre_set_ssh_cert_encoded}},
    {"ssh_cert_store",                      PROPERTY_BYTES,        {.bytes = nacre_set_ssh_cert_store}},
    {"ssh_cert_store_password",             PROPERTY_TEXT,         {.text = nacre_set_ssh_cert_store_password}},
    {"ssh_cert_store_type",                 PROPERTY_NUMBER,       {.number = nacre_set_ssh_cert_store_type}},
    {"ssh_cert_subject",                    PROPERTY_TEXT,         {.text = nacre_set_ssh_cert_subject}},
    {"ssh_compression_algorithms",          PROPERTY_TEXT,         {.text = nacre_set_ssh_compression_algorithms}},
    {"ssh_encryption_algorithms",           PROPERTY_TEXT,         {.text = nacre_set_ssh_encryption_algorithms}},
};
/* clang-format on */

/* How much of `text` spells `name`, case and underscores apart; 0 when it does not. */
static size_t spells(const char *text, const char *name)
{
    size_t at = 0;

    for (; *name; name++) {
        if (*name == '_')
            continue;
        while (text[at] == '_')
            at++;
        if (tolower((unsigned char)text[at]) != tolower((unsigned char)*name))
            return 0;
        at++;
    }
    return at;
}

static bool read_number(const char *text, char end, int *value, const char **rest)
{
    char *stop;

    errno = 0;
    long number = strtol(text, &stop, 10);
    if (errno || stop == text || *stop != end || number < INT32_MIN || number > INT32_MAX)
        return false;
    *value = (int)number;
    *rest = stop;
    return true;
}

static bool read_flag(const char *text, bool *value)
{
    *value = strcasecmp(text, "true") == 0 || strcasecmp(text, "yes") == 0 || strcmp(text, "1") == 0;
    return *value || strcasecmp(text, "false") == 0 || strcasecmp(text, "no") == 0 || strcmp(text, "0") == 0;
}

/* Refused here, before the library was asked. */
static int refused(const char **why, int code, const char *text)
{
    *why = text;
    return code;
}

static int set_plain(nacre_server *server, const struct property_row *row, const char *value, const char **why)
{
    const char *rest;
    int number;

    if (row->kind == PROPERTY_TEXT)
        return row->set.text(server, value);
    if (row->kind == PROPERTY_BYTES)
        return row->set.bytes(server, value, strlen(value));
    if (!read_number(value, 0, &number, &rest))
        return refused(why, NACRE_E_SETTING_VALUE, "It is a number.");
    return row->set.number(server, number);
}

/* `at` stands behind the name. */
static int set_row(nacre_server *server, const struct property_row *row, const char *at, const char **why)
{
    int index;
    bool flag;

    if (row->kind != PROPERTY_INDEXED_TEXT && row->kind != PROPERTY_INDEXED_FLAG)
        return *at == '=' ? set_plain(server, row, at + 1, why)
                          : refused(why, NACRE_E_SETTING_UNKNOWN, "It has no index.");
    if (*at != '[' || !read_number(at + 1, ']', &index, &at) || at[1] != '=')
        return refused(why, NACRE_E_SETTING_UNKNOWN, "It needs an index: NAME[0]=VALUE.");
    if (row->kind == PROPERTY_INDEXED_TEXT)
        return row->set.indexed_text(server, index, at + 2);
    if (!read_flag(at + 2, &flag))
        return refused(why, NACRE_E_SETTING_VALUE, "It is True or False.");
    return row->set.indexed_flag(server, index, flag);
}

int nacred_setting_set(nacre_server *server, const char *setting, const char **why)
{
    *why = NULL;
    for (size_t i = 0; i < sizeof property_rows / sizeof *property_rows; i++) {
        size_t len = spells(setting, property_rows[i].name);

        if (len > 0 && (setting[len] == '=' || setting[len] == '[')) {
            int result = set_row(server, &property_rows[i], setting + len, why);
            if (*why == NULL)
                *why = nacre_last_error(server);
            return result;
        }
    }
    int result = nacre_config(server, setting, NULL, 0);
    *why = nacre_last_error(server);
    return result;
}

bool nacred_setting_begins(const char *setting, const char *name)
{
    return spells(setting, name) > 0;
}
