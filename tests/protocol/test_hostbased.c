/* SPDX-License-Identifier: Apache-2.0 */
/* Hostbased logins, RFC 4252 section 9: what the application gets to see, and what it never does. */
#include <criterion/criterion.h>

#include <stdlib.h>

#include "ssh/conn_priv.h"
#include "support/certs.h"
#include "support/pair.h"

static struct pair *hostbased_pair(void)
{
    struct pair *p = pair_new();

    p->server.config.auth_methods = "hostbased,password";
    return p;
}

static struct pair *ready_for_hostbased(void)
{
    struct pair *p = hostbased_pair();

    pair_start(p);
    pair_run(p);
    return p;
}

static void by_host(struct pair *p, struct key *key, const char *host, const char *user)
{
    cr_assert(nacre_conn_auth_hostbased(p->client.conn, span_str("anna"), key, NULL, span_str(host), span_str(user)));
    pair_run(p);
}

Test(hostbased, a_host_speaks_for_its_user)
{
    static const char *const types[] = {"ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp521"};

    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        struct pair *p = ready_for_hostbased();
        struct key *key = nacre_key_generate(p->crypto, types[i], 0);
        by_host(p, key, "client.example.com.", "annie");
        const struct conn_event *e = side_event(&p->server, CONN_AUTH_REQUEST, 0);
        cr_assert(e != NULL && e->verified && !e->query);
        cr_assert(span_is(e->method, "hostbased") && span_is(e->user, "anna"));
        cr_assert(span_is(e->key_algorithm, types[i]) && span_eq(e->param, nacre_key_blob(key)));
        cr_assert(span_is(e->client_host, "client.example.com") && span_is(e->client_user, "annie"));
        cr_assert_eq(side_count(&p->client, CONN_AUTHENTICATED), 1);
        nacre_key_unref(key);
        pair_free(p);
    }
}

Test(hostbased, a_host_is_refused_unless_it_is_offered)
{
    struct pair *p = pair_new();
    struct key *key = nacre_key_generate(p->crypto, "ssh-ed25519", 0);

    pair_start(p);
    pair_run(p);
    by_host(p, key, "client.example.com", "anna");
    cr_assert_eq(side_count(&p->server, CONN_AUTH_REQUEST), 0);
    cr_assert_eq(side_count(&p->client, CONN_AUTH_FAILED), 1);
    nacre_key_unref(key);
    pair_free(p);
}

Test(hostbased, names_of_hosts_are_plain_and_lose_one_dot)
{
    static const struct {
        const char *sent, *seen; /* NULL: never asked about */
    } cases[] = {{"a", "a"},
                 {"a.", "a"},
                 {"10.0.0.1", "10.0.0.1"},
                 {"fe80::1", "fe80::1"},
                 {"", NULL},
                 {".", NULL},
                 {"a..", NULL},
                 {"a b", NULL},
                 {"a,b", NULL},
                 {"*", NULL},
                 {"a\x1b[2J", NULL},
                 {"h\xc3\xb6st", NULL},
                 {"!a", NULL}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pair *p = ready_for_hostbased();
        struct key *key = nacre_key_generate(p->crypto, "ssh-ed25519", 0);
        by_host(p, key, cases[i].sent, "anna");
        const struct conn_event *e = side_event(&p->server, CONN_AUTH_REQUEST, 0);
        cr_expect_eq(e != NULL, cases[i].seen != NULL, "case %zu", i);
        cr_expect(e == NULL || span_is(e->client_host, cases[i].seen), "case %zu", i);
        cr_expect_eq(side_count(&p->client, CONN_AUTHENTICATED), cases[i].seen == NULL ? 0 : 1, "case %zu", i);
        nacre_key_unref(key);
        pair_free(p);
    }
}

Test(hostbased, r06_a_hostbased_request_with_a_wrong_signature_is_never_asked_about)
{
    struct pair *p = ready_for_hostbased();
    struct key *key = nacre_key_generate(p->crypto, "ssh-ed25519", 0);

    p->client.conn->session_id[0] ^= 1;
    by_host(p, key, "client.example.com", "anna");
    cr_assert_eq(side_count(&p->server, CONN_AUTH_REQUEST), 0);
    cr_assert_eq(side_count(&p->server, CONN_AUTH_INFORM), 1);
    cr_assert_eq(side_count(&p->client, CONN_AUTH_FAILED), 1);
    nacre_key_unref(key);
    pair_free(p);
}

