/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptor tables on Linux: close_range(2) with CLOSE_RANGE_UNSHARE, Linux 5.9, and unix(7)'s SCM_RIGHTS. */
#include "engine/descriptors.h"

#include <errno.h>
#include <limits.h>
#include <linux/close_range.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/sock.h"

enum {
    STANDARD = 3 /* descriptors that programs and libraries write to by number */
};

enum nacre_error nacre_descriptors_pair(io_socket ends[2])
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0)
        return NACRE_OK;
    ends[0] = IO_NO_SOCKET;
    ends[1] = IO_NO_SOCKET;
    return nacre_error_from_errno(errno);
}

/* The lowest of `keep` that is at least `from`; -1: none. */
static int next_kept(const io_socket *keep, unsigned count, int from)
{
    int lowest = -1;
    for (unsigned i = 0; i < count; i++)
        if (keep[i] >= from && (lowest < 0 || keep[i] < lowest))
            lowest = keep[i];
    return lowest;
}

static int highest_kept(const io_socket *keep, unsigned count)
{
    int highest = -1;
    for (unsigned i = 0; i < count; i++)
        if (keep[i] > highest)
            highest = keep[i];
    return highest;
}

/* The first call leaves the process's table and copies no more of it than what is kept; from there on nothing can fail
 * but for want of memory, which closing does not need. */
enum nacre_error nacre_descriptors_seclude(const io_socket *keep, unsigned count, const char **why)
{
    int highest = highest_kept(keep, count);
    if (close_range((unsigned)highest + 1, UINT_MAX, CLOSE_RANGE_UNSHARE) != 0) {
        *why = errno == ENOSYS ? "this kernel lacks close_range(), which Linux 5.9 brought"
                               : "the system refuses close_range() with CLOSE_RANGE_UNSHARE";
        return NACRE_E_NOT_SUPPORTED;
    }
    for (int from = 0, kept; (kept = next_kept(keep, count, from)) >= 0; from = kept + 1)
        if (kept > from)
            (void)close_range((unsigned)from, (unsigned)kept - 1, 0);
    /* A socket must never get a number that somebody writes messages to. */
    for (int fd = 0; fd < STANDARD; fd++)
        if (next_kept(keep, count, fd) != fd)
            while (dup2(keep[0], fd) < 0 && errno == EINTR)
                ;
    return NACRE_OK;
}

enum nacre_error nacre_descriptors_pass(io_socket through, io_socket s, enum passed what)
{
    char byte = (char)what;
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec v = {.iov_base = &byte, .iov_len = 1};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *head = CMSG_FIRSTHDR(&m);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(head), &s, sizeof s);
    ssize_t n;
    do {
        n = sendmsg(through, &m, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    return n == 1 ? NACRE_OK : nacre_error_from_errno(errno);
}

enum passed nacre_descriptors_take(io_socket through, io_socket *s)
{
    char byte;
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec v = {.iov_base = &byte, .iov_len = 1};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t n;
    *s = IO_NO_SOCKET;
    do {
        n = recvmsg(through, &m, MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n != 1)
        return PASSED_NONE;
    const struct cmsghdr *head = CMSG_FIRSTHDR(&m);
    if (head != NULL && head->cmsg_type == SCM_RIGHTS && head->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(s, CMSG_DATA(head), sizeof *s);
    return byte == PASSED_LISTENER ? PASSED_LISTENER : PASSED_CLIENT;
}
