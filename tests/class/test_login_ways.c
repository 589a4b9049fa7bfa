/* SPDX-License-Identifier: Apache-2.0 */
/* Ways to log in beside a password and a key, through the class: nothing at all, a host that speaks for its user, and
 * passwords that have to be changed. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/plat.h"
#include "crypto/key.h"
#include "support/client.h"
#include "support/server.h"

/* What the handler saw of the last request. */
struct view {
    pthread_mutex_t lock;
    char method[64], user[64], param[64], new_password[64], client_host[64], client_user[64], algorithm[64];
    bool verified, has_new;
    unsigned count;
    nacre_ticket ticket;
};

static struct view view = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void keep(char *to, size_t size, const char *from)
{
    (void)snprintf(to, size, "%s", from == NULL ? "" : from);
}

static void look(struct nacre_ssh_user_auth_request *e, bool defers)
{
    pthread_mutex_lock(&view.lock);
    keep(view.method, sizeof view.method, e->auth_method);
    keep(view.user, sizeof view.user, e->user);
    keep(view.param, sizeof view.param, e->auth_param);
    keep(view.new_password, sizeof view.new_password, e->new_password);
    keep(view.client_host, sizeof view.client_host, e->client_host);
    keep(view.client_user, sizeof view.client_user, e->client_user);
    keep(view.algorithm, sizeof view.algorithm, e->key_algorithm);
    view.verified = e->verified;
    view.has_new = e->new_password != NULL;
    if (defers)
        view.ticket = nacre_defer(&e->event);
    view.count++;
    pthread_mutex_unlock(&view.lock);
}

static struct view looked(void)
{
    pthread_mutex_lock(&view.lock);
    struct view copy = view;
    pthread_mutex_unlock(&view.lock);
    return copy;
}

static struct server *start(void (*handler)(nacre_server *, struct nacre_ssh_user_auth_request *, void *),
                            const char *methods)
{
    struct server *s = server_new();
    s->handlers.on_ssh_user_auth_request = handler;
    cr_assert_eq(nacre_set_default_auth_methods(s->nacre, methods), 0);
    server_start(s, 1);
    return s;
}

static void connect_to(struct client *c, struct server *s)
{
    client_init(c);
    cr_assert(client_connect(c, s->port));
}

/* Waits for the outcome of what was asked last. */
static void settle(struct client *c, unsigned failures, unsigned changes)
{
    while (!c->authenticated && c->failures == failures && c->changes == changes && !c->ended && client_turn(c, 20))
        ;
}

/* ---- none ------------------------------------------------------------------------------------------------------- */

static void guests(nacre_server *n, struct nacre_ssh_user_auth_request *e, void *context)
{
    (void)n;
    (void)context;
    look(e, false);
    e->accept = strcmp(e->auth_method, "none") == 0 && strcmp(e->user, "guest") == 0;
}

static bool by_none(struct client *c, const char *user)
{
    unsigned failures = c->failures;
    cr_assert(nacre_conn_auth_none(c->conn, span_str(user)));
    settle(c, failures, c->changes);
    return c->authenticated;
}

Test(class_ways, none_lets_in_whom_the_handler_accepts, .timeout = 240)
{
    struct server *s = start(guests, "password");
    struct client c;
    connect_to(&c, s);
    cr_assert_not(by_none(&c, "anna"));
    cr_expect_str_eq(c.methods, "password");
    cr_assert(by_none(&c, "guest"));
    cr_expect_str_eq(looked().method, "none");
    cr_expect_str_eq(looked().param, "");
    client_free(&c);
    server_free(s);
}

/* ---- hostbased -------------------------------------------------------------------------------------------------- */

static void trusting(nacre_server *n, struct nacre_ssh_user_auth_request *e, void *context)
{
    (void)n;
    (void)context;
    look(e, false);
    e->accept = strcmp(e->auth_method, "hostbased") == 0 && strcmp(e->client_host, "client.example.com") == 0 &&
                strcmp(e->client_user, e->user) == 0;
}

static bool by_host(struct client *c, const char *host, const char *host_user)
{
    struct key *key = nacre_key_generate(c->crypto, "ssh-ed25519", 0);
    unsigned failures = c->failures;
    cr_assert(nacre_conn_auth_hostbased(c->conn, span_str("user"), key, NULL, span_str(host), span_str(host_user)));
    settle(c, failures, c->changes);
    nacre_key_unref(key);
    return c->authenticated;
}