/* Every byte of what is signed counts: what the server asks about is what the host signed. */
Test(hostbased, r06_a_hostbased_request_that_was_changed_admits_nobody)
{
    struct pair *p = ready_for_hostbased();
    struct key *key = nacre_key_generate(p->crypto, "ssh-ed25519", 0);
    struct buf signature;
    uint8_t signed_data[1024], request[2048];
    struct wr w = wr_over(signed_data, sizeof signed_data);

    nacre_buf_init(&signature, SIGNATURE_MAX);
    wr_string(&w, span_of(p->client.conn->session_id, p->client.conn->session_id_len));
    size_t skip = wr_len(&w);
    wr_u8(&w, MSG_USERAUTH_REQUEST);
    wr_cstring(&w, "anna");
    wr_cstring(&w, "ssh-connection");
    wr_cstring(&w, "hostbased");
    wr_cstring(&w, "ssh-ed25519");
    wr_string(&w, nacre_key_blob(key));
    wr_cstring(&w, "client.example.com");
    wr_cstring(&w, "anna");
    const struct sig_alg *alg = nacre_sig_find(p->crypto, span_str("ssh-ed25519"));
    cr_assert(nacre_key_sign(p->crypto, key, alg, wr_span(&w), &signature));
    struct wr out = wr_over(request, sizeof request);
    wr_bytes(&out, signed_data + skip, wr_len(&w) - skip);
    wr_string(&out, buf_span(&signature));
    static const char *const changes[] = {"anna", "client.example.com"};
    for (size_t i = 0; i < 2; i++) {
        /* The last place where it stands: the user of the host, then the host. */
        uint8_t *at = request + wr_len(&w) - skip;
        while (memcmp(at, changes[i], strlen(changes[i])) != 0)
            at--;
        at[0] = 'b';
        (void)nacre_packet_payload(p->client.conn, wr_span(&out));
        pair_carry(&p->client, &p->server);
        pair_feed(&p->server);
        cr_assert_eq(side_count(&p->server, CONN_AUTH_REQUEST), 0);
        cr_assert_eq(side_count(&p->server, CONN_AUTH_INFORM), i + 1);
        at[0] = (uint8_t)changes[i][0];
    }
    (void)nacre_packet_payload(p->client.conn, wr_span(&out));
    pair_carry(&p->client, &p->server);
    pair_feed(&p->server);
    cr_assert_eq(side_count(&p->server, CONN_AUTHENTICATED), 1);
    nacre_buf_free(&signature);
    nacre_key_unref(key);
    pair_free(p);
}

Test(hostbased, r06_a_deferred_yes_belongs_to_its_hostbased_request)
{
    struct pair *p = ready_for_hostbased();
    struct key *key = nacre_key_generate(p->crypto, "ssh-ed25519", 0);
    const struct conn_answer yes = {.accept = true}, no = {.accept = false};

    p->server.leaves_open[CONN_AUTH_REQUEST] = true;
    by_host(p, key, "client.example.com", "anna");
    uint64_t first = side_event(&p->server, CONN_AUTH_REQUEST, 0)->serial;
    cr_assert(nacre_conn_answer(p->server.conn, first, &no, p->now_ns));
    pair_run(p);
    by_host(p, key, "client.example.com", "berta");
    cr_assert_not(nacre_conn_answer(p->server.conn, first, &yes, p->now_ns));
    cr_assert_eq(side_count(&p->server, CONN_AUTHENTICATED), 0);
    uint64_t second = side_event(&p->server, CONN_AUTH_REQUEST, 1)->serial;
    cr_assert(nacre_conn_answer(p->server.conn, second, &yes, p->now_ns));
    pair_run(p);
    cr_assert_eq(side_count(&p->client, CONN_AUTHENTICATED), 1);
    nacre_key_unref(key);
    pair_free(p);
}

