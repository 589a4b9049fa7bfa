/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <openssl/rsa.h>

#include "crypto/keytype.h"
#include "unit/crypto/bytes.h"
#include "unit/crypto/fixture.h"
#include "wire/mpint.h"

TestSuite(key, .init = crypto_set_up, .fini = crypto_tear_down);

static const char *const algs[] = {"ssh-ed25519",
                                   "ecdsa-sha2-nistp256",
                                   "ecdsa-sha2-nistp384",
                                   "ecdsa-sha2-nistp521",
                                   "rsa-sha2-512",
                                   "rsa-sha2-256",
                                   "ssh-rsa",
                                   "ssh-dss"};
enum {
    ALGS = sizeof algs / sizeof *algs
};

struct signer {
    const struct sig_alg *alg;
    struct key *private, *public;
    struct buf signature;
};

static const struct span data = {(const uint8_t *)"what is signed", 14};

static void signer_open(struct signer *s, const char *name)
{
    s->alg = nacre_sig_find(crypto, span_str(name));
    cr_assert_not_null(s->alg);
    s->private = nacre_key_generate(crypto, s->alg->key_name, strcmp(name, "ssh-dss") == 0 ? 0 : KEY_RSA_MIN_BITS);
    cr_assert(s->private != NULL && nacre_key_is_private(s->private));
    s->public = nacre_key_from_blob(crypto, nacre_key_blob(s->private));
    cr_assert(s->public != NULL && !nacre_key_is_private(s->public));
    nacre_buf_init(&s->signature, SIGNATURE_MAX);
    cr_assert(nacre_key_sign(crypto, s->private, s->alg, data, &s->signature));
}

static void signer_close(struct signer *s)
{
    nacre_key_unref(s->private);
    nacre_key_unref(s->public);
    nacre_buf_free(&s->signature);
}

static bool verifies(const struct signer *s, struct span signature)
{
    return nacre_key_verify(crypto, s->public, s->alg, data, signature);
}

