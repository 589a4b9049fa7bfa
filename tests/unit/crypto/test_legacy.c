/* SPDX-License-Identifier: Apache-2.0 */
/* Ciphers and MACs for old peers, against published vectors. */
#include <criterion/criterion.h>

#include "unit/crypto/bytes.h"
#include "unit/crypto/fixture.h"

TestSuite(legacy, .init = crypto_set_up, .fini = crypto_tear_down);

/* Encrypts `at` in two steps, which must not matter, and decrypts it again in two others. NULL when this build lacks
 * the cipher. */
static bool run(const char *name, const char *key_text, const char *iv_text, uint8_t *at, size_t len, const char *want)
{
    uint8_t key[32] = {0}, iv[16] = {0}, plain[64];
    const struct cipher_alg *alg = nacre_cipher_find(crypto, span_str(name));
    if (alg == NULL)
        return false;
    unhex(key_text, key);
    unhex(iv_text, iv);
    memcpy(plain, at, len);
    struct cipher *out = alg->ops->open(crypto, alg, key, iv, true), *in = alg->ops->open(crypto, alg, key, iv, false);
    cr_assert(out != NULL && in != NULL, "%s", name);
    size_t first = alg->block_len;
    cr_assert(alg->ops->seal(out, 0, at, first) && alg->ops->seal(out, 1, at + first, len - first), "%s", name);
    cr_expect(is_hex(at, len, want), "%s", name);
    cr_assert(alg->ops->open_packet(in, 0, at, len - first) && alg->ops->open_packet(in, 1, at + len - first, first));
    cr_expect(memcmp(at, plain, len) == 0, "%s comes back", name);
    alg->ops->close(out);
    alg->ops->close(in);
    return true;
}

/* NIST SP 800-38A F.2. */
Test(legacy, aes_cbc_matches_sp800_38a)
{
    static const struct {
        const char *name, *key, *out;
    } cases[] = {
        {"aes128-cbc", "2b7e151628aed2a6abf7158809cf4f3c",
         "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2"
         "73bed6b8e3c1743b7116e69e222295163ff1caa1681fac09120eca307586e1a7"},
        {"aes192-cbc", "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
         "4f021db243bc633d7178183a9fa071e8b4d9ada9ad7dedf4e5e738763f69145a"
         "571b242012fb7ae07fa9baac3df102e008b0e27988598881d920a9e64f5615cd"},
        {"aes256-cbc", "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
         "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d"
         "39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b"},
    };
    for (size_t i = 0; i < 3; i++) {
        uint8_t text[64];
        unhex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
              "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
              text);
        cr_assert(run(cases[i].name, cases[i].key, "000102030405060708090a0b0c0d0e0f", text, 64, cases[i].out));
    }
}

static const char des_key[] = "0123456789abcdef23456789abcdef01456789abcdef0123";

/* NIST SP 800-67 appendix B.1 has three blocks on their own; chaining turns each into the next one's vector. */
Test(legacy, des3_cbc_matches_sp800_67)
{
    static const char *const blocks[][2] = {{"5468652071756663", "a826fd8ce53b855f"},
                                            {"6b2062726f776e20", "cce21c8112256fe6"},
                                            {"666f78206a756d70", "68d5c05dd9b6b900"}};
    uint8_t text[24], previous[8] = {0};
    for (size_t i = 0; i < 3; i++) {
        unhex(blocks[i][0], text + 8 * i);
        for (size_t j = 0; j < 8; j++)
            text[8 * i + j] ^= previous[j];
        unhex(blocks[i][1], previous);
    }
    cr_assert(
        run("3des-cbc", des_key, "0000000000000000", text, 24, "a826fd8ce53b855fcce21c8112256fe668d5c05dd9b6b900"));
}

/* RFC 4344 section 4: the key stream is the encryption of a counter that goes up by one, past the end of a byte and
 * past all ones. CBC of one block with a zero vector is the block cipher itself. */
Test(legacy, des3_ctr_encrypts_a_counter)
{
    const struct cipher_alg *ctr = nacre_cipher_find(crypto, span_str("3des-ctr"));
    const struct cipher_alg *cbc = nacre_cipher_find(crypto, span_str("3des-cbc"));
    uint8_t key[24], zero[8] = {0}, iv[8] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0xf0}, text[8 * 700] = {0};
    unhex(des_key, key);
    struct cipher *x = ctr->ops->open(crypto, ctr, key, iv, true);
    cr_assert(ctr->ops->seal(x, 0, text, 8) && ctr->ops->seal(x, 1, text + 8, sizeof text - 16) &&
              ctr->ops->seal(x, 2, text + sizeof text - 8, 8));
    ctr->ops->close(x);
    uint64_t counter = UINT64_C(0xfffffffffffffef0);
    for (size_t i = 0; i < sizeof text / 8; i++, counter++) {
        uint8_t block[8];
        for (size_t j = 0; j < 8; j++)
            block[j] = (uint8_t)(counter >> (56 - 8 * j));
        struct cipher *once = cbc->ops->open(crypto, cbc, key, zero, true);
        cr_assert(cbc->ops->seal(once, 0, block, 8));
        cbc->ops->close(once);
        cr_assert(memcmp(block, text + 8 * i, 8) == 0, "block %zu", i);
    }
}

