/* SPDX-License-Identifier: Apache-2.0 */
/* What logins know beside a password and a key: keys bound to the host key, an EXT_INFO on the way in, and passwords
 * that have to be changed. */
#include <criterion/criterion.h>

#include <stdlib.h>

#include "ssh/auth_client.h"
#include "support/pair.h"

static struct pair *ready_for_auth(void)
{
    struct pair *p = pair_new();

    pair_start(p);
    pair_run(p);
    return p;
}

static void logs(struct pair *p)
{
    p->server.config.log_level = 1;
    p->server.keeps_logs = true;
}

static bool logged(const struct side *s, const char *text)
{
    const struct conn_event *e;

    for (size_t n = 0; (e = side_event(s, CONN_LOG, n)) != NULL; n++) {
        if (span_is(e->text, text))
            return true;
    }
    return false;
}

/* A raw EXT_INFO with one extension. */
static void say_ext_info(struct side *from, struct side *to, const char *name, const char *value)
{
    uint8_t payload[256];
    struct wr w = wr_over(payload, sizeof payload);

    wr_u8(&w, MSG_EXT_INFO);
    wr_u32(&w, 1);
    wr_cstring(&w, name);
    wr_cstring(&w, value);
    (void)nacre_packet_payload(from->conn, wr_span(&w));
    pair_carry(from, to);
    pair_feed(to);
}

/* ---- publickey-hostbound-v00@openssh.com ----------------------------------------------------------------------- */

static const char other_key[] = "a publickey request is bound to another host key than ours";

Test(login, a_key_signs_for_the_host_key_when_the_server_takes_that)
{
    struct pair *p = ready_for_auth();
    struct key *key = nacre_key_generate(p->crypto, "ssh-ed25519", 0);
    struct key *other = nacre_key_generate(p->crypto, "ssh-ed25519", 0);

    /* Whether the request was bound shows by what a wrong host key in it does. */
    nacre_key_unref(p->client.conn->host_key);
    p->client.conn->host_key = nacre_key_ref(other);
    (void)nacre_conn_auth_publickey(p->client.conn, span_str("anna"), key, NULL);
    pair_run(p);
    cr_assert_eq(side_count(&p->server, CONN_AUTH_REQUEST), 0);
    cr_assert_eq(side_count(&p->client, CONN_AUTH_FAILED), 1);
    nacre_key_unref(p->client.conn->host_key);
    p->client.conn->host_key = nacre_key_ref(p->host_key);
    (void)nacre_conn_auth_publickey(p->client.conn, span_str("anna"), key, NULL);
    pair_run(p);
    const struct conn_event *e = side_event(&p->server, CONN_AUTH_REQUEST, 0);
    cr_assert(span_is(e->method, "publickey") && e->verified && span_eq(e->param, nacre_key_blob(key)));
    cr_assert_eq(side_count(&p->client, CONN_AUTHENTICATED), 1);
    cr_assert_null(p->server.conn->host_key);
    nacre_key_unref(key);
    nacre_key_unref(other);
    pair_free(p);
}

Test(login, another_host_key_than_ours_is_refused_and_said)
{
    struct pair *p = pair_new();
    struct key *key = nacre_key_generate(p->crypto, "ssh-ed25519", 0);

    logs(p);
    pair_start(p);
    pair_run(p);
    nacre_key_unref(p->client.conn->host_key);
    p->client.conn->host_key = nacre_key_ref(key);
    (void)nacre_conn_auth_publickey(p->client.conn, span_str("anna"), key, NULL);
    pair_run(p);
    cr_assert(logged(&p->server, other_key));
    cr_assert_eq(side_count(&p->server, CONN_AUTH_REQUEST) + side_count(&p->server, CONN_AUTH_INFORM), 0);
    nacre_key_unref(key);
    pair_free(p);
}

Test(login, hostbound_counts_as_publickey_in_the_list_of_methods)
{
    struct pair *p = pair_new();
    struct key *key = nacre_key_generate(p->crypto, "ssh-ed25519", 0);

    p->server.config.auth_methods = "password";
    pair_start(p);
    pair_run(p);
    (void)nacre_conn_auth_publickey(p->client.conn, span_str("anna"), key, NULL);
    pair_run(p);
    cr_assert_eq(side_count(&p->server, CONN_AUTH_REQUEST), 0);
    cr_assert(span_is(side_event(&p->client, CONN_AUTH_FAILED, 0)->text, "password"));
    nacre_key_unref(key);
    pair_free(p);
}

