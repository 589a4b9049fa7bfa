/* SPDX-License-Identifier: Apache-2.0 */
/* Workers that cannot be woken, once or ever again, or cannot watch for it: what they are asked for is done all the
 * same, a little later, and nacre_free() ends. */
#include <errno.h>
#include <string.h>

#include "backend/rig.h"
#include "calls/calls.h"

/* Each of these asks a worker that sleeps and is told by nobody. */
static void ask_for_all(struct server *s, struct client *c)
{
    struct server_seen seen;
    cr_assert(client_start(c, s->port));
    cr_assert_eq(client_open(c, "session"), 0);
    cr_assert(server_wait(s, EVENT_SSH_CHANNEL_OPENED, 0, &seen));
    cr_assert_eq(nacre_send_bytes(s->nacre, seen.channel, "hello", 5), 0);
    cr_assert(client_wait_count(c, &c->channels[0].received, 5));
    cr_assert_eq(nacre_disconnect(s->nacre, seen.connection), 0);
    cr_assert(client_wait_end(c));
    cr_assert(server_wait(s, EVENT_DISCONNECTED, 0, NULL));
}

CASE(calls_wakes, free_ends_with_idle_workers_that_cannot_be_woken)
{
    struct server *s = calls_server(*row);
    struct client c;
    size_t descriptors = server_descriptors();
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
    server_join(s);
    unsigned before = twist_failed(TWIST_WAKE);
    twist_fail(TWIST_WAKE, EIO);
    server_free(s);
    cr_assert_gt(twist_failed(TWIST_WAKE), before);
    cr_assert(client_wait_end(&c));
    client_free(&c);
    cr_assert_leq(server_descriptors(), descriptors);
}

CASE(calls_wakes, a_server_whose_workers_cannot_be_woken_does_all_the_same)
{
    for (unsigned callers = 1; callers < 3; callers++) {
        struct server *s = calls_server(*row);
        struct client c;
        twist_fail(TWIST_WAKE, 0);
        server_start(s, callers);
        twist_fail(TWIST_WAKE, EIO);
        ask_for_all(s, &c);
        client_free(&c);
        cr_assert_eq(nacre_stop_listening(s->nacre), 0);
        server_free(s);
    }
    cr_assert_gt(twist_failed(TWIST_WAKE), 0);
}

CASE(calls_wakes, a_wake_up_that_failed_is_not_forgotten)
{
    struct server *s = calls_server(*row);
    struct client c;
    struct server_seen seen;
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
    cr_assert(server_wait(s, EVENT_CONNECTED, 0, &seen));
    twist_fail_some(TWIST_WAKE, EIO, 1);
    cr_assert_eq(nacre_disconnect(s->nacre, seen.connection), 0);
    cr_assert(client_wait_end(&c));
    client_free(&c);
    server_free(s);
}

/* As the shard sees it. */
CASE(calls_wakes, an_instance_tells_of_a_wake_up_that_failed)
{
    struct rig r;
    calls_need_system(*row);
    rig_open(&r, *row);
    rig_quiet(&r);
    twist_fail_some(TWIST_WAKE, EIO, 2);
    r.ops->wake(r.io);
    (void)rig_expect(&r, IO_WOKEN, 0);
    r.ops->wake(r.io);
    (void)rig_expect(&r, IO_WOKEN, 0);
    r.ops->wake(r.io);
    (void)rig_expect(&r, IO_WOKEN, 0);
    rig_quiet(&r);
    rig_close(&r);
}

/* ---- a ring that cannot watch ---------------------------------------------------------------------------------- */

enum {
    WATCHES_MAX = 64 /* in the quiet time of the rig there is place for six pauses, and for some before */
};

static bool has_polls(size_t row)
{
    return strcmp(driver_at(row)->ops->name, "io_uring") == 0;
}

CASE(calls_wakes, watching_in_vain_costs_no_processor)
{
    struct rig r;
    uint32_t slot;
    char got[5];
    calls_need_system(*row);
    twist_fail(TWIST_WATCH, ENOMEM);
    struct far f = rig_open_one(&r, *row, 7, &slot);
    rig_quiet(&r);
    unsigned failed = twist_failed(TWIST_WATCH);
    cr_expect_leq(failed, WATCHES_MAX, "%u", failed);
    cr_expect(failed != 0 || !has_polls(*row));
    r.ops->wake(r.io);
    (void)rig_expect(&r, IO_WOKEN, 0);
    r.ops->receive(r.io, slot, true);
    cr_assert(r.d->feed(f, "hello", 5));
    rig_receive(&r, 7, got, sizeof got);
    rig_close_one(&r, 7, slot, f);
}

CASE(calls_wakes, a_server_that_cannot_watch_for_wake_ups_does_all_the_same)
{
    struct client c;
    struct server *s = calls_server(*row);
    twist_fail(TWIST_WATCH, ENOMEM);
    server_start(s, 1);
    ask_for_all(s, &c);
    client_free(&c);
    server_free(s);
    cr_expect(twist_failed(TWIST_WATCH) != 0 || !has_polls(*row));
}
