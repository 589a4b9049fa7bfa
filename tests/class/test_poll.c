/* SPDX-License-Identifier: Apache-2.0 */
/* nacre_do_events() and nacre_event_fd(): waiting, waking, and a slow handler among fast ones. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/plat.h"
#include "ssh/conn_priv.h"
#include "support/client.h"
#include "support/server.h"
#include "wire/wr.h"

/* Asked for once, as a program's own loop does. */
static atomic_int handle = -1;

static bool is_readable(struct server *s, int ms)
{
    if (atomic_load(&handle) < 0)
        atomic_store(&handle, (int)nacre_event_fd(s->nacre));
    struct pollfd p = {.fd = atomic_load(&handle), .events = POLLIN};
    return poll(&p, 1, ms) == 1 && (p.revents & POLLIN) != 0;
}

/* Handles events until that type was seen and nothing waits any more. */
static void turn_until_quiet(struct server *s, enum event_type type)
{
    for (int i = 0; i < SERVER_WAIT_MS / 20; i++) {
        if (!is_readable(s, 20) && server_count(s, type) != 0)
            return;
        cr_assert_eq(nacre_do_events(s->nacre), 0);
    }
    cr_assert(false, "the handle stays readable");
}

Test(class_poll, do_events_waits_as_long_as_the_setting_says)
{
    struct server *s = server_new();
    server_set(s, "SelectWaitMillis=200");
    server_start(s, 0);
    int64_t start = nacre_clock_ns();
    cr_assert_eq(nacre_do_events(s->nacre), 0);
    int64_t took = nacre_clock_ns() - start;
    cr_assert_geq(took, INT64_C(190000000), "%lld ms", (long long)took / 1000000);
    /* Now it does not wait at all; one of many calls is not held up by what else runs here. */
    server_set(s, "SelectWaitMillis=0");
    for (int i = 0; i < 50 && took >= INT64_C(100000000); i++) {
        start = nacre_clock_ns();
        cr_assert_eq(nacre_do_events(s->nacre), 0);
        took = nacre_clock_ns() - start;
    }
    cr_assert_lt(took, INT64_C(100000000));
    server_free(s);
}

Test(class_poll, an_event_ends_the_wait, .timeout = 240)
{
    struct server *s = server_new();
    server_set(s, "SelectWaitMillis=100000");
    server_start(s, 0);
    int fd = client_socket(NULL, s->port);
    int64_t start = nacre_clock_ns();
    while (server_count(s, EVENT_CONNECTION_REQUEST) == 0)
        cr_assert_eq(nacre_do_events(s->nacre), 0);
    cr_assert_lt(nacre_clock_ns() - start, INT64_C(50000000000));
    close(fd);
    server_free(s);
}

Test(class_poll, do_events_before_start_listening_is_no_error)
{
    struct server *s = server_new();
    cr_assert_eq(nacre_do_events(s->nacre), 0);
    server_free(s);
}

Test(class_poll, the_handle_is_readable_while_events_wait_and_not_after_all_was_handled)
{
    struct server *s = server_new();
    cr_assert_eq(nacre_config(s->nacre, "SelectWaitMillis=0", NULL, 0), 0);
    server_start(s, 0);
    cr_assert_eq(nacre_event_fd(s->nacre), nacre_event_fd(s->nacre));
    cr_assert_not(is_readable(s, 50));
    int fd = client_socket(NULL, s->port);
    cr_assert(is_readable(s, SERVER_WAIT_MS));
    cr_assert(is_readable(s, 0), "looking is not taking");
    turn_until_quiet(s, EVENT_CONNECTED);
    cr_assert_eq(server_count(s, EVENT_CONNECTED), 1);
    cr_assert_not(is_readable(s, 50));
    close(fd);
    cr_assert(is_readable(s, SERVER_WAIT_MS), "the end is an event");
    turn_until_quiet(s, EVENT_DISCONNECTED);
    cr_assert_not(is_readable(s, 50));
    server_free(s);
}

Test(class_poll, a_handle_asked_for_late_shows_what_waits_already)
{
    struct server *s = server_new();
    server_start(s, 0);
    int fd = client_socket(NULL, s->port);
    usleep(100000);
    cr_assert(is_readable(s, SERVER_WAIT_MS));
    close(fd);
    server_free(s);
}

/* ---- several threads on the handle ------------------------------------------------------------------------------ */

static void *poll_and_turn(void *argument)
{
    struct server *s = argument;
    while (!atomic_load(&s->stopping))
        if (is_readable(s, 1000))
            (void)nacre_do_events(s->nacre);
    return NULL;
}

