/* SPDX-License-Identifier: Apache-2.0 */
/* Containers without a private key, and containers with several. */
#include <stdio.h>

#include "keys/certificate.h"
#include "unit/keys/support.h"

TestSuite(public, .init = keys_setup, .fini = keys_teardown);

static struct buf der;

static enum nacre_error open_public(enum store_type type, struct span store, const char *wanted, struct key **k)
{
    const struct store_request request = {.type = type,
                                          .store = store,
                                          .password = "geheim",
                                          .subject = wanted,
                                          .public_only_will_do = true,
                                          .certificate = &der};
    nacre_buf_free(&der);
    nacre_buf_init(&der, STORE_FILE_MAX);
    return nacre_store_open(crypto, &request, k, subject, sizeof subject, why, sizeof why);
}

/* Loads where a public key will do, by its type and by looks; is no host key. */
static void check_public(enum store_type type, const char *file)
{
    uint8_t bytes[16384];
    struct key *k = NULL;
    const struct span blob = span_of(bytes, slurp(file, bytes, sizeof bytes));
    const struct span stores[] = {span_str(file), span_str(file), blob};
    const enum store_type types[] = {type, STORE_AUTO, STORE_AUTO};
    for (size_t i = 0; i < 3; i++) {
        cr_assert_eq(open_public(types[i], stores[i], "*", &k), NACRE_OK, "%s %zu: %s", file, i, why);
        cr_expect_not(nacre_key_is_private(k));
        nacre_key_unref(k);
        check_fails(types[i], stores[i], NULL, NACRE_E_NO_CERTIFICATE);
    }
    cr_expect_not_null(strstr(why, "no private key"), "%s", why);
}

Test(public, certificates_and_public_keys)
{
    run("openssl genpkey -algorithm ed25519 -out k && openssl req -x509 -key k -subj /CN=host.example -out c.pem && "
        "openssl x509 -in c.pem -outform DER -out c.der && openssl pkey -in k -pubout -out p.pem && "
        "openssl pkey -in k -pubout -outform DER -out p.der && openssl genrsa -out r 2048 2>/dev/null && "
        "openssl rsa -in r -RSAPublicKey_out -out r.pem 2>/dev/null && openssl crl2pkcs7 -nocrl -certfile c.pem -out "
        "c.p7b && openssl crl2pkcs7 -nocrl -certfile c.pem -outform DER -out c7.der");
    static const char *const files[] = {"c.pem", "c.der", "p.pem", "p.der", "r.pem"};
    for (size_t i = 0; i < 5; i++)
        check_public(STORE_PUBLIC_FILE, files[i]);
    check_public(STORE_P7B_FILE, "c.p7b");
    check_public(STORE_P7B_FILE, "c7.der");
    check_fails(STORE_PUBLIC_FILE, span_str("k"), NULL, NACRE_E_KEY);
    check_fails(STORE_P7B_FILE, span_str("k"), NULL, NACRE_E_KEY);
    nacre_buf_free(&der);
}

Test(public, ssh_public_keys_in_both_forms)
{
    static const char *const kinds[] = {"-t ed25519", "-t ecdsa -b 384", "-t rsa -b 2048"};
    struct key *k = NULL;
    for (size_t i = 0; i < 3; i++) {
        run("rm -f k k.pub; ssh-keygen -q %s -N '' -C 'me and you' -f k && ssh-keygen -ef k.pub > k.ssh2 2>/dev/null",
            kinds[i]);
        check_public(STORE_SSH_PUBLIC_FILE, "k.pub");
        check_public(STORE_SSH_PUBLIC_FILE, "k.ssh2");
        cr_expect_eq(open_public(STORE_SSH_PUBLIC_FILE, span_str("k.pub"), "*", &k), NACRE_OK);
        cr_expect_str_eq(subject, "me and you");
        nacre_key_unref(k);
    }
    check_fails(STORE_SSH_PUBLIC_FILE, span_str("k"), NULL, NACRE_E_KEY);
    check_fails(STORE_SSH_PUBLIC_BLOB, span_str("ssh-rsa"), NULL, NACRE_E_KEY);
    check_fails(STORE_SSH_PUBLIC_BLOB, span_str("ssh-rsa AAAA"), NULL, NACRE_E_KEY_TYPE);
    run("sed 's/^ssh-rsa/ssh-ed25519/' k.pub > wrong");
    check_fails(STORE_SSH_PUBLIC_FILE, span_str("wrong"), NULL, NACRE_E_KEY_TYPE);
}

Test(public, private_keys_of_ssh_com_are_named)
{
    static const char key[] = "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\nP2/56wAAAA==\n"
                              "---- END SSH2 ENCRYPTED PRIVATE KEY ----\n";
    static const enum store_type types[] = {STORE_SSH_PUBLIC_BLOB, STORE_AUTO};

    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        check_fails(types[i], span_str(key), NULL, NACRE_E_KEY_TYPE);
        cr_expect_not_null(strstr(why, "ssh.com"), "%s", why);
    }
}

Test(public, security_keys)
{
    run("echo sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIFo6SYCYe2rMHJ7zM0SEKtVJfd2Rn4Kf"
        "zQZfmT4CRzqoAAAABHNzaDo= me@here > sk.pub");
    check_public(STORE_SSH_PUBLIC_FILE, "sk.pub");
}

