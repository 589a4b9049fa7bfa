/* SPDX-License-Identifier: Apache-2.0 */
/* Logging in through the class: methods, counting, prompts, banner, access lists, limits, keys of a connection's own.
 */
#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "base/plat.h"
#include "crypto/key.h"
#include "support/client.h"
#include "support/refusal.h"
#include "support/server.h"

Test(class_login, r08_too_many_failures_end_with_1300)
{
    struct server *s = server_new();
    struct client c;
    struct server_seen e;
    server_set(s, "MaxAuthAttempts=3");
    server_start(s, 1);
    client_init(&c);
    cr_assert(client_connect(&c, s->port));
    for (int i = 0; i < 3; i++)
        cr_assert_not(client_login(&c, "user", "wrong"));
    cr_assert(c.ended || client_wait_end(&c));
    cr_assert(server_wait(s, EVENT_DISCONNECTED, 0, &e));
    cr_assert_eq(e.code, 1300, "%d %s", e.code, e.text);
    cr_assert_eq(server_count(s, EVENT_SSH_USER_AUTH_REQUEST), 3);
    client_free(&c);
    server_free(s);
}

Test(class_login, a_wrong_password_may_be_followed_by_the_right_one)
{
    struct server *s = server_new();
    struct client c;
    server_start(s, 1);
    client_init(&c);
    cr_assert(client_connect(&c, s->port));
    cr_assert_not(client_login(&c, "user", "wrong"));
    cr_assert_str_eq(c.methods, "password,publickey");
    cr_assert(client_login(&c, "user", "pw"));
    client_free(&c);
    server_free(s);
}

Test(class_login, a_method_that_is_not_offered_never_reaches_the_handler)
{
    struct server *s = server_new();
    struct client c;
    cr_assert_eq(nacre_set_default_auth_methods(s->nacre, "publickey"), 0);
    server_start(s, 1);
    client_init(&c);
    cr_assert(client_connect(&c, s->port));
    cr_assert_not(client_login(&c, "user", "pw"));
    cr_assert_str_eq(c.methods, "publickey");
    cr_assert_eq(server_count(s, EVENT_SSH_USER_AUTH_REQUEST), 0);
    client_free(&c);
    server_free(s);
}

static bool by_key(struct client *c)
{
    struct key *key = nacre_key_generate(c->crypto, "ssh-ed25519", 0);
    unsigned failures = c->failures;
    cr_assert(nacre_conn_auth_publickey(c->conn, span_str("user"), key, NULL));
    while (!c->authenticated && c->failures == failures && !c->ended && client_turn(c, 20))
        ;
    nacre_key_unref(key);
    return c->authenticated;
}

Test(class_login, a_key_is_asked_for_and_admitted_on_the_verified_question)
{
    struct server *s = server_new();
    struct client c;
    struct server_seen e = {0};
    server_start(s, 1);
    client_init(&c);
    cr_assert(client_connect(&c, s->port));
    cr_assert(by_key(&c));
    size_t asked = server_count(s, EVENT_SSH_USER_AUTH_REQUEST);
    cr_assert_geq(asked, 1);
    cr_assert(server_wait(s, EVENT_SSH_USER_AUTH_REQUEST, asked - 1, &e));
    cr_assert(e.verified);
    cr_assert_str_eq(e.more, "publickey");
    cr_assert_gt(e.len, 32);
    client_free(&c);
    server_free(s);
}

static void only_queries(nacre_server *n, struct nacre_ssh_user_auth_request *e, void *context)
{
    server_on_ssh_user_auth_request(n, e, context);
    e->accept = strcmp(e->auth_method, "publickey") == 0 && !e->verified;
}

Test(class_login, r05_accepting_the_query_alone_admits_nobody)
{
    struct server *s = server_new();
    struct client c;
    s->handlers.on_ssh_user_auth_request = only_queries;
    server_start(s, 1);
    client_init(&c);
    cr_assert(client_connect(&c, s->port));
    cr_assert_not(by_key(&c));
    client_free(&c);
    server_free(s);
}

