/* SPDX-License-Identifier: Apache-2.0 */
/* Windows converts between its code pages and UTF-16; the identifiers of the class are its own. UTF-16 and UTF-32 are
 * no code pages to it and are done here. */
#include "engine/codepage_sys.h"

#include <winsock2.h>
/* winsock2.h stands before windows.h, or the older winsock.h comes with it. */
#include <windows.h>

#include <stdlib.h>
#include <string.h>

enum {
    PAGE_UTF16LE = 1200,
    PAGE_UTF16BE = 1201,
    PAGE_UTF32LE = 12000,
    PAGE_UTF32BE = 12001,
    TEXT_MAX = 1 << 28 /* the system counts in int */
};

const char nacre_codepage_source[] = "this system";

struct wide {
    wchar_t *at;
    size_t len;
};

static bool is_unicode(int64_t page)
{
    return page == PAGE_UTF16LE || page == PAGE_UTF16BE || page == PAGE_UTF32LE || page == PAGE_UTF32BE;
}

bool nacre_codepage_known(int64_t page, const char *name)
{
    (void)name;
    return is_unicode(page) || IsValidCodePage((UINT)page);
}

/* Pages with states or escapes take no flags and no default character. */
static bool takes_no_flags(int64_t page)
{
    return (page >= 50220 && page <= 50229) || (page >= 57002 && page <= 57011) || page == CP_UTF7 || page == 42;
}

static bool wide_from(UINT page, struct span in, struct wide *out)
{
    DWORD flags = takes_no_flags(page) ? 0 : MB_ERR_INVALID_CHARS;
    out->at = NULL;
    out->len = 0;
    if (in.len == 0)
        return true;
    if (in.len > TEXT_MAX)
        return false;
    int len = MultiByteToWideChar(page, flags, (const char *)in.at, (int)in.len, NULL, 0);
    out->at = len <= 0 ? NULL : malloc((size_t)len * sizeof *out->at);
    if (out->at == NULL)
        return false;
    out->len = (size_t)len;
    return MultiByteToWideChar(page, flags, (const char *)in.at, (int)in.len, out->at, len) == len;
}

static bool wide_to(UINT page, const struct wide *in, struct buf *out)
{
    bool utf = page == CP_UTF8 || page == 54936, plain = takes_no_flags(page);
    DWORD flags = plain ? 0 : utf ? WC_ERR_INVALID_CHARS : WC_NO_BEST_FIT_CHARS;
    BOOL replaced = FALSE;
    BOOL *told = plain || utf ? NULL : &replaced;
    if (in->len == 0)
        return true;
    int len = WideCharToMultiByte(page, flags, in->at, (int)in->len, NULL, 0, NULL, told);
    char *at = len <= 0 || replaced ? NULL : (char *)nacre_buf_reserve(out, (size_t)len);
    if (at == NULL || WideCharToMultiByte(page, flags, in->at, (int)in->len, at, len, NULL, told) != len || replaced)
        return false;
    out->len += (size_t)len;
    return true;
}

static void put_unit(uint8_t *at, uint32_t value, unsigned size, bool big)
{
    for (unsigned i = 0; i < size; i++)
        at[big ? size - 1 - i : i] = (uint8_t)(value >> (8 * i));
}

static uint32_t get_unit(const uint8_t *at, unsigned size, bool big)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < size; i++)
        value |= (uint32_t)at[big ? size - 1 - i : i] << (8 * i);
    return value;
}

static bool is_high(uint32_t unit)
{
    return unit >= 0xd800 && unit < 0xdc00;
}

static bool unicode_from_wide(int64_t page, const struct wide *in, struct buf *out)
{
    bool big = page == PAGE_UTF16BE || page == PAGE_UTF32BE;
    unsigned size = page == PAGE_UTF16LE || page == PAGE_UTF16BE ? 2 : 4;
    for (size_t i = 0; i < in->len; i++) {
        uint32_t value = in->at[i];
        if (size == 4 && is_high(value) && i + 1 < in->len) /* checked when it became wide: a low one follows */
            value = 0x10000 + ((value - 0xd800) << 10) + (in->at[++i] - 0xdc00U);
        uint8_t *at = nacre_buf_reserve(out, size);
        if (at == NULL)
            return false;
        put_unit(at, value, size, big);
        out->len += size;
    }
    return true;
}

/* A lone half of a pair is left for wide_to() to refuse. */
static bool wide_from_unicode(int64_t page, struct span in, struct wide *out)
{
    bool big = page == PAGE_UTF16BE || page == PAGE_UTF32BE;
    unsigned size = page == PAGE_UTF16LE || page == PAGE_UTF16BE ? 2 : 4;
    out->at = in.len % size != 0 || in.len > TEXT_MAX ? NULL : malloc(in.len + 1);
    out->len = 0;
    if (out->at == NULL)
        return false;
    for (size_t i = 0; i < in.len; i += size) {
        uint32_t value = get_unit(in.at + i, size, big);
        if (value > 0x10ffff)
            return false;
        if (value >= 0x10000) {
            out->at[out->len++] = (wchar_t)(0xd800 + ((value - 0x10000) >> 10));
            value = 0xdc00 + (value & 0x3ff);
        }
        out->at[out->len++] = (wchar_t)value;
    }
    return true;
}

bool nacre_codepage_from_utf8(int64_t page, const char *name, struct span text, struct buf *out)
{
    struct wide wide;
    (void)name;
    bool ok = wide_from(CP_UTF8, text, &wide) &&
              (is_unicode(page) ? unicode_from_wide(page, &wide, out) : wide_to((UINT)page, &wide, out));
    free(wide.at);
    return ok;
}

bool nacre_codepage_to_utf8(int64_t page, const char *name, struct span bytes, struct buf *out)
{
    struct wide wide;
    (void)name;
    bool ok = (is_unicode(page) ? wide_from_unicode(page, bytes, &wide) : wide_from((UINT)page, bytes, &wide)) &&
              wide_to(CP_UTF8, &wide, out);
    free(wide.at);
    return ok;
}
