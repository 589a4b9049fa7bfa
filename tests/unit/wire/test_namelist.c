/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "wire/namelist.h"

Test(wire_namelist, next_takes_the_names_one_by_one)
{
    struct span list = span_str("one,two,,three"), name;
    static const char *const want[] = {"one", "two", "", "three"};
    for (size_t i = 0; i < 4; i++) {
        cr_assert(nacre_names_next(&list, &name));
        cr_assert(span_is(name, want[i]));
    }
    cr_assert_not(nacre_names_next(&list, &name));
    cr_assert_not(nacre_names_next(&list, &name));
}

struct valid_case {
    char list[72];
    bool good;
};

ParameterizedTestParameters(wire_namelist, valid)
{
    static struct valid_case cases[] = {
        {"", true},
        {"a", true},
        {"a,b", true},
        {"curve25519-sha256@libssh.org", true},
        {",", false},
        {",a", false},
        {"a,", false},
        {"a,,b", false},
        {"a b", false},
        {"a\tb", false},
        {"a\x7f", false},
        {"a\xc3\xa4", false},
        {"0123456789012345678901234567890123456789012345678901234567890123", true},
        {"01234567890123456789012345678901234567890123456789012345678901234", false},
    };
    return cr_make_param_array(struct valid_case, cases, sizeof cases / sizeof *cases);
}

ParameterizedTest(struct valid_case *c, wire_namelist, valid)
{
    cr_assert_eq(nacre_names_valid(span_str(c->list)), c->good, "\"%s\"", c->list);
}

Test(wire_namelist, a_nul_is_not_legal)
{
    cr_assert_not(nacre_names_valid(span_of("a\0b", 3)));
}

Test(wire_namelist, has_looks_for_whole_names)
{
    struct span list = span_str("aes128-ctr,aes128-gcm,none");
    cr_assert(nacre_names_has(list, span_str("aes128-ctr")));
    cr_assert(nacre_names_has(list, span_str("none")));
    cr_assert_not(nacre_names_has(list, span_str("aes128")));
    cr_assert_not(nacre_names_has(list, span_str("none2")));
    cr_assert_not(nacre_names_has(list, span_str("")));
    cr_assert_not(nacre_names_has(span_str("a,,b"), span_str("")));
    cr_assert_not(nacre_names_has(span_str(""), span_str("a")));
    cr_assert_not(nacre_names_has(list, span_str("aes128-ctr,aes128-gcm")));
}

Test(wire_namelist, the_clients_order_decides)
{
    struct span server = span_str("a,b,c");
    cr_assert(span_is(nacre_names_choose(span_str("x,c,a"), server), "c"));
    cr_assert(span_is(nacre_names_choose(span_str("b"), server), "b"));
    cr_assert_eq(nacre_names_choose(span_str("x,y"), server).len, 0);
    cr_assert_eq(nacre_names_choose(span_str(""), server).len, 0);
    cr_assert_eq(nacre_names_choose(span_str("a"), span_str("")).len, 0);
    cr_assert_eq(nacre_names_choose(span_str(",,"), span_str(",")).len, 0);
}

struct glob_case {
    char pattern[24], text[40];
    bool fold, match;
};

ParameterizedTestParameters(wire_namelist, glob)
{
    static struct glob_case cases[] = {
        {"", "", false, true},
        {"", "a", false, false},
        {"*", "", false, true},
        {"*", "anything", false, true},
        {"**", "x", false, true},
        {"?", "", false, false},
        {"?", "a", false, true},
        {"?", "ab", false, false},
        {"a*c", "abc", false, true},
        {"a*c", "ac", false, true},
        {"a*c", "abcb", false, false},
        {"a*c", "abcbc", false, true},
        {"*.example.com", "host.example.com", false, true},
        {"*.example.com", "example.com", false, false},
        {"192.168.?.*", "192.168.1.200", false, true},
        {"192.168.?.*", "192.168.10.200", false, false},
        {"*a*b*c*", "xxaxxbxxcxx", false, true},
        {"*a*b*c*", "xxaxxcxxbxx", false, false},
        {"ABC", "abc", false, false},
        {"ABC", "abc", true, true},
        {"a?C*", "AbcD", true, true},
        {"[a]", "a", false, false},
        {"[a]", "[a]", false, true},
        {"*a", "aaaaaaaaaaaaaaaaaaaaaaaaaaaab", false, false},
        {"@", "`", true, false},
    };
    return cr_make_param_array(struct glob_case, cases, sizeof cases / sizeof *cases);
}

ParameterizedTest(struct glob_case *c, wire_namelist, glob)
{
    cr_assert_eq(nacre_glob(c->pattern, span_str(c->text), c->fold), c->match, "%s against %s", c->pattern, c->text);
}

Test(wire_namelist, a_hostile_pattern_costs_no_more_than_its_product)
{
    char pattern[401], text[4001];
    for (size_t i = 0; i < 400; i += 2) {
        pattern[i] = '*';
        pattern[i + 1] = 'a';
    }
    pattern[400] = '\0';
    pattern[399] = 'b';
    memset(text, 'a', 4000);
    text[4000] = '\0';
    cr_assert_not(nacre_glob(pattern, span_str(text), false));
}