static void start_pollers(struct server *s, unsigned count)
{
    cr_assert_eq(nacre_config(s->nacre, "SelectWaitMillis=0", NULL, 0), 0);
    server_start(s, 0);
    (void)is_readable(s, 0);
    while (s->thread_count < count)
        cr_assert_eq(pthread_create(&s->threads[s->thread_count++], NULL, poll_and_turn, s), 0);
}

Test(class_poll, several_threads_may_wait_on_the_handle_and_nothing_is_missed, .timeout = 240)
{
    enum {
        CLIENTS = 4
    };
    struct server *s = server_new();
    struct client c[CLIENTS];
    s->echo = true;
    s->records_data = false;
    start_pollers(s, 3);
    for (int i = 0; i < CLIENTS; i++) {
        cr_assert(client_start(&c[i], s->port));
        cr_assert_eq(client_open(&c[i], "session"), 0);
    }
    for (size_t round = 1; round <= 300; round++)
        for (int i = 0; i < CLIENTS; i++) {
            cr_assert(client_send(&c[i], 0, "ping", 4));
            cr_assert(client_wait_count(&c[i], &c[i].channels[0].received, 4 * round), "a wake-up was missed");
        }
    for (int i = 0; i < CLIENTS; i++)
        client_free(&c[i]);
    server_free(s);
}

/* ---- slow handlers ----------------------------------------------------------------------------------------------- */

/* A handler that gets an 'S' sleeps until the test lets it go, and at least as long as nothing else may need. */
static struct {
    atomic_uint asleep, woken;
    atomic_bool enough;
} slow_one;

static void slow_or_echo(nacre_server *n, struct nacre_ssh_channel_data_in *e, void *context)
{
    if (e->data[0] != 'S') {
        server_on_ssh_channel_data_in(n, e, context);
        return;
    }
    atomic_fetch_add(&slow_one.asleep, 1);
    while (!atomic_load(&slow_one.enough))
        usleep(1000);
    atomic_fetch_add(&slow_one.woken, 1);
}

static struct server *slow_server(void)
{
    struct server *s = server_new();
    s->echo = true;
    s->handlers.on_ssh_channel_data_in = slow_or_echo;
    return s;
}

/* Sends what puts the handler to sleep, and waits until it is. */
static void put_to_sleep(struct client *c)
{
    cr_assert(client_send(c, 0, "S", 1));
    for (int i = 0; i < CLIENT_WAIT_MS && atomic_load(&slow_one.asleep) == 0; i++)
        client_turn(c, 1);
    cr_assert_eq(atomic_load(&slow_one.asleep), 1);
}

static void wake_up(void)
{
    cr_expect_eq(atomic_load(&slow_one.woken), 0, "the handler was not asleep all the time");
    atomic_store(&slow_one.enough, true);
}

/* Data, its echo, a new login: of others, while one sleeps. What the sleeper's own client sends waits, and then comes.
 */
static void check_others_go_on(struct server *s)
{
    struct client slow, quick, late;
    cr_assert(client_start(&slow, s->port));
    cr_assert_eq(client_open(&slow, "session"), 0);
    cr_assert(client_start(&quick, s->port));
    cr_assert_eq(client_open(&quick, "session"), 0);
    put_to_sleep(&slow);
    cr_assert(client_send(&slow, 0, "q", 1));
    for (size_t i = 1; i <= 20; i++) {
        cr_assert(client_send(&quick, 0, "q", 1));
        cr_assert(client_wait_count(&quick, &quick.channels[0].received, i));
        client_turn(&slow, 0);
    }
    cr_assert(client_start(&late, s->port), "a new login waits for a stranger's handler");
    cr_expect_eq(slow.channels[0].received, 0, "its own events overlap");
    wake_up();
    cr_assert(client_wait_count(&slow, &slow.channels[0].received, 1));
    client_free(&late);
    client_free(&quick);
    client_free(&slow);
}

Test(class_poll, r43_a_slow_handler_holds_its_own_connection_alone, .timeout = 240)
{
    struct server *s = slow_server();
    server_start(s, 2);
    check_others_go_on(s);
    server_free(s);
}

Test(class_poll, r43_holds_for_threads_that_wait_on_the_handle_too, .timeout = 240)
{
    struct server *s = slow_server();
    start_pollers(s, 2);
    check_others_go_on(s);
    server_free(s);
}

