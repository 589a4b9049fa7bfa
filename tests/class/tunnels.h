/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of tunnels: a server that says yes to them or what a test wishes, sockets of the far end, and the
 * client's requests. */
#ifndef TESTS_CLASS_TUNNELS_H
#define TESTS_CLASS_TUNNELS_H

#include <sys/socket.h>

#include "support/client.h"
#include "support/server.h"

enum {
    OPEN_CONNECT_FAILED = 2 /* RFC 4254 section 5.1 */
};

/* What the handlers do; set before the server starts. */
struct wishes {
    bool refuses, defers;
    int port;            /* 0: as asked */
    nacre_ticket ticket; /* written before `asked` is set */
    atomic_bool asked;
};

/* A server, a client that is logged in, and one tunnel to a socket of ours. */
struct fixture {
    struct server *s;
    struct client c;
    int listener, port, far, channel;
};

int tunnels_listen_tcp(int family, int *port);
int tunnels_listen_unix(const char *path);
int tunnels_connect_unix(const char *path);

/* A path of its own for this test's process, which nothing is at. */
const char *tunnels_own_path(const char *name);

/* Waits until the socket can be read, the client's bytes moving meanwhile. */
bool tunnels_readable(struct client *c, int fd);
void tunnels_expect_bytes(struct client *c, int fd, const char *wanted);
void tunnels_expect_fin(struct client *c, int fd);
void tunnels_expect_data(struct client *c, int channel, const char *wanted);
int tunnels_begin_open(struct client *c, const char *kind, const char *address, int port);

/* A forward tunnel; true: it stands. */
bool tunnels_open(struct client *c, const char *kind, const char *address, int port, int *channel);

/* A global request with reply: true when granted. */
bool tunnels_ask(struct client *c, const char *kind, struct span data);
bool tunnels_ask_tcp(struct client *c, const char *kind, const char *address, int port);
bool tunnels_ask_unix(struct client *c, const char *kind, const char *path);

/* Listens on a port of the system's choice. */
int tunnels_forward(struct client *c, const char *address);

/* A port that nobody listens on and nobody is given: below those that the system picks from, and this process's own. */
int tunnels_free_port(void);
void tunnels_set_up(struct fixture *f, struct wishes *w);
void tunnels_set_up_tunnel(struct fixture *f);
void tunnels_tear_down(struct fixture *f);

#endif
