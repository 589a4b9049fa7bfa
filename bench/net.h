/* SPDX-License-Identifier: Apache-2.0 */
/* The calls on sockets that each system makes in its own way, as far as engine/sock.h does not have them; the others
 * have the same names everywhere. net_posix.c or net_win.c. After a failure bench_system_error() says why. */
#ifndef BENCH_NET_H
#define BENCH_NET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"
#include "engine/sock_sys.h"

enum {
    NET_LATER = -1, /* nothing can be moved now */
    NET_FAILED = -2,
    NET_SPANS = 16
};

/* Bytes moved, NET_LATER or NET_FAILED; receiving 0: the other side has ended. At most NET_SPANS spans. */
ptrdiff_t bench_net_receive(plat_socket s, void *at, size_t size);
ptrdiff_t bench_net_send(plat_socket s, const struct span *spans, unsigned count);

/* Begins to connect a socket of nacre_sock_make(). False: that has failed already. */
bool bench_net_connect(plat_socket s, const struct sockaddr *to, sock_len len);

/* Chooses the address that a connection comes from; its port is chosen when it connects, where the system can. */
bool bench_net_bind(plat_socket s, const struct sockaddr_in *from);

/* Connected when it returns; calls on it wait unless they say SOCK_AT_ONCE. IO_NO_SOCKET: failed. */
plat_socket bench_net_dial(const struct sockaddr_in *to);

/* A connection that stands in a listener's queue; calls on it do not wait. IO_NO_SOCKET: none. */
plat_socket bench_net_accept(plat_socket listener);

/* Two ends of one connection within this machine. */
bool bench_net_pair(plat_socket ends[2]);

#endif
