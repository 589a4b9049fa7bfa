/* SPDX-License-Identifier: Apache-2.0 */
/* XML and JSON Web Keys, written here from generated keys as .NET and RFC 7518 have them. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>

#include "unit/keys/support.h"

TestSuite(xml, .init = keys_setup, .fini = keys_teardown);
TestSuite(jwk, .init = keys_setup, .fini = keys_teardown);

/* ---- writers ----------------------------------------------------------------------------------------------------- */

static char text[32768];

static void add(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void add(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    size_t len = strlen(text);
    vsnprintf(text + len, sizeof text - len, format, arguments);
    va_end(arguments);
}

static void base64(const uint8_t *bytes, size_t len, bool url, char *out)
{
    EVP_EncodeBlock((unsigned char *)out, bytes, (int)len);
    for (char *c = out; url && *c != 0; c++)
        *c = *c == '+' ? '-' : *c == '/' ? '_' : *c == '=' ? '\0' : *c;
}

/* The number of a key, padded to `size` bytes when that is not 0. */
static const char *number(const struct key *k, const char *param, size_t size, bool url)
{
    static char out[4096];
    uint8_t bytes[2048];
    BIGNUM *n = NULL;
    cr_assert_eq(EVP_PKEY_get_bn_param(nacre_key_native(k), param, &n), 1, "%s", param);
    size = size == 0 ? (size_t)BN_num_bytes(n) : size;
    cr_assert_eq(BN_bn2binpad(n, bytes, (int)size), (int)size);
    base64(bytes, size, url, out);
    BN_clear_free(n);
    return out;
}

static const struct {
    const char *xml, *jwk, *param;
    bool private;
} rsa[] = {
    {"Modulus", "n", OSSL_PKEY_PARAM_RSA_N, false},
    {"Exponent", "e", OSSL_PKEY_PARAM_RSA_E, false},
    {"P", "p", OSSL_PKEY_PARAM_RSA_FACTOR1, true},
    {"Q", "q", OSSL_PKEY_PARAM_RSA_FACTOR2, true},
    {"DP", "dp", OSSL_PKEY_PARAM_RSA_EXPONENT1, true},
    {"DQ", "dq", OSSL_PKEY_PARAM_RSA_EXPONENT2, true},
    {"InverseQ", "qi", OSSL_PKEY_PARAM_RSA_COEFFICIENT1, true},
    {"D", "d", OSSL_PKEY_PARAM_RSA_D, true},
};

static void rsa_xml(const struct key *k, bool private)
{
    add("<RSAKeyValue>");
    for (size_t i = 0; i < sizeof rsa / sizeof *rsa; i++) {
        if (private || !rsa[i].private)
            add("<%s>%s</%s>", rsa[i].xml, number(k, rsa[i].param, 0, false), rsa[i].xml);
    }
    add("</RSAKeyValue>");
}

static void rsa_jwk(const struct key *k, const char *kid, bool primes)
{
    add("{\"kty\":\"RSA\",\"kid\":\"%s\"", kid);
    for (size_t i = 0; i < sizeof rsa / sizeof *rsa; i++) {
        if (primes || !rsa[i].private || strcmp(rsa[i].jwk, "d") == 0)
            add(",\"%s\":\"%s\"", rsa[i].jwk, number(k, rsa[i].param, 0, true));
    }
    add("}");
}

static void ec_jwk(const struct key *k, const char *kid, const char *curve, size_t size, bool private)
{
    add("{\"kty\":\"EC\",\"crv\":\"%s\",\"kid\":\"%s\",\"x\":\"%s\"", curve, kid,
        number(k, OSSL_PKEY_PARAM_EC_PUB_X, size, true));
    add(",\"y\":\"%s\"", number(k, OSSL_PKEY_PARAM_EC_PUB_Y, size, true));
    if (private)
        add(",\"d\":\"%s\"", number(k, OSSL_PKEY_PARAM_PRIV_KEY, size, true));
    add("}");
}

static void okp_jwk(const struct key *k, const char *kid)
{
    uint8_t d[32], x[32];
    char d64[64], x64[64];
    size_t d_len = 32, x_len = 32;
    cr_assert_eq(EVP_PKEY_get_raw_private_key(nacre_key_native(k), d, &d_len), 1);
    cr_assert_eq(EVP_PKEY_get_raw_public_key(nacre_key_native(k), x, &x_len), 1);
    base64(d, 32, true, d64);
    base64(x, 32, true, x64);
    add("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"%s\",\"d\":\"%s\",\"x\":\"%s\"}", kid, d64, x64);
}

/* ---- checks ------------------------------------------------------------------------------------------------------ */

static struct key *make(const char *type)
{
    struct key *k = nacre_key_generate(crypto, type, 2048);
    cr_assert_not_null(k);
    return k;
}

static void check_gives(enum store_type type, const struct key *want)
{
    struct key *k = NULL;
    cr_assert_eq(open_as(type, span_str(text), NULL, &k), NACRE_OK, "%s", why);
    cr_expect(nacre_key_is_private(k));
    cr_expect(span_eq(nacre_key_blob(k), nacre_key_blob(want)));
    nacre_key_unref(k);
}

static void check_everywhere(enum store_type file, enum store_type blob, const struct key *want)
{
    struct key *k = NULL;
    check_gives(blob, want);
    check_gives(STORE_AUTO, want);
    FILE *f = fopen("container", "wb");
    cr_assert(f != NULL && fputs(text, f) >= 0);
    fclose(f);
    cr_expect_eq(open_as(file, span_str("container"), NULL, &k), NACRE_OK, "%s", why);
    nacre_key_unref(k);
    cr_expect_eq(open_as(STORE_AUTO, span_str("container"), NULL, &k), NACRE_OK, "%s", why);
    nacre_key_unref(k);
    char *wrapped = malloc(2 * strlen(text) + 4);
    base64((const uint8_t *)text, strlen(text), false, wrapped);
    cr_expect_eq(open_as(blob, span_str(wrapped), NULL, &k), NACRE_OK, "%s", why);
    nacre_key_unref(k);
    cr_expect_eq(open_as(STORE_AUTO, span_str(wrapped), NULL, &k), NACRE_OK, "%s", why);
    nacre_key_unref(k);
    free(wrapped);
}

static void check_text_fails(enum store_type type, enum nacre_error want)
{
    check_fails(type, span_str(text), NULL, want);
}

static void start(const char *with)
{
    snprintf(text, sizeof text, "%s", with);
}

/* ---- XML --------------------------------------------------------------------------------------------------------- */

Test(xml, rsa_as_dot_net_writes_it)
{
    need_library("libxml2");
    struct key *k = make("ssh-rsa");
    start("");
    rsa_xml(k, true);
    check_everywhere(STORE_XML_FILE, STORE_XML_BLOB, k);
    start("\xef\xbb\xbf<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<!-- key -->\n<KeyInfo "
          "xmlns=\"http://www.w3.org/2000/09/xmldsig#\"><KeyValue>\n");
    rsa_xml(k, true);
    add("</KeyValue></KeyInfo>\n");
    check_everywhere(STORE_XML_FILE, STORE_XML_BLOB, k);
    start("");
    rsa_xml(k, false);
    check_text_fails(STORE_XML_BLOB, NACRE_E_NO_CERTIFICATE);
    nacre_key_unref(k);
}

Test(xml, dsa_with_its_private_number)
{
    static const struct {
        const char *xml, *param;
    } dsa[] = {{"P", OSSL_PKEY_PARAM_FFC_P},
               {"Q", OSSL_PKEY_PARAM_FFC_Q},
               {"G", OSSL_PKEY_PARAM_FFC_G},
               {"Y", OSSL_PKEY_PARAM_PUB_KEY},
               {"X", OSSL_PKEY_PARAM_PRIV_KEY}};
    struct key *k = NULL;
    need_library("libxml2");
    make_dsa();
    cr_assert_eq(open_as(STORE_PEM_FILE, span_str("k"), NULL, &k), NACRE_OK, "%s", why);
    start("<DSAKeyValue>");
    for (size_t i = 0; i < 5; i++)
        add("<%s>%s</%s>", dsa[i].xml, number(k, dsa[i].param, 0, false), dsa[i].xml);
    add("</DSAKeyValue>");
    check_everywhere(STORE_XML_FILE, STORE_XML_BLOB, k);
    nacre_key_unref(k);
}

Test(xml, other_documents_are_refused)
{
    need_library("libxml2");
    static const char *const documents[] = {
        "<a/>",
        "<RSAKeyValue><D/></RSAKeyValue>",
        "<RSAKeyValue><D>AQAB</D><Modulus>AQAB</Modulus><Exponent>AQAB</Exponent></RSAKeyValue>",
        "<RSAKeyValue><D>!!</D></RSAKeyValue>",
        "<RSAKeyValue><D>AQAB</RSAKeyValue>",
        "<DSAKeyValue><X>AQAB</X><P>AQAB</P></DSAKeyValue>",
        "<!DOCTYPE a [<!ENTITY b \"AQAB\">]><RSAKeyValue><D>&b;</D></RSAKeyValue>",
        "<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><RSAKeyValue><D>AQAB</D></RSAKeyValue>",
        "<",
    };
    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++) {
        start(documents[i]);
        check_text_fails(STORE_XML_BLOB, NACRE_E_KEY);
    }
}

