/* SPDX-License-Identifier: Apache-2.0 */
/* Payloads field by field, the other way round from params.c. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "crypto/number.h"
#include "engine/server.h"
#include "wire/mpint.h"
#include "wire/wr.h"

enum {
    FIELD_MAX = 1 << 20
};

/* Room for one field behind `out`, written by the caller and then counted with field_end(). */
static struct wr field_begin(struct buf *out, size_t room)
{
    return wr_over(nacre_buf_reserve(out, room), room);
}

static enum nacre_error field_end(struct buf *out, const struct wr *w)
{
    if (!wr_done(w))
        return NACRE_E_NOBUFS;
    out->len += wr_len(w);
    return NACRE_OK;
}

/* Decimal, or hexadecimal behind "0x". */
static bool parse_number(const char *text, uint64_t max, uint64_t *value)
{
    bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    const char *digits = hex ? text + 2 : text;
    char *end;
    if (strspn(digits, hex ? "0123456789abcdefABCDEF" : "0123456789") != strlen(digits) || digits[0] == '\0')
        return false;
    errno = 0;
    *value = strtoull(digits, &end, hex ? 16 : 10);
    return errno == 0 && *end == '\0' && *value <= max;
}

static enum nacre_error add_text(struct buf *out, const char *text)
{
    size_t len = strlen(text);
    struct wr w = field_begin(out, len + 4);
    wr_cstring(&w, text);
    return field_end(out, &w);
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static enum nacre_error add_hex(struct buf *out, const char *text)
{
    size_t len = strlen(text);
    if (len % 2 != 0)
        return NACRE_E_INVAL;
    struct wr w = field_begin(out, len / 2 + 4);
    wr_u32(&w, (uint32_t)(len / 2));
    for (size_t i = 0; i < len; i += 2) {
        int high = digit(text[i]), low = digit(text[i + 1]);
        if (high < 0 || low < 0)
            return NACRE_E_INVAL;
        wr_u8(&w, (uint8_t)(high << 4 | low));
    }
    return field_end(out, &w);
}

static enum nacre_error add_large(struct buf *out, const char *text)
{
    struct buf magnitude;
    nacre_buf_init(&magnitude, NUMBER_TEXT_MAX);
    enum nacre_error e = NACRE_E_INVAL;
    if (nacre_number_read(text, &magnitude)) {
        struct wr w = field_begin(out, magnitude.len + 5);
        nacre_wr_mpint(&w, buf_span(&magnitude));
        e = field_end(out, &w);
    }
    nacre_buf_wipe(&magnitude);
    return e;
}

static enum nacre_error add_u32(struct buf *out, const char *text)
{
    uint64_t n;
    if (!parse_number(text, UINT32_MAX, &n))
        return NACRE_E_INVAL;
    struct wr w = field_begin(out, 4);
    wr_u32(&w, (uint32_t)n);
    return field_end(out, &w);
}

static enum nacre_error add_u64(struct buf *out, const char *text)
{
    uint64_t n;
    if (!parse_number(text, UINT64_MAX, &n))
        return NACRE_E_INVAL;
    struct wr w = field_begin(out, 8);
    wr_u64(&w, n);
    return field_end(out, &w);
}

static enum nacre_error add_byte(struct buf *out, const char *text)
{
    uint64_t n;
    if (!parse_number(text, UINT8_MAX, &n))
        return NACRE_E_INVAL;
    struct wr w = field_begin(out, 1);
    wr_u8(&w, (uint8_t)n);
    return field_end(out, &w);
}

static enum nacre_error add_flag(struct buf *out, const char *text)
{
    bool on = strcasecmp(text, "true") == 0 || strcmp(text, "1") == 0;
    if (!on && strcasecmp(text, "false") != 0 && strcmp(text, "0") != 0)
        return NACRE_E_INVAL;
    struct wr w = field_begin(out, 1);
    wr_bool(&w, on);
    return field_end(out, &w);
}

static const struct {
    const char *name;
    enum nacre_error (*add)(struct buf *out, const char *text);
    const char *why;
} types[] = {
    {"s", add_text, "s is a text."},
    {"sb", add_hex, "sb is an even number of hexadecimal digits."},
    {"m", add_large, "m is a non-negative integer in decimal, or in hexadecimal behind 0x."},
    {"i", add_u32, "i is 0 to 4294967295, in decimal, or in hexadecimal behind 0x."},
    {"l", add_u64, "l is 0 to 18446744073709551615, in decimal, or in hexadecimal behind 0x."},
    {"b", add_byte, "b is 0 to 255, in decimal, or in hexadecimal behind 0x."},
    {"f", add_flag, "f is true or false."},
};

static int copy_result(const struct buf *out, void *result, size_t *len)
{
    bool fits = out->len <= *len;
    *len = out->len;
    if (!fits)
        return nacre_fail(NACRE_E_BUFFER_SIZE, NULL);
    memcpy(result, out->at, out->len);
    return nacre_succeed();
}

int nacre_set_ssh_param(const void *payload, size_t payload_len, const char *field_type, const char *field_value,
                        void *result, size_t *result_len)
{
    struct buf out;
    size_t i = 0;
    if ((payload == NULL && payload_len != 0) || field_type == NULL || field_value == NULL || result == NULL ||
        result_len == NULL || payload_len > FIELD_MAX)
        return nacre_fail(NACRE_E_INVAL, NULL);
    while (i < sizeof types / sizeof *types && strcasecmp(types[i].name, field_type) != 0)
        i++;
    if (i == sizeof types / sizeof *types)
        return nacre_fail(NACRE_E_INVAL, "The types are s, sb, m, i, l, b and f.");
    nacre_buf_init(&out, 2 * (size_t)FIELD_MAX);
    enum nacre_error e = payload_len == 0 || nacre_buf_append(&out, payload, payload_len) ? NACRE_OK : NACRE_E_NOBUFS;
    if (e == NACRE_OK)
        e = types[i].add(&out, field_value);
    int told =
        e == NACRE_OK ? copy_result(&out, result, result_len) : nacre_fail(e, e == NACRE_E_INVAL ? types[i].why : NULL);
    nacre_buf_wipe(&out);
    return told;
}
