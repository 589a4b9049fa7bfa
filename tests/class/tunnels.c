/* SPDX-License-Identifier: Apache-2.0 */
#include "class/tunnels.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/plat.h"
#include "wire/rd.h"
#include "wire/wr.h"

enum {
    OWN_PORTS = 8
};

/* ---- handlers -------------------------------------------------------------------------------------------------- */

static void on_tunnel_requested(nacre_server *n, struct nacre_ssh_tunnel_requested *e, void *context)
{
    (void)n;
    struct server *s = context;
    struct wishes *w = s->test;
    struct server_seen seen = {.type = EVENT_SSH_TUNNEL_REQUESTED,
                               .connection = e->connection_id,
                               .code = e->port,
                               .len = (size_t)e->direction,
                               .verified = e->is_path};
    (void)snprintf(seen.text, sizeof seen.text, "%s", e->address);
    cr_assert_not(e->accept);
    if (w != NULL && w->defers) {
        w->ticket = nacre_defer(&e->event);
        atomic_store(&w->asked, true);
    }
    if (w != NULL && w->port != 0)
        e->port = w->port;
    e->accept = w == NULL || !w->refuses;
    server_note(s, seen);
}

static void on_tunnel_closed(nacre_server *n, struct nacre_ssh_tunnel_closed *e, void *context)
{
    struct server_seen seen = {.type = EVENT_SSH_TUNNEL_CLOSED, .connection = e->connection_id, .code = e->port};
    (void)n;
    (void)snprintf(seen.text, sizeof seen.text, "%s", e->address);
    server_note(context, seen);
}

static struct server *start_server(struct wishes *w)
{
    struct server *s = server_new();
    s->handlers.on_ssh_tunnel_requested = on_tunnel_requested;
    s->handlers.on_ssh_tunnel_closed = on_tunnel_closed;
    s->test = w;
    server_start(s, 2);
    return s;
}

/* ---- sockets of the far end ------------------------------------------------------------------------------------ */

int tunnels_listen_tcp(int family, int *port)
{
    struct sockaddr_storage a = {.ss_family = (sa_family_t)family};
    socklen_t len = sizeof a;
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (family == AF_INET)
        ((struct sockaddr_in *)&a)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else
        ((struct sockaddr_in6 *)&a)->sin6_addr = in6addr_loopback;
    len = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&a, len) != 0 || listen(fd, 16) != 0 ||
        getsockname(fd, (struct sockaddr *)&a, &len) != 0) {
        close(fd);
        return -1;
    }
    *port = ntohs(family == AF_INET ? ((struct sockaddr_in *)&a)->sin_port : ((struct sockaddr_in6 *)&a)->sin6_port);
    return fd;
}

static struct sockaddr_un unix_address(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    (void)snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    return a;
}

int tunnels_listen_unix(const char *path)
{
    struct sockaddr_un a = unix_address(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(fd, (const struct sockaddr *)&a, sizeof a), 0);
    cr_assert_eq(listen(fd, 64), 0);
    return fd;
}

int tunnels_connect_unix(const char *path)
{
    struct sockaddr_un a = unix_address(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (const struct sockaddr *)&a, sizeof a) == 0)
        return fd;
    close(fd);
    return -1;
}

const char *tunnels_own_path(const char *name)
{
    static char paths[2][100];
    static unsigned which;
    char *path = paths[which++ % 2];
    (void)snprintf(path, sizeof paths[0], "/tmp/nacre-test-%d-%s", (int)getpid(), name);
    (void)unlink(path);
    return path;
}

bool tunnels_readable(struct client *c, int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int64_t until = nacre_clock_ns() + CLIENT_WAIT_MS * INT64_C(1000000);
    while (poll(&p, 1, 0) == 0 && nacre_clock_ns() < until)
        (void)client_turn(c, 5);
    return (p.revents & POLLIN) != 0;
}

void tunnels_expect_bytes(struct client *c, int fd, const char *wanted)
{
    char got[256];
    size_t len = 0;
    while (len < strlen(wanted)) {
        cr_assert(tunnels_readable(c, fd));
        ssize_t n = recv(fd, got + len, strlen(wanted) - len, 0);
        cr_assert_gt(n, 0);
        len += (size_t)n;
    }
    cr_assert_arr_eq(got, wanted, len);
}

void tunnels_expect_fin(struct client *c, int fd)
{
    char byte;
    cr_assert(tunnels_readable(c, fd));
    cr_assert_eq(recv(fd, &byte, 1, 0), 0);
}

