/* SPDX-License-Identifier: Apache-2.0 */
/* Every type of container through the certificate properties, as a file and as a blob, whole and damaged; made by the
 * tools that people make keys with. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "nacre/nacre.h"

enum {
    FILE_MAX = 1 << 20, /* what a container may have */
    TEXT_MAX = 512
};

static char folder[] = "/tmp/nacre-containers-XXXXXX";
static uint8_t bytes[FILE_MAX + 2];
static char why[TEXT_MAX]; /* of the last refusal */

static void setup(void)
{
    cr_assert(mkdtemp(folder) != NULL && chdir(folder) == 0);
}

static void teardown(void)
{
    char command[64];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
    cr_assert(chdir("/") == 0 && system(command) == 0);
}

TestSuite(class_containers, .init = setup, .fini = teardown);

static void need(const char *program)
{
    char command[128];
    (void)snprintf(command, sizeof command, "command -v %s >/dev/null", program);
    if (system(command) != 0)
        cr_skip_test("%s is not installed", program);
}

static void run(const char *command)
{
    cr_assert_eq(system(command), 0, "%s", command);
}

static size_t slurp(const char *file)
{
    FILE *f = fopen(file, "rb");
    cr_assert_not_null(f, "%s", file);
    size_t n = fread(bytes, 1, sizeof bytes, f);
    (void)fclose(f);
    return n;
}

static void write_file(const char *file, size_t len)
{
    FILE *f = fopen(file, "wb");
    cr_assert(f != NULL && fwrite(bytes, 1, len, f) == len && fclose(f) == 0);
}

/* The subject's result. */
static int load(nacre_server *n, int type, const void *store, size_t len, const char *password)
{
    cr_assert_eq(nacre_set_ssh_cert_store_type(n, type), 0);
    cr_assert_eq(nacre_set_ssh_cert_store(n, store, len), 0);
    cr_assert_eq(nacre_set_ssh_cert_store_password(n, password), 0);
    return nacre_set_ssh_cert_subject(n, "*");
}

/* What ssh-keygen says of the public key in k.pub is what the class says of the one it has read. */
static void is_the_key(nacre_server *n, bool private, const char *what)
{
    char line[TEXT_MAX] = "", want[80] = "", print[80];
    struct nacre_certificate c;
    FILE *p = popen("ssh-keygen -lf k.pub", "r");
    cr_assert(p != NULL && fgets(line, sizeof line, p) != NULL && sscanf(line, "%*s %79s", want) == 1);
    (void)pclose(p);
    cr_assert_eq(nacre_get_host_key_fingerprint(n, 0, print, sizeof print), 0, "%s", what);
    cr_expect_str_eq(print, want, "%s", what);
    cr_assert_eq(nacre_get_certificate(n, 0, &c), 0);
    cr_expect_eq(c.private_key_available, private, "%s", what);
    cr_expect_neq(c.public_key[0], '\0', "%s", what);
    nacre_certificate_free(&c);
}

/* Nothing is selected, and one sentence says why. */
static void is_refused(nacre_server *n, int result, const char *what)
{
    char subject[TEXT_MAX] = "?", print[80];
    (void)snprintf(why, sizeof why, "%s", nacre_last_error(n));
    cr_assert_neq(result, 0, "%s", what);
    cr_expect(strlen(why) > 10 && why[strlen(why) - 1] == '.', "%s: \"%s\"", what, why);
    cr_expect_eq(nacre_get_ssh_cert_subject(n, subject, sizeof subject), 0);
    cr_expect_str_eq(subject, "", "%s", what);
    cr_expect_eq(nacre_get_host_key_fingerprint(n, 0, print, sizeof print), NACRE_E_NO_CERTIFICATE, "%s", what);
}

/* A public key alone serves nobody. */
static void listens(nacre_server *n, bool private, const char *what)
{
    cr_assert_eq(nacre_set_local_host(n, "127.0.0.1"), 0);
    cr_assert_eq(nacre_set_local_port(n, 0), 0);
    int e = nacre_start_listening(n);
    cr_expect_eq(e, private ? 0 : 1301, "%s: %d %s", what, e, nacre_last_error(n));
    if (e != 0)
        cr_expect(strstr(nacre_last_error(n), "private half") != NULL, "%s: %s", what, nacre_last_error(n));
    else
        cr_expect_eq(nacre_stop_listening(n), 0);
}

