/* SPDX-License-Identifier: Apache-2.0 */
/* What a user's certificate restricts, through the class: it holds for the query and for the signature, for every user
 * that is tried on the way, and whatever the handler says (rule R7). */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "support/certs.h"
#include "support/client.h"
#include "support/server.h"

static const struct cert_plan plain = {.type = "ssh-ed25519-cert-v01@openssh.com",
                                       .ca_alg = "ssh-ed25519",
                                       .kind = CERT_USER,
                                       .principals = {"anna", "berta"},
                                       .valid_after = 1000,
                                       .valid_before = UINT64_MAX};

/* What the last certified request said. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char forced[64], id[64], extensions[128], principals[128];
static uint8_t authority[KEY_BLOB_MAX];
static size_t authority_len;
static uint64_t serial;
static bool preset;
static unsigned certified, judged;
static bool only_known; /* the authority: not trusted */

static void note(const struct nacre_ssh_user_auth_request *e)
{
    cr_assert_eq(e->certificate_authority != NULL, e->certificate_authority_len != 0);
    if (e->certificate_authority == NULL)
        return;
    pthread_mutex_lock(&lock);
    certified += e->certified;
    judged += !e->certified;
    memcpy(authority, e->certificate_authority, e->certificate_authority_len);
    authority_len = e->certificate_authority_len;
    (void)snprintf(principals, sizeof principals, "%s", e->certificate_principals);
    preset = e->accept;
    serial = e->certificate_serial;
    (void)snprintf(id, sizeof id, "%s", e->certificate_id);
    (void)snprintf(extensions, sizeof extensions, "%s", e->certificate_extensions);
    (void)snprintf(forced, sizeof forced, "%s", e->force_command == NULL ? "none" : e->force_command);
    pthread_mutex_unlock(&lock);
}

static void accepts_all(nacre_server *n, struct nacre_ssh_user_auth_request *e, void *context)
{
    (void)n;
    (void)context;
    note(e);
    e->accept = true;
}

static void takes_preset(nacre_server *n, struct nacre_ssh_user_auth_request *e, void *context)
{
    (void)n;
    (void)context;
    note(e);
}

/* A first factor of one user leads to the certificate. */
static void password_first(nacre_server *n, struct nacre_ssh_user_auth_request *e, void *context)
{
    (void)n;
    (void)context;
    note(e);
    e->accept = strcmp(e->auth_method, "publickey") == 0;
    e->partial_success = strcmp(e->auth_method, "password") == 0;
    e->available_methods = e->partial_success ? "publickey" : NULL;
}

struct visit {
    struct server *server;
    struct client client;
    struct key *user, *ca, *key;
};

static void open_visit(struct visit *v, const struct cert_plan *plan,
                       void (*handler)(nacre_server *, struct nacre_ssh_user_auth_request *, void *))
{
    static uint8_t blob[KEY_BLOB_MAX];
    v->server = server_new();
    v->server->handlers.on_ssh_user_auth_request = handler;
    client_init(&v->client);
    const struct nacre_crypto *crypto = v->client.crypto;
    v->user = nacre_key_generate(crypto, "ssh-ed25519", 0);
    v->ca = nacre_key_generate(crypto, "ssh-ed25519", 0);
    v->key = nacre_cert_attach(crypto, v->user, span_of(blob, cert_make(crypto, v->user, v->ca, plan, blob)));
    cr_assert_not_null(v->key);
    struct span ca = nacre_key_blob(v->ca);
    cr_assert_eq(only_known ? nacre_add_known_user_ca(v->server->nacre, ca.at, ca.len)
                            : nacre_add_user_ca(v->server->nacre, ca.at, ca.len),
                 0);
    server_set(v->server, "AlgorithmProfile=modern");
    server_start(v->server, 1);
    cr_assert(client_connect(&v->client, v->server->port), "%s", v->client.text);
}

static void close_visit(struct visit *v)
{
    nacre_key_unref(v->user);
    nacre_key_unref(v->ca);
    nacre_key_unref(v->key);
    client_free(&v->client);
    server_free(v->server);
}

static bool by_cert(struct visit *v, const char *user, bool query)
{
    struct client *c = &v->client;
    unsigned failures = c->failures, oks = c->key_oks;
    cr_assert(query ? nacre_conn_auth_query(c->conn, span_str(user), v->key, plain.type)
                    : nacre_conn_auth_publickey(c->conn, span_str(user), v->key, plain.type));
    while (!c->authenticated && c->failures == failures && c->key_oks == oks && !c->ended && client_turn(c, 20))
        ;
    return query ? c->key_oks != oks : c->authenticated;
}

Test(class_cert, r07_restrictions_hold_for_query_and_signature_whatever_the_handler_says, .timeout = 240)
{
    struct cert_plan elsewhere = plain, expired = plain, early = plain;
    elsewhere.option = "source-address";
    elsewhere.value = "10.0.0.0/8,192.0.2.1/32";
    expired.valid_before = 2000;
    early.valid_after = UINT64_MAX - 1;
    /* What its authority meant by these is not for us to guess. */
    struct cert_plan pattern = elsewhere, mixed = elsewhere, negated = elsewhere, bits = elsewhere, spaced = elsewhere;
    pattern.value = "*";
    mixed.value = "127.0.0.0/8,127.*";
    negated.value = "127.0.0.0/8,!10.0.0.0/8";
    bits.value = "127.0.0.1/8";
    spaced.value = "127.0.0.0/8, 127.0.0.1";
    const struct cert_plan *plans[] = {&elsewhere, &expired, &early, &pattern, &mixed, &negated, &bits, &spaced};
    for (size_t i = 0; i < 2 * sizeof plans / sizeof *plans; i++) {
        struct visit v;
        certified = judged = 0;
        only_known = i % 2 != 0;
        open_visit(&v, plans[i / 2], accepts_all);
        cr_expect_not(by_cert(&v, "anna", true), "plan %zu", i);
        cr_expect_not(by_cert(&v, "anna", false), "plan %zu", i);
        cr_expect_not(by_cert(&v, "berta", false), "plan %zu", i);
        cr_expect_eq(certified + judged, 0, "plan %zu: the handler is not even asked", i);
        close_visit(&v);
    }
}

