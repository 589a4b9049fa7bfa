/* SPDX-License-Identifier: Apache-2.0 */
/* Every back end: accepting and connecting. */
#include "backend/rig.h"
#include "base/plat.h"

enum {
    LISTENER = 1,
    OWNER = 21
};

CASE(backend_connect, accepted_sockets_are_the_shards)
{
    struct rig r;
    struct io_address at;
    uint32_t listening, slot;
    uint8_t got[2];
    rig_open(&r, *row);
    io_socket l = r.d->listener(&at);
    cr_assert_eq(r.ops->listen(r.io, l, LISTENER, &listening), NACRE_OK);
    rig_quiet(&r);
    struct far f = r.d->dial(l);
    struct io_done d = rig_expect(&r, IO_ACCEPTED, LISTENER);
    cr_assert_eq(r.ops->attach(r.io, d.accepted, OWNER, &slot), NACRE_OK);
    r.ops->receive(r.io, slot, true);
    cr_assert(r.d->feed(f, "hi", 2));
    rig_receive(&r, OWNER, got, 2);
    struct far unwanted = r.d->dial(l);
    r.d->close(rig_expect(&r, IO_ACCEPTED, LISTENER).accepted);
    rig_quiet(&r);
    rig_detach(&r, OWNER, slot);
    rig_detach(&r, LISTENER, listening);
    r.d->close(l);
    r.d->let_go(f);
    r.d->let_go(unwanted);
    rig_close(&r);
}

CASE(backend_connect, a_listener_outlives_its_slot)
{
    struct rig r;
    struct io_address at;
    uint32_t listening;
    rig_open(&r, *row);
    io_socket l = r.d->listener(&at);
    cr_assert_eq(r.ops->listen(r.io, l, LISTENER, &listening), NACRE_OK);
    rig_detach(&r, LISTENER, listening);
    struct far f = r.d->dial(l);
    rig_quiet(&r);
    cr_assert_eq(r.ops->listen(r.io, l, LISTENER + 1, &listening), NACRE_OK);
    r.d->close(rig_expect(&r, IO_ACCEPTED, LISTENER + 1).accepted);
    rig_detach(&r, LISTENER + 1, listening);
    r.d->close(l);
    r.d->let_go(f);
    rig_close(&r);
}

/* Fails again and again until the descriptors are back, each time with a rest of 100 ms before the next. */
static void expect_rests(struct rig *r, int64_t begun)
{
    struct io_done d;
    unsigned failures = 1; /* one has been told */
    while (rig_next(r, &d, RIG_QUIET_MS)) {
        cr_assert(d.kind == IO_LISTEN_FAILED && d.owner == LISTENER && d.error == NACRE_E_MFILE);
        failures++;
    }
    cr_assert_leq(failures, 1 + (nacre_clock_ns() - begun) / INT64_C(90000000), "%u failures", failures);
}

CASE(backend_connect, a_listener_that_cannot_accept_rests_and_goes_on_by_itself)
{
    struct rig r;
    struct io_address at;
    struct io_done d;
    uint32_t listening;
    rig_open(&r, *row);
    if (r.d->starve == NULL)
        cr_skip_test("%s: nothing can make accepting fail", r.ops->name);
    io_socket l = r.d->listener(&at);
    cr_assert_eq(r.ops->listen(r.io, l, LISTENER, &listening), NACRE_OK);
    int64_t begun = nacre_clock_ns();
    struct far f = r.d->dial(l);
    r.d->starve(l, true);
    cr_assert_eq(rig_expect(&r, IO_LISTEN_FAILED, LISTENER).error, NACRE_E_MFILE);
    expect_rests(&r, begun);
    r.d->starve(l, false);
    do { /* one more failure may be on its way */
        cr_assert(rig_next(&r, &d, RIG_WAIT_MS));
    } while (d.kind == IO_LISTEN_FAILED);
    cr_assert(d.kind == IO_ACCEPTED && d.owner == LISTENER);
    r.d->close(d.accepted);
    cr_assert_geq(nacre_clock_ns() - begun, INT64_C(90000000));
    rig_detach(&r, LISTENER, listening);
    r.d->close(l);
    r.d->let_go(f);
    rig_close(&r);
}

CASE(backend_connect, a_resting_listener_can_be_detached)
{
    struct rig r;
    struct io_address at;
    uint32_t listening;
    rig_open(&r, *row);
    if (r.d->starve == NULL)
        cr_skip_test("%s: nothing can make accepting fail", r.ops->name);
    io_socket l = r.d->listener(&at);
    cr_assert_eq(r.ops->listen(r.io, l, LISTENER, &listening), NACRE_OK);
    struct far f = r.d->dial(l);
    r.d->starve(l, true);
    cr_assert_eq(rig_expect(&r, IO_LISTEN_FAILED, LISTENER).error, NACRE_E_MFILE);
    r.d->starve(l, false);
    rig_detach(&r, LISTENER, listening);
    rig_quiet(&r);
    rig_quiet(&r);
    r.d->close(l);
    r.d->let_go(f);
    rig_close(&r);
}