Test(login, r06_a_deferred_yes_to_a_hostbound_query_admits_nobody)
{
    static const char method[] = "publickey-hostbound-v00@openssh.com";
    struct pair *p = ready_for_auth();
    struct key *key = nacre_key_generate(p->crypto, "ssh-ed25519", 0);
    const struct conn_answer yes = {.accept = true};
    uint8_t payload[1024];
    struct wr w = wr_over(payload, sizeof payload);

    p->server.leaves_open[CONN_AUTH_REQUEST] = true;
    wr_u8(&w, MSG_USERAUTH_REQUEST);
    wr_cstring(&w, "anna");
    wr_cstring(&w, "ssh-connection");
    wr_cstring(&w, method);
    wr_bool(&w, false);
    wr_cstring(&w, "ssh-ed25519");
    wr_string(&w, nacre_key_blob(key));
    wr_string(&w, nacre_key_blob(p->host_key));
    (void)nacre_packet_payload(p->client.conn, wr_span(&w));
    pair_carry(&p->client, &p->server);
    pair_feed(&p->server);
    const struct conn_event *e = side_event(&p->server, CONN_AUTH_REQUEST, 0);
    cr_assert(e != NULL && e->query && !e->verified);
    cr_assert(nacre_conn_answer(p->server.conn, e->serial, &yes, p->now_ns));
    cr_assert_eq(side_count(&p->server, CONN_AUTHENTICATED), 0);
    nacre_key_unref(key);
    pair_free(p);
}

/* ---- EXT_INFO during login -------------------------------------------------------------------------------------- */

static size_t sig_algs(const struct conn *c)
{
    return c->client == NULL ? 0 : c->client->server_sig_algs.len;
}

/* They are the same for every user. */
Test(login, a_server_names_its_signatures_once)
{
    struct pair *p = ready_for_auth();

    cr_assert_gt(sig_algs(p->client.conn), 0);
    (void)nacre_conn_auth_password(p->client.conn, span_str("anna"), span_str("x"));
    pair_run(p);
    cr_assert_eq(side_count(&p->client, CONN_AUTHENTICATED), 1);
    cr_assert_eq(p->client.conn->ext_infos, 1);
    pair_free(p);
}

Test(login, a_client_takes_others_when_the_server_knows_who_it_is)
{
    struct pair *p = ready_for_auth();
    const struct conn_answer yes = {.accept = true};

    p->server.leaves_open[CONN_AUTH_REQUEST] = true;
    (void)nacre_conn_auth_password(p->client.conn, span_str("anna"), span_str("x"));
    pair_run(p);
    say_ext_info(&p->server, &p->client, "server-sig-algs", "ssh-ed25519");
    cr_assert_eq(sig_algs(p->client.conn), strlen("ssh-ed25519"));
    (void)nacre_conn_answer(p->server.conn, side_event(&p->server, CONN_AUTH_REQUEST, 0)->serial, &yes, p->now_ns);
    pair_run(p);
    cr_assert_eq(side_count(&p->client, CONN_AUTHENTICATED), 1);
    pair_free(p);
}

/* Rule R4: without leave only right before the success; rule R18: two at most. */
Test(login, r04_the_client_takes_it_where_it_said_so_only)
{
    struct pair *p = ready_for_auth();

    /* Before the first request, and no success follows: the next message ends it. */
    say_ext_info(&p->server, &p->client, "server-sig-algs", "ssh-ed25519");
    cr_assert(p->client.conn->success_is_next);
    (void)nacre_conn_auth_password(p->client.conn, span_str("anna"), span_str("x"));
    p->server.refuses[CONN_AUTH_REQUEST] = true;
    pair_run(p);
    cr_assert_eq(side_event(&p->client, CONN_DISCONNECTED, 0)->error, NACRE_E_UNEXPECTED);
    pair_free(p);
}

Test(login, r04_a_server_takes_none_once_login_has_begun)
{
    struct pair *p = ready_for_auth();

    say_ext_info(&p->client, &p->server, "ping@openssh.com", "0");
    cr_assert_eq(side_event(&p->server, CONN_DISCONNECTED, 0)->error, NACRE_E_UNEXPECTED);
    pair_free(p);
}

Test(login, r18_a_third_ends_the_connection)
{
    struct pair *p = ready_for_auth();

    p->server.leaves_open[CONN_AUTH_REQUEST] = true;
    (void)nacre_conn_auth_password(p->client.conn, span_str("anna"), span_str("x"));
    pair_run(p);
    say_ext_info(&p->server, &p->client, "server-sig-algs", "ssh-ed25519");
    cr_assert_eq(p->client.conn->ext_infos, 2);
    cr_assert_eq(side_count(&p->client, CONN_DISCONNECTED), 0);
    say_ext_info(&p->server, &p->client, "server-sig-algs", "ssh-ed25519");
    cr_assert_eq(side_event(&p->client, CONN_DISCONNECTED, 0)->error, NACRE_E_UNEXPECTED);
    pair_free(p);
}

/* ---- changes of passwords --------------------------------------------------------------------------------------- */