static void try_hostile(nacre_server *n, int file_type, int blob_type, const char *what)
{
    static const struct {
        uint8_t begin[8];
        size_t len;
    } starts[] = {{{0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 0x02, 0x01}, 8}, /* a length that is not there */
                  {{0x30, 0x80, 0x30, 0x80, 0x30, 0x80, 0x30, 0x80}, 8}, /* nested without end */
                  {{'{', '[', '{', '[', '{', '[', '{', '['}, 8},
                  {{'<', 'a', '>', '<', 'a', '>', '<', 'a'}, 8},
                  {{0}, 8}};
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        for (size_t at = 0; at + 8 <= 65536; at += 8)
            memcpy(bytes + at, starts[i].begin, 8);
        write_file("hostile", 65536);
        is_refused(n, load(n, file_type, "hostile", 7, "geheim"), what);
        is_refused(n, load(n, blob_type, bytes, 65536, "geheim"), what);
    }
    memset(bytes, 'A', sizeof bytes);
    write_file("large", FILE_MAX + 1);
    is_refused(n, load(n, file_type, "large", 5, ""), what);
    cr_expect(strstr(why, "larger") != NULL, "%s: %s", what, why);
    is_refused(n, load(n, file_type, "absent", 6, ""), what);
    cr_expect(strstr(why, "\"absent\"") != NULL, "%s: %s", what, why);
    is_refused(n, load(n, blob_type, "", 0, ""), what);
}

/* The container `file` of k's key, both ways. */
static void both_ways(int file_type, int blob_type, const char *file, const char *password, bool private)
{
    nacre_server *n;
    cr_assert_eq(nacre_create(&n), 0);
    size_t len = slurp(file);
    cr_assert_eq(load(n, file_type, file, strlen(file), password), 0, "%s: %s", file, nacre_last_error(n));
    is_the_key(n, private, file);
    listens(n, private, file);
    cr_assert_eq(load(n, blob_type, bytes, len, password), 0, "%s blob: %s", file, nacre_last_error(n));
    is_the_key(n, private, file);
    cr_assert_eq(load(n, 99, bytes, len, password), 0, "%s auto: %s", file, nacre_last_error(n));
    is_the_key(n, private, file);
    if (password[0] != '\0') {
        int e = load(n, file_type, file, strlen(file), "wrong");
        is_refused(n, e, file);
        cr_expect_eq(e, NACRE_E_KEY_PASSWORD, "%s: %d", file, e);
        e = load(n, blob_type, bytes, len, "");
        is_refused(n, e, file);
        cr_expect_eq(e, NACRE_E_KEY_PASSWORD, "%s: %d", file, e);
    }
    is_refused(n, load(n, blob_type, bytes, len / 2, password), file);
    write_file("cut", len / 2);
    is_refused(n, load(n, file_type, "cut", 3, password), file);
    try_hostile(n, file_type, blob_type, file);
    nacre_free(n);
}

static void make_rsa(void)
{
    need("ssh-keygen");
    need("openssl");
    run("ssh-keygen -q -t rsa -b 2048 -m PEM -N '' -C me -f k && openssl req -x509 -key k -subj /O=Nacre/CN=host -out "
        "c");
}

Test(class_containers, pem_of_ssh_keygen_and_openssl)
{
    make_rsa();
    both_ways(6, 7, "k", "", true);
    run("ssh-keygen -q -p -N geheim -f k >/dev/null");
    both_ways(6, 7, "k", "geheim", true);
    run("rm k k.pub; ssh-keygen -q -t ed25519 -N geheim -C me -f k");
    both_ways(6, 7, "k", "geheim", true);
    run("rm k k.pub; ssh-keygen -q -t ecdsa -m PKCS8 -N '' -C me -f k && openssl pkcs8 -topk8 -in k -passout "
        "pass:geheim "
        "-out p8");
    both_ways(6, 7, "p8", "geheim", true);
}