/* ---- more than one factor -------------------------------------------------------------------------------------- */

static void key_then_password(nacre_server *n, struct nacre_ssh_user_auth_request *e, void *context)
{
    server_on_ssh_user_auth_request(n, e, context);
    if (strcmp(e->auth_method, "publickey") != 0 || !e->verified)
        return;
    e->accept = false;
    e->partial_success = true;
    e->available_methods = "password";
}

Test(class_login, partial_success_asks_for_the_other_method)
{
    struct server *s = server_new();
    struct client c;
    s->handlers.on_ssh_user_auth_request = key_then_password;
    server_start(s, 1);
    client_init(&c);
    cr_assert(client_connect(&c, s->port));
    cr_assert_not(by_key(&c));
    cr_assert(c.partial);
    cr_assert_str_eq(c.methods, "password");
    cr_assert(client_login(&c, "user", "pw"));
    client_free(&c);
    server_free(s);
}

/* ---- keyboard-interactive -------------------------------------------------------------------------------------- */

static void two_right_answers(nacre_server *n, struct nacre_ssh_user_auth_request *e, void *context)
{
    server_on_ssh_user_auth_request(n, e, context);
    if (strcmp(e->auth_method, "keyboard-interactive-1") == 0)
        e->accept = strcmp(e->auth_param, "one") == 0;
    else if (strcmp(e->auth_method, "keyboard-interactive-2") == 0)
        e->accept = strcmp(e->auth_param, "two") == 0;
    else if (strcmp(e->auth_method, "keyboard-interactive") == 0)
        e->accept = e->auth_param_len == 0;
}

static struct server *prompting_server(void)
{
    struct server *s = server_new();
    s->handlers.on_ssh_user_auth_request = two_right_answers;
    cr_assert_eq(nacre_set_default_auth_methods(s->nacre, "keyboard-interactive"), 0);
    cr_assert_eq(nacre_set_keyboard_interactive_message(s->nacre, "Two questions"), 0);
    cr_assert_eq(nacre_set_keyboard_interactive_prompt_count(s->nacre, 2), 0);
    cr_assert_eq(nacre_set_keyboard_interactive_prompt_prompt(s->nacre, 0, "First: "), 0);
    cr_assert_eq(nacre_set_keyboard_interactive_prompt_echo(s->nacre, 0, true), 0);
    cr_assert_eq(nacre_set_keyboard_interactive_prompt_prompt(s->nacre, 1, "Second: "), 0);
    return s;
}

static bool by_responses(struct client *c, const char *one, const char *two)
{
    const struct span responses[] = {span_str(one), span_str(two)};
    unsigned failures = c->failures;
    c->prompted = false;
    cr_assert(nacre_conn_auth_kbdint(c->conn, span_str("user")));
    cr_assert(client_wait(c, &c->prompted));
    cr_assert(nacre_conn_auth_responses(c->conn, responses, c->prompt_count));
    while (!c->authenticated && c->failures == failures && !c->ended && client_turn(c, 20))
        ;
    return c->authenticated;
}

Test(class_login, two_prompts_admit_only_two_right_answers)
{
    struct server *s = prompting_server();
    struct client c;
    server_start(s, 2);
    client_init(&c);
    cr_assert(client_connect(&c, s->port));
    cr_assert_not(by_responses(&c, "one", "wrong"));
    cr_assert_eq(c.prompt_count, 2);
    cr_assert_str_eq(c.instruction, "Two questions");
    cr_assert_str_eq(c.prompts[0], "First: ");
    cr_assert(c.echo[0]);
    cr_assert_str_eq(c.prompts[1], "Second: ");
    cr_assert_not(c.echo[1]);
    cr_assert_not(by_responses(&c, "wrong", "two"));
    cr_assert(by_responses(&c, "one", "two"));
    client_free(&c);
    server_free(s);
}

