/* SPDX-License-Identifier: Apache-2.0 */
#include "permits.h"

#include <stdlib.h>
#include <string.h>

#include "text.h"

enum {
    ANY_PORT = -1,
    HOST_MAX = 255, /* what a request names has no more */
};

struct permit {
    char host[HOST_MAX + 1]; /* "*" stands for any */
    int port;
};

static bool read_port(const char *text, size_t len, int *port)
{
    *port = ANY_PORT;
    if (len == 1 && *text == '*')
        return true;
    if (len == 0 || len > 5 || strspn(text, "0123456789") < len)
        return false;
    *port = (int)strtol(text, NULL, 10);
    return *port > 0 && *port <= 65535;
}

/* One, up to a comma or the end. */
static bool read_permit(const char *text, size_t len, bool is_listen, struct permit *out)
{
    bool bracketed = len > 0 && *text == '[';
    const char *host = text + bracketed;
    const char *end = memchr(host, bracketed ? ']' : ':', len - bracketed);

    if (!end && is_listen && !bracketed) {
        memcpy(out->host, "*", 2);
        return read_port(text, len, &out->port);
    }
    if (!end || end == host || end - host > HOST_MAX)
        return false;
    const char *colon = end + bracketed;
    if (colon >= text + len || *colon != ':')
        return false;
    memcpy(out->host, host, (size_t)(end - host));
    out->host[end - host] = 0;
    return !strpbrk(out->host, " \t,\"[]\\") && read_port(colon + 1, (size_t)(text + len - colon - 1), &out->port);
}

bool nacred_permit_valid(const char *text, bool is_listen)
{
    struct permit permit;

    return !strchr(text, ',') && read_permit(text, strlen(text), is_listen, &permit);
}

bool nacred_permits_have(const char *list, bool is_listen, const char *host, int port)
{
    for (size_t len; *list; list += len + (list[len] == ',')) {
        struct permit permit;

        len = strcspn(list, ",");
        if (!read_permit(list, len, is_listen, &permit) || (permit.port != ANY_PORT && permit.port != port))
            continue;
        if (strcmp(permit.host, "*") == 0 || strcmp(permit.host, host) == 0 ||
            (is_listen && nacred_text_fits(host, permit.host)))
            return true;
    }
    return false;
}
