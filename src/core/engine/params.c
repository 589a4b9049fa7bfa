/* SPDX-License-Identifier: Apache-2.0 */
/* Fields of a packet, by the class's names or by types. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "crypto/number.h"
#include "engine/server.h"
#include "wire/mpint.h"
#include "wire/rd.h"

/* RFC 4254 sections 6 and 8. `before` are the types behind the common part (recipient, type, want reply) and in front
 * of the field. */
static const struct field {
    const char *request;
    const char *name;
    const char *before;
    char type;
} fields[] = {
    {"pty-req", "TerminalType", "", 's'},
    {"pty-req", "TerminalWidthCharacters", "s", 'i'},
    {"pty-req", "TerminalHeightRows", "si", 'i'},
    {"pty-req", "TerminalWidthPixels", "sii", 'i'},
    {"pty-req", "TerminalHeightPixels", "siii", 'i'},
    {"pty-req", "TerminalModes", "siiii", 's'},
    {"window-change", "TerminalWidthCharacters", "", 'i'},
    {"window-change", "TerminalHeightRows", "i", 'i'},
    {"window-change", "TerminalWidthPixels", "ii", 'i'},
    {"window-change", "TerminalHeightPixels", "iii", 'i'},
    {"x11-req", "SingleConnection", "", 'f'},
    {"x11-req", "X11AuthProtocol", "f", 's'},
    {"x11-req", "X11AuthCookie", "fs", 's'},
    {"x11-req", "X11ScreenNumber", "fss", 'i'},
    {"env", "VariableName", "", 's'},
    {"env", "VariableValue", "s", 's'},
    {"exec", "Command", "", 's'},
    {"subsystem", "Subsystem", "", 's'},
    {"xon-xoff", "ClientCanDo", "", 'f'},
    {"signal", "SignalName", "", 's'},
};

enum {
    HEX_TYPE = 'h', /* stands for "sb" */
    NAME_TEXT_MAX = 64
};

/* A field found: a number or bytes. */
struct found {
    char type;
    uint64_t number;
    struct span bytes;
};

static bool read_one(struct rd *r, char type, struct found *f)
{
    f->type = type;
    switch (type) {
    case 's':
    case HEX_TYPE:
        f->bytes = rd_string(r, SIZE_MAX);
        break;
    case 'm':
        f->bytes = nacre_rd_mpint(r, SIZE_MAX);
        break;
    case 'i':
        f->number = rd_u32(r);
        break;
    case 'l':
        f->number = rd_u64(r);
        break;
    case 'b':
        f->number = rd_u8(r);
        break;
    case 'f':
        f->number = rd_bool(r);
        break;
    default:
        return false;
    }
    return !r->bad;
}

static enum nacre_error read_types(struct rd *r, const char *types, size_t count, struct found *f)
{
    for (size_t i = 0; i < count; i++)
        if (!read_one(r, types[i], f))
            return NACRE_E_PACKET;
    return NACRE_OK;
}

/* ---- by types --------------------------------------------------------------------------------------------------- */

enum {
    TYPES_MAX = 64
};

/* "s,sb,i": one letter a type, HEX_TYPE for "sb". 0: not a list of types. */
static size_t parse_types(const char *form, char types[TYPES_MAX])
{
    size_t count = 0;
    while (*form != '\0') {
        size_t len = strcspn(form, ", ");
        bool is_hex = len == 2 && strncasecmp(form, "sb", 2) == 0;
        for (size_t i = 0; i < (is_hex ? 1 : len); i++) {
            if (count == TYPES_MAX || strchr("smilbf", form[i]) == NULL)
                return 0;
            types[count++] = is_hex ? HEX_TYPE : form[i];
        }
        form += len;
        form += strspn(form, ", ");
    }
    return count;
}

static enum nacre_error read_in_order(struct span payload, const char *types, size_t count, struct found *f)
{
    struct rd r = rd_over(payload);
    return read_types(&r, types, count, f);
}

/* The class's way: the wanted type, then those before it. */
static enum nacre_error read_wanted_first(struct span payload, const char *types, size_t count, struct found *f)
{
    struct rd r = rd_over(payload);
    enum nacre_error e = read_types(&r, types + 1, count - 1, f);
    return e != NACRE_OK ? e : read_types(&r, types, 1, f);
}

/* What belongs to the request in the packet of a channel request; false: the payload is none. */
static bool request_body(struct span payload, struct span *body)
{
    struct rd r = rd_over(payload);
    (void)rd_u32(&r);
    struct span kind = rd_string(&r, NAME_TEXT_MAX);
    uint8_t want_reply = rd_u8(&r);
    if (r.bad || kind.len == 0 || want_reply > 1)
        return false;
    for (size_t i = 0; i < kind.len; i++)
        if (kind.at[i] <= ' ' || kind.at[i] > '~')
            return false;
    *body = rd_rest(&r);
    return true;
}

static enum nacre_error find_types(struct span payload, const char *form, struct found *f)
{
    char types[TYPES_MAX];
    struct span body;
    size_t count = parse_types(form, types);
    if (count == 0)
        return NACRE_E_INVAL;
    bool from_head = count >= 3 && memcmp(types, "isf", 3) == 0;
    if (!from_head && request_body(payload, &body) && read_wanted_first(body, types, count, f) == NACRE_OK)
        return NACRE_OK;
    enum nacre_error e = read_in_order(payload, types, count, f);
    return e == NACRE_OK ? e : read_wanted_first(payload, types, count, f);
}

