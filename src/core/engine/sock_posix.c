/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/sock_sys.h"

enum nacre_error nacre_sock_start(void)
{
    return NACRE_OK;
}

enum nacre_error nacre_sock_make(int family, io_socket *out)
{
    *out = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return *out < 0 ? nacre_error_from_errno(errno) : NACRE_OK;
}

bool nacre_sock_spreads(void)
{
    return true;
}

bool nacre_sock_paces(void)
{
    char name[16] = ""; /* TCP_CA_NAME_MAX */
#ifdef TCP_CONGESTION
    socklen_t len = sizeof name - 1;
    io_socket s;
    if (nacre_sock_make(AF_INET, &s) != NACRE_OK && nacre_sock_make(AF_INET6, &s) != NACRE_OK)
        return false;
    if (getsockopt(s, IPPROTO_TCP, TCP_CONGESTION, name, &len) != 0)
        name[0] = '\0';
    nacre_sock_close(s);
#endif
    return strncmp(name, "bbr", 3) == 0;
}

bool nacre_sock_share(io_socket s, bool exclusive)
{
    return nacre_sock_set_int(s, SOL_SOCKET, SO_REUSEADDR, 1) &&
           (exclusive || nacre_sock_set_int(s, SOL_SOCKET, SO_REUSEPORT, 1));
}

bool nacre_sock_protect(io_socket s)
{
    /* The mode of the socket before bind() becomes that of the file: nobody else gets in, not even for a moment. */
    return fchmod(s, S_IRUSR | S_IWUSR) == 0;
}

enum nacre_error nacre_sock_last_error(void)
{
    return nacre_error_from_errno(errno);
}

bool nacre_sock_set_int(io_socket s, int level, int option, int value)
{
    return setsockopt(s, level, option, &value, sizeof value) == 0;
}

void nacre_sock_close(io_socket s)
{
    if (s != IO_NO_SOCKET)
        (void)close(s);
}

void nacre_sock_close_listener(io_socket s)
{
    (void)shutdown(s, SHUT_RDWR);
    nacre_sock_close(s);
}

void nacre_sock_unlink(const char *path)
{
    (void)unlink(path);
}