void tunnels_expect_data(struct client *c, int channel, const char *wanted)
{
    struct client_channel *ch = &c->channels[channel];
    cr_assert(client_wait_count(c, &ch->received, strlen(wanted)));
    cr_assert_eq(ch->received, strlen(wanted));
    cr_assert_arr_eq(ch->data.at, wanted, strlen(wanted));
}

/* ---- requests -------------------------------------------------------------------------------------------------- */

static struct span write_address(uint8_t *data, size_t room, const char *address, int port)
{
    struct wr w = wr_over(data, room);
    wr_cstring(&w, address);
    wr_u32(&w, (uint32_t)port);
    return wr_span(&w);
}

int tunnels_begin_open(struct client *c, const char *kind, const char *address, int port)
{
    uint8_t data[512];
    struct wr w = wr_over(data, sizeof data);
    uint32_t number = 0;
    wr_cstring(&w, address);
    if (strcmp(kind, "direct-tcpip") == 0)
        wr_u32(&w, (uint32_t)port);
    wr_cstring(&w, "127.0.0.1");
    wr_u32(&w, 4711);
    if (nacre_chan_open(c->conn, span_str(kind), wr_span(&w), &number, nacre_clock_ns()) != NACRE_OK)
        return -1;
    struct client_channel *ch = &c->channels[number];
    ch->opened = ch->failed = ch->eof = ch->closed = false;
    ch->received = 0;
    nacre_buf_drop(&ch->data, ch->data.len);
    return (int)number;
}

bool tunnels_open(struct client *c, const char *kind, const char *address, int port, int *channel)
{
    *channel = tunnels_begin_open(c, kind, address, port);
    cr_assert_geq(*channel, 0);
    struct client_channel *ch = &c->channels[*channel];
    int64_t until = nacre_clock_ns() + CLIENT_WAIT_MS * INT64_C(1000000);
    while (!ch->opened && !ch->failed && nacre_clock_ns() < until)
        if (!client_turn(c, 20))
            break;
    cr_assert(ch->opened || ch->failed);
    return ch->opened;
}

bool tunnels_ask(struct client *c, const char *kind, struct span data)
{
    unsigned replies = c->global_replies, granted = c->global_granted;
    cr_assert_eq(nacre_conn_global_request(c->conn, span_str(kind), true, data, nacre_clock_ns()), NACRE_OK);
    cr_assert(client_wait_unsigned(c, &c->global_replies, replies + 1));
    return c->global_granted > granted;
}

bool tunnels_ask_tcp(struct client *c, const char *kind, const char *address, int port)
{
    uint8_t data[512];
    return tunnels_ask(c, kind, write_address(data, sizeof data, address, port));
}

bool tunnels_ask_unix(struct client *c, const char *kind, const char *path)
{
    uint8_t data[512];
    struct wr w = wr_over(data, sizeof data);
    wr_cstring(&w, path);
    return tunnels_ask(c, kind, wr_span(&w));
}

static int bound_port(const struct client *c)
{
    struct rd r = rd_over(span_of(c->global_data, c->global_data_len));
    int port = (int)rd_u32(&r);
    return rd_end(&r) ? port : -1;
}

int tunnels_forward(struct client *c, const char *address)
{
    cr_assert(tunnels_ask_tcp(c, "tcpip-forward", address, 0));
    cr_assert_gt(bound_port(c), 0);
    return bound_port(c);
}

int tunnels_free_port(void)
{
    static unsigned turn;
    struct sockaddr_in a = {.sin_family = AF_INET};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int i = 0; i < OWN_PORTS; i++) {
        unsigned port = 10000 + (unsigned)getpid() % 2500 * OWN_PORTS + turn++ % OWN_PORTS;
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        a.sin_port = htons((uint16_t)port);
        bool is_free = bind(fd, (const struct sockaddr *)&a, sizeof a) == 0;
        close(fd);
        if (is_free)
            return (int)port;
    }
    cr_assert(false, "all ports of this process are taken");
    return 0;
}

void tunnels_set_up(struct fixture *f, struct wishes *w)
{
    f->s = start_server(w);
    cr_assert(client_start(&f->c, f->s->port));
    f->listener = tunnels_listen_tcp(AF_INET, &f->port);
}

void tunnels_set_up_tunnel(struct fixture *f)
{
    tunnels_set_up(f, NULL);
    cr_assert(tunnels_open(&f->c, "direct-tcpip", "127.0.0.1", f->port, &f->channel));
    f->far = accept(f->listener, NULL, NULL);
    cr_assert_geq(f->far, 0);
}

void tunnels_tear_down(struct fixture *f)
{
    client_free(&f->c);
    close(f->listener);
    cr_assert(server_wait_empty(f->s));
    server_free(f->s);
}
