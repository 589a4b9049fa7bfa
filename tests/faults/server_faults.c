/* SPDX-License-Identifier: Apache-2.0 */
/* Rules R33 and R41 for a whole server: allocations fail at random in all its threads while clients come from another
 * process. Who does not know the password is never let in, echoes hold what was sent, and once there is memory again
 * all is as before: logins work, and no connection, descriptor or allocation is left. */
#include <dirent.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "alloc.h"
#include "check.h"
#include "served.h"
#include "support/client.h"

enum {
    ROUNDS = 1000,
    ONE_IN = 40,
    DATA = 5000,
    PIPES = 4 /* descriptors of the test itself */
};

/* ---- rule R41 -------------------------------------------------------------------------------------------------- */

/* The linker sends the library's calls here (--wrap): a server that was told of no file opens none, and asks the
 * environment for nothing. */
static _Atomic unsigned nosy;

int __wrap_open(const char *path, int flags, ...);
int __wrap_openat(int at, const char *path, int flags, ...);
FILE *__wrap_fopen(const char *path, const char *mode);
char *__wrap_getenv(const char *name);

int __wrap_open(const char *path, int flags, ...)
{
    (void)flags;
    fprintf(stderr, "open %s\n", path);
    atomic_fetch_add(&nosy, 1);
    return -1;
}

int __wrap_openat(int at, const char *path, int flags, ...)
{
    (void)at;
    return __wrap_open(path, flags);
}

FILE *__wrap_fopen(const char *path, const char *mode)
{
    (void)mode;
    (void)__wrap_open(path, 0);
    return NULL;
}

char *__wrap_getenv(const char *name)
{
    (void)__wrap_open(name, 0);
    return NULL;
}

static bool on_stderr; /* what comes back; the library marks that in its queue */

/* ---- the clients' process -------------------------------------------------------------------------------------- */

/* True: in, and everything came back. */
static bool echo_once(int port)
{
    static uint8_t sent[DATA];
    struct client c;
    client_init(&c);
    bool good = client_connect(&c, port) && client_login(&c, "user", "pw");
    int ch = good ? client_open(&c, "session") : -1;
    for (size_t i = 0; i < DATA; i++)
        sent[i] = (uint8_t)(i >> 3 ^ i);
    if (ch >= 0 && client_send(&c, ch, sent, DATA)) {
        struct client_channel *x = &c.channels[ch];
        good = client_wait_count(&c, &x->received, DATA);
        const struct buf *back = on_stderr ? &x->errors : &x->data;
        check(back->len <= DATA && (back->len == 0 || memcmp(back->at, sent, back->len) == 0), "other bytes came back");
    } else {
        good = false;
    }
    client_free(&c);
    return good;
}

static void guess_once(int port)
{
    struct client c;
    client_init(&c);
    check(!(client_connect(&c, port) && client_login(&c, "user", "not this one")), "a guess was let in");
    check(!c.authenticated, "a guess was let in");
    client_free(&c);
}

static int run_clients(int from, int to)
{
    char byte;
    int port;
    unsigned good = 0;
    check(read(from, &port, sizeof port) == (ssize_t)sizeof port, "the server listens");
    for (int i = 0; i < ROUNDS; i++) {
        guess_once(port);
        good += echo_once(port) ? 1 : 0;
    }
    check(write(to, &good, sizeof good) == (ssize_t)sizeof good, "write");
    check(read(from, &byte, 1) == 1, "read");
    for (int i = 0; i < 5; i++)
        check(echo_once(port), "with memory a login and an echo work");
    guess_once(port);
    return 0;
}

/* ---- the server's ---------------------------------------------------------------------------------------------- */

static void on_auth(nacre_server *n, struct nacre_ssh_user_auth_request *e, void *context)
{
    (void)n;
    (void)context;
    e->accept = strcmp(e->auth_method, "password") == 0 && strcmp(e->auth_param, "pw") == 0;
}

static void on_open(nacre_server *n, struct nacre_ssh_channel_open_request *e, void *context)
{
    (void)n;
    (void)context;
    e->accept = true;
}

/* What cannot be sent back ends the connection: an echo has no gaps. */
static void on_data(nacre_server *n, struct nacre_ssh_channel_data_in *e, void *context)
{
    (void)context;
    int result = on_stderr ? nacre_send_stderr(n, e->channel_id, e->data, e->data_len)
                           : nacre_send_bytes(n, e->channel_id, e->data, e->data_len);
    if (result != 0)
        check(nacre_disconnect(n, e->connection_id) == 0, "a disconnect is always taken");
}

static unsigned descriptors(void)
{
    unsigned count = 0;
    DIR *d = opendir("/proc/self/fd");
    while (d != NULL && readdir(d) != NULL)
        count++;
    closedir(d);
    return count;
}

int main(int argc, char **argv)
{
    on_stderr = argc > 1 && strcmp(argv[1], "stderr") == 0;
    static const struct nacre_handlers handlers = {
        .on_ssh_user_auth_request = on_auth, .on_ssh_channel_open_request = on_open, .on_ssh_channel_data_in = on_data};
    struct served s;
    int to[2], from[2], status = -1;
    unsigned good = 0;
    check(pipe(to) == 0 && pipe(from) == 0, "pipe");
    pid_t pid = fork(); /* while there is one thread: of more, another might hold a lock of the allocator for ever */
    if (pid == 0) {
        close(to[1]);
        _exit(run_clients(to[0], from[1]));
    }
    served_start(&s, &handlers, "WorkerThreads=2");
    unsigned before = descriptors();
    check(write(to[1], &s.port, sizeof s.port) == (ssize_t)sizeof s.port, "write");
    served_turn_events(&s);
    alloc_fail_one_in(ONE_IN, (unsigned)getpid());
    close(from[1]);
    bool told = read(from[0], &good, sizeof good) == (ssize_t)sizeof good;
    check(alloc_fail_none(), "no allocation failed");
    printf("%u of %u echoes without memory\n", good, (unsigned)ROUNDS);
    check(told && write(to[1], "g", 1) == 1, "the clients have ended");
    check(waitpid(pid, &status, 0) == pid && status == 0, "the clients say so");
    served_wait_empty(&s);
    close(from[0]);
    close(to[0]);
    close(to[1]);
    check(descriptors() + PIPES == before, "descriptors are left");
    served_end(&s);
    check(atomic_load(&nosy) == 0, "the library looked for what nobody told it of");
    return EXIT_SUCCESS;
}