Test(class_cert, r07_a_step_made_by_another_method_does_not_lift_them, .timeout = 240)
{
    struct cert_plan elsewhere = plain;
    struct visit v;
    elsewhere.option = "source-address";
    elsewhere.value = "10.0.0.0/8";
    open_visit(&v, &elsewhere, password_first);
    cr_assert_not(client_login(&v.client, "anna", "pw"));
    cr_assert(v.client.partial);
    cr_expect_not(by_cert(&v, "anna", true));
    cr_expect_not(by_cert(&v, "anna", false));
    cr_expect_not(by_cert(&v, "berta", false));
    cr_expect_not(v.client.authenticated);
    close_visit(&v);
}

Test(class_cert, one_from_here_logs_in_by_its_preset, .timeout = 240)
{
    struct cert_plan here = plain;
    struct visit v;
    here.option = "source-address";
    here.value = "10.0.0.0/8,127.0.0.0/8";
    open_visit(&v, &here, takes_preset);
    cr_expect_not(by_cert(&v, "carla", false), "it is not for her");
    cr_assert(by_cert(&v, "berta", false));
    pthread_mutex_lock(&lock);
    cr_expect(preset);
    cr_expect_str_eq(id, "an id");
    cr_expect_eq(serial, 77);
    cr_expect_not_null(strstr(extensions, "permit-pty"));
    cr_expect_str_eq(forced, "none");
    pthread_mutex_unlock(&lock);
    close_visit(&v);
}

Test(class_cert, r07_a_forced_command_is_for_the_handler_to_take_on, .timeout = 240)
{
    struct cert_plan forcing = plain;
    struct visit v;
    forcing.option = "force-command";
    forcing.value = "only this";
    open_visit(&v, &forcing, takes_preset);
    cr_expect_not(by_cert(&v, "anna", false));
    pthread_mutex_lock(&lock);
    cr_expect_not(preset);
    cr_expect_str_eq(forced, "only this");
    pthread_mutex_unlock(&lock);
    close_visit(&v);
    open_visit(&v, &forcing, accepts_all);
    cr_expect(by_cert(&v, "anna", false));
    close_visit(&v);
}

static bool authority_is(const struct visit *v)
{
    struct span ca = nacre_key_blob(v->ca);
    return authority_len == ca.len && memcmp(authority, ca.at, ca.len) == 0;
}

Test(class_cert, r07_one_by_an_authority_that_is_only_known_is_for_the_handler_to_judge, .timeout = 240)
{
    struct visit v;
    only_known = true;
    open_visit(&v, &plain, takes_preset);
    cr_expect_not(by_cert(&v, "anna", true));
    cr_expect_not(by_cert(&v, "anna", false));
    cr_expect_not(by_cert(&v, "carla", false), "whomever it is for");
    pthread_mutex_lock(&lock);
    cr_expect_eq(judged, 3);
    cr_expect_eq(certified, 0);
    cr_expect_not(preset);
    cr_expect(authority_is(&v));
    cr_expect_str_eq(principals, "anna,berta");
    cr_expect_str_eq(id, "an id");
    pthread_mutex_unlock(&lock);
    close_visit(&v);
    open_visit(&v, &plain, accepts_all);
    cr_expect(by_cert(&v, "carla", false));
    close_visit(&v);
}

Test(class_cert, an_authority_that_is_trusted_too_is_trusted_for_whom_it_names, .timeout = 240)
{
    struct visit v;
    only_known = false;
    open_visit(&v, &plain, takes_preset);
    struct span ca = nacre_key_blob(v.ca);
    cr_assert_eq(nacre_add_known_user_ca(v.server->nacre, ca.at, ca.len), 0);
    client_free(&v.client);
    client_init(&v.client);
    cr_assert(client_connect(&v.client, v.server->port), "%s", v.client.text);
    cr_expect_not(by_cert(&v, "carla", false));
    cr_expect_eq(judged, 1);
    cr_expect(by_cert(&v, "anna", false));
    cr_expect(certified >= 1 && authority_is(&v));
    close_visit(&v);
}

Test(class_cert, none_is_known_any_more_when_they_are_taken_back, .timeout = 240)
{
    struct visit v;
    only_known = true;
    open_visit(&v, &plain, accepts_all);
    cr_assert_eq(nacre_add_known_user_ca(v.server->nacre, "no key", 6), NACRE_E_KEY);
    cr_assert_eq(nacre_add_known_user_ca(NULL, NULL, 0), NACRE_E_INVAL);
    cr_assert_eq(nacre_add_known_user_ca(v.server->nacre, NULL, 0), 0);
    client_free(&v.client);
    client_init(&v.client);
    cr_assert(client_connect(&v.client, v.server->port), "%s", v.client.text);
    cr_expect_not(by_cert(&v, "anna", false));
    cr_expect_eq(judged, 0);
    close_visit(&v);
}
