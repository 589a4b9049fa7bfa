/* SPDX-License-Identifier: Apache-2.0 */
/* HostCertificate: OpenSSH's certificates of hosts. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <unistd.h>

#include "keys/store.h"
#include "support/certs.h"
#include "support/client.h"
#include "support/server.h"

enum {
    PEM_MAX = 16384,
    SETTING_MAX = KEY_TEXT_MAX + 64
};

struct rig {
    struct server *s;
    struct nacre_crypto *crypto;
    struct key *key, *ca;
    uint64_t now;
    char line[KEY_TEXT_MAX];
};

static void use(struct rig *r, struct key *key)
{
    struct buf pem;
    nacre_buf_init(&pem, PEM_MAX);
    cr_assert(nacre_store_write_pem(key, &pem));
    cr_assert_eq(nacre_set_ssh_cert_store_type(r->s->nacre, 7), 0);
    cr_assert_eq(nacre_set_ssh_cert_store(r->s->nacre, pem.at, pem.len), 0);
    cr_assert_eq(nacre_set_ssh_cert_subject(r->s->nacre, "*"), 0, "%s", nacre_last_error(r->s->nacre));
    nacre_buf_wipe(&pem);
}

static void set_up(struct rig *r, const char *type)
{
    r->s = server_new();
    r->crypto = nacre_crypto_open(true);
    r->key = nacre_key_generate(r->crypto, type, 2048);
    r->ca = nacre_key_generate(r->crypto, "ssh-ed25519", 0);
    r->now = (uint64_t)nacre_clock_unix();
    use(r, r->key);
}

static void tear_down(struct rig *r)
{
    server_free(r->s);
    nacre_key_unref(r->key);
    nacre_key_unref(r->ca);
    nacre_crypto_unref(r->crypto);
}

/* A plan that is good now. */
static struct cert_plan good(const struct rig *r, const char *type)
{
    return (struct cert_plan){.type = type,
                              .ca_alg = "ssh-ed25519",
                              .kind = CERT_HOST,
                              .principals = {"127.0.0.1"},
                              .valid_after = r->now - 3600,
                              .valid_before = r->now + 3600};
}

/* The certificate as a line. */
static const char *made(struct rig *r, const struct key *of, const struct cert_plan *plan)
{
    uint8_t blob[KEY_BLOB_MAX];
    size_t len = cert_make(r->crypto, of, r->ca, plan, blob);
    struct key *key = nacre_key_from_blob(r->crypto, span_of(blob, len));
    cr_assert_not_null(key);
    cr_assert(nacre_key_text(key, r->line, sizeof r->line));
    nacre_key_unref(key);
    return r->line;
}

static int set(struct rig *r, const char *name, const char *value)
{
    static char setting[SETTING_MAX];
    (void)snprintf(setting, sizeof setting, "%s=%s", name, value);
    return nacre_config(r->s->nacre, setting, NULL, 0);
}

static const char *get(struct rig *r, const char *name)
{
    static char value[KEY_TEXT_MAX];
    cr_assert_eq(nacre_config(r->s->nacre, name, value, sizeof value), 0, "%s", nacre_last_error(r->s->nacre));
    return value;
}

/* A client that takes these algorithms alone gets through the key exchange; the host key it met is of `type`. */
static bool meets(struct rig *r, const char *algorithms, const char *type)
{
    static struct client c;
    client_init(&c);
    c.config.algorithms.host_key = algorithms;
    bool met = client_connect(&c, r->s->port);
    struct key *key = met ? nacre_key_from_blob(c.crypto, buf_span(&c.host_key)) : NULL;
    met = key != NULL && strcmp(nacre_key_type(key), type) == 0;
    nacre_key_unref(key);
    client_free(&c);
    return met;
}

