/* SPDX-License-Identifier: Apache-2.0 */
/* Tunnels: what the application is asked, where the relay leads, and every way it ends. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/plat.h"
#include "support/client.h"
#include "support/server.h"
#include "wire/rd.h"
#include "wire/wr.h"

enum {
    OWN_PORTS = 8,
    OPEN_CONNECT_FAILED = 2 /* RFC 4254 section 5.1 */
};

/* What the handlers do; set before the server starts. */
struct wishes {
    bool refuses, defers;
    int port;            /* 0: as asked */
    nacre_ticket ticket; /* written before `asked` is set */
    atomic_bool asked;
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
                               .len = (size_t)e->direction};
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

static int listen_tcp(int family, int *port)
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

static int listen_unix(const char *path)
{
    struct sockaddr_un a = unix_address(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(fd, (const struct sockaddr *)&a, sizeof a), 0);
    cr_assert_eq(listen(fd, 16), 0);
    return fd;
}

static int connect_unix(const char *path)
{
    struct sockaddr_un a = unix_address(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (const struct sockaddr *)&a, sizeof a) == 0)
        return fd;
    close(fd);
    return -1;
}

/* A path of its own for this test's process, which nothing is at. */
static const char *own_path(const char *name)
{
    static char paths[2][100];
    static unsigned which;
    char *path = paths[which++ % 2];
    (void)snprintf(path, sizeof paths[0], "/tmp/nacre-test-%d-%s", (int)getpid(), name);
    (void)unlink(path);
    return path;
}

/* Waits until the socket can be read, the client's bytes moving meanwhile. */
static bool readable(struct client *c, int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int64_t until = nacre_clock_ns() + CLIENT_WAIT_MS * INT64_C(1000000);
    while (poll(&p, 1, 0) == 0 && nacre_clock_ns() < until)
        (void)client_turn(c, 5);
    return (p.revents & POLLIN) != 0;
}

static void expect_bytes(struct client *c, int fd, const char *wanted)
{
    char got[256];
    size_t len = 0;
    while (len < strlen(wanted)) {
        cr_assert(readable(c, fd));
        ssize_t n = recv(fd, got + len, strlen(wanted) - len, 0);
        cr_assert_gt(n, 0);
        len += (size_t)n;
    }
    cr_assert_arr_eq(got, wanted, len);
}

static void expect_fin(struct client *c, int fd)
{
    char byte;
    cr_assert(readable(c, fd));
    cr_assert_eq(recv(fd, &byte, 1, 0), 0);
}

static void expect_data(struct client *c, int channel, const char *wanted)
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

static int begin_open(struct client *c, const char *kind, const char *address, int port)
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

/* A forward tunnel; true: it stands. */
static bool open_tunnel(struct client *c, const char *kind, const char *address, int port, int *channel)
{
    *channel = begin_open(c, kind, address, port);
    cr_assert_geq(*channel, 0);
    struct client_channel *ch = &c->channels[*channel];
    int64_t until = nacre_clock_ns() + CLIENT_WAIT_MS * INT64_C(1000000);
    while (!ch->opened && !ch->failed && nacre_clock_ns() < until)
        if (!client_turn(c, 20))
            break;
    cr_assert(ch->opened || ch->failed);
    return ch->opened;
}

/* A global request with reply: true when granted. */
static bool ask(struct client *c, const char *kind, struct span data)
{
    unsigned replies = c->global_replies, granted = c->global_granted;
    cr_assert_eq(nacre_conn_global_request(c->conn, span_str(kind), true, data, nacre_clock_ns()), NACRE_OK);
    cr_assert(client_wait_unsigned(c, &c->global_replies, replies + 1));
    return c->global_granted > granted;
}

static bool ask_tcp(struct client *c, const char *kind, const char *address, int port)
{
    uint8_t data[512];
    return ask(c, kind, write_address(data, sizeof data, address, port));
}