Test(hostbased, r08_refused_hosts_count_as_failures)
{
    struct pair *p = hostbased_pair();
    struct key *key = nacre_key_generate(p->crypto, "ssh-ed25519", 0);
    int tries = 0;

    p->server.config.max_auth_attempts = 3;
    p->server.refuses[CONN_AUTH_REQUEST] = true;
    pair_start(p);
    pair_run(p);
    while (tries < 10 && !nacre_conn_is_closing(p->server.conn)) {
        by_host(p, key, "client.example.com", "anna");
        tries++;
    }
    cr_assert_eq(tries, 3);
    cr_assert_eq(side_event(&p->server, CONN_DISCONNECTED, 0)->error, NACRE_E_AUTHENTICATION);
    nacre_key_unref(key);
    pair_free(p);
}

Test(hostbased, algorithms_that_users_may_not_sign_with_hosts_may_not_either)
{
    struct pair *p = hostbased_pair();
    struct key *key = nacre_key_generate(p->crypto, "ssh-ed25519", 0);

    p->server.config.algorithms.user_signature = "ecdsa-sha2-nistp256";
    pair_start(p);
    pair_run(p);
    cr_assert(nacre_conn_auth_hostbased(p->client.conn, span_str("anna"), key, "ssh-ed25519", span_str("a"),
                                        span_str("anna")));
    pair_run(p);
    cr_assert_eq(side_count(&p->server, CONN_AUTH_REQUEST) + side_count(&p->server, CONN_AUTH_INFORM), 0);
    cr_assert_eq(side_count(&p->client, CONN_AUTH_FAILED), 1);
    nacre_key_unref(key);
    pair_free(p);
}

Test(hostbased, r09_hosts_with_certificates_are_refused)
{
    static uint8_t blob[KEY_BLOB_MAX];
    static const struct cert_plan plan = {.type = "ssh-ed25519-cert-v01@openssh.com",
                                          .ca_alg = "ssh-ed25519",
                                          .kind = CERT_HOST,
                                          .principals = {"client.example.com"}};
    struct pair *p = hostbased_pair();
    struct key *host = nacre_key_generate(p->crypto, "ssh-ed25519", 0);
    struct key *ca = nacre_key_generate(p->crypto, "ssh-ed25519", 0);
    uint8_t trusted[512];
    struct wr w = wr_over(trusted, sizeof trusted);

    size_t len = cert_make(p->crypto, host, ca, &plan, blob);
    struct key *key = nacre_cert_attach(p->crypto, host, span_of(blob, len));
    cr_assert_not_null(key);
    wr_string(&w, nacre_key_blob(ca));
    p->server.config.user_authorities = wr_span(&w);
    pair_start(p);
    pair_run(p);
    by_host(p, key, "client.example.com", "anna");
    cr_assert_eq(side_count(&p->server, CONN_AUTH_REQUEST), 0);
    cr_assert_eq(side_count(&p->client, CONN_AUTH_FAILED), 1);
    nacre_key_unref(host);
    nacre_key_unref(ca);
    nacre_key_unref(key);
    pair_free(p);
}

/* Every truncation of a good request ends the connection, and nobody is asked. */
Test(hostbased, r16_a_hostbased_request_cut_short_is_malformed)
{
    struct pair *p = ready_for_hostbased();
    struct key *key = nacre_key_generate(p->crypto, "ssh-ed25519", 0);
    uint8_t request[512];
    struct wr w = wr_over(request, sizeof request);

    wr_u8(&w, MSG_USERAUTH_REQUEST);
    wr_cstring(&w, "anna");
    wr_cstring(&w, "ssh-connection");
    wr_cstring(&w, "hostbased");
    size_t front = wr_len(&w);
    wr_cstring(&w, "ssh-ed25519");
    wr_string(&w, nacre_key_blob(key));
    wr_cstring(&w, "a");
    wr_cstring(&w, "anna");
    wr_cstring(&w, "no signature at all");
    size_t whole = wr_len(&w);
    pair_free(p);
    for (size_t len = front; len < whole; len++) {
        p = ready_for_hostbased();
        (void)nacre_packet_payload(p->client.conn, span_of(request, len));
        pair_carry(&p->client, &p->server);
        pair_feed(&p->server);
        cr_assert_eq(side_count(&p->server, CONN_AUTH_REQUEST), 0);
        cr_assert_eq(side_event(&p->server, CONN_DISCONNECTED, 0)->error, NACRE_E_PACKET, "%zu bytes", len);
        pair_free(p);
    }
    nacre_key_unref(key);
}
