/* SPDX-License-Identifier: Apache-2.0 */
/* The server's keys as clients meet them: announced and proved after login, and changed while it listens. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <unistd.h>

#include "support/client.h"
#include "support/server.h"
#include "wire/rd.h"

enum {
    PEM_MAX = 16384
};

static const char prove[] = "hostkeys-prove-00@openssh.com";

/* A key of that type as AltSSHCert[index]. */
static void add_key(struct server *s, int index, const char *type)
{
    static char pem[PEM_MAX], setting[PEM_MAX + 64];
    cr_assert_eq(nacre_make_key(type, pem, sizeof pem), 0);
    (void)snprintf(setting, sizeof setting, "AltSSHCertStoreType[%d]=7", index);
    server_set(s, setting);
    (void)snprintf(setting, sizeof setting, "AltSSHCertStore[%d]=%s", index, pem);
    server_set(s, setting);
    (void)snprintf(setting, sizeof setting, "AltSSHCertSubject[%d]=*", index);
    server_set(s, setting);
}

static size_t count_keys(const struct client *c)
{
    struct rd r = rd_over(buf_span(&c->host_keys));
    size_t count = 0;
    while (rd_left(&r) != 0 && !r.bad) {
        (void)rd_string(&r, KEY_BLOB_MAX);
        count++;
    }
    return r.bad ? 0 : count;
}

/* Asks for proofs of all announced keys. */
static bool proves(struct client *c)
{
    unsigned replies = c->global_replies, granted = c->global_granted;
    cr_assert_eq(nacre_conn_global_request(c->conn, span_str(prove), true, buf_span(&c->host_keys), nacre_clock_ns()),
                 NACRE_OK);
    cr_assert(client_wait_unsigned(c, &c->global_replies, replies + 1));
    return c->global_granted > granted &&
           nacre_conn_proof_holds(c->conn, buf_span(&c->host_keys), buf_span(&c->global_reply));
}

Test(class_hostkeys, all_keys_are_announced_and_proved_after_login)
{
    static struct client c;
    struct server *s = server_new();
    server_set(s, "AltSSHCertCount=2");
    add_key(s, 0, "ssh-rsa");
    add_key(s, 1, "ecdsa-sha2-nistp256");
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
    cr_assert(client_wait_unsigned(&c, &c.announcements, 1));
    cr_expect_eq(count_keys(&c), 3);
    cr_expect(proves(&c));
    client_free(&c);
    server_free(s);
}

Test(class_hostkeys, keys_that_no_algorithm_offers_are_not_announced)
{
    static struct client c;
    struct server *s = server_new();
    server_set(s, "AltSSHCertCount=1");
    add_key(s, 0, "ecdsa-sha2-nistp256");
    server_set(s, "SSHPublicKeyAlgorithms=ssh-ed25519,rsa-sha2-512");
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
    cr_assert(client_wait_unsigned(&c, &c.announcements, 1));
    cr_expect_eq(count_keys(&c), 1);
    client_free(&c);
    server_free(s);
}

Test(class_hostkeys, announcing_can_be_switched_off)
{
    static struct client c;
    struct server *s = server_new();
    char value[8];
    cr_assert_eq(nacre_config(s->nacre, "AnnounceHostKeys", value, sizeof value), 0);
    cr_expect_str_eq(value, "True");
    server_set(s, "AnnounceHostKeys=False");
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
    int channel = client_open(&c, "session"); /* whatever the login brought has come before this */
    cr_assert_geq(channel, 0);
    cr_expect_eq(c.announcements, 0);
    client_free(&c);
    server_free(s);
}

/* ---- keys that change while the server listens ------------------------------------------------------------------ */

/* Workers take a change when they next look: tries until the key of a new connection is that of slot `index`. */
static bool meets(struct server *s, int index, const char *algorithm)
{
    static struct client c;
    char want[64] = "", got[64] = "";
    for (int i = 0; i < 200; i++) {
        cr_assert_eq(nacre_get_host_key_fingerprint(s->nacre, index, want, sizeof want), 0);
        client_init(&c);
        c.config.algorithms.host_key = algorithm;
        if (client_connect(&c, s->port))
            cr_assert(nacre_key_fingerprint(c.crypto, buf_span(&c.host_key), got));
        client_free(&c);
        if (strcmp(want, got) == 0)
            return true;
        (void)usleep(20000);
    }
    return false;
}

/* Gives ssh_cert another key of that type. */
static int rotate(struct server *s, const char *type)
{
    static char pem[PEM_MAX];
    cr_assert_eq(nacre_make_key(type, pem, sizeof pem), 0);
    cr_assert_eq(nacre_set_ssh_cert_store_type(s->nacre, 7), 0);
    cr_assert_eq(nacre_set_ssh_cert_store(s->nacre, pem, strlen(pem)), 0);
    return nacre_set_ssh_cert_subject(s->nacre, "*");
}

static void echoes(struct client *c, int channel)
{
    size_t before = c->channels[channel].received;
    cr_assert(client_send(c, channel, "hello", 5));
    cr_assert(client_wait_count(c, &c->channels[channel].received, before + 5));
}

