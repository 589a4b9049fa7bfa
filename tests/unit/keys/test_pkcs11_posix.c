/* SPDX-License-Identifier: Apache-2.0 */
/* Keys in a token, which SoftHSM plays. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "crypto/algs.h"
#include "keys/certificate.h"
#include "unit/keys/support.h"

static char module[256];

static void setup(void)
{
    static const char *const places[] = {"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm2.so",
                                         "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so"};
    char conf[256], here[128];
    keys_setup();
    need_library("libp11");
    need("softhsm2-util");
    need("pkcs11-tool");
    for (size_t i = 0; i < 3 && module[0] == 0; i++) {
        if (access(places[i], R_OK) == 0)
            snprintf(module, sizeof module, "%s", places[i]);
    }
    cr_assert(module[0] != 0 && getcwd(here, sizeof here) != NULL);
    snprintf(conf, sizeof conf, "%s/conf", here);
    setenv("SOFTHSM2_CONF", conf, 1);
    run("mkdir tokens && printf 'directories.tokendir = %s/tokens\nobjectstore.backend = file\nlog.level = ERROR\n' > "
        "conf && "
        "softhsm2-util --init-token --free --label 'my token' --pin 1234 --so-pin 5678 >/dev/null",
        here);
}

TestSuite(pkcs11, .init = setup, .fini = keys_teardown);

/* Makes a key, moves it into the token, and leaves its public half in "<label>.pub" and its certificate in
 * "<label>.der". */
static void put(const char *label, const char *id, const char *options, const char *name)
{
    run("rm -f k k.pub; ssh-keygen -q %s -m PKCS8 -N '' -f k && mv k.pub %s.pub && softhsm2-util --import k --token "
        "'my token' --pin 1234 --label %s --id %s >/dev/null && openssl req -x509 -key k -subj /O=Test/CN=%s -outform "
        "DER "
        "-out %s.der && pkcs11-tool --module %s --token-label 'my token' --login --pin 1234 --write-object %s.der "
        "--type "
        "cert --id %s --label %s >/dev/null 2>&1",
        options, label, label, id, name, label, module, label, id, label);
}

static enum nacre_error open_token(const char *uri, const char *pin, const char *wanted, struct buf *der,
                                   struct key **k)
{
    char store[512];
    snprintf(store, sizeof store, "%s%s", module, uri);
    const struct store_request request = {
        .type = STORE_PKCS11, .store = span_str(store), .password = pin, .subject = wanted, .certificate = der};
    return nacre_store_open(crypto, &request, k, subject, sizeof subject, why, sizeof why);
}

static void check_token(const char *uri, const char *wanted, const char *name, const char *public)
{
    struct key *k = NULL;
    struct buf der;
    nacre_buf_init(&der, STORE_FILE_MAX);
    cr_assert_eq(open_token(uri, "1234", wanted, &der, &k), NACRE_OK, "%s: %s", uri, why);
    cr_expect(nacre_key_is_slow(k));
    cr_expect_str_eq(subject, name);
    cr_expect(der.len != 0 && nacre_certificate_fits(buf_span(&der), k));
    check_print(k, wanted, public);
    nacre_buf_free(&der);
    nacre_key_unref(k);
}

Test(pkcs11, keys_are_found_by_label_subject_and_uri)
{
    put("r", "01", "-t rsa -b 2048", "rsa.example");
    put("e", "02", "-t ecdsa -b 256", "ec.example");
    put("f", "03", "-t ecdsa -b 384", "example");
    check_token("", "r", "CN=rsa.example, O=Test", "r.pub");
    check_token("", "CN=ec.example, O=Test", "CN=ec.example, O=Test", "e.pub");
    check_token("", "CN=example", "CN=example, O=Test", "f.pub");
    check_token(";pkcs11:object=f", "*", "CN=example, O=Test", "f.pub");
    check_token(";pkcs11:token=my%20token;id=%02;type=private", "", "CN=ec.example, O=Test", "e.pub");
}

