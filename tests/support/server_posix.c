/* SPDX-License-Identifier: Apache-2.0 */
/* See server.h: what a test finds out about the descriptors of its own process. */
#include <arpa/inet.h>
#include <dirent.h>
#include <sys/socket.h>

#include "support/server.h"

enum {
    DESCRIPTORS_MAX = 4096
};

/* The port of a socket's own or far end, IPv4 or IPv6; 0: it has none. */
static int port_of(int fd, int (*name)(int, struct sockaddr *, socklen_t *))
{
    struct sockaddr_storage a = {0};
    socklen_t len = sizeof a;
    if (name(fd, (struct sockaddr *)&a, &len) != 0)
        return 0;
    if (a.ss_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)(const void *)&a)->sin_port);
    return a.ss_family == AF_INET6 ? ntohs(((const struct sockaddr_in6 *)(const void *)&a)->sin6_port) : 0;
}

/* The descriptor whose two ports are these. */
static int find_socket(int own_port, int far_port)
{
    for (int fd = 0; fd < DESCRIPTORS_MAX; fd++)
        if (port_of(fd, getsockname) == own_port && port_of(fd, getpeername) == far_port)
            return fd;
    return -1;
}

int server_socket_of(const struct server *s, int client_fd)
{
    return find_socket(s->port, port_of(client_fd, getsockname));
}

int server_listener(const struct server *s)
{
    return find_socket(s->port, 0);
}

size_t server_descriptors(void)
{
    size_t count = 0;
    DIR *d = opendir("/proc/self/fd");
    while (d != NULL && readdir(d) != NULL)
        count++;
    closedir(d);
    return count;
}
