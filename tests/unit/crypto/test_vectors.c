/* SPDX-License-Identifier: Apache-2.0 */
/* Published vectors of the primitives, besides those that stand with the tests of their files; docs/ALGORITHMS.md lists
 * which primitive has which. They go through our own rows, so that what we put around the library is proved with it. */
#include <criterion/criterion.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>

#include "crypto/context.h"
#include "crypto/kex_agree.h"
#include "unit/crypto/bytes.h"
#include "unit/crypto/fixture.h"
#include "wire/mpint.h"
#include "wire/wr.h"

TestSuite(vectors, .init = crypto_set_up, .fini = crypto_tear_down);

/* ---- hashes ------------------------------------------------------------------------------------------------------ */

/* FIPS 180-4 (RFC 6234 section 8.5), RFC 1321 appendix A.5, and RIPEMD-160's authors: "abc" and a million times "a". */
Test(vectors, digests)
{
    static const struct {
        enum hash_id id;
        const char *abc, *million;
    } cases[] = {
        {HASH_SHA1, "a9993e364706816aba3e25717850c26c9cd0d89d", "34aa973cd4c4daa4f61eeb2bdbad27316534016f"},
        {HASH_SHA256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
         "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
        {HASH_SHA384,
         "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
         "9d0e1809716474cb086e834e310a4a1ced149e9c00f248527972cec5704c2a5b07b8b3dc38ecc4ebae97ddd87f3d8985"},
        {HASH_SHA512,
         "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
         "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
         "e718483d0ce769644e2e42c7bc15b4638e1f98b13b2044285632a803afa973eb"
         "de0ff244877ea60a4cb0432ce577c31beb009c5c2c49aa2e4eadb217ad8cc09b"},
        {HASH_MD5, "900150983cd24fb0d6963f7d28e17f72", "7707d6ae4e027c70eea2a935c2296f21"},
        {HASH_RIPEMD160, "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc", "52783243c1697bdbe16d37f97f68f08325dc1528"},
    };
    static char text[1000000];
    memset(text, 'a', sizeof text);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t out[HASH_MAX];
        const struct span abc = span_str("abc"), million = span_of(text, sizeof text);
        if (crypto->md[cases[i].id] == NULL)
            continue; /* RIPEMD-160 before OpenSSL 3.0.7 without the legacy provider */
        cr_assert(nacre_hash(crypto, cases[i].id, &abc, 1, out));
        cr_expect(is_hex(out, nacre_hash_size(cases[i].id), cases[i].abc), "hash %zu", i);
        cr_assert(nacre_hash(crypto, cases[i].id, &million, 1, out));
        cr_expect(is_hex(out, nacre_hash_size(cases[i].id), cases[i].million), "hash %zu", i);
    }
}

/* ---- MACs -------------------------------------------------------------------------------------------------------- */

/* RFC 4231 cases 3 and 4, RFC 2202 and RFC 2286 case 3: fifty times one byte. Longer keys than a MAC's own, which the
 * other cases have, SSH has not. */
