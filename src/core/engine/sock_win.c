/* SPDX-License-Identifier: Apache-2.0 */
/* Winsock is started once, by whoever needs a socket first, and stays for the process. */
#include "engine/sock_sys.h"
/* winsock2.h stands before windows.h, or the older winsock.h comes with it. */
#include <windows.h>

static INIT_ONCE once = INIT_ONCE_STATIC_INIT;

static BOOL CALLBACK start(PINIT_ONCE which, PVOID result, PVOID *context)
{
    WSADATA data;
    (void)which;
    (void)context;
    *(int *)result = WSAStartup(MAKEWORD(2, 2), &data);
    return *(int *)result == 0;
}

enum nacre_error nacre_sock_start(void)
{
    int result = 0;
    if (InitOnceExecuteOnce(&once, start, &result, NULL))
        return NACRE_OK;
    return nacre_error_from_errno(result != 0 ? result : WSASYSNOTREADY);
}

enum nacre_error nacre_sock_make(int family, io_socket *out)
{
    u_long on = 1;
    enum nacre_error error = nacre_sock_start();
    *out = IO_NO_SOCKET;
    if (error != NACRE_OK)
        return error;
    *out = WSASocketW(family, SOCK_STREAM, 0, NULL, 0, WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
    if (*out == IO_NO_SOCKET)
        return nacre_sock_last_error();
    if (ioctlsocket(*out, (long)FIONBIO, &on) == 0)
        return NACRE_OK;
    error = nacre_sock_last_error();
    nacre_sock_close(*out);
    *out = IO_NO_SOCKET;
    return error;
}

/* It shares the address, but who of those gets a connection is not defined. */
bool nacre_sock_spreads(void)
{
    return false;
}

bool nacre_sock_paces(void)
{
    return false;
}

bool nacre_sock_share(io_socket s, bool exclusive)
{
    /* SO_REUSEADDR shares a port here as SO_REUSEPORT does elsewhere; a port of our own has to be asked for. */
    return nacre_sock_set_int(s, SOL_SOCKET, exclusive ? SO_EXCLUSIVEADDRUSE : SO_REUSEADDR, 1);
}

bool nacre_sock_protect(io_socket s)
{
    (void)s; /* the file gets the rights of its folder: there is no mode to set before bind() */
    return true;
}

enum nacre_error nacre_sock_last_error(void)
{
    return nacre_error_from_errno(WSAGetLastError());
}

bool nacre_sock_set_int(io_socket s, int level, int option, int value)
{
    return setsockopt(s, level, option, (const char *)&value, sizeof value) == 0;
}

void nacre_sock_close(io_socket s)
{
    if (s != IO_NO_SOCKET)
        (void)closesocket(s);
}

/* Closing is enough here, whoever waits. */
void nacre_sock_close_listener(io_socket s)
{
    nacre_sock_close(s);
}

/* Winsock takes it as UTF-8 whatever the code page of the process is. */
void nacre_sock_unlink(const char *path)
{
    wchar_t wide[sizeof((struct sockaddr_un *)NULL)->sun_path]; /* no more units than bytes */
    if (MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, wide, sizeof wide / sizeof *wide) > 0)
        (void)DeleteFileW(wide);
}
