/* SPDX-License-Identifier: Apache-2.0 */
/* Error numbers of a POSIX system and the class's codes for them. */
#include <errno.h>
#include <netdb.h>

#include "engine/sock.h"

static const struct {
    int number;
    enum nacre_error error;
} numbers[] = {
    {EPIPE, NACRE_E_CONNRESET},
    {ECONNRESET, NACRE_E_CONNRESET},
    {ETIMEDOUT, NACRE_E_TIMEDOUT},
    {ECONNABORTED, NACRE_E_CONNABORTED},
    {ECONNREFUSED, NACRE_E_CONNREFUSED},
    {EHOSTUNREACH, NACRE_E_HOSTUNREACH},
    {ENETUNREACH, NACRE_E_NETUNREACH},
    {ENETDOWN, NACRE_E_NETDOWN},
    {ENETRESET, NACRE_E_NETRESET},
    {EHOSTDOWN, NACRE_E_HOSTDOWN},
    {EAGAIN, NACRE_E_SYS_WOULDBLOCK},
#if EWOULDBLOCK != EAGAIN
    {EWOULDBLOCK, NACRE_E_SYS_WOULDBLOCK},
#endif
    {EINTR, NACRE_E_INTR},
    {EBADF, NACRE_E_BADF},
    {EACCES, NACRE_E_ACCES},
    {EPERM, NACRE_E_ACCES},
    {EFAULT, NACRE_E_FAULT},
    {EINVAL, NACRE_E_INVAL},
    {EMFILE, NACRE_E_MFILE},
    {ENFILE, NACRE_E_MFILE},
    {ENOBUFS, NACRE_E_NOBUFS},
    {ENOMEM, NACRE_E_NOBUFS},
    {ENOSPC, NACRE_E_NOBUFS},
    {EINPROGRESS, NACRE_E_INPROGRESS},
    {EALREADY, NACRE_E_ALREADY},
    {ENOTSOCK, NACRE_E_NOTSOCK},
    {EDESTADDRREQ, NACRE_E_DESTADDRREQ},
    {EMSGSIZE, NACRE_E_MSGSIZE},
    {EPROTOTYPE, NACRE_E_PROTOTYPE},
    {ENOPROTOOPT, NACRE_E_NOPROTOOPT},
    {EPROTONOSUPPORT, NACRE_E_PROTONOSUPPORT},
    {ESOCKTNOSUPPORT, NACRE_E_SOCKTNOSUPPORT},
    {EOPNOTSUPP, NACRE_E_OPNOTSUPP},
    {ENOSYS, NACRE_E_OPNOTSUPP},
    {EPFNOSUPPORT, NACRE_E_PFNOSUPPORT},
    {EAFNOSUPPORT, NACRE_E_AFNOSUPPORT},
    {EADDRINUSE, NACRE_E_ADDRINUSE},
    {EADDRNOTAVAIL, NACRE_E_ADDRNOTAVAIL},
    {EISCONN, NACRE_E_ISCONN},
    {ENOTCONN, NACRE_E_NOTCONN},
    {ESHUTDOWN, NACRE_E_SOCKET_SHUTDOWN},
    {ETOOMANYREFS, NACRE_E_TOOMANYREFS},
    {ELOOP, NACRE_E_LOOP},
    {ENAMETOOLONG, NACRE_E_NAMETOOLONG},
    {ENOTEMPTY, NACRE_E_NOTEMPTY},
    {EUSERS, NACRE_E_USERS},
    {EDQUOT, NACRE_E_DQUOT},
    {ESTALE, NACRE_E_STALE},
    {EREMOTE, NACRE_E_REMOTE},
};

enum nacre_error nacre_error_from_errno(int number)
{
    if (number == 0)
        return NACRE_OK;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (numbers[i].number == number)
            return numbers[i].error;
    return NACRE_E_INTERNAL;
}

enum nacre_error nacre_error_from_lookup(int result)
{
    switch (result) {
    case 0:
        return NACRE_OK;
    case EAI_AGAIN:
        return NACRE_E_TRY_AGAIN;
    case EAI_NONAME:
        return NACRE_E_HOST_NOT_FOUND;
    case EAI_NODATA:
    case EAI_ADDRFAMILY:
        return NACRE_E_NO_DATA;
    case EAI_FAMILY:
        return NACRE_E_AFNOSUPPORT;
    case EAI_MEMORY:
        return NACRE_E_NOBUFS;
    case EAI_SYSTEM:
        return nacre_error_from_errno(errno);
    default:
        return NACRE_E_NO_RECOVERY;
    }
}

bool nacre_sock_lookup_goes_on(int result)
{
    return result == EAI_SYSTEM && errno == EINTR;
}

/* accept(2), "Error handling". */
bool nacre_sock_accept_goes_on(int number)
{
    static const int passing[] = {ECONNABORTED, EINTR,      EPROTO,       ENETDOWN,    ENOPROTOOPT, EHOSTDOWN,
                                  ENONET,       EOPNOTSUPP, EHOSTUNREACH, ENETUNREACH, EPERM,       ETIMEDOUT};
    for (size_t i = 0; i < sizeof passing / sizeof *passing; i++)
        if (passing[i] == number)
            return true;
    return false;
}
