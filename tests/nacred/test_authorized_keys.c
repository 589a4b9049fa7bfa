/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "authorized_keys.h"

#define KEY "AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"

struct line_case {
    char line[256];
    enum key_line expected;
};

ParameterizedTestParameters(nacred_authorized_keys, line)
{
    static struct line_case cases[] = {
        {"ssh-ed25519 " KEY, KEY_LINE_KEY},
        {"ssh-ed25519 " KEY " me@home", KEY_LINE_KEY},
        {" \tssh-ed25519\t" KEY "\r", KEY_LINE_KEY},
        {"", KEY_LINE_EMPTY},
        {" \t\r", KEY_LINE_EMPTY},
        {"# ssh-ed25519 " KEY, KEY_LINE_EMPTY},
        {"restrict ssh-ed25519 " KEY, KEY_LINE_OPTIONS},
        {"command=\"x\" ssh-ed25519 " KEY, KEY_LINE_OPTIONS},
        {"command=\" ssh-ed25519 " KEY "\"", KEY_LINE_OPTIONS},
        {"cert-authority ssh-ed25519 " KEY, KEY_LINE_OPTIONS},
        {"ssh-ed25519-cert-v01@openssh.com " KEY, KEY_LINE_OPTIONS},
        {"ssh-dss " KEY, KEY_LINE_BAD},
        {"SSH-ED25519 " KEY, KEY_LINE_OPTIONS},
        {KEY, KEY_LINE_OPTIONS},
        {"ssh-ed25519", KEY_LINE_BAD},
        {"ssh-ed25519 AAAA", KEY_LINE_BAD},
        {"ssh-ed25519 " KEY "=", KEY_LINE_BAD},
        {"ssh-ed25519 ====", KEY_LINE_BAD},
        {"ssh-ed25519 !AAAC3NzaC1lZDI1NTE5", KEY_LINE_BAD},
        {"ssh-rsa " KEY, KEY_LINE_BAD},
    };
    return cr_make_param_array(struct line_case, cases, sizeof cases / sizeof *cases);
}

ParameterizedTest(struct line_case *c, nacred_authorized_keys, line)
{
    uint8_t blob[256];
    size_t len = sizeof blob;

    cr_assert_eq(nacred_key_line_read(c->line, strlen(c->line), blob, &len), c->expected, "%s", c->line);
}

Test(nacred_authorized_keys, gives_the_blob)
{
    static const uint8_t head[] = "\0\0\0\013ssh-ed25519\0\0\0\040\0\001\002";
    const char *line = "ssh-ed25519 " KEY;
    uint8_t blob[64];
    size_t len = sizeof blob;

    cr_assert_eq(nacred_key_line_read(line, strlen(line), blob, &len), KEY_LINE_KEY);
    cr_assert_eq(len, 51);
    cr_assert_arr_eq(blob, head, sizeof head - 1);
    cr_assert_eq(blob[50], 31);
}

/* The line is not NUL-terminated: what stands behind it must not be read. */
Test(nacred_authorized_keys, every_truncation_is_no_key)
{
    const char *line = "ssh-ed25519 " KEY;

    for (size_t len = 0; len < strlen(line); len++) {
        uint8_t blob[64];
        size_t blob_len = sizeof blob;
        char *cut = malloc(len + 1);

        memcpy(cut, line, len);
        enum key_line result = nacred_key_line_read(cut, len, blob, &blob_len);
        /* Cut at a group of four within the key's own 32 bytes, it is still of its type. */
        cr_assert(result != KEY_LINE_KEY || len >= 12 + 24, "%zu bytes", len);
        free(cut);
    }
}

Test(nacred_authorized_keys, a_blob_without_room_is_refused)
{
    const char *line = "ssh-ed25519 " KEY;
    uint8_t blob[50];
    size_t len = sizeof blob;

    cr_assert_eq(nacred_key_line_read(line, strlen(line), blob, &len), KEY_LINE_BAD);
}

/* Elsewhere, the rest of a long line was read as a line of its own, without the options in front. */
Test(nacred_authorized_keys, an_over_long_line_is_skipped_as_a_whole)
{
    char line[AUTHORIZED_KEYS_LINE_MAX];
    size_t len;
    bool too_long;
    FILE *file = tmpfile();

    fputs("restrict,command=\"", file);
    for (int i = 0; i < AUTHORIZED_KEYS_LINE_MAX - 18; i++)
        fputc('x', file);
    fputs("ssh-ed25519 " KEY "\nssh-ed25519 " KEY " last", file);
    rewind(file);
    cr_assert(nacred_key_line_next(file, line, &len, &too_long));
    cr_assert(too_long);
    cr_assert(nacred_key_line_next(file, line, &len, &too_long));
    cr_assert_not(too_long);
    cr_assert_eq(len, strlen("ssh-ed25519 " KEY " last"));
    cr_assert_not(nacred_key_line_next(file, line, &len, &too_long));
    fclose(file);
}
