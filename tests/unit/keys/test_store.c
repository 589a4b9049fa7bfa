/* SPDX-License-Identifier: Apache-2.0 */
/* Containers made by ssh-keygen and openssl at test time. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/ui.h>

#include "unit/keys/shell.h"
#include "unit/keys/support.h"

TestSuite(store, .init = keys_setup, .fini = keys_teardown);

static const struct {
    const char *name, *options;
} kinds[] = {{"ed25519", "-t ed25519"},
             {"p256", "-t ecdsa -b 256"},
             {"p384", "-t ecdsa -b 384"},
             {"p521", "-t ecdsa -b 521"},
             {"rsa", "-t rsa -b 2048"}};
enum {
    KINDS = sizeof kinds / sizeof *kinds
};

Test(store, openssh_keys_open_locked_and_not)
{
    for (size_t i = 0; i < KINDS; i++) {
        const char *n = kinds[i].name;
        char public[32];
        snprintf(public, sizeof public, "%s.pub", n);
        run("ssh-keygen -q %s -N '' -C me@here -f %s && cp %s %s.locked && ssh-keygen -q -p -N geheim -f %s.locked "
            ">/dev/null && cp %s.locked locked",
            kinds[i].options, n, n, n, n, n);
        check_opens(STORE_PEM_FILE, n, NULL, public);
        cr_expect_str_eq(subject, "me@here");
        check_opens(STORE_AUTO, "locked", "geheim", public);
        cr_expect_str_eq(subject, "me@here");
        check_fails(STORE_PEM_FILE, span_str("locked"), "wrong", NACRE_E_KEY_PASSWORD);
        check_fails(STORE_PEM_FILE, span_str("locked"), "", NACRE_E_KEY_PASSWORD);
        check_fails(STORE_PEM_FILE, span_str("locked"), NULL, NACRE_E_KEY_PASSWORD);
    }
}

Test(store, openssh_keys_locked_with_other_ciphers)
{
    static const char *const ciphers[] = {"aes128-ctr", "aes192-ctr", "aes256-ctr",
                                          "aes128-cbc", "aes192-cbc", "aes256-cbc"};
    for (size_t i = 0; i < sizeof ciphers / sizeof *ciphers; i++) {
        run("rm -f k k.pub; ssh-keygen -q -t ed25519 -a 2 -Z %s -N geheim -f k", ciphers[i]);
        check_opens(STORE_PEM_FILE, "k", "geheim", "k.pub");
    }
    run("rm -f k k.pub; ssh-keygen -q -t ed25519 -a 2 -Z chacha20-poly1305@openssh.com -N geheim -f k");
    check_fails(STORE_PEM_FILE, span_str("k"), "geheim", NACRE_E_KEY_TYPE);
    cr_expect_not_null(strstr(why, "chacha20-poly1305"));
}

Test(store, pkcs8_pkcs1_and_sec1_open_locked_and_not)
{
    for (size_t i = 1; i < KINDS; i++) {
        run("rm -f k*; ssh-keygen -q %s -m PKCS8 -N '' -f k && openssl pkcs8 -topk8 -in k -passout pass:geheim -out "
            "k.p8 && "
            "openssl pkey -in k -traditional -out k.old && openssl pkey -in k -traditional -aes128 -passout "
            "pass:geheim "
            "-out k.oldlocked && openssl pkcs8 -topk8 -nocrypt -in k -outform DER -out k.der",
            kinds[i].options);
        check_opens(STORE_PEM_FILE, "k", "", "k.pub");
        check_opens(STORE_PEM_FILE, "k", "not needed", "k.pub");
        check_opens(STORE_PEM_FILE, "k.p8", "geheim", "k.pub");
        check_opens(STORE_PEM_FILE, "k.old", NULL, "k.pub");
        check_opens(STORE_PEM_FILE, "k.oldlocked", "geheim", "k.pub");
        check_opens(STORE_AUTO, "k.der", NULL, "k.pub");
        check_fails(STORE_PEM_FILE, span_str("k.p8"), "wrong", NACRE_E_KEY_PASSWORD);
        check_fails(STORE_PEM_FILE, span_str("k.p8"), NULL, NACRE_E_KEY_PASSWORD);
        check_fails(STORE_PEM_FILE, span_str("k.oldlocked"), "wrong", NACRE_E_KEY_PASSWORD);
        check_fails(STORE_PEM_FILE, span_str("k.der"), NULL, NACRE_E_KEY);
    }
    run("openssl ecparam -name prime256v1 -genkey -out curve && ssh-keygen -yf curve > curve.pub");
    check_opens(STORE_PEM_FILE, "curve", NULL, "curve.pub");
}

Test(store, pfx_opens_with_its_certificate)
{
    struct key *k = NULL;
    run("ssh-keygen -q -t ecdsa -m PKCS8 -N '' -f k && openssl req -x509 -key k -subj /CN=host.example -out c && "
        "openssl pkcs12 -export -inkey k -in c -passout pass:geheim -out a.pfx && "
        "openssl pkcs12 -export -inkey k -in c -passout pass: -out e.pfx && openssl base64 -in a.pfx -out a.b64 && "
        "cat k c > both");
    check_opens(STORE_PFX_FILE, "a.pfx", "geheim", "k.pub");
    cr_expect_str_eq(subject, "CN=host.example");
    check_opens(STORE_AUTO, "a.pfx", "geheim", "k.pub");
    check_opens(STORE_PFX_FILE, "e.pfx", "", "k.pub");
    check_fails(STORE_PFX_FILE, span_str("a.pfx"), "wrong", NACRE_E_KEY_PASSWORD);
    check_fails(STORE_AUTO, span_str("a.pfx"), NULL, NACRE_E_KEY_PASSWORD);
    check_fails(STORE_PFX_FILE, span_str("k"), NULL, NACRE_E_KEY);
    check_opens(STORE_PEM_FILE, "both", NULL, "k.pub");
    cr_expect_str_eq(subject, "CN=host.example");
    check_fails(STORE_PEM_FILE, span_str("c"), NULL, NACRE_E_NO_CERTIFICATE);
    const struct store_request other = {
        .type = STORE_PFX_FILE, .store = span_str("a.pfx"), .password = "geheim", .subject = "CN=other"};
    cr_expect_eq(nacre_store_open(crypto, &other, &k, NULL, 0, NULL, 0), NACRE_E_NO_CERTIFICATE);
    cr_expect_null(k);
}

/* What Windows and OpenSSL 1 wrote unless told otherwise is among them: PFX with RC2-40. */
Test(store, what_is_locked_with_ciphers_of_the_past_opens)
{
    static const char *const makes[] = {
        "pkcs8 -topk8 -v1 PBE-MD5-DES -in k", "pkcs8 -topk8 -v2 des-cbc -in k",
        "pkcs12 -export -certpbe PBE-SHA1-RC2-40 -keypbe PBE-SHA1-3DES -macalg sha1 -inkey k -in c",
        "pkcs12 -export -nomac -certpbe PBE-SHA1-RC2-40 -keypbe PBE-SHA1-RC2-40 -inkey k -in c"};
    static const char *const types[] = {"ecdsa", "rsa"};
    if (shell("openssl list -providers -provider legacy >out 2>&1") != 0)
        cr_skip_test("openssl has no legacy provider");
    for (size_t i = 0; i < 8; i++) {
        enum store_type type = i % 4 < 2 ? STORE_PEM_FILE : STORE_PFX_FILE;
        run("rm -f k*; ssh-keygen -q -t %s -m PKCS8 -N '' -f k && openssl req -x509 -key k -subj /CN=x -out c && "
            "openssl %s -provider legacy -provider default -passout pass:geheim -out locked 2>out",
            types[i / 4], makes[i % 4]);
        check_opens(type, "locked", "geheim", "k.pub");
        cr_expect_str_eq(subject, type == STORE_PFX_FILE ? "CN=x" : "");
        check_fails(type, span_str("locked"), "wrong", NACRE_E_KEY_PASSWORD);
    }
}

