/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "crypto/context.h"
#include "unit/crypto/bytes.h"
#include "unit/crypto/fixture.h"

TestSuite(cipher, .init = crypto_set_up, .fini = crypto_tear_down);

static const struct cipher_alg *find(const char *name)
{
    const struct cipher_alg *alg = nacre_cipher_find(crypto, span_str(name));
    cr_assert_not_null(alg, "%s", name);
    return alg;
}

/* NIST SP 800-38A F.5: the counter and the text are the same for all key sizes. */
Test(cipher, ctr_matches_sp800_38a)
{
    static const struct {
        const char *name, *key, *out;
    } cases[] = {
        {"aes128-ctr", "2b7e151628aed2a6abf7158809cf4f3c",
         "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff"
         "5ae4df3edbd5d35e5b4f09020db03eab1e031dda2fbe03d1792170a0f3009cee"},
        {"aes192-ctr", "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
         "1abc932417521ca24f2b0459fe7e6e0b090339ec0aa6faefd5ccc2c6f4ce8e94"
         "1e36b26bd1ebc670d1bd1d665620abf74f78a7f6d29809585a97daec58c6b050"},
        {"aes256-ctr", "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
         "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5"
         "2b0930daa23de94ce87017ba2d84988ddfc9c58db67aada613c2dd08457941a6"},
    };
    for (size_t i = 0; i < 3; i++) {
        uint8_t key[32], iv[16], text[64];
        unhex(cases[i].key, key);
        unhex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", iv);
        unhex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
              "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
              text);
        const struct cipher_alg *alg = find(cases[i].name);
        struct cipher *x = alg->ops->open(crypto, alg, key, iv, true);
        cr_assert(alg->ops->seal(x, 0, text, 16) && alg->ops->seal(x, 1, text + 16, 48), "the stream goes on");
        cr_expect(is_hex(text, 64, cases[i].out), "%s", cases[i].name);
        alg->ops->close(x);
    }
}

/* draft-ietf-sshm-chacha20-poly1305, appendix: one packet with sequence number 7. */
Test(cipher, chacha20_poly1305_matches_the_known_packet)
{
    uint8_t key[64], packet[76 + 16];
    uint32_t length = 0;
    unhex("8bbff6855fc102338c373e73aac0c914f076a905b2444a32eecaffeae22becc5"
          "e9b7a7a5825a8249346ec1c28301cf394543fc7569887d76e168f37562ac0740",
          key);
    unhex("00000048065e00000000000000384c6f72656d20697073756d20646f6c6f722073697420616d65742c20636f6e7365637465747572"
          "206164697069736963696e6720656c69744e43e804dc6c",
          packet);
    const struct cipher_alg *alg = find("chacha20-poly1305@openssh.com");
    struct cipher *x = alg->ops->open(crypto, alg, key, NULL, true);
    cr_assert(alg->ops->seal(x, 7, packet, 72));
    cr_assert(
        is_hex(packet, sizeof packet,
               "2c3ecce4a5bc05895bf07a7ba956b6c68829ac7c83b780b7000ecde745afc705bbc378ce03a280236b87b53bed58396623"
               "02b164b6286a48cd1e097138e3cb909b8b2b829dd18d2a35ff82d995349e855bf02c298ef775f2d1a7e8b8"));
    cr_assert(alg->ops->length(x, 7, packet, &length));
    cr_assert_eq(length, 72);
    alg->ops->close(x);
}

/* Short packets are sealed in another way than long ones, to the same stream: each is the beginning of the longest. */
Test(cipher, chacha20_poly1305_is_one_stream_at_every_length)
{
    enum {
        LONGEST = 640
    };
    uint8_t key[64] = {7, 8, 9}, longest[4 + LONGEST + 16] = {0}, packet[sizeof longest];
    const struct cipher_alg *alg = find("chacha20-poly1305@openssh.com");
    struct cipher *out = alg->ops->open(crypto, alg, key, NULL, true),
                  *in = alg->ops->open(crypto, alg, key, NULL, false);
    cr_assert(alg->ops->seal(out, 3, longest, LONGEST));
    for (size_t len = 1; len <= LONGEST; len++) {
        memset(packet, 0, sizeof packet);
        cr_assert(alg->ops->seal(out, 3, packet, len));
        cr_assert(memcmp(packet, longest, 4 + len) == 0, "%zu", len);
        packet[4 + len] ^= 1;
        cr_assert_not(alg->ops->open_packet(in, 3, packet, len), "%zu", len);
        packet[4 + len] ^= 1;
        cr_assert(alg->ops->open_packet(in, 3, packet, len), "%zu", len);
        for (size_t i = 0; i < len; i++)
            cr_assert_eq(packet[4 + i], 0, "%zu at %zu", len, i);
    }
    alg->ops->close(out);
    alg->ops->close(in);
}