static void offered_with(const char *profile)
{
    static const char ed25519[] = "ssh-ed25519-cert-v01@openssh.com";
    static struct rig r;
    set_up(&r, "ssh-ed25519");
    struct cert_plan plan = good(&r, ed25519);
    char lists[1024];
    (void)snprintf(lists, sizeof lists, "%s", get(&r, "SSHPublicKeyAlgorithms"));
    cr_assert_eq(set(&r, "AlgorithmProfile", profile), 0);
    cr_assert_eq(set(&r, "HostCertificate", made(&r, r.key, &plan)), 0, "%s", nacre_last_error(r.s->nacre));
    cr_expect_str_eq(get(&r, "HostCertificate[0]"), r.line);
    server_start(r.s, 1);
    cr_expect(meets(&r, ed25519, ed25519), "%s", profile);
    cr_expect(meets(&r, "ssh-ed25519-cert-v01@openssh.com,ssh-ed25519", ed25519));
    cr_expect(meets(&r, "ssh-ed25519", "ssh-ed25519"), "the plain key goes on");
    cr_expect(strstr(get(&r, "SSHPublicKeyAlgorithms"), "cert") == NULL, "what is set is not changed by it");
    tear_down(&r);
}

Test(class_host_certificate, offered_in_every_profile)
{
    offered_with("compatible");
    offered_with("modern");
}

Test(class_host_certificate, of_rsa_and_ecdsa_keys)
{
    static struct rig r;
    set_up(&r, "ssh-rsa");
    struct cert_plan plan = good(&r, "ssh-rsa-cert-v01@openssh.com");
    cr_assert_eq(set(&r, "HostCertificate[0]", made(&r, r.key, &plan)), 0, "%s", nacre_last_error(r.s->nacre));
    server_start(r.s, 1);
    cr_expect(meets(&r, "rsa-sha2-512-cert-v01@openssh.com", "ssh-rsa-cert-v01@openssh.com"));
    cr_expect(meets(&r, "rsa-sha2-256-cert-v01@openssh.com", "ssh-rsa-cert-v01@openssh.com"));
    tear_down(&r);
    set_up(&r, "ecdsa-sha2-nistp521");
    plan = good(&r, "ecdsa-sha2-nistp521-cert-v01@openssh.com");
    cr_assert_eq(set(&r, "HostCertificate", made(&r, r.key, &plan)), 0, "%s", nacre_last_error(r.s->nacre));
    server_start(r.s, 1);
    cr_expect(meets(&r, "ecdsa-sha2-nistp521-cert-v01@openssh.com", "ecdsa-sha2-nistp521-cert-v01@openssh.com"));
    tear_down(&r);
}

/* The list that is set says what may be offered; certificates follow it. */
Test(class_host_certificate, follows_the_list_of_algorithms)
{
    static struct rig r;
    set_up(&r, "ssh-rsa");
    struct cert_plan plan = good(&r, "ssh-rsa-cert-v01@openssh.com");
    cr_assert_eq(set(&r, "HostCertificate", made(&r, r.key, &plan)), 0);
    cr_assert_eq(set(&r, "SSHPublicKeyAlgorithms", "rsa-sha2-256"), 0);
    server_start(r.s, 1);
    cr_expect(meets(&r, "rsa-sha2-256-cert-v01@openssh.com", "ssh-rsa-cert-v01@openssh.com"));
    cr_expect_not(meets(&r, "rsa-sha2-512-cert-v01@openssh.com", "ssh-rsa-cert-v01@openssh.com"));
    tear_down(&r);
    set_up(&r, "ssh-ed25519");
    plan = good(&r, "ssh-ed25519-cert-v01@openssh.com");
    cr_assert_eq(set(&r, "HostCertificate", made(&r, r.key, &plan)), 0);
    cr_assert_eq(set(&r, "SSHPublicKeyAlgorithms", "ssh-ed25519-cert-v01@openssh.com"), 0);
    server_start(r.s, 1);
    cr_expect(meets(&r, "ssh-ed25519-cert-v01@openssh.com", "ssh-ed25519-cert-v01@openssh.com"));
    cr_expect_not(meets(&r, "ssh-ed25519", "ssh-ed25519"));
    tear_down(&r);
}

