/* SPDX-License-Identifier: Apache-2.0 */
/* Key files made by puttygen. */
#include "unit/keys/support.h"

#include <stdio.h>

TestSuite(ppk, .init = keys_setup, .fini = keys_teardown);

static const struct {
    const char *name, *options;
} kinds[] = {{"ed25519", "-t ed25519"},   {"p256", "-t ecdsa -b 256"}, {"p384", "-t ecdsa -b 384"},
             {"p521", "-t ecdsa -b 521"}, {"rsa", "-t rsa -b 2048"},   {"dsa", "dsa"}};
enum {
    KINDS = sizeof kinds / sizeof *kinds
};

/* k (OpenSSH) and k.ppk, the latter with puttygen's options and the password, "" for none. */
static void make(const char *kind, const char *options, const char *password)
{
    need("puttygen");
    run("rm -f k k.pub");
    if (strcmp(kind, "dsa") == 0) {
        make_dsa();
        run("puttygen k -C me@here -O public-openssh -o k.pub");
    } else {
        run("ssh-keygen -q %s -N '' -C me@here -f k", kind);
    }
    run("rm -f k.ppk; printf '%%s' '%s' > new && puttygen k -C me@here -O private %s --new-passphrase new -o k.ppk",
        password, options);
}

static const char light[] = "kdf=argon2id,memory=64,passes=2,parallelism=2";

Test(ppk, every_kind_of_key_in_both_versions_locked_and_not)
{
    char options[128];
    for (size_t i = 0; i < 4 * KINDS; i++) {
        const char *password = i % 2 == 0 ? "geheim" : "";
        if (i / 2 % 2 == 0)
            snprintf(options, sizeof options, "--ppk-param version=2");
        else
            snprintf(options, sizeof options, "--ppk-param version=3,%s", light);
        if (i / 2 % 2 != 0 && i % 2 == 0 && !has_library("libargon2"))
            continue;
        make(kinds[i / 4].options, options, password);
        check_opens(STORE_PPK_FILE, "k.ppk", password, "k.pub");
        cr_expect_str_eq(subject, "me@here");
        check_opens(STORE_AUTO, "k.ppk", password, "k.pub");
        if (password[0] == 0) {
            check_opens(STORE_PPK_FILE, "k.ppk", "not needed", "k.pub");
            continue;
        }
        check_fails(STORE_PPK_FILE, span_str("k.ppk"), "wrong", NACRE_E_KEY_PASSWORD);
        check_fails(STORE_PPK_FILE, span_str("k.ppk"), NULL, NACRE_E_KEY_PASSWORD);
    }
}

Test(ppk, what_editors_put_in_front_is_left_out)
{
    make(kinds[0].options, "", "");
    run("(printf '\\357\\273\\277\\n' && cat k.ppk) > marked");
    check_opens(STORE_PPK_FILE, "marked", NULL, "k.pub");
    check_opens(STORE_AUTO, "marked", NULL, "k.pub");
}

Test(ppk, every_kind_of_argon2)
{
    static const char *const kdfs[] = {"argon2i", "argon2d", "argon2id"};
    need_library("libargon2");
    for (size_t i = 0; i < 3; i++) {
        char options[128];
        snprintf(options, sizeof options, "--ppk-param version=3,kdf=%s,memory=128,passes=3,parallelism=3", kdfs[i]);
        make("-t ed25519", options, "geheim");
        check_opens(STORE_PPK_FILE, "k.ppk", "geheim", "k.pub");
    }
    make("-t ed25519", "", "geheim"); /* what puttygen chooses by itself */
    check_opens(STORE_PPK_FILE, "k.ppk", "geheim", "k.pub");
}

/* The private half is written as a number, lowest byte first: in one key of 256 it is shorter. An HMAC key of one zero
 * is the empty one. */
