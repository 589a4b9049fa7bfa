/* SPDX-License-Identifier: Apache-2.0 */
/* Rule R33: on_disconnected comes, once and late, though there is no memory for it until the socket is gone. */
#include <arpa/inet.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "alloc.h"
#include "check.h"
#include "served.h"

enum {
    WITHOUT_MS = 4500, /* idle for a second, then a client that does not close is waited for for two */
};

static _Atomic unsigned told;

static void on_disconnected(nacre_server *n, struct nacre_disconnected *e, void *context)
{
    (void)n;
    (void)e;
    (void)context;
    atomic_fetch_add(&told, 1);
}

int main(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    static const struct nacre_handlers handlers = {.on_disconnected = on_disconnected};
    struct served s;
    char byte;
    served_start(&s, &handlers, "WorkerThreads=1");
    check(nacre_set_default_idle_timeout(s.nacre, 1) == 0, "idle");
    served_turn_events(&s);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    a.sin_port = htons((uint16_t)s.port);
    check(connect(fd, (const struct sockaddr *)&a, sizeof a) == 0 && recv(fd, &byte, 1, 0) == 1, "greeted");
    alloc_fail_one_in(1, 1);
    usleep(WITHOUT_MS * 1000);
    check(atomic_load(&told) == 0, "there was memory");
    check(alloc_fail_none(), "no allocation failed");
    served_wait_empty(&s);
    check(atomic_load(&told) == 1, "the end was told once");
    close(fd);
    served_end(&s);
    return EXIT_SUCCESS;
}
