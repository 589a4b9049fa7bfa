/* SPDX-License-Identifier: Apache-2.0 */
/* URIs of PKCS#11 objects, RFC 7512 section 2.3: attributes with percent-encoding between semicolons. The PIN is not
 * taken from there: it has a place of its own. */
#include "keys/pkcs11.h"

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool decode(struct span s, uint8_t *out, size_t size, size_t *len)
{
    *len = 0;
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.at[i];
        if (c == '%') {
            int high = i + 2 < s.len ? hex_digit(s.at[i + 1]) : -1;
            int low = i + 2 < s.len ? hex_digit(s.at[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            c = (uint8_t)(high << 4 | low);
            i += 2;
        }
        if (*len == size)
            return false;
        out[(*len)++] = c;
    }
    return true;
}

static bool decode_text(struct span s, char out[TOKEN_ATTRIBUTE_MAX])
{
    size_t len;
    bool ok = decode(s, (uint8_t *)out, TOKEN_ATTRIBUTE_MAX - 1, &len) && memchr(out, 0, len) == NULL;
    out[ok ? len : 0] = 0;
    return ok;
}

static bool attribute(struct span name, struct span value, struct token_wanted *out)
{
    if (span_is(name, "token"))
        return decode_text(value, out->token);
    if (span_is(name, "serial"))
        return decode_text(value, out->serial);
    if (span_is(name, "manufacturer"))
        return decode_text(value, out->manufacturer);
    if (span_is(name, "model"))
        return decode_text(value, out->model);
    if (span_is(name, "object"))
        return decode_text(value, out->object);
    if (span_is(name, "id"))
        return decode(value, out->id, sizeof out->id, &out->id_len);
    return span_is(name, "type") && span_is(value, "private");
}

bool nacre_token_parse(struct span uri, struct token_wanted *out)
{
    static const char scheme[] = "pkcs11:";
    *out = (struct token_wanted){.id_len = 0};
    if (uri.len < sizeof scheme - 1 || memcmp(uri.at, scheme, sizeof scheme - 1) != 0)
        return false;
    struct span rest = span_of(uri.at + sizeof scheme - 1, uri.len - (sizeof scheme - 1));
    while (rest.len != 0) {
        const uint8_t *end = memchr(rest.at, ';', rest.len);
        size_t len = end == NULL ? rest.len : (size_t)(end - rest.at);
        const uint8_t *equals = memchr(rest.at, '=', len);
        size_t name = equals == NULL ? len : (size_t)(equals - rest.at);
        if (equals == NULL || !attribute(span_of(rest.at, name), span_of(equals + 1, len - name - 1), out))
            return false;
        size_t skip = end == NULL ? len : len + 1;
        rest = span_of(rest.at + skip, rest.len - skip);
    }
    return true;
}