CASE(backend_connect, connected_is_attached)
{
    struct rig r;
    struct io_address at;
    uint32_t slot;
    uint8_t got[4];
    rig_open(&r, *row);
    io_socket l = r.d->listener(&at);
    cr_assert_eq(r.ops->connect(r.io, r.d->unconnected(&at), &at, OWNER, &slot), NACRE_OK);
    cr_assert_eq(rig_expect(&r, IO_CONNECTED, OWNER).error, NACRE_OK);
    struct far f = r.d->accept(l);
    cr_assert(r.d->feed(f, "ping", 4));
    rig_quiet(&r); /* as after attach(): receiving is off */
    r.ops->receive(r.io, slot, true);
    rig_receive(&r, OWNER, got, 4);
    (void)rig_send_all(&r, OWNER, slot, f, (const uint8_t *)"pong", 4);
    r.d->fin(f);
    cr_assert_eq(rig_expect(&r, IO_RECEIVED, OWNER).len, 0);
    rig_detach(&r, OWNER, slot);
    r.d->close(l);
    r.d->let_go(f);
    rig_close(&r);
}

CASE(backend_connect, a_wish_to_receive_may_come_before_it_is_connected)
{
    struct rig r;
    struct io_address at;
    uint32_t slot;
    uint8_t got[4];
    rig_open(&r, *row);
    io_socket l = r.d->listener(&at);
    cr_assert_eq(r.ops->connect(r.io, r.d->unconnected(&at), &at, OWNER, &slot), NACRE_OK);
    r.ops->receive(r.io, slot, true);
    cr_assert_eq(rig_expect(&r, IO_CONNECTED, OWNER).error, NACRE_OK);
    struct far f = r.d->accept(l);
    cr_assert(r.d->feed(f, "soon", 4));
    rig_receive(&r, OWNER, got, 4);
    rig_detach(&r, OWNER, slot);
    r.d->close(l);
    r.d->let_go(f);
    rig_close(&r);
}

CASE(backend_connect, a_refusal_comes_by_wait_at_once_or_not)
{
    struct rig r;
    uint32_t slot;
    rig_open(&r, *row);
    for (int at_once = 0; at_once < 2; at_once++) {
        struct io_address at = r.d->nowhere(at_once != 0);
        cr_assert_eq(r.ops->connect(r.io, r.d->unconnected(&at), &at, OWNER, &slot), NACRE_OK);
        cr_assert_eq(rig_expect(&r, IO_CONNECTED, OWNER).error, NACRE_E_CONNREFUSED);
        r.ops->receive(r.io, slot, true);
        rig_quiet(&r);
        rig_detach(&r, OWNER, slot);
    }
    r.d->nowhere_end();
    rig_close(&r);
}

CASE(backend_connect, a_wish_to_receive_ends_with_a_refusal)
{
    struct rig r;
    uint32_t slot;
    rig_open(&r, *row);
    for (int at_once = 0; at_once < 2; at_once++) {
        struct io_address at = r.d->nowhere(at_once != 0);
        cr_assert_eq(r.ops->connect(r.io, r.d->unconnected(&at), &at, OWNER, &slot), NACRE_OK);
        r.ops->receive(r.io, slot, true);
        cr_assert_eq(rig_expect(&r, IO_CONNECTED, OWNER).error, NACRE_E_CONNREFUSED);
        rig_quiet(&r);
        rig_detach(&r, OWNER, slot);
    }
    r.d->nowhere_end();
    rig_close(&r);
}

CASE(backend_connect, detach_while_connecting)
{
    struct rig r;
    uint32_t slot;
    rig_open(&r, *row);
    struct io_address at = r.d->silent();
    cr_assert_eq(r.ops->connect(r.io, r.d->unconnected(&at), &at, OWNER, &slot), NACRE_OK);
    rig_quiet(&r);
    rig_detach(&r, OWNER, slot);
    rig_quiet(&r);
    r.d->silent_end();
    rig_close(&r);
}

CASE(backend_connect, detach_before_the_outcome_is_told)
{
    struct rig r;
    struct io_address at;
    uint32_t slot;
    rig_open(&r, *row);
    io_socket l = r.d->listener(&at);
    cr_assert_eq(r.ops->connect(r.io, r.d->unconnected(&at), &at, OWNER, &slot), NACRE_OK);
    rig_detach(&r, OWNER, slot);
    at = r.d->nowhere(true);
    cr_assert_eq(r.ops->connect(r.io, r.d->unconnected(&at), &at, OWNER, &slot), NACRE_OK);
    rig_detach(&r, OWNER, slot);
    rig_quiet(&r);
    r.d->close(l);
    r.d->nowhere_end();
    rig_close(&r);
}
