/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "address_list.h"
#include "key_options.h"
#include "peers.h"
#include "permits.h"
#include "users.h"

static struct key_options options;
static char why[KEY_OPTIONS_WHY_MAX];

static bool reads(const char *text)
{
    /* Not NUL-terminated: what stands behind must not be read. */
    size_t len = strlen(text);
    char *copy = malloc(len + 1);

    memcpy(copy, text, len);
    copy[len] = 'x';
    nacred_key_options_free(&options);
    bool good = nacred_key_options_read(copy, len, &options, why);
    free(copy);
    return good;
}

static void done(void)
{
    nacred_key_options_free(&options);
}

TestSuite(nacred_key_options, .fini = done);

Test(nacred_key_options, each_has_its_effect)
{
    cr_assert(reads("no-pty"));
    cr_expect(options.no_pty && !options.no_tunnels && !options.no_agent);
    cr_assert(reads("no-port-forwarding,No-Agent-Forwarding"));
    cr_expect(!options.no_pty && options.no_tunnels && options.no_agent);
    cr_assert(reads("restrict"));
    cr_expect(options.no_pty && options.no_tunnels && options.no_agent && !options.no_touch && !options.verify);
    cr_assert(reads("restrict,pty"));
    cr_expect(!options.no_pty && options.no_tunnels && options.no_agent);
    cr_assert(reads("pty,restrict"));
    cr_expect(options.no_pty);
    cr_assert(reads("no-touch-required,verify-required"));
    cr_expect(options.no_touch && options.verify && !options.no_pty);
    cr_assert(reads("no-X11-forwarding,no-user-rc"));
    cr_expect(nacred_key_options_are_none(&options));
    cr_assert(reads("command=\"echo \\\"a b\\\", c\",no-pty,from=\"10.0.0.0/8,!10.0.0.1\""));
    cr_expect_str_eq(options.command, "echo \"a b\", c");
    cr_expect_str_eq(options.from, "10.0.0.0/8,!10.0.0.1");
    cr_expect(options.no_pty && !nacred_key_options_are_none(&options));
}

Test(nacred_key_options, what_is_not_understood_is_refused_by_name)
{
    static const struct {
        const char *text, *names;
    } cases[] = {{"cert-authority=\"yes\"", "cert-authority"},
                 {"principals=\"a\"", "principals"},
                 {"cert-authority,principals", "principals"},
                 {"cert-authority,principals=\"\"", "principals"},
                 {"cert-authority,principals=\",\"", "principals"},
                 {"cert-authority,principals=\"a\",principals=\"b\"", "principals"},
                 {"permitopen=\"a\"", "permitopen"},
                 {"permitopen=\"80\"", "permitopen"},
                 {"permitopen=\"a:0\"", "permitopen"},
                 {"permitopen=\"a:65536\"", "permitopen"},
                 {"permitopen=\"a:80x\"", "permitopen"},
                 {"permitopen=\"a:-1\"", "permitopen"},
                 {"permitopen=\":80\"", "permitopen"},
                 {"permitopen=\"::1:80\"", "permitopen"},
                 {"permitopen=\"[::1]80\"", "permitopen"},
                 {"permitopen=\"[::1]\"", "permitopen"},
                 {"permitopen=\"[]:80\"", "permitopen"},
                 {"permitopen=\"[::1:80\"", "permitopen"},
                 {"permitopen=\"a:80,b:80\"", "permitopen"},
                 {"permitopen=\"a b:80\"", "permitopen"},
                 {"permitopen=\"\"", "permitopen"},
                 {"permitlisten=\"\"", "permitlisten"},
                 {"permitlisten=\"a:\"", "permitlisten"},
                 {"permitlisten=\"a\"", "permitlisten"},
                 {"permitopen=\"a:80\",permitopen=\"b\"", "permitopen"},
                 {"environment=\"A=b\"", "environment"},
                 {"tunnel=\"0\"", "tunnel"},
                 {"no-pty,nonsense", "nonsense"},
                 {"", "''"},
                 {"no-pty,", "''"},
                 {",no-pty", "''"},
                 {"no-pty=\"x\"", "no-pty"},
                 {"command", "command"},
                 {"command=", "command"},
                 {"command=x", "command"},
                 {"command=\"x", "command"},
                 {"command=\"x\\\"", "command"},
                 {"command=\"x\"no-pty", "command"},
                 {"command=\"x\",command=\"y\"", "twice"},
                 {"from=\"\"", "from"},
                 {"from=\"10.0.0.1/8\"", "from"},
                 {"from=\"10.0.0.0/33\"", "from"},
                 {"from=\"10.0.0.0/8,,127.0.0.1\"", "from"},
                 {"from=\"[a-z]\"", "from"},
                 {"expiry-time=\"2030\"", "expiry-time"},
                 {"expiry-time=\"20301301\"", "expiry-time"},
                 {"expiry-time=\"20300101X\"", "expiry-time"},
                 {"ssh-ed25519", "ssh-ed25519"}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cr_expect_not(reads(cases[i].text), "%s", cases[i].text);
        cr_expect_not_null(strstr(why, cases[i].names), "%s: %s", cases[i].text, why);
    }
}