static bool ask_unix(struct client *c, const char *kind, const char *path)
{
    uint8_t data[512];
    struct wr w = wr_over(data, sizeof data);
    wr_cstring(&w, path);
    return ask(c, kind, wr_span(&w));
}

static int bound_port(const struct client *c)
{
    struct rd r = rd_over(span_of(c->global_data, c->global_data_len));
    int port = (int)rd_u32(&r);
    return rd_end(&r) ? port : -1;
}

/* Listens on a port of the system's choice. */
static int forward(struct client *c, const char *address)
{
    cr_assert(ask_tcp(c, "tcpip-forward", address, 0));
    cr_assert_gt(bound_port(c), 0);
    return bound_port(c);
}

/* A port that nobody listens on and nobody is given: below those that the system picks from, and this process's own. */
static int free_port(void)
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

/* A server, a client that is logged in, and one tunnel to a socket of ours. */
struct fixture {
    struct server *s;
    struct client c;
    int listener, port, far, channel;
};

static void set_up(struct fixture *f, struct wishes *w)
{
    f->s = start_server(w);
    cr_assert(client_start(&f->c, f->s->port));
    f->listener = listen_tcp(AF_INET, &f->port);
}

static void set_up_tunnel(struct fixture *f)
{
    set_up(f, NULL);
    cr_assert(open_tunnel(&f->c, "direct-tcpip", "127.0.0.1", f->port, &f->channel));
    f->far = accept(f->listener, NULL, NULL);
    cr_assert_geq(f->far, 0);
}

static void tear_down(struct fixture *f)
{
    client_free(&f->c);
    close(f->listener);
    cr_assert(server_wait_empty(f->s));
    server_free(f->s);
}

/* ---- forward --------------------------------------------------------------------------------------------------- */

Test(class_tunnels, a_forward_tunnel_relays_both_ways)
{
    struct fixture f;
    struct server_seen asked;
    set_up_tunnel(&f);
    cr_assert(client_send(&f.c, f.channel, "there", 5));
    expect_bytes(&f.c, f.far, "there");
    cr_assert_eq(send(f.far, "back", 4, 0), 4);
    expect_data(&f.c, f.channel, "back");
    cr_assert(server_wait(f.s, EVENT_SSH_TUNNEL_REQUESTED, 0, &asked));
    cr_assert_str_eq(asked.text, "127.0.0.1");
    cr_assert_eq(asked.code, f.port);
    cr_assert_eq(asked.len, 0);
    cr_assert_eq(server_count(f.s, EVENT_SSH_CHANNEL_OPENED), 0);
    cr_assert_eq(server_count(f.s, EVENT_SSH_CHANNEL_DATA_IN), 0);
    close(f.far);
    tear_down(&f);
}

Test(class_tunnels, many_bytes_in_pieces_of_every_size_arrive_in_order)
{
    enum {
        TOTAL = 4 * 1024 * 1024
    };
    struct fixture f;
    uint8_t *sent = malloc(TOTAL), *got = malloc(TOTAL);
    size_t out = 0, in = 0;
    set_up_tunnel(&f);
    for (size_t i = 0; i < TOTAL; i++)
        sent[i] = (uint8_t)(i * 31 + (i >> 12));
    for (size_t piece = 1; in < TOTAL; piece = piece * 3 % 40009) {
        size_t len = out + piece < TOTAL ? piece : TOTAL - out;
        if (out < TOTAL && nacre_chan_queued(f.c.conn, (uint32_t)f.channel) < 256 * 1024 && len != 0) {
            cr_assert(client_send(&f.c, f.channel, sent + out, len));
            out += len;
        }
        (void)client_turn(&f.c, 0);
        ssize_t n = recv(f.far, got + in, TOTAL - in, MSG_DONTWAIT);
        in += n > 0 ? (size_t)n : 0;
        cr_assert_neq(n, 0);
    }
    cr_assert_arr_eq(got, sent, TOTAL);
    close(f.far);
    free(sent);
    free(got);
    tear_down(&f);
}