/* The text "7654321 Now is the time for " of Blowfish's own test program; RFC 2144 appendix B.1. */
Test(legacy, blowfish_and_cast_match_their_authors)
{
    uint8_t text[32] = "7654321 Now is the time for ", block[8], twice[16];
    (void)run("blowfish-cbc", "0123456789abcdeff0e1d2c3b4a59687", "fedcba9876543210", text, 32,
              "6b77b4d63006dee605b156e27403979358deb9e7154616d959f1652bd5ff92cc");
    unhex("0123456789abcdef", block);
    memcpy(twice, block, 8);
    unhex("238b4fe5847e44b2", twice + 8);
    for (size_t i = 0; i < 8; i++)
        twice[8 + i] ^= block[i];
    (void)run("cast128-cbc", "0123456712345678234567893456789a", "0000000000000000", twice, 16,
              "238b4fe5847e44b2238b4fe5847e44b2");
}

/* RFC 6229: the streams of the keys 01 02 03 ... from byte 0 and from byte 1536 on. */
Test(legacy, arcfour_matches_rfc6229)
{
    uint8_t text[32] = {0};
    (void)run("arcfour", "0102030405060708090a0b0c0d0e0f10", "", text, 32,
              "9ac7cc9a609d1ef7b2932899cde41b975248c4959014126a6e8a84f11d1a9e1c");
    memset(text, 0, sizeof text);
    (void)run("arcfour128", "0102030405060708090a0b0c0d0e0f10", "", text, 32,
              "ffa0b514647ec04f6306b892ae6611810ee284558a70e8fb861fd23f9ce01a66");
    memset(text, 0, sizeof text);
    (void)run("arcfour256", "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20", "", text, 32,
              "3e34135c79db010200767651cf2630735f81980cb7138e377c0bc405858042c3");
}

/* The sequence number stands in front: the first four bytes of the published text are given as one. */
static void check_hmac(const char *name, const char *key_text, const char *text, const char *want)
{
    uint8_t key[64] = {0}, tag[MAC_MAX];
    const uint8_t *t = (const uint8_t *)text;
    const struct mac_alg *alg = nacre_mac_find(crypto, span_str(name));
    if (alg == NULL)
        return;
    memset(tag, 0xee, sizeof tag);
    memcpy(key, key_text, strlen(key_text)); /* HMAC fills a short key up with zeros, too */
    struct mac *m = alg->ops->open(crypto, alg, key);
    uint32_t seq = (uint32_t)t[0] << 24 | (uint32_t)t[1] << 16 | (uint32_t)t[2] << 8 | t[3];
    cr_assert(alg->ops->sum(m, seq, t + 4, strlen(text) - 4, tag));
    cr_expect(is_hex(tag, alg->tag_len, want), "%s", name);
    cr_expect_eq(tag[alg->tag_len], 0xee, "%s writes no more than its tag", name);
    alg->ops->close(m);
}

