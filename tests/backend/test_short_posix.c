/* SPDX-License-Identifier: Apache-2.0 */
/* A receive may bring less than there is: TCP's ends before an urgent byte, and a unix socket's behind descriptors. */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backend/rig.h"

enum {
    OWNER = 5
};

static void skip_unless_real(struct rig *r)
{
    if (r->d != &driver_fake)
        return;
    rig_close(r);
    cr_skip_test("%s has no kernel's sockets", r->d->ops->name);
}

static void send_descriptor(int fd, const char *bytes)
{
    union {
        char room[CMSG_SPACE(sizeof(int))];
        struct cmsghdr head;
    } control = {.room = {0}};
    struct iovec v = {.iov_base = (char *)(uintptr_t)bytes, .iov_len = strlen(bytes)};
    struct msghdr m = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof control.room};
    struct cmsghdr *head = CMSG_FIRSTHDR(&m);
    int passed = STDERR_FILENO;
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof passed);
    memcpy(CMSG_DATA(head), &passed, sizeof passed);
    cr_assert_eq(sendmsg(fd, &m, 0), (ssize_t)v.iov_len);
}

CASE(backend_short, what_follows_an_urgent_byte_is_received)
{
    struct rig r;
    uint32_t slot;
    uint8_t got[5];
    rig_open(&r, *row);
    skip_unless_real(&r);
    struct far f = rig_attach(&r, OWNER, &slot);
    for (int i = 0; i < 3; i++) {
        r.ops->receive(r.io, slot, i != 1); /* in the socket before it is wanted, and as it comes */
        cr_assert_eq(send(f.fd, "abc", 3, 0), 3);
        cr_assert_eq(send(f.fd, "!", 1, MSG_OOB), 1);
        cr_assert_eq(send(f.fd, "de", 2, 0), 2);
        r.ops->receive(r.io, slot, true);
        rig_receive(&r, OWNER, got, sizeof got);
        cr_assert_arr_eq(got, "abcde", sizeof got);
    }
    rig_close_one(&r, OWNER, slot, f);
}

CASE(backend_short, what_follows_a_descriptor_is_received)
{
    struct rig r;
    uint32_t slot;
    uint8_t got[5];
    int pair[2];
    rig_open(&r, *row);
    skip_unless_real(&r);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    cr_assert_eq(r.ops->attach(r.io, pair[0], OWNER, &slot), NACRE_OK);
    for (int i = 0; i < 3; i++) {
        r.ops->receive(r.io, slot, i != 1);
        send_descriptor(pair[1], "abc");
        cr_assert_eq(send(pair[1], "de", 2, 0), 2);
        r.ops->receive(r.io, slot, true);
        rig_receive(&r, OWNER, got, sizeof got);
        cr_assert_arr_eq(got, "abcde", sizeof got);
    }
    rig_detach(&r, OWNER, slot);
    close(pair[1]);
    rig_close(&r);
}
