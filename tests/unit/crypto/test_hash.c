/* SPDX-License-Identifier: Apache-2.0 */
/* Hashes, MACs, key derivation, compression, and the context that holds them. */
#include <criterion/criterion.h>

#include "unit/crypto/bytes.h"
#include "unit/crypto/fixture.h"

TestSuite(hash, .init = crypto_set_up, .fini = crypto_tear_down);

/* FIPS 180-4's "abc". */
Test(hash, digests_match_published_values)
{
    uint8_t out[HASH_MAX];
    const struct span parts[] = {span_str("a"), span_of(NULL, 0), span_str("bc")};
    cr_assert(nacre_hash(crypto, HASH_SHA256, parts, 3, out));
    cr_expect(is_hex(out, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
    cr_assert(nacre_hash(crypto, HASH_SHA384, parts, 3, out));
    cr_expect(is_hex(
        out, 48, "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7"));
    cr_assert(nacre_hash(crypto, HASH_SHA512, parts, 3, out));
    cr_expect(is_hex(out, 64,
                     "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                     "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"));
    cr_expect_not(nacre_hash(crypto, HASH_COUNT, parts, 3, out));
    cr_expect_eq(out[0], 0);
}

/* The sequence number stands in front: the first four bytes of the published text are given as one. */
static void check_hmac(const char *name, const char *key_text, const char *text, const char *want)
{
    uint8_t key[64] = {0}, tag[MAC_MAX];
    const struct mac_alg *alg = nacre_mac_find(crypto, span_str(name));
    const uint8_t *t = (const uint8_t *)text;
    cr_assert_not_null(alg);
    memcpy(key, key_text, strlen(key_text)); /* HMAC fills a short key up with zeros, too */
    struct mac *m = alg->ops->open(crypto, alg, key);
    uint32_t seq = (uint32_t)t[0] << 24 | (uint32_t)t[1] << 16 | (uint32_t)t[2] << 8 | t[3];
    for (int i = 0; i < 3; i++) {
        cr_assert(alg->ops->sum(m, seq, t + 4, strlen(text) - 4, tag));
        cr_expect(is_hex(tag, alg->tag_len, want), "%s, use %d", name, i);
        cr_assert(alg->ops->sum(m, seq + 1, t + 4, strlen(text) - 4, tag));
        cr_expect_not(is_hex(tag, alg->tag_len, want), "%s: the sequence number counts", name);
    }
    alg->ops->close(m);
}

/* RFC 4231 sections 4.2 and 4.3. */
Test(hash, hmac_matches_rfc4231)
{
    static const char key1[] = "\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b";
    static const char text2[] = "what do ya want for nothing?";
    static const char one[] = "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7";
    static const char two[] = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    static const char three[] = "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
                                "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854";
    static const char four[] = "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
                               "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737";
    check_hmac("hmac-sha2-256", key1, "Hi There", one);
    check_hmac("hmac-sha2-256-etm@openssh.com", "Jefe", text2, two);
    check_hmac("hmac-sha2-512-etm@openssh.com", key1, "Hi There", three);
    check_hmac("hmac-sha2-512", "Jefe", text2, four);
}

/* RFC 4253 section 7.2, written down a second time: HASH(K || H || letter || id), then HASH(K || H || all so far). */
Test(hash, kdf_extends_as_rfc4253_says)
{
    const struct span k = span_str("\x01shared"), h = span_str("exchange hash"), id = span_str("session");
    for (enum hash_id hash = HASH_SHA256; hash <= HASH_SHA512; hash++) {
        const size_t size = nacre_hash_size(hash);
        uint8_t want[3 * HASH_MAX], got[3 * HASH_MAX];
        const struct span one[] = {k, h, span_str("C"), id};
        cr_assert(nacre_hash(crypto, hash, one, 4, want));
        const struct span two[] = {k, h, span_of(want, size)};
        cr_assert(nacre_hash(crypto, hash, two, 3, want + size));
        const struct span three[] = {k, h, span_of(want, 2 * size)};
        cr_assert(nacre_hash(crypto, hash, three, 3, want + 2 * size));
        for (size_t need = 0; need <= 2 * size + 1; need++) {
            memset(got, 0xee, sizeof got);
            cr_assert(nacre_kdf(crypto, hash, k, h, 'C', id, got, need));
            cr_assert(memcmp(got, want, need) == 0, "%zu bytes", need);
            cr_assert_eq(got[need], 0xee, "nothing is written past %zu", need);
        }
    }
    uint8_t none[8];
    cr_expect_not(nacre_kdf(crypto, HASH_COUNT, k, h, 'A', id, none, sizeof none));
}

Test(hash, random_bytes_differ)
{
    uint8_t a[32] = {0}, b[32] = {0};
    cr_assert(nacre_random(crypto, a, sizeof a) && nacre_random(crypto, b, sizeof b));
    cr_expect(memcmp(a, b, sizeof a) != 0);
    cr_expect(nacre_random(crypto, a, 0));
}

Test(hash, both_kinds_of_context_offer_the_same_rows)
{
    struct nacre_crypto *system = nacre_crypto_open(false);
    cr_assert_not_null(system);
    for (enum alg_kind kind = ALG_KEX; kind < ALG_KINDS; kind++)
        cr_expect_str_eq(nacre_algs_usable(system, kind), nacre_algs_usable(crypto, kind));
    cr_expect_null(nacre_kex_find(system, span_str("curve25519-sha25")));
    cr_expect_null(nacre_sig_find(system, span_str("ssh-rs")));
    cr_expect_null(nacre_mac_find(system, span_of(NULL, 0)));
    nacre_crypto_unref(system);
}

static void compress(const struct comp_alg *alg, struct comp *z, struct span in, struct buf *out)
{
    out->len = 0;
    cr_assert(alg->ops->run(z, in, out));
}

Test(hash, zlib_packets_come_out_whole_each)
{
    const struct comp_alg *alg = nacre_comp_find(crypto, span_str("zlib@openssh.com"));
    cr_assert(alg != NULL && alg->delayed);
    static uint8_t text[40000];
    struct comp *in = alg->ops->open(false), *out = alg->ops->open(true);
    struct buf packed, plain;
    nacre_buf_init(&packed, 65536);
    nacre_buf_init(&plain, sizeof text);
    for (size_t len = 1; len <= sizeof text; len = len * 3 + 1) {
        for (size_t i = 0; i < len; i++)
            text[i] = (uint8_t)(i * i >> 3);
        compress(alg, out, span_of(text, len), &packed);
        compress(alg, in, buf_span(&packed), &plain);
        cr_assert(span_eq(buf_span(&plain), span_of(text, len)), "%zu", len);
    }
    /* Exactly as much as the buffer may hold still passes. */
    compress(alg, out, span_of(text, sizeof text), &packed);
    compress(alg, in, buf_span(&packed), &plain);
    cr_assert_eq(plain.len, sizeof text);
    nacre_buf_free(&packed);
    nacre_buf_free(&plain);
    alg->ops->close(in);
    alg->ops->close(out);
}

Test(hash, r13_what_inflates_past_the_maximum_is_refused)
{
    const struct comp_alg *alg = nacre_comp_find(crypto, span_str("zlib"));
    static uint8_t zeros[1 << 20];
    struct comp *in = alg->ops->open(false), *out = alg->ops->open(true);
    struct buf packed, plain;
    nacre_buf_init(&packed, 65536);
    nacre_buf_init(&plain, 35000);
    compress(alg, out, span_of(zeros, sizeof zeros), &packed);
    cr_assert_not(alg->ops->run(in, buf_span(&packed), &plain));
    cr_assert_leq(plain.room, 35000);
    alg->ops->close(in);
    in = alg->ops->open(false);
    plain.len = 0;
    cr_assert_not(alg->ops->run(in, span_str("this is no zlib stream"), &plain));
    nacre_buf_free(&packed);
    nacre_buf_free(&plain);
    alg->ops->close(in);
    alg->ops->close(out);
}