/* No other password would do. */
Test(store, what_is_locked_with_a_cipher_that_is_not_there_says_so)
{
    run("ssh-keygen -q -t ecdsa -m PKCS8 -N '' -f k");
    if (shell("openssl list -providers -provider legacy >out 2>&1") != 0)
        cr_skip_test("openssl has no legacy provider");
    run("openssl ec -des -provider legacy -provider default -in k -passout pass:geheim -out locked 2>out");
    check_fails(STORE_PEM_FILE, span_str("locked"), "geheim", NACRE_E_KEY);
    cr_expect_not_null(strstr(why, "not available here"), "%s", why);
}

Test(store, pfx_without_a_checksum_opens_with_its_password_alone)
{
    run("ssh-keygen -q -t ecdsa -m PKCS8 -N '' -f k && openssl req -x509 -key k -subj /CN=x -out c && openssl pkcs12 "
        "-export -nomac -inkey k -in c -passout pass:geheim -out pfx && openssl pkcs12 -export -nomac -certpbe NONE "
        "-inkey k -in c -passout pass:geheim -out key");
    check_opens(STORE_PFX_FILE, "pfx", "geheim", "k.pub");
    check_opens(STORE_PFX_FILE, "key", "geheim", "k.pub");
    check_fails(STORE_PFX_FILE, span_str("pfx"), "wrong", NACRE_E_KEY_PASSWORD);
    check_fails(STORE_PFX_FILE, span_str("key"), "wrong", NACRE_E_KEY_PASSWORD);
    check_fails(STORE_PFX_FILE, span_str("pfx"), NULL, NACRE_E_KEY_PASSWORD);
}