/* libsodium takes the short ones where it is there. */
Test(cipher, chacha20_poly1305_is_the_same_by_either_library)
{
    enum {
        LONGEST = 640
    };
    uint8_t key[64] = {1, 2, 3}, first[4 + LONGEST + 16], second[sizeof first];
    const struct cipher_alg *alg = find("chacha20-poly1305@openssh.com");
    struct cipher *x = alg->ops->open(crypto, alg, key, NULL, true);
    const bool sodium = crypto->sodium;
    if (!sodium)
        cr_skip_test("there is only one");
    for (size_t len = 1; len <= LONGEST; len++) {
        uint32_t length = 0, again = 0, seq = (uint32_t)len << 21 | 5;
        memset(first, (int)len, sizeof first);
        memset(second, (int)len, sizeof second);
        cr_assert(alg->ops->seal(x, seq, first, len));
        cr_assert(alg->ops->length(x, seq, first, &length));
        crypto->sodium = false;
        cr_assert(alg->ops->seal(x, seq, second, len));
        cr_assert(memcmp(first, second, sizeof first) == 0, "%zu", len);
        cr_assert(alg->ops->length(x, seq, first, &again));
        cr_assert_eq(length, again);
        first[len / 2] ^= 4;
        cr_assert_not(alg->ops->open_packet(x, seq, first, len), "%zu", len);
        first[len / 2] ^= 4;
        cr_assert(alg->ops->open_packet(x, seq, first, len), "%zu", len);
        crypto->sodium = sodium;
        second[len / 2] ^= 4;
        cr_assert_not(alg->ops->open_packet(x, seq, second, len), "%zu", len);
        second[len / 2] ^= 4;
        cr_assert(alg->ops->open_packet(x, seq, second, len), "%zu", len);
        for (size_t i = 4; i < 4 + len; i++)
            cr_assert(first[i] == (uint8_t)len && second[i] == (uint8_t)len, "%zu at %zu", len, i);
    }
    alg->ops->close(x);
}

/* GHASH bit by bit, NIST SP 800-38D algorithm 1. */
static void gf_mul(uint8_t x[16], const uint8_t h[16])
{
    uint8_t z[16] = {0}, v[16];
    memcpy(v, h, 16);
    for (int i = 0; i < 128; i++) {
        if (x[i / 8] >> (7 - i % 8) & 1) {
            for (int j = 0; j < 16; j++)
                z[j] ^= v[j];
        }
        bool low = v[15] & 1;
        for (int j = 15; j > 0; j--)
            v[j] = (uint8_t)(v[j] >> 1 | v[j - 1] << 7);
        v[0] = (uint8_t)(v[0] >> 1 ^ (low ? 0xe1 : 0));
    }
    memcpy(x, z, 16);
}

static void ghash(uint8_t state[16], const uint8_t h[16], const uint8_t *at, size_t len)
{
    for (size_t i = 0; i < len; i += 16) {
        for (size_t j = 0; j < 16 && i + j < len; j++)
            state[j] ^= at[i + j];
        gf_mul(state, h);
    }
}

/* Our counter mode takes whole blocks; what the last one has too much is thrown away. */
static void ctr_once(const char *name, const uint8_t *key, const uint8_t iv[16], uint8_t *at, size_t len)
{
    const struct cipher_alg *alg = find(name);
    struct cipher *x = alg->ops->open(crypto, alg, key, iv, true);
    uint8_t blocks[128] = {0};
    cr_assert(len <= sizeof blocks);
    memcpy(blocks, at, len);
    cr_assert(alg->ops->seal(x, 0, blocks, (len + 15) / 16 * 16));
    memcpy(at, blocks, len);
    alg->ops->close(x);
}

