/* SPDX-License-Identifier: Apache-2.0 */
/* Listeners, addresses and options: what is the same on every system. */
#include <stdio.h>
#include <string.h>

#include "engine/sock_sys.h"

/* Options that must be set before bind(). */
static bool prepare(io_socket s, const struct sock_listen *o, int family)
{
    if (!nacre_sock_share(s, o->exclusive))
        return false;
    return family != AF_INET6 || nacre_sock_set_int(s, IPPROTO_IPV6, IPV6_V6ONLY, o->family != SOCK_BOTH);
}

static enum nacre_error listen_on(const struct sock_listen *o, const struct addrinfo *a, io_socket *out)
{
    io_socket s;
    enum nacre_error error = nacre_sock_make(a->ai_family, &s);
    if (error != NACRE_OK)
        return error;
    if (prepare(s, o, a->ai_family) && bind(s, a->ai_addr, (sock_len)a->ai_addrlen) == 0 &&
        listen(s, o->backlog > 0 ? o->backlog : SOMAXCONN) == 0) {
        *out = s;
        return NACRE_OK;
    }
    error = nacre_sock_last_error();
    nacre_sock_close(s);
    return error;
}

static enum nacre_error listen_in(const struct sock_listen *o, int family, io_socket *out)
{
    bool any = o->host == NULL || o->host[0] == '\0';
    struct addrinfo hints = {.ai_family = family,
                             .ai_socktype = SOCK_STREAM,
                             .ai_protocol = IPPROTO_TCP,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    char port[8];
    (void)snprintf(port, sizeof port, "%u", (unsigned)o->port);
    enum nacre_error error = nacre_sock_start();
    if (error != NACRE_OK)
        return error;
    int result;
    do {
        result = getaddrinfo(any ? NULL : o->host, port, &hints, &found);
    } while (nacre_sock_lookup_goes_on(result));
    if (result != 0)
        return nacre_error_from_lookup(result);
    error = NACRE_E_HOST_NOT_FOUND;
    for (const struct addrinfo *a = found; a != NULL && error != NACRE_OK; a = a->ai_next)
        error = listen_on(o, a, out);
    freeaddrinfo(found);
    return error;
}

enum nacre_error nacre_sock_listen(const struct sock_listen *options, io_socket *out)
{
    bool any = options->host == NULL || options->host[0] == '\0';
    *out = IO_NO_SOCKET;
    switch (options->family) {
    case SOCK_IPV4:
        return listen_in(options, AF_INET, out);
    case SOCK_IPV6:
        return listen_in(options, AF_INET6, out);
    case SOCK_BOTH:
        break;
    default:
        return NACRE_E_INVAL;
    }
    enum nacre_error error = listen_in(options, any ? AF_INET6 : AF_UNSPEC, out);
    /* A system without IPv6 still has its IPv4. */
    if (any && (error == NACRE_E_AFNOSUPPORT || error == NACRE_E_ADDRNOTAVAIL || error == NACRE_E_HOST_NOT_FOUND))
        error = listen_in(options, AF_INET, out);
    return error;
}

/* Writes the numeric address; gives the port. */
static int print_address(const struct sockaddr_storage *a, char *text, size_t size)
{
    if (a->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)a;
        return inet_ntop(AF_INET, &in->sin_addr, text, (sock_text_size)size) == NULL ? 0 : ntohs(in->sin_port);
    }
    if (a->ss_family != AF_INET6)
        return 0;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)a;
    bool mapped = IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr);
    const uint8_t *bytes = in6->sin6_addr.s6_addr;
    const char *done = mapped ? inet_ntop(AF_INET, bytes + 12, text, (sock_text_size)size)
                              : inet_ntop(AF_INET6, bytes, text, (sock_text_size)size);
    return done == NULL ? 0 : ntohs(in6->sin6_port);
}

uint16_t nacre_sock_port(io_socket s)
{
    struct sockaddr_storage a;
    sock_len len = sizeof a;
    char text[SOCK_ADDRESS_MAX];
    if (getsockname(s, (struct sockaddr *)&a, &len) != 0)
        return 0;
    return (uint16_t)print_address(&a, text, sizeof text);
}