/* Damage is never a crash and never a key. */
Test(store, every_truncation_and_every_changed_byte_is_one_error)
{
    static uint8_t bytes[8192], copy[8192];
    static const char *const files[] = {"ed", "ec", "p8", "a.pfx"};
    run("ssh-keygen -q -t ed25519 -N '' -f ed && ssh-keygen -q -t ecdsa -N '' -f ec && openssl genpkey -algorithm "
        "ed25519 -out p8 "
        "&& openssl req -x509 -key p8 -subj /CN=x -out c && openssl pkcs12 -export -iter 1 -maciter -inkey p8 -in c "
        "-passout "
        "pass:geheim -out a.pfx");
    for (size_t i = 0; i < 4; i++) {
        size_t len = slurp(files[i], bytes, sizeof bytes);
        const size_t end = i < 3 ? len - 1 : len; /* the last line end of a PEM file may be missing */
        for (size_t n = 0; n < end; n++) {
            struct key *k = NULL;
            enum nacre_error e = open_as(i < 3 ? STORE_PEM_BLOB : STORE_PFX_BLOB, span_of(bytes, n), "geheim", &k);
            cr_expect(e != NACRE_OK && k == NULL && why[0] != 0, "%s cut to %zu", files[i], n);
            nacre_key_unref(k);
        }
        for (size_t n = 0; n < len; n++) {
            struct key *k = NULL;
            memcpy(copy, bytes, len);
            copy[n] ^= 1;
            enum nacre_error e = open_as(STORE_AUTO, span_of(copy, len), "geheim", &k);
            cr_expect_eq(e == NACRE_OK, k != NULL, "%s byte %zu", files[i], n);
            nacre_key_unref(k);
        }
    }
}

