/* SPDX-License-Identifier: Apache-2.0 */
/* A host key in a token, which SoftHSM plays: a slow one holds up who waits for its signature, and nobody else. */
#include <criterion/criterion.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/client.h"
#include "support/server.h"

static char folder[] = "/tmp/nacre-token-XXXXXX";

static void run(const char *command)
{
    cr_assert_eq(system(command), 0, "%s", command);
}

static void setup(void)
{
    static const char *const places[] = {"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm2.so",
                                         "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so"};
    const char *module = NULL;
    char text[256];
    for (size_t i = 0; i < 3 && module == NULL; i++)
        module = access(places[i], R_OK) == 0 ? places[i] : NULL;
    if (module == NULL || system("command -v softhsm2-util ssh-keygen >/dev/null") != 0)
        cr_skip_test("softhsm2 or ssh-keygen is not installed");
    cr_assert(mkdtemp(folder) != NULL && chdir(folder) == 0);
    (void)snprintf(text, sizeof text, "%s/conf", folder);
    cr_assert(setenv("SOFTHSM2_CONF", text, 1) == 0 && setenv("NACRE_TEST_TOKEN", module, 1) == 0);
    run("mkdir tokens && printf 'directories.tokendir = %s/tokens\\nobjectstore.backend = file\\n' \"$PWD\" > conf && "
        "softhsm2-util --init-token --free --label t --pin 1234 --so-pin 5678 >/dev/null && "
        "ssh-keygen -q -t ecdsa -b 256 -m PKCS8 -N '' -f k && "
        "softhsm2-util --import k --token t --pin 1234 --label k --id 01 >/dev/null");
}

static void teardown(void)
{
    char command[64];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
    cr_assert(chdir("/") == 0 && system(command) == 0);
}

TestSuite(class_token, .init = setup, .fini = teardown);

/* The token's key first, and beside it one in memory. False: this build has no PKCS#11. */
static bool use_keys(struct server *s)
{
    static char pem[16384], setting[16384 + 64];
    cr_assert_eq(nacre_make_key("ssh-ed25519", pem, sizeof pem), 0);
    server_set(s, "AltSSHCertCount=1");
    server_set(s, "AltSSHCertStoreType[0]=7");
    (void)snprintf(setting, sizeof setting, "AltSSHCertStore[0]=%s", pem);
    server_set(s, setting);
    server_set(s, "AltSSHCertSubject[0]=*");
    cr_assert_eq(nacre_set_ssh_cert_store_type(s->nacre, 23), 0);
    cr_assert_eq(nacre_set_ssh_cert_store(s->nacre, SLOW_TOKEN, strlen(SLOW_TOKEN)), 0);
    cr_assert_eq(nacre_set_ssh_cert_store_password(s->nacre, "1234"), 0);
    int e = nacre_set_ssh_cert_subject(s->nacre, "*");
    cr_assert(e == 0 || e == NACRE_E_NOT_SUPPORTED, "%d %s", e, nacre_last_error(s->nacre));
    return e == 0;
}