/* ---- by name ---------------------------------------------------------------------------------------------------- */

static enum nacre_error find_name(struct span payload, const char *name, struct found *f)
{
    struct rd reader = rd_over(payload), *r = &reader;
    bool known = false;
    uint32_t channel = rd_u32(r);
    struct span kind = rd_string(r, SIZE_MAX);
    bool want_reply = rd_bool(r);
    if (r->bad)
        return NACRE_E_PACKET;
    if (strcasecmp(name, "ChannelId") == 0)
        *f = (struct found){.type = 'i', .number = channel};
    else if (strcasecmp(name, "RequestType") == 0)
        *f = (struct found){.type = 's', .bytes = kind};
    else if (strcasecmp(name, "WantsReply") == 0)
        *f = (struct found){.type = 'f', .number = want_reply};
    if (f->type != 0)
        return NACRE_OK;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (strcasecmp(fields[i].name, name) != 0)
            continue;
        known = true;
        if (!span_is(kind, fields[i].request))
            continue;
        enum nacre_error e = read_types(r, fields[i].before, strlen(fields[i].before), f);
        return e != NACRE_OK ? e : read_types(r, &fields[i].type, 1, f);
    }
    return known ? NACRE_E_PACKET : NACRE_E_INVAL;
}

static enum nacre_error find(const void *payload, size_t len, const char *field, struct found *f)
{
    *f = (struct found){0};
    if ((payload == NULL && len != 0) || field == NULL)
        return NACRE_E_INVAL;
    struct span all = span_of(payload, len);
    return field[0] == '%' ? find_types(all, field + 1, f) : find_name(all, field, f);
}

static int fail(enum nacre_error e)
{
    return nacre_fail(e, e == NACRE_E_PACKET ? "The packet has no such field." : NULL);
}

static int hex_out(struct span s, char *value, size_t size)
{
    static const char digits[] = "0123456789ABCDEF";
    if (value == NULL || size < 2 * s.len + 1)
        return nacre_fail(NACRE_E_BUFFER_SIZE, NULL);
    for (size_t i = 0; i < s.len; i++) {
        *value++ = digits[s.at[i] >> 4];
        *value++ = digits[s.at[i] & 15];
    }
    *value = '\0';
    return nacre_succeed();
}

static int number_out(struct span magnitude, char *value, size_t size)
{
    struct buf text;
    nacre_buf_init(&text, 4 * (size_t)NUMBER_TEXT_MAX);
    bool made = nacre_number_write(magnitude, &text) && nacre_buf_append(&text, "", 1);
    int e = made ? nacre_copy_out(value, size, (const char *)text.at) : nacre_fail(NACRE_E_NOBUFS, NULL);
    nacre_buf_wipe(&text);
    return e;
}

static int text_out(struct span s, char *value, size_t size)
{
    if (span_has_nul(s))
        return nacre_fail(NACRE_E_PACKET, "The field holds a NUL: read it with nacre_get_ssh_param_bytes().");
    if (value == NULL || size <= s.len)
        return nacre_fail(NACRE_E_BUFFER_SIZE, NULL);
    if (s.len != 0)
        memcpy(value, s.at, s.len);
    value[s.len] = '\0';
    return nacre_succeed();
}

int nacre_get_ssh_param(const void *payload, size_t payload_len, const char *field, char *value, size_t size)
{
    struct found f;
    char text[24];
    enum nacre_error e = find(payload, payload_len, field, &f);
    if (e != NACRE_OK)
        return fail(e);
    if (f.type == 'm')
        return number_out(f.bytes, value, size);
    if (f.type == HEX_TYPE)
        return hex_out(f.bytes, value, size);
    if (f.type == 's')
        return text_out(f.bytes, value, size);
    if (f.type == 'f')
        return nacre_copy_out(value, size, f.number != 0 ? "true" : "false");
    (void)snprintf(text, sizeof text, "%" PRIu64, f.number);
    return nacre_copy_out(value, size, text);
}

static size_t number_bytes(const struct found *f, uint8_t out[8])
{
    size_t len = f->type == 'l' ? 8 : f->type == 'i' ? 4 : 1;
    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)(f->number >> (8 * (len - 1 - i)));
    return len;
}

int nacre_get_ssh_param_bytes(const void *payload, size_t payload_len, const char *field, void *value, size_t *len)
{
    struct found f;
    uint8_t number[8];
    if (len == NULL)
        return nacre_fail(NACRE_E_INVAL, NULL);
    enum nacre_error e = find(payload, payload_len, field, &f);
    if (e != NACRE_OK)
        return fail(e);
    bool bytes = f.type == 's' || f.type == HEX_TYPE || f.type == 'm';
    struct span s = bytes ? f.bytes : span_of(number, number_bytes(&f, number));
    bool fits = value != NULL && s.len <= *len;
    *len = s.len;
    if (!fits)
        return nacre_fail(NACRE_E_BUFFER_SIZE, NULL);
    if (s.len != 0)
        memcpy(value, s.at, s.len);
    return nacre_succeed();
}
