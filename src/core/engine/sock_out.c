/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets for tunnels: names, outgoing sockets, and unix sockets. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "engine/sock_sys.h"

enum nacre_error nacre_sock_resolve(const char *host, uint16_t port, struct sock_addresses *out)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    char service[8];
    out->count = 0;
    (void)snprintf(service, sizeof service, "%u", (unsigned)port);
    enum nacre_error error = nacre_sock_start();
    if (error != NACRE_OK)
        return error;
    int result;
    do {
        result = getaddrinfo(host, service, &hints, &found);
    } while (nacre_sock_lookup_goes_on(result));
    if (result != 0)
        return nacre_error_from_lookup(result);
    for (const struct addrinfo *a = found; a != NULL && out->count < SOCK_RESOLVED_MAX; a = a->ai_next) {
        struct io_address *to = &out->at[out->count];
        if (a->ai_addrlen > sizeof to->bytes)
            continue;
        memcpy(to->bytes, a->ai_addr, a->ai_addrlen);
        to->len = (uint32_t)a->ai_addrlen;
        out->count++;
    }
    freeaddrinfo(found);
    return out->count == 0 ? NACRE_E_NO_DATA : NACRE_OK;
}

bool nacre_sock_unix_address(const char *path, struct io_address *out)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof a.sun_path)
        return false;
    memcpy(a.sun_path, path, len + 1);
    memcpy(out->bytes, &a, sizeof a);
    out->len = (uint32_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
    return true;
}

enum nacre_error nacre_sock_open(const struct io_address *to, io_socket *out)
{
    struct sockaddr_storage a;
    memcpy(&a, to->bytes, sizeof a < sizeof to->bytes ? sizeof a : sizeof to->bytes);
    return nacre_sock_make(a.ss_family, out);
}

enum nacre_error nacre_sock_listen_unix(const char *path, int backlog, io_socket *out)
{
    struct io_address a;
    if (!nacre_sock_unix_address(path, &a))
        return NACRE_E_NAMETOOLONG;
    enum nacre_error error = nacre_sock_open(&a, out);
    if (error != NACRE_OK)
        return error;
    bool is_bound =
        nacre_sock_protect(*out) && bind(*out, (const struct sockaddr *)(const void *)a.bytes, (sock_len)a.len) == 0;
    if (is_bound && listen(*out, backlog) == 0)
        return NACRE_OK;
    error = nacre_sock_last_error();
    nacre_sock_close(*out);
    *out = IO_NO_SOCKET;
    if (is_bound)
        nacre_sock_unlink(path);
    return error;
}
