/* SPDX-License-Identifier: Apache-2.0 */
/* Every name of the class exists and has its default on a fresh server; class_names.inc is made from class.tsv. */
#include <criterion/criterion.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/span.h"
#include "nacre/nacre.h"
#include "wire/namelist.h"

enum {
    VALUE_MAX = 8192
};

/* The public struct of each type, for offsetof(). */
typedef struct nacre_handlers in_nacre_handlers;
typedef struct nacre_certificate in_nacre_certificate;
typedef struct nacre_channel in_nacre_channel;
typedef struct nacre_connection in_nacre_connection;
typedef struct nacre_prompt in_nacre_prompt;

Test(class_table, every_name_is_in_the_library)
{
    size_t found = 0;
#define FUNCTION(name) found += (void (*)(void))name != NULL;
#define MEMBER(type, member) found += offsetof(in_##type, member) < sizeof(in_##type);
#define CODE(name, code) _Static_assert((name) == (code), #name);
#define SETTING(name, initial)
#define LIST(name, initial)
#define INDEXED(name)
#define STORE(type)
#include "class/class_names.inc"
#undef FUNCTION
#undef MEMBER
#undef SETTING
#undef LIST
#undef INDEXED
#undef STORE
    cr_expect_gt(found, 90);
#undef CODE
}

Test(class_table, every_setting_has_its_documented_default)
{
    static const struct {
        const char *name, *initial;
    } settings[] = {
#define FUNCTION(name)
#define MEMBER(type, member)
#define CODE(name, code)
#define SETTING(name, initial) {name, initial},
#define LIST(name, initial)
#define INDEXED(name)
#define STORE(type)
#include "class/class_names.inc"
#undef SETTING
#undef LIST
#undef INDEXED
#undef STORE
    };
    nacre_server *n;
    char value[VALUE_MAX];
    cr_assert_eq(nacre_create(&n), 0);
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        cr_expect_eq(nacre_config(n, settings[i].name, value, sizeof value), 0, "%s: %s", settings[i].name,
                     nacre_last_error(n));
        cr_expect_str_eq(value, settings[i].initial, "%s is \"%s\"", settings[i].name, value);
    }
    nacre_free(n);
}

/* The class's list with some names left out, in its order. */
static bool is_part_of(const char *list, const char *class_list)
{
    struct span rest = span_str(class_list), name, have = span_str(list), want;
    bool more = nacre_names_next(&have, &want);
    while (more && nacre_names_next(&rest, &name))
        if (span_eq(name, want))
            more = nacre_names_next(&have, &want);
    return !more;
}

Test(class_table, lists_default_to_what_this_build_has_of_the_class_lists)
{
    static const struct {
        const char *name, *initial;
    } lists[] = {
#define SETTING(name, initial)
#define LIST(name, initial) {name, initial},
#define INDEXED(name)
#define STORE(type)
#include "class/class_names.inc"
#undef INDEXED
#undef STORE
    };
    nacre_server *n;
    char value[VALUE_MAX];
    cr_assert_eq(nacre_create(&n), 0);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        cr_expect_eq(nacre_config(n, lists[i].name, value, sizeof value), 0);
        cr_expect(is_part_of(value, lists[i].initial), "%s: %s", lists[i].name, value);
        cr_expect_neq(value[0], '\0');
    }
    nacre_free(n);
}

Test(class_table, settings_of_a_connection_want_one)
{
    static const char *const indexed[] = {
#undef LIST
#define LIST(name, initial)
#define INDEXED(name) name,
#define STORE(type)
#include "class/class_names.inc"
#undef STORE
    };
    nacre_server *n;
    char value[VALUE_MAX], name[96];
    cr_assert_eq(nacre_create(&n), 0);
    for (size_t i = 0; i < sizeof indexed / sizeof *indexed; i++) {
        (void)snprintf(name, sizeof name, "%s[0]", indexed[i]);
        int e = nacre_config(n, name, value, sizeof value);
        cr_expect(e == NACRE_E_CONNECTION_ID || e == NACRE_E_SETTING_VALUE, "%s: %d", name, e);
    }
    nacre_free(n);
}

Test(class_table, every_store_type_can_be_set)
{
    static const int types[] = {
#undef INDEXED
#define INDEXED(name)
#define STORE(type) type,
#include "class/class_names.inc"
    };
    nacre_server *n;
    cr_assert_eq(nacre_create(&n), 0);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        cr_expect_eq(nacre_set_ssh_cert_store_type(n, types[i]), 0, "%d", types[i]);
    cr_expect_eq(nacre_set_ssh_cert_store_type(n, 20), NACRE_E_INVAL);
    nacre_free(n);
}

/* The codes that stand for each class are those whose class a program would act on. */
Test(class_table, every_error_has_the_class_of_who_has_to_act)
{
    static const struct {
        int code;
        enum nacre_error_class class;
    } known[] = {
        {NACRE_OK, NACRE_CLASS_OK},
        {NACRE_E_SHUTDOWN, NACRE_CLASS_OK},
        {NACRE_E_LISTENING, NACRE_CLASS_USAGE},
        {NACRE_E_WOULDBLOCK, NACRE_CLASS_LIMIT},
        {NACRE_E_CONNRESET, NACRE_CLASS_IO},
        {NACRE_E_NO_COMMON_ALGORITHM, NACRE_CLASS_PEER},
        {NACRE_E_INTERNAL, NACRE_CLASS_INTERNAL},
        {-1, NACRE_CLASS_INTERNAL},
        {999, NACRE_CLASS_INTERNAL},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        cr_expect_eq(nacre_error_class(known[i].code), known[i].class, "%d", known[i].code);
#define E(name, code, class, disconnect, text)                                                                         \
    cr_expect_eq(nacre_error_class(code), NACRE_CLASS_##class, #name);                                                 \
    cr_expect_str_eq(nacre_error_text(code), text, #name);
#include "nacre/errors.def"
#undef E
}
