/* SPDX-License-Identifier: Apache-2.0 */
/* The values behind settings.def, set and read by type, never one by one.
 *
 * struct settings is the server's own copy, under the server's lock. What a connection goes by is a profile (profile.h)
 * made from it. */
#ifndef ENGINE_SETTINGS_H
#define ENGINE_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/algs.h"
#include "nacre/errors.h"

enum setting_type {
    SET_BOOL,
    SET_INT,
    SET_I64,
    SET_TEXT,
    SET_NAMES_KEX,
    SET_NAMES_KEY,
    SET_NAMES_CIPHER,
    SET_NAMES_MAC,
    SET_NAMES_COMP,
    SET_NAMES_METHOD,
};

enum setting_when {
    SET_LIVE,
    SET_IDLE
};
enum setting_reach {
    SET_CONFIG,
    SET_PROPERTY
};

union setting_value {
    int64_t number; /* BOOL, INT, I64 */
    char *text;     /* TEXT, NAMES_*: owned, never NULL */
};

struct settings {
#define S(Name, member, type, value, low, high, when, reach) union setting_value member;
#include "engine/settings.def"
#undef S
};

enum setting_id {
#define S(Name, member, type, value, low, high, when, reach) SETTING_##Name,
#include "engine/settings.def"
#undef S
    SETTING_COUNT
};

struct setting_row {
    const char *name;
    enum setting_type type;
    const char *initial;
    int64_t low, high;
    enum setting_when when;
    enum setting_reach reach;
    size_t offset;
};

extern const struct setting_row nacre_setting_rows[SETTING_COUNT];

/* Every value at its default; name-lists are the class's, less what this build cannot do. False: out of memory. */
bool nacre_settings_init(struct settings *s, const struct nacre_crypto *crypto);

/* False: out of memory. What it has then is to be freed as well. */
bool nacre_settings_copy(struct settings *to, const struct settings *from);
void nacre_settings_free(struct settings *s);

/* The row of that name whatever its case, or NULL. */
const struct setting_row *nacre_setting_find(const char *name, size_t len);

/* Sets from text. On failure nothing has changed and `why` (of `why_size` bytes) says what is wrong. Errors:
 * SETTING_VALUE, SETTING_LATE, NOBUFS. */
enum nacre_error nacre_setting_set(struct settings *s, const struct setting_row *row, const char *value, bool listening,
                                   const struct nacre_crypto *crypto, char *why, size_t why_size);

/* Writes the value as text: "True" or "False", decimal, or the text itself. BUFFER_SIZE when it does not fit. */
enum nacre_error nacre_setting_get(const struct settings *s, const struct setting_row *row, char *value, size_t size);

/* The name-lists of AlgorithmProfile `profile` ("compatible", "modern"), all six at once. SETTING_VALUE for another
 * name. */
enum nacre_error nacre_settings_profile(struct settings *s, const char *profile, const struct nacre_crypto *crypto);

#endif