Test(store, files_that_cannot_be_read_are_named)
{
    static char big[STORE_FILE_MAX + 2];
    run("mkdir folder; mkfifo pipe; : > empty; echo words > words");
    check_fails(STORE_PEM_FILE, span_str("folder"), NULL, NACRE_E_KEY);
    cr_expect_not_null(strstr(why, "\"folder\""));
    check_fails(STORE_PEM_FILE, span_str("absent"), NULL, NACRE_E_KEY);
    cr_expect_not_null(strstr(why, "\"absent\""));
    check_fails(STORE_AUTO, span_str("absent"), NULL, NACRE_E_KEY);
    check_fails(STORE_PEM_FILE, span_str("pipe"), NULL, NACRE_E_KEY);
    check_fails(STORE_PEM_FILE, span_str("empty"), NULL, NACRE_E_KEY);
    check_fails(STORE_PEM_FILE, span_str("words"), NULL, NACRE_E_KEY);
    check_fails(STORE_PEM_FILE, span_str(""), NULL, NACRE_E_KEY);
    memset(big, 'x', sizeof big);
    FILE *f = fopen("big", "wb");
    cr_assert(f != NULL && fwrite(big, 1, sizeof big, f) == sizeof big);
    fclose(f);
    check_fails(STORE_PEM_FILE, span_str("big"), NULL, NACRE_E_KEY);
    cr_expect_not_null(strstr(why, "larger"));
    check_fails(STORE_PEM_BLOB, span_of(big, sizeof big), NULL, NACRE_E_KEY);
    run("chmod 0 words");
    if (shell("test -r words") == 0)
        return; /* may read everything */
    check_fails(STORE_PEM_FILE, span_str("words"), NULL, NACRE_E_ACCES);
}

Test(store, types_that_are_not_readable_are_named)
{
    static const struct {
        enum store_type type;
        enum nacre_error want;
        const char *name;
    } cases[] = {
        {STORE_JKS_FILE, NACRE_E_NOT_SUPPORTED, "JKS"},     {STORE_JKS_BLOB, NACRE_E_NOT_SUPPORTED, "JKS"},
        {STORE_BCFKS_FILE, NACRE_E_NOT_SUPPORTED, "BCFKS"}, {STORE_BCFKS_BLOB, NACRE_E_NOT_SUPPORTED, "BCFKS"},
        {(enum store_type)20, NACRE_E_KEY_TYPE, "20"},      {(enum store_type) - 1, NACRE_E_KEY_TYPE, "-1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check_fails(cases[i].type, span_str("x"), NULL, cases[i].want);
        cr_expect_not_null(strstr(why, cases[i].name), "%s names %s", why, cases[i].name);
    }
}

Test(store, keys_that_ssh_cannot_use_are_named)
{
    run("openssl genrsa -out small 1024 2>/dev/null && openssl genpkey -algorithm x25519 -out x && "
        "openssl ecparam -name secp256k1 -genkey -out k1 && openssl pkey -in small -pubout -out public");
    check_fails(STORE_PEM_FILE, span_str("small"), NULL, NACRE_E_KEY_TYPE);
    cr_expect_not_null(strstr(why, "1024"));
    check_fails(STORE_PEM_FILE, span_str("x"), NULL, NACRE_E_KEY_TYPE);
    cr_expect_not_null(strstr(why, "X25519"));
    check_fails(STORE_PEM_FILE, span_str("k1"), NULL, NACRE_E_KEY_TYPE);
    check_fails(STORE_PEM_FILE, span_str("public"), NULL, NACRE_E_NO_CERTIFICATE);
    run("openssl genpkey -algorithm rsa-pss -pkeyopt rsa_keygen_bits:3072 -out pss 2>/dev/null");
    check_fails(STORE_PEM_FILE, span_str("pss"), NULL, NACRE_E_KEY_TYPE);
    cr_expect_not_null(strstr(why, "RSA-PSS"), "%s", why);
}

Test(store, what_write_pem_wrote_opens_again)
{
    static const char *const types[] = {"ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa"};
    for (size_t i = 0; i < 3; i++) {
        struct key *k = nacre_key_generate(crypto, types[i], 2048), *again = NULL;
        struct key *public = nacre_key_from_blob(crypto, nacre_key_blob(k));
        struct buf text;
        nacre_buf_init(&text, 16384);
        cr_assert_not(nacre_store_write_pem(public, &text));
        cr_assert(nacre_store_write_pem(k, &text));
        cr_assert_eq(open_as(STORE_PEM_BLOB, buf_span(&text), NULL, &again), NACRE_OK, "%s", why);
        cr_expect(span_eq(nacre_key_blob(k), nacre_key_blob(again)));
        nacre_buf_wipe(&text);
        nacre_key_unref(k);
        nacre_key_unref(public);
        nacre_key_unref(again);
    }
}

Test(store, what_a_build_lacks_is_named)
{
    static const struct {
        enum store_type type;
        const char *store, *library;
    } cases[] = {{STORE_XML_BLOB, "<RSAKeyValue/>", "libxml2"},
                 {STORE_JWK_BLOB, "{}", "jansson"},
                 {STORE_PKCS11, "/x", "libp11"}};
    char absent[64];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(absent, sizeof absent, "without %s", cases[i].library);
        if (strstr(nacre_keys_features(), absent) == NULL)
            continue;
        check_fails(cases[i].type, span_str(cases[i].store), NULL, NACRE_E_NOT_SUPPORTED);
        cr_expect_not_null(strstr(why, absent), "%s", why);
    }
}