/* Both connections become ready while nobody looks; the first poller takes the slow one. */
Test(class_poll, r43_a_poller_that_is_held_up_leaves_the_handle_readable, .timeout = 240)
{
    struct server *s = slow_server();
    struct client slow, quick;
    server_start(s, 1);
    cr_assert(client_start(&slow, s->port));
    cr_assert_eq(client_open(&slow, "session"), 0);
    cr_assert(client_start(&quick, s->port));
    cr_assert_eq(client_open(&quick, "session"), 0);
    server_join(s);
    (void)is_readable(s, 0);
    server_set(s, "SelectWaitMillis=0");
    cr_assert(client_send(&slow, 0, "S", 1));
    cr_assert(client_send(&quick, 0, "S", 1));
    client_pump(&slow, 100);
    client_pump(&quick, 100);
    atomic_store(&s->stopping, false);
    cr_assert_eq(pthread_create(&s->threads[s->thread_count++], NULL, poll_and_turn, s), 0);
    for (int i = 0; i < SERVER_WAIT_MS && atomic_load(&slow_one.asleep) == 0; i++)
        usleep(1000);
    /* It sleeps in one handler; the other event still waits, or is yet to come. */
    cr_assert(is_readable(s, SERVER_WAIT_MS), "events wait, but the handle does not say so");
    cr_expect_eq(atomic_load(&slow_one.asleep), 1);
    wake_up();
    client_free(&quick);
    client_free(&slow);
    server_free(s);
}

static void accept_tunnel(nacre_server *n, struct nacre_ssh_tunnel_requested *e, void *context)
{
    (void)n;
    (void)context;
    e->accept = true;
}

