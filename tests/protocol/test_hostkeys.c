/* SPDX-License-Identifier: Apache-2.0 */
/* hostkeys-00@openssh.com and hostkeys-prove-00@openssh.com, OpenSSH's PROTOCOL section 2.5. */
#include <criterion/criterion.h>

#include <stdio.h>

#include "ssh/conn_priv.h"
#include "support/certs.h"
#include "support/pair.h"

static const char announcement[] = "hostkeys-00@openssh.com";
static const char prove[] = "hostkeys-prove-00@openssh.com";

static struct pair *pair_with(const char *type)
{
    struct pair *p = pair_new();
    p->server.config.announce_host_keys = true;
    if (type != NULL)
        p->more_keys[p->more_count++] = nacre_key_generate(p->crypto, type, 2048);
    return p;
}

/* "string blob" of each. */
static struct span blobs_of(struct key *const *keys, size_t count, uint8_t *at, size_t size)
{
    struct wr w = wr_over(at, size);
    for (size_t i = 0; i < count; i++)
        wr_string(&w, nacre_key_blob(keys[i]));
    return wr_span(&w);
}

static void ask(struct pair *p, bool want_reply, struct span blobs)
{
    cr_assert_eq(nacre_conn_global_request(p->client.conn, span_str(prove), want_reply, blobs, p->now_ns), NACRE_OK);
    pair_run(p);
}

static bool is_announced(const struct pair *p, struct span *data)
{
    for (size_t i = 0; i < side_count(&p->client, CONN_GLOBAL_REQUEST); i++) {
        const struct conn_event *e = side_event(&p->client, CONN_GLOBAL_REQUEST, i);
        if (!span_is(e->kind, announcement))
            continue;
        cr_expect_not(e->want_reply);
        *data = e->data;
        return true;
    }
    return false;
}

/* The n-th reply was a refusal. */
static bool refused(const struct pair *p, size_t n)
{
    const struct conn_event *e = side_event(&p->client, CONN_GLOBAL_REPLY, n);
    cr_assert_not_null(e, "reply %zu", n);
    return !e->accepted && e->data.len == 0;
}

Test(hostkeys, all_plain_keys_are_told_after_login_and_proved_when_asked)
{
    uint8_t bytes[8192];
    struct span told = {NULL, 0};
    struct pair *p = pair_with("ecdsa-sha2-nistp256");
    p->more_keys[p->more_count++] = nacre_key_generate(p->crypto, "ssh-rsa", 2048);
    struct key *keys[] = {p->host_key, p->more_keys[0], p->more_keys[1]};
    struct span blobs = blobs_of(keys, 3, bytes, sizeof bytes);
    pair_start(p);
    pair_run(p);
    cr_expect_not(is_announced(p, &told));
    (void)nacre_conn_auth_password(p->client.conn, span_str("anna"), span_str("secret"));
    pair_run(p);
    cr_assert(is_announced(p, &told));
    cr_expect(span_eq(told, blobs));
    ask(p, true, blobs);
    const struct conn_event *e = side_event(&p->client, CONN_GLOBAL_REPLY, 0);
    cr_assert(e != NULL && e->accepted);
    cr_expect(nacre_conn_proof_holds(p->client.conn, blobs, e->data));
    cr_expect_not(nacre_conn_proof_holds(p->client.conn, blobs, span_of(e->data.at, e->data.len - 1)));
    cr_expect_not(nacre_conn_proof_holds(p->client.conn, blobs, span_of(NULL, 0)));
    cr_expect_not(nacre_conn_proof_holds(p->client.conn, span_of(NULL, 0), span_of(NULL, 0)));
    uint8_t changed[8192];
    memcpy(changed, e->data.at, e->data.len);
    changed[e->data.len - 1] ^= 1;
    cr_expect_not(nacre_conn_proof_holds(p->client.conn, blobs, span_of(changed, e->data.len)));
    p->client.conn->session_id[0] ^= 1; /* of another session */
    cr_expect_not(nacre_conn_proof_holds(p->client.conn, blobs, e->data));
    cr_expect_eq(side_count(&p->server, CONN_GLOBAL_REQUEST), 0, "not the application's");
    pair_free(p);
}