static void refuses(struct rig *r, const char *value, int error, const char *says)
{
    cr_expect_eq(set(r, "HostCertificate[0]", value), error, "%s", says);
    const char *text = nacre_last_error(r->s->nacre);
    cr_expect(strstr(text, says) != NULL, "\"%s\" does not say \"%s\"", text, says);
    cr_expect_str_eq(get(r, "HostCertificate[0]"), "");
}

Test(class_host_certificate, what_no_client_would_take_is_refused_with_the_reason)
{
    static const char type[] = "ssh-ed25519-cert-v01@openssh.com";
    static struct rig r;
    set_up(&r, "ssh-ed25519");
    struct cert_plan plan = good(&r, type);
    struct key *stranger = nacre_key_generate(r.crypto, "ssh-ed25519", 0);
    refuses(&r, made(&r, stranger, &plan), NACRE_E_KEY, "another key");
    cr_expect_eq(set(&r, "HostCertificate", r.line), NACRE_E_KEY);
    cr_expect(strstr(nacre_last_error(r.s->nacre), "none of the server's keys") != NULL);
    plan.kind = CERT_USER;
    refuses(&r, made(&r, r.key, &plan), NACRE_E_KEY, "for users");
    plan = good(&r, type);
    plan.valid_before = r.now - 1;
    refuses(&r, made(&r, r.key, &plan), NACRE_E_KEY, "expired");
    plan = good(&r, type);
    plan.valid_after = r.now + 1800;
    refuses(&r, made(&r, r.key, &plan), NACRE_E_KEY, "not valid yet");
    plan = good(&r, type);
    plan.option = "force-command";
    plan.value = "true";
    refuses(&r, made(&r, r.key, &plan), NACRE_E_KEY, "critical options");
    plan = good(&r, type);
    plan.ca_alg = "no-such-algorithm";
    r.line[0] = '\0';
    uint8_t blob[KEY_BLOB_MAX];
    plan.ca_alg = "ssh-ed25519";
    size_t len = cert_make(r.crypto, r.key, r.ca, &plan, blob);
    blob[len - 1] ^= 1;
    struct key *bad = nacre_key_from_blob(r.crypto, span_of(blob, len));
    cr_assert(nacre_key_text(bad, r.line, sizeof r.line));
    refuses(&r, r.line, NACRE_E_KEY, "signature");
    cr_assert(nacre_key_text(r.key, r.line, sizeof r.line));
    refuses(&r, r.line, NACRE_E_KEY, "no OpenSSH certificate");
    refuses(&r, "ssh-ed25519-cert-v01@openssh.com AAAAnonsense", NACRE_E_KEY_TYPE, "");
    refuses(&r, "/nonexistent/cert.pub", NACRE_E_KEY, "/nonexistent/cert.pub");
    nacre_key_unref(bad);
    nacre_key_unref(stranger);
    tear_down(&r);
}

Test(class_host_certificate, indexes_are_those_of_the_keys)
{
    static struct rig r;
    set_up(&r, "ssh-ed25519");
    struct cert_plan plan = good(&r, "ssh-ed25519-cert-v01@openssh.com");
    char value[64];
    cr_expect_eq(set(&r, "HostCertificate[1]", made(&r, r.key, &plan)), NACRE_E_SETTING_VALUE);
    cr_expect_eq(set(&r, "HostCertificate[-1]", r.line), NACRE_E_SETTING_VALUE);
    cr_expect_eq(set(&r, "HostCertificate", ""), NACRE_E_SETTING_VALUE);
    cr_expect_eq(nacre_config(r.s->nacre, "HostCertificate", value, sizeof value), NACRE_E_SETTING_VALUE);
    cr_expect_str_eq(get(&r, "HostCertificate[0]"), "");
    cr_assert_eq(set(&r, "AltSSHCertCount", "1"), 0);
    cr_expect_eq(set(&r, "HostCertificate[1]", r.line), NACRE_E_KEY, "no key there");
    cr_expect_eq(set(&r, "HostCertificate[0]", r.line), 0);
    cr_expect_eq(set(&r, "HostCertificate[0]", ""), 0);
    cr_expect_str_eq(get(&r, "HostCertificate[0]"), "");
    tear_down(&r);
}

