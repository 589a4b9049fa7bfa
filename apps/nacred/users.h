/* SPDX-License-Identifier: Apache-2.0 */
/* Who may log in, and with what. Filled before the server starts; read-only, and so free of locks, from then on. */
#ifndef NACRED_USERS_H
#define NACRED_USERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "key_options.h"
#include "secret.h"

enum {
    USER_NAME_MAX = 255
};

struct user_key {
    uint8_t *blob; /* public key, RFC 4253 section 6.6 */
    size_t len;
    struct key_options options;
};

struct user {
    char *name;
    bool named_by_user_option; /* a key file that names no user is for these */
    struct password password;  /* len 0: none */
    struct user_key *keys;
    size_t key_count;
};

struct users {
    struct user *list;
    size_t count;
};

/* Both return NULL, or what is wrong with the argument. A second password for a name replaces the first. */
const char *nacred_users_set_password(struct users *users, const char *name, const char *text, size_t len);
/* Adds the name when it is new. A key that is there without options is not added again. */
const char *nacred_users_add_key(struct users *users, const char *name, const uint8_t *blob, size_t len,
                                 const struct key_options *options);

/* NULL when there is no such user. */
const struct user *nacred_users_find(const struct users *users, const char *name);

/* Takes the same time for a user that does not exist. */
bool nacred_users_check_password(const struct users *users, const char *name, const char *text, size_t len);
/* The first line of an authority with that key that takes a certificate for `principals` (comma-separated), and holds
 * for a client at that address now; NULL: none. */
const struct user_key *nacred_users_find_authority(const struct users *users, const char *name, const void *blob,
                                                   size_t len, const char *principals, const char *address,
                                                   int64_t now);
/* The first that holds for a client at that address now; NULL: none. */
const struct user_key *nacred_users_find_key(const struct users *users, const char *name, const void *blob, size_t len,
                                             const char *address, int64_t now);

bool nacred_users_have_passwords(const struct users *users);
bool nacred_users_have_keys(const struct users *users);

/* Wipes and frees. */
void nacred_users_free(struct users *users);

#endif