static const struct {
    const char *wanted, *found; /* NULL: nothing */
} searches[] = {
    {"*", "CN=b.example, O=Test"},    {"", "CN=b.example, O=Test"},
    {"CN=a, O=Test", "CN=a, O=Test"}, {"CN=a,O=Test", "CN=a, O=Test"},
    {"CN=a", "CN=a.example, O=Test"}, {"b.example", "CN=b.example, O=Test"},
    {"Test", "CN=b.example, O=Test"}, {"c.example", NULL},
};

static const char three[] = "for n in b.example a.example a; do openssl genpkey -algorithm ed25519 -out k.$n && "
                            "openssl req -x509 -key k.$n -subj /O=Test/CN=$n -out c.$n; done";

/* "*" takes the first; an exact subject goes before one that contains what is asked for. */
Test(public, a_p7b_is_searched_for_its_subject)
{
    run("%s && cat c.b.example c.a.example c.a > all && openssl crl2pkcs7 -nocrl -certfile all -out all.p7b", three);
    for (size_t i = 0; i < sizeof searches / sizeof *searches; i++) {
        struct key *k = NULL;
        enum nacre_error e = open_public(STORE_P7B_FILE, span_str("all.p7b"), searches[i].wanted, &k);
        cr_expect_eq(e, searches[i].found == NULL ? NACRE_E_NO_CERTIFICATE : NACRE_OK, "%s: %s", searches[i].wanted,
                     why);
        cr_expect_str_eq(subject, searches[i].found == NULL ? "" : searches[i].found);
        nacre_key_unref(k);
    }
    nacre_buf_free(&der);
}

Test(public, a_pfx_with_several_keys_is_searched_for_its_subject)
{
    need("keytool");
    run("%s && for n in b.example a.example a; do openssl pkcs12 -export -inkey k.$n -in c.$n -name $n -passout "
        "pass:geheim -out $n.pfx && keytool -importkeystore -srckeystore $n.pfx -srcstorepass geheim -destkeystore "
        "all.pfx "
        "-deststoretype PKCS12 -deststorepass geheim 2>/dev/null; done",
        three);
    for (size_t i = 2; i < sizeof searches / sizeof *searches; i++) {
        struct key *k = NULL;
        enum nacre_error e = open_public(STORE_PFX_FILE, span_str("all.pfx"), searches[i].wanted, &k);
        cr_expect_eq(e, searches[i].found == NULL ? NACRE_E_NO_CERTIFICATE : NACRE_OK, "%s: %s", searches[i].wanted,
                     why);
        cr_expect(k == NULL || nacre_certificate_fits(buf_span(&der), k));
        nacre_key_unref(k);
    }
    nacre_buf_free(&der);
}

/* Else what stands behind it is not seen, and the certificate answers to what stands in front. */
Test(public, a_zero_byte_in_a_name_is_no_end)
{
    uint8_t bytes[4096];
    struct key *k = NULL;
    run("openssl genpkey -algorithm ed25519 -out k && openssl req -x509 -key k -subj /CN=good_bad -out c -outform DER");
    struct span c = span_of(bytes, slurp("c", bytes, sizeof bytes));
    for (size_t i = 0; i + 8 <= c.len; i++) {
        if (memcmp(bytes + i, "good_bad", 8) == 0)
            bytes[i + 4] = '\0';
    }
    cr_expect_eq(open_public(STORE_PUBLIC_BLOB, c, "*", &k), NACRE_OK, "%s", why);
    cr_expect_str_eq(subject, "CN=good\\00bad");
    nacre_key_unref(k);
    nacre_buf_free(&der);
}

/* The key's own certificate is found among others, wherever it stands. */
Test(public, pem_takes_the_certificate_of_the_key)
{
    run("%s && cat c.b.example c.a.example c.a k.a > all.pem", three);
    struct key *k = NULL;
    cr_assert_eq(open_public(STORE_PEM_FILE, span_str("all.pem"), "*", &k), NACRE_OK, "%s", why);
    cr_expect_str_eq(subject, "CN=a, O=Test");
    cr_expect(nacre_certificate_fits(buf_span(&der), k));
    nacre_key_unref(k);
    cr_expect_eq(open_public(STORE_PEM_FILE, span_str("all.pem"), "CN=b.example", &k), NACRE_E_NO_CERTIFICATE);
    nacre_buf_free(&der);
}

Test(public, damage_is_one_error)
{
    uint8_t bytes[4096];
    run("%s && openssl crl2pkcs7 -nocrl -certfile c.a -outform DER -out p7b && openssl x509 -in c.a -outform DER -out "
        "der && ssh-keygen -q -t ecdsa -N '' -f k",
        three);
    check_damage(STORE_AUTO, span_of(bytes, slurp("p7b", bytes, sizeof bytes)), NULL);
    check_damage(STORE_AUTO, span_of(bytes, slurp("der", bytes, sizeof bytes)), NULL);
    check_damage(STORE_AUTO, span_of(bytes, slurp("k.pub", bytes, sizeof bytes)), NULL);
}

/* By guess, no program is loaded; what a base64 name might be is a file first. */
Test(public, auto_prefers_files_and_loads_no_module)
{
    run("cp /bin/true module && ssh-keygen -q -t ed25519 -N '' -f AAAABBBBCCCCDDDD");
    check_fails(STORE_AUTO, span_str("module"), NULL, NACRE_E_KEY_TYPE);
    check_opens(STORE_AUTO, "AAAABBBBCCCCDDDD", NULL, "AAAABBBBCCCCDDDD.pub");
    check_fails(STORE_AUTO, span_str("AAAABBBBCCCCDDDE"), NULL, NACRE_E_KEY);
    cr_expect_not_null(strstr(why, "AAAABBBBCCCCDDDE"));
}
