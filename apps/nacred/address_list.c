/* SPDX-License-Identifier: Apache-2.0 */
#include "address_list.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "system.h"
#include "text.h"

enum {
    PATTERN_MAX = 128
};

struct number {
    uint8_t bytes[16];
    unsigned bits; /* of the whole address; 0: it is none */
};

/* An IPv4 address may come as IPv6 has it. */
static struct number read_number(const char *text)
{
    static const char mapped[] = "::ffff:";
    struct number n = {.bits = 0};

    if (strncasecmp(text, mapped, sizeof mapped - 1) == 0 && strchr(text, '.'))
        text += sizeof mapped - 1;
    n.bits = nacred_ip_read(text, n.bytes);
    return n;
}

static bool bit(const struct number *n, unsigned i)
{
    return (n->bytes[i / 8] >> (7 - i % 8) & 1) != 0;
}

/* "address/bits", with nothing behind the bits of the network. */
static bool read_network(const char *text, struct number *network, unsigned *prefix)
{
    char address[PATTERN_MAX];
    const char *slash = strchr(text, '/');
    size_t digits = strspn(slash + 1, "0123456789");

    memcpy(address, text, (size_t)(slash - text));
    address[slash - text] = 0;
    *network = read_number(address);
    if (network->bits == 0 || digits == 0 || digits > 3 || slash[1 + digits])
        return false;
    *prefix = (unsigned)strtoul(slash + 1, NULL, 10);
    if (*prefix > network->bits)
        return false;
    for (unsigned i = *prefix; i < network->bits; i++)
        if (bit(network, i))
            return false;
    return true;
}

static bool in_network(const char *text, const struct number *address)
{
    struct number network;
    unsigned prefix;

    if (!read_network(text, &network, &prefix) || network.bits != address->bits)
        return false;
    for (unsigned i = 0; i < prefix; i++)
        if (bit(&network, i) != bit(address, i))
            return false;
    return true;
}

/* The pattern at `*list` without its '!', and the list behind it. False: the list is at its end, or the pattern does
 * not fit; then it is empty. */
static bool next_pattern(const char **list, char pattern[PATTERN_MAX], bool *negated)
{
    size_t len = strcspn(*list, ",");

    *negated = **list == '!';
    const char *start = *list + *negated;
    size_t rest = len - *negated;
    *list += len;
    pattern[0] = 0;
    if (rest == 0 || rest >= PATTERN_MAX)
        return false;
    memcpy(pattern, start, rest);
    pattern[rest] = 0;
    return true;
}

static bool pattern_valid(const char *pattern)
{
    struct number network;
    unsigned prefix;

    if (strpbrk(pattern, "[\\!\" \t"))
        return false;
    return !strchr(pattern, '/') || read_network(pattern, &network, &prefix);
}

bool nacred_address_list_valid(const char *list)
{
    char pattern[PATTERN_MAX];
    bool negated;

    for (;; list++) {
        if (!next_pattern(&list, pattern, &negated) || !pattern_valid(pattern))
            return false;
        if (!*list)
            return true;
    }
}

bool nacred_address_list_has(const char *list, const char *address)
{
    char pattern[PATTERN_MAX];
    bool negated, found = false;
    const struct number number = read_number(address);

    for (;; list++) {
        if (!next_pattern(&list, pattern, &negated))
            return false;
        const struct number same = read_number(pattern);
        bool match = strchr(pattern, '/') ? in_network(pattern, &number)
                     : same.bits > 0
                         ? same.bits == number.bits && memcmp(same.bytes, number.bytes, sizeof same.bytes) == 0
                         : nacred_text_fits(address, pattern);
        if (match && negated)
            return false;
        found = found || match;
        if (!*list)
            return found;
    }
}
