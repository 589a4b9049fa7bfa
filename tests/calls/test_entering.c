/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel takes no requests from a ring for a while: what could not be asked for is asked for later. */
#include <errno.h>
#include <string.h>

#include "backend/rig.h"
#include "calls/calls.h"

enum {
    OWNER = 9,
    CROWD = 600 /* more requests than a ring has room for */
};

CASE(calls_entering, a_listener_that_is_let_go_of_meanwhile_is_gone_later)
{
    struct rig r;
    struct io_address at;
    static struct far f[CROWD];
    static uint32_t slot[CROWD];
    const struct span s = span_str("x");
    uint32_t listener, sent = 0;
    calls_need_system(*row);
    if (!driver_has_room(2 * CROWD + 64))
        cr_skip_test("the crowd needs more descriptors than it may have");
    rig_open(&r, *row);
    io_socket socket = r.d->listener(&at);
    cr_assert_eq(r.ops->listen(r.io, socket, OWNER, &listener), NACRE_OK);
    for (unsigned i = 0; i < CROWD; i++)
        f[i] = rig_attach(&r, OWNER + 1 + i, &slot[i]);
    rig_quiet(&r);
    twist_fail(TWIST_ENTER, ENOMEM);
    while (sent < CROWD && r.ops->send(r.io, slot[sent], &s, 1) == NACRE_OK)
        sent++;
    r.ops->detach(r.io, listener);
    twist_fail(TWIST_ENTER, 0);
    for (bool gone = false; sent != 0 || !gone;) {
        struct io_done d;
        cr_assert(rig_next(&r, &d, RIG_WAIT_MS), "%s: it is not gone", r.ops->name);
        cr_assert(d.kind == IO_SENT || (d.kind == IO_GONE && d.owner == OWNER && !gone));
        gone = gone || d.kind == IO_GONE;
        sent -= d.kind == IO_SENT;
    }
    r.d->close(socket);
    for (unsigned i = 0; i < CROWD; i++) {
        rig_detach(&r, OWNER + 1 + i, slot[i]);
        r.d->let_go(f[i]);
    }
    rig_close(&r);
}

CASE(calls_entering, what_is_met_when_there_is_no_room_to_tell_it_is_told_next)
{
    struct rig r;
    uint32_t slot;
    const struct span nothing = span_str("");
    if (strcmp(driver_at(*row)->ops->name, "io_uring") != 0)
        cr_skip_test("it has no ring");
    struct far f = rig_open_one(&r, *row, OWNER, &slot);
    rig_quiet(&r);
    r.max = 1;
    cr_assert_eq(r.ops->send(r.io, slot, &nothing, 1), NACRE_OK);
    twist_fail(TWIST_ENTER, ENOMEM);
    (void)rig_expect(&r, IO_SENT, OWNER);
    cr_expect_neq(rig_expect(&r, IO_TROUBLE, 0).error, NACRE_OK);
    twist_fail(TWIST_ENTER, 0);
    rig_quiet(&r);
    r.max = RIG_BATCH;
    rig_close_one(&r, OWNER, slot, f);
}