Test(class_tunnels, small_pieces_for_an_end_that_stalls_take_little_memory)
{
    static const uint8_t zeros[32 * 1024];
    struct fixture f;
    set_up_tunnel(&f);
    /* First what the sockets take, so that a send stays under way. */
    for (int i = 0; i < 600 && nacre_chan_queued(f.c.conn, (uint32_t)f.channel) == 0; i++) {
        cr_assert(client_send(&f.c, f.channel, zeros, i < 60 ? sizeof zeros : 16));
        client_pump(&f.c, 1);
    }
    cr_assert_lt(server_pool_bytes(f.s), 24 * 1024 * 1024);
    close(f.far);
    tear_down(&f);
}

Test(class_tunnels, names_are_looked_up)
{
    struct fixture f;
    set_up(&f, NULL);
    cr_assert(open_tunnel(&f.c, "direct-tcpip", "localhost", f.port, &f.channel));
    f.far = accept(f.listener, NULL, NULL);
    cr_assert(client_send(&f.c, f.channel, "by name", 7));
    expect_bytes(&f.c, f.far, "by name");
    close(f.far);
    tear_down(&f);
}

Test(class_tunnels, a_name_that_is_none_fails_to_connect)
{
    struct fixture f;
    struct server_seen error;
    set_up(&f, NULL);
    cr_assert_not(open_tunnel(&f.c, "direct-tcpip", "no such name", f.port, &f.channel));
    cr_assert_eq(f.c.channels[f.channel].code, OPEN_CONNECT_FAILED);
    cr_assert(server_wait(f.s, EVENT_ERROR, 0, &error));
    cr_assert_eq(error.code, NACRE_E_FORWARD_CONNECT);
    tear_down(&f);
}

Test(class_tunnels, ipv6_addresses_are_reached)
{
    struct fixture f;
    int port = 0, listener = listen_tcp(AF_INET6, &port);
    if (listener < 0)
        cr_skip_test("no IPv6 here");
    set_up(&f, NULL);
    cr_assert(open_tunnel(&f.c, "direct-tcpip", "::1", port, &f.channel));
    f.far = accept(listener, NULL, NULL);
    cr_assert_eq(send(f.far, "six", 3, 0), 3);
    expect_data(&f.c, f.channel, "six");
    close(f.far);
    close(listener);
    tear_down(&f);
}

Test(class_tunnels, a_unix_socket_is_reached)
{
    struct fixture f;
    struct server_seen asked;
    const char *path = own_path("far");
    int listener = listen_unix(path);
    set_up(&f, NULL);
    cr_assert(open_tunnel(&f.c, "direct-streamlocal@openssh.com", path, 0, &f.channel));
    f.far = accept(listener, NULL, NULL);
    cr_assert(client_send(&f.c, f.channel, "local", 5));
    expect_bytes(&f.c, f.far, "local");
    cr_assert_eq(send(f.far, "too", 3, 0), 3);
    expect_data(&f.c, f.channel, "too");
    cr_assert(server_wait(f.s, EVENT_SSH_TUNNEL_REQUESTED, 0, &asked));
    cr_assert_str_eq(asked.text, path);
    cr_assert_eq(asked.code, 0);
    close(f.far);
    close(listener);
    unlink(path);
    tear_down(&f);
}