Test(vectors, hmacs_of_fifty_bytes)
{
    static const struct {
        const char *name, *key;
        uint8_t byte;
        const char *tag;
    } cases[] = {
        {"hmac-md5", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 0xdd, "56be34521d144c88dbb8c733f0e8b3f6"},
        {"hmac-sha1", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 0xdd, "125d7342b9ac11cd91a39af48aa17b4f63f175d3"},
        {"hmac-ripemd160", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 0xdd,
         "b0b105360de759960ab4f35298e116e295d8e7c1"},
        {"hmac-sha2-256", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 0xdd,
         "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
        {"hmac-sha2-256", "0102030405060708090a0b0c0d0e0f10111213141516171819", 0xcd,
         "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
        {"hmac-sha2-512", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 0xdd,
         "fa73b0089d56a284efb0f0756c890be9b1b5dbdd8ee81a3655f83e33b2279d39"
         "bf3e848279a722c806b485a47e67c807b946a337bee8942674278859e13292fb"},
        {"hmac-sha2-512", "0102030405060708090a0b0c0d0e0f10111213141516171819", 0xcd,
         "b0ba465637458c6990e5a8c5f61d4af7e576d97ff94b872de76f8050361ee3db"
         "a91ca5c11aa25eb4d679275cc5788063a5f19741120c4f2de2adebeb10a298dd"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t key[64] = {0}, text[50], tag[MAC_MAX];
        const struct mac_alg *alg = nacre_mac_find(crypto, span_str(cases[i].name));
        if (alg == NULL)
            continue;
        unhex(cases[i].key, key);
        memset(text, cases[i].byte, sizeof text);
        struct mac *m = alg->ops->open(crypto, alg, key);
        cr_assert_not_null(m);
        /* The sequence number is the text's first four bytes. */
        cr_assert(alg->ops->sum(m, UINT32_C(0x01010101) * cases[i].byte, text + 4, sizeof text - 4, tag));
        cr_expect(is_hex(tag, alg->tag_len, cases[i].tag), "%s, case %zu", cases[i].name, i);
        alg->ops->close(m);
    }
}

/* ---- ciphers ----------------------------------------------------------------------------------------------------- */

/* RFC 8439 appendix A.1, vectors 1 and 2 (key and nonce of zeros, blocks 0 and 1), in OpenSSH's construction with
 * sequence number 0: the length meets block 0 of its key, the text block 1 of the other. A.4's vector 1 is Poly1305's
 * key. */
Test(vectors, chacha20_of_zeros)
{
    static const uint8_t key[64];
    uint8_t packet[4 + 64 + 16] = {0};
    const struct cipher_alg *alg = nacre_cipher_find(crypto, span_str("chacha20-poly1305@openssh.com"));
    struct cipher *x = alg->ops->open(crypto, alg, key, NULL, true);
    cr_assert(alg->ops->seal(x, 0, packet, 64));
    cr_expect(is_hex(packet, 4, "76b8e0ad"));
    cr_expect(is_hex(packet + 4, 64,
                     "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed"
                     "29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f"));
    alg->ops->close(x);

    uint8_t one_time[32], tag[16];
    size_t n = 0;
    unhex("76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7", one_time);
    EVP_MAC_CTX *poly = EVP_MAC_CTX_new(crypto->poly1305);
    cr_assert(EVP_MAC_init(poly, one_time, sizeof one_time, NULL) == 1 && EVP_MAC_update(poly, packet, 68) == 1 &&
              EVP_MAC_final(poly, tag, &n, sizeof tag) == 1);
    cr_expect(n == 16 && memcmp(packet + 68, tag, 16) == 0, "the tag is over what is sent, length included");
    EVP_MAC_CTX_free(poly);
}

/* ---- key exchange ------------------------------------------------------------------------------------------------ */

/* NIST's validation suite for the derivation of RFC 4253 section 7.2 (SP 800-135 section 5.2), SHA-1. */
Test(vectors, key_derivation)
{
    static const struct {
        char letter;
        const char *out;
    } cases[] = {{'A', "e2f627c0b43f1ac1"},
                 {'B', "58471445f342b181"},
                 {'C', "1ca9d310f86d51f6cb8e7007cb2b220d55c5281ce680b533"},
                 {'D', "2c60df8603d34cc1dbb03c11f725a44b44008851c73d6844"},
                 {'E', "472eb8a26166ae6aa8e06868e45c3b26e6eeed06"}};
    uint8_t k[132], h[20];
    size_t k_len =
        unhex("0000008055bae931c07fd824bf10add1902b6fbc7c665347383498a686929ff5a25f8e40cb6645ea814fb1a5e0a11f852f862556"
              "41e5ed986e83a78bc8269480eac0b0dfd770cab92e7a28dd87ff452466d6ae867cead63b366b1c286e6c4811a9f14c27aea14c51"
              "71d49b78c06e3735d36e6a3be321dd5fc82308f34ee1cb17fba94a59",
              k);
    unhex("a4ebd45934f56792b5112dcd75a1075fdc889245", h);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t out[32];
        size_t need = strlen(cases[i].out) / 2;
        cr_assert(nacre_kdf(crypto, HASH_SHA1, span_of(k, k_len), span_of(h, 20), cases[i].letter, span_of(h, 20), out,
                            need));
        cr_expect(is_hex(out, need, cases[i].out), "%c", cases[i].letter);
    }
}

/* An EC key of a curve from its private number and its public point. */
static EVP_PKEY *ec_key(const char *group, const uint8_t *number, size_t number_len, const uint8_t *point,
                        size_t point_len)
{
    EVP_PKEY *key = NULL;
    BIGNUM *n = BN_bin2bn(number, (int)number_len, NULL);
    OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
    cr_assert(OSSL_PARAM_BLD_push_utf8_string(b, OSSL_PKEY_PARAM_GROUP_NAME, group, 0) == 1 &&
              OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_PRIV_KEY, n) == 1 &&
              OSSL_PARAM_BLD_push_octet_string(b, OSSL_PKEY_PARAM_PUB_KEY, point, point_len) == 1);
    OSSL_PARAM *p = OSSL_PARAM_BLD_to_param(b);
    EVP_PKEY_CTX *x = EVP_PKEY_CTX_new_from_name(crypto->lib, "EC", NULL);
    cr_assert(EVP_PKEY_fromdata_init(x) == 1 && EVP_PKEY_fromdata(x, &key, EVP_PKEY_KEYPAIR, p) == 1);
    EVP_PKEY_CTX_free(x);
    x = EVP_PKEY_CTX_new_from_pkey(crypto->lib, key, NULL);
    cr_assert_eq(EVP_PKEY_pairwise_check(x), 1, "the point belongs to the number");
    EVP_PKEY_CTX_free(x);
    OSSL_PARAM_free(p);
    OSSL_PARAM_BLD_free(b);
    BN_free(n);
    return key;
}

/* RFC 5903 section 8: the initiator's key, the responder's public point, the secret. */
Test(vectors, ecdh_of_nist_curves)
{
    static const struct {
        const char *name, *private, *public, *peer, *secret;
    } cases[] = {
        {"ecdh-sha2-nistp256", "c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433",
         "04dad0b65394221cf9b051e1feca5787d098dfe637fc90b9ef945d0c3772581180"
         "5271a0461cdb8252d61f1c456fa3e59ab1f45b33accf5f58389e0577b8990bb3",
         "04d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf63"
         "56fbf3ca366cc23e8157854c13c58d6aac23f046ada30f8353e74f33039872ab",
         "d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de"},
        {"ecdh-sha2-nistp384",
         "099f3c7034d4a2c699884d73a375a67f7624ef7c6b3c0f160647b67414dce655e35b538041e649ee3faef896783ab194",
         "04667842d7d180ac2cde6f74f37551f55755c7645c20ef73e31634fe72b4c55ee6de3ac808acb4bdb4c88732aee95f41aa"
         "9482ed1fc0eeb9cafc4984625ccfc23f65032149e0e144ada024181535a0f38eeb9fcff3c2c947dae69b4c634573a81c",
         "04e558dbef53eecde3d3fccfc1aea08a89a987475d12fd950d83cfa41732bc509d0d1ac43a0336def96fda41d0774a3571"
         "dcfbec7aacf3196472169e838430367f66eebe3c6e70c416dd5f0c68759dd1fff83fa40142209dff5eaad96db9e6386c",
         "11187331c279962d93d604243fd592cb9d0a926f422e47187521287e7156c5c4d603135569b9e9d09cf5d4a270f59746"},
        {"ecdh-sha2-nistp521",
         "0037ade9319a89f4dabdb3ef411aaccca5123c61acab57b5393dce47608172a0"
         "95aa85a30fe1c2952c6771d937ba9777f5957b2639bab072462f68c27a57382d4a52",
         "040015417e84dbf28c0ad3c278713349dc7df153c897a1891bd98bab4357c9ecbee1e3bf42e00b8e380aeae57c2d107564941885942a"
         "f5a7f4601723c4195d176ced3e017cae20b6641d2eeb695786d8c946146239d099e18e1d5a514c739d7cb4a10ad8a788015ac405d779"
         "9dc75e7b7d5b6cf2261a6a7f1507438bf01beb6ca3926f9582",
         "0400d0b3975ac4b799f5bea16d5e13e9af971d5e9b984c9f39728b5e5739735a219b97c356436adc6e95bb0352f6be64a6c2912d4ef2"
         "d0433ced2b6171640012d9460f015c68226383956e3bd066e797b623c27ce0eac2f551a10c2c724d9852077b87220b6536c5c408a1d2"
         "aebb8e86d678ae49cb57091f4732296579ab44fcd17f0fc56a",
         "01144c7d79ae6956bc8edb8e7c787c4521cb086fa64407f97894e5e6b2d79b04"
         "d1427e73ca4baa240a34786859810c06b3c715a3a8cc3151f2bee417996d19f3ddea"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        static struct kex_shared shared;
        uint8_t private[66], public[133], peer[133], secret[66], want[80];
        struct buf out;
        const struct kex_alg *alg = nacre_kex_find(crypto, span_str(cases[i].name));
        nacre_buf_init(&out, KEX_PUBLIC_MAX);
        struct kex_state *state = alg->ops->start(crypto, alg, NULL, &out);
        size_t number_len = unhex(cases[i].private, private), point_len = unhex(cases[i].public, public);
        EVP_PKEY_free(state->own);
        state->own = ec_key(alg->group, private, number_len, public, point_len);
        cr_assert(alg->ops->finish(state, span_of(peer, unhex(cases[i].peer, peer)), &shared));
        /* K is an mpint: without leading zeros, but with one where the highest bit is set. */
        size_t secret_len = unhex(cases[i].secret, secret), zeros = 0;
        while (secret[zeros] == 0)
            zeros++;
        struct wr w = wr_over(want, sizeof want);
        nacre_wr_mpint(&w, span_of(secret + zeros, secret_len - zeros));
        cr_expect(span_eq(wr_span(&w), span_of(shared.bytes, shared.len)), "%s", cases[i].name);
        alg->ops->free(state);
        nacre_buf_free(&out);
    }
}

/* 2^(n-1) = 1 mod n: for a number of this size and origin, prime. */
static bool fermat(const BIGNUM *n, BN_CTX *x)
{
    BIGNUM *e = BN_dup(n), *two = BN_new(), *r = BN_new();
    bool ok = BN_set_word(two, 2) == 1 && BN_sub_word(e, 1) == 1 && BN_mod_exp(r, two, e, n, x) == 1 && BN_is_one(r);
    BN_free(e);
    BN_free(two);
    BN_free(r);
    return ok;
}

/* RFC 2409 section 6.2 and RFC 3526: 2^n - 2^(n-64) - 1 + 2^64 (the binary digits of pi + k), RFC 7919 the same of e,
 * safe, with a generator of the subgroup of prime order, which 2 is when it is a square: p = 7 mod 8. */
static void check_group(const uint8_t *p, size_t len, size_t bits, const char *digits)
{
    BIGNUM *prime = BN_bin2bn(p, (int)len, NULL), *half = BN_new();
    BN_CTX *x = BN_CTX_new();
    cr_expect_eq(BN_num_bits(prime), (int)bits);
    cr_expect(is_hex(p, 40, digits), "%zu bits: its first digits", bits);
    cr_expect(is_hex(p + len - 8, 8, "ffffffffffffffff"));
    cr_assert(BN_rshift1(half, prime));
    cr_expect(fermat(prime, x) && fermat(half, x), "%zu bits: a safe prime", bits);
    cr_expect_eq(BN_mod_word(prime, 8), 7);
    BN_CTX_free(x);
    BN_free(half);
    BN_free(prime);
}

Test(vectors, groups_are_safe_primes_made_of_pi_and_e)
{
    static const unsigned exchanged[] = {2048, 3072, 4096, 6144, 8192};
    static const char pi[] = "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22";
    static const char e[] = "ffffffffffffffffadf85458a2bb4a9aafdc5620273d3cf1d8b9c583ce2d3695a9e13641146433fb";
    static struct kex_group group;
    for (size_t i = 0; i < sizeof exchanged / sizeof *exchanged; i++) {
        cr_assert(nacre_kex_group_choose(crypto, KEX_GROUP_RFC3526, exchanged[i], exchanged[i], exchanged[i], &group));
        check_group(group.p, group.p_len, exchanged[i], pi);
        cr_expect(group.g_len == 1 && group.g[0] == 2);
        cr_assert(nacre_kex_group_choose(crypto, KEX_GROUP_RFC7919, exchanged[i], exchanged[i], exchanged[i], &group));
        check_group(group.p, group.p_len, exchanged[i], e);
        cr_expect(group.g_len == 1 && group.g[0] == 2);
    }
    EVP_PKEY *first = nacre_dh_group1(crypto);
    BIGNUM *p = NULL, *g = NULL;
    uint8_t bytes[128];
    cr_assert(EVP_PKEY_get_bn_param(first, OSSL_PKEY_PARAM_FFC_P, &p) == 1 &&
              EVP_PKEY_get_bn_param(first, OSSL_PKEY_PARAM_FFC_G, &g) == 1);
    cr_assert_eq(BN_bn2binpad(p, bytes, sizeof bytes), (int)sizeof bytes);
    check_group(bytes, sizeof bytes, 1024, pi);
    cr_expect(BN_is_word(g, 2));
    BN_free(p);
    BN_free(g);
    EVP_PKEY_free(first);
}

/* The fixed groups are the same primes: RFC 8268 names those of RFC 3526. */
Test(vectors, fixed_groups_are_those_of_rfc3526)
{
    static const struct {
        const char *name;
        unsigned bits;
    } cases[] = {{"diffie-hellman-group14-sha1", 2048},
                 {"diffie-hellman-group14-sha256", 2048},
                 {"diffie-hellman-group16-sha512", 4096},
                 {"diffie-hellman-group18-sha512", 8192}};
    static struct kex_group group;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct kex_alg *alg = nacre_kex_find(crypto, span_str(cases[i].name));
        EVP_PKEY *parameters = EVP_PKEY_CTX_get0_pkey(nacre_kex_template(crypto, alg));
        BIGNUM *p = NULL, *g = NULL;
        static uint8_t bytes[KEX_GROUP_MAX_BITS / 8];
        cr_assert(
            nacre_kex_group_choose(crypto, KEX_GROUP_RFC3526, cases[i].bits, cases[i].bits, cases[i].bits, &group));
        cr_assert(EVP_PKEY_get_bn_param(parameters, OSSL_PKEY_PARAM_FFC_P, &p) == 1 &&
                  EVP_PKEY_get_bn_param(parameters, OSSL_PKEY_PARAM_FFC_G, &g) == 1);
        cr_assert_eq(BN_bn2bin(p, bytes), (int)group.p_len, "%s", cases[i].name);
        cr_expect(memcmp(bytes, group.p, group.p_len) == 0 && BN_is_word(g, 2), "%s", cases[i].name);
        BN_free(p);
        BN_free(g);
    }
}

/* ---- signatures -------------------------------------------------------------------------------------------------- */

struct known_signature {
    const char *alg, *text;
    const char *key[5]; /* what stands in the public key behind its name, as hexadecimal strings */
    bool numbers;       /* those are mpints */
    const char *r, *s;  /* s NULL: r is the signature */
    bool dss;           /* r and s are 20 bytes each in one string */
};

static void write_hex(struct wr *w, const char *text, bool number)
{
    uint8_t bytes[512];
    size_t len = unhex(text, bytes), zeros = 0;
    while (number && zeros < len && bytes[zeros] == 0)
        zeros++;
    if (number)
        nacre_wr_mpint(w, span_of(bytes + zeros, len - zeros));
    else
        wr_string(w, span_of(bytes, len));
}

static struct span write_signature(const struct known_signature *k, struct wr *w)
{
    wr_cstring(w, k->alg);
    uint8_t *length = wr_string_open(w), both[128];
    size_t len = unhex(k->r, both);
    if (k->s == NULL || k->dss)
        wr_bytes(w, both, len);
    if (k->s != NULL && k->dss)
        wr_bytes(w, both, unhex(k->s, both));
    if (k->s != NULL && !k->dss) {
        write_hex(w, k->r, true);
        write_hex(w, k->s, true);
    }
    wr_string_close(w, length);
    return wr_span(w);
}

/* RFC 6979 appendix A.2.1 and A.2.5 to A.2.7, "sample"; RFC 8032 section 7.1, tests 1 and 2. */
Test(vectors, signatures)
{
    static const struct known_signature cases[] = {
        {"ssh-ed25519",
         "",
         {"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"},
         false,
         "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
         "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
         NULL,
         false},
        {"ssh-ed25519",
         "r",
         {"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"},
         false,
         "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
         "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
         NULL,
         false},
        {"ecdsa-sha2-nistp256",
         "sample",
         {"6e69737470323536", "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
                              "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"},
         false,
         "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716",
         "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
         false},
        {"ecdsa-sha2-nistp384",
         "sample",
         {"6e69737470333834",
          "04ec3a4e415b4e19a4568618029f427fa5da9a8bc4ae92e02e06aae5286b300c64def8f0ea9055866064a254515480bc13"
          "8015d9b72d7d57244ea8ef9ac0c621896708a59367f9dfb9f54ca84b3f1c9db1288b231c3ae0d4fe7344fd2533264720"},
         false,
         "94edbb92a5ecb8aad4736e56c691916b3f88140666ce9fa73d64c4ea95ad133c81a648152e44acf96e36dd1e80fabe46",
         "99ef4aeb15f178cea1fe40db2603138f130e740a19624526203b6351d0a3a94fa329c145786e679e7b82c71a38628ac8",
         false},
        {"ecdsa-sha2-nistp521",
         "sample",
         {"6e69737470353231",
          "0401894550d0785932e00eaa23b694f213f8c3121f86dc97a04e5a7167db4e5bcd371123d46e45db6b5d5370a7f20fb633155d38ffa1"
          "6d2bd761dcac474b9a2f5023a400493101c962cd4d2fddf782285e64584139c2f91b47f87ff82354d6630f746a28a0db25741b5b34a8"
          "28008b22acc23f924faafbd4d33f81ea66956dfeaa2bfdfcf5"},
         false,
         "00c328fafcbd79dd77850370c46325d987cb525569fb63c5d3bc53950e6d4c5f"
         "174e25a1ee9017b5d450606add152b534931d7d4e8455cc91f9b15bf05ec36e377fa",
         "00617cce7cf5064806c467f678d3b4080d6f1cc50af26ca209417308281b68af"
         "282623eaa63e5b5c0723d8b8c37ff0777b1a20f8ccb1dccc43997f1ee0e44da4a67a",
         false},
        {"ssh-dss",
         "sample",
         {"86f5ca03dcfeb225063ff830a0c769b9dd9d6153ad91d7ce27f787c43278b447e6533b86b18bed6e8a48b784a14c252c5be0dbf60b86"
          "d6385bd2f12fb763ed8873abfd3f5ba2e0a8c0a59082eac056935e529daf7c610467899c77adedfc846c881870b7b19b2b58f9be0521"
          "a17002e3bdd6b86685ee90b3d9a1b02b782b1779",
          "996f967f6c8e388d9e28d01e205fba957a5698b1",
          "07b0f92546150b62514bb771e2a0c0ce387f03bda6c56b505209ff25fd3c133d89bbcd97e904e09114d9a7defdeadfc9078ea544d2e4"
          "01aeecc40bb9fbbf78fd87995a10a1c27cb7789b594ba7efb5c4326a9fe59a070e136db77175464adca417be5dce2f40d10a46a3a394"
          "3f26ab7fd9c0398ff8c76ee0a56826a8a88f1dbd",
          "5df5e01ded31d0297e274e1691c192fe5868fef9e19a84776454b100cf16f65392195a38b90523e2542ee61871c0440cb87c322fc4b4"
          "d2ec5e1e7ec766e1be8d4ce935437dc11c3c8fd426338933ebfe739cb3465f4d3668c5e473508253b1e682f65cbdc4fae93c2ea21239"
          "0e54905a86e2223170b44eaa7da5dd9ffcfb7f3b"},
         true,
         "2e1a0c2562b2912caaf89186fb0f42001585da55",
         "29efb6b0aff2d7a68eb70ca313022253b9a88df5",
         true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct known_signature *k = &cases[i];
        static uint8_t blob[2048], signature[256];
        struct wr w = wr_over(blob, sizeof blob), v = wr_over(signature, sizeof signature);
        wr_cstring(&w, k->alg);
        for (size_t j = 0; j < 5 && k->key[j] != NULL; j++)
            write_hex(&w, k->key[j], k->numbers);
        struct key *key = nacre_key_from_blob(crypto, wr_span(&w));
        cr_assert_not_null(key, "%s", k->alg);
        const struct sig_alg *alg = nacre_sig_find(crypto, span_str(k->alg));
        struct span sealed = write_signature(k, &v);
        cr_expect(nacre_key_verify(crypto, key, alg, span_str(k->text), sealed), "%s, case %zu", k->alg, i);
        cr_expect_not(nacre_key_verify(crypto, key, alg, span_str("simple"), sealed), "%s", k->alg);
        nacre_key_unref(key);
    }
}

/* NIST's vectors for FIPS 186-3 (CAVS, SigGen15_186-3), the first of 2048 bits for each hash that SSH uses. */
Test(vectors, rsa_signatures)
{
    static const char modulus[] =
        "a564d3d06be468a46958d56bb4884e2c4c28f538b7e15df35330505177789d3e1d792ad7aec7fc80a8cccf7ed40304711004"
        "01724bd4636a8a8244180cc655e256c00e778efe8bea55ab52d3a557075e35039d687cc0755b939a44a73033a0a6f09d2d6a"
        "e7e6593380718be00814d20567b1d7d48b633735e423017ff0a7b406d822f45fbb4d234028ca78abb702b18fcce13d2f6914"
        "8ef584e9aaf283caab38f6946d342d600c6e77b7370a05ff302e5483b0faad3103d0b3e8c9c8e9eca1d4a871bdbd09585eb0"
        "0dc3a488271cf6a3b767e68ea9bd2c83e8c89fd047f17915cf6a4c05bb9222b7e4470df5f3f1a28324c1aafcbb2236d22930"
        "41d128b0e15f";
    static const struct {
        const char *alg, *message, *signature;
    } cases[] = {
        {"ssh-rsa",
         "f6c5f5fec6b7324a1b4ef0cba4ca7b6e2e1130ed1a548f950ff0924cec923dd2019f77477ed318ee2b2843305af9f6e41b67"
         "dfcdaefc72643e8e38d8cc666a5469a2be80a8d8814a53fce6e65d849e1318c9a8a1a8b16b30b88b023a6b3ad754959673b0"
         "2c0f94e7f99480f593b39a858e013370f0bca280e4af9779b356ac5a",
         "712c32aa0d46b4fad294704103fbe3519640f3efcf168eadf265f61bf9f7976d8c11ba3d85dd4e3bb0cdd6c15c2fc6520adf"
         "1deadbcdd735a9f0f5f90ba51c9177cbe8c0df1219db3afb8dfe7f3a0c5e1b3b9a7c0bcf017b0d16037f5ae1a85b3eff591b"
         "5a2f2deef7cf5a79deed928675e35d546504ebfab57b60aedf8c7cd7fe5cd7efc9f8a00c7f3f4a398103181801089974ca38"
         "ea585a0eebe3d84b6454dd9f880daae2181157a5f76f34ee30fe396fa0ab396b886310769d6d773487865c9ba23db777a596"
         "b696486e875d2b4e07131d5276b788de62e439768ad308c3120975cdfd6f186202d36313ef194dba99a366c08196b8228c9b"
         "b69a2a5abcd6"},
        {"rsa-sha2-256",
         "8f51ec6359d7efe1898274fa89ea4a91b8bbf95e05fef84bbc9a201e9f1a615939b0b45e6f7a50d7580521554f1076374692"
         "face5dfee5bfb3c573a87b1c96065301e756d278e37a601b545f4bd10ddd17dedade151cb7c33787400322ff6915854a6f91"
         "a9590f924accf55ea6b87749d3a783d655e0d620f0e96f78bb4b4450",
         "795b0d51721469dcdf14df08eacaa83af79c2734226b3c8e048cbc4bd44ed7dc6c1efaefe1c71f017a87641827a0d3af287e"
         "8c27efa7cebfc9435efc7f6eab1e373551887217d08313e8ae5ef0b0efcb87c49c1f2898fcc117ac7db229d34bd4ac39a4f9"
         "1377f4b5a038338e7d4cf530e4e00ff67bf257e27e55fa6d2c0eb21ad0bcfd65f9ea760a440cab4f904d4b817604289bc8ff"
         "96fb07c0a23b5d31abffa706241d47fb42ef09b7bec820e6076ebe7e1e0f4eefe755bab2cbcae557aab8208bb681d5381c1d"
         "09b4ccf1100f33cad1990efb507062ea51de3dfae0821f106b4b052244c379d0d32de7a56ee17a7d9a5dca2b472f0d3eefa0"
         "5f4e02fc0295"},
        {"rsa-sha2-512",
         "8326a2b2ec2f02698180201a8b4f2cc74fdb3cbf36fe90cd2b011aaf45b53dc9a6bfd61ba33479712566fdd94efd3a5a6049"
         "11e3dbd6ad82e64109d6f04bb2c7972ccf74c92a5e6d2969c023b405789da45e306c94b3fce0e6f3e37c62cf9ca81f1495a6"
         "a7383ac7563273df038f6ef6e3c3a040a9bd0650f2beb188e16a81d4",
         "16a2b02fe235b63a8b2ac07af130f60cf44f7f608b78295d2f0964a6de0974eb082ff628c8bfc122293fe39ca8336c61710f"
         "71007e55ba792958fd71924d2bc6194b301792ec276b6dbe44d5f82cc55699a9966129d3f6920b6f99aac03ccc28816925c7"
         "91c3319b2a0847e000e7bd9c6eb5bb29ff06badfc7848e66f57eeb19a758300a3cf4ee905f641bf65415dbab47c3773557f8"
         "3b7ca3e4ac8a5eed698d4ea6795f42e50aff41fdbbbc96ee636ca2eac0046f0e986e975f6d3294cda85381155e5ecf9a8148"
         "756d4a3e2fb43cf45049bd7cc54a9cefb9276ffdaa11a12de93d2c1da4035a34cd4fc75fc526f3912e592078f8abc510829d"
         "f8ff84c524de"},
    };
    static uint8_t blob[512], sealed[512], bytes[512], message[256];
    struct wr w = wr_over(blob, sizeof blob);
    wr_cstring(&w, "ssh-rsa");
    write_hex(&w, "1001", true);
    write_hex(&w, modulus, true);
    struct key *key = nacre_key_from_blob(crypto, wr_span(&w));
    cr_assert_not_null(key);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct sig_alg *alg = nacre_sig_find(crypto, span_str(cases[i].alg));
        struct wr v = wr_over(sealed, sizeof sealed);
        struct span data = span_of(message, unhex(cases[i].message, message));
        wr_cstring(&v, cases[i].alg);
        wr_string(&v, span_of(bytes, unhex(cases[i].signature, bytes)));
        cr_expect(nacre_key_verify(crypto, key, alg, data, wr_span(&v)), "%s", cases[i].alg);
        message[0] ^= 1;
        cr_expect_not(nacre_key_verify(crypto, key, alg, data, wr_span(&v)), "%s", cases[i].alg);
    }
    nacre_key_unref(key);
}