Test(nacred_key_options, end_at_the_first_blank_outside_quotes)
{
    static const char line[] = "command=\"a \\\" b\",pty ssh-ed25519 AAAA";

    cr_expect_eq(nacred_key_options_end(line, sizeof line - 1), strlen("command=\"a \\\" b\",pty"));
    cr_expect_eq(nacred_key_options_end("command=\"a b", 12), 12);
    cr_expect_eq(nacred_key_options_end("a\\", 2), 2);
}

Test(nacred_key_options, a_key_expires)
{
    setenv("TZ", "UTC-2", 1);
    tzset();
    cr_assert(reads("expiry-time=\"20010909014640Z\""));
    cr_expect_eq(options.expires, 1000000000);
    cr_expect(nacred_key_options_hold(&options, "127.0.0.1", 999999999));
    cr_expect_not(nacred_key_options_hold(&options, "127.0.0.1", 1000000000));
    cr_assert(reads("expiry-time=\"200109090346\""));
    cr_expect_eq(options.expires, 1000000000 - 40);
    cr_assert(reads("expiry-time=\"20010909Z\",expiry-time=\"20300101\""));
    cr_expect_eq(options.expires, 1000000000 - 6400);
}

Test(nacred_key_options, addresses_match_by_network_and_pattern)
{
    static const struct {
        const char *list, *address;
        bool has;
    } cases[] = {{"10.0.0.0/8", "10.255.0.1", true},
                 {"10.0.0.0/8", "11.0.0.1", false},
                 {"10.0.0.0/8", "::ffff:10.1.2.3", true},
                 {"0.0.0.0/0", "::1", false},
                 {"::/0", "10.0.0.1", false},
                 {"2001:db8::/33", "2001:db8:7fff::1", true},
                 {"2001:db8::/33", "2001:db8:8000::1", false},
                 {"192.0.2.1", "192.0.2.1", true},
                 {"192.0.2.1", "192.0.2.10", false},
                 {"2001:DB8::0:1", "2001:db8::1", true},
                 {"192.0.2.*", "192.0.2.77", true},
                 {"192.0.2.?", "192.0.2.77", false},
                 {"*,!192.0.2.0/24", "192.0.2.77", false},
                 {"!192.0.2.0/24,*", "192.0.3.77", true},
                 {"!192.0.2.1", "192.0.3.77", false},
                 {"localhost", "127.0.0.1", false}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cr_assert(nacred_address_list_valid(cases[i].list), "%s", cases[i].list);
        cr_expect_eq(nacred_address_list_has(cases[i].list, cases[i].address), cases[i].has, "case %zu", i);
    }
}

/* Of several lines with one key, the first counts that holds where the client is. */
Test(nacred_key_options, the_first_line_that_holds_counts)
{
    static const uint8_t blob[] = "a key";
    struct users users = {0};

    cr_assert(reads("from=\"10.0.0.0/8\""));
    cr_assert_null(nacred_users_add_key(&users, "anna", blob, sizeof blob, &options));
    cr_expect_null(nacred_users_find_key(&users, "anna", blob, sizeof blob, "127.0.0.1", 0));
    cr_assert(reads("restrict"));
    cr_assert_null(nacred_users_add_key(&users, "anna", blob, sizeof blob, &options));
    const struct user_key *near = nacred_users_find_key(&users, "anna", blob, sizeof blob, "10.0.0.1", 0);
    const struct user_key *far = nacred_users_find_key(&users, "anna", blob, sizeof blob, "127.0.0.1", 0);
    cr_assert(near != NULL && far != NULL);
    cr_expect_not(near->options.no_pty);
    cr_expect(far->options.no_pty);
    cr_expect_null(nacred_users_find_key(&users, "berta", blob, sizeof blob, "10.0.0.1", 0));
    nacred_users_free(&users);
}

