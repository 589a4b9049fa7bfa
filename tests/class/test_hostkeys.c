/* SPDX-License-Identifier: Apache-2.0 */
/* The server's keys as clients meet them: announced and proved after login, and changed while it listens. */
#include <criterion/criterion.h>

#include <stdio.h>

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
