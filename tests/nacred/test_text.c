/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

struct fit_case {
    char text[40], pattern[40];
    bool fits;
};

ParameterizedTestParameters(nacred_text, fits)
{
    static struct fit_case cases[] = {
        {"", "", true},           {"", "*", true},
        {"", "?", false},         {"a", "", false},
        {"a", "a", true},         {"a", "A", false},
        {"a", "?", true},         {"ab", "?", false},
        {"abc", "*", true},       {"abc", "a*", true},
        {"abc", "*c", true},      {"abc", "*b", false},
        {"abc", "a*c", true},     {"abc", "a**c", true},
        {"abc", "a?c", true},     {"abc", "a?", false},
        {"aaab", "*aab", true},   {"abab", "*ab", true},
        {"LC_ALL", "LC_*", true}, {"LC", "LC_*", false},
        {"a[b]", "a[b]", true},   {"b", "[ab]", false},
        {"a\\", "a\\", true},     {"mississippi", "m*iss*pi", true},
        {"x", "x***", true},      {"mississippi", "m*iss*ip", false},
    };

    return cr_make_param_array(struct fit_case, cases, sizeof cases / sizeof *cases);
}

ParameterizedTest(struct fit_case *c, nacred_text, fits)
{
    cr_assert_eq(nacred_text_fits(c->text, c->pattern), c->fits, "%s %s", c->text, c->pattern);
}

Test(nacred_text, the_size_of_letters_matters_only_where_it_shall)
{
    cr_assert(nacred_text_fits_any_case("Host.Example", "*.eXAMPLE"));
    cr_assert_not(nacred_text_fits_any_case("Host.Example", "*.eXAMPL"));
    cr_assert(nacred_text_holds("SSHCertStorePassword=x", "password"));
    cr_assert_not(nacred_text_holds("SSHCertStorePasswor", "password"));
    cr_assert(nacred_text_holds("", ""));
}

/* What a matcher that goes back over every star would need longer for than anybody waits. */
Test(nacred_text, many_stars_take_no_time, .timeout = 240)
{
    char text[4001], pattern[2001];

    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = 0;
    for (size_t i = 0; i + 2 < sizeof pattern; i += 2)
        memcpy(pattern + i, "*a", 2);
    memcpy(pattern + sizeof pattern - 3, "*b", 3);
    cr_assert_not(nacred_text_fits(text, pattern));
}

Test(nacred_text, a_copy_ends_where_it_is_told)
{
    char *copy = nacred_text_copy("abcdef", 3);

    cr_assert_str_eq(copy, "abc");
    free(copy);
}