/* Puts `to` where `from` stands in the file, as often as it does. */
static void patch(const char *file, const char *from, const char *to, size_t len)
{
    static uint8_t bytes[8192];
    size_t size = slurp(file, bytes, sizeof bytes), found = 0;
    for (size_t i = 0; i + len <= size; i++) {
        if (memcmp(bytes + i, from, len) != 0)
            continue;
        memcpy(bytes + i, to, len);
        found++;
    }
    cr_assert_gt(found, 0, "%s", file);
    FILE *f = fopen(file, "wb");
    cr_assert(f != NULL && fwrite(bytes, 1, size, f) == size && fclose(f) == 0);
}

/* A file says itself how often its password is hashed: whole millions are fine, hours are not. */
Test(store, absurd_costs_are_refused)
{
    static const struct {
        const char *make;
        enum store_type type;
        bool scrypt;
    } cases[] = {
        {"openssl pkcs8 -topk8 -v2 aes-256-cbc -iter 1000000 -in k -passout pass:geheim -outform DER", STORE_AUTO,
         false},
        {"openssl pkcs8 -topk8 -v1 PBE-SHA1-3DES -iter 1000000 -in k -passout pass:geheim -outform DER", STORE_AUTO,
         false},
        {"openssl pkcs8 -topk8 -scrypt -in k -passout pass:geheim -outform DER", STORE_AUTO, true},
        {"openssl pkcs12 -export -iter 1000000 -inkey k -in c -passout pass:geheim", STORE_PFX_FILE, false},
        {"openssl pkcs12 -export -nomac -iter 1000000 -inkey k -in c -passout pass:geheim", STORE_PFX_FILE, false},
        {"openssl pkcs12 -export -nomac -certpbe NONE -iter 1000000 -inkey k -in c -passout pass:geheim",
         STORE_PFX_FILE, false},
    };
    run("ssh-keygen -q -t ecdsa -m PKCS8 -N '' -f k && openssl req -x509 -key k -subj /CN=host.example -out c");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        run("%s -out store", cases[i].make);
        check_opens(cases[i].type, "store", "geheim", "k.pub");
        if (cases[i].scrypt)
            patch("store", "\x02\x02\x40\x00\x02\x01\x08\x02\x01\x01", "\x02\x02\x40\x00\x02\x01\x08\x02\x01\x7f", 10);
        else
            patch("store", "\x02\x03\x0f\x42\x40", "\x02\x03\x7f\xff\xff", 5);
        check_fails(cases[i].type, span_str("store"), "geheim", NACRE_E_KEY);
        cr_expect_not_null(strstr(why, "too often"), "case %zu: %s", i, why);
        if (cases[i].type != STORE_AUTO)
            continue;
        run("(echo -----BEGIN ENCRYPTED PRIVATE KEY----- && openssl base64 -in store && echo -----END ENCRYPTED "
            "PRIVATE "
            "KEY-----) > pem");
        check_fails(STORE_PEM_FILE, span_str("pem"), "geheim", NACRE_E_KEY);
        cr_expect_not_null(strstr(why, "too often"), "case %zu: %s", i, why);
    }
}

