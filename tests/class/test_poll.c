/* SPDX-License-Identifier: Apache-2.0 */
/* nacre_do_events() and nacre_event_fd(): waiting, waking, and a slow handler among fast ones. */
#include <criterion/criterion.h>
#include <poll.h>
#include <unistd.h>

#include "base/plat.h"
#include "support/client.h"
#include "support/server.h"

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
    for (int i = 0; i < 500; i++) {
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
    cr_assert(took >= INT64_C(190000000) && took < INT64_C(2000000000), "%lld ms", (long long)took / 1000000);
    server_set(s, "SelectWaitMillis=0");
    start = nacre_clock_ns();
    cr_assert_eq(nacre_do_events(s->nacre), 0);
    cr_assert_lt(nacre_clock_ns() - start, INT64_C(100000000));
    server_free(s);
}

Test(class_poll, an_event_ends_the_wait)
{
    struct server *s = server_new();
    server_set(s, "SelectWaitMillis=10000");
    server_start(s, 0);
    int fd = client_socket(NULL, s->port);
    int64_t start = nacre_clock_ns();
    while (server_count(s, EVENT_CONNECTION_REQUEST) == 0)
        cr_assert_eq(nacre_do_events(s->nacre), 0);
    cr_assert_lt(nacre_clock_ns() - start, INT64_C(5000000000));
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
    cr_assert(is_readable(s, 10000));
    cr_assert(is_readable(s, 0), "looking is not taking");
    turn_until_quiet(s, EVENT_CONNECTED);
    cr_assert_eq(server_count(s, EVENT_CONNECTED), 1);
    cr_assert_not(is_readable(s, 50));
    close(fd);
    cr_assert(is_readable(s, 10000), "the end is an event");
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
    cr_assert(is_readable(s, 5000));
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

Test(class_poll, several_threads_may_wait_on_the_handle_and_nothing_is_missed, .timeout = 120)
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
    int64_t start = nacre_clock_ns();
    for (size_t round = 1; round <= 300; round++)
        for (int i = 0; i < CLIENTS; i++) {
            cr_assert(client_send(&c[i], 0, "ping", 4));
            cr_assert(client_wait_count(&c[i], &c[i].channels[0].received, 4 * round));
        }
    cr_assert_lt(nacre_clock_ns() - start, INT64_C(30000000000), "wake-ups were missed: polls ran into their limit");
    for (int i = 0; i < CLIENTS; i++)
        client_free(&c[i]);
    server_free(s);
}

/* ---- slow handlers ----------------------------------------------------------------------------------------------- */

static void slow_or_echo(nacre_server *n, struct nacre_ssh_channel_data_in *e, void *context)
{
    if (e->data[0] == 'S')
        usleep(2000000);
    else
        server_on_ssh_channel_data_in(n, e, context);
}

static struct server *slow_server(void)
{
    struct server *s = server_new();
    s->echo = true;
    s->handlers.on_ssh_channel_data_in = slow_or_echo;
    return s;
}

static void check_others_go_on(struct server *s, unsigned slow_count)
{
    struct client slow, quick;
    cr_assert(client_start(&slow, s->port));
    cr_assert_eq(client_open(&slow, "session"), 0);
    cr_assert(client_start(&quick, s->port));
    cr_assert_eq(client_open(&quick, "session"), 0);
    for (unsigned i = 0; i < slow_count; i++)
        cr_assert(client_send(&slow, 0, "S", 1));
    client_pump(&slow, 200);
    int64_t start = nacre_clock_ns();
    for (size_t i = 1; i <= 20; i++) {
        cr_assert(client_send(&quick, 0, "q", 1));
        cr_assert(client_wait_count(&quick, &quick.channels[0].received, i));
    }
    struct client late;
    cr_assert(client_start(&late, s->port), "a new login waits for a stranger's handler");
    int64_t took = nacre_clock_ns() - start;
    cr_assert_lt(took, INT64_C(1500000000), "held up for %lld ms", (long long)took / 1000000);
    client_free(&late);
    client_free(&quick);
    client_free(&slow);
}

Test(class_poll, r43_a_slow_handler_holds_its_own_connection_alone, .timeout = 60)
{
    struct server *s = slow_server();
    server_start(s, 2);
    check_others_go_on(s, 1);
    server_free(s);
}

Test(class_poll, r43_holds_for_threads_that_wait_on_the_handle_too, .timeout = 60)
{
    struct server *s = slow_server();
    start_pollers(s, 2);
    check_others_go_on(s, 1);
    server_free(s);
}

/* Both connections become ready while nobody looks; the first poller takes the slow one. */
Test(class_poll, r43_a_poller_that_is_held_up_leaves_the_handle_readable, .timeout = 60)
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
    usleep(300000); /* it sleeps in one handler; the other event still waits */
    cr_assert(is_readable(s, 0), "events wait, but the handle does not say so");
    client_free(&quick);
    client_free(&slow);
    server_free(s);
}

Test(class_poll, r43_with_one_caller_what_needs_no_decision_goes_on, .timeout = 60)
{
    struct server *s = slow_server();
    struct client slow, rekeys, greets;
    static const uint8_t chunk[65536];
    s->handlers.on_connection_request = NULL;
    s->handlers.on_connected = NULL;
    s->handlers.on_ssh_service_request = NULL;
    server_start(s, 1);
    cr_assert(client_start(&slow, s->port));
    cr_assert_eq(client_open(&slow, "session"), 0);
    cr_assert(client_start(&rekeys, s->port));
    cr_assert_eq(client_open(&rekeys, "session"), 0);
    cr_assert(client_send(&slow, 0, "S", 1));
    client_pump(&slow, 200);
    int64_t start = nacre_clock_ns();
    client_init(&greets);
    cr_assert(client_connect(&greets, s->port), "a key exchange waits for a handler");
    unsigned keys = rekeys.keys_done;
    cr_assert_eq(nacre_conn_rekey(rekeys.conn, nacre_clock_ns()), NACRE_OK);
    cr_assert(client_wait_unsigned(&rekeys, &rekeys.keys_done, keys + 1), "a rekey waits for a handler");
    for (int i = 0; i < 16; i++) /* half a window */
        cr_assert(client_send(&rekeys, 0, chunk, sizeof chunk));
    for (int i = 0; i < 1000 && nacre_chan_queued(rekeys.conn, 0) != 0; i++)
        client_turn(&rekeys, 1);
    cr_assert_eq(nacre_chan_queued(rekeys.conn, 0), 0);
    cr_assert_eq(nacre_conn_ping(rekeys.conn, span_str("x"), nacre_clock_ns()), NACRE_OK);
    client_pump(&rekeys, 20);
    int64_t took = nacre_clock_ns() - start;
    cr_assert_lt(took, INT64_C(1500000000), "%lld ms", (long long)took / 1000000);
    client_free(&greets);
    client_free(&rekeys);
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

Test(class_poll, handlers_of_one_connection_never_overlap, .timeout = 60)
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

Test(class_poll, a_handler_may_call_do_events, .timeout = 60)
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
