/* SPDX-License-Identifier: Apache-2.0 */
/* The system registers no more sockets: who comes is turned away and that is told, a listener does not start and says
 * why, what cannot be watched any further ends; nothing is left over, and the rest is served. */
#include <errno.h>
#include <unistd.h>

#include "backend/rig.h"
#include "base/plat.h"
#include "calls/calls.h"
#include "class/tunnels.h"

enum {
    OWNER = 9,
    TURNED_AWAY = 5
};

/* The rings of io_uring take sockets without a call of this kind. */
static void need_epoll(size_t row)
{
    if (strcmp(driver_at(row)->ops->name, "epoll") != 0)
        cr_skip_test("it registers nothing");
}

static void expect_echo(struct client *c, size_t count)
{
    cr_assert(client_send(c, 0, "x", 1));
    cr_assert(client_wait_count(c, &c->channels[0].received, count));
}

/* Ends are told before sockets are closed. */
static void wait_for_descriptors(size_t wanted)
{
    int64_t until = nacre_clock_ns() + SERVER_WAIT_MS * INT64_C(1000000);
    while (server_descriptors() != wanted && nacre_clock_ns() < until)
        usleep(1000);
    cr_assert_eq(server_descriptors(), wanted);
}

static size_t errors_told(struct server *s)
{
    size_t count = 0;
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->seen_count; i++)
        count += s->seen[i].type == EVENT_ERROR && s->seen[i].code == NACRE_E_NOBUFS;
    pthread_mutex_unlock(&s->lock);
    return count;
}

static void turn_away(struct server *s, int number)
{
    twist_fail(TWIST_ADD, number);
    for (unsigned i = 0; i < TURNED_AWAY; i++) {
        struct client c;
        client_init(&c);
        if (client_dial(&c, NULL, s->port))
            cr_assert(client_wait_end(&c));
        client_free(&c);
    }
    twist_fail(TWIST_ADD, 0);
}

CASE(calls_registering, who_cannot_be_registered_is_turned_away_and_the_rest_is_served)
{
    static const int numbers[] = {ENOMEM, ENOSPC};
    need_epoll(*row);
    struct server *s = calls_server(*row);
    struct client before, after;
    s->echo = true;
    server_start(s, 1);
    cr_assert(client_start(&before, s->port));
    cr_assert_eq(client_open(&before, "session"), 0);
    size_t descriptors = server_descriptors();
    for (size_t i = 0; i < 2; i++) {
        turn_away(s, numbers[i]);
        expect_echo(&before, 2 * i + 1);
        cr_assert(client_start(&after, s->port));
        client_free(&after);
        expect_echo(&before, 2 * i + 2);
    }
    wait_for_descriptors(descriptors);
    client_free(&before);
    cr_assert(server_wait_empty(s));
    size_t ended = server_count(s, EVENT_DISCONNECTED);
    cr_assert_eq(server_count(s, EVENT_CONNECTED), ended);
    cr_assert_eq(errors_told(s), 2 * TURNED_AWAY, "%zu", errors_told(s));
    server_free(s);
}

CASE(calls_registering, a_listener_that_cannot_be_registered_does_not_start_and_says_why)
{
    need_epoll(*row);
    struct server *s = calls_server(*row);
    struct client c;
    server_start(s, 1);
    cr_assert_eq(nacre_stop_listening(s->nacre), 0);
    size_t descriptors = server_descriptors();
    twist_fail(TWIST_ADD, ENOSPC);
    cr_assert_neq(nacre_start_listening(s->nacre), 0);
    cr_assert_neq(strlen(nacre_last_error(s->nacre)), 0);
    cr_assert_eq(server_descriptors(), descriptors);
    twist_fail_some(TWIST_ADD, ENOMEM, 1); /* the second worker's would do */
    cr_assert_eq(nacre_start_listening(s->nacre), NACRE_E_NOBUFS);
    cr_assert_eq(server_descriptors(), descriptors);
    twist_fail(TWIST_ADD, 0);
    cr_assert_eq(nacre_start_listening(s->nacre), 0, "%s", nacre_last_error(s->nacre));
    cr_assert_eq(nacre_get_local_port(s->nacre, &s->port), 0);
    cr_assert(client_start(&c, s->port));
    client_free(&c);
    server_free(s);
}