Test(class_containers, pfx_of_openssl)
{
    make_rsa();
    run("openssl pkcs12 -export -inkey k -in c -passout pass:geheim -out a.pfx && openssl base64 -in a.pfx -out a.b64");
    both_ways(2, 3, "a.pfx", "geheim", true);
    nacre_server *n;
    cr_assert_eq(nacre_create(&n), 0);
    size_t len = slurp("a.b64");
    cr_assert_eq(load(n, 3, bytes, len, "geheim"), 0, "%s", nacre_last_error(n));
    is_the_key(n, true, "base64");
    nacre_free(n);
}

Test(class_containers, pfx_of_keytool)
{
    make_rsa();
    need("keytool");
    run("keytool -genkeypair -keyalg RSA -keysize 2048 -alias a -dname CN=host -storetype PKCS12 -keystore a.pfx "
        "-storepass geheim >/dev/null 2>&1 && openssl pkcs12 -in a.pfx -passin pass:geheim -nokeys 2>/dev/null | "
        "openssl x509 -noout -pubkey > p && ssh-keygen -i -m PKCS8 -f p > k.pub");
    both_ways(2, 3, "a.pfx", "geheim", true);
}

Test(class_containers, ppk_of_puttygen)
{
    need("puttygen");
    make_rsa();
    run("echo geheim > new; puttygen k -O private -o k.ppk --new-passphrase new");
    both_ways(14, 15, "k.ppk", "geheim", true);
}

Test(class_containers, public_keys_and_certificates)
{
    make_rsa();
    run("openssl rsa -in k -pubout -out public 2>/dev/null && openssl x509 -in c -outform DER -out c.der && openssl "
        "crl2pkcs7 -nocrl -certfile c -outform DER -out c.p7b && ssh-keygen -e -f k.pub > rfc4716");
    both_ways(8, 9, "public", "", false);
    both_ways(8, 9, "c", "", false);
    both_ways(8, 9, "c.der", "", false);
    both_ways(11, 12, "c.p7b", "", false);
    both_ways(13, 10, "k.pub", "", false);
    both_ways(13, 10, "rfc4716", "", false);
}

/* Written from the numbers, as .NET and RFC 7517 have them. */
Test(class_containers, xml_and_jwk)
{
    char info[TEXT_MAX];
    nacre_server *n;
    make_rsa();
    cr_assert_eq(nacre_create(&n), 0);
    cr_assert_eq(nacre_config(n, "BuildInfo", info, sizeof info), 0);
    nacre_free(n);
    if (strstr(info, "without libxml2") != NULL || strstr(info, "without jansson") != NULL)
        cr_skip_test("a build without libxml2 or jansson");
    if (system("/usr/bin/python3 -c 'import cryptography' 2>/dev/null") != 0)
        cr_skip_test("python3-cryptography is not installed");
    run("cat > w.py <<'EOP'\n"
        "import base64, json\n"
        "from cryptography.hazmat.primitives.serialization import load_pem_private_key\n"
        "x = load_pem_private_key(open('k', 'rb').read(), None).private_numbers()\n"
        "raw = lambda v: v.to_bytes((v.bit_length() + 7) // 8, 'big')\n"
        "plain = lambda v: base64.b64encode(raw(v)).decode()\n"
        "url = lambda v: base64.urlsafe_b64encode(raw(v)).rstrip(b'=').decode()\n"
        "n = x.public_numbers\n"
        "names = [('Modulus', n.n), ('Exponent', n.e), ('P', x.p), ('Q', x.q), ('DP', x.dmp1), ('DQ', x.dmq1),\n"
        "         ('InverseQ', x.iqmp), ('D', x.d)]\n"
        "def xml(rows):\n"
        "    return '<RSAKeyValue>' + ''.join('<%s>%s</%s>' % (a, plain(b), a) for a, b in rows) + '</RSAKeyValue>'\n"
        "open('k.xml', 'w').write(xml(names))\n"
        "open('p.xml', 'w').write(xml(names[:2]))\n"
        "public = {'kty': 'RSA', 'n': url(n.n), 'e': url(n.e)}\n"
        "private = dict(public, d=url(x.d), p=url(x.p), q=url(x.q), dp=url(x.dmp1), dq=url(x.dmq1), qi=url(x.iqmp))\n"
        "json.dump(private, open('k.jwk', 'w'))\n"
        "json.dump(public, open('p.jwk', 'w'))\n"
        "EOP\n"
        "/usr/bin/python3 w.py");
    both_ways(16, 17, "k.xml", "", true);
    both_ways(18, 19, "k.jwk", "", true);
    both_ways(16, 17, "p.xml", "", false);
    both_ways(18, 19, "p.jwk", "", false);
    run("printf '{\"keys\":[%s]}' \"$(cat p.jwk)\" > set");
    both_ways(18, 19, "set", "", false);
}

