/* SPDX-License-Identifier: Apache-2.0 */
/* What a listening server offers: made once, from the settings and what the build can do. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "engine/profile.h"

static void set(union setting_value *v, const char *text)
{
    free(v->text);
    v->text = strdup(text);
    cr_assert_not_null(v->text);
}

/* Broken once by leaving the lists as they are: clients were then offered what nobody here can do. */
Test(profile, offers_what_the_build_can_do)
{
    struct settings s;
    struct nacre_crypto *crypto = nacre_crypto_open(false);
    cr_assert_not_null(crypto);
    cr_assert(nacre_settings_init(&s, crypto));
    set(&s.kex, "no-kex,curve25519-sha256");
    set(&s.cipher, "aes128-ctr,no-cipher");
    set(&s.mac, "no-mac,hmac-sha2-256,no-mac");
    set(&s.comp, "none,no-comp,zlib");
    set(&s.user_signature, "no-key,ssh-ed25519");
    struct profile *p = nacre_profile_new(&s, crypto, NULL, 0, NULL, 0, false, false, false);
    cr_assert_not_null(p);
    const struct conn_algorithms *a = &p->config.algorithms;
    cr_expect(a->all_usable);
    cr_expect_str_eq(a->kex, "curve25519-sha256");
    cr_expect_str_eq(a->cipher, "aes128-ctr");
    cr_expect_str_eq(a->mac, "hmac-sha2-256");
    cr_expect_str_eq(a->comp, "none,zlib");
    cr_expect_str_eq(a->user_signature, "ssh-ed25519");
    cr_expect_str_eq(s.kex.text, "no-kex,curve25519-sha256", "what was set is what is read back");
    nacre_profile_unref(p);
    nacre_settings_free(&s);
    nacre_crypto_unref(crypto);
}

/* Fails when what the kernel would only keep waiting is handed to it all the same. */
Test(profile, hands_less_at_a_time_to_a_kernel_that_paces)
{
    struct settings s;
    struct nacre_crypto *crypto = nacre_crypto_open(false);
    cr_assert_not_null(crypto);
    cr_assert(nacre_settings_init(&s, crypto));
    struct profile *p = nacre_profile_new(&s, crypto, NULL, 0, NULL, 0, false, false, false);
    struct profile *paced = nacre_profile_new(&s, crypto, NULL, 0, NULL, 0, false, false, true);
    cr_assert(p != NULL && paced != NULL);
    cr_expect_lt(paced->config.send_high, p->config.send_high);
    nacre_profile_unref(paced);
    nacre_profile_unref(p);
    nacre_settings_free(&s);
    nacre_crypto_unref(crypto);
}