CASE(calls_registering, tunnels_that_cannot_be_registered_fail_and_the_connection_stays)
{
    struct fixture f;
    need_epoll(*row);
    cr_assert_eq(setenv("NACRE_TEST_BACKEND", "epoll", 1), 0);
    tunnels_set_up(&f, NULL);
    int port = tunnels_forward(&f.c, "127.0.0.1");
    size_t descriptors = server_descriptors();
    twist_fail(TWIST_ADD, ENOMEM);
    cr_assert_not(tunnels_open(&f.c, "direct-tcpip", "127.0.0.1", f.port, &f.channel));
    cr_assert_eq(f.c.channels[f.channel].code, OPEN_CONNECT_FAILED);
    close(accept(f.listener, NULL, NULL)); /* it had connected */
    f.far = client_socket(NULL, port);
    tunnels_expect_fin(&f.c, f.far);
    close(f.far);
    cr_assert_eq(twist_failed(TWIST_ADD), 2);
    twist_fail(TWIST_ADD, 0);
    wait_for_descriptors(descriptors);

    cr_assert(tunnels_open(&f.c, "direct-tcpip", "127.0.0.1", f.port, &f.channel));
    f.far = accept(f.listener, NULL, NULL);
    cr_assert(client_send(&f.c, f.channel, "later", 5));
    tunnels_expect_bytes(&f.c, f.far, "later");
    close(f.far);
    tunnels_tear_down(&f);
}

/* Fails when the path is left behind: one that exists is refused, so the client could never listen there. */
CASE(calls_registering, a_unix_listener_that_cannot_be_registered_leaves_no_path)
{
    struct fixture f;
    const char *path = tunnels_own_path("registering");
    need_epoll(*row);
    cr_assert_eq(setenv("NACRE_TEST_BACKEND", "epoll", 1), 0);
    tunnels_set_up(&f, NULL);
    size_t descriptors = server_descriptors();
    twist_fail(TWIST_ADD, ENOMEM);
    cr_assert_not(tunnels_ask_unix(&f.c, "streamlocal-forward@openssh.com", path));
    twist_fail(TWIST_ADD, 0);
    cr_assert_eq(server_descriptors(), descriptors);
    cr_expect_neq(access(path, F_OK), 0);
    cr_expect(tunnels_ask_unix(&f.c, "streamlocal-forward@openssh.com", path));
    (void)unlink(path);
    tunnels_tear_down(&f);
}

/* As the shard sees them: the socket stays the caller's where the call fails; else the failure is told once. */
CASE(calls_registering, an_instance_gives_back_what_it_cannot_register)
{
    struct rig r;
    struct io_address at;
    uint32_t slot;
    need_epoll(*row);
    rig_open(&r, *row);
    io_socket near, l = r.d->listener(&at);
    struct far f = r.d->pair(&near);
    twist_fail(TWIST_ADD, ENOMEM);
    cr_assert_eq(r.ops->attach(r.io, near, OWNER, &slot), NACRE_E_NOBUFS);
    cr_assert_eq(r.ops->listen(r.io, l, OWNER, &slot), NACRE_E_NOBUFS);
    rig_quiet(&r);
    twist_fail(TWIST_ADD, 0);
    cr_assert_eq(r.ops->attach(r.io, near, OWNER, &slot), NACRE_OK);
    rig_detach(&r, OWNER, slot);
    r.d->close(l);
    r.d->let_go(f);
    rig_close(&r);
}

/* A send that does not fit has to be watched. */
CASE(calls_registering, a_socket_that_cannot_be_watched_fails_once)
{
    static const uint8_t much[1 << 20];
    const struct span all = span_of(much, sizeof much);
    struct rig r;
    struct io_done d;
    uint32_t slot;
    io_socket near;
    need_epoll(*row);
    rig_open(&r, *row);
    struct far f = r.d->pair(&near);
    r.d->narrow(f, near);
    cr_assert_eq(r.ops->attach(r.io, near, OWNER, &slot), NACRE_OK);
    twist_fail(TWIST_CHANGE, ENOMEM);
    do {
        cr_assert_eq(r.ops->send(r.io, slot, &all, 1), NACRE_OK);
        cr_assert(rig_next(&r, &d, RIG_WAIT_MS));
    } while (d.kind == IO_SENT);
    cr_assert(d.kind == IO_FAILED && d.error == NACRE_E_NOBUFS, "%d %d", d.kind, (int)d.error);
    rig_quiet(&r);
    rig_close_one(&r, OWNER, slot, f);
}