/* RFC 2202 and RFC 2286, cases 1 and 2; the -96 ones are the first 12 bytes (RFC 2104 section 5). */
Test(legacy, hmac_matches_rfc2202_and_rfc2286)
{
    static const char key1[] = "\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b";
    static const char text2[] = "what do ya want for nothing?";
    check_hmac("hmac-md5", "\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b", "Hi There",
               "9294727a3638bb1c13f48ef8158bfc9d");
    check_hmac("hmac-md5", "Jefe", text2, "750c783e6ab0b503eaa86e310a5db738");
    check_hmac("hmac-md5-96", "Jefe", text2, "750c783e6ab0b503eaa86e31");
    check_hmac("hmac-sha1", key1, "Hi There", "b617318655057264e28bc0b6fb378c8ef146be00");
    check_hmac("hmac-sha1", "Jefe", text2, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
    check_hmac("hmac-sha1-96", "Jefe", text2, "effcdf6ae5eb2fa2d27416d5");
    check_hmac("hmac-ripemd160", key1, "Hi There", "24cb4bd67d20fc1a5d2ed7732dcc39377f0a5668");
    check_hmac("hmac-ripemd160", "Jefe", text2, "dda6c0213a485a9e24f4742064a7f033b43c4069");
    check_hmac("hmac-ripemd160-96", "Jefe", text2, "dda6c0213a485a9e24f47420");
    check_hmac("hmac-sha2-256-96", "Jefe", text2, "5bdcc146bf60754e6a042426");
    check_hmac("hmac-sha2-512-96", "Jefe", text2, "164b7a7bfcf819e2e395fbe7");
}

static const uint8_t umac_key[] = "abcdefghijklmnop";

static void aes_block(const uint8_t *key, const uint8_t in[16], uint8_t out[16])
{
    const struct cipher_alg *alg = nacre_cipher_find(crypto, span_str("aes128-ctr"));
    struct cipher *x = alg->ops->open(crypto, alg, key, in, true);
    memset(out, 0, 16);
    cr_assert(alg->ops->seal(x, 0, out, 16));
    alg->ops->close(x);
}

/* RFC 4418 section 3.3.1: what a nonce adds to the hash of the text. */
static void umac_pad(const uint8_t nonce[8], size_t tag_len, uint8_t *pad)
{
    static const uint8_t first[16] = {[15] = 1};
    uint8_t key[16], block[16] = {0}, out[16];
    aes_block(umac_key, first, key);
    memcpy(block, nonce, 8);
    size_t index = tag_len == 8 ? nonce[7] % 2 : 0;
    block[7] = (uint8_t)(block[7] ^ index);
    aes_block(key, block, out);
    memcpy(pad, out + index * 8, tag_len);
}

/* The vectors of RFC 4418 appendix A have the nonce "bcdefghi", which no sequence number gives: its pad is taken off
 * and that of the number put on. */
static void check_umac(const char *name, const char *piece, size_t times, const char *vector)
{
    static const uint32_t numbers[] = {0, 1, 2, 0x01020305, UINT32_MAX};
    static uint8_t text[32768];
    const struct mac_alg *alg = nacre_mac_find(crypto, span_str(name));
    if (alg == NULL)
        return;
    size_t len = strlen(piece) * times;
    for (size_t i = 0; i < len; i++)
        text[i] = (uint8_t)piece[i % strlen(piece)];
    struct mac *m = alg->ops->open(crypto, alg, umac_key);
    for (size_t n = 0; n < sizeof numbers / sizeof *numbers; n++) {
        uint8_t want[16], theirs[16], ours[16], tag[MAC_MAX], nonce[8] = {0};
        for (size_t i = 0; i < 4; i++)
            nonce[4 + i] = (uint8_t)(numbers[n] >> (24 - 8 * i));
        cr_assert_eq(unhex(vector, want), alg->tag_len);
        umac_pad((const uint8_t *)"bcdefghi", alg->tag_len, theirs);
        umac_pad(nonce, alg->tag_len, ours);
        for (size_t i = 0; i < alg->tag_len; i++)
            want[i] ^= (uint8_t)(theirs[i] ^ ours[i]);
        cr_assert(alg->ops->sum(m, numbers[n], text, len, tag));
        cr_expect(memcmp(tag, want, alg->tag_len) == 0, "%s, %zu bytes, number %u", name, len, numbers[n]);
    }
    alg->ops->close(m);
}

Test(legacy, umac_matches_rfc4418)
{
    check_umac("umac-64@openssh.com", "a", 0, "6e155fad26900be1");
    check_umac("umac-64@openssh.com", "a", 3, "44b5cb542f220104");
    check_umac("umac-64@openssh.com", "a", 1024, "26bf2f5d60118bd9");
    check_umac("umac-64@openssh.com", "a", 32768, "27f8ef643b0d118d");
    check_umac("umac-64@openssh.com", "abc", 1, "d4d7b9f6bd4fbfcf");
    check_umac("umac-64-etm@openssh.com", "abc", 500, "d4cf26ddefd5c01a");
    check_umac("umac-128@openssh.com", "a", 0, "32fedb100c79ad58f07ff7643cc60465");
    check_umac("umac-128@openssh.com", "a", 3, "185e4fe905cba7bd85e4c2dc3d117d8d");
    check_umac("umac-128-etm@openssh.com", "a", 1024, "7a54abe04af82d60fb298c3cbd195bcb");
    check_umac("umac-128@openssh.com", "abc", 1, "883c3d4b97a61976ffcf232308cba5a5");
}

/* What is missing is missing as a whole: no name without a working row. */
Test(legacy, every_listed_row_opens)
{
    static const uint8_t key[128] = {1};
    const char *names = nacre_algs_usable(crypto, ALG_CIPHER);
    struct span name;
    while (next_name(&names, &name)) {
        const struct cipher_alg *alg = nacre_cipher_find(crypto, name);
        struct cipher *x = alg->ops->open(crypto, alg, key, key, true);
        cr_expect_not_null(x, "%s", alg->name);
        alg->ops->close(x);
    }
    names = nacre_algs_usable(crypto, ALG_MAC);
    while (next_name(&names, &name)) {
        const struct mac_alg *alg = nacre_mac_find(crypto, name);
        struct mac *m = alg->ops->open(crypto, alg, key);
        cr_expect_not_null(m, "%s", alg->name);
        alg->ops->close(m);
    }
}