Test(nacred_key_options, permitted_hosts_are_literal_and_listeners_fit_a_pattern)
{
    static const struct {
        const char *options, *host;
        int port;
        bool open, listen;
    } cases[] = {
        {"permitopen=\"a.example:80\",permitlisten=\"a.example:80\"", "a.example", 80, true, true},
        {"permitopen=\"a.example:80\",permitlisten=\"a.example:80\"", "a.example", 81, false, false},
        {"permitopen=\"a.example:80\",permitlisten=\"a.example:80\"", "b.example", 80, false, false},
        {"permitopen=\"a.example:*\",permitlisten=\"a.example:*\"", "a.example", 1, true, true},
        {"permitopen=\"a.example:*\",permitlisten=\"a.example:*\"", "a.example", 0, true, true},
        {"permitopen=\"*.example:80\",permitlisten=\"*.example:80\"", "a.example", 80, false, true},
        {"permitopen=\"*:80\",permitlisten=\"*:80\"", "anything", 80, true, true},
        {"permitopen=\"*:80\",permitlisten=\"80\"", "anything", 80, true, true},
        {"permitopen=\"*:80\",permitlisten=\"80\"", "", 80, true, true},
        {"permitopen=\"*:80\",permitlisten=\"80\"", "", 8080, false, false},
        {"permitopen=\"[::1]:80\",permitlisten=\"[::1]:80\"", "::1", 80, true, true},
        {"permitopen=\"a:1\",permitopen=\"b:2\",permitlisten=\"a:1\",permitlisten=\"b:2\"", "b", 2, true, true},
        {"permitopen=\"a:1\",permitopen=\"b:2\",permitlisten=\"a:1\",permitlisten=\"b:2\"", "b", 1, false, false},
        {"permitopen=\"a:1\",permitopen=\"b:2\",permitlisten=\"a:1\",permitlisten=\"b:2\"", "a:1,b", 2, false, false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cr_assert(reads(cases[i].options), "%s: %s", cases[i].options, why);
        cr_expect_not(nacred_key_options_are_none(&options));
        cr_expect_eq(nacred_permits_have(options.permit_open, false, cases[i].host, cases[i].port), cases[i].open,
                     "case %zu", i);
        cr_expect_eq(nacred_permits_have(options.permit_listen, true, cases[i].host, cases[i].port), cases[i].listen,
                     "case %zu", i);
    }
}

/* An authority's key is no key to log in with, and the other way round. */
Test(nacred_key_options, an_authority_lets_in_whom_it_names)
{
    static const uint8_t blob[] = "a key";
    struct users users = {0};
    struct key_options none;

    nacred_key_options_none(&none);
    cr_assert_null(nacred_users_add_key(&users, "plain", blob, sizeof blob, &none));
    cr_assert(reads("cert-authority"));
    cr_assert_null(nacred_users_add_key(&users, "anna", blob, sizeof blob, &options));
    cr_assert(reads("principals=\"ops,on call\",cert-authority,from=\"10.0.0.0/8\""));
    cr_assert_null(nacred_users_add_key(&users, "berta", blob, sizeof blob, &options));
    static const struct {
        const char *name, *principals, *address;
        bool lets_in;
    } cases[] = {
        {"anna", "anna", "127.0.0.1", true},
        {"anna", "carla,anna", "127.0.0.1", true},
        {"anna", "ann,annabel,carla", "127.0.0.1", false},
        {"anna", "", "127.0.0.1", false},
        {"berta", "berta", "10.0.0.1", false},
        {"berta", "ops", "10.0.0.1", true},
        {"berta", "berta,on call", "10.0.0.1", true},
        {"berta", "on", "10.0.0.1", false},
        {"berta", "", "10.0.0.1", false},
        {"berta", "ops", "127.0.0.1", false},
        {"plain", "plain", "127.0.0.1", false},
        {"nobody", "nobody", "127.0.0.1", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_expect_eq(nacred_users_find_authority(&users, cases[i].name, blob, sizeof blob, cases[i].principals,
                                                 cases[i].address, 0) != NULL,
                     cases[i].lets_in, "case %zu", i);
    cr_expect_null(nacred_users_find_key(&users, "anna", blob, sizeof blob, "127.0.0.1", 0));
    cr_expect_not_null(nacred_users_find_key(&users, "plain", blob, sizeof blob, "127.0.0.1", 0));
    /* The same key may be both. */
    cr_assert(reads("cert-authority"));
    cr_assert_null(nacred_users_add_key(&users, "plain", blob, sizeof blob, &options));
    cr_expect_not_null(nacred_users_find_authority(&users, "plain", blob, sizeof blob, "plain", "127.0.0.1", 0));
    cr_expect_not_null(nacred_users_find_key(&users, "plain", blob, sizeof blob, "127.0.0.1", 0));
    nacred_users_free(&users);
}

Test(nacred_key_options, a_path_is_in_no_list_of_hosts)
{
    struct peer peer = {.may_tunnel = true};
    struct nacre_ssh_tunnel_requested event = {.direction = 1, .address = "localhost"};

    cr_expect_null(nacred_peer_tunnel_wrong(&peer, &event));
    cr_assert(reads("permitlisten=\"*:*\""));
    peer.key_options = &options;
    cr_expect_null(nacred_peer_tunnel_wrong(&peer, &event));
    event.is_path = true;
    cr_expect_not_null(nacred_peer_tunnel_wrong(&peer, &event));
    event.direction = 0;
    cr_expect_null(nacred_peer_tunnel_wrong(&peer, &event), "there is no permitopen");
    cr_assert(reads("permitopen=\"*:*\""));
    cr_expect_not_null(nacred_peer_tunnel_wrong(&peer, &event));
    peer.key_options = NULL;
    peer.may_tunnel = false;
    cr_expect_not_null(nacred_peer_tunnel_wrong(&peer, &event));
}