/* Two hundred million declarations in a quarter of a megabyte, which nothing but the parser's stopping keeps it from.
 */
Test(xml, document_types_are_not_read)
{
    need_library("libxml2");
    enum {
        SIZE = 1 << 18,
        ENTITIES = 1000,
        TIMES = 60000
    };
    char *bomb = malloc(SIZE);
    size_t len = (size_t)snprintf(bomb, SIZE, "<!DOCTYPE a [<!ENTITY %% x \"");
    for (size_t i = 0; i < ENTITIES; i++)
        len += (size_t)snprintf(bomb + len, SIZE - len, "<!ENTITY &#37; b 'q'>");
    len += (size_t)snprintf(bomb + len, SIZE - len, "\">");
    for (size_t i = 0; i < TIMES; i++)
        len += (size_t)snprintf(bomb + len, SIZE - len, "%%x;");
    (void)snprintf(bomb + len, SIZE - len, "]><RSAKeyValue/>");
    check_fails(STORE_XML_BLOB, span_str(bomb), NULL, NACRE_E_KEY);
    cr_expect_not_null(strstr(why, "document type"), "%s", why);
    free(bomb);
}

Test(xml, attributes_by_the_hundred_thousand_are_refused)
{
    need_library("libxml2");
    enum {
        SIZE = STORE_FILE_MAX,
        ATTRIBUTES = 80000
    };
    char *many = malloc(SIZE);
    size_t len = (size_t)snprintf(many, SIZE, "<RSAKeyValue");
    for (size_t i = 0; i < ATTRIBUTES; i++)
        len += (size_t)snprintf(many + len, SIZE - len, " a%zu=\"\"", i);
    (void)snprintf(many + len, SIZE - len, "/>");
    check_fails(STORE_XML_BLOB, span_str(many), NULL, NACRE_E_KEY);
    free(many);
}

