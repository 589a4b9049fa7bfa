/* SPDX-License-Identifier: Apache-2.0 */
/* What the socket files share: the system's own headers, the few types that differ, and the calls that each system
 * makes in its own way (sock_posix.c, sock_win.c). */
#ifndef ENGINE_SOCK_SYS_H
#define ENGINE_SOCK_SYS_H

#ifdef _WIN32
#include <winsock2.h>
#include <ws2tcpip.h>

typedef int sock_len;          /* of an address */
typedef size_t sock_text_size; /* of an address as text */
typedef int sock_bytes;        /* to send */

enum {
    SOCK_AT_ONCE = 0, /* sockets do not block here unless asked to */
    SOCK_NO_MORE = SD_SEND
};

/* Windows 10 1709 and newer; not every compiler's headers have them. */
#ifndef TCP_KEEPIDLE
#define TCP_KEEPIDLE 3
#define TCP_KEEPCNT 16
#define TCP_KEEPINTVL 17
#endif

/* afunix.h, which not every compiler for Windows has. */
struct sockaddr_un {
    ADDRESS_FAMILY sun_family;
    char sun_path[108];
};
#else
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

typedef socklen_t sock_len;
typedef socklen_t sock_text_size;
typedef size_t sock_bytes;

enum {
    SOCK_AT_ONCE = MSG_DONTWAIT | MSG_NOSIGNAL,
    SOCK_NO_MORE = SHUT_WR
};
#endif

#include "engine/sock.h"

/* Makes sockets usable in this process; may be called any number of times, by any thread. */
enum nacre_error nacre_sock_start(void);

/* A stream socket of that family: non-blocking and not inherited by other programs. */
enum nacre_error nacre_sock_make(int family, io_socket *out);

/* Sets who else may bind to the same address. */
bool nacre_sock_share(io_socket s, bool exclusive);

/* Before bind() to a path: only this account may connect to it, where the system has a way to say so. */
bool nacre_sock_protect(io_socket s);

/* The code for the calling thread's last failed socket call. */
enum nacre_error nacre_sock_last_error(void);

/* setsockopt() of an int. */
bool nacre_sock_set_int(io_socket s, int level, int option, int value);

#endif
