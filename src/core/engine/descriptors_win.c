/* SPDX-License-Identifier: Apache-2.0 */
/* Nothing here asks for tables of a worker's own: limit_win.c plans none. */
#include "engine/descriptors.h"

enum nacre_error nacre_descriptors_pair(io_socket ends[2])
{
    ends[0] = IO_NO_SOCKET;
    ends[1] = IO_NO_SOCKET;
    return NACRE_E_NOT_SUPPORTED;
}

enum nacre_error nacre_descriptors_seclude(const io_socket *keep, unsigned count, const char **why)
{
    (void)keep;
    (void)count;
    *why = "a process has one table of handles on this system";
    return NACRE_E_NOT_SUPPORTED;
}

enum nacre_error nacre_descriptors_pass(io_socket through, io_socket s, enum passed what)
{
    (void)through;
    (void)s;
    (void)what;
    return NACRE_E_NOT_SUPPORTED;
}

enum passed nacre_descriptors_take(io_socket through, io_socket *s)
{
    (void)through;
    *s = IO_NO_SOCKET;
    return PASSED_NONE;
}
