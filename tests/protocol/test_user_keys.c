/* SPDX-License-Identifier: Apache-2.0 */
/* Every public key algorithm signs for the host and for a user, our client role on the other side. Some of them no
 * other peer speaks (x509v3-sign-rsa, x509v3-sign-dss). Security keys sign in devices only, OpenSSH's certificates are
 * in test_cert.c. */
#include <criterion/criterion.h>

#include "support/pair.h"
#include "support/x509.h"
#include "wire/namelist.h"

/* The type of key behind an algorithm, without certificates. */
static const char *plain_type(const char *alg)
{
    const char *plain = strncmp(alg, "x509v3-", 7) == 0 ? alg + 7 : alg;

    if (strstr(alg, "rsa") != NULL)
        return "ssh-rsa";
    return strstr(alg, "dss") != NULL ? "ssh-dss" : plain;
}

static struct key *key_for(const struct nacre_crypto *crypto, const char *alg)
{
    static uint8_t der[X509_DER_MAX];
    const char *type = plain_type(alg);
    struct key *k = nacre_key_generate(crypto, type, strcmp(type, "ssh-rsa") == 0 ? KEY_RSA_MIN_BITS : 0);

    cr_assert_not_null(k, "%s", alg);
    if (strncmp(alg, "x509v3-", 7) != 0)
        return k;
    struct span chain = span_of(der, x509_self_signed(crypto, k, "digitalSignature", der));
    struct key *certified = nacre_key_certified(crypto, k, alg, &chain, 1);
    cr_assert_not_null(certified, "%s", alg);
    nacre_key_unref(k);
    return certified;
}

static bool signs_here(const char *alg)
{
    return strncmp(alg, "sk-", 3) != 0 && strstr(alg, "-cert-v01@") == NULL;
}

static void check_host(const char *alg)
{
    struct pair *p = pair_new();

    p->more_keys[p->more_count++] = key_for(p->crypto, alg);
    p->client.config.algorithms.host_key = alg;
    p->server.echoes = true;
    pair_login(p);
    cr_assert_eq(side_count(&p->client, CONN_AUTHENTICATED), 1, "%s", alg);
    cr_assert_eq(nacre_conn_rekey(p->client.conn, p->now_ns), NACRE_OK);
    pair_run(p);
    cr_assert_eq(side_count(&p->client, CONN_KEX_DONE), 2, "%s", alg);
    pair_free(p);
}

static void check_user(const char *alg)
{
    struct pair *p = pair_new();
    struct key *key = key_for(p->crypto, alg);

    pair_start(p);
    pair_run(p);
    cr_assert(nacre_conn_auth_query(p->client.conn, span_str("anna"), key, alg), "%s", alg);
    pair_run(p);
    cr_assert_eq(side_count(&p->client, CONN_AUTH_KEY_OK), 1, "%s", alg);
    cr_assert(nacre_conn_auth_publickey(p->client.conn, span_str("anna"), key, alg), "%s", alg);
    pair_run(p);
    const struct conn_event *e = side_event(&p->server, CONN_AUTH_REQUEST, 1);
    cr_assert(e != NULL && e->verified && span_is(e->key_algorithm, alg), "%s", alg);
    cr_assert_eq(side_count(&p->client, CONN_AUTHENTICATED), 1, "%s", alg);
    nacre_key_unref(key);
    pair_free(p);
}

static size_t each(void (*check)(const char *alg))
{
    struct nacre_crypto *crypto = nacre_crypto_open(true);
    struct span list = span_str(nacre_algs_usable(crypto, ALG_KEY)), name;
    size_t count = 0;

    while (nacre_names_next(&list, &name)) {
        char alg[80] = {0};
        memcpy(alg, name.at, name.len);
        if (!signs_here(alg))
            continue;
        check(alg);
        count++;
    }
    nacre_crypto_unref(crypto);
    return count;
}

Test(user_keys, every_algorithm_signs_for_the_host)
{
    cr_assert_geq(each(check_host), 15);
}

Test(user_keys, every_algorithm_signs_for_a_user)
{
    cr_assert_geq(each(check_user), 15);
}
