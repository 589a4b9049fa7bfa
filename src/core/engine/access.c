/* SPDX-License-Identifier: Apache-2.0 */
/* Matching is by text for patterns and by bits for addresses and blocks. */
#include "engine/access.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/span.h"
#include "engine/lookup.h"
#include "engine/sock.h"
#include "wire/namelist.h"

enum {
    ENTRY_MAX = 256,       /* RFC 1035 section 2.3.4: a name has at most 255 bytes */
    RESOLVED_MAX = 1 << 20 /* bytes of all addresses */
};

/* The first `bits` bits of both are equal. */
static bool prefix_eq(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    if (memcmp(a, b, bits / 8) != 0)
        return false;
    unsigned rest = bits % 8;
    return rest == 0 || (a[bits / 8] ^ b[bits / 8]) >> (8 - rest) == 0;
}

/* An address, or a block as "10.0.0.0/8": the bytes of its address in `bytes`, and how many (4 or 16); 0 when the entry
 * is neither. */
static unsigned parse_block(const char *entry, uint8_t bytes[16], unsigned *bits)
{
    char text[64], *end;
    const char *slash = strchr(entry, '/');
    size_t len = slash == NULL ? strlen(entry) : (size_t)(slash - entry);
    if (len >= sizeof text)
        return 0;
    memcpy(text, entry, len);
    text[len] = '\0';
    unsigned size = nacre_sock_parse_address(text, bytes);
    *bits = size * 8;
    if (size == 0 || slash == NULL)
        return size;
    unsigned long asked = strtoul(slash + 1, &end, 10);
    if (slash[1] < '0' || slash[1] > '9' || *end != '\0' || asked > *bits)
        return 0;
    *bits = (unsigned)asked;
    return size;
}

/* An address or block against an address; false when the entry is not one. */
static bool block_matches(const char *entry, const char *address)
{
    uint8_t want[16], have[16];
    unsigned bits, size = parse_block(entry, want, &bits);
    return size != 0 && nacre_sock_parse_address(address, have) == size && prefix_eq(want, have, bits);
}

/* Takes the next entry off the list; false at the end. A longer one than `entry` holds comes out cut, and then matches
 * nothing. */
static bool next_entry(const char **list, char *entry, size_t size)
{
    const char *p = *list + strspn(*list, ", \t");
    size_t len = strcspn(p, ", \t"), kept = len < size ? len : size - 1;
    memcpy(entry, p, kept);
    entry[kept] = '\0';
    *list = p + len;
    return len != 0;
}

static bool is_host_name(const char *entry)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    return strspn(entry, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_") == strlen(entry) &&
           strpbrk(entry, letters) != NULL;
}

/* An address, a block, or a pattern of addresses. */
static bool is_numeric(const char *entry)
{
    uint8_t bytes[16];
    unsigned bits;
    if (strspn(entry, "0123456789abcdefABCDEF:.*?/") != strlen(entry))
        return false;
    return parse_block(entry, bytes, &bits) != 0 || (strpbrk(entry, "*?") != NULL && strchr(entry, '/') == NULL);
}

bool nacre_access_is_numeric(const char *list)
{
    char entry[ENTRY_MAX];
    while (next_entry(&list, entry, sizeof entry))
        if (!is_numeric(entry))
            return false;
    return true;
}

static enum nacre_error resolve_entry(const char *entry, struct buf *out, char *why, size_t why_size)
{
    if (is_numeric(entry))
        return nacre_buf_append(out, entry, strlen(entry)) && nacre_buf_append(out, ",", 1) ? NACRE_OK : NACRE_E_NOBUFS;
    if (!is_host_name(entry)) {
        (void)snprintf(why, why_size,
                       "\"%s\" is no address, address block (10.0.0.0/8), pattern of addresses (10.*) or host name.",
                       entry);
        return NACRE_E_SETTING_VALUE;
    }
    enum nacre_error e = nacre_lookup_addresses(entry, out);
    if (e != NACRE_OK)
        (void)snprintf(why, why_size, "\"%s\" cannot be looked up.", entry);
    return e;
}

enum nacre_error nacre_access_resolve(const char *list, char **out, char *why, size_t why_size)
{
    char entry[ENTRY_MAX];
    struct buf made;
    enum nacre_error e = NACRE_OK;
    *out = NULL;
    nacre_buf_init(&made, RESOLVED_MAX);
    while (e == NACRE_OK && next_entry(&list, entry, sizeof entry))
        e = resolve_entry(entry, &made, why, why_size);
    if (e == NACRE_OK && !nacre_buf_append(&made, "", 1))
        e = NACRE_E_NOBUFS;
    if (e == NACRE_OK)
        *out = strdup((const char *)made.at);
    nacre_buf_free(&made);
    return e == NACRE_OK && *out == NULL ? NACRE_E_NOBUFS : e;
}

/* Nothing but zeros behind the first `bits`. */
static bool ends_in_zeros(const uint8_t *bytes, unsigned size, unsigned bits)
{
    for (unsigned i = bits; i < size * 8; i++)
        if ((bytes[i / 8] >> (7 - i % 8) & 1) != 0)
            return false;
    return true;
}

bool nacre_access_match_blocks(const char *list, const char *address)
{
    bool found = false;
    for (;; list++) {
        char entry[ENTRY_MAX];
        uint8_t bytes[16];
        size_t len = strcspn(list, ",");
        if (len >= sizeof entry)
            return false;
        memcpy(entry, list, len);
        entry[len] = '\0';
        unsigned bits, size = parse_block(entry, bytes, &bits);
        if (size == 0 || !ends_in_zeros(bytes, size, bits))
            return false;
        found = found || block_matches(entry, address);
        list += len;
        if (*list == '\0')
            return found;
    }
}

bool nacre_access_match(const char *list, const char *address)
{
    char entry[ENTRY_MAX];
    while (next_entry(&list, entry, sizeof entry))
        if (nacre_glob(entry, span_str(address), true) || block_matches(entry, address))
            return true;
    return false;
}