/* RFC 8032 section 7.1, test 3: the signature has to come out exactly. */
Test(key, ed25519_matches_rfc8032)
{
    uint8_t seed[32];
    unhex("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7", seed);
    EVP_PKEY *pkey = EVP_PKEY_new_raw_private_key_ex(crypto->lib, "ED25519", NULL, seed, sizeof seed);
    struct key *k = nacre_key_take(crypto, pkey);
    const struct sig_alg *alg = nacre_sig_find(crypto, span_str("ssh-ed25519"));
    struct buf out;
    nacre_buf_init(&out, 256);
    cr_assert(nacre_key_sign(crypto, k, alg, span_of("\xaf\x82", 2), &out));
    cr_expect(is_hex(nacre_key_blob(k).at, nacre_key_blob(k).len,
                     "0000000b7373682d6564323535313900000020"
                     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025"));
    cr_expect(is_hex(out.at, out.len,
                     "0000000b7373682d6564323535313900000040"
                     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
                     "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"));
    nacre_buf_free(&out);
    nacre_key_unref(k);
}

/* The library's own signature over `data`, with its name around it. */
static struct span signed_by_the_library(EVP_PKEY *pkey, uint8_t *at, size_t room)
{
    uint8_t native[64];
    size_t len = sizeof native;
    struct wr w = wr_over(at, room);
    EVP_MD_CTX *x = EVP_MD_CTX_new();
    cr_assert_eq(EVP_DigestSignInit_ex(x, NULL, NULL, crypto->lib, NULL, pkey, NULL), 1);
    cr_assert_eq(EVP_DigestSign(x, native, &len, data.at, data.len), 1);
    EVP_MD_CTX_free(x);
    wr_cstring(&w, "ssh-ed25519");
    wr_string(&w, span_of(native, len));
    return wr_span(&w);
}

/* Signatures are the same from any library (RFC 8032 section 5.1.6), so who signs must not show. */
Test(key, ed25519_signs_and_verifies_as_openssl_does)
{
    struct signer s;
    uint8_t other[128];
    signer_open(&s, "ssh-ed25519");
    bool sodium = strstr(nacre_crypto_versions(), "without libsodium") == NULL;
    cr_expect(s.private->is_raw == sodium && s.public->is_raw == sodium, "what the build says is what it does");
    struct span theirs = signed_by_the_library(nacre_key_native(s.private), other, sizeof other);
    cr_expect(span_eq(theirs, buf_span(&s.signature)));
    cr_expect(verifies(&s, theirs));
    signer_close(&s);
}

/* RFC 8032 section 5.1.7: of S and S plus the order of the group the first alone is taken, or anybody could make a
 * second signature of a first. */
Test(key, ed25519_refuses_a_second_form_of_a_signature)
{
    struct signer s;
    uint8_t order[32], more[SIGNATURE_MAX];
    unsigned carry = 0;
    unhex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010", order);
    signer_open(&s, "ssh-ed25519");
    size_t len = s.signature.len;
    memcpy(more, s.signature.at, len);
    for (size_t i = 0; i < sizeof order; i++) {
        carry += more[len - sizeof order + i] + order[i];
        more[len - sizeof order + i] = (uint8_t)carry;
        carry >>= 8;
    }
    cr_assert_eq(carry, 0);
    cr_expect_not(verifies(&s, span_of(more, len)));
    signer_close(&s);
}

/* A point of small order verifies signatures over anything. */
Test(key, ed25519_refuses_what_a_key_of_small_order_signs)
{
    uint8_t blob[64], signature[128], zeros[64] = {1};
    const struct sig_alg *alg = nacre_sig_find(crypto, span_str("ssh-ed25519"));
    struct wr w = wr_over(blob, sizeof blob), x = wr_over(signature, sizeof signature);
    wr_cstring(&w, "ssh-ed25519");
    wr_string(&w, span_of(zeros, 32)); /* the neutral element */
    wr_cstring(&x, "ssh-ed25519");
    wr_string(&x, span_of(zeros, 64)); /* R the same, S 0 */
    struct key *k = nacre_key_from_blob(crypto, wr_span(&w));
    bool openssl = k != NULL && !k->is_raw, good = k != NULL && nacre_key_verify(crypto, k, alg, data, wr_span(&x));
    nacre_key_unref(k);
    if (openssl)
        cr_skip_test("without libsodium, OpenSSL takes them");
    cr_expect_not(good);
}

/* Nothing that demands FIPS leaves its module. */
Test(key, fips_leaves_ed25519_to_its_module)
{
    struct nacre_crypto *fips = nacre_crypto_open_fips();
    struct key *k = fips == NULL ? NULL : nacre_key_generate(fips, "ssh-ed25519", 0);
    bool is_raw = k != NULL && k->is_raw, none = k == NULL;
    nacre_key_unref(k);
    nacre_crypto_unref(fips);
    if (none)
        cr_skip_test("no FIPS module here, or none with Ed25519");
    cr_expect_not(is_raw);
}

Test(key, every_row_signs_and_verifies_its_own_and_nothing_else)
{
    for (size_t i = 0; i < ALGS; i++) {
        struct signer s;
        struct buf none;
        signer_open(&s, algs[i]);
        nacre_buf_init(&none, SIGNATURE_MAX);
        cr_expect(verifies(&s, buf_span(&s.signature)), "%s", algs[i]);
        cr_expect_not(nacre_key_verify(crypto, s.public, s.alg, span_str("what is signet"), buf_span(&s.signature)));
        for (size_t j = 0; j < ALGS; j++) {
            const struct sig_alg *other = nacre_sig_find(crypto, span_str(algs[j]));
            if (j == i)
                continue;
            cr_expect_not(nacre_key_verify(crypto, s.public, other, data, buf_span(&s.signature)), "%s as %s", algs[i],
                          algs[j]);
            bool fits = strcmp(other->key_name, s.alg->key_name) == 0;
            cr_expect_eq(nacre_key_sign(crypto, s.private, other, data, &none), fits);
            none.len = 0;
        }
        cr_expect_not(nacre_key_sign(crypto, s.public, s.alg, data, &none), "a public key cannot sign");
        cr_expect_eq(none.len, 0);
        nacre_buf_free(&none);
        signer_close(&s);
    }
}

Test(key, every_truncation_of_a_signature_is_refused)
{
    for (size_t i = 0; i < ALGS; i++) {
        struct signer s;
        uint8_t longer[SIGNATURE_MAX + 1] = {0};
        signer_open(&s, algs[i]);
        for (size_t len = 0; len < s.signature.len; len++)
            cr_expect_not(verifies(&s, span_of(s.signature.at, len)), "%s cut to %zu", algs[i], len);
        memcpy(longer, s.signature.at, s.signature.len);
        cr_expect_not(verifies(&s, span_of(longer, s.signature.len + 1)), "%s with a byte behind", algs[i]);
        signer_close(&s);
    }
}

Test(key, every_flipped_bit_of_a_signature_is_refused)
{
    for (size_t i = 0; i < 2; i++) {
        struct signer s;
        signer_open(&s, algs[i]);
        for (size_t bit = 0; bit < s.signature.len * 8; bit++) {
            s.signature.at[bit / 8] ^= (uint8_t)(1 << bit % 8);
            cr_expect_not(verifies(&s, buf_span(&s.signature)), "%s bit %zu", algs[i], bit);
            s.signature.at[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        signer_close(&s);
    }
}

Test(key, every_truncation_of_a_key_is_refused)
{
    for (size_t i = 0; i < 5; i++) {
        struct signer s;
        uint8_t longer[KEY_BLOB_MAX + 1] = {0};
        signer_open(&s, algs[i]);
        struct span blob = nacre_key_blob(s.private);
        cr_expect(span_eq(blob, nacre_key_blob(s.public)));
        for (size_t len = 0; len < blob.len; len++)
            cr_expect_null(nacre_key_from_blob(crypto, span_of(blob.at, len)), "%s cut to %zu", algs[i], len);
        memcpy(longer, blob.at, blob.len);
        cr_expect_null(nacre_key_from_blob(crypto, span_of(longer, blob.len + 1)), "%s with a byte behind", algs[i]);
        cr_expect_null(nacre_key_from_blob(crypto, span_of(longer, sizeof longer)), "longer than any key");
        signer_close(&s);
    }
}

Test(key, ecdsa_refuses_another_curve_and_points_off_it)
{
    struct signer s;
    uint8_t blob[256];
    signer_open(&s, "ecdsa-sha2-nistp256");
    struct span good = nacre_key_blob(s.private);
    memcpy(blob, good.at, good.len);
    blob[4 + 19 + 4] = 'N';
    cr_expect_null(nacre_key_from_blob(crypto, span_of(blob, good.len)), "a curve of another name");
    memcpy(blob, good.at, good.len);
    memcpy(blob + 4 + 19 + 4, "nistp384", 8);
    cr_expect_null(nacre_key_from_blob(crypto, span_of(blob, good.len)), "names that disagree");
    memcpy(blob, good.at, good.len);
    blob[good.len - 1] ^= 1;
    cr_expect_null(nacre_key_from_blob(crypto, span_of(blob, good.len)), "off the curve");
    memcpy(blob, good.at, good.len);
    blob[good.len - 65] = 6;
    cr_expect_null(nacre_key_from_blob(crypto, span_of(blob, good.len)), "the hybrid form");
    signer_close(&s);
}

/* An ECDSA signature blob of two magnitudes. */
static size_t ecdsa_blob(uint8_t *out, size_t size, struct span r, struct span s)
{
    struct wr w = wr_over(out, size);
    wr_cstring(&w, "ecdsa-sha2-nistp256");
    uint8_t *body = wr_string_open(&w);
    nacre_wr_mpint(&w, r);
    nacre_wr_mpint(&w, s);
    wr_string_close(&w, body);
    return wr_len(&w);
}

Test(key, ecdsa_refuses_numbers_out_of_range)
{
    struct signer k;
    uint8_t blob[256], big[33], one[1] = {1};
    memset(big, 0x7f, sizeof big);
    signer_open(&k, "ecdsa-sha2-nistp256");
    const struct span none = {NULL, 0}, small = span_of(one, 1), full = span_of(big, 32), over = span_of(big, 33);
    const struct span pairs[][2] = {{none, none}, {none, small}, {small, none}, {small, small},
                                    {full, full}, {over, small}, {small, over}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        size_t len = ecdsa_blob(blob, sizeof blob, pairs[i][0], pairs[i][1]);
        cr_expect_not(verifies(&k, span_of(blob, len)), "pair %zu", i);
    }
    signer_close(&k);
}

static struct key *rsa_key(struct span e, struct span n)
{
    uint8_t blob[KEY_BLOB_MAX];
    struct wr w = wr_over(blob, sizeof blob);
    wr_cstring(&w, "ssh-rsa");
    nacre_wr_mpint(&w, e);
    nacre_wr_mpint(&w, n);
    return nacre_key_from_blob(crypto, wr_span(&w));
}

Test(key, r25_rsa_modulus_and_exponent_are_bounded)
{
    static uint8_t n[KEY_RSA_MAX_BITS / 8 + 1];
    const struct span e = span_of("\x01\x00\x01", 3);
    memset(n, 0xff, sizeof n);
    static const struct {
        size_t bytes;
        bool good;
    } sizes[] = {{64, false}, {128, false}, {255, false}, {256, true}, {512, true}, {2048, true}, {2049, false}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct key *k = rsa_key(e, span_of(n, sizes[i].bytes));
        cr_expect_eq(k != NULL, sizes[i].good, "%zu bytes", sizes[i].bytes);
        if (k != NULL)
            cr_expect_eq(nacre_key_bits(k), sizes[i].bytes * 8);
        nacre_key_unref(k);
    }
    n[0] = 0x7f;
    cr_expect_null(rsa_key(e, span_of(n, 256)), "2047 bits");
    n[0] = 0xff;
    n[255] = 0xfe;
    cr_expect_null(rsa_key(e, span_of(n, 256)), "an even modulus");
    n[255] = 0xff;
    cr_expect_null(rsa_key(span_of(NULL, 0), span_of(n, 256)), "exponent 0");
    cr_expect_null(rsa_key(span_of("\x01", 1), span_of(n, 256)), "exponent 1");
    cr_expect_null(rsa_key(span_of("\x04", 1), span_of(n, 256)), "an even exponent");
    cr_expect_null(rsa_key(span_of(n, 9), span_of(n, 256)), "an exponent of 72 bits");
    cr_expect_null(nacre_key_generate(crypto, "ssh-rsa", 1024));
    cr_expect_null(nacre_key_generate(crypto, "ssh-dss", 2048));
}

/* RFC 8332 section 3: about one signature in 256 starts with a zero, which some signers drop. */
Test(key, rsa_signature_without_its_leading_zero_verifies)
{
    struct signer s;
    uint8_t text[4], blob[SIGNATURE_MAX];
    signer_open(&s, "rsa-sha2-256");
    const size_t head = 4 + strlen("rsa-sha2-256") + 4;
    for (unsigned i = 0; i < 20000; i++) {
        memcpy(text, &i, sizeof text);
        s.signature.len = 0;
        cr_assert(nacre_key_sign(crypto, s.private, s.alg, span_of(text, sizeof text), &s.signature));
        if (s.signature.at[head] == 0)
            break;
    }
    cr_assert_eq(s.signature.at[head], 0);
    struct wr w = wr_over(blob, sizeof blob);
    wr_cstring(&w, "rsa-sha2-256");
    wr_string(&w, span_of(s.signature.at + head + 1, 255));
    cr_expect(nacre_key_verify(crypto, s.public, s.alg, span_of(text, sizeof text), wr_span(&w)));
    w = wr_over(blob, sizeof blob);
    wr_cstring(&w, "rsa-sha2-256");
    uint8_t *body = wr_string_open(&w);
    wr_u8(&w, 0);
    wr_bytes(&w, s.signature.at + head, 256);
    wr_string_close(&w, body);
    cr_expect_not(nacre_key_verify(crypto, s.public, s.alg, span_of(text, sizeof text), wr_span(&w)), "longer");
    signer_close(&s);
}

Test(key, fingerprint_is_the_one_ssh_keygen_prints)
{
    char text[64];
    uint8_t blob[64];
    size_t len = unhex("0000000b7373682d6564323535313900000020"
                       "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
                       blob);
    cr_assert(nacre_key_fingerprint(crypto, span_of(blob, len), text));
    cr_expect_str_eq(text, "SHA256:s3Z2A+mldeflHo5TMMEUA7MlkMg96xvtqH9DGLHHZmE");
}

Test(key, a_key_outlives_the_context_it_was_made_with)
{
    struct signer s;
    signer_open(&s, "ssh-ed25519");
    struct nacre_crypto *other = nacre_crypto_open(true);
    struct key *k = nacre_key_generate(other, "ecdsa-sha2-nistp256", 0);
    struct key *same = nacre_key_ref(k);
    nacre_crypto_unref(other);
    nacre_key_unref(k);
    const struct sig_alg *alg = nacre_sig_find(crypto, span_str("ecdsa-sha2-nistp256"));
    s.signature.len = 0;
    cr_expect(nacre_key_sign(crypto, same, alg, data, &s.signature));
    nacre_key_unref(same);
    signer_close(&s);
}

static int released, buried;

static void release(void *held)
{
    released += *(int *)held;
}

static void take_key(void *context, struct key *k)
{
    buried++;
    *(struct key **)context = k;
}

/* A private half that is elsewhere: here a key of the library that the key itself does not have. */
struct elsewhere {
    EVP_PKEY *pkey;
    int signed_times, released;
    bool refuses;
};

static bool sign_elsewhere(void *held, enum hash_id hash, struct span digest, uint8_t *out, size_t *len)
{
    struct elsewhere *e = held;
    EVP_PKEY_CTX *x = EVP_PKEY_CTX_new_from_pkey(crypto->lib, e->pkey, NULL);
    bool rsa = EVP_PKEY_is_a(e->pkey, "RSA");
    e->signed_times++;
    bool ok = !e->refuses && EVP_PKEY_sign_init(x) == 1 &&
              (!rsa || EVP_PKEY_CTX_set_rsa_padding(x, RSA_PKCS1_PADDING) == 1) &&
              EVP_PKEY_CTX_set_signature_md(x, crypto->md[hash]) == 1 &&
              EVP_PKEY_sign(x, out, len, digest.at, digest.len) == 1;
    EVP_PKEY_CTX_free(x);
    return ok;
}

static void release_elsewhere(void *held)
{
    ((struct elsewhere *)held)->released++;
}

/* Every algorithm that fits, by the public half. */
static void check_elsewhere(const char *type, const char *const *algorithms)
{
    struct key *whole = nacre_key_generate(crypto, type, 2048);
    struct key *public = nacre_key_from_blob(crypto, nacre_key_blob(whole));
    struct elsewhere e = {.pkey = nacre_key_native(whole)};
    const struct key_token token = {sign_elsewhere, release_elsewhere, &e};
    EVP_PKEY *pkey = EVP_PKEY_dup(nacre_key_native(public));
    struct buf signature;
    cr_assert(nacre_key_mark_token(pkey, &token));
    struct key *k = nacre_key_take(crypto, pkey);
    cr_assert(k != NULL && nacre_key_is_private(k) && nacre_key_is_slow(k));
    for (int i = 0; algorithms[i] != NULL; i++) {
        const struct sig_alg *alg = nacre_sig_find(crypto, span_str(algorithms[i]));
        nacre_buf_init(&signature, SIGNATURE_MAX);
        cr_assert(nacre_key_sign(crypto, k, alg, span_str("data"), &signature), "%s", algorithms[i]);
        cr_expect(nacre_key_verify(crypto, public, alg, span_str("data"), buf_span(&signature)), "%s", algorithms[i]);
        cr_expect_not(nacre_key_verify(crypto, public, alg, span_str("date"), buf_span(&signature)));
        cr_expect_eq(e.signed_times, i + 1);
        nacre_buf_free(&signature);
    }
    e.refuses = true;
    nacre_buf_init(&signature, SIGNATURE_MAX);
    cr_expect_not(
        nacre_key_sign(crypto, k, nacre_sig_find(crypto, span_str(algorithms[0])), span_str("data"), &signature));
    cr_expect_eq(signature.len, 0);
    nacre_key_unref(k);
    cr_expect_eq(e.released, 1);
    nacre_key_unref(public);
    nacre_key_unref(whole);
}

Test(key, a_private_half_elsewhere_signs_with_every_algorithm)
{
    static const char *const rsa[] = {"rsa-sha2-512", "rsa-sha2-256", "ssh-rsa", NULL};
    static const char *const curves[][2] = {
        {"ecdsa-sha2-nistp256", NULL}, {"ecdsa-sha2-nistp384", NULL}, {"ecdsa-sha2-nistp521", NULL}};
    check_elsewhere("ssh-rsa", rsa);
    for (size_t i = 0; i < sizeof curves / sizeof *curves; i++)
        check_elsewhere(curves[i][0], curves[i]);
}

/* A thread that must not call a token's module leaves its keys to another. */
Test(key, a_token_key_whose_last_use_ends_is_left_to_the_undertaker)
{
    int one = 1;
    struct key *left = NULL;
    const struct key_undertaker undertaker = {take_key, &left};
    EVP_PKEY *pkey = EVP_PKEY_Q_keygen(crypto->lib, NULL, "ED25519");
    const struct key_token token = {.release = release, .held = &one};
    cr_assert(nacre_key_mark_token(pkey, &token));
    struct key *k = nacre_key_take(crypto, pkey), *plain = nacre_key_generate(crypto, "ssh-ed25519", 0);
    cr_assert(k != NULL && plain != NULL);
    nacre_key_set_undertaker(&undertaker);
    nacre_key_unref(nacre_key_ref(k));
    cr_expect_eq(buried, 0, "it is in use");
    nacre_key_unref(plain);
    cr_expect_eq(buried, 0, "it is no token's");
    nacre_key_unref(k);
    cr_expect_eq(buried, 1);
    cr_expect_eq(released, 0);
    cr_expect_eq(left, k);
    nacre_key_free(left);
    cr_expect_eq(released, 1);
    nacre_key_set_undertaker(NULL);
}
