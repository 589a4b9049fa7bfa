/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets as the tests' clients use them, on each system. A socket is a number, -1 none. */
#ifndef TESTS_NET_H
#define TESTS_NET_H

#include <stdbool.h>
#include <stddef.h>

enum {
    NET_ERROR = -1,
    NET_LATER = -2 /* nothing can be moved now */
};

/* A TCP connection to 127.0.0.1, from an address of this machine or, NULL, from any. */
int net_connect(const char *from, int port);

/* Bytes moved, without waiting; NET_LATER, NET_ERROR; receiving 0: FIN. */
int net_send(int fd, const void *bytes, size_t len);
int net_receive(int fd, void *at, size_t room);

/* Waits until one of both can be done. True: there is something to receive, FIN and errors included. */
bool net_wait(int fd, bool receive, bool send, int ms);

void net_close(int fd);

/* From now on closing gives the other side a reset. */
void net_close_by_reset(int fd);

#endif
