/* SPDX-License-Identifier: Apache-2.0 */
/* The settings table, row by row. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "crypto/crypto.h"
#include "engine/settings.h"

static struct nacre_crypto *crypto;
static struct settings settings;
static char why[256];

static void set_up(void)
{
    crypto = nacre_crypto_open(true);
    cr_assert(nacre_settings_init(&settings, crypto));
}

static void tear_down(void)
{
    nacre_settings_free(&settings);
    nacre_crypto_unref(crypto);
}

TestSuite(engine_settings, .init = set_up, .fini = tear_down);

static bool is_number(const struct setting_row *row)
{
    return row->type == SET_INT || row->type == SET_I64 || row->type == SET_BOOL;
}

static enum nacre_error set(const struct setting_row *row, const char *value, bool listening)
{
    return nacre_setting_set(&settings, row, value, listening, crypto, why, sizeof why);
}

static void get(const struct setting_row *row, char *value, size_t size)
{
    cr_assert_eq(nacre_setting_get(&settings, row, value, size), NACRE_OK, "%s", row->name);
}

Test(engine_settings, every_default_is_within_its_bounds)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting_row *row = &nacre_setting_rows[i];
        char value[8192];
        get(row, value, sizeof value);
        if (row->type == SET_BOOL) {
            cr_assert(strcmp(value, "True") == 0 || strcmp(value, "False") == 0, "%s", row->name);
        } else if (is_number(row)) {
            int64_t n = strtoll(value, NULL, 10);
            cr_assert(n >= row->low && n <= row->high, "%s is %s", row->name, value);
        } else {
            int64_t len = (int64_t)strlen(value);
            cr_assert(len >= row->low && len <= row->high, "%s has %" PRId64 " characters", row->name, len);
        }
        cr_assert_eq(set(row, value, false), NACRE_OK, "%s refuses its own default: %s", row->name, why);
    }
}

Test(engine_settings, every_row_is_found_by_its_name_whatever_the_case)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting_row *row = &nacre_setting_rows[i];
        char name[64];
        size_t len = strlen(row->name);
        cr_assert_lt(len, sizeof name);
        for (size_t j = 0; j <= len; j++)
            name[j] = (char)(row->name[j] >= 'a' && row->name[j] <= 'z' ? row->name[j] - 32 : row->name[j]);
        cr_assert_eq(nacre_setting_find(name, len), row, "%s", row->name);
        cr_assert_eq(nacre_setting_find(row->name, len - 1) == row, false, "%s", row->name);
    }
    cr_assert_null(nacre_setting_find("", 0));
    cr_assert_null(nacre_setting_find("LogLevelX", 9));
}

Test(engine_settings, numbers_take_both_bounds_and_nothing_past_them)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting_row *row = &nacre_setting_rows[i];
        char text[32], value[32];
        if (row->type != SET_INT && row->type != SET_I64)
            continue;
        (void)snprintf(text, sizeof text, "%" PRId64, row->low);
        cr_assert_eq(set(row, text, false), NACRE_OK, "%s=%s: %s", row->name, text, why);
        get(row, value, sizeof value);
        cr_assert_str_eq(value, text, "%s", row->name);
        (void)snprintf(text, sizeof text, "%" PRId64, row->high);
        cr_assert_eq(set(row, text, false), NACRE_OK, "%s=%s: %s", row->name, text, why);
        get(row, value, sizeof value);
        cr_assert_str_eq(value, text, "%s", row->name);
        (void)snprintf(text, sizeof text, "%" PRId64, row->low - 1);
        cr_assert_eq(set(row, text, false), NACRE_E_SETTING_VALUE, "%s=%s", row->name, text);
        cr_assert_str_not_empty(why);
        if (row->high != INT64_MAX) {
            (void)snprintf(text, sizeof text, "%" PRId64, row->high + 1);
            cr_assert_eq(set(row, text, false), NACRE_E_SETTING_VALUE, "%s=%s", row->name, text);
        }
        cr_assert_eq(set(row, "9223372036854775808", false), NACRE_E_SETTING_VALUE, "%s", row->name);
        cr_assert_eq(set(row, "", false), NACRE_E_SETTING_VALUE, "%s", row->name);
        cr_assert_eq(set(row, "12 ", false), NACRE_E_SETTING_VALUE, "%s", row->name);
        cr_assert_eq(set(row, "0x10", false), NACRE_E_SETTING_VALUE, "%s", row->name);
        char after[32];
        get(row, after, sizeof after);
        cr_assert_str_eq(after, value, "%s: a refused value changed it", row->name);
    }
}

Test(engine_settings, switches_take_the_words_for_yes_and_no)
{
    static const struct {
        const char *text, *read;
    } words[] = {{"True", "True"}, {"FALSE", "False"}, {"yes", "True"}, {"No", "False"}, {"1", "True"}, {"0", "False"}};
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting_row *row = &nacre_setting_rows[i];
        char value[8];
        if (row->type != SET_BOOL)
            continue;
        for (size_t j = 0; j < sizeof words / sizeof *words; j++) {
            cr_assert_eq(set(row, words[j].text, false), NACRE_OK, "%s=%s: %s", row->name, words[j].text, why);
            get(row, value, sizeof value);
            cr_assert_str_eq(value, words[j].read, "%s=%s", row->name, words[j].text);
        }
        cr_assert_eq(set(row, "2", false), NACRE_E_SETTING_VALUE, "%s", row->name);
        cr_assert_eq(set(row, "", false), NACRE_E_SETTING_VALUE, "%s", row->name);
    }
}

Test(engine_settings, texts_longer_than_their_bound_are_refused)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting_row *row = &nacre_setting_rows[i];
        if (is_number(row))
            continue;
        char *text = malloc((size_t)row->high + 2);
        memset(text, 'a', (size_t)row->high + 1);
        text[row->high + 1] = '\0';
        cr_assert_eq(set(row, text, false), NACRE_E_SETTING_VALUE, "%s", row->name);
        if (row->low > 0)
            cr_assert_eq(set(row, "", false), NACRE_E_SETTING_VALUE, "%s", row->name);
        free(text);
    }
}

Test(engine_settings, idle_settings_are_refused_while_listening_and_live_ones_are_not)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting_row *row = &nacre_setting_rows[i];
        char value[8192];
        get(row, value, sizeof value);
        enum nacre_error e = set(row, value, true);
        if (row->when == SET_LIVE)
            cr_assert_eq(e, NACRE_OK, "%s: %d", row->name, (int)e);
        else if (strcmp(row->name, "LocalPort") == 0)
            cr_assert_eq(e, NACRE_E_LISTENING_PORT);
        else if (strcmp(row->name, "LocalHost") == 0)
            cr_assert_eq(e, NACRE_E_LISTENING_HOST);
        else if (strcmp(row->name, "MaxConnections") == 0)
            cr_assert_eq(e, NACRE_E_LISTENING_MAX);
        else
            cr_assert_eq(e, NACRE_E_SETTING_LATE, "%s: %d", row->name, (int)e);
    }
}

Test(engine_settings, a_value_that_does_not_fit_is_not_written)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting_row *row = &nacre_setting_rows[i];
        char value[8192];
        get(row, value, sizeof value);
        size_t len = strlen(value);
        memset(value, '#', sizeof value);
        cr_assert_eq(nacre_setting_get(&settings, row, value, len), NACRE_E_BUFFER_SIZE, "%s", row->name);
        cr_assert_eq(value[0], '#', "%s", row->name);
        cr_assert_eq(nacre_setting_get(&settings, row, value, len + 1), NACRE_OK, "%s", row->name);
    }
}

Test(engine_settings, a_profile_sets_all_lists_or_none)
{
    char before[8192], after[8192];
    const struct setting_row *row = nacre_setting_find("SSHMacAlgorithms", 16);
    get(row, before, sizeof before);
    cr_assert_eq(nacre_settings_profile(&settings, "none such", crypto), NACRE_E_SETTING_VALUE);
    get(row, after, sizeof after);
    cr_assert_str_eq(before, after);
    cr_assert_eq(nacre_settings_profile(&settings, "Modern", crypto), NACRE_OK);
    get(row, after, sizeof after);
    cr_assert_null(strstr(after, "sha1"));
    cr_assert_null(strstr(after, "md5"));
    cr_assert_eq(nacre_settings_profile(&settings, "compatible", crypto), NACRE_OK);
    get(row, after, sizeof after);
    cr_assert_str_eq(before, after);
}
