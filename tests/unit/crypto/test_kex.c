/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>

#include "base/plat.h"
#include "crypto/kex_agree.h"
#include "unit/crypto/bytes.h"
#include "unit/crypto/fixture.h"

TestSuite(kex, .init = crypto_set_up, .fini = crypto_tear_down);

struct side {
    const struct kex_alg *alg;
    struct kex_state *state;
    struct buf public;
};

static void start(struct side *s, const char *name)
{
    struct kex_group group;
    s->alg = nacre_kex_find(crypto, span_str(name));
    cr_assert_not_null(s->alg, "%s", name);
    cr_assert(!s->alg->asks_group || nacre_kex_group_choose(crypto, KEX_GROUP_RFC3526, 2048, 2048, 8192, &group));
    nacre_buf_init(&s->public, KEX_PUBLIC_MAX);
    s->state = s->alg->ops->start(crypto, s->alg, s->alg->asks_group ? &group : NULL, &s->public);
    cr_assert_not_null(s->state);
}

static void stop(struct side *s)
{
    s->alg->ops->free(s->state);
    nacre_buf_free(&s->public);
}

static bool accepts(struct side *s, const uint8_t *at, size_t len)
{
    static struct kex_shared shared;
    return s->alg->ops->finish(s->state, span_of(at, len), &shared);
}

Test(kex, both_sides_agree_for_every_row)
{
    const char *names = nacre_algs_usable(crypto, ALG_KEX);
    struct span name;
    size_t rows = 0;
    for (; next_name(&names, &name); rows++) {
        static struct kex_shared one, two;
        struct side a, b;
        char text[65] = "";
        memcpy(text, name.at, name.len);
        start(&a, text);
        start(&b, text);
        if (a.alg->ops->respond != NULL) {
            b.public.len = 0;
            cr_assert(b.alg->ops->respond(crypto, b.alg, buf_span(&a.public), &b.public, &two), "%s", text);
        } else {
            cr_assert(b.alg->ops->finish(b.state, buf_span(&a.public), &two), "%s", text);
        }
        cr_assert(a.alg->ops->finish(a.state, buf_span(&b.public), &one), "%s", text);
        cr_expect(one.len == two.len && memcmp(one.bytes, two.bytes, one.len) == 0, "%s", text);
        size_t body = (size_t)one.bytes[2] << 8 | one.bytes[3];
        cr_expect_eq(body + 4, one.len, "%s: K is an mpint, or a string", text);
        cr_expect(a.alg->ops->respond != NULL || (one.bytes[4] & 0x80) == 0, "%s: K is not negative", text);
        cr_expect_not(span_eq(buf_span(&a.public), buf_span(&b.public)), "%s", text);
        stop(&a);
        stop(&b);
    }
    cr_assert_geq(rows, KEX_ROWS - 3, "ML-KEM and sntrup761 are the libraries' to have");
}

/* RFC 7748 section 6.1: Bob's private key and Alice's public one. */
Test(kex, x25519_matches_rfc7748)
{
    static struct kex_shared shared;
    uint8_t private[32], peer[32], own[32];
    size_t len = sizeof own;
    struct side s;
    start(&s, "curve25519-sha256");
    unhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb", private);
    unhex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a", peer);
    EVP_PKEY_free(s.state->own);
    s.state->own = EVP_PKEY_new_raw_private_key_ex(crypto->lib, "X25519", NULL, private, sizeof private);
    cr_assert(EVP_PKEY_get_raw_public_key(s.state->own, own, &len));
    cr_expect(is_hex(own, len, "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"));
    cr_assert(s.alg->ops->finish(s.state, span_of(peer, sizeof peer), &shared));
    cr_expect(
        is_hex(shared.bytes, shared.len, "000000204a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"),
        "K is the secret as a big-endian mpint, RFC 8731 section 3.1");
    stop(&s);
}

/* The points of small order: every secret with them is zero. */
Test(kex, r35_x25519_refuses_points_of_small_order_and_wrong_lengths)
{
    static const char *const points[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    };
    uint8_t point[40] = {0};
    struct side s;
    start(&s, "curve25519-sha256@libssh.org");
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        unhex(points[i], point);
        cr_expect_not(accepts(&s, point, 32), "%s", points[i]);
        point[31] |= 0x80;
        cr_expect_not(accepts(&s, point, 32), "%s with the ignored bit set", points[i]);
    }
    memset(point, 9, sizeof point);
    cr_assert(accepts(&s, point, 32));
    for (size_t len = 0; len <= sizeof point; len++)
        cr_expect_eq(accepts(&s, point, len), len == 32, "%zu bytes", len);
    stop(&s);
}

