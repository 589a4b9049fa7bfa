/* SPDX-License-Identifier: Apache-2.0 */
/* More than one factor: the list of methods is kept for one user and carries what has been reached. */
#include <criterion/criterion.h>

#include "crypto/key.h"
#include "support/client.h"
#include "support/server.h"

/* As the class's documents tell it: PartialSuccess alone, on the query too. */
static void key_then_code(nacre_server *n, struct nacre_ssh_user_auth_request *e, void *context)
{
    server_on_ssh_user_auth_request(n, e, context);
    e->accept = false;
    if (strcmp(e->auth_method, "publickey") == 0) {
        e->partial_success = true;
        e->available_methods = "keyboard-interactive";
    }
    if (strcmp(e->auth_method, "keyboard-interactive-1") == 0)
        e->accept = strcmp(e->auth_param, "123456") == 0;
    if (strcmp(e->auth_method, "keyboard-interactive") == 0)
        e->accept = true;
}

static struct server *start(void (*handler)(nacre_server *, struct nacre_ssh_user_auth_request *, void *),
                            const char *methods)
{
    struct server *s = server_new();
    s->handlers.on_ssh_user_auth_request = handler;
    cr_assert_eq(nacre_set_default_auth_methods(s->nacre, methods), 0);
    cr_assert_eq(nacre_set_keyboard_interactive_prompt_count(s->nacre, 1), 0);
    cr_assert_eq(nacre_set_keyboard_interactive_prompt_prompt(s->nacre, 0, "Code: "), 0);
    server_start(s, 1);
    return s;
}

static void wait_outcome(struct client *c, unsigned failures)
{
    while (!c->authenticated && c->failures == failures && !c->ended && client_turn(c, 20))
        ;
}

static bool by_key(struct client *c, const char *user, bool query)
{
    struct key *key = nacre_key_generate(c->crypto, "ssh-ed25519", 0);
    unsigned failures = c->failures, oks = c->key_oks;
    if (query) {
        cr_assert(nacre_conn_auth_query(c->conn, span_str(user), key, NULL));
        while (c->key_oks == oks && c->failures == failures && !c->ended && client_turn(c, 20))
            ;
    }
    cr_assert(nacre_conn_auth_publickey(c->conn, span_str(user), key, NULL));
    wait_outcome(c, failures);
    nacre_key_unref(key);
    return c->authenticated;
}

static bool by_code(struct client *c, const char *user, const char *code)
{
    const struct span response = span_str(code);
    unsigned failures = c->failures;
    c->prompted = false;
    cr_assert(nacre_conn_auth_kbdint(c->conn, span_str(user)));
    while (!c->prompted && c->failures == failures && !c->ended && client_turn(c, 20))
        ;
    if (c->prompted) {
        cr_assert(nacre_conn_auth_responses(c->conn, &response, 1));
        wait_outcome(c, failures);
    }
    return c->authenticated;
}

Test(class_factors, partial_success_of_a_query_lets_the_key_sign, .timeout = 240)
{
    struct server *s = start(key_then_code, "publickey");
    struct client c;
    client_init(&c);
    cr_assert(client_connect(&c, s->port));
    cr_assert_not(by_key(&c, "user", true));
    cr_expect_eq(c.key_oks, 1);
    cr_assert(c.partial);
    cr_assert_str_eq(c.methods, "keyboard-interactive");
    cr_assert_not(by_code(&c, "user", "654321"));
    cr_assert(by_code(&c, "user", "123456"));
    client_free(&c);
    server_free(s);
}

Test(class_factors, a_second_factor_alone_is_not_asked_about, .timeout = 240)
{
    struct server *s = start(key_then_code, "publickey");
    struct client c;
    client_init(&c);
    cr_assert(client_connect(&c, s->port));
    cr_assert_not(by_code(&c, "user", "123456"));
    cr_assert_not(c.prompted);
    cr_expect_str_eq(c.methods, "publickey");
    client_free(&c);
    server_free(s);
}

Test(class_factors, r07_what_one_user_reached_is_worth_nothing_to_another, .timeout = 240)
{
    struct server *s = start(key_then_code, "publickey");
    struct client c;
    client_init(&c);
    cr_assert(client_connect(&c, s->port));
    cr_assert_not(by_key(&c, "user", false));
    cr_assert_str_eq(c.methods, "keyboard-interactive");
    cr_assert_not(by_code(&c, "root", "123456"));
    cr_assert_not(c.prompted);
    cr_expect_str_eq(c.methods, "publickey");
    cr_assert_not(by_code(&c, "user", "123456"), "back again, it begins anew");
    client_free(&c);
    server_free(s);
}

static void per_user(nacre_server *n, struct nacre_ssh_user_auth_request *e, void *context)
{
    server_on_ssh_user_auth_request(n, e, context);
    if (strcmp(e->auth_method, "none") == 0)
        e->available_methods = strcmp(e->user, "admin") == 0 ? "publickey" : "password";
}

Test(class_factors, the_list_may_differ_by_user, .timeout = 240)
{
    static const char *const users[][2] = {{"admin", "publickey"}, {"guest", "password"}};
    struct server *s = start(per_user, "none");
    for (int i = 0; i < 2; i++) {
        struct client c;
        client_init(&c);
        cr_assert(client_connect(&c, s->port));
        unsigned failures = c.failures;
        cr_assert(nacre_conn_auth_none(c.conn, span_str(users[i][0])));
        wait_outcome(&c, failures);
        cr_expect_str_eq(c.methods, users[i][1]);
        client_free(&c);
    }
    server_free(s);
}