Test(class_tunnels, a_target_that_refuses_is_an_open_failure_and_an_error)
{
    struct fixture f;
    struct server_seen error;
    char wanted[32];
    int port = free_port();
    set_up(&f, NULL);
    cr_assert_not(open_tunnel(&f.c, "direct-tcpip", "127.0.0.1", port, &f.channel));
    cr_assert_eq(f.c.channels[f.channel].code, OPEN_CONNECT_FAILED);
    cr_assert(server_wait(f.s, EVENT_ERROR, 0, &error));
    cr_assert_eq(error.code, NACRE_E_FORWARD_CONNECT);
    cr_assert_eq(error.code, 1201);
    (void)snprintf(wanted, sizeof wanted, "127.0.0.1 port %d", port);
    cr_assert_not_null(strstr(error.text, wanted), "%s", error.text);
    cr_assert_eq(server_count(f.s, EVENT_SSH_TUNNEL_CLOSED), 0);
    /* The connection goes on. */
    cr_assert(open_tunnel(&f.c, "direct-tcpip", "127.0.0.1", f.port, &f.channel));
    tear_down(&f);
}

Test(class_tunnels, a_path_without_a_socket_is_an_open_failure)
{
    struct fixture f;
    set_up(&f, NULL);
    cr_assert_not(open_tunnel(&f.c, "direct-streamlocal@openssh.com", own_path("nothing"), 0, &f.channel));
    cr_assert_eq(f.c.channels[f.channel].code, OPEN_CONNECT_FAILED);
    tear_down(&f);
}

/* ---- ends ------------------------------------------------------------------------------------------------------ */

Test(class_tunnels, the_clients_eof_is_a_fin_and_the_other_way_goes_on)
{
    struct fixture f;
    set_up_tunnel(&f);
    cr_assert(client_send(&f.c, f.channel, "last", 4));
    cr_assert_eq(nacre_chan_send_eof(f.c.conn, (uint32_t)f.channel, nacre_clock_ns()), NACRE_OK);
    expect_bytes(&f.c, f.far, "last");
    expect_fin(&f.c, f.far);
    cr_assert_eq(send(f.far, "answer", 6, 0), 6);
    expect_data(&f.c, f.channel, "answer");
    cr_assert_not(f.c.channels[f.channel].eof);
    close(f.far);
    cr_assert(client_wait(&f.c, &f.c.channels[f.channel].eof));
    cr_assert(client_wait(&f.c, &f.c.channels[f.channel].closed));
    cr_assert(server_wait(f.s, EVENT_SSH_TUNNEL_CLOSED, 0, NULL));
    cr_assert_eq(server_count(f.s, EVENT_ERROR), 0);
    tear_down(&f);
}

Test(class_tunnels, the_far_ends_fin_is_eof_and_the_other_way_goes_on)
{
    struct fixture f;
    set_up_tunnel(&f);
    cr_assert_eq(send(f.far, "last", 4, 0), 4);
    cr_assert_eq(shutdown(f.far, SHUT_WR), 0);
    expect_data(&f.c, f.channel, "last");
    cr_assert(client_wait(&f.c, &f.c.channels[f.channel].eof));
    cr_assert_not(f.c.channels[f.channel].closed);
    cr_assert(client_send(&f.c, f.channel, "answer", 6));
    expect_bytes(&f.c, f.far, "answer");
    cr_assert_eq(nacre_chan_send_eof(f.c.conn, (uint32_t)f.channel, nacre_clock_ns()), NACRE_OK);
    expect_fin(&f.c, f.far);
    cr_assert(client_wait(&f.c, &f.c.channels[f.channel].closed));
    close(f.far);
    tear_down(&f);
}

