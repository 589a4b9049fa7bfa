/* SPDX-License-Identifier: Apache-2.0 */
#include "net.h"

#include <errno.h>
#include <sys/uio.h>

static ptrdiff_t moved(ssize_t n)
{
    if (n >= 0)
        return n;
    return errno == EAGAIN || errno == EINTR ? NET_LATER : NET_FAILED;
}

ptrdiff_t bench_net_receive(plat_socket s, void *at, size_t size)
{
    return moved(recv(s, at, size, SOCK_AT_ONCE));
}

ptrdiff_t bench_net_send(plat_socket s, const struct span *spans, unsigned count)
{
    struct iovec parts[NET_SPANS];
    for (unsigned i = 0; i < count; i++)
        parts[i] = (struct iovec){(void *)(uintptr_t)spans[i].at, spans[i].len};
    struct msghdr m = {.msg_iov = parts, .msg_iovlen = count};
    return moved(sendmsg(s, &m, SOCK_AT_ONCE));
}

bool bench_net_connect(plat_socket s, const struct sockaddr *to, sock_len len)
{
    return connect(s, to, len) == 0 || errno == EINPROGRESS;
}

bool bench_net_bind(plat_socket s, const struct sockaddr_in *from)
{
    int on = 1;
    setsockopt(s, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    return bind(s, (const struct sockaddr *)from, sizeof *from) == 0;
}

plat_socket bench_net_dial(const struct sockaddr_in *to)
{
    plat_socket s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s < 0)
        return IO_NO_SOCKET;
    (void)nacre_sock_set_nodelay(s, true);
    if (connect(s, (const struct sockaddr *)to, sizeof *to) == 0)
        return s;
    nacre_sock_close(s);
    return IO_NO_SOCKET;
}

plat_socket bench_net_accept(plat_socket listener)
{
    return accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

bool bench_net_pair(plat_socket ends[2])
{
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0;
}
