/* SPDX-License-Identifier: Apache-2.0 */
#include "key_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "authorized_keys.h"
#include "files.h"
#include "log.h"
#include "system.h"
#include "text.h"

/* Whom the keys of one file are for. */
struct audience {
    struct users *users;
    const char *name;    /* NULL: every user of --user */
    const char *account; /* when there is none */
    nacre_server *server;
};

static bool complain(const char *path, const char *why)
{
    fprintf(stderr, "nacred: keys in '%s': %s\n", path, why);
    return false;
}

/* Who can write the file decides who gets in. */
static bool file_is_safe(FILE *file, const char *path)
{
    const char *wrong = nacred_file_trust_wrong(file, path);

    return wrong ? complain(path, wrong) : true;
}

FILE *nacred_key_file_open(const char *path)
{
    FILE *file = nacred_file_open(path);

    if (!file)
        complain(path, strerror(errno));
    else if (!file_is_safe(file, path)) {
        fclose(file);
        file = NULL;
    }
    return file;
}

static const char *add_key(const struct audience *audience, const uint8_t *blob, size_t len,
                           const struct key_options *options)
{
    const char *wrong = NULL;
    bool any = false;

    if (audience->name)
        return nacred_users_add_key(audience->users, audience->name, blob, len, options);
    for (size_t i = 0; i < audience->users->count && !wrong; i++) {
        const struct user *user = &audience->users->list[i];

        if (user->named_by_user_option) {
            any = true;
            wrong = nacred_users_add_key(audience->users, user->name, blob, len, options);
        }
    }
    return any ? wrong : nacred_users_add_key(audience->users, audience->account, blob, len, options);
}

static bool ignore(const char *path, int number, const char *why)
{
    nacred_log(LOG_LEVEL_WARNING, NULL, "authorized-keys", "%s line %d ignored: %s", path, number, why);
    return true;
}

/* A line that begins with options, if with anything that is known. */
static bool take_options(const struct audience *audience, const char *path, int number, const char *line, size_t len)
{
    uint8_t blob[AUTHORIZED_KEYS_LINE_MAX];
    size_t blob_len = sizeof blob, start = 0;
    char why[KEY_OPTIONS_WHY_MAX];
    struct key_options options;

    while (start < len && (line[start] == ' ' || line[start] == '\t'))
        start++;
    size_t end = start + nacred_key_options_end(line + start, len - start);
    enum key_line kind = nacred_key_line_read(line + end, len - end, blob, &blob_len);
    if (kind == KEY_LINE_BAD)
        return ignore(path, number, "the key is malformed");
    if (kind != KEY_LINE_KEY)
        return ignore(path, number, "it holds no key of a type that is known here");
    if (!nacred_key_options_read(line + start, end - start, &options, why))
        return ignore(path, number, why);
    const char *wrong = NULL;
    bool known = !options.cert_authority || nacre_add_known_user_ca(audience->server, blob, blob_len) == 0;
    if (known)
        wrong = add_key(audience, blob, blob_len, &options);
    else
        ignore(path, number, nacre_last_error(audience->server));
    nacred_key_options_free(&options);
    return wrong ? complain(path, wrong) : true;
}

static bool take_line(const struct audience *audience, const char *path, int number, const char *line, size_t len)
{
    uint8_t blob[AUTHORIZED_KEYS_LINE_MAX];
    size_t blob_len = sizeof blob;
    struct key_options none;
    const char *wrong = NULL;

    nacred_key_options_none(&none);
    switch (nacred_key_line_read(line, len, blob, &blob_len)) {
    case KEY_LINE_KEY:
        wrong = add_key(audience, blob, blob_len, &none);
        return wrong ? complain(path, wrong) : true;
    case KEY_LINE_EMPTY:
        return true;
    case KEY_LINE_OPTIONS:
        return take_options(audience, path, number, line, len);
    case KEY_LINE_BAD:
        return ignore(path, number, "the key is malformed");
    }
    return true;
}

static bool read_lines(const struct audience *audience, const char *path, FILE *file)
{
    char line[AUTHORIZED_KEYS_LINE_MAX];
    size_t len;
    bool too_long;

    for (int number = 1; nacred_key_line_next(file, line, &len, &too_long); number++) {
        if (too_long)
            nacred_log(LOG_LEVEL_WARNING, NULL, "authorized-keys", "%s line %d ignored: too long", path, number);
        else if (!take_line(audience, path, number, line, len))
            return false;
    }
    return ferror(file) ? complain(path, strerror(errno)) : true;
}

static bool read_file(const struct audience *audience, const char *path)
{
    FILE *file = nacred_key_file_open(path);

    if (!file)
        return false;
    bool good = read_lines(audience, path, file);
    fclose(file);
    return good;
}

static bool take_authority(nacre_server *server, const char *path, const char *line, size_t len)
{
    uint8_t blob[AUTHORIZED_KEYS_LINE_MAX];
    size_t blob_len = sizeof blob;
    enum key_line kind = nacred_key_line_read(line, len, blob, &blob_len);

    if (kind == KEY_LINE_EMPTY)
        return true;
    /* An authority that is left out for a mistake in its line locks people out: better not to start. */
    if (kind != KEY_LINE_KEY)
        return complain(path, "holds a line that is no public key");
    if (nacre_add_user_ca(server, blob, blob_len) == 0)
        return true;
    return complain(path, nacre_last_error(server));
}

static bool read_authorities(nacre_server *server, const char *path)
{
    char line[AUTHORIZED_KEYS_LINE_MAX];
    size_t len;
    bool too_long, good = true;
    FILE *file = nacred_key_file_open(path);

    if (!file)
        return false;
    while (good && nacred_key_line_next(file, line, &len, &too_long))
        good = too_long ? complain(path, "holds a line that is too long") : take_authority(server, path, line, len);
    if (good && ferror(file))
        good = complain(path, strerror(errno));
    fclose(file);
    return good;
}

bool nacred_user_cas_read(const struct options *options, nacre_server *server)
{
    for (size_t i = 0; i < options->user_cas.count; i++)
        if (!read_authorities(server, options->user_cas.list[i]))
            return false;
    return true;
}

/* "NAME:FILE" when what stands before the first colon is no path. */
static bool read_argument(struct options *options, const char *argument, const char *account, nacre_server *server)
{
    struct audience audience = {.users = &options->users, .account = account, .server = server};
    const char *colon = strchr(argument, ':');
    size_t len = colon ? (size_t)(colon - argument) : 0;

    if (!colon || memchr(argument, '/', len) || nacred_path_is_absolute(argument))
        return read_file(&audience, argument);
    char *name = nacred_text_copy(argument, len);
    if (!name)
        return complain(argument, strerror(errno));
    audience.name = name;
    bool good = len > 0 ? read_file(&audience, colon + 1) : complain(argument, "the user name is empty");
    free(name);
    return good;
}

bool nacred_key_files_read(struct options *options, const char *account, nacre_server *server)
{
    for (size_t i = 0; i < options->key_files.count; i++)
        if (!read_argument(options, options->key_files.list[i], account, server))
            return false;
    return true;
}