Test(class_token, a_slow_signature_holds_up_nobody_else)
{
    static struct client waits, goes;
    struct server *s = server_new();
    server_set(s, "WorkerThreads=1");
    s->echo = true;
    if (!use_keys(s)) {
        server_free(s);
        cr_skip_test("a build without libp11");
    }
    server_start(s, 1);
    int fd = open("closed", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    cr_assert(fd >= 0 && close(fd) == 0);

    client_init(&waits);
    waits.config.algorithms.host_key = "ecdsa-sha2-nistp256";
    cr_assert(client_dial(&waits, NULL, s->port));
    for (int i = 0; i < CLIENT_WAIT_MS && access("signing", F_OK) != 0; i++)
        (void)client_turn(&waits, 10);
    cr_assert_eq(access("signing", F_OK), 0, "the token has been asked");

    client_init(&goes);
    goes.config.algorithms.host_key = "ssh-ed25519";
    cr_assert(client_connect(&goes, s->port) && client_login(&goes, "user", "pw"));
    int channel = client_open(&goes, "session");
    cr_assert(client_send(&goes, channel, "hello", 5));
    cr_expect(client_wait_count(&goes, &goes.channels[channel].received, 5), "by the one worker there is");
    cr_expect_not(waits.ready);

    cr_assert_eq(unlink("closed"), 0);
    cr_expect(client_wait(&waits, &waits.ready));
    client_free(&goes);
    client_free(&waits);
    server_free(s);
}

/* The result of selecting any key of that store; what is wrong stands in nacre_last_error(). */
static int select_token(nacre_server *n, const char *store, size_t len, const char *pin, const char *subject)
{
    cr_assert_eq(nacre_set_ssh_cert_store_type(n, 23), 0);
    cr_assert_eq(nacre_set_ssh_cert_store(n, store, len), 0);
    cr_assert_eq(nacre_set_ssh_cert_store_password(n, pin), 0);
    return nacre_set_ssh_cert_subject(n, subject);
}

static void is_refused(nacre_server *n, int result, int want, const char *what)
{
    char why[2048], subject[64] = "?", print[80];
    (void)snprintf(why, sizeof why, "%s", nacre_last_error(n));
    cr_expect(want == 0 ? result != 0 : result == want, "%s: %d %s", what, result, why);
    cr_expect(strlen(why) > 10 && why[strlen(why) - 1] == '.', "%s: \"%s\"", what, why);
    cr_expect_eq(nacre_get_ssh_cert_subject(n, subject, sizeof subject), 0);
    cr_expect_str_eq(subject, "", "%s", what);
    cr_expect_eq(nacre_get_host_key_fingerprint(n, 0, print, sizeof print), NACRE_E_NO_CERTIFICATE, "%s", what);
}

Test(class_token, what_is_wrong_with_a_store_is_told_in_one_sentence)
{
    static const struct {
        const char *behind, *pin, *subject;
        int want; /* 0: any error */
    } cases[] = {{"", "4321", "*", NACRE_E_KEY_PASSWORD},
                 {"", "", "*", NACRE_E_KEY_PASSWORD},
                 {"", "1234", "other", NACRE_E_NO_CERTIFICATE},
                 {";pkcs11:object=other", "1234", "*", NACRE_E_NO_CERTIFICATE},
                 {";pkcs11:token=other", "1234", "*", NACRE_E_NO_CERTIFICATE},
                 {";pkcs11:id=%0", "1234", "*", 0},
                 {";pkcs11:pin-value=1234", "1234", "*", 0},
                 {";", "1234", "*", 0},
                 {".absent", "1234", "*", 0}};
    static const char *const files[] = {"k",       "conf",     "tokens", "cut20", "cut64",    "cut100",
                                        "cut4000", "cut12000", "noise",  "empty", "other.so", ""};
    static char large[70000], store[512];
    nacre_server *n;
    cr_assert_eq(nacre_create(&n), 0);
    if (select_token(n, SLOW_TOKEN, strlen(SLOW_TOKEN), "1234", "*") == NACRE_E_NOT_SUPPORTED) {
        nacre_free(n);
        cr_skip_test("a build without libp11");
    }
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        (void)snprintf(store, sizeof store, "%s%s", SLOW_TOKEN, cases[i].behind);
        is_refused(n, select_token(n, store, strlen(store), cases[i].pin, cases[i].subject), cases[i].want, store);
    }
    run("for n in 20 64 100 4000 12000; do head -c $n " SLOW_TOKEN
        " > cut$n; done; head -c 40000 /dev/urandom > noise; : > empty; "
        "printf 'int nothing;' | cc -shared -fPIC -x c - -o other.so");
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        (void)snprintf(store, sizeof store, "%s%s%s", folder, files[i][0] == '\0' ? "" : "/", files[i]);
        is_refused(n, select_token(n, store, strlen(store), "1234", "*"), 0, store);
        is_refused(n, select_token(n, files[i], strlen(files[i]), "1234", "*"), 0, files[i]);
    }
    memset(large, 'a', sizeof large);
    is_refused(n, select_token(n, large, sizeof large, "1234", "*"), 0, "a name without end");
    is_refused(n, select_token(n, "k\0", 2, "1234", "*"), 0, "a NUL in the name");
    cr_expect_eq(select_token(n, SLOW_TOKEN, strlen(SLOW_TOKEN), "1234", "*"), 0, "%s", nacre_last_error(n));
    nacre_free(n);
}