enum {
    THREADS = 12, /* more than there are keys in store */
    ROUNDS = 40
};

static void exchange_again_and_again(void *argument)
{
    unsigned *agreed = argument;
    for (int i = 0; i < ROUNDS; i++) {
        struct kex_shared one, two;
        struct side a, b;
        start(&a, "curve25519-sha256");
        start(&b, "curve25519-sha256");
        if (a.alg->ops->finish(a.state, buf_span(&b.public), &one) &&
            b.alg->ops->finish(b.state, buf_span(&a.public), &two) && one.len == two.len &&
            memcmp(one.bytes, two.bytes, one.len) == 0)
            (*agreed)++;
        stop(&a);
        stop(&b);
    }
}

/* Key objects of peers are used again: by one thread at a time. */
Test(kex, x25519_agrees_in_many_threads_at_once)
{
    plat_thread threads[THREADS];
    unsigned agreed[THREADS] = {0};
    for (size_t i = 0; i < THREADS; i++)
        cr_assert(nacre_thread_start(&threads[i], exchange_again_and_again, &agreed[i], "kex"));
    for (size_t i = 0; i < THREADS; i++)
        nacre_thread_join(threads[i]);
    for (size_t i = 0; i < THREADS; i++)
        cr_expect_eq(agreed[i], ROUNDS);
}

Test(kex, r35_nist_refuses_what_is_no_uncompressed_point_of_the_curve)
{
    static const char *const names[] = {"ecdh-sha2-nistp256", "ecdh-sha2-nistp384", "ecdh-sha2-nistp521"};
    for (size_t n = 0; n < 3; n++) {
        struct side s, other;
        uint8_t point[140] = {0};
        start(&s, names[n]);
        start(&other, names[n]);
        const size_t size = other.public.len;
        memcpy(point, other.public.at, size);
        cr_assert(accepts(&s, point, size));
        for (size_t len = 0; len < sizeof point; len++)
            cr_expect_eq(accepts(&s, point, len), len == size, "%s, %zu bytes", names[n], len);
        for (unsigned form = 0; form < 256; form++) {
            point[0] = (uint8_t)form;
            cr_expect_eq(accepts(&s, point, size), form == 4, "%s, form %u", names[n], form);
            cr_expect_not(accepts(&s, point, 1 + size / 2), "%s, compressed %u", names[n], form);
        }
        point[0] = 4;
        point[size - 1] ^= 1;
        cr_expect_not(accepts(&s, point, size), "%s, off the curve", names[n]);
        memset(point + 1, 0, size - 1);
        cr_expect_not(accepts(&s, point, size), "%s, zero", names[n]);
        memset(point + 1, 0xff, size - 1);
        cr_expect_not(accepts(&s, point, size), "%s, past the field", names[n]);
        cr_expect_not(accepts(&s, point, 0), "%s, nothing", names[n]);
        stop(&s);
        stop(&other);
    }
}

/* p of the group plus `add`, as the body of an mpint. */
static size_t near_modulus(const struct side *s, long add, uint8_t *out)
{
    BIGNUM *p = NULL;
    cr_assert(EVP_PKEY_get_bn_param(s->state->own, OSSL_PKEY_PARAM_FFC_P, &p));
    cr_assert(add < 0 ? BN_sub_word(p, (BN_ULONG)-add) : BN_add_word(p, (BN_ULONG)add));
    out[0] = 0;
    int len = BN_bn2bin(p, out + 1);
    BN_free(p);
    return (size_t)len + 1;
}

Test(kex, r35_dh_takes_values_between_1_and_p_minus_1_only)
{
    static const char *const names[] = {"diffie-hellman-group14-sha256", "diffie-hellman-group16-sha512",
                                        "diffie-hellman-group1-sha1", "diffie-hellman-group-exchange-sha256"};
    for (size_t n = 0; n < 4; n++) {
        uint8_t e[1100] = {0};
        struct side s;
        start(&s, names[n]);
        cr_expect_not(accepts(&s, e, 0), "zero");
        cr_expect_not(accepts(&s, e, 1), "zero, not minimal");
        cr_expect_not(accepts(&s, (const uint8_t[]){1}, 1), "one");
        cr_expect(accepts(&s, (const uint8_t[]){2}, 1), "two");
        cr_expect_not(accepts(&s, (const uint8_t[]){0, 2}, 2), "two, not minimal");
        cr_expect_not(accepts(&s, (const uint8_t[]){0x82}, 1), "negative");
        cr_expect(accepts(&s, (const uint8_t[]){0, 0x82}, 2), "high bit with its zero");
        for (long add = -3; add <= 3; add++) {
            size_t len = near_modulus(&s, add, e);
            cr_expect_eq(accepts(&s, e, len), add < -1, "%s: p%+ld", names[n], add);
            cr_expect_not(accepts(&s, e + 1, len - 1), "%s: p%+ld without its zero is negative", names[n], add);
        }
        memset(e, 0x7f, sizeof e);
        cr_expect_not(accepts(&s, e, sizeof e), "longer than the modulus");
        cr_expect(accepts(&s, s.public.at, s.public.len), "our own value is in range");
        stop(&s);
    }
}