/* GCM is counter mode and GHASH; both are computed apart and put together as SP 800-38D section 7.1 says, with the
 * nonce of RFC 5647 section 7.1 over three packets. */
static void check_gcm(const char *gcm, const char *ctr)
{
    uint8_t key[32], iv[12] = {9, 8, 7, 6, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe};
    for (size_t i = 0; i < sizeof key; i++)
        key[i] = (uint8_t)(i * 7 + 1);
    const struct cipher_alg *alg = find(gcm);
    struct cipher *x = alg->ops->open(crypto, alg, key, iv, true);
    for (int n = 0; n < 3; n++) {
        uint8_t packet[4 + 48 + 16] = {0, 0, 0, 48}, want[48], h[16] = {0}, zero[16] = {0}, count[16] = {0},
                                tag[16] = {0};
        uint8_t lengths[16] = {[7] = 32, [14] = 48 * 8 >> 8, [15] = (48 * 8) & 0xff};
        memset(packet + 4, 'a' + n, 48);
        memcpy(want, packet + 4, 48);
        memcpy(count, iv, 12);
        for (int i = 11, carry = n; i >= 4; i--, carry >>= 8) {
            carry += count[i];
            count[i] = (uint8_t)carry;
        }
        count[15] = 2;
        ctr_once(ctr, key, count, want, 48);
        ctr_once(ctr, key, zero, h, 16);
        ghash(tag, h, packet, 4);
        ghash(tag, h, want, 48);
        ghash(tag, h, lengths, 16);
        count[15] = 1;
        ctr_once(ctr, key, count, tag, 16);
        cr_assert(alg->ops->seal(x, 0, packet, 48));
        cr_expect(memcmp(packet + 4, want, 48) == 0, "%s text %d", gcm, n);
        cr_expect(memcmp(packet + 52, tag, 16) == 0, "%s tag %d", gcm, n);
    }
    alg->ops->close(x);
}

/* Test cases 4 and 16 of the specification of GCM (McGrew and Viega; in NIST's validation suite): the two halves as
 * they are used here make the published text and tag, so what check_gcm() compares with is GCM. SSH itself never has 20
 * bytes of associated data, nor that nonce. */
Test(cipher, counter_mode_and_ghash_make_the_published_gcm)
{
    static const struct {
        const char *ctr, *key, *out, *tag;
    } cases[] = {{"aes128-ctr", "feffe9928665731c6d6a8f9467308308",
                  "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa05"
                  "1ba30b396a0aac973d58e091",
                  "5bc94fbc3221a5db94fae95ae7121a47"},
                 {"aes256-ctr", "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
                  "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838"
                  "c5f61e6393ba7a0abcc9f662",
                  "76fc6ece0f4e1768cddf8853bb2d551b"}};
    for (size_t i = 0; i < 2; i++) {
        uint8_t key[32], text[64] = {0}, data[20], h[16] = {0}, zero[16] = {0}, tag[16] = {0}, count[16] = {[15] = 2};
        uint8_t lengths[16] = {[7] = 20 * 8, [14] = 60 * 8 >> 8, [15] = (60 * 8) & 0xff};
        unhex(cases[i].key, key);
        unhex("cafebabefacedbaddecaf888", count);
        unhex("feedfacedeadbeeffeedfacedeadbeefabaddad2", data);
        unhex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5"
              "aa0de657ba637b39",
              text);
        ctr_once(cases[i].ctr, key, count, text, 60);
        cr_expect(is_hex(text, 60, cases[i].out), "%s", cases[i].ctr);
        ctr_once(cases[i].ctr, key, zero, h, 16);
        ghash(tag, h, data, 20);
        ghash(tag, h, text, 60);
        ghash(tag, h, lengths, 16);
        count[15] = 1;
        ctr_once(cases[i].ctr, key, count, tag, 16);
        cr_expect(is_hex(tag, 16, cases[i].tag), "%s", cases[i].ctr);
    }
}

Test(cipher, gcm_is_counter_mode_and_ghash)
{
    check_gcm("aes128-gcm@openssh.com", "aes128-ctr");
    check_gcm("aes256-gcm@openssh.com", "aes256-ctr");
}

enum {
    BODY = 32
};