Test(class_ways, a_host_is_asked_about_with_its_name_and_user, .timeout = 240)
{
    struct server *s = start(trusting, "hostbased");
    struct client c;
    connect_to(&c, s);
    cr_assert_not(by_host(&c, "other.example.com.", "user"));
    cr_expect_str_eq(c.methods, "hostbased");
    cr_assert_not(by_host(&c, "client.example.com.", "somebody"));
    cr_expect_str_eq(looked().client_user, "somebody");
    cr_assert(by_host(&c, "client.example.com.", "user"));
    struct view v = looked();
    cr_expect_str_eq(v.method, "hostbased");
    cr_expect_str_eq(v.client_host, "client.example.com");
    cr_expect_str_eq(v.algorithm, "ssh-ed25519");
    cr_expect(v.verified);
    cr_expect_eq(v.count, 3);
    client_free(&c);
    server_free(s);
}

Test(class_ways, hosts_are_not_asked_about_unless_the_method_is_offered, .timeout = 240)
{
    struct server *s = start(trusting, "password,publickey");
    struct client c;
    connect_to(&c, s);
    cr_assert_not(by_host(&c, "client.example.com", "user"));
    cr_expect_eq(looked().count, 0);
    client_free(&c);
    server_free(s);
}

static void defers(nacre_server *n, struct nacre_ssh_user_auth_request *e, void *context)
{
    (void)n;
    (void)context;
    look(e, true);
}

static nacre_ticket wait_question(struct client *c, unsigned count)
{
    while (looked().count < count && !c->ended)
        (void)client_turn(c, 20);
    return looked().ticket;
}

Test(class_ways, r06_a_deferred_yes_admits_the_host_that_signed_only, .timeout = 240)
{
    struct server *s = start(defers, "hostbased,password");
    const struct nacre_answer yes = {.accept = true}, no = {.accept = false};
    struct client c;
    connect_to(&c, s);
    struct key *key = nacre_key_generate(c.crypto, "ssh-ed25519", 0);
    cr_assert(nacre_conn_auth_hostbased(c.conn, span_str("user"), key, NULL, span_str("a"), span_str("user")));
    nacre_ticket first = wait_question(&c, 1);
    cr_assert_eq(nacre_answer(s->nacre, first, &no), 0);
    settle(&c, 0, 0);
    cr_assert(nacre_conn_auth_hostbased(c.conn, span_str("user"), key, NULL, span_str("b"), span_str("user")));
    nacre_ticket second = wait_question(&c, 2);
    cr_expect_neq(nacre_answer(s->nacre, first, &yes), 0);
    client_pump(&c, 100);
    cr_expect_not(c.authenticated);
    cr_assert_eq(nacre_answer(s->nacre, second, &yes), 0);
    settle(&c, 1, 0);
    cr_assert(c.authenticated);
    nacre_key_unref(key);
    client_free(&c);
    server_free(s);
}

/* A first factor that leads to a host, on this connection alone; reports of signatures come in between. */
static void password_then_host(nacre_server *n, struct nacre_ssh_user_auth_request *e, void *context)
{
    (void)n;
    (void)context;
    if (strcmp(e->auth_method, "sigstatus") == 0) {
        look(e, false);
        return;
    }
    e->accept = strcmp(e->auth_method, "hostbased") == 0;
    e->partial_success = strcmp(e->auth_method, "password") == 0;
    e->available_methods = e->partial_success ? "hostbased" : NULL;
}

Test(class_ways, a_host_may_be_the_second_factor, .timeout = 240)
{
    struct server *s = server_new();
    struct client c;
    s->handlers.on_ssh_user_auth_request = password_then_host;
    server_set(s, "FireAuthRequestAfterSig=True");
    server_start(s, 1);
    connect_to(&c, s);
    cr_assert_not(by_host(&c, "a", "user"));
    cr_assert_not(client_login(&c, "user", "pw"));
    cr_assert(c.partial);
    cr_expect_str_eq(c.methods, "hostbased");
    cr_assert(by_host(&c, "a", "user"));
    (void)wait_question(&c, 1); /* reports do not hold up the login */
    struct view v = looked();
    cr_expect_str_eq(v.method, "sigstatus");
    cr_expect_str_eq(v.param, "1");
    cr_expect_eq(v.count, 1);
    client_free(&c);
    server_free(s);
}

