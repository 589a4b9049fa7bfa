/* SPDX-License-Identifier: Apache-2.0 */
/* Matching is by text for patterns and by bits for addresses and blocks. */
#include "engine/access.h"

#include <stdlib.h>
#include <string.h>

#include "base/span.h"
#include "engine/sock.h"
#include "wire/namelist.h"

/* The first `bits` bits of both are equal. */
static bool prefix_eq(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    if (memcmp(a, b, bits / 8) != 0)
        return false;
    unsigned rest = bits % 8;
    return rest == 0 || (a[bits / 8] ^ b[bits / 8]) >> (8 - rest) == 0;
}

/* An address or block against an address; false when the entry is not one. */
static bool block_matches(const char *entry, const char *address)
{
    char text[64];
    const char *slash = strchr(entry, '/');
    size_t len = slash == NULL ? strlen(entry) : (size_t)(slash - entry);
    uint8_t want[16], have[16];
    if (len >= sizeof text)
        return false;
    memcpy(text, entry, len);
    text[len] = '\0';
    unsigned size = nacre_sock_parse_address(text, want);
    if (size == 0 || nacre_sock_parse_address(address, have) != size)
        return false;
    unsigned long bits = size * 8UL;
    if (slash != NULL) {
        char *end;
        bits = strtoul(slash + 1, &end, 10);
        if (end == slash + 1 || *end != '\0' || bits > size * 8UL)
            return false;
    }
    return prefix_eq(want, have, (unsigned)bits);
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

bool nacre_access_valid(const char *list)
{
    char entry[64];
    while (next_entry(&list, entry, sizeof entry)) {
        uint8_t bytes[16];
        bool pattern = strpbrk(entry, "*?") != NULL;
        if (strspn(entry, "0123456789abcdefABCDEF:.*?/") != strlen(entry))
            return false;
        if (!pattern && strchr(entry, '/') == NULL && nacre_sock_parse_address(entry, bytes) == 0)
            return false;
    }
    return true;
}

bool nacre_access_match(const char *list, const char *address)
{
    char entry[64];
    while (next_entry(&list, entry, sizeof entry))
        if (nacre_glob(entry, span_str(address), true) || block_matches(entry, address))
            return true;
    return false;
}