static struct cipher *open_with(const struct cipher_alg *alg, bool seal)
{
    static const uint8_t key[64] = {1, 2, 3}, iv[16] = {4, 5};
    return alg->ops->open(crypto, alg, key, iv, seal);
}

static void make_packet(const struct cipher_alg *alg, uint32_t seq, uint8_t packet[4 + BODY + 16])
{
    struct cipher *x = open_with(alg, true);
    memset(packet, 0, 4);
    packet[3] = BODY;
    memset(packet + 4, 'x', BODY);
    cr_assert(alg->ops->seal(x, seq, packet, BODY));
    alg->ops->close(x);
}

static bool opens(const struct cipher_alg *alg, uint32_t seq, const uint8_t packet[4 + BODY + 16])
{
    uint8_t copy[4 + BODY + 16];
    memcpy(copy, packet, sizeof copy);
    struct cipher *x = open_with(alg, false);
    bool ok = alg->ops->open_packet(x, seq, copy, BODY);
    alg->ops->close(x);
    return ok && copy[4] == 'x' && memcmp(copy + 4, copy + 5, BODY - 1) == 0;
}

Test(cipher, aead_refuses_every_flipped_bit)
{
    const char *names = nacre_algs_usable(crypto, ALG_CIPHER);
    struct span name;
    while (next_name(&names, &name)) {
        const struct cipher_alg *alg = nacre_cipher_find(crypto, name);
        uint8_t packet[4 + BODY + 16];
        if (alg->tag_len == 0)
            continue;
        make_packet(alg, 3, packet);
        cr_assert(opens(alg, 3, packet), "%s", alg->name);
        for (size_t bit = 0; bit < sizeof packet * 8; bit++) {
            packet[bit / 8] ^= (uint8_t)(1 << bit % 8);
            cr_expect_not(opens(alg, 3, packet), "%s bit %zu", alg->name, bit);
            packet[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
}

Test(cipher, chacha20_poly1305_refuses_another_sequence_number)
{
    const struct cipher_alg *alg = find("chacha20-poly1305@openssh.com");
    uint8_t packet[4 + BODY + 16];
    make_packet(alg, 3, packet);
    cr_expect_not(opens(alg, 2, packet));
    cr_expect_not(opens(alg, 4, packet));
    cr_expect_not(opens(alg, 3 + (1U << 31), packet));
}

Test(cipher, gcm_refuses_a_packet_that_comes_twice_or_late)
{
    const struct cipher_alg *alg = find("aes256-gcm@openssh.com");
    uint8_t first[4 + BODY + 16], copy[4 + BODY + 16];
    make_packet(alg, 0, first);
    struct cipher *x = open_with(alg, false);
    memcpy(copy, first, sizeof copy);
    cr_assert(alg->ops->open_packet(x, 0, copy, BODY));
    memcpy(copy, first, sizeof copy);
    cr_assert_not(alg->ops->open_packet(x, 1, copy, BODY));
    alg->ops->close(x);
}

Test(cipher, length_neither_changes_bytes_nor_disturbs_the_packet)
{
    const char *names = nacre_algs_usable(crypto, ALG_CIPHER);
    struct span name;
    while (next_name(&names, &name)) {
        const struct cipher_alg *alg = nacre_cipher_find(crypto, name);
        cr_assert_eq(alg->ops->length != NULL, alg->tag_len != 0);
        if (alg->tag_len == 0)
            continue;
        struct cipher *out = open_with(alg, true), *in = open_with(alg, false);
        for (uint32_t seq = 0; seq < 5; seq++) {
            uint8_t packet[4 + BODY + 16] = {0, 0, 0, BODY}, before[4];
            uint32_t length = 0;
            cr_assert(alg->ops->seal(out, seq, packet, BODY));
            memcpy(before, packet, 4);
            for (int i = 0; i < 3; i++)
                cr_assert(alg->ops->length(in, seq, packet, &length) && length == BODY);
            cr_assert(memcmp(before, packet, 4) == 0);
            cr_assert(alg->ops->open_packet(in, seq, packet, BODY), "%s %u", alg->name, seq);
            cr_assert_eq(packet[4 + BODY - 1], 0);
        }
        alg->ops->close(out);
        alg->ops->close(in);
    }
}
