/* SPDX-License-Identifier: Apache-2.0 */
/* Rule R33: on_disconnected comes, once and late, though there is no memory for it until the socket is gone. */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "alloc.h"
#include "nacre/nacre.h"

enum {
    WITHOUT_MS = 4500, /* idle for a second, then a client that does not close is waited for for two */
    WAIT_MS = 10000,
};

static atomic_bool stopping;
static _Atomic unsigned told;

static void check(bool holds, const char *what, int line)
{
    if (holds)
        return;
    fprintf(stderr, "%s:%d: %s\n", __FILE__, line, what);
    _exit(EXIT_FAILURE);
}

static void on_disconnected(nacre_server *n, struct nacre_disconnected *e, void *context)
{
    (void)n;
    (void)e;
    (void)context;
    atomic_fetch_add(&told, 1);
}

static void *turn_events(void *argument)
{
    while (!atomic_load(&stopping))
        (void)nacre_do_events(argument);
    return NULL;
}

static nacre_server *make_server(int *port)
{
    static const struct nacre_handlers handlers = {.on_disconnected = on_disconnected};
    char pem[16384];
    nacre_server *n;
    check(nacre_create(&n) == 0 && nacre_make_key("ssh-ed25519", pem, sizeof pem) == 0, "create", __LINE__);
    bool set = nacre_set_ssh_cert_store_type(n, 7) == 0 && nacre_set_ssh_cert_store(n, pem, strlen(pem)) == 0 &&
               nacre_set_ssh_cert_subject(n, "*") == 0 && nacre_set_local_host(n, "127.0.0.1") == 0 &&
               nacre_set_local_port(n, 0) == 0 && nacre_config(n, "WorkerThreads=1", NULL, 0) == 0 &&
               nacre_set_default_idle_timeout(n, 1) == 0 && nacre_set_handlers(n, &handlers, NULL) == 0;
    check(set && nacre_start_listening(n) == 0 && nacre_get_local_port(n, port) == 0, "start", __LINE__);
    return n;
}

int main(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    int port, count = 1;
    char byte;
    pthread_t thread;
    nacre_server *n = make_server(&port);
    check(pthread_create(&thread, NULL, turn_events, n) == 0, "thread", __LINE__);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    a.sin_port = htons((uint16_t)port);
    check(connect(fd, (const struct sockaddr *)&a, sizeof a) == 0 && recv(fd, &byte, 1, 0) == 1, "greeted", __LINE__);
    alloc_fail_one_in(1, 1);
    usleep(WITHOUT_MS * 1000);
    check(atomic_load(&told) == 0, "there was memory", __LINE__);
    check(alloc_fail_none(), "no allocation failed", __LINE__);
    for (int i = 0; i < WAIT_MS / 10 && count != 0; i++) {
        check(nacre_get_ssh_connection_count(n, &count) == 0, "count", __LINE__);
        usleep(10000);
    }
    check(atomic_load(&told) == 1, "the end was told once", __LINE__);
    check(count == 0, "the connection is left", __LINE__);
    close(fd);
    atomic_store(&stopping, true);
    pthread_join(thread, NULL);
    nacre_free(n);
    return EXIT_SUCCESS;
}