Test(class_host_certificate, goes_with_its_key)
{
    static struct rig r;
    set_up(&r, "ssh-ed25519");
    struct cert_plan plan = good(&r, "ssh-ed25519-cert-v01@openssh.com");
    struct key *other = nacre_key_generate(r.crypto, "ssh-ed25519", 0);
    cr_assert_eq(set(&r, "HostCertificate", made(&r, r.key, &plan)), 0);
    use(&r, r.key);
    cr_expect_str_eq(get(&r, "HostCertificate[0]"), r.line, "the same key again");
    cr_assert_eq(set(&r, "UseInternalSecurityAPI", "True"), 0);
    cr_expect_str_eq(get(&r, "HostCertificate[0]"), r.line, "in another library context");
    use(&r, other);
    cr_expect_str_eq(get(&r, "HostCertificate[0]"), "");
    nacre_key_unref(other);
    tear_down(&r);
}

Test(class_host_certificate, from_a_file_while_listening)
{
    static const char type[] = "ssh-ed25519-cert-v01@openssh.com";
    static struct rig r;
    char name[] = "/tmp/nacre-cert.XXXXXX";
    set_up(&r, "ssh-ed25519");
    struct cert_plan plan = good(&r, type);
    server_start(r.s, 1);
    cr_expect_not(meets(&r, type, type));
    int fd = mkstemp(name);
    cr_assert(fd >= 0 && dprintf(fd, "%s a comment\n", made(&r, r.key, &plan)) > 0);
    (void)close(fd);
    cr_assert_eq(set(&r, "HostCertificate", name), 0, "%s", nacre_last_error(r.s->nacre));
    (void)unlink(name);
    bool met = false;
    for (int i = 0; i < 200 && !met; i++) {
        met = meets(&r, type, type);
        if (!met)
            (void)usleep(20000);
    }
    cr_expect(met);
    tear_down(&r);
}

/* Clients look at the time; what has run out meanwhile is not offered. */
Test(class_host_certificate, one_that_expires_is_offered_no_more)
{
    static const char type[] = "ssh-ed25519-cert-v01@openssh.com";
    static struct rig r;
    set_up(&r, "ssh-ed25519");
    struct cert_plan plan = good(&r, type);
    plan.valid_before = (uint64_t)nacre_clock_unix() + 3;
    int e = set(&r, "HostCertificate", made(&r, r.key, &plan));
    server_start(r.s, 1);
    while ((uint64_t)nacre_clock_unix() < plan.valid_before)
        (void)usleep(100000);
    cr_expect(e == 0 || e == NACRE_E_KEY, "%d", e); /* a machine that is very slow has let it run out already */
    cr_expect_not(meets(&r, type, type));
    cr_expect(meets(&r, "ssh-ed25519-cert-v01@openssh.com,ssh-ed25519", "ssh-ed25519"));
    tear_down(&r);
}

/* ---- of a key that a connection brings -------------------------------------------------------------------------- */

static struct own {
    char pem[PEM_MAX], line[KEY_TEXT_MAX];
    bool deferred;
    nacre_ticket ticket;
    atomic_bool asked;
} own;

static void bring_key(nacre_server *n, struct nacre_connected *e, void *context)
{
    server_on_connected(n, e, context);
    if (own.deferred) {
        own.ticket = nacre_defer(&e->event);
        atomic_store(&own.asked, true);
        return;
    }
    e->cert_store_type = 7;
    e->cert_store = own.pem;
    e->cert_host_certificate = own.line;
}