Test(xml, nesting_is_no_recursion_of_ours)
{
    need_library("libxml2");
    enum {
        DEPTH = 30000
    };
    char *deep = malloc(7 * DEPTH + 1);
    for (size_t i = 0; i < DEPTH; i++) {
        memcpy(deep + 3 * i, "<a>", 3);
        memcpy(deep + 3 * DEPTH + 4 * i, "</a>", 4);
    }
    check_fails(STORE_XML_BLOB, span_of(deep, 7 * DEPTH), NULL, NACRE_E_KEY);
    free(deep);
}

Test(xml, damage_is_one_error)
{
    need_library("libxml2");
    struct key *k = make("ssh-rsa");
    start("");
    rsa_xml(k, true);
    check_damage(STORE_XML_BLOB, span_str(text), NULL);
    nacre_key_unref(k);
}

/* ---- what the library reads -------------------------------------------------------------------------------------- */

/* A private key of the library with these numbers, as PEM in `text`. */
static void write_key(const char *library, const char *const *names, BIGNUM *const *numbers, size_t count)
{
    EVP_PKEY *pkey = NULL;
    char *at = NULL;
    EVP_PKEY_CTX *x = EVP_PKEY_CTX_new_from_name(NULL, library, NULL);
    OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
    for (size_t i = 0; i < count; i++)
        cr_assert_eq(OSSL_PARAM_BLD_push_BN(b, names[i], numbers[i]), 1);
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(b);
    cr_assert_eq(EVP_PKEY_fromdata_init(x), 1);
    cr_assert_eq(EVP_PKEY_fromdata(x, &pkey, EVP_PKEY_KEYPAIR, params), 1);
    BIO *out = BIO_new(BIO_s_mem());
    cr_assert_eq(PEM_write_bio_PrivateKey(out, pkey, NULL, NULL, 0, NULL, NULL), 1);
    long len = BIO_get_mem_data(out, &at);
    cr_assert_lt((size_t)len, sizeof text);
    snprintf(text, sizeof text, "%.*s", (int)len, at);
    BIO_free(out);
    EVP_PKEY_free(pkey);
    EVP_PKEY_CTX_free(x);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(b);
    for (size_t i = 0; i < count; i++)
        BN_free(numbers[i]);
}