Test(login, an_expired_password_is_asked_to_change)
{
    struct pair *p = ready_for_auth();

    p->server.answer.change_prompt = "Your password has expired.";
    (void)nacre_conn_auth_password(p->client.conn, span_str("anna"), span_str("old"));
    pair_run(p);
    cr_assert(span_is(side_event(&p->client, CONN_AUTH_CHANGE, 0)->text, "Your password has expired."));
    cr_assert_eq(side_count(&p->server, CONN_AUTHENTICATED) + side_count(&p->client, CONN_AUTH_FAILED), 0);
    p->server.answer.change_prompt = "Too short.";
    (void)nacre_conn_auth_change(p->client.conn, span_str("anna"), span_str("old"), span_str("x"));
    pair_run(p);
    cr_assert(span_is(side_event(&p->client, CONN_AUTH_CHANGE, 1)->text, "Too short."));
    p->server.answer.change_prompt = NULL;
    (void)nacre_conn_auth_change(p->client.conn, span_str("anna"), span_str("old"), span_str("new"));
    pair_run(p);
    const struct conn_event *e = side_event(&p->server, CONN_AUTH_REQUEST, 2);
    cr_assert(span_is(e->param, "old") && span_is(e->new_password, "new"));
    cr_assert_eq(side_count(&p->client, CONN_AUTHENTICATED), 1);
    pair_free(p);
}

Test(login, a_change_may_be_one_factor_or_refused)
{
    struct pair *p = ready_for_auth();

    p->server.refuses[CONN_AUTH_REQUEST] = true;
    (void)nacre_conn_auth_change(p->client.conn, span_str("anna"), span_str("old"), span_str("new"));
    pair_run(p);
    cr_assert_not(side_event(&p->client, CONN_AUTH_FAILED, 0)->accepted);
    p->server.refuses[CONN_AUTH_REQUEST] = false;
    p->server.answer = (struct conn_answer){.partial_success = true, .available_methods = span_str("publickey")};
    (void)nacre_conn_auth_change(p->client.conn, span_str("anna"), span_str("old"), span_str("new"));
    pair_run(p);
    cr_assert(side_event(&p->client, CONN_AUTH_FAILED, 1)->accepted);
    cr_assert_eq(side_count(&p->server, CONN_AUTHENTICATED), 0);
    pair_free(p);
}

Test(login, r08_requests_to_change_have_a_cap)
{
    struct pair *p = ready_for_auth();
    int tries = 0;

    p->server.answer.change_prompt = "";
    while (tries < 40 && !nacre_conn_is_closing(p->server.conn)) {
        (void)nacre_conn_auth_password(p->client.conn, span_str("anna"), span_str("old"));
        pair_run(p);
        tries++;
    }
    cr_assert_eq(tries, 16);
    cr_assert_eq(side_event(&p->server, CONN_DISCONNECTED, 0)->error, NACRE_E_AUTHENTICATION);
    pair_free(p);
}

Test(login, only_passwords_are_asked_to_change)
{
    struct pair *p = ready_for_auth();
    struct key *key = nacre_key_generate(p->crypto, "ssh-ed25519", 0);

    p->server.answer.change_prompt = "Your password has expired.";
    (void)nacre_conn_auth_publickey(p->client.conn, span_str("anna"), key, NULL);
    pair_run(p);
    cr_assert_eq(side_count(&p->client, CONN_AUTHENTICATED), 1);
    nacre_key_unref(key);
    pair_free(p);
}

Test(login, r12_an_over_long_new_password_is_refused)
{
    static char much[CONN_PASSWORD_MAX + 2];
    struct pair *p = ready_for_auth();
    uint8_t request[2 * CONN_PASSWORD_MAX];
    struct wr w = wr_over(request, sizeof request);

    memset(much, 'x', sizeof much - 1);
    wr_u8(&w, MSG_USERAUTH_REQUEST);
    wr_cstring(&w, "anna");
    wr_cstring(&w, "ssh-connection");
    wr_cstring(&w, "password");
    wr_bool(&w, true);
    wr_cstring(&w, "old");
    wr_cstring(&w, much);
    cr_assert(wr_done(&w));
    (void)nacre_packet_payload(p->client.conn, wr_span(&w));
    pair_carry(&p->client, &p->server);
    pair_feed(&p->server);
    cr_assert_eq(side_count(&p->server, CONN_AUTH_REQUEST) + side_count(&p->server, CONN_DISCONNECTED), 0);
    pair_free(p);
}

Test(login, a_request_to_change_without_a_password_is_out_of_order)
{
    static const uint8_t request[] = {MSG_USERAUTH_60, 0, 0, 0, 0, 0, 0, 0, 0};
    struct pair *p = ready_for_auth();

    (void)nacre_packet_payload(p->server.conn, span_of(request, sizeof request));
    pair_carry(&p->server, &p->client);
    pair_feed(&p->client);
    cr_assert_eq(side_event(&p->client, CONN_DISCONNECTED, 0)->error, NACRE_E_UNEXPECTED);
    pair_free(p);
}
