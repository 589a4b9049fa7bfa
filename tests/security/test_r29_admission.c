/* SPDX-License-Identifier: Apache-2.0 */
/* Rule R29: nobody takes all the places. Limits at the door, what a client that is refused is told, and what it costs a
 * source to misbehave. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "support/client.h"
#include "support/refusal.h"
#include "support/server.h"

enum {
    TOO_MANY_CONNECTIONS = 12 /* RFC 4253 section 11.1 */
};

static unsigned refused(struct server *s, const char *reason)
{
    char text[256];
    unsigned n = 0;
    cr_assert_eq(nacre_config(s->nacre, "RefusedConnections", text, sizeof text), 0);
    const char *at = strstr(text, reason);
    cr_assert_not_null(at, "%s in %s", reason, text);
    cr_assert_eq(sscanf(at + strlen(reason), "=%u", &n), 1);
    return n;
}

/* The connections that have ended have been counted out. */
static void wait_for_count(struct server *s, int wanted)
{
    int n = -1;
    for (int i = 0; i < SERVER_WAIT_MS && n != wanted; i++) {
        cr_assert_eq(nacre_get_ssh_connection_count(s->nacre, &n), 0);
        usleep(1000);
    }
    cr_assert_eq(n, wanted);
}

/* A server that listens, with one setting or two. */
static struct server *limited(const char *setting, const char *another)
{
    struct server *s = server_new();
    server_set(s, setting);
    if (another != NULL)
        server_set(s, another);
    server_start(s, 1);
    return s;
}

/* A connection that is let in, and says nothing. */
static int come_in(struct server *s, const char *from, const char *why)
{
    int fd = half_open(from, s->port);
    cr_assert_geq(fd, 0, "%s", why);
    return fd;
}

static void expect_let_in(struct server *s, const char *from, const char *why)
{
    close(come_in(s, from, why));
}

/* One that is not, and is told so. */
static void expect_refused(struct server *s, const char *from, const char *says)
{
    struct refusal_seen r = refusal_of(from, s->port, SERVER_WAIT_MS);
    cr_assert(r.refused);
    cr_expect_eq(r.code, TOO_MANY_CONNECTIONS);
    cr_expect_not_null(strstr(r.text, says), "%s", r.text);
}

/* ---- MaxConnections, MaxStartups ------------------------------------------------------------------------------- */

Test(security, r29_a_refused_client_is_told_why, .timeout = 240)
{
    struct server *s = limited("MaxConnections=1", NULL);
    struct server_seen e;
    int fd = come_in(s, NULL, "the one that may");
    expect_refused(s, NULL, "as many connections as it may have");
    cr_assert(server_wait(s, EVENT_ERROR, 0, &e));
    cr_expect_eq(e.code, NACRE_E_TOO_MANY_CONNECTIONS);
    cr_expect_not_null(strstr(e.text, "127.0.0.1"), "%s", e.text);
    cr_expect_eq(refused(s, "max-connections"), 1);
    close(fd);
    server_free(s);
}

Test(security, r29_clients_that_do_not_log_in_do_not_take_all_places, .timeout = 240)
{
    struct server *s = limited("MaxStartups=2", NULL);
    struct client in;
    cr_assert(client_start(&in, s->port), "it has logged in, so it does not count");
    int a = come_in(s, NULL, "one of two"), b = come_in(s, NULL, "the other");
    expect_refused(s, NULL, "logging in");
    cr_expect_eq(refused(s, "max-startups"), 1);
    close(a);
    wait_for_count(s, 2);
    expect_let_in(s, NULL, "a place has become free");
    close(b);
    client_free(&in);
    server_free(s);
}

/* Between start and full it is dice that decide: of 200 tries at 50 percent, neither all nor none get in (the chance
 * that they do is 2^-199). */
Test(security, r29_early_drop_is_at_random, .timeout = 240)
{
    struct server *s = limited("MaxStartups=1:50:100000", NULL);
    unsigned in = 0, out = 0;
    int first = come_in(s, NULL, "the first");
    for (int i = 0; i < 200; i++) {
        int fd = half_open(NULL, s->port);
        in += fd >= 0;
        out += fd < 0;
        if (fd >= 0)
            close(fd);
        wait_for_count(s, 1);
    }
    cr_expect_neq(in, 0);
    cr_expect_neq(out, 0);
    cr_expect_eq(refused(s, "max-startups"), out);
    close(first);
    server_free(s);
}

