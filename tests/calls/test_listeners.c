/* SPDX-License-Identifier: Apache-2.0 */
/* Accepting fails for as long as it likes, by any error: the listener rests between its tries, which are told of, and
 * goes on by itself. */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#include "backend/rig.h"
#include "base/plat.h"
#include "calls/calls.h"
#include "engine/sock.h"

enum {
    LISTENER = 5,
    FAILURES = 3,
    RESTS = 10,
    TRIES = 32, /* before one rest at most: what passes by itself is tried a few times */
    WORKERS = 2,
};

static const int64_t rest_ns = INT64_C(90) * 1000 * 1000;

/* Those of the process, of the system, of one connection, and some that nobody expects. */
static const int numbers[] = {EMFILE, ENFILE, ENOBUFS, ENOMEM, ECONNABORTED, EPROTO, EPERM, EINTR, EINVAL, EIO};

/* Fails some times, with a rest before each but the first. */
static void expect_rests(struct rig *r, int number, int64_t begun, unsigned before)
{
    struct io_done d;
    for (unsigned i = 0; i < FAILURES; i++) {
        d = rig_expect(r, IO_LISTEN_FAILED, LISTENER);
        cr_assert_eq(d.error, nacre_error_from_errno(number), "%s: %d", strerror(number), (int)d.error);
    }
    cr_assert_geq(nacre_clock_ns() - begun, (FAILURES - 1) * rest_ns, "%s: no rest", strerror(number));
    unsigned tries = twist_failed(TWIST_ACCEPT) - before;
    cr_assert_leq(tries, (FAILURES + 1) * TRIES, "%s: %u tries", strerror(number), tries);
}

static void fail_and_recover(size_t row, int number, bool is_shared)
{
    struct rig r;
    struct io_address at;
    struct io_done d;
    uint32_t listening;
    int on = 1;
    rig_open(&r, row);
    io_socket l = r.d->listener(&at);
    if (!is_shared)
        cr_assert_eq(setsockopt(l, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on), 0);
    twist_fail(TWIST_ACCEPT, number);
    int64_t begun = nacre_clock_ns();
    unsigned before = twist_failed(TWIST_ACCEPT);
    cr_assert_eq(r.ops->listen(r.io, l, LISTENER, &listening), NACRE_OK);
    struct far f = r.d->dial(l);
    expect_rests(&r, number, begun, before);
    twist_fail(TWIST_ACCEPT, 0);
    do { /* one more failure may be on its way */
        cr_assert(rig_next(&r, &d, RIG_WAIT_MS));
    } while (d.kind == IO_LISTEN_FAILED);
    cr_assert(d.kind == IO_ACCEPTED && d.owner == LISTENER, "%s", strerror(number));
    r.d->close(d.accepted);
    rig_detach(&r, LISTENER, listening);
    r.d->close(l);
    r.d->let_go(f);
    rig_close(&r);
}

CASE(calls_listeners, a_listener_that_only_fails_rests_whatever_the_error)
{
    calls_need_system(*row);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        for (int is_shared = 0; is_shared < 2; is_shared++)
            fail_and_recover(*row, numbers[i], is_shared != 0);
}

/* A few that went away before they were accepted are nobody's trouble. */
CASE(calls_listeners, connections_that_are_gone_already_are_passed_over)
{
    struct rig r;
    struct io_address at;
    uint32_t listening;
    calls_need_system(*row);
    rig_open(&r, *row);
    io_socket l = r.d->listener(&at);
    twist_fail_some(TWIST_ACCEPT, ECONNABORTED, 3);
    cr_assert_eq(r.ops->listen(r.io, l, LISTENER, &listening), NACRE_OK);
    struct far f = r.d->dial(l);
    r.d->close(rig_expect(&r, IO_ACCEPTED, LISTENER).accepted);
    cr_assert_eq(twist_failed(TWIST_ACCEPT), 3);
    rig_detach(&r, LISTENER, listening);
    r.d->close(l);
    r.d->let_go(f);
    rig_close(&r);
}

/* The server says so once a worker, serves whom it has, and takes others in when it can. */
CASE(calls_listeners, a_server_that_cannot_accept_says_so_once_and_serves_the_rest)
{
    struct server *s = calls_server(*row);
    struct client before, after;
    struct server_seen seen;
    s->echo = true;
    server_set(s, "WorkerThreads=2");
    server_start(s, 1);
    cr_assert(client_start(&before, s->port));
    cr_assert_eq(client_open(&before, "session"), 0);
    twist_fail(TWIST_ACCEPT, ENOMEM);
    client_init(&after);
    cr_assert(client_dial(&after, NULL, s->port));
    cr_assert(server_wait(s, EVENT_ERROR, 0, &seen));
    cr_assert_eq(seen.code, NACRE_E_NOBUFS);
    unsigned tries = twist_failed(TWIST_ACCEPT);
    while (twist_failed(TWIST_ACCEPT) < tries + RESTS)
        cr_assert(client_send(&before, 0, "x", 1) && client_turn(&before, 10));
    cr_assert_leq(server_count(s, EVENT_ERROR), WORKERS);
    cr_assert_gt(before.channels[0].received, 0);
    twist_fail(TWIST_ACCEPT, 0);
    cr_assert(client_wait(&after, &after.ready));
    cr_assert(client_login(&after, "user", "pw"));
    client_free(&after);
    client_free(&before);
    cr_assert(server_wait_empty(s));
    server_free(s);
}