static void own_prompts(nacre_server *n, struct nacre_ssh_service_request *e, void *context)
{
    char setting[128];
    (void)context;
    (void)snprintf(setting, sizeof setting, "KeyboardInteractivePrompts[%lld]=Yours?,echo=true",
                   (long long)e->connection_id);
    if (nacre_config(n, setting, NULL, 0) != 0)
        e->accept = false;
}

Test(class_login, a_connection_may_have_prompts_of_its_own)
{
    struct server *s = prompting_server();
    struct client c;
    s->handlers.on_ssh_service_request = own_prompts;
    server_start(s, 1);
    client_init(&c);
    cr_assert(client_connect(&c, s->port));
    cr_assert(by_responses(&c, "one", ""));
    cr_assert_eq(c.prompt_count, 1);
    cr_assert_str_eq(c.prompts[0], "Yours?");
    cr_assert(c.echo[0]);
    client_free(&c);
    server_free(s);
}

/* ---- banner ---------------------------------------------------------------------------------------------------- */

static void own_banner(nacre_server *n, struct nacre_ssh_service_request *e, void *context)
{
    char setting[128];
    (void)context;
    (void)snprintf(setting, sizeof setting, "UserAuthBanner[%lld]=yours alone", (long long)e->connection_id);
    (void)nacre_config(n, setting, NULL, 0);
}

Test(class_login, the_banner_is_shown_and_a_connections_own_goes_before_it)
{
    struct server *s = server_new();
    struct client a;
    server_set(s, "UserAuthBanner=for everyone");
    server_start(s, 1);
    cr_assert(client_start(&a, s->port));
    cr_assert_str_eq(a.banner, "for everyone");
    client_free(&a);
    server_free(s);
    s = server_new();
    s->handlers.on_ssh_service_request = own_banner;
    server_set(s, "UserAuthBanner=for everyone");
    server_start(s, 1);
    cr_assert(client_start(&a, s->port));
    cr_assert_str_eq(a.banner, "yours alone");
    client_free(&a);
    server_free(s);
}

/* ---- who may connect ------------------------------------------------------------------------------------------- */

static void refuse_request(nacre_server *n, struct nacre_connection_request *e, void *context)
{
    server_on_connection_request(n, e, context);
    e->accept = false;
}

static void allow_request(nacre_server *n, struct nacre_connection_request *e, void *context)
{
    server_on_connection_request(n, e, context);
    e->accept = true;
}

/* True when the server speaks first; false when it closes. */
static bool is_greeted(const char *from, int port)
{
    char line[8] = "";
    int fd = client_socket(from, port);
    cr_assert_geq(fd, 0);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    cr_assert_eq(poll(&p, 1, CLIENT_WAIT_MS), 1);
    ssize_t n = read(fd, line, 4);
    close(fd);
    return n == 4 && memcmp(line, "SSH-", 4) == 0;
}

Test(class_login, a_refused_connection_request_ends_without_a_further_event)
{
    struct server *s = server_new();
    server_set(s, "LogLevel=0");
    s->handlers.on_connection_request = refuse_request;
    server_start(s, 1);
    cr_assert_not(is_greeted(NULL, s->port));
    cr_assert(server_wait_empty(s));
    cr_assert_eq(server_total(s), 1);
    server_free(s);
}

Test(class_login, access_lists_decide_without_a_handler_and_preset_with_one)
{
    struct server *s = server_new();
    s->handlers.on_connection_request = NULL;
    server_set(s, "AllowedClients=127.0.0.0/24,127.0.1.7");
    server_set(s, "BlockedClients=127.0.0.9");
    server_start(s, 1);
    cr_assert(is_greeted("127.0.0.1", s->port));
    cr_assert(is_greeted("127.0.1.7", s->port));
    cr_assert_not(is_greeted("127.0.1.8", s->port));
    cr_assert_not(is_greeted("127.0.0.9", s->port));
    server_set(s, "BlockedClients="); /* live: for connections from then on */
    cr_assert(is_greeted("127.0.0.9", s->port));
    server_free(s);
    s = server_new();
    s->handlers.on_connection_request = allow_request;
    server_set(s, "AllowedClients=10.0.0.1");
    server_start(s, 1);
    cr_assert(is_greeted("127.0.0.1", s->port), "the handler has the last word");
    server_free(s);
}

