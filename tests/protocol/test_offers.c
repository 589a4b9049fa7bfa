/* SPDX-License-Identifier: Apache-2.0 */
/* What is offered: what of the lists the build can do, and of host keys what there is a key for. */
#include <criterion/criterion.h>
#include <string.h>

#include "ssh/conn_priv.h"
#include "ssh/kex.h"
#include "support/pair.h"
#include "wire/namelist.h"

Test(offers, what_is_not_known_is_dropped_from_a_list)
{
    static const struct {
        enum alg_kind kind;
        const char *list, *left;
    } cases[] = {
        {ALG_KEX, "curve25519-sha256", "curve25519-sha256"},
        {ALG_KEX, "no,curve25519-sha256,nor-this", "curve25519-sha256"},
        {ALG_KEY, "ssh-ed25519,no,rsa-sha2-256", "ssh-ed25519,rsa-sha2-256"},
        {ALG_CIPHER, "aes128-ctr,aes256-ctr,no", "aes128-ctr,aes256-ctr"},
        {ALG_MAC, "no", ""},
        {ALG_MAC, "hmac-sha2-256,hmac-sha2-25", "hmac-sha2-256"},
        {ALG_COMP, "", ""},
        {ALG_COMP, "zlib,no,no,none", "zlib,none"},
        {ALG_CIPHER, "hmac-sha2-256", ""},
    };
    struct nacre_crypto *crypto = nacre_crypto_open(false);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char names[80];
        strcpy(names, cases[i].list);
        nacre_names_keep_usable(crypto, cases[i].kind, names);
        cr_expect_str_eq(names, cases[i].left, "case %zu: %s", i, names);
    }
    nacre_crypto_unref(crypto);
}

static bool offers(const struct side *s, const char *name)
{
    struct rd r = rd_over(buf_span(&s->conn->kex->ours));
    bool found = false;
    (void)rd_take(&r, 1 + KEX_COOKIE);
    for (int i = 0; i < 10; i++)
        found = nacre_names_has(rd_string(&r, CONN_PACKET_MAX), span_str(name)) || found;
    cr_assert_not(r.bad);
    return found;
}

/* Lists are looked through for each connection, or have been before; a server's host keys are in either case. */
Test(offers, lists_that_name_nothing_else_go_out_as_they_stand)
{
    for (int all = 0; all < 2; all++) {
        struct pair *p = pair_new();
        struct conn_algorithms *a = &p->server.config.algorithms;
        a->kex = "no-kex,curve25519-sha256";
        a->host_key = "no-key,rsa-sha2-512,ssh-ed25519";
        a->cipher = "no-cipher,aes128-ctr";
        a->mac = "no-mac,hmac-sha2-256";
        a->comp = "no-comp,none";
        a->all_usable = all != 0;
        pair_start(p);
        cr_assert_not_null(p->server.conn->kex);
        cr_expect(offers(&p->server, "curve25519-sha256") && offers(&p->server, "ssh-ed25519"));
        cr_expect_not(offers(&p->server, "no-key"));
        cr_expect_not(offers(&p->server, "rsa-sha2-512"), "there is no such key");
        static const char *const others[] = {"no-kex", "no-cipher", "no-mac", "no-comp"};
        for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
            cr_expect_eq(offers(&p->server, others[i]), all != 0, "%s", others[i]);
        pair_free(p);
    }
}
