/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/keys/support.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "unit/keys/shell.h"

struct nacre_crypto *crypto;
char why[512], subject[256];

void keys_setup(void)
{
    crypto = nacre_crypto_open(true);
    cr_assert_not_null(crypto);
    cr_assert(shell_enter_folder());
}

void keys_teardown(void)
{
    nacre_crypto_unref(crypto);
    cr_assert(shell_leave_folder());
}

void run(const char *format, ...)
{
    char command[4096];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    if (shell("command -v ssh-keygen openssl >/dev/null") != 0)
        cr_skip_test("ssh-keygen and openssl are not installed");
    cr_assert_eq(shell(command), 0, "%s", command);
}

void make_dsa(void)
{
    run("rm -f k; openssl genpkey -genparam -algorithm DSA -pkeyopt dsa_paramgen_bits:1024 -pkeyopt "
        "dsa_paramgen_q_bits:160 "
        "-out parameters 2>/dev/null && openssl genpkey -paramfile parameters | openssl pkey -traditional -out k && "
        "chmod 600 k");
}

enum nacre_error open_as(enum store_type type, struct span store, const char *password, struct key **out)
{
    const struct store_request request = {.type = type, .store = store, .password = password, .subject = "*"};
    return nacre_store_open(crypto, &request, out, subject, sizeof subject, why, sizeof why);
}

void check_print(struct key *k, const char *name, const char *public)
{
    uint8_t line[512];
    char print[64] = "";
    cr_assert(nacre_key_is_private(k));
    cr_assert_str_empty(why);
    cr_assert(nacre_key_fingerprint(crypto, nacre_key_blob(k), print));
    run("(ssh-keygen -lf %s 2>/dev/null || puttygen -l %s) > print", public, public);
    line[slurp("print", line, sizeof line - 1)] = 0;
    cr_expect_not_null(strstr((const char *)line, print), "%s is %s, not %s", name, (const char *)line, print);
}

void check_opens(enum store_type type, const char *file, const char *password, const char *public)
{
    struct key *k = NULL;
    enum nacre_error e = open_as(type, span_str(file), password, &k);
    cr_assert_eq(e, NACRE_OK, "%s: %s", file, why);
    check_print(k, file, public);
    nacre_key_unref(k);
}

void check_opens_blob(enum store_type type, struct span store, const char *password, const char *public)
{
    struct key *k = NULL;
    enum nacre_error e = open_as(type, store, password, &k);
    cr_assert_eq(e, NACRE_OK, "%s", why);
    check_print(k, "blob", public);
    nacre_key_unref(k);
}

void check_fails(enum store_type type, struct span store, const char *password, enum nacre_error want)
{
    struct key *k = NULL;
    enum nacre_error e = open_as(type, store, password, &k);
    cr_expect_eq(e, want, "%.*s: %d %s", (int)(store.len < 60 ? store.len : 60), (const char *)store.at, e, why);
    cr_expect_null(k);
    cr_expect(strlen(why) > 10 && why[strlen(why) - 1] == '.', "one sentence, not \"%s\"", why);
    nacre_key_unref(k);
}

static void check_answer(enum store_type type, struct span blob, const char *password, size_t at)
{
    struct key *k = NULL;
    enum nacre_error e = open_as(type, blob, password, &k);
    cr_expect_eq(e == NACRE_OK, k != NULL, "byte %zu", at);
    cr_expect_eq(e == NACRE_OK, why[0] == 0, "byte %zu: %s", at, why);
    nacre_key_unref(k);
}

void check_damage(enum store_type type, struct span blob, const char *password)
{
    for (size_t n = 0; n < blob.len; n++) {
        uint8_t *copy = malloc(blob.len); /* exactly as large, so that a step behind its end is seen */
        cr_assert_not_null(copy);
        memcpy(copy, blob.at, blob.len);
        check_answer(type, span_of(copy, n), password, n);
        copy[n] ^= (uint8_t)(1U << n % 8);
        check_answer(type, span_of(copy, blob.len), password, n);
        free(copy);
    }
}

size_t slurp(const char *file, uint8_t *at, size_t size)
{
    FILE *f = fopen(file, "rb");
    cr_assert_not_null(f);
    size_t n = fread(at, 1, size, f);
    fclose(f);
    return n;
}

Test(store, blobs_open_as_text_and_as_base64)
{
    static uint8_t bytes[16384];
    struct key *k = NULL;
    run("ssh-keygen -q -t ed25519 -N '' -f k && openssl base64 -in k -out k.b64 && openssl genpkey -algorithm ed25519 "
        "-out p && "
        "openssl req -x509 -key p -subj /CN=x -out c && openssl pkcs12 -export -inkey p -in c -passout pass:geheim | "
        "openssl base64 -out pfx.b64");
    size_t len = slurp("k", bytes, sizeof bytes);
    cr_expect_eq(open_as(STORE_PEM_BLOB, span_of(bytes, len), NULL, &k), NACRE_OK, "%s", why);
    nacre_key_unref(k);
    cr_expect_eq(open_as(STORE_AUTO, span_of(bytes, len), NULL, &k), NACRE_OK, "%s", why);
    nacre_key_unref(k);
    len = slurp("k.b64", bytes, sizeof bytes);
    cr_expect_eq(open_as(STORE_PEM_BLOB, span_of(bytes, len), NULL, &k), NACRE_OK, "%s", why);
    nacre_key_unref(k);
    len = slurp("pfx.b64", bytes, sizeof bytes);
    cr_expect_eq(open_as(STORE_PFX_BLOB, span_of(bytes, len), "geheim", &k), NACRE_OK, "%s", why);
    nacre_key_unref(k);
    check_fails(STORE_PEM_BLOB, span_str("no key at all, just words"), NULL, NACRE_E_KEY);
    check_fails(STORE_PEM_BLOB, span_of(NULL, 0), NULL, NACRE_E_KEY);
}

void need(const char *program)
{
    char command[128];
    snprintf(command, sizeof command, "command -v %s >/dev/null", program);
    if (shell(command) != 0)
        cr_skip_test("%s is not installed", program);
}

bool has_library(const char *library)
{
    const char *with = strstr(nacre_keys_features(), library);
    const char *without = strstr(nacre_keys_features(), "without");
    return with != NULL && (without == NULL || with < without);
}

void need_library(const char *library)
{
    if (!has_library(library))
        cr_skip_test("this build is without %s", library);
}
