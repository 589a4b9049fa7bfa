/* SPDX-License-Identifier: Apache-2.0 */
/* What is in a list of algorithms is agreed on, and what is not never is. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "crypto/key.h"
#include "support/client.h"
#include "support/server.h"

/* A list with one name, of which the client has that alone as well, or another alone. */
static const struct {
    const char *list; /* NULL: the ciphers' or the compressions' property */
    int (*set)(nacre_server *server, const char *names);
    const char *one, *other;
    size_t member; /* the client's list */
} lists[] = {
    {"SSHKeyExchangeAlgorithms", NULL, "ecdh-sha2-nistp256", "curve25519-sha256",
     offsetof(struct conn_algorithms, kex)},
    {"SSHMacAlgorithms", NULL, "hmac-sha2-512", "hmac-sha2-256", offsetof(struct conn_algorithms, mac)},
    {"SSHPublicKeyAlgorithms", NULL, "ssh-ed25519", "ecdsa-sha2-nistp256", offsetof(struct conn_algorithms, host_key)},
    {NULL, nacre_set_ssh_encryption_algorithms, "aes256-ctr", "aes128-ctr", offsetof(struct conn_algorithms, cipher)},
    {NULL, nacre_set_ssh_compression_algorithms, "zlib", "none", offsetof(struct conn_algorithms, comp)},
};

static struct server *server_with(size_t list)
{
    struct server *s = server_new();
    char setting[128];
    (void)snprintf(setting, sizeof setting, "%s=%s", lists[list].list, lists[list].one);
    if (lists[list].list != NULL)
        server_set(s, setting);
    else
        cr_assert_eq(lists[list].set(s->nacre, lists[list].one), 0, "%s", nacre_last_error(s->nacre));
    server_start(s, 1);
    return s;
}

/* Whether a client with nothing else in that list gets as far as a login. */
static bool agrees(struct server *s, size_t list, const char *name)
{
    struct client c;
    client_init(&c);
    c.config.algorithms.cipher = "aes256-ctr"; /* one that needs a MAC */
    memcpy((char *)&c.config.algorithms + lists[list].member, &name, sizeof name);
    bool ready = client_connect(&c, s->port);
    client_free(&c);
    return ready;
}

Test(class_lists, one_name_in_a_list_is_all_there_is, .timeout = 240)
{
    struct server_seen e;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        struct server *s = server_with(i);
        cr_expect(agrees(s, i, lists[i].one), "%s is not agreed on", lists[i].one);
        cr_assert(server_wait(s, EVENT_DISCONNECTED, 0, NULL));
        cr_expect_not(agrees(s, i, lists[i].other), "%s is agreed on", lists[i].other);
        cr_assert(server_wait(s, EVENT_DISCONNECTED, 1, &e));
        cr_expect_eq(e.code, NACRE_E_NO_COMMON_ALGORITHM, "%d %s", e.code, e.text);
        server_free(s);
    }
}

static bool logs_in_by_key(const char *setting)
{
    struct server *s = server_new();
    struct client c;
    server_set(s, setting);
    server_start(s, 1);
    client_init(&c);
    cr_assert(client_connect(&c, s->port));
    struct key *key = nacre_key_generate(c.crypto, "ssh-ed25519", 0);
    cr_assert(nacre_conn_auth_publickey(c.conn, span_str("user"), key, "ssh-ed25519"));
    while (!c.authenticated && c.failures == 0 && !c.ended && client_turn(&c, 20))
        ;
    nacre_key_unref(key);
    client_free(&c);
    server_free(s);
    return c.authenticated;
}

Test(class_lists, a_users_key_signs_by_what_is_in_the_list, .timeout = 240)
{
    cr_expect(logs_in_by_key("SSHPubKeyAuthSigAlgorithms=ssh-ed25519"));
    cr_expect_not(logs_in_by_key("SSHPubKeyAuthSigAlgorithms=rsa-sha2-256,ecdsa-sha2-nistp256"));
}