static BIGNUM *odd(int bits)
{
    BIGNUM *n = BN_new();
    cr_assert(n != NULL && BN_rand(n, bits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD) == 1);
    return n;
}

/* The same of RSA, n, e, d, p, q and what is made of them, as PKCS#8: newer libraries make no such key. */
static void write_rsa(BIGNUM *const numbers[8])
{
    unsigned char body[4096], *at = body;
    long len;
    char *pem = NULL;
    ASN1_INTEGER *zero = ASN1_INTEGER_new();
    cr_assert_gt(i2d_ASN1_INTEGER(zero, &at), 0);
    ASN1_INTEGER_free(zero);
    for (size_t i = 0; i < 8; i++) {
        ASN1_INTEGER *n = BN_to_ASN1_INTEGER(numbers[i], NULL);
        cr_assert_gt(i2d_ASN1_INTEGER(n, &at), 0);
        ASN1_INTEGER_free(n);
        BN_free(numbers[i]);
    }
    len = (long)(at - body);
    unsigned char *der = OPENSSL_malloc((size_t)len + 4), *rest = der;
    ASN1_put_object(&rest, 1, (int)len, V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL);
    memcpy(rest, body, (size_t)len);
    PKCS8_PRIV_KEY_INFO *p8 = PKCS8_PRIV_KEY_INFO_new();
    cr_assert_eq(
        PKCS8_pkey_set0(p8, OBJ_nid2obj(NID_rsaEncryption), 0, V_ASN1_NULL, NULL, der, (int)(rest - der + len)), 1);
    BIO *out = BIO_new(BIO_s_mem());
    cr_assert_eq(PEM_write_bio_PKCS8_PRIV_KEY_INFO(out, p8), 1);
    len = BIO_get_mem_data(out, &pem);
    cr_assert_lt((size_t)len, sizeof text);
    snprintf(text, sizeof text, "%.*s", (int)len, pem);
    BIO_free(out);
    PKCS8_PRIV_KEY_INFO_free(p8);
}