/* ---- changes of passwords --------------------------------------------------------------------------------------- */

static void expires(nacre_server *n, struct nacre_ssh_user_auth_request *e, void *context)
{
    (void)n;
    (void)context;
    look(e, false);
    if (strcmp(e->auth_param, "old") != 0)
        return;
    if (e->new_password == NULL)
        e->change_prompt = "Your password has expired.";
    else if (strlen(e->new_password) < 4)
        e->change_prompt = "That one is too short.";
    else
        e->accept = true;
}

Test(class_ways, an_expired_password_is_changed_on_the_way_in, .timeout = 240)
{
    struct server *s = start(expires, "password");
    struct client c;
    connect_to(&c, s);
    cr_assert_not(client_login(&c, "user", "wrong"));
    cr_assert_eq(c.changes, 0);
    cr_assert(nacre_conn_auth_password(c.conn, span_str("user"), span_str("old")));
    settle(&c, 1, 0);
    cr_expect_str_eq(c.change_prompt, "Your password has expired.");
    cr_assert(nacre_conn_auth_change(c.conn, span_str("user"), span_str("old"), span_str("abc")));
    settle(&c, 1, 1);
    cr_expect_str_eq(c.change_prompt, "That one is too short.");
    cr_assert_not(c.authenticated);
    cr_assert(nacre_conn_auth_change(c.conn, span_str("user"), span_str("old"), span_str("abcd")));
    settle(&c, 1, 2);
    cr_assert(c.authenticated);
    struct view v = looked();
    cr_expect(v.has_new);
    cr_expect_str_eq(v.param, "old");
    cr_expect_str_eq(v.new_password, "abcd");
    client_free(&c);
    server_free(s);
}

/* Asking for a change is no yes, whatever else the handler sets. */
static void confused(nacre_server *n, struct nacre_ssh_user_auth_request *e, void *context)
{
    (void)n;
    (void)context;
    look(e, false);
    e->accept = e->partial_success = true;
    e->change_prompt = "";
}

Test(class_ways, asking_for_a_change_lets_nobody_in, .timeout = 240)
{
    struct server *s = start(confused, "password");
    struct client c;
    connect_to(&c, s);
    cr_assert(nacre_conn_auth_password(c.conn, span_str("user"), span_str("x")));
    settle(&c, 0, 0);
    cr_expect_eq(c.changes, 1);
    cr_expect_not(c.authenticated);
    client_free(&c);
    server_free(s);
}

Test(class_ways, a_deferred_answer_may_ask_for_a_change, .timeout = 240)
{
    struct server *s = start(defers, "password");
    struct client c;
    connect_to(&c, s);
    cr_assert(nacre_conn_auth_password(c.conn, span_str("user"), span_str("old")));
    const struct nacre_answer change = {.change_prompt = "Another one, please."}, yes = {.accept = true};
    cr_assert_eq(nacre_answer(s->nacre, wait_question(&c, 1), &change), 0);
    settle(&c, 0, 0);
    cr_expect_str_eq(c.change_prompt, "Another one, please.");
    cr_assert(nacre_conn_auth_change(c.conn, span_str("user"), span_str("old"), span_str("new")));
    cr_assert_eq(nacre_answer(s->nacre, wait_question(&c, 2), &yes), 0);
    settle(&c, 0, 1);
    cr_assert(c.authenticated);
    client_free(&c);
    server_free(s);
}

Test(class_ways, a_prompt_that_is_too_long_ends_the_connection, .timeout = 240)
{
    static char much[4098];
    struct server *s = start(defers, "password");
    struct server_seen e;
    struct client c;
    memset(much, 'x', sizeof much - 1);
    connect_to(&c, s);
    cr_assert(nacre_conn_auth_password(c.conn, span_str("user"), span_str("old")));
    const struct nacre_answer change = {.change_prompt = much};
    cr_assert_eq(nacre_answer(s->nacre, wait_question(&c, 1), &change), 0);
    cr_assert(c.ended || client_wait_end(&c));
    cr_assert(server_wait(s, EVENT_DISCONNECTED, 0, &e));
    cr_expect_eq(e.code, NACRE_E_INVAL);
    client_free(&c);
    server_free(s);
}