Test(class_tunnels, the_far_ends_reset_is_an_error_and_closes_the_channel)
{
    struct fixture f;
    struct server_seen error, closed;
    const struct linger now = {1, 0};
    set_up_tunnel(&f);
    cr_assert_eq(setsockopt(f.far, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
    close(f.far);
    cr_assert(client_wait(&f.c, &f.c.channels[f.channel].closed));
    cr_assert(server_wait(f.s, EVENT_ERROR, 0, &error));
    cr_assert_eq(error.code, NACRE_E_FORWARD_DATA);
    cr_assert_eq(error.code, 1202);
    cr_assert(server_wait(f.s, EVENT_SSH_TUNNEL_CLOSED, 0, &closed));
    cr_assert_eq(closed.code, f.port);
    cr_assert_str_eq(closed.text, "127.0.0.1");
    tear_down(&f);
}

Test(class_tunnels, what_a_channel_brought_before_its_close_still_arrives)
{
    struct fixture f;
    char got[64 * 1024];
    size_t total = 0;
    static const uint8_t zeros[600 * 1024];
    set_up_tunnel(&f);
    cr_assert(client_send(&f.c, f.channel, zeros, sizeof zeros));
    cr_assert_eq(nacre_chan_close(f.c.conn, (uint32_t)f.channel, nacre_clock_ns()), NACRE_OK);
    cr_assert(client_wait(&f.c, &f.c.channels[f.channel].closed));
    while (readable(&f.c, f.far)) {
        ssize_t n = recv(f.far, got, sizeof got, 0);
        cr_assert_geq(n, 0);
        if (n == 0)
            break;
        total += (size_t)n;
    }
    cr_assert_eq(total, sizeof zeros);
    close(f.far);
    tear_down(&f);
}

Test(class_tunnels, the_end_of_the_connection_ends_its_tunnels_and_forwards)
{
    struct fixture f;
    const char *path = own_path("listener");
    set_up_tunnel(&f);
    int port = forward(&f.c, "127.0.0.1");
    cr_assert(ask_unix(&f.c, "streamlocal-forward@openssh.com", path));
    f.c.their_channel_opened = false; /* the client's own first channel has the number 0 too */
    int inside = client_socket(NULL, port);
    cr_assert(client_wait(&f.c, &f.c.their_channel_opened));
    cr_assert_eq(send(inside, "x", 1, 0), 1);
    expect_data(&f.c, (int)f.c.their_channel, "x"); /* the server knows it as open */
    client_reset(&f.c);
    cr_assert(server_wait(f.s, EVENT_SSH_TUNNEL_CLOSED, 3, NULL));
    cr_assert(server_wait(f.s, EVENT_DISCONNECTED, 0, NULL));
    cr_assert_lt(server_place(f.s, EVENT_SSH_TUNNEL_CLOSED, 3), server_place(f.s, EVENT_DISCONNECTED, 0));
    cr_assert_eq(client_socket(NULL, port), -1);
    cr_assert_neq(access(path, F_OK), 0);
    char byte;
    cr_assert_leq(recv(f.far, &byte, 1, 0), 0);
    cr_assert_leq(recv(inside, &byte, 1, 0), 0);
    close(f.far);
    close(inside);
    tear_down(&f);
}

Test(class_tunnels, a_server_that_is_freed_does_not_wait_for_an_end_that_stalls)
{
    struct fixture f;
    static const uint8_t zeros[64 * 1024];
    set_up_tunnel(&f);
    for (int i = 0; i < 400 && nacre_chan_queued(f.c.conn, (uint32_t)f.channel) < 512 * 1024; i++) {
        cr_assert(client_send(&f.c, f.channel, zeros, sizeof zeros));
        client_pump(&f.c, 2);
    }
    cr_assert_gt(nacre_chan_queued(f.c.conn, (uint32_t)f.channel), 0);
    int64_t start = nacre_clock_ns();
    client_free(&f.c);
    server_free(f.s);
    cr_assert_lt(nacre_clock_ns() - start, INT64_C(10000000000));
    close(f.far);
    close(f.listener);
}

/* ---- decisions ------------------------------------------------------------------------------------------------- */

Test(class_tunnels, without_a_handler_they_are_refused)
{
    struct server *s = server_new();
    struct client c;
    int channel, port = 0, listener = listen_tcp(AF_INET, &port);
    s->handlers.on_ssh_channel_open_request = NULL;
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
    cr_assert_not(open_tunnel(&c, "direct-tcpip", "127.0.0.1", port, &channel));
    cr_assert_not(ask_tcp(&c, "tcpip-forward", "127.0.0.1", 0));
    cr_assert_not(ask_unix(&c, "streamlocal-forward@openssh.com", own_path("refused")));
    cr_assert_not(ask_tcp(&c, "cancel-tcpip-forward", "127.0.0.1", 0));
    client_free(&c);
    close(listener);
    server_free(s);
}

Test(class_tunnels, what_is_not_accepted_as_a_tunnel_is_offered_as_a_channel)
{
    struct fixture f;
    struct wishes w = {.refuses = true};
    struct server_seen asked;
    set_up(&f, &w);
    f.s->echo = true;
    cr_assert(open_tunnel(&f.c, "direct-tcpip", "127.0.0.1", f.port, &f.channel));
    cr_assert(server_wait(f.s, EVENT_SSH_CHANNEL_OPEN_REQUEST, 0, &asked));
    cr_assert_str_eq(asked.text, "direct-tcpip");
    cr_assert(client_send(&f.c, f.channel, "served here", 11));
    expect_data(&f.c, f.channel, "served here");
    cr_assert_not(ask_tcp(&f.c, "tcpip-forward", "127.0.0.1", 0));
    tear_down(&f);
}

static void answer_later(struct fixture *f, struct wishes *w, bool accept)
{
    f->channel = begin_open(&f->c, "direct-tcpip", "127.0.0.1", f->port);
    for (int i = 0; i < 2000 && !atomic_load(&w->asked); i++)
        (void)client_turn(&f->c, 5);
    cr_assert(atomic_load(&w->asked));
    client_pump(&f->c, 50);
    cr_assert_not(f->c.channels[f->channel].opened);
    cr_assert_eq(nacre_answer(f->s->nacre, w->ticket, &(struct nacre_answer){.accept = accept}), 0);
}

Test(class_tunnels, a_decision_may_come_later)
{
    struct fixture f;
    struct wishes w = {.defers = true};
    set_up(&f, &w);
    answer_later(&f, &w, true);
    cr_assert(client_wait(&f.c, &f.c.channels[f.channel].opened));
    f.far = accept(f.listener, NULL, NULL);
    cr_assert(client_send(&f.c, f.channel, "late", 4));
    expect_bytes(&f.c, f.far, "late");
    close(f.far);
    tear_down(&f);
}

Test(class_tunnels, a_late_no_offers_a_channel)
{
    struct fixture f;
    struct wishes w = {.defers = true};
    set_up(&f, &w);
    answer_later(&f, &w, false);
    cr_assert(client_wait(&f.c, &f.c.channels[f.channel].opened));
    cr_assert_eq(server_count(f.s, EVENT_SSH_CHANNEL_OPEN_REQUEST), 1);
    tear_down(&f);
}

Test(class_tunnels, a_client_may_leave_while_it_waits_for_a_decision)
{
    struct fixture f;
    struct wishes w = {.defers = true};
    set_up(&f, &w);
    f.channel = begin_open(&f.c, "direct-tcpip", "127.0.0.1", f.port);
    for (int i = 0; i < 2000 && !atomic_load(&w.asked); i++)
        (void)client_turn(&f.c, 5);
    client_reset(&f.c);
    cr_assert(server_wait(f.s, EVENT_DISCONNECTED, 0, NULL));
    cr_assert_neq(nacre_answer(f.s->nacre, w.ticket, &(struct nacre_answer){.accept = true}), 0);
    tear_down(&f);
}

/* ---- reverse --------------------------------------------------------------------------------------------------- */

Test(class_tunnels, a_reverse_tunnel_brings_connections_to_the_client)
{
    struct fixture f;
    struct server_seen asked;
    set_up(&f, NULL);
    int port = forward(&f.c, "127.0.0.1");
    cr_assert(server_wait(f.s, EVENT_SSH_TUNNEL_REQUESTED, 0, &asked));
    cr_assert_eq(asked.len, 1);
    cr_assert_eq(asked.code, 0);
    f.far = client_socket(NULL, port);
    cr_assert(client_wait(&f.c, &f.c.their_channel_opened));
    int channel = (int)f.c.their_channel;
    cr_assert_str_eq(f.c.their_kind, "forwarded-tcpip");
    struct rd r = rd_over(span_of(f.c.their_data, f.c.their_data_len));
    cr_assert(span_is(rd_string(&r, 100), "127.0.0.1"));
    cr_assert_eq(rd_u32(&r), (uint32_t)port);
    cr_assert(span_is(rd_string(&r, 100), "127.0.0.1"));
    cr_assert_neq(rd_u32(&r), 0);
    cr_assert(rd_end(&r));
    cr_assert_eq(send(f.far, "inwards", 7, 0), 7);
    expect_data(&f.c, channel, "inwards");
    cr_assert(client_send(&f.c, channel, "outwards", 8));
    expect_bytes(&f.c, f.far, "outwards");
    close(f.far);
    tear_down(&f);
}

Test(class_tunnels, a_connection_that_the_client_refuses_is_closed)
{
    struct fixture f;
    set_up(&f, NULL);
    f.c.refuses_opens = true;
    f.far = client_socket(NULL, forward(&f.c, "127.0.0.1"));
    expect_fin(&f.c, f.far);
    close(f.far);
    tear_down(&f);
}

Test(class_tunnels, a_cancelled_forward_listens_no_more_and_its_connections_stay)
{
    struct fixture f;
    set_up(&f, NULL);
    int port = forward(&f.c, "127.0.0.1");
    f.far = client_socket(NULL, port);
    cr_assert(client_wait(&f.c, &f.c.their_channel_opened));
    cr_assert_not(ask_tcp(&f.c, "cancel-tcpip-forward", "127.0.0.2", port));
    cr_assert(ask_tcp(&f.c, "cancel-tcpip-forward", "127.0.0.1", port));
    cr_assert_not(ask_tcp(&f.c, "cancel-tcpip-forward", "127.0.0.1", port));
    cr_assert(server_wait(f.s, EVENT_SSH_TUNNEL_CLOSED, 0, NULL));
    cr_assert_eq(client_socket(NULL, port), -1);
    cr_assert_eq(send(f.far, "still", 5, 0), 5);
    expect_data(&f.c, (int)f.c.their_channel, "still");
    close(f.far);
    tear_down(&f);
}

Test(class_tunnels, the_handler_may_choose_another_port)
{
    struct fixture f;
    struct wishes w = {.port = free_port()};
    int asked = free_port();
    set_up(&f, &w);
    cr_assert(ask_tcp(&f.c, "tcpip-forward", "127.0.0.1", asked));
    cr_assert_eq(f.c.global_data_len, 0);
    cr_assert_eq(client_socket(NULL, asked), -1);
    f.far = client_socket(NULL, w.port);
    cr_assert(client_wait(&f.c, &f.c.their_channel_opened));
    /* The client knows it by the port it asked for. */
    struct rd r = rd_over(span_of(f.c.their_data, f.c.their_data_len));
    (void)rd_string(&r, 100);
    cr_assert_eq(rd_u32(&r), (uint32_t)asked);
    cr_assert(ask_tcp(&f.c, "cancel-tcpip-forward", "127.0.0.1", asked));
    cr_assert_eq(client_socket(NULL, w.port), -1);
    close(f.far);
    tear_down(&f);
}

Test(class_tunnels, the_client_is_told_the_port_that_the_handler_chose_for_0)
{
    struct fixture f;
    struct wishes w = {.port = free_port()};
    set_up(&f, &w);
    cr_assert_eq(forward(&f.c, "127.0.0.1"), w.port);
    tear_down(&f);
}

Test(class_tunnels, a_port_in_use_is_refused)
{
    struct fixture f;
    struct server_seen error;
    set_up(&f, NULL);
    cr_assert_not(ask_tcp(&f.c, "tcpip-forward", "127.0.0.1", f.port));
    cr_assert(server_wait(f.s, EVENT_ERROR, 0, &error));
    cr_assert_eq(error.code, NACRE_E_FORWARD_CONNECT);
    tear_down(&f);
}

Test(class_tunnels, a_reverse_unix_socket_is_private_and_removed)
{
    struct fixture f;
    struct stat st;
    const char *path = own_path("reverse");
    set_up(&f, NULL);
    cr_assert(ask_unix(&f.c, "streamlocal-forward@openssh.com", path));
    cr_assert_eq(stat(path, &st), 0);
    cr_assert(S_ISSOCK(st.st_mode));
    cr_assert_eq(st.st_mode & 0777, 0600);
    f.far = connect_unix(path);
    cr_assert(client_wait(&f.c, &f.c.their_channel_opened));
    cr_assert_str_eq(f.c.their_kind, "forwarded-streamlocal@openssh.com");
    cr_assert_eq(send(f.far, "inwards", 7, 0), 7);
    expect_data(&f.c, (int)f.c.their_channel, "inwards");
    cr_assert(client_send(&f.c, (int)f.c.their_channel, "outwards", 8));
    expect_bytes(&f.c, f.far, "outwards");
    cr_assert(ask_unix(&f.c, "cancel-streamlocal-forward@openssh.com", path));
    cr_assert_neq(access(path, F_OK), 0);
    close(f.far);
    tear_down(&f);
}

Test(class_tunnels, a_path_that_exists_is_refused_and_stays)
{
    struct fixture f;
    const char *path = own_path("exists");
    int listener = listen_unix(path);
    set_up(&f, NULL);
    cr_assert_not(ask_unix(&f.c, "streamlocal-forward@openssh.com", path));
    cr_assert_eq(access(path, F_OK), 0);
    close(listener);
    unlink(path);
    tear_down(&f);
}

Test(class_tunnels, the_listeners_of_a_connection_are_counted)
{
    enum {
        MAX = 256
    };
    struct fixture f;
    set_up(&f, NULL);
    int port = 0;
    for (int i = 0; i < MAX; i++)
        port = forward(&f.c, "127.0.0.1");
    cr_assert_not(ask_tcp(&f.c, "tcpip-forward", "127.0.0.1", 0));
    cr_assert(ask_tcp(&f.c, "cancel-tcpip-forward", "127.0.0.1", port));
    (void)forward(&f.c, "127.0.0.1");
    tear_down(&f);
}

/* ---- malformed ------------------------------------------------------------------------------------------------- */

Test(class_tunnels, r_requests_that_are_malformed_are_refused)
{
    struct fixture f;
    uint8_t data[512];
    set_up(&f, NULL);
    cr_assert_not(ask(&f.c, "tcpip-forward", span_of(NULL, 0)));
    cr_assert_not(ask(&f.c, "tcpip-forward", span_str("abc")));
    cr_assert_not(ask_tcp(&f.c, "tcpip-forward", "127.0.0.1", 70000));
    struct wr w = wr_over(data, sizeof data);
    wr_string(&w, span_of("127.0.0.1\0x", 11));
    wr_u32(&w, 0);
    cr_assert_not(ask(&f.c, "tcpip-forward", wr_span(&w)));
    cr_assert_not(ask_unix(&f.c, "streamlocal-forward@openssh.com",
                           "/tmp/a path that is longer than what a unix socket's address has room for, which is a "
                           "hundred and seven bytes"));
    cr_assert_eq(server_count(f.s, EVENT_SSH_TUNNEL_REQUESTED), 0);
    cr_assert(open_tunnel(&f.c, "direct-tcpip", "127.0.0.1", f.port, &f.channel));
    tear_down(&f);
}