static unsigned chosen_bits(uint32_t min, uint32_t wanted, uint32_t max)
{
    static struct kex_group group;
    return nacre_kex_group_choose(crypto, KEX_GROUP_RFC3526, min, wanted, max, &group) ? (unsigned)group.p_len * 8 : 0;
}

/* RFC 4419 section 3; RFC 8270 section 3: nothing below 2048 bits. */
Test(kex, group_is_the_smallest_that_is_large_enough)
{
    cr_expect_eq(chosen_bits(1024, 2048, 8192), 2048);
    cr_expect_eq(chosen_bits(2048, 2049, 8192), 3072);
    cr_expect_eq(chosen_bits(2048, 7680, 8192), 8192);
    cr_expect_eq(chosen_bits(2048, 8192, UINT32_MAX), 8192);
    cr_expect_eq(chosen_bits(1024, 1024, 1024), 0);
    cr_expect_eq(chosen_bits(0, 0, 2047), 0);
    cr_expect_eq(chosen_bits(1024, 4000, 4000), 3072, "the largest allowed when none is large enough");
    cr_expect_eq(chosen_bits(16384, 16384, 16384), 0);
    cr_expect_eq(chosen_bits(4096, 2048, 8192), 0, "a contradiction");
    cr_expect_eq(chosen_bits(2048, 8192, 4096), 0, "a contradiction");
}

static bool starts_in(const struct kex_group *group)
{
    const struct kex_alg *alg = nacre_kex_find(crypto, span_str("diffie-hellman-group-exchange-sha1"));
    struct buf public;
    nacre_buf_init(&public, KEX_PUBLIC_MAX);
    struct kex_state *state = alg->ops->start(crypto, alg, group, &public);
    alg->ops->free(state);
    nacre_buf_free(&public);
    return state != NULL;
}

Test(kex, r35_groups_that_give_the_secret_away_are_refused)
{
    static struct kex_group good, bad;
    cr_assert(nacre_kex_group_choose(crypto, KEX_GROUP_RFC3526, 2048, 2048, 2048, &good));
    cr_assert(starts_in(&good));
    cr_expect_not(starts_in(NULL));
    bad = good;
    bad.p[bad.p_len - 1] ^= 1;
    cr_expect_not(starts_in(&bad), "an even modulus");
    bad = good;
    bad.p_len = 128;
    cr_expect_not(starts_in(&bad), "a small modulus");
    for (uint8_t g = 0; g < 2; g++) {
        bad = good;
        bad.g[0] = g;
        cr_expect_not(starts_in(&bad), "generator %u", g);
    }
    bad = good;
    memcpy(bad.g, good.p, good.p_len);
    bad.g_len = good.p_len;
    cr_expect_not(starts_in(&bad), "generator p");
    bad.g[bad.g_len - 1] ^= 1;
    cr_expect_not(starts_in(&bad), "generator p-1");
}

Test(kex, groups_travel)
{
    static struct kex_group group, back;
    static uint8_t bytes[2200];
    cr_assert(nacre_kex_group_choose(crypto, KEX_GROUP_RFC3526, 3072, 3072, 3072, &group));
    struct wr w = wr_over(bytes, sizeof bytes);
    nacre_kex_group_write(&w, &group);
    struct rd r = rd_over(wr_span(&w));
    cr_assert(nacre_kex_group_read(&r, 3072, 3072, &back) && rd_end(&r));
    cr_expect(back.p_len == group.p_len && memcmp(back.p, group.p, group.p_len) == 0 && back.g_len == 1 &&
              back.g[0] == 2);
    r = rd_over(wr_span(&w));
    cr_expect_not(nacre_kex_group_read(&r, 3073, 8192, &back));
    r = rd_over(wr_span(&w));
    cr_expect_not(nacre_kex_group_read(&r, 2048, 3071, &back));
    for (size_t len = 0; len < wr_len(&w); len++) {
        r = rd_over(span_of(bytes, len));
        cr_expect_not(nacre_kex_group_read(&r, 2048, 8192, &back), "%zu bytes", len);
    }
}