Test(hostkeys, nothing_is_told_or_proved_when_it_is_off)
{
    uint8_t bytes[512];
    struct span told;
    struct pair *p = pair_with(NULL);
    p->server.config.announce_host_keys = false;
    p->server.refuses[CONN_GLOBAL_REQUEST] = true;
    pair_login(p);
    cr_expect_not(is_announced(p, &told));
    ask(p, true, blobs_of(&p->host_key, 1, bytes, sizeof bytes));
    cr_expect(refused(p, 0));
    cr_expect_eq(side_count(&p->server, CONN_GLOBAL_REQUEST), 1, "a request like any other");
    pair_free(p);
}

Test(hostkeys, clients_that_would_fail_are_spared)
{
    static const struct {
        const char *version;
        bool told;
    } cases[] = {{"SSH-2.0-TTSSH/2.72 Win32", false}, {"SSH-2.0-TTSSH/2.90 Win32", true},
                 {"SSH-2.0-TTSSH/1.5.4", false},      {"SSH-2.0-Cisco-1.25", false},
                 {"SSH-2.0-OpenSSH_9.2", true},       {"SSH-2.0-PuTTY_Release_0.78", true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct span told;
        struct pair *p = pair_with(NULL);
        p->client.config.version = cases[i].version;
        pair_login(p);
        cr_expect_eq(is_announced(p, &told), cases[i].told, "%s", cases[i].version);
        pair_free(p);
    }
}

Test(hostkeys, certificates_and_keys_not_on_offer_are_not_told)
{
    uint8_t blob[KEY_BLOB_MAX], bytes[8192];
    struct span told;
    struct pair *p = pair_with("ecdsa-sha2-nistp256");
    struct key *ca = nacre_key_generate(p->crypto, "ssh-ed25519", 0);
    const struct cert_plan plan = {
        .type = "ssh-ed25519-cert-v01@openssh.com", .ca_alg = "ssh-ed25519", .kind = CERT_HOST};
    size_t len = cert_make(p->crypto, p->host_key, ca, &plan, blob);
    p->more_keys[p->more_count++] = nacre_cert_attach(p->crypto, p->host_key, span_of(blob, len));
    cr_assert_not_null(p->more_keys[1]);
    p->server.config.algorithms.host_key = "ssh-ed25519-cert-v01@openssh.com,ssh-ed25519";
    pair_login(p);
    cr_assert(is_announced(p, &told));
    cr_expect(span_eq(told, blobs_of(&p->host_key, 1, bytes, sizeof bytes)));
    struct key *certified[] = {p->more_keys[1]};
    ask(p, true, blobs_of(certified, 1, bytes, sizeof bytes));
    cr_expect(refused(p, 0), "a certificate is proved by the key exchange alone");
    nacre_key_unref(ca);
    pair_free(p);
}

/* The RSA proof has the algorithm of the key exchange where that was RSA's, else the best the client names. */
Test(hostkeys, rsa_proofs_use_what_the_client_can_check)
{
    static const struct {
        const char *client, *want;
    } cases[] = {
        {"rsa-sha2-256", "rsa-sha2-256"},
        {"rsa-sha2-512", "rsa-sha2-512"},
        {"ssh-rsa", "ssh-rsa"},
        {"ssh-ed25519", "rsa-sha2-512"},
        {"ssh-ed25519,rsa-sha2-256", "rsa-sha2-256"},
        {"ssh-ed25519,ssh-rsa,rsa-sha2-512", "rsa-sha2-512"},
        {"ssh-ed25519,ssh-rsa", "ssh-rsa"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t bytes[1024];
        struct pair *p = pair_with("ssh-rsa");
        p->client.config.algorithms.host_key = cases[i].client;
        pair_login(p);
        ask(p, true, blobs_of(p->more_keys, 1, bytes, sizeof bytes));
        const struct conn_event *e = side_event(&p->client, CONN_GLOBAL_REPLY, 0);
        cr_assert(e != NULL && e->accepted, "%s", cases[i].client);
        struct rd all = rd_over(e->data), one = rd_over(rd_string(&all, SIGNATURE_MAX));
        cr_expect(span_is(rd_string(&one, 64), cases[i].want), "%s", cases[i].client);
        bool takes_sha1 = strcmp(cases[i].client, "ssh-ed25519,ssh-rsa") == 0; /* our client does not, by itself */
        cr_expect_neq(nacre_conn_proof_holds(p->client.conn, blobs_of(p->more_keys, 1, bytes, sizeof bytes), e->data),
                      takes_sha1, "%s", cases[i].client);
        pair_free(p);
    }
}

Test(hostkeys, no_proof_by_sha1_where_it_is_not_on_offer)
{
    uint8_t bytes[1024];
    struct pair *p = pair_with("ssh-rsa");
    p->client.config.algorithms.host_key = "ssh-ed25519,ssh-rsa";
    p->server.config.algorithms.host_key = "ssh-ed25519,rsa-sha2-256";
    pair_login(p);
    ask(p, true, blobs_of(p->more_keys, 1, bytes, sizeof bytes));
    struct rd all = rd_over(side_event(&p->client, CONN_GLOBAL_REPLY, 0)->data);
    struct rd one = rd_over(rd_string(&all, SIGNATURE_MAX));
    cr_expect(span_is(rd_string(&one, 64), "rsa-sha2-512"));
    pair_free(p);
}

Test(hostkeys, what_is_not_to_be_proved_is_refused_and_costs_nothing_more)
{
    uint8_t bytes[4096];
    struct pair *p = pair_with(NULL);
    struct key *stranger = nacre_key_generate(p->crypto, "ssh-ed25519", 0);
    struct key *with_stranger[] = {p->host_key, stranger}, *twice[] = {p->host_key, p->host_key};
    pair_login(p);
    ask(p, true, blobs_of(with_stranger, 2, bytes, sizeof bytes));
    cr_expect(refused(p, 0), "another's key");
    ask(p, true, blobs_of(twice, 2, bytes, sizeof bytes));
    cr_expect(refused(p, 1), "twice");
    struct span good = blobs_of(&p->host_key, 1, bytes, sizeof bytes);
    ask(p, true, span_of(good.at, good.len - 1));
    cr_expect(refused(p, 2), "cut");
    ask(p, true, good);
    cr_expect(side_event(&p->client, CONN_GLOBAL_REPLY, 3)->accepted);
    ask(p, true, good);
    cr_expect(refused(p, 4), "the fifth time");
    cr_expect_eq(side_count(&p->server, CONN_DISCONNECTED), 0);
    nacre_key_unref(stranger);
    pair_free(p);
}

Test(hostkeys, empty_and_unanswered_requests)
{
    uint8_t bytes[512];
    struct pair *p = pair_with(NULL);
    pair_login(p);
    ask(p, true, span_of(NULL, 0));
    cr_expect(refused(p, 0));
    for (int i = 0; i < 10; i++)
        ask(p, false, blobs_of(&p->host_key, 1, bytes, sizeof bytes));
    cr_expect_eq(side_count(&p->client, CONN_GLOBAL_REPLY), 1);
    ask(p, true, blobs_of(&p->host_key, 1, bytes, sizeof bytes));
    cr_expect(side_event(&p->client, CONN_GLOBAL_REPLY, 1)->accepted, "those without reply do not count");
    pair_free(p);
}

static void global(struct pair *p, const char *kind)
{
    cr_assert_eq(nacre_conn_global_request(p->client.conn, span_str(kind), true, span_of(NULL, 0), p->now_ns),
                 NACRE_OK);
    pair_run(p);
}

/* While signatures are made elsewhere the connection goes on, and what was asked later is answered later. */
Test(hostkeys, replies_stay_in_order_while_a_slow_key_signs)
{
    uint8_t bytes[1024];
    struct pair *p = pair_with("ssh-rsa");
    pair_login(p);
    uint32_t channel = pair_open(p);
    struct span blobs = blobs_of(p->more_keys, 1, bytes, sizeof bytes);
    p->server.defers_work = true;
    p->server.refuses[CONN_GLOBAL_REQUEST] = true;
    ask(p, true, blobs);
    cr_assert_not_null(p->server.work);
    cr_expect(p->server.work->slow);
    global(p, "nonsense@example.com");
    cr_assert_eq(pair_send(&p->client, channel, 0, "hello", 5), NACRE_OK);
    pair_run(p);
    cr_expect_eq(p->server.data_bytes, 5);
    cr_expect_eq(side_count(&p->server, CONN_GLOBAL_REQUEST), 0);
    cr_expect_eq(side_count(&p->client, CONN_GLOBAL_REPLY), 0);
    struct work *work = p->server.work;
    p->server.work = NULL;
    work->run(work);
    nacre_conn_work_done(p->server.conn, work, p->now_ns);
    pair_run(p);
    cr_assert_eq(side_count(&p->client, CONN_GLOBAL_REPLY), 2);
    const struct conn_event *e = side_event(&p->client, CONN_GLOBAL_REPLY, 0);
    cr_expect(e->accepted);
    cr_expect(nacre_conn_proof_holds(p->client.conn, blobs, e->data));
    cr_expect(refused(p, 1));
    pair_free(p);
}

Test(hostkeys, without_memory_to_sign_a_proof_is_refused_and_the_next_request_answered)
{
    uint8_t bytes[1024];
    struct pair *p = pair_with("ssh-rsa");
    pair_login(p);
    struct span blobs = blobs_of(p->more_keys, 1, bytes, sizeof bytes);
    p->server.refuses_work = true;
    ask(p, true, blobs);
    cr_expect(refused(p, 0));
    p->server.refuses_work = false;
    ask(p, true, blobs);
    const struct conn_event *e = side_event(&p->client, CONN_GLOBAL_REPLY, 1);
    cr_assert(e != NULL && e->accepted);
    cr_expect(nacre_conn_proof_holds(p->client.conn, blobs, e->data));
    pair_free(p);
}

/* A key re-exchange has a work of its own; neither hides the other. */
Test(hostkeys, a_proof_and_a_rekey_at_once)
{
    uint8_t bytes[1024];
    struct pair *p = pair_with("ssh-rsa");
    p->client.config.algorithms.host_key = "ssh-ed25519";
    pair_login(p);
    struct span blobs = blobs_of(p->more_keys, 1, bytes, sizeof bytes);
    p->server.defers_work = true;
    ask(p, true, blobs);
    struct work *proof = p->server.work;
    cr_assert_not_null(proof);
    p->server.work = NULL;
    cr_assert_eq(nacre_conn_rekey(p->client.conn, p->now_ns), NACRE_OK);
    pair_run(p);
    struct work *kex = p->server.work;
    cr_assert(kex != NULL && kex != proof);
    p->server.work = NULL;
    proof->run(proof);
    nacre_conn_work_done(p->server.conn, proof, p->now_ns);
    pair_run(p);
    cr_expect_eq(side_count(&p->client, CONN_GLOBAL_REPLY), 0, "it waits for the new keys");
    kex->run(kex);
    nacre_conn_work_done(p->server.conn, kex, p->now_ns);
    p->server.defers_work = false;
    pair_run(p);
    cr_expect_eq(side_count(&p->client, CONN_KEX_DONE), 2);
    const struct conn_event *e = side_event(&p->client, CONN_GLOBAL_REPLY, 0);
    cr_assert(e != NULL && e->accepted);
    cr_expect(nacre_conn_proof_holds(p->client.conn, blobs, e->data), "by the session's first hash");
    pair_free(p);
}

/* A connection that ends meanwhile forgets the work, which is dropped by whoever has it. */
Test(hostkeys, a_proof_outlives_its_connection)
{
    uint8_t bytes[1024];
    for (int closes = 0; closes < 2; closes++) {
        struct pair *p = pair_with("ssh-rsa");
        pair_login(p);
        p->server.defers_work = true;
        ask(p, true, blobs_of(p->more_keys, 1, bytes, sizeof bytes));
        struct work *work = p->server.work;
        cr_assert_not_null(work);
        p->server.work = NULL;
        if (closes != 0) {
            nacre_conn_close(p->server.conn, NACRE_OK, "bye", p->now_ns);
            work->run(work);
            nacre_conn_work_done(p->server.conn, work, p->now_ns);
            pair_free(p);
        } else {
            pair_free(p); /* the keys live on in the work */
            work->run(work);
            nacre_work_drop(work);
        }
    }
}

/* The server's role has the request; a client is asked nothing of the kind. */
Test(hostkeys, a_server_that_asks_its_client_is_refused)
{
    uint8_t bytes[512];
    struct pair *p = pair_with(NULL);
    p->client.refuses[CONN_GLOBAL_REQUEST] = true;
    p->client.config.announce_host_keys = true;
    pair_login(p);
    cr_assert_eq(nacre_conn_global_request(p->server.conn, span_str(prove), true,
                                           blobs_of(&p->host_key, 1, bytes, sizeof bytes), p->now_ns),
                 NACRE_OK);
    pair_run(p);
    const struct conn_event *e = side_event(&p->server, CONN_GLOBAL_REPLY, 0);
    cr_assert_not_null(e);
    cr_expect_not(e->accepted);
    pair_free(p);
}
