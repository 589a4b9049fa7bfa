/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets, as far as they are the same for every back end: opening a listener, options, addresses, error numbers.
 *
 * Sockets made here are non-blocking and close-on-exec. Any thread. Only nacre_sock_listen() may block, and only to
 * look up a name. */
#ifndef ENGINE_SOCK_H
#define ENGINE_SOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/io.h"

/* Room for any numeric address with its NUL. */
enum {
    SOCK_ADDRESS_MAX = 48,
};

enum sock_family {
    SOCK_IPV4 = 0,
    SOCK_IPV6 = 1,
    SOCK_BOTH = 2, /* any host: one socket for both; a given host: whatever it is */
};

struct sock_listen {
    const char *host; /* numeric or a name; NULL or "": any */
    uint16_t port;    /* 0: the system picks */
    int backlog;      /* 0 or less: as long as the system allows */
    enum sock_family family;
    bool exclusive; /* false: others may listen on the same address too */
};

/* True where the system gives each of several listeners on one address its part of the connections (SO_REUSEPORT). */
bool nacre_sock_spreads(void);

/* True where the system spreads what TCP sends over time (BBR), as far as new sockets go. */
bool nacre_sock_paces(void);

/* Opens a listening socket. The socket is the caller's. */
enum nacre_error nacre_sock_listen(const struct sock_listen *options, io_socket *out);

enum {
    SOCK_RESOLVED_MAX = 8,
};

/* What a name and port resolve to, in the order to try. */
struct sock_addresses {
    struct io_address at[SOCK_RESOLVED_MAX];
    unsigned count;
};

/* Looks a host up; numeric ones without asking anybody. Blocks: never on a worker. 1100x errors. */
enum nacre_error nacre_sock_resolve(const char *host, uint16_t port, struct sock_addresses *out);

/* The address of a unix socket; false when the path is too long or empty. */
bool nacre_sock_unix_address(const char *path, struct io_address *out);

/* An unconnected stream socket for that address. */
enum nacre_error nacre_sock_open(const struct io_address *to, io_socket *out);

/* Listens on a unix socket that only this account may connect to. A path that exists is an error. */
enum nacre_error nacre_sock_listen_unix(const char *path, int backlog, io_socket *out);

/* Removes the path of a unix socket. */
void nacre_sock_unlink(const char *path);

/* The port a socket is bound to; 0 when it is not bound or has no ports. */
uint16_t nacre_sock_port(io_socket s);

/* Numeric addresses of both ends of a connected socket. An IPv4 address in IPv6 clothes is given as plain IPv4, a zone
 * is left out. On failure the texts are empty and the port is 0. */
enum nacre_error nacre_sock_addresses(io_socket s, char *remote, size_t remote_size, int *remote_port, char *local,
                                      size_t local_size);

/* The peer's address in network order: gives 4 or 16, or 0 when it has none. IPv4 in IPv6 clothes gives 4. */
unsigned nacre_sock_peer(io_socket s, uint8_t bytes[16]);

/* Last words to a peer that is not taken in: sends what the system takes at once, then FIN. The socket stays open:
 * closed before the peer has read them, it would answer what the peer says with a reset that overtakes them. */
void nacre_sock_farewell(io_socket s, const void *bytes, size_t len);

/* A numeric address into bytes in network order: gives 4 or 16, or 0 when the text is none. IPv4 in IPv6 clothes
 * gives 4. */
unsigned nacre_sock_parse_address(const char *text, uint8_t bytes[16]);

enum nacre_error nacre_sock_set_nodelay(io_socket s, bool on);

/* Bytes of the system's buffers; 0 leaves one as it is. */
enum nacre_error nacre_sock_set_buffers(io_socket s, int receive_bytes, int send_bytes);

/* Turns TCP keep-alive on: first probe after `time_ms` of silence, more every `interval_ms`, dead after `count`
 * unanswered ones. 0 leaves one as the system has it. */
enum nacre_error nacre_sock_set_keepalive(io_socket s, int time_ms, int interval_ms, int count);

/* IO_NO_SOCKET is allowed. */
void nacre_sock_close(io_socket s);

/* The same for one that listens, and its address is free at once: requests of a ring that are not over yet, other
 * tables and children of the process may have the socket still. */
void nacre_sock_close_listener(io_socket s);

/* The class's code for an error number of the system; NACRE_OK for 0, NACRE_E_INTERNAL for one that has none. */
enum nacre_error nacre_error_from_errno(int number);

/* True for error numbers of accept() that are of the one connection that was to be accepted: the next may be well. */
bool nacre_sock_accept_goes_on(int number);

/* What getaddrinfo() returned says to ask again. */
bool nacre_sock_lookup_goes_on(int result);

/* The class's code for what getaddrinfo() returned; looks at errno where that says so. */
enum nacre_error nacre_error_from_lookup(int result);

#endif