/* Else what the library reads is another block than the one that was judged. */
Test(store, a_block_of_pem_has_no_other_inside)
{
    run("openssl genpkey -algorithm ed25519 -out k && openssl pkcs8 -topk8 -in k -passout pass:geheim -out locked && "
        "(echo -----BEGIN ANY PRIVATE KEY----- && echo AAAA && echo -----END SUCH----- && cat locked && echo -----END "
        "ANY PRIVATE KEY-----) > nested");
    check_fails(STORE_PEM_FILE, span_str("nested"), "geheim", NACRE_E_KEY);
    cr_expect_not_null(strstr(why, "cut short"), "%s", why);
}

static bool asked;

static int refuse_to_ask(UI *ui)
{
    (void)ui;
    asked = true;
    return 0;
}

/* PEM has a way of its own to lock any block. */
Test(store, nobody_is_asked_for_a_password)
{
    static const char lock[] = "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\n";
    UI_METHOD *method = UI_create_method("none");
    cr_assert(method != NULL && UI_method_set_opener(method, refuse_to_ask) == 0);
    UI_set_default_method(method);
    run("ssh-keygen -q -t ecdsa -m PKCS8 -N '' -f k && openssl req -x509 -key k -subj /CN=x -out c && openssl "
        "crl2pkcs7 "
        "-nocrl -certfile c -out p7b && openssl pkcs8 -topk8 -in k -passout pass:geheim -out locked && for i in k c "
        "p7b locked; do (sed -n 1p $i && printf '%s' && sed 1d $i) > $i.asks; done && cat k c.asks > both",
        lock);
    check_fails(STORE_PEM_FILE, span_str("k.asks"), "geheim", NACRE_E_KEY);
    check_fails(STORE_PEM_FILE, span_str("locked.asks"), "geheim", NACRE_E_KEY);
    check_fails(STORE_PUBLIC_FILE, span_str("c.asks"), NULL, NACRE_E_KEY);
    check_fails(STORE_P7B_FILE, span_str("p7b.asks"), NULL, NACRE_E_KEY);
    check_opens(STORE_PEM_FILE, "both", NULL, "k.pub");
    cr_expect_not(asked);
    UI_destroy_method(method);
}

/* OpenSSH's own format says it in binary: the salt's length and the salt, the rounds, how many keys follow. */
Test(store, absurd_rounds_of_bcrypt_are_refused)
{
    run("ssh-keygen -q -t ed25519 -a 3 -N geheim -f k");
    check_opens(STORE_PEM_FILE, "k", "geheim", "k.pub");
    run("sed '/^-/d' k | openssl base64 -d -out sealed");
    patch("sealed", "\0\0\0\x03\0\0\0\x01", "\0\0\x04\x01\0\0\0\x01", 8);
    run("(sed -n 1p k && openssl base64 -in sealed && sed -n '$p' k) > dear");
    check_fails(STORE_PEM_FILE, span_str("dear"), "geheim", NACRE_E_KEY);
    cr_expect_not_null(strstr(why, "1025 rounds"), "%s", why);
}

Test(store, a_caller_with_less_time_is_told_sooner)
{
    struct key *key = NULL;
    struct store_request request = {
        .type = STORE_PEM_FILE, .store = span_str("k"), .password = "geheim", .work_divisor = 256};
    run("ssh-keygen -q -t ed25519 -a 5 -N geheim -f k");
    cr_expect_eq(nacre_store_open(crypto, &request, &key, subject, sizeof subject, why, sizeof why), NACRE_E_KEY);
    cr_expect_not_null(strstr(why, "at most 4 "), "%s", why);
    request.work_divisor = 128;
    cr_expect_eq(nacre_store_open(crypto, &request, &key, subject, sizeof subject, why, sizeof why), NACRE_OK, "%s",
                 why);
    nacre_key_unref(key);
}
