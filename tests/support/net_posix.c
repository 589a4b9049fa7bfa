/* SPDX-License-Identifier: Apache-2.0 */
/* See net.h. */
#include "support/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

int net_connect(const char *from, int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in source = {.sin_family = AF_INET};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (from != NULL) {
        (void)inet_pton(AF_INET, from, &source.sin_addr);
        (void)bind(fd, (const struct sockaddr *)&source, sizeof source);
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, (const struct sockaddr *)&to, sizeof to) == 0)
        return fd;
    close(fd);
    return -1;
}

static int moved(ssize_t n)
{
    if (n >= 0)
        return (int)n;
    return errno == EAGAIN ? NET_LATER : NET_ERROR;
}

int net_send(int fd, const void *bytes, size_t len)
{
    return moved(send(fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT));
}

int net_receive(int fd, void *at, size_t room)
{
    return moved(recv(fd, at, room, MSG_DONTWAIT));
}

bool net_wait(int fd, bool receive, bool send, int ms)
{
    struct pollfd p = {.fd = fd, .events = (short)((receive ? POLLIN : 0) | (send ? POLLOUT : 0))};
    return poll(&p, 1, ms) > 0 && (p.revents & (POLLIN | POLLHUP | POLLERR)) != 0;
}

void net_close(int fd)
{
    close(fd);
}

void net_close_by_reset(int fd)
{
    const struct linger now = {1, 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}
