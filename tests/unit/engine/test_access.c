/* SPDX-License-Identifier: Apache-2.0 */
/* Who is let in by address. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdlib.h>

#include "engine/access.h"

struct access_case {
    char list[64];
    char address[48];
    bool matches;
};

ParameterizedTestParameters(engine_access, addresses_against_lists)
{
    static struct access_case cases[] = {
        {"*", "192.0.2.1", true},
        {"*", "2001:db8::1", true},
        {"", "192.0.2.1", false},
        {",, ,", "192.0.2.1", false},
        {"192.0.2.1", "192.0.2.1", true},
        {"192.0.2.1", "192.0.2.10", false},
        {"192.0.2.1", "192.0.2.2", false},
        {"10.0.0.1, 192.0.2.1", "192.0.2.1", true},
        {"192.0.2.*", "192.0.2.77", true},
        {"192.0.2.*", "192.0.20.7", false},
        {"192.0.2.?", "192.0.2.7", true},
        {"192.0.2.?", "192.0.2.77", false},
        {"10.0.0.0/8", "10.255.255.255", true},
        {"10.0.0.0/8", "11.0.0.0", false},
        {"10.0.0.0/9", "10.127.1.1", true},
        {"10.0.0.0/9", "10.128.1.1", false},
        {"0.0.0.0/0", "203.0.113.9", true},
        {"0.0.0.0/0", "2001:db8::1", false},
        {"10.1.2.3/32", "10.1.2.3", true},
        {"10.1.2.3/32", "10.1.2.2", false},
        {"10.1.2.3/33", "10.1.2.3", false},
        {"10.1.2.3/-1", "10.1.2.3", false},
        {"10.1.2.3/", "10.1.2.3", false},
        {"10.1.2.3/8x", "10.1.2.3", false},
        {"10.1.2.3/4294967296", "99.1.2.3", false},
        {"2001:db8::1", "2001:db8::1", true},
        {"2001:db8:0:0::1", "2001:db8::1", true},
        {"2001:db8::/32", "2001:db8:ffff::1", true},
        {"2001:db8::/32", "2001:db9::1", false},
        {"::ffff:192.0.2.1", "192.0.2.1", true},
        {"::/0", "192.0.2.1", false},
    };
    return cr_make_param_array(struct access_case, cases, sizeof cases / sizeof *cases);
}

ParameterizedTest(struct access_case *c, engine_access, addresses_against_lists)
{
    cr_assert_eq(nacre_access_match(c->list, c->address), c->matches, "\"%s\" against %s", c->list, c->address);
}

Test(engine_access, an_entry_that_is_too_long_matches_nothing_and_hides_nothing)
{
    char list[512];
    memset(list, '1', 300);
    memcpy(list + 300, ",192.0.2.1", 11);
    cr_assert(nacre_access_match(list, "192.0.2.1"));
    cr_assert_not(nacre_access_match(list, "11.1.1.1"));
}

Test(engine_access, a_long_pattern_does_not_take_long)
{
    char list[2048];
    for (size_t i = 0; i + 1 < sizeof list; i += 2)
        memcpy(list + i, "*1", 2);
    list[sizeof list - 1] = '\0';
    for (int i = 0; i < 1000; i++)
        (void)nacre_access_match(list, "2001:db8:1111:1111:1111:1111:1111:1112");
}