Test(class_login, max_connections_closes_the_next_one_and_says_so)
{
    struct server *s = server_new();
    struct client a, b;
    struct server_seen e;
    server_set(s, "MaxConnections=2");
    server_start(s, 1);
    cr_assert(client_start(&a, s->port));
    cr_assert(client_start(&b, s->port));
    cr_assert(is_refused(NULL, s->port));
    cr_assert(server_wait(s, EVENT_ERROR, 0, &e));
    cr_assert_eq(e.code, NACRE_E_TOO_MANY_CONNECTIONS);
    cr_assert_eq(e.connection, 0);
    client_free(&a);
    for (int i = 0, n = 2; i < CLIENT_WAIT_MS && n == 2; i++) {
        cr_assert_eq(nacre_get_ssh_connection_count(s->nacre, &n), 0);
        usleep(1000);
    }
    int fd = half_open(NULL, s->port);
    cr_assert_geq(fd, 0, "a place became free");
    close(fd);
    client_free(&b);
    server_free(s);
}

/* ---- a key of the connection's own ------------------------------------------------------------------------------ */

static void choose_key(nacre_server *n, struct nacre_connected *e, void *context)
{
    struct server *s = context;
    server_on_connected(n, e, context);
    e->cert_store_type = 7;
    e->cert_store = s->test;
}

Test(class_login, on_connected_may_bring_the_only_key)
{
    struct server *s = server_new();
    struct client c;
    static char pem[16384];
    cr_assert_eq(nacre_make_key("ecdsa-sha2-nistp256", pem, sizeof pem), 0);
    s->handlers.on_connected = choose_key;
    s->test = pem;
    server_start(s, 1);
    client_init(&c);
    c.config.algorithms.host_key = "ecdsa-sha2-nistp256"; /* the server's own is ed25519 */
    cr_assert(client_connect(&c, s->port), "%s", c.text);
    client_free(&c);
    client_init(&c);
    c.config.algorithms.host_key = "ssh-ed25519";
    cr_assert_not(client_connect(&c, s->port), "the server's key was offered beside it");
    client_free(&c);
    server_free(s);
}

Test(class_login, a_key_that_cannot_be_read_is_an_error_and_the_end)
{
    struct server *s = server_new();
    struct client c;
    struct server_seen e, d;
    s->handlers.on_connected = choose_key;
    static char nonsense[] = "not a key";
    s->test = nonsense;
    server_start(s, 1);
    client_init(&c);
    cr_assert_not(client_connect(&c, s->port));
    cr_assert(server_wait(s, EVENT_ERROR, 0, &e));
    cr_assert(server_wait(s, EVENT_DISCONNECTED, 0, &d));
    cr_assert_eq(e.code, d.code);
    cr_assert(e.code >= NACRE_E_KEY && e.code <= NACRE_E_KEY_TYPE, "%d", e.code);
    cr_assert_eq(e.connection, d.connection);
    cr_assert_lt(server_place(s, EVENT_ERROR, 0), server_place(s, EVENT_DISCONNECTED, 0));
    client_free(&c);
    cr_assert(server_wait_empty(s));
    server_free(s);
}

Test(class_login, r31_an_idle_login_is_dropped_when_its_grace_is_over)
{
    struct server *s = server_new();
    struct server_seen e;
    server_set(s, "LoginGraceTime=1");
    server_start(s, 1);
    int64_t start = nacre_clock_ns();
    int fd = client_socket(NULL, s->port);
    cr_assert(server_wait(s, EVENT_DISCONNECTED, 0, &e));
    int64_t took = nacre_clock_ns() - start;
    cr_assert_eq(e.code, NACRE_E_TIMEOUT_LOGIN);
    cr_assert_geq(took, INT64_C(990000000), "after %lld ms", (long long)took / 1000000);
    close(fd);
    server_free(s);
}