static void bring(struct rig *r, const struct cert_plan *plan)
{
    struct buf pem;
    own.deferred = false;
    set_up(r, "ssh-ed25519");
    struct key *key = nacre_key_generate(r->crypto, "ecdsa-sha2-nistp256", 0);
    nacre_buf_init(&pem, PEM_MAX);
    cr_assert(nacre_store_write_pem(key, &pem));
    (void)snprintf(own.pem, sizeof own.pem, "%.*s", (int)pem.len, (const char *)pem.at);
    (void)snprintf(own.line, sizeof own.line, "%s", made(r, key, plan));
    nacre_buf_wipe(&pem);
    nacre_key_unref(key);
    r->s->handlers.on_connected = bring_key;
}

static const char p256[] = "ecdsa-sha2-nistp256-cert-v01@openssh.com";

Test(class_host_certificate, on_connected_may_bring_one_with_its_key)
{
    static struct rig r;
    r.now = (uint64_t)nacre_clock_unix();
    struct cert_plan plan = good(&r, p256);
    bring(&r, &plan);
    server_start(r.s, 1);
    cr_expect(meets(&r, p256, p256));
    cr_expect(meets(&r, "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256"), "the plain key is there, too");
    cr_expect_not(meets(&r, "ssh-ed25519", "ssh-ed25519"), "the server's is not");
    cr_expect_not(meets(&r, "ssh-ed25519-cert-v01@openssh.com", "ssh-ed25519-cert-v01@openssh.com"));
    tear_down(&r);
}

Test(class_host_certificate, one_of_a_connection_is_passed_over_outside_its_time)
{
    static struct rig r;
    r.now = (uint64_t)nacre_clock_unix();
    struct cert_plan plan = good(&r, p256);
    plan.valid_before = r.now - 60;
    bring(&r, &plan);
    server_start(r.s, 1);
    cr_expect_not(meets(&r, p256, p256));
    cr_expect(meets(&r, "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256"));
    tear_down(&r);
}

Test(class_host_certificate, a_wrong_one_of_a_connection_is_an_error_and_its_end)
{
    static struct rig r;
    struct server_seen e, d;
    r.now = (uint64_t)nacre_clock_unix();
    struct cert_plan plan = good(&r, p256), user = plan;
    user.kind = CERT_USER;
    const char *says[] = {"for users", "for another key", "nonsense"};
    for (int i = 0; i < 3; i++) {
        bring(&r, i == 0 ? &user : &plan);
        if (i == 1) {
            struct cert_plan others = good(&r, "ssh-ed25519-cert-v01@openssh.com");
            (void)snprintf(own.line, sizeof own.line, "%s", made(&r, r.key, &others));
        }
        if (i == 2)
            (void)snprintf(own.line, sizeof own.line, "nonsense");
        server_start(r.s, 1);
        cr_expect_not(meets(&r, "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256"), "%s", says[i]);
        cr_assert(server_wait(r.s, EVENT_ERROR, 0, &e));
        cr_assert(server_wait(r.s, EVENT_DISCONNECTED, 0, &d));
        cr_expect_eq(e.code, d.code);
        cr_expect(e.code >= NACRE_E_KEY && e.code <= NACRE_E_KEY_TYPE, "%d", e.code);
        cr_expect(strstr(e.text, says[i]) != NULL, "%s", e.text);
        tear_down(&r);
    }
}

Test(class_host_certificate, one_of_a_connection_may_come_later)
{
    static struct rig r;
    static struct client c;
    r.now = (uint64_t)nacre_clock_unix();
    struct cert_plan plan = good(&r, p256);
    bring(&r, &plan);
    own.deferred = true;
    atomic_store(&own.asked, false);
    server_start(r.s, 1);
    client_init(&c);
    c.config.algorithms.host_key = p256;
    cr_assert(client_dial(&c, NULL, r.s->port));
    while (!atomic_load(&own.asked))
        (void)client_turn(&c, 20);
    const struct nacre_answer a = {
        .accept = true, .cert_store_type = 7, .cert_store = own.pem, .cert_host_certificate = own.line};
    cr_assert_eq(nacre_answer(r.s->nacre, own.ticket, &a), 0);
    cr_expect(client_wait(&c, &c.ready), "%s", c.text);
    client_free(&c);
    tear_down(&r);
}
