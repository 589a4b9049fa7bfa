/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/lookup.h"

#include <string.h>

#include "engine/sock_sys.h"

/* A mapped address begins with this in the text that getnameinfo() gives. */
static const char mapped[] = "::ffff:";

static bool add(struct buf *out, const char *address)
{
    size_t skip =
        strncmp(address, mapped, sizeof mapped - 1) == 0 && strchr(address, '.') != NULL ? sizeof mapped - 1 : 0;
    address += skip;
    size_t len = strcspn(address, "%"); /* a zone has no place in a list of addresses */
    return nacre_buf_append(out, address, len) && nacre_buf_append(out, ",", 1);
}

enum nacre_error nacre_lookup_addresses(const char *name, struct buf *out)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    enum nacre_error e = nacre_sock_start();
    if (e != NACRE_OK)
        return e;
    int result;
    do {
        result = getaddrinfo(name, NULL, &hints, &found);
    } while (nacre_sock_lookup_goes_on(result));
    if (result != 0)
        return nacre_error_from_lookup(result);
    for (const struct addrinfo *a = found; a != NULL && e == NACRE_OK; a = a->ai_next) {
        char text[SOCK_ADDRESS_MAX + 32];
        result = getnameinfo(a->ai_addr, (sock_len)a->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST);
        if (result != 0)
            e = nacre_error_from_lookup(result);
        else if (!add(out, text))
            e = NACRE_E_NOBUFS;
    }
    freeaddrinfo(found);
    return e;
}