/* A listening socket on 127.0.0.1 for a tunnel to lead to. */
static int listen_here(int *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    cr_assert_eq(bind(fd, (const struct sockaddr *)&at, sizeof at), 0);
    cr_assert_eq(listen(fd, 1), 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    *port = ntohs(at.sin_port);
    return fd;
}

/* A tunnel, open before the handler sleeps; gives its far end. */
static int open_tunnel(struct client *c, int *channel)
{
    uint8_t data[64];
    struct wr w = wr_over(data, sizeof data);
    uint32_t number;
    int port, listener = listen_here(&port);
    wr_cstring(&w, "127.0.0.1");
    wr_u32(&w, (uint32_t)port);
    wr_cstring(&w, "127.0.0.1");
    wr_u32(&w, 4711);
    cr_assert_eq(nacre_chan_open(c->conn, span_str("direct-tcpip"), wr_span(&w), &number, nacre_clock_ns()), NACRE_OK);
    cr_assert(client_wait(c, &c->channels[number].opened));
    int far = accept(listener, NULL, NULL);
    cr_assert_geq(far, 0);
    close(listener);
    *channel = (int)number;
    return far;
}

static void check_tunnel(struct client *c, int channel, int far)
{
    static const uint8_t chunk[65536];
    char bytes[65536];
    size_t got = 0, total = 64 * sizeof chunk; /* more than a window: it has to be given back */
    for (int i = 0; i < 64; i++)
        cr_assert(client_send(c, channel, chunk, sizeof chunk));
    for (int64_t until = nacre_clock_ns() + CLIENT_WAIT_MS * INT64_C(1000000);
         got < total && nacre_clock_ns() < until;) {
        ssize_t n = recv(far, bytes, sizeof bytes, MSG_DONTWAIT);
        got += n > 0 ? (size_t)n : 0;
        client_turn(c, 0);
    }
    cr_assert_eq(got, total, "a tunnel waits for a handler");
    cr_assert_eq(send(far, "back", 4, 0), 4);
    cr_assert(client_wait_count(c, &c->channels[channel].received, 4), "a tunnel waits for a handler");
}

/* The client says nothing of its own: keep-alives alone, answered by it, keep the connection. */
static void check_keep_alive(struct client *c)
{
    uint32_t answered = c->conn->out.seq;
    int64_t until = nacre_clock_ns() + CLIENT_WAIT_MS * INT64_C(1000000);
    while (c->conn->out.seq < answered + 2 && !c->ended && nacre_clock_ns() < until)
        client_turn(c, 20);
    cr_assert(c->conn->out.seq >= answered + 2 && !c->ended, "keep-alives wait for a handler");
}

/* One caller, and it is asleep: what needs no decision goes on, for its own connection, too. */
Test(class_poll, r43_with_one_caller_what_needs_no_decision_goes_on, .timeout = 240)
{
    struct server *s = slow_server();
    struct client slow, other, greets;
    static const uint8_t chunk[65536];
    int channel, far;
    s->handlers.on_connection_request = NULL;
    s->handlers.on_connected = NULL;
    s->handlers.on_ssh_service_request = NULL;
    s->handlers.on_ssh_tunnel_requested = accept_tunnel;
    server_set(s, "SSHKeepAliveInterval=1");
    server_set(s, "SSHKeepAliveCountMax=1000"); /* clients that are not turned for a while answer late */
    server_start(s, 1);
    cr_assert(client_start(&slow, s->port));
    cr_assert_eq(client_open(&slow, "session"), 0);
    cr_assert(client_start(&other, s->port));
    cr_assert_eq(client_open(&other, "session"), 0);
    far = open_tunnel(&other, &channel);
    put_to_sleep(&slow);
    client_init(&greets);
    cr_assert(client_connect(&greets, s->port), "a key exchange waits for a handler");
    unsigned keys = other.keys_done;
    cr_assert_eq(nacre_conn_rekey(other.conn, nacre_clock_ns()), NACRE_OK);
    cr_assert(client_wait_unsigned(&other, &other.keys_done, keys + 1), "a rekey waits for a handler");
    for (int i = 0; i < 16; i++) /* half a window */
        cr_assert(client_send(&other, 0, chunk, sizeof chunk));
    for (int i = 0; i < CLIENT_WAIT_MS && nacre_chan_queued(other.conn, 0) != 0; i++)
        client_turn(&other, 1);
    cr_assert_eq(nacre_chan_queued(other.conn, 0), 0, "data does not leave its client");
    check_tunnel(&other, channel, far);
    check_keep_alive(&other);
    keys = slow.keys_done;
    cr_assert_eq(nacre_conn_rekey(slow.conn, nacre_clock_ns()), NACRE_OK);
    cr_assert(client_wait_unsigned(&slow, &slow.keys_done, keys + 1), "a rekey waits for its connection's handler");
    wake_up();
    close(far);
    client_free(&greets);
    client_free(&other);
    client_free(&slow);
    server_free(s);
}

/* ---- order ------------------------------------------------------------------------------------------------------- */

struct overlap {
    atomic_int inside;
    atomic_int most;
};

static void count_inside(nacre_server *n, struct nacre_ssh_channel_data_in *e, void *context)
{
    struct server *s = context;
    struct overlap *o = s->test;
    int now = atomic_fetch_add(&o->inside, 1) + 1;
    if (now > atomic_load(&o->most))
        atomic_store(&o->most, now);
    usleep(200);
    atomic_fetch_sub(&o->inside, 1);
    server_on_ssh_channel_data_in(n, e, context);
}

Test(class_poll, handlers_of_one_connection_never_overlap, .timeout = 240)
{
    struct overlap o = {0};
    struct server *s = server_new();
    struct client c;
    s->test = &o;
    s->echo = true;
    s->handlers.on_ssh_channel_data_in = count_inside;
    server_start(s, 4);
    cr_assert(client_start(&c, s->port));
    for (int i = 0; i < 4; i++)
        cr_assert_eq(client_open(&c, "session"), i);
    for (size_t round = 1; round <= 50; round++)
        for (int i = 0; i < 4; i++) {
            cr_assert(client_send(&c, i, "x", 1));
            client_turn(&c, 0);
        }
    for (int i = 0; i < 4; i++)
        cr_assert(client_wait_count(&c, &c.channels[i].received, 50));
    cr_assert_eq(atomic_load(&o.most), 1);
    client_free(&c);
    server_free(s);
}

static void turn_inside(nacre_server *n, struct nacre_ssh_channel_data_in *e, void *context)
{
    for (int i = 0; i < 3; i++)
        (void)nacre_do_events(n);
    server_on_ssh_channel_data_in(n, e, context);
}

Test(class_poll, a_handler_may_call_do_events, .timeout = 240)
{
    struct server *s = server_new();
    struct client a, b;
    s->echo = true;
    s->handlers.on_ssh_channel_data_in = turn_inside;
    server_start(s, 1);
    cr_assert(client_start(&a, s->port));
    cr_assert_eq(client_open(&a, "session"), 0);
    cr_assert(client_start(&b, s->port));
    cr_assert_eq(client_open(&b, "session"), 0);
    for (size_t i = 1; i <= 20; i++) {
        cr_assert(client_send(&a, 0, "a", 1));
        cr_assert(client_send(&b, 0, "b", 1));
        cr_assert(client_wait_count(&a, &a.channels[0].received, i));
        cr_assert(client_wait_count(&b, &b.channels[0].received, i));
    }
    client_free(&a);
    client_free(&b);
    server_free(s);
}
