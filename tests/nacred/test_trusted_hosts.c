/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <string.h>

#include "authorized_keys.h"
#include "trusted_hosts.h"

#define KEY "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
#define OTHER "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"

static struct trusted_hosts hosts;

static void free_hosts(void)
{
    nacred_trusted_hosts_free(&hosts);
}

TestSuite(nacred_trusted_hosts, .fini = free_hosts);

static const char *add(const char *line)
{
    return nacred_trusted_hosts_add(&hosts, line, strlen(line));
}

static bool know(const char *name, const char *key)
{
    uint8_t blob[256];
    size_t len = sizeof blob;

    cr_assert_eq(nacred_key_line_read(key, strlen(key), blob, &len), KEY_LINE_KEY);
    return nacred_trusted_hosts_know(&hosts, name, blob, len);
}

struct name_case {
    char names[96], name[64];
    bool known;
};

ParameterizedTestParameters(nacred_trusted_hosts, names)
{
    static struct name_case cases[] = {
        {"client", "client", true},
        {"client", "CLIENT", true},
        {"client", "client2", false},
        {"client", "", false},
        {"a,b,c", "b", true},
        {"a,b,c", "a,b", false},
        {"*.example.com", "x.example.com", true},
        {"*.example.com", "example.com", false},
        {"*.example.com,!bad.example.com", "bad.example.com", false},
        {"!bad.example.com,*.example.com", "bad.example.com", false},
        {"!bad.example.com", "good.example.com", false},
        {"host?", "host1", true},
        {"host?", "host", false},
        {"[client]:2222", "client", false},
        {"[abc]", "a", false},
        {"10.0.0.1", "10.0.0.1", true},
        {",,", "", false},
    };
    return cr_make_param_array(struct name_case, cases, sizeof cases / sizeof *cases);
}

ParameterizedTest(struct name_case *c, nacred_trusted_hosts, names)
{
    char line[256];

    snprintf(line, sizeof line, "%s " KEY, c->names);
    cr_assert_null(add(line), "%s", line);
    cr_assert_eq(know(c->name, KEY), c->known, "'%s' is called '%s'", c->names, c->name);
    cr_assert_not(know(c->name, OTHER));
    free_hosts();
}

Test(nacred_trusted_hosts, a_revoked_key_is_good_for_no_host)
{
    cr_assert_null(add("one,two " KEY));
    cr_assert_null(add("two " OTHER " a comment"));
    cr_assert(know("one", KEY));
    cr_assert_null(add("@revoked two " KEY));
    cr_assert_not(know("one", KEY));
    cr_assert(know("two", OTHER));
}

struct wrong_line {
    char line[160];
    bool wrong;
};

ParameterizedTestParameters(nacred_trusted_hosts, lines)
{
    static struct wrong_line cases[] = {
        {"", false},
        {" \t# comment", false},
        {"\tclient\t" KEY "\r", false},
        {"@revoked\tclient " KEY, false},
        {"client", true},
        {"client ssh-ed25519", true},
        {"client ssh-ed25519 AAAA", true},
        {KEY, true},
        {"@cert-authority *.example.com " KEY, true},
        {"@revoked", true},
        {"|1|JfKTdBh7rNbXkVAQCRp4OQoPfmI=|USECr3SWf1JUPsms5AqfD5QfxkM= " KEY, true},
        {"@revoked |1|JfKTdBh7rNbXkVAQCRp4OQoPfmI=|USECr3SWf1JUPsms5AqfD5QfxkM= " KEY, true},
    };
    return cr_make_param_array(struct wrong_line, cases, sizeof cases / sizeof *cases);
}

ParameterizedTest(struct wrong_line *c, nacred_trusted_hosts, lines)
{
    cr_assert_eq(add(c->line) != NULL, c->wrong, "%s", c->line);
    cr_assert(hosts.count <= 1);
    free_hosts();
}