/* Every signature would cost as much as their cube. */
Test(store, rsa_keys_with_numbers_larger_than_the_modulus_are_refused)
{
    static const char *const names[] = {OSSL_PKEY_PARAM_RSA_N,         OSSL_PKEY_PARAM_RSA_E,
                                        OSSL_PKEY_PARAM_RSA_D,         OSSL_PKEY_PARAM_RSA_FACTOR1,
                                        OSSL_PKEY_PARAM_RSA_FACTOR2,   OSSL_PKEY_PARAM_RSA_EXPONENT1,
                                        OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1};
    struct key *k = make("ssh-rsa");
    for (size_t larger = 2; larger <= 8; larger++) {
        BIGNUM *numbers[8] = {NULL};
        for (size_t i = 0; i < 8; i++)
            cr_assert_eq(EVP_PKEY_get_bn_param(nacre_key_native(k), names[i], &numbers[i]), 1);
        if (larger < 8) {
            BN_free(numbers[larger]);
            numbers[larger] = odd(2049);
        }
        write_rsa(numbers);
        if (larger == 8)
            check_gives(STORE_PEM_BLOB, k);
        else
            check_text_fails(STORE_PEM_BLOB, NACRE_E_KEY);
    }
    nacre_key_unref(k);
}

/* The library calculates with them before it says how large they are. */
Test(store, dsa_keys_with_absurd_numbers_are_refused)
{
    static const char *const names[] = {OSSL_PKEY_PARAM_FFC_P, OSSL_PKEY_PARAM_FFC_Q, OSSL_PKEY_PARAM_FFC_G,
                                        OSSL_PKEY_PARAM_PUB_KEY, OSSL_PKEY_PARAM_PRIV_KEY};
    static const int bits[][2] = {{10000, 160}, {2048, 10000}, {2048, 256}};
    for (size_t i = 0; i < 3; i++) {
        BIGNUM *numbers[] = {odd(bits[i][0]), odd(160), odd(1000), odd(1000), odd(bits[i][1])};
        write_key("DSA", names, numbers, 5);
        check_text_fails(STORE_PEM_BLOB, i < 2 ? NACRE_E_KEY : NACRE_E_KEY_TYPE);
        FILE *f = fopen("dsa", "wb");
        cr_assert(f != NULL && fputs(text, f) >= 0);
        fclose(f);
        run("openssl pkcs8 -topk8 -nocrypt -in dsa -outform DER -out der && openssl pkcs8 -topk8 -in dsa -passout "
            "pass:geheim -out locked && openssl pkcs12 -export -nocerts -inkey dsa -passout pass:geheim -out pfx "
            "2>/dev/null");
        check_fails(STORE_AUTO, span_str("der"), NULL, i < 2 ? NACRE_E_KEY : NACRE_E_KEY_TYPE);
        check_fails(STORE_PEM_FILE, span_str("locked"), "geheim", i < 2 ? NACRE_E_KEY : NACRE_E_KEY_TYPE);
        check_fails(STORE_PFX_FILE, span_str("pfx"), "geheim", i < 2 ? NACRE_E_KEY : NACRE_E_KEY_TYPE);
    }
}

/* ---- JWK --------------------------------------------------------------------------------------------------------- */

Test(jwk, every_kind_of_key)
{
    need_library("jansson");
    static const struct {
        const char *type, *curve;
        size_t size;
    } curves[] = {{"ecdsa-sha2-nistp256", "P-256", 32},
                  {"ecdsa-sha2-nistp384", "P-384", 48},
                  {"ecdsa-sha2-nistp521", "P-521", 66}};
    for (size_t i = 0; i < 3; i++) {
        struct key *k = make(curves[i].type);
        start("");
        ec_jwk(k, "curve", curves[i].curve, curves[i].size, true);
        check_everywhere(STORE_JWK_FILE, STORE_JWK_BLOB, k);
        cr_expect_str_eq(subject, "curve");
        start("");
        ec_jwk(k, "curve", curves[i].curve, curves[i].size, false);
        check_text_fails(STORE_JWK_BLOB, NACRE_E_NO_CERTIFICATE);
        nacre_key_unref(k);
    }
    struct key *rsa_key = make("ssh-rsa"), *ed = make("ssh-ed25519");
    start(" \n");
    rsa_jwk(rsa_key, "r", true);
    check_everywhere(STORE_JWK_FILE, STORE_JWK_BLOB, rsa_key);
    start("");
    rsa_jwk(rsa_key, "r", false);
    check_everywhere(STORE_JWK_FILE, STORE_JWK_BLOB, rsa_key);
    start("");
    okp_jwk(ed, "e");
    check_everywhere(STORE_JWK_FILE, STORE_JWK_BLOB, ed);
    nacre_key_unref(rsa_key);
    nacre_key_unref(ed);
}

