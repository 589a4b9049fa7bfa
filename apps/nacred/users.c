/* SPDX-License-Identifier: Apache-2.0 */
#include "users.h"

#include <stdlib.h>
#include <string.h>

static const char no_memory[] = "out of memory";

static struct user *find(const struct users *users, const char *name)
{
    for (size_t i = 0; i < users->count; i++)
        if (strcmp(users->list[i].name, name) == 0)
            return &users->list[i];
    return NULL;
}

static const char *find_or_add(struct users *users, const char *name, struct user **user)
{
    size_t len = strlen(name);

    *user = find(users, name);
    if (*user)
        return NULL;
    if (len == 0)
        return "the user name is empty";
    if (len > USER_NAME_MAX)
        return "the user name is too long";

    char *copy = strdup(name);
    struct user *grown = copy ? calloc(users->count + 1, sizeof *grown) : NULL;
    if (!grown) {
        free(copy);
        return no_memory;
    }
    /* Not realloc(), which would leave passwords behind in memory that it gives up. */
    if (users->count > 0) {
        memcpy(grown, users->list, users->count * sizeof *grown);
        nacred_wipe(users->list, users->count * sizeof *grown);
        free(users->list);
    }
    users->list = grown;
    *user = &users->list[users->count++];
    **user = (struct user){.name = copy};
    return NULL;
}

const char *nacred_users_set_password(struct users *users, const char *name, const char *text, size_t len)
{
    struct user *user;
    struct password password;

    if (!nacred_password_set(&password, text, len))
        return "the password is empty, longer than 255 bytes, or holds a NUL";
    const char *wrong = find_or_add(users, name, &user);
    if (!wrong) {
        user->password = password;
        user->named_by_user_option = true;
    }
    nacred_wipe(&password, sizeof password);
    return wrong;
}

static bool is_key(const struct user_key *key, const void *blob, size_t len)
{
    return key->len == len && memcmp(key->blob, blob, len) == 0;
}

/* Nothing behind a line without options is ever looked at. */
static bool has_key(const struct user *user, const void *blob, size_t len)
{
    for (size_t i = 0; i < user->key_count; i++)
        if (is_key(&user->keys[i], blob, len) && nacred_key_options_are_none(&user->keys[i].options))
            return true;
    return false;
}

const char *nacred_users_add_key(struct users *users, const char *name, const uint8_t *blob, size_t len,
                                 const struct key_options *options)
{
    struct user *user;
    struct user_key key = {.len = len};
    const char *wrong = find_or_add(users, name, &user);

    if (wrong || (!options->cert_authority && has_key(user, blob, len)))
        return wrong;
    struct user_key *grown = realloc(user->keys, (user->key_count + 1) * sizeof *grown);
    if (!grown)
        return no_memory;
    user->keys = grown;
    key.blob = malloc(len);
    if (!key.blob || !nacred_key_options_copy(&key.options, options)) {
        free(key.blob);
        return no_memory;
    }
    memcpy(key.blob, blob, len);
    user->keys[user->key_count++] = key;
    return NULL;
}

const struct user *nacred_users_find(const struct users *users, const char *name)
{
    return find(users, name);
}

bool nacred_users_check_password(const struct users *users, const char *name, const char *text, size_t len)
{
    static const struct password nobody;
    const struct user *user = find(users, name);
    struct password given;

    /* A password that cannot be one is all zero here and equals nothing; the comparison is made all the same. */
    nacred_password_set(&given, text, len);
    bool equal = nacred_password_equal(user ? &user->password : &nobody, &given);
    nacred_wipe(&given, sizeof given);
    return equal;
}

const struct user_key *nacred_users_find_key(const struct users *users, const char *name, const void *blob, size_t len,
                                             const char *address, int64_t now)
{
    const struct user *user = find(users, name);

    for (size_t i = 0; user && i < user->key_count; i++)
        if (is_key(&user->keys[i], blob, len) && !user->keys[i].options.cert_authority &&
            nacred_key_options_hold(&user->keys[i].options, address, now))
            return &user->keys[i];
    return NULL;
}

const struct user_key *nacred_users_find_authority(const struct users *users, const char *name, const void *blob,
                                                   size_t len, const char *principals, const char *address, int64_t now)
{
    const struct user *user = find(users, name);

    for (size_t i = 0; user && i < user->key_count; i++) {
        const struct key_options *options = &user->keys[i].options;

        if (is_key(&user->keys[i], blob, len) && options->cert_authority &&
            nacred_key_options_name(options, principals, name) && nacred_key_options_hold(options, address, now))
            return &user->keys[i];
    }
    return NULL;
}

bool nacred_users_have_passwords(const struct users *users)
{
    for (size_t i = 0; i < users->count; i++)
        if (users->list[i].password.len > 0)
            return true;
    return false;
}

bool nacred_users_have_keys(const struct users *users)
{
    for (size_t i = 0; i < users->count; i++)
        if (users->list[i].key_count > 0)
            return true;
    return false;
}

void nacred_users_free(struct users *users)
{
    for (size_t i = 0; i < users->count; i++) {
        struct user *user = &users->list[i];

        for (size_t k = 0; k < user->key_count; k++) {
            free(user->keys[k].blob);
            nacred_key_options_free(&user->keys[k].options);
        }
        free(user->keys);
        free(user->name);
        nacred_wipe(user, sizeof *user);
    }
    free(users->list);
    *users = (struct users){0};
}