enum nacre_error nacre_sock_addresses(io_socket s, char *remote, size_t remote_size, int *remote_port, char *local,
                                      size_t local_size)
{
    struct sockaddr_storage a;
    sock_len len = sizeof a;
    remote[0] = '\0';
    local[0] = '\0';
    *remote_port = 0;
    if (getpeername(s, (struct sockaddr *)&a, &len) != 0)
        return nacre_sock_last_error();
    *remote_port = print_address(&a, remote, remote_size);
    len = sizeof a;
    if (getsockname(s, (struct sockaddr *)&a, &len) != 0)
        return nacre_sock_last_error();
    print_address(&a, local, local_size);
    return NACRE_OK;
}

unsigned nacre_sock_peer(io_socket s, uint8_t bytes[16])
{
    struct sockaddr_storage a;
    sock_len len = sizeof a;
    if (getpeername(s, (struct sockaddr *)&a, &len) != 0)
        return 0;
    if (a.ss_family == AF_INET) {
        memcpy(bytes, &((const struct sockaddr_in *)(const void *)&a)->sin_addr, 4);
        return 4;
    }
    if (a.ss_family != AF_INET6)
        return 0;
    const struct in6_addr *in6 = &((const struct sockaddr_in6 *)(const void *)&a)->sin6_addr;
    unsigned size = IN6_IS_ADDR_V4MAPPED(in6) ? 4 : 16;
    memcpy(bytes, in6->s6_addr + (16 - size), size);
    return size;
}

void nacre_sock_farewell(io_socket s, const void *bytes, size_t len)
{
    /* Nobody is left to be told when this fails. */
    bool sent;
    do {
        sent = send(s, bytes, (sock_bytes)len, SOCK_AT_ONCE) >= 0;
    } while (!sent && nacre_sock_last_error() == NACRE_E_INTR);
    if (sent)
        (void)shutdown(s, SOCK_NO_MORE);
}

unsigned nacre_sock_parse_address(const char *text, uint8_t bytes[16])
{
    struct in6_addr in6;
    if (inet_pton(AF_INET, text, bytes) == 1)
        return 4;
    if (inet_pton(AF_INET6, text, &in6) != 1)
        return 0;
    bool mapped = IN6_IS_ADDR_V4MAPPED(&in6);
    unsigned size = mapped ? 4 : 16;
    memcpy(bytes, in6.s6_addr + (16 - size), size);
    return size;
}

enum nacre_error nacre_sock_set_nodelay(io_socket s, bool on)
{
    return nacre_sock_set_int(s, IPPROTO_TCP, TCP_NODELAY, on) ? NACRE_OK : nacre_sock_last_error();
}

enum nacre_error nacre_sock_set_buffers(io_socket s, int receive_bytes, int send_bytes)
{
    if (receive_bytes > 0 && !nacre_sock_set_int(s, SOL_SOCKET, SO_RCVBUF, receive_bytes))
        return nacre_sock_last_error();
    if (send_bytes > 0 && !nacre_sock_set_int(s, SOL_SOCKET, SO_SNDBUF, send_bytes))
        return nacre_sock_last_error();
    return NACRE_OK;
}

/* The options count in seconds; less than one becomes one. */
static int seconds(int ms)
{
    return ms / 1000 + (ms % 1000 != 0);
}

enum nacre_error nacre_sock_set_keepalive(io_socket s, int time_ms, int interval_ms, int count)
{
    if (!nacre_sock_set_int(s, SOL_SOCKET, SO_KEEPALIVE, 1))
        return nacre_sock_last_error();
    if (time_ms > 0 && !nacre_sock_set_int(s, IPPROTO_TCP, TCP_KEEPIDLE, seconds(time_ms)))
        return nacre_sock_last_error();
    if (interval_ms > 0 && !nacre_sock_set_int(s, IPPROTO_TCP, TCP_KEEPINTVL, seconds(interval_ms)))
        return nacre_sock_last_error();
    if (count > 0 && !nacre_sock_set_int(s, IPPROTO_TCP, TCP_KEEPCNT, count))
        return nacre_sock_last_error();
    return NACRE_OK;
}
