/* SPDX-License-Identifier: Apache-2.0 */
/* libgcrypt belongs to the whole process: what an application chose for it stays, and where nobody has begun with it,
 * it is made ready once. Each test is a process of its own that has not touched it. Not part of builds without
 * libgcrypt. */
#include <criterion/criterion.h>

#include <gcrypt.h>

#include "base/plat.h"
#include "crypto/context.h"

static bool is_finished(void)
{
    return gcry_control(GCRYCTL_INITIALIZATION_FINISHED_P) != 0;
}

static int generator(void)
{
    int type = 0;
    gcry_control(GCRYCTL_GET_CURRENT_RNG_TYPE, &type);
    return type;
}

static bool has_row(void)
{
    struct nacre_crypto *c = nacre_crypto_open(true);
    bool has = c != NULL && nacre_kex_find(c, span_str("sntrup761x25519-sha512")) != NULL;
    nacre_crypto_unref(c);
    return has;
}

Test(libgcrypt, an_application_that_has_finished_with_it_keeps_its_choices)
{
    cr_assert_not_null(gcry_check_version("1.11.0"));
    gcry_control(GCRYCTL_INIT_SECMEM, 16384, 0);
    gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
    int before = generator();
    cr_assert(has_row());
    cr_expect(is_finished());
    cr_expect_eq(generator(), before);
    void *locked = gcry_malloc_secure(16);
    cr_expect(locked != NULL && gcry_is_secure(locked));
    gcry_free(locked);
}

Test(libgcrypt, an_application_that_has_begun_with_it_finishes_itself)
{
    cr_assert_not_null(gcry_check_version("1.11.0"));
    cr_assert(has_row());
    cr_expect_not(is_finished());
    cr_expect_eq(generator(), GCRY_RNG_TYPE_STANDARD);
    gcry_control(GCRYCTL_INIT_SECMEM, 16384, 0);
    gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
    cr_expect(is_finished());
    void *locked = gcry_malloc_secure(16);
    cr_expect(locked != NULL && gcry_is_secure(locked));
    gcry_free(locked);
}

static void open_one(void *argument)
{
    bool *has = argument;
    *has = has_row();
}

Test(libgcrypt, nobody_else_uses_it_and_many_threads_open_at_once)
{
    enum {
        THREADS = 8
    };
    plat_thread threads[THREADS];
    bool has[THREADS] = {false};
    cr_assert_not(gcry_control(GCRYCTL_ANY_INITIALIZATION_P));
    for (size_t i = 0; i < THREADS; i++)
        cr_assert(nacre_thread_start(&threads[i], open_one, &has[i], "open"));
    for (size_t i = 0; i < THREADS; i++)
        nacre_thread_join(threads[i]);
    for (size_t i = 0; i < THREADS; i++)
        cr_expect(has[i]);
    cr_expect(is_finished());
    cr_expect_eq(generator(), GCRY_RNG_TYPE_SYSTEM);
}

static bool agrees(void)
{
    static struct kex_shared one, two;
    struct nacre_crypto *c = nacre_crypto_open(true);
    const struct kex_alg *alg = nacre_kex_find(c, span_str("sntrup761x25519-sha512"));
    struct buf ours, theirs;
    nacre_buf_init(&ours, KEX_PUBLIC_MAX);
    nacre_buf_init(&theirs, KEX_PUBLIC_MAX);
    struct kex_state *k = alg->ops->start(c, alg, NULL, &ours);
    bool ok = k != NULL && alg->ops->respond(c, alg, buf_span(&ours), &theirs, &two) &&
              alg->ops->finish(k, buf_span(&theirs), &one) &&
              span_eq(span_of(one.bytes, one.len), span_of(two.bytes, two.len));
    alg->ops->free(k);
    nacre_buf_free(&ours);
    nacre_buf_free(&theirs);
    nacre_crypto_unref(c);
    return ok;
}

/* Not finished is usable all the same. */
Test(libgcrypt, both_sides_agree_whoever_made_it_ready)
{
    cr_assert_not_null(gcry_check_version("1.11.0"));
    cr_expect(agrees());
    gcry_control(GCRYCTL_DISABLE_SECMEM, 0);
    gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
    cr_expect(agrees());
}