/* A private number that cannot be read does not make the key a public one. */
Test(class_containers, a_damaged_private_number_is_no_public_key)
{
    static const char *const jwk[] = {
        "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\",\"d\":%s}",
        "{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\",\"d\":%s}"};
    static const char *const numbers[] = {"\"!\"", "\"\"", "7", "null", "[]"};
    nacre_server *n;
    cr_assert_eq(nacre_create(&n), 0);
    for (size_t i = 0; i < 10; i++) {
        char text[TEXT_MAX];
        (void)snprintf(text, sizeof text, jwk[i / 5], numbers[i % 5]);
        int e = load(n, 19, text, strlen(text), "");
        if (strstr(nacre_last_error(n), "without jansson") != NULL)
            cr_skip_test("a build without jansson");
        is_refused(n, e, text);
    }
    nacre_free(n);
}

Test(class_containers, types_of_other_systems_are_named)
{
    static const struct {
        int type;
        const char *name;
    } cases[] = {{0, "User"}, {1, "Machine"}, {4, "JKS"}, {5, "JKS"}, {21, "BCFKS"}, {22, "BCFKS"}};
    nacre_server *n;
    cr_assert_eq(nacre_create(&n), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int e = load(n, cases[i].type, "x", 1, "");
        is_refused(n, e, cases[i].name);
        cr_expect_eq(e, NACRE_E_NOT_SUPPORTED, "%s", cases[i].name);
        cr_expect(strstr(why, cases[i].name) != NULL, "%s", why);
    }
    cr_expect_eq(nacre_set_ssh_cert_store_type(n, 20), NACRE_E_INVAL);
    nacre_free(n);
}

Test(class_containers, subjects_exact_containing_and_any)
{
    static const struct {
        const char *asked, *found; /* NULL: none */
    } cases[] = {{"CN=host, O=Nacre", "CN=host, O=Nacre"},
                 {"CN=host,O=Nacre", "CN=host, O=Nacre"},
                 {"CN=host", "CN=host, O=Nacre"},
                 {"O=Nacre", "CN=host, O=Nacre"},
                 {"*", "CN=host, O=Nacre"},
                 {"CN=ghost", NULL},
                 {"CN=host, O=Nacre, C=CH", NULL}};
    nacre_server *n;
    make_rsa();
    run("openssl pkcs12 -export -inkey k -in c -passout pass:geheim -out a.pfx && openssl crl2pkcs7 -nocrl -certfile c "
        "-outform DER -out c.p7b && cat k c > both");
    static const struct {
        int type;
        const char *file, *password;
    } stores[] = {{2, "a.pfx", "geheim"}, {6, "both", ""}, {11, "c.p7b", ""}, {8, "c", ""}};
    cr_assert_eq(nacre_create(&n), 0);
    for (size_t s = 0; s < sizeof stores / sizeof *stores; s++) {
        cr_assert_eq(load(n, stores[s].type, stores[s].file, strlen(stores[s].file), stores[s].password), 0);
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            char subject[TEXT_MAX];
            int e = nacre_set_ssh_cert_subject(n, cases[i].asked);
            cr_expect_eq(e, cases[i].found == NULL ? 1301 : 0, "%s: %s: %d", stores[s].file, cases[i].asked, e);
            cr_assert_eq(nacre_get_ssh_cert_subject(n, subject, sizeof subject), 0);
            cr_expect_str_eq(subject, cases[i].found == NULL ? "" : cases[i].found, "%s: %s", stores[s].file,
                             cases[i].asked);
        }
    }
    nacre_free(n);
}
