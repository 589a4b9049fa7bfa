/* SPDX-License-Identifier: Apache-2.0 */
/* Workers that cannot be woken, once or ever again: what they are asked for is done all the same, a little later, and
 * nacre_free() ends. */
#include <errno.h>

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