static enum nacre_error open_subject(const char *wanted, struct key **k)
{
    const struct store_request request = {.type = STORE_JWK_BLOB, .store = span_str(text), .subject = wanted};
    return nacre_store_open(crypto, &request, k, subject, sizeof subject, why, sizeof why);
}

Test(jwk, a_set_gives_the_first_private_key_or_the_one_named)
{
    need_library("jansson");
    static const struct {
        const char *subject, *kid;
    } cases[] = {{"*", "host-2"}, {"", "host-2"}, {"host", "host"}, {"ost", "host-2"}, {"-2", "host-2"}};
    struct key *a = make("ecdsa-sha2-nistp256"), *b = make("ssh-ed25519"), *k = NULL;
    start("{\"keys\":[");
    ec_jwk(a, "public", "P-256", 32, false);
    add(",");
    okp_jwk(b, "host-2");
    add(",");
    ec_jwk(a, "host", "P-256", 32, true);
    add("]}");
    check_everywhere(STORE_JWK_FILE, STORE_JWK_BLOB, b);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cr_assert_eq(open_subject(cases[i].subject, &k), NACRE_OK, "%s", why);
        cr_expect_str_eq(subject, cases[i].kid);
        nacre_key_unref(k);
    }
    cr_expect_eq(open_subject("other", &k), NACRE_E_NO_CERTIFICATE);
    cr_expect_eq(open_subject("public", &k), NACRE_E_NO_CERTIFICATE);
    nacre_key_unref(a);
    nacre_key_unref(b);
}

Test(jwk, other_documents_are_refused)
{
    need_library("jansson");
    static const struct {
        const char *document;
        enum nacre_error want;
    } cases[] = {
        {"{}", NACRE_E_KEY},
        {"{", NACRE_E_KEY},
        {"[]", NACRE_E_NO_CERTIFICATE},
        {"{\"keys\":[]}", NACRE_E_NO_CERTIFICATE},
        {"{\"keys\":7}", NACRE_E_NO_CERTIFICATE},
        {"{\"kty\":\"oct\",\"k\":\"AQAB\",\"d\":\"AQAB\"}", NACRE_E_KEY_TYPE},
        {"{\"kty\":\"RSA\",\"d\":\"AQAB\"}", NACRE_E_KEY},
        {"{\"kty\":\"RSA\",\"d\":\"\",\"n\":\"AQAB\",\"e\":\"AQAB\"}", NACRE_E_KEY},
        {"{\"kty\":\"EC\",\"crv\":\"P-256K\",\"d\":\"AQAB\"}", NACRE_E_KEY},
        {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"d\":\"AQAB\",\"x\":\"AQAB\",\"y\":\"AQAB\"}", NACRE_E_KEY},
        {"{\"kty\":\"OKP\",\"crv\":\"X25519\",\"d\":\"AQAB\"}", NACRE_E_KEY},
        {"{\"protected\":\"AQAB\",\"ciphertext\":\"AQAB\"}", NACRE_E_NOT_SUPPORTED},
        {"{\"kty\":\"RSA\",\"kty\":\"RSA\",\"d\":\"AQAB\"}", NACRE_E_KEY},
        {"{\"kty\":\"RSA\",\"d\":\"AQAB\"} x", NACRE_E_KEY},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        start(cases[i].document);
        check_text_fails(STORE_JWK_BLOB, cases[i].want);
    }
    /* x of another key */
    struct key *a = make("ssh-ed25519");
    start("");
    okp_jwk(a, "a");
    char *x = strstr(text, "\"x\":\"");
    cr_assert_not_null(x);
    x[5] = x[5] == 'A' ? 'B' : 'A';
    check_text_fails(STORE_JWK_BLOB, NACRE_E_KEY);
    nacre_key_unref(a);
}