Test(class_hostkeys, new_connections_get_the_new_key_and_old_ones_go_on)
{
    static struct client old;
    char before[64], after[64], got[64];
    struct server *s = server_new();
    s->echo = true;
    server_start(s, 1);
    cr_assert(client_start(&old, s->port));
    int channel = client_open(&old, "session");
    cr_assert_eq(nacre_get_host_key_fingerprint(s->nacre, 0, before, sizeof before), 0);
    cr_assert_eq(rotate(s, "ssh-ed25519"), 0, "%s", nacre_last_error(s->nacre));
    cr_assert_eq(nacre_get_host_key_fingerprint(s->nacre, 0, after, sizeof after), 0);
    cr_expect_str_neq(before, after);
    cr_expect(meets(s, 0, "ssh-ed25519"));

    unsigned exchanges = old.keys_done;
    echoes(&old, channel);
    cr_assert_eq(nacre_conn_rekey(old.conn, nacre_clock_ns()), NACRE_OK);
    cr_assert(client_wait_unsigned(&old, &old.keys_done, exchanges + 1));
    cr_assert(nacre_key_fingerprint(old.crypto, buf_span(&old.host_key), got));
    cr_expect_str_eq(got, before, "a connection keeps the keys it began with");
    echoes(&old, channel);
    cr_expect(proves(&old), "and proves those");
    client_free(&old);
    server_free(s);
}

Test(class_hostkeys, a_key_of_another_type_takes_over)
{
    struct server *s = server_new();
    server_start(s, 1);
    cr_assert_eq(rotate(s, "ecdsa-sha2-nistp256"), 0, "%s", nacre_last_error(s->nacre));
    cr_expect(meets(s, 0, "ssh-ed25519,ecdsa-sha2-nistp256"));
    server_free(s);
}

Test(class_hostkeys, alternative_keys_come_and_go_while_listening)
{
    static struct client c;
    struct server *s = server_new();
    server_start(s, 1);
    server_set(s, "AltSSHCertCount=1");
    add_key(s, 0, "ecdsa-sha2-nistp256");
    cr_expect(meets(s, 1, "ecdsa-sha2-nistp256"));
    cr_assert(client_start(&c, s->port));
    cr_assert(client_wait_unsigned(&c, &c.announcements, 1));
    cr_expect_eq(count_keys(&c), 2, "the new one is learnt before the old one goes");
    cr_expect(proves(&c));
    client_free(&c);
    cr_assert_eq(nacre_set_ssh_cert_subject(s->nacre, ""), 0, "%s", nacre_last_error(s->nacre));
    cr_expect(meets(s, 1, "ssh-ed25519,ecdsa-sha2-nistp256"));
    server_free(s);
}

/* While the server listens a failure leaves the key that serves, whatever the class does when it does not. */
Test(class_hostkeys, a_change_that_fails_leaves_the_key_in_use)
{
    static const char public[] =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA3PgJtZNUdrUtHAnvPAHxOYxRRXGVRbX9iC9rPtGZ9L nobody";
    char before[64], after[64], subject[64];
    struct server *s = server_new();
    s->handlers.on_connected = NULL; /* it might bring a key for each connection */
    server_start(s, 1);
    cr_assert_eq(nacre_get_host_key_fingerprint(s->nacre, 0, before, sizeof before), 0);
    cr_expect_eq(nacre_set_ssh_cert_subject(s->nacre, ""), 1301, "the last key");
    cr_expect_eq(rotate(s, "ssh-ed25519"), 0);
    server_set(s, "SSHPublicKeyAlgorithms=ssh-ed25519");
    cr_assert_eq(nacre_get_host_key_fingerprint(s->nacre, 0, before, sizeof before), 0);
    cr_expect_eq(rotate(s, "ecdsa-sha2-nistp256"), 1301, "not on offer");
    cr_assert_eq(nacre_set_ssh_cert_store(s->nacre, "no key", 6), 0);
    cr_expect_neq(nacre_set_ssh_cert_subject(s->nacre, "*"), 0);
    cr_assert_eq(nacre_set_ssh_cert_store_type(s->nacre, 10), 0);
    cr_assert_eq(nacre_set_ssh_cert_store(s->nacre, public, strlen(public)), 0);
    cr_expect_eq(nacre_set_ssh_cert_subject(s->nacre, "*"), 1301, "a public key");
    cr_expect(strstr(nacre_last_error(s->nacre), "private") != NULL, "%s", nacre_last_error(s->nacre));
    cr_expect_eq(nacre_set_ssh_cert_encoded(s->nacre, "", 0), 1301);
    cr_assert_eq(nacre_get_host_key_fingerprint(s->nacre, 0, after, sizeof after), 0);
    cr_expect_str_eq(before, after);
    cr_expect_eq(nacre_get_ssh_cert_subject(s->nacre, subject, sizeof subject), 0);
    cr_expect(meets(s, 0, "ssh-ed25519"));
    server_free(s);
}

Test(class_hostkeys, the_last_alternative_key_stays_while_listening)
{
    char value[8];
    struct server *s = server_new();
    s->handlers.on_connected = NULL; /* it might bring a key for each connection */
    server_set(s, "AltSSHCertCount=1");
    add_key(s, 0, "ssh-ed25519");
    cr_assert_eq(nacre_set_ssh_cert_subject(s->nacre, ""), 0);
    server_start(s, 1);
    cr_expect_eq(nacre_config(s->nacre, "AltSSHCertCount=0", NULL, 0), 1301);
    cr_assert_eq(nacre_config(s->nacre, "AltSSHCertCount", value, sizeof value), 0);
    cr_expect_str_eq(value, "1");
    cr_expect(meets(s, 1, "ssh-ed25519"));
    server_free(s);
}