Test(pkcs11, what_is_wrong_is_named)
{
    static const struct {
        const char *uri, *pin, *wanted;
        enum nacre_error want;
    } cases[] = {
        {"", "4321", "*", NACRE_E_KEY_PASSWORD},
        {"", "", "*", NACRE_E_KEY_PASSWORD},
        {"", "1234", "other", NACRE_E_NO_CERTIFICATE},
        {";pkcs11:object=other", "1234", "*", NACRE_E_NO_CERTIFICATE},
        {";pkcs11:token=other", "1234", "*", NACRE_E_NO_CERTIFICATE},
        {";pkcs11:pin-value=1234", "1234", "*", NACRE_E_INVAL},
        {";pkcs11:id=%0", "1234", "*", NACRE_E_INVAL},
        {";object", "1234", "*", NACRE_E_INVAL},
        {".absent", "1234", "*", NACRE_E_KEY},
    };
    put("e", "02", "-t ecdsa -b 256", "ec.example");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct key *k = NULL;
        cr_expect_eq(open_token(cases[i].uri, cases[i].pin, cases[i].wanted, NULL, &k), cases[i].want, "%zu: %s", i,
                     why);
        cr_expect_null(k);
        cr_expect(strstr(why, "soft") != NULL && why[strlen(why) - 1] == '.', "%zu: %s", i, why);
    }
    check_fails(STORE_PKCS11, span_str(""), "1234", NACRE_E_INVAL);
    check_fails(STORE_PKCS11, span_str("conf"), "1234", NACRE_E_KEY);
}

/* The token is open once a key of it is in use; another PIN is wrong all the same, and the first key goes on signing
 * whatever others do. */
Test(pkcs11, several_keys_share_a_module_and_the_pin_is_asked_each_time)
{
    struct key *a = NULL, *b = NULL, *c = NULL;
    struct buf signature;
    nacre_buf_init(&signature, SIGNATURE_MAX);
    put("r", "01", "-t rsa -b 2048", "rsa.example");
    put("e", "02", "-t ecdsa -b 521", "ec.example");
    cr_assert_eq(open_token("", "1234", "r", NULL, &a), NACRE_OK, "%s", why);
    cr_expect_eq(open_token("", "4321", "e", NULL, &b), NACRE_E_KEY_PASSWORD);
    cr_assert_eq(open_token("", "1234", "e", NULL, &b), NACRE_OK, "%s", why);
    cr_assert_eq(open_token("", "1234", "e", NULL, &c), NACRE_OK, "%s", why);
    nacre_key_unref(b);
    nacre_key_unref(c);
    const struct sig_alg *alg = nacre_sig_find(crypto, span_str("rsa-sha2-512"));
    for (int i = 0; i < 20; i++) {
        signature.len = 0;
        cr_assert(nacre_key_sign(crypto, a, alg, span_str("data"), &signature));
        cr_expect(nacre_key_verify(crypto, a, alg, span_str("data"), buf_span(&signature)));
    }
    cr_expect_not(nacre_store_write_pem(a, &signature), "the private half does not leave the token");
    nacre_key_unref(a);
    nacre_buf_free(&signature);
    cr_expect_eq(open_token("", "4321", "r", NULL, &a), NACRE_E_KEY_PASSWORD);
    cr_assert_eq(open_token("", "1234", "r", NULL, &a), NACRE_OK, "%s", why);
    nacre_key_unref(a);
}

/* A PIN must not be tried on a token that may be another one. */
Test(pkcs11, one_of_several_tokens_must_be_named)
{
    struct key *k = NULL;
    put("e", "02", "-t ecdsa -b 256", "ec.example");
    run("softhsm2-util --init-token --free --label other --pin 9999 --so-pin 5678 >/dev/null");
    cr_expect_eq(open_token("", "1234", "*", NULL, &k), NACRE_E_NO_CERTIFICATE);
    cr_expect_not_null(strstr(why, "several"));
    check_token(";pkcs11:token=my%20token", "*", "CN=ec.example, O=Test", "e.pub");
    cr_expect_eq(open_token(";pkcs11:token=other", "9999", "*", NULL, &k), NACRE_E_NO_CERTIFICATE);
}