Test(ppk, short_ed25519_numbers)
{
    need("xxd");
    run("private=$(printf '11%%.0s' $(seq 30)) && string() { printf '%%08x%%s' $((${#1} / 2)) $1; } && "
        "hex() { string $(printf '%%s' \"$1\" | xxd -p); } && "
        "echo 302e020100300506032b657004220420${private}0000 | xxd -r -p > der && "
        "public=$(hex ssh-ed25519)$(string $(openssl pkey -inform DER -in der -pubout -outform DER | tail -c 32 | "
        "xxd -p -c 64)) && private=$(string $private) && "
        "mac=$(printf %%s $(hex ssh-ed25519)$(hex none)$(hex c)$(string $public)$(string $private) | xxd -r -p | "
        "openssl dgst -sha256 -mac HMAC -macopt hexkey:00 | sed 's/.* //') && "
        "base64() { printf %%s $1 | xxd -r -p | openssl base64 -A; } && echo ssh-ed25519 $(base64 $public) > k.pub && "
        "printf '%%s\\n' 'PuTTY-User-Key-File-3: ssh-ed25519' 'Encryption: none' 'Comment: c' 'Public-Lines: 1' "
        "$(base64 $public) 'Private-Lines: 1' $(base64 $private) \"Private-MAC: $mac\" > k.ppk");
    check_opens(STORE_PPK_FILE, "k.ppk", NULL, "k.pub");
}

Test(ppk, blobs_with_any_line_ends_and_as_base64)
{
    uint8_t bytes[4096];
    make("-t ecdsa", "--ppk-param version=2", "geheim");
    run("sed 's/$/\\r/' k.ppk > crlf && tr '\\n' '\\r' < k.ppk > cr && openssl base64 -in k.ppk -out b64 && "
        "head -c -1 k.ppk > cut");
    static const char *const files[] = {"k.ppk", "crlf", "cr", "b64", "cut"};
    for (size_t i = 0; i < 5; i++) {
        size_t len = slurp(files[i], bytes, sizeof bytes);
        check_opens_blob(STORE_PPK_BLOB, span_of(bytes, len), "geheim", "k.pub");
        check_opens_blob(STORE_AUTO, span_of(bytes, len), "geheim", "k.pub");
    }
}

Test(ppk, damage_is_one_error)
{
    uint8_t bytes[4096];
    make("-t ed25519", "--ppk-param version=2", "geheim");
    check_damage(STORE_PPK_BLOB, span_of(bytes, slurp("k.ppk", bytes, sizeof bytes)), "geheim");
    make("-t ecdsa", "--ppk-param version=3", "");
    check_damage(STORE_PPK_BLOB, span_of(bytes, slurp("k.ppk", bytes, sizeof bytes)), "");
    make("-t rsa -b 2048", "--ppk-param version=3,kdf=argon2id,memory=16,passes=1,parallelism=1", "geheim");
    check_damage(STORE_PPK_BLOB, span_of(bytes, slurp("k.ppk", bytes, sizeof bytes)), "geheim");
}

Test(ppk, what_is_changed_is_noticed)
{
    make("-t ed25519", "--ppk-param version=3", "");
    run("sed 's/^Comment: me/Comment: it/' k.ppk > comment");
    check_fails(STORE_PPK_FILE, span_str("comment"), NULL, NACRE_E_KEY);
    run("sed 's/^Encryption: none/Encryption: rot13/' k.ppk > cipher");
    check_fails(STORE_PPK_FILE, span_str("cipher"), "x", NACRE_E_KEY);
    run("sed 's/File-3/File-1/' k.ppk > old");
    check_fails(STORE_PPK_FILE, span_str("old"), NULL, NACRE_E_KEY_TYPE);
    check_fails(STORE_PPK_FILE, span_str("k"), NULL, NACRE_E_KEY);
}

/* A file may not cost minutes or the machine's memory. */
Test(ppk, absurd_costs_are_refused)
{
    need_library("libargon2");
    make("-t ed25519", "--ppk-param version=3,kdf=argon2id,memory=64,passes=2,parallelism=2", "geheim");
    run("sed 's/^Argon2-Memory: .*/Argon2-Memory: 999999999/' k.ppk > memory && "
        "sed 's/^Argon2-Passes: .*/Argon2-Passes: 999999999/' k.ppk > passes && "
        "sed 's/^Argon2-Passes: .*/Argon2-Passes: 0/' k.ppk > none && "
        "sed 's/^Argon2-Parallelism: .*/Argon2-Parallelism: 999999999/' k.ppk > lanes");
    static const char *const files[] = {"memory", "passes", "none", "lanes"};
    for (size_t i = 0; i < 4; i++)
        check_fails(STORE_PPK_FILE, span_str(files[i]), "geheim", NACRE_E_KEY);
}