/* The last key in `text`, with a certificate for that name. */
static void certify(const struct key *k, const char *name)
{
    uint8_t line[4096];
    struct buf pem;
    nacre_buf_init(&pem, 16384);
    cr_assert(nacre_store_write_pem(k, &pem));
    FILE *f = fopen("k", "wb");
    cr_assert(f != NULL && fwrite(pem.at, 1, pem.len, f) == pem.len && fclose(f) == 0);
    nacre_buf_wipe(&pem);
    run("openssl req -x509 -key k -subj /CN=%s | sed /-----/d | tr -d '\\n' > c", name);
    line[slurp("c", line, sizeof line - 1)] = '\0';
    text[strlen(text) - 1] = ',';
    add("\"x5c\":[\"%s\"]}", (const char *)line);
}

Test(jwk, a_key_is_found_by_its_id_or_by_its_certificate)
{
    need_library("jansson");
    static const struct {
        const char *subject, *found;
    } cases[] = {{"*", "CN=alpha"},    {"first", "CN=alpha"}, {"second", "CN=beta"},   {"CN=beta", "CN=beta"},
                 {"alph", "CN=alpha"}, {"CN=gamma", NULL},    {"CN=alpha", "CN=alpha"}};
    struct key *a = make("ssh-ed25519"), *b = make("ecdsa-sha2-nistp256");
    start("{\"keys\":[");
    okp_jwk(a, "first");
    certify(a, "alpha");
    add(",");
    ec_jwk(b, "second", "P-256", 32, true);
    certify(b, "beta");
    add("]}");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct key *k = NULL;
        enum nacre_error e = open_subject(cases[i].subject, &k);
        cr_expect_eq(e, cases[i].found == NULL ? NACRE_E_NO_CERTIFICATE : NACRE_OK, "%s: %s", cases[i].subject, why);
        cr_expect_str_eq(subject, cases[i].found == NULL ? "" : cases[i].found, "%s", cases[i].subject);
        nacre_key_unref(k);
    }
    nacre_key_unref(a);
    nacre_key_unref(b);
}

Test(jwk, a_certificate_that_is_none_is_passed_over)
{
    need_library("jansson");
    static const char *const lists[] = {"[]", "[\"\"]", "[\"AAAA\"]", "[\"!\"]", "[7]"};
    struct key *k = make("ssh-ed25519");
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        start("");
        okp_jwk(k, "k");
        text[strlen(text) - 1] = ',';
        add("\"x5c\":%s}", lists[i]);
        check_gives(STORE_JWK_BLOB, k);
    }
    nacre_key_unref(k);
}

Test(jwk, nesting_has_a_limit)
{
    need_library("jansson");
    enum {
        DEPTH = 500000
    };
    char *deep = malloc(DEPTH);
    memset(deep, '[', DEPTH);
    check_fails(STORE_JWK_BLOB, span_of(deep, DEPTH), NULL, NACRE_E_KEY);
    free(deep);
}

Test(jwk, damage_is_one_error)
{
    need_library("jansson");
    struct key *k = make("ssh-rsa"), *e = make("ecdsa-sha2-nistp256");
    start("");
    rsa_jwk(k, "k", true);
    check_damage(STORE_JWK_BLOB, span_str(text), NULL);
    start("");
    ec_jwk(e, "k", "P-256", 32, true);
    check_damage(STORE_JWK_BLOB, span_str(text), NULL);
    nacre_key_unref(k);
    nacre_key_unref(e);
}
