/* SPDX-License-Identifier: Apache-2.0 */
/* Error numbers of Windows and the class's codes for them. The class's 100xx and 1100x codes are Winsock's own numbers;
 * what completions report as errors of the system is mapped to them. */
#include <winsock2.h>
/* winsock2.h stands before windows.h, or the older winsock.h comes with it. */
#include <windows.h>

#include "engine/sock.h"

static const struct {
    int number;
    enum nacre_error error;
} numbers[] = {
    {ERROR_NETNAME_DELETED, NACRE_E_CONNRESET},
    {ERROR_BROKEN_PIPE, NACRE_E_CONNRESET},
    {ERROR_CONNECTION_ABORTED, NACRE_E_CONNABORTED},
    {ERROR_OPERATION_ABORTED, NACRE_E_CONNABORTED},
    {ERROR_SEM_TIMEOUT, NACRE_E_TIMEDOUT},
    {ERROR_CONNECTION_REFUSED, NACRE_E_CONNREFUSED},
    {ERROR_NETWORK_UNREACHABLE, NACRE_E_NETUNREACH},
    {ERROR_HOST_UNREACHABLE, NACRE_E_HOSTUNREACH},
    {ERROR_PORT_UNREACHABLE, NACRE_E_CONNREFUSED},
    {ERROR_ACCESS_DENIED, NACRE_E_ACCES},
    {ERROR_INVALID_HANDLE, NACRE_E_NOTSOCK},
    {ERROR_INVALID_PARAMETER, NACRE_E_INVAL},
    {ERROR_NOT_ENOUGH_MEMORY, NACRE_E_NOBUFS},
    {ERROR_OUTOFMEMORY, NACRE_E_NOBUFS},
    {ERROR_NO_SYSTEM_RESOURCES, NACRE_E_NOBUFS},
    {ERROR_COMMITMENT_LIMIT, NACRE_E_NOBUFS},
    {ERROR_TOO_MANY_OPEN_FILES, NACRE_E_MFILE},
    {ERROR_CALL_NOT_IMPLEMENTED, NACRE_E_OPNOTSUPP},
    {WSAEDISCON, NACRE_E_CONNRESET},
    {WSAECANCELLED, NACRE_E_CONNABORTED},
};

/* The codes that are Winsock's numbers, from errors.def. */
static bool is_winsock(int number)
{
    switch (number) {
#define E(name, code, class, disconnect, text) case code:
#include "nacre/errors.def"
#undef E
        return number >= WSABASEERR;
    default:
        return false;
    }
}

enum nacre_error nacre_error_from_errno(int number)
{
    if (number == 0)
        return NACRE_OK;
    if (is_winsock(number))
        return (enum nacre_error)number;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (numbers[i].number == number)
            return numbers[i].error;
    return NACRE_E_INTERNAL;
}

bool nacre_sock_accept_goes_on(int number)
{
    static const int passing[] = {WSAECONNABORTED, WSAECONNRESET,  WSAEINTR,     WSAENETDOWN, WSAEHOSTDOWN,
                                  WSAEHOSTUNREACH, WSAENETUNREACH, WSAETIMEDOUT, WSAEDISCON,  ERROR_NETNAME_DELETED};
    for (size_t i = 0; i < sizeof passing / sizeof *passing; i++)
        if (passing[i] == number)
            return true;
    return false;
}

enum nacre_error nacre_error_from_lookup(int result)
{
    return nacre_error_from_errno(result); /* getaddrinfo() gives Winsock's numbers here */
}

bool nacre_sock_lookup_goes_on(int result)
{
    (void)result;
    return false;
}