Test(security, r29_a_flood_is_reported_once, .timeout = 240)
{
    struct server *s = limited("MaxConnections=1", NULL);
    int fd = come_in(s, NULL, "the one that may");
    for (int i = 0; i < 50; i++)
        cr_assert(is_refused(NULL, s->port));
    cr_expect_eq(refused(s, "max-connections"), 50);
    cr_assert(server_wait(s, EVENT_ERROR, 0, NULL));
    /* Once in 10 s; a machine so slow that 50 refusals take longer reports a few times. */
    cr_expect_lt(server_count(s, EVENT_ERROR), 10);
    close(fd);
    server_free(s);
}

/* ---- MaxConnectionsPerSource ----------------------------------------------------------------------------------- */

Test(security, r29_one_source_does_not_take_all_places, .timeout = 240)
{
    struct server *s = limited("MaxConnectionsPerSource=2", NULL);
    int a = come_in(s, "127.0.0.2", "one of two"), b = come_in(s, "127.0.0.2", "the other");
    expect_refused(s, "127.0.0.2", "from your address");
    int other = come_in(s, "127.0.0.3", "others get in");
    close(a);
    wait_for_count(s, 2);
    expect_let_in(s, "127.0.0.2", "a place of this source has become free");
    close(b);
    close(other);
    server_free(s);
}

Test(security, r29_addresses_of_one_block_are_one_source, .timeout = 240)
{
    struct server *s = limited("MaxConnectionsPerSource=1", "PerSourceNetBlockSize=30:64");
    int a = come_in(s, "127.0.0.5", "the first of its block");
    cr_expect(is_refused("127.0.0.6", s->port));
    expect_let_in(s, "127.0.0.9", "the next block");
    close(a);
    server_free(s);
}

Test(security, r29_those_who_look_after_the_server_get_in, .timeout = 240)
{
    struct server *s = server_new();
    server_set(s, "MaxConnectionsPerSource=1");
    server_set(s, "MaxStartups=2");
    server_set(s, "PerSourceExemptList=127.0.0.8/29");
    server_start(s, 1);
    int fds[5] = {come_in(s, "127.0.0.2", "one of two"), come_in(s, "127.0.0.3", "the other")};
    cr_assert(is_refused("127.0.0.4", s->port));
    for (int i = 2; i < 5; i++)
        fds[i] = come_in(s, "127.0.0.9", "exempt");
    for (int i = 0; i < 5; i++)
        close(fds[i]);
    server_free(s);
}

/* ---- PerSourcePenalties ---------------------------------------------------------------------------------------- */

/* A client from that address whose password is wrong, and which leaves. */
static void fail_login(struct server *s, const char *from)
{
    struct client c;
    client_init(&c);
    cr_assert(client_dial(&c, from, s->port));
    cr_assert(client_wait(&c, &c.ready));
    cr_assert_not(client_login(&c, "user", "wrong"));
    client_disconnect(&c);
    client_free(&c);
    wait_for_count(s, 0);
}

Test(security, r29_failed_logins_keep_a_source_out, .timeout = 240)
{
    struct server *s = limited("PerSourcePenalties=authfail:10m min:20m max:1h", NULL);
    fail_login(s, "127.0.0.2");
    expect_let_in(s, "127.0.0.2", "one is below the minimum");
    wait_for_count(s, 0);
    fail_login(s, "127.0.0.2");
    expect_refused(s, "127.0.0.2", "kept out");
    cr_expect_eq(refused(s, "penalty"), 1);
    expect_let_in(s, "127.0.0.3", "others get in");
    server_free(s);
}

Test(security, r29_a_penalty_passes, .timeout = 240)
{
    struct server *s = limited("PerSourcePenalties=authfail:1s min:1s", NULL);
    fail_login(s, "127.0.0.2");
    int fd = -1;
    for (int i = 0; i < SERVER_WAIT_MS / 50 && fd < 0; i++) {
        fd = half_open("127.0.0.2", s->port);
        usleep(fd < 0 ? 50000 : 0);
    }
    cr_expect_geq(fd, 0);
    close(fd);
    server_free(s);
}

