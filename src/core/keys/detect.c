/* SPDX-License-Identifier: Apache-2.0 */
/* Marks of the containers, and those that begin as any ASN.1 does told apart by trying. */
#include "keys/detect.h"

#include <stdio.h>

enum {
    NAME_MAX_LEN = 4096
};

static enum nacre_error refuse_jks(struct container *k, struct key **out)
{
    (void)out;
    return nacre_container_fail(k, NACRE_E_NOT_SUPPORTED, "is of type JKS, which is supported in Java only.");
}

/* Loading a program is nothing to do by guess. */
static enum nacre_error refuse_module(struct container *k, struct key **out)
{
    (void)out;
    return nacre_container_fail(k, NACRE_E_KEY_TYPE,
                                "is a program library; store type 23 (PKCS#11) loads the module of a token.");
}

static enum nacre_error read_asn1(struct container *k, struct key **out);

/* clang-format off */
static const struct mark {
    const char *start;
    size_t len;
    bool text; /* blanks and a byte order mark may stand in front */
    enum nacre_error (*read)(struct container *k, struct key **out);
} marks[] = {
    {"PuTTY-User-Key-File-", 20, true,  nacre_ppk_read},
    {"---- BEGIN SSH2 ",     16, true,  nacre_ssh_public_read},
    {"ssh-",                 4,  true,  nacre_ssh_public_read},
    {"ecdsa-sha2-",          11, true,  nacre_ssh_public_read},
    {"sk-",                  3,  true,  nacre_ssh_public_read},
    {"{",                    1,  true,  nacre_jwk_read},
    {"[",                    1,  true,  nacre_jwk_read},
    {"<",                    1,  true,  nacre_xml_read},
    {"\xfe\xed\xfe\xed",     4,  false, refuse_jks},
    {"\xce\xce\xce\xce",     4,  false, refuse_jks},
    {"\x7f" "ELF",           4,  false, refuse_module},
    {"\x30",                 1,  false, read_asn1},
};
/* clang-format on */

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct span nacre_text_trim(struct span s)
{
    if (s.len >= 3 && memcmp(s.at, "\xef\xbb\xbf", 3) == 0)
        s = span_of(s.at + 3, s.len - 3);
    while (s.len != 0 && is_blank(s.at[0]))
        s = span_of(s.at + 1, s.len - 1);
    while (s.len != 0 && is_blank(s.at[s.len - 1]))
        s.len--;
    return s;
}

static bool starts(struct span s, const char *with, size_t len)
{
    return s.len >= len && memcmp(s.at, with, len) == 0;
}

static const struct mark *mark_of(struct span bytes)
{
    const struct span text = nacre_text_trim(bytes);
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        if (starts(marks[i].text ? text : bytes, marks[i].start, marks[i].len))
            return &marks[i];
    }
    return NULL;
}

/* One structure from the first byte to the last. */
static bool is_der(struct span s)
{
    size_t len = 0;
    if (s.len < 2 || s.at[0] != 0x30)
        return false;
    if (s.at[1] < 0x80)
        return s.len == 2U + s.at[1];
    size_t count = s.at[1] & 0x7f;
    for (size_t i = 0; i < count && i < 4 && i + 2 < s.len; i++)
        len = len << 8 | s.at[2 + i];
    return count != 0 && count <= 4 && s.len == 2 + count + len;
}

bool nacre_detect_known(struct span s)
{
    const struct mark *m = mark_of(s);
    if (nacre_bytes_find(s, "-----BEGIN ") != NULL)
        return true;
    if (m == NULL)
        return false;
    if (m->read == nacre_ssh_public_read && !starts(nacre_text_trim(s), "----", 4))
        return nacre_bytes_find(s, " AAAA") != NULL;
    return m->read != read_asn1 || is_der(s);
}

/* A name may well begin with "0" or "ssh-"; one with a line end or a brace in front is none that anybody has. */
bool nacre_detect_contents(struct span s)
{
    return s.len >= NAME_MAX_LEN || span_has_nul(s) || nacre_bytes_find(s, "\n") != NULL || nacre_detect_known(s);
}

/* Tries a reader; its reason counts only when it is the last one or recognised what it read. */
static enum nacre_error attempt(const struct container *k, struct key **out, char *said, size_t size,
                                enum nacre_error (*read)(struct container *k, struct key **out))
{
    struct container inner = *k;
    inner.why = said;
    inner.why_size = size;
    said[0] = 0;
    return read(&inner, out);
}

static bool is_pfx(struct span bytes)
{
    /* A PFX starts with the number of its version, 3, where the others have 0 or a nested structure. */
    return nacre_bytes_find(span_of(bytes.at, bytes.len < 8 ? bytes.len : 8), "\x02\x01\x03") != NULL;
}

static enum nacre_error read_asn1(struct container *k, struct key **out)
{
    char said[512];
    enum nacre_error e;
    if (is_pfx(k->bytes))
        return nacre_pfx_read(k, out);
    if (nacre_p7b_is(k->bytes))
        return nacre_p7b_read(k, out);
    e = attempt(k, out, said, sizeof said, nacre_public_read);
    if (e == NACRE_E_KEY)
        return nacre_der_read(k, out);
    if (k->why_size != 0)
        snprintf(k->why, k->why_size, "%s", said);
    return e;
}

enum nacre_error nacre_detect_read(struct container *k, struct key **out)
{
    const struct mark *m = mark_of(k->bytes);
    if (m != NULL)
        return m->read(k, out);
    if (nacre_bytes_find(k->bytes, "-----BEGIN PKCS7-----") != NULL)
        return nacre_p7b_read(k, out);
    if (nacre_bytes_find(k->bytes, "-----BEGIN ") != NULL)
        return nacre_pem_read(k, out);
    return nacre_container_fail(k, NACRE_E_KEY, "is no key container that can be read here.");
}
