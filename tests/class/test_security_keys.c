/* SPDX-License-Identifier: Apache-2.0 */
/* Security keys through the class: what the handler learns of who was at the device, and that its answer, given at once
 * or later, says whether that is enough (rule R10). */
#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>

#include "ssh/conn_priv.h"
#include "support/client.h"
#include "support/security_key.h"
#include "support/server.h"

static const char type[] = "sk-ssh-ed25519@openssh.com";

struct sk_case {
    bool no_touch, verify, deferred;
    uint8_t flags;
    char status; /* of the signature, as FireAuthRequestAfterSig reports it */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct sk_case now;
static bool present, verified;
static char status;
static nacre_ticket ticket;
static bool ticket_given;

static void handler(nacre_server *n, struct nacre_ssh_user_auth_request *e, void *context)
{
    (void)n;
    (void)context;
    pthread_mutex_lock(&lock);
    if (strcmp(e->auth_method, "sigstatus") == 0) {
        status = e->auth_param[0];
    } else {
        present = e->user_present;
        verified = e->user_verified;
        e->accept = !now.deferred;
        e->no_touch_required = !now.deferred && now.no_touch;
        e->verify_required = !now.deferred && now.verify;
        e->event.deferred = now.deferred;
        ticket = e->event.ticket;
        ticket_given = true;
    }
    pthread_mutex_unlock(&lock);
}

static bool is_set(const void *flag, size_t size)
{
    static const uint8_t zero[8];
    pthread_mutex_lock(&lock);
    bool set = memcmp(flag, zero, size) != 0;
    pthread_mutex_unlock(&lock);
    return set;
}

static void try(struct server *s, const struct sk_case *t)
{
    static struct client c;

    now = *t;
    status = '\0';
    ticket_given = false;
    client_init(&c);
    cr_assert(client_connect(&c, s->port));
    struct key *plain = nacre_key_generate(c.crypto, "ssh-ed25519", 0);
    struct key *sk = sk_public(c.crypto, plain, type, "ssh:");
    sk_log_in(c.conn, plain, type, nacre_key_blob(sk), &(struct sk_says){type, "ssh:", t->flags});
    for (int i = 0; i < CLIENT_WAIT_MS && !is_set(&ticket_given, sizeof ticket_given); i++)
        (void)client_turn(&c, 20);
    if (t->deferred) {
        const struct nacre_answer a = {.accept = true, .no_touch_required = t->no_touch, .verify_required = t->verify};
        cr_assert_eq(nacre_answer(s->nacre, ticket, &a), 0);
    }
    /* The client asked for nothing that it knows of and may leave; the server has decided. */
    for (int i = 0; i < CLIENT_WAIT_MS && !is_set(&status, sizeof status); i++) {
        if (!client_turn(&c, 20))
            (void)poll(NULL, 0, 10);
    }
    nacre_key_unref(sk);
    nacre_key_unref(plain);
    client_free(&c);
}

Test(class_security_keys, r10_the_answer_says_what_the_user_has_to_do, .timeout = 240)
{
    static const struct sk_case cases[] = {
        {false, false, false, 0x01, '1'}, {false, false, false, 0x00, '0'}, {true, false, false, 0x00, '1'},
        {false, true, false, 0x01, '0'},  {false, true, false, 0x05, '1'},  {false, false, true, 0x01, '1'},
        {false, false, true, 0x00, '0'},  {true, false, true, 0x00, '1'},   {false, true, true, 0x01, '0'},
        {false, true, true, 0x05, '1'},   {true, true, true, 0x00, '0'}};
    struct server *s = server_new();
    s->handlers.on_ssh_user_auth_request = handler;
    server_set(s, "AlgorithmProfile=modern");
    server_set(s, "FireAuthRequestAfterSig=True");
    server_start(s, 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        try(s, &cases[i]);
        pthread_mutex_lock(&lock);
        cr_expect_eq(present, (cases[i].flags & 1) != 0, "case %zu", i);
        cr_expect_eq(verified, (cases[i].flags & 4) != 0, "case %zu", i);
        cr_expect_eq(status, cases[i].status, "case %zu: '%c'", i, status);
        pthread_mutex_unlock(&lock);
    }
    server_free(s);
}