Test(security, r29_a_dry_run_only_counts, .timeout = 240)
{
    struct server *s = limited("PerSourcePenalties=authfail:10m min:1s dry-run", NULL);
    fail_login(s, "127.0.0.2");
    expect_let_in(s, "127.0.0.2", "it would be kept out");
    cr_expect_eq(refused(s, "penalty-dry-run"), 1);
    server_free(s);
}

struct offence_case {
    char what[40];
    char setting[80];
    char says[64];
    int waits_s;
};

ParameterizedTestParameters(security, r29_what_is_an_offence)
{
    static struct offence_case cases[] = {
        {"left without a login", "PerSourcePenalties=noauth:10m min:1s", "", 0},
        {"took too long", "PerSourcePenalties=grace-exceeded:10m min:1s noauth:0", "", 1},
        {"speaks something else", "PerSourcePenalties=protocol:10m min:1s noauth:0", "GET / HTTP/1.0\r\n\r\n", 0},
    };
    return cr_make_param_array(struct offence_case, cases, sizeof cases / sizeof *cases);
}

ParameterizedTest(struct offence_case *one, security, r29_what_is_an_offence, .timeout = 240)
{
    struct server *s = limited(one->setting, one->waits_s != 0 ? "LoginGraceTime=3" : NULL);
    char byte;
    int fd = come_in(s, "127.0.0.2", one->what);
    if (one->says[0] != '\0') {
        cr_assert_gt(write(fd, one->says, strlen(one->says)), 0);
    }
    while ((one->waits_s != 0 || one->says[0] != '\0') && read(fd, &byte, 1) == 1)
        ;
    close(fd);
    wait_for_count(s, 0);
    cr_expect(is_refused("127.0.0.2", s->port), "%s", one->what);
    expect_let_in(s, "127.0.0.3", "others get in");
    server_free(s);
}

Test(security, r29_a_login_that_works_is_no_offence, .timeout = 240)
{
    struct server *s =
        limited("PerSourcePenalties=authfail:10m noauth:10m protocol:10m grace-exceeded:10m min:1s", NULL);
    struct client c;
    for (int i = 0; i < 3; i++) {
        cr_assert(client_start(&c, s->port), "%d", i);
        client_drop(&c);
        client_free(&c);
        wait_for_count(s, 0);
    }
    server_free(s);
}

/* ---- the settings ---------------------------------------------------------------------------------------------- */

Test(security, r29_settings_that_make_no_sense_are_refused)
{
    static const char *const bad[] = {
        "MaxStartups=",
        "MaxStartups=10:30",
        "MaxStartups=10:0:20",
        "MaxStartups=10:101:20",
        "MaxStartups=20:30:10",
        "MaxStartups=10:30:60x",
        "MaxStartups=101%:30:60%",
        "MaxStartups=-1",
        "PerSourceNetBlockSize=33:64",
        "PerSourceNetBlockSize=32:129",
        "PerSourceNetBlockSize=32",
        "PerSourcePenalties=maybe",
        "PerSourcePenalties=authfail:",
        "PerSourcePenalties=authfail:5x",
        "PerSourcePenalties=authfail:5smin:1s",
        "PerSourcePenalties=min:1h max:1m",
        "PerSourcePenalties=max-sources:0",
        "PerSourceExemptList=example.org",
        "MaxConnectionsPerSource=-1",
        "MaxLoginPackets=1",
        "MaxLoginBytes=1",
    };
    struct server *s = server_new();
    char text[64];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_expect_eq(nacre_config(s->nacre, bad[i], NULL, 0), NACRE_E_SETTING_VALUE, "%s", bad[i]);
    cr_expect_eq(nacre_config(s->nacre, "RefusedConnections=1", NULL, 0), NACRE_E_SETTING_READ_ONLY);
    cr_expect_eq(nacre_config(s->nacre, "MaxStartups=10:30:60", text, sizeof text), 0);
    cr_expect_str_eq(text, "10:30:60");
    server_free(s);
}
