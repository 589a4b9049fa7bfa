/* SPDX-License-Identifier: Apache-2.0 */
#include "authorized_keys.h"

#include <string.h>

/* What of it may log in is for SSHPubKeyAuthSigAlgorithms to say: neither DSA nor X.509 unless it is asked for.
 * OpenSSH's certificates are not listed in such a file, their authorities are. */
static const char *const key_types[] = {
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-rsa",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "ssh-dss",
    "x509v3-ecdsa-sha2-nistp256",
    "x509v3-ecdsa-sha2-nistp384",
    "x509v3-ecdsa-sha2-nistp521",
    "x509v3-rsa2048-sha256",
    "x509v3-ssh-rsa",
    "x509v3-sign-rsa",
    "x509v3-sign-dss",
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static size_t skip_blanks(const char *line, size_t len, size_t at)
{
    while (at < len && is_blank(line[at]))
        at++;
    return at;
}

static size_t word_end(const char *line, size_t len, size_t at)
{
    while (at < len && !is_blank(line[at]))
        at++;
    return at;
}

static bool is_key_type(const char *word, size_t len)
{
    for (size_t i = 0; i < sizeof key_types / sizeof *key_types; i++)
        if (strlen(key_types[i]) == len && memcmp(key_types[i], word, len) == 0)
            return true;
    return false;
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+')
        return 62;
    return c == '/' ? 63 : -1;
}

/* RFC 4648 section 4: groups of four, padded at the end, unused bits zero. */
static bool base64_read(const char *text, size_t len, uint8_t *out, size_t *out_len)
{
    size_t pad = 0, made = 0;
    uint32_t bits = 0;

    if (len == 0 || len % 4 != 0 || len / 4 * 3 > *out_len)
        return false;
    while (pad < 2 && text[len - 1 - pad] == '=')
        pad++;
    for (size_t i = 0; i < len - pad; i++) {
        int value = base64_value(text[i]);

        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
        if (i % 4 != 0)
            out[made++] = (uint8_t)(bits >> (6 - i % 4 * 2));
    }
    *out_len = made;
    return (pad == 0) || (bits & ((1u << (pad * 2)) - 1)) == 0;
}

/* The blob names its type first; a line whose two types differ was made by mistake or with a purpose. That of
 * x509v3-sign-* is a certificate in DER and has no name. */
static bool blob_is_of_type(const uint8_t *blob, size_t blob_len, const char *type, size_t type_len)
{
    static const char bare[] = "x509v3-sign-";

    if (blob_len != 0 && blob[0] == 0x30)
        return type_len >= sizeof bare - 1 && memcmp(type, bare, sizeof bare - 1) == 0;
    if (blob_len < 4 + type_len + 4)
        return false;
    uint32_t named = (uint32_t)blob[0] << 24 | (uint32_t)blob[1] << 16 | (uint32_t)blob[2] << 8 | blob[3];
    return named == type_len && memcmp(blob + 4, type, type_len) == 0;
}

enum key_line nacred_key_line_read(const char *line, size_t len, uint8_t *blob, size_t *blob_len)
{
    size_t type = skip_blanks(line, len, 0);

    if (type == len || line[type] == '#')
        return KEY_LINE_EMPTY;
    size_t type_len = word_end(line, len, type) - type;
    if (!is_key_type(line + type, type_len))
        return KEY_LINE_OPTIONS;

    size_t key = skip_blanks(line, len, type + type_len);
    size_t key_len = word_end(line, len, key) - key;
    if (!base64_read(line + key, key_len, blob, blob_len))
        return KEY_LINE_BAD;
    return blob_is_of_type(blob, *blob_len, line + type, type_len) ? KEY_LINE_KEY : KEY_LINE_BAD;
}

bool nacred_key_line_next(FILE *file, char line[AUTHORIZED_KEYS_LINE_MAX], size_t *len, bool *too_long)
{
    int c = getc(file);

    *len = 0;
    *too_long = false;
    if (c == EOF)
        return false;
    for (; c != EOF && c != '\n'; c = getc(file)) {
        if (*len == AUTHORIZED_KEYS_LINE_MAX)
            *too_long = true;
        else
            line[(*len)++] = (char)c;
    }
    return true;
}
