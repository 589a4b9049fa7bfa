/* SPDX-License-Identifier: Apache-2.0 */
/* Every back end: how a slot ends, errors, and slots that are used again. */
#include <stdlib.h>

#include "backend/rig.h"

enum {
    OWNER = 11
};

CASE(backend_end, detach_gives_one_gone_and_nothing_after_it)
{
    struct rig r;
    uint32_t slot;
    struct far f = rig_open_one(&r, *row, OWNER, &slot);
    r.ops->receive(r.io, slot, true);
    cr_assert(r.d->feed(f, "unheard", 7));
    r.d->fin(f);
    r.ops->detach(r.io, slot);
    r.ops->detach(r.io, slot);
    (void)rig_expect(&r, IO_GONE, OWNER);
    rig_quiet(&r);
    r.d->let_go(f);
    rig_close(&r);
}

CASE(backend_end, calls_on_a_slot_that_is_gone_do_nothing)
{
    struct rig r;
    uint32_t slot;
    const struct span s = span_str("x");
    struct far f = rig_open_one(&r, *row, OWNER, &slot);
    r.ops->detach(r.io, slot);
    for (int i = 0; i < 2; i++) {
        r.ops->receive(r.io, slot, true);
        r.ops->shut(r.io, slot);
        cr_assert_neq(r.ops->send(r.io, slot, &s, 1), NACRE_OK);
        if (i == 0)
            (void)rig_expect(&r, IO_GONE, OWNER);
        rig_quiet(&r);
    }
    r.d->let_go(f);
    rig_close(&r);
}

CASE(backend_end, the_peer_sees_the_end)
{
    struct rig r;
    uint32_t slot;
    uint8_t byte;
    struct far f = rig_open_one(&r, *row, OWNER, &slot);
    rig_detach(&r, OWNER, slot);
    cr_assert_eq(r.d->take(f, &byte, 1, 1000), 0);
    r.d->let_go(f);
    rig_close(&r);
}

CASE(backend_end, an_error_is_told_once_and_only_detach_is_of_use_then)
{
    struct rig r;
    uint32_t slot;
    const struct span s = span_str("x");
    for (int receiving = 0; receiving < 2; receiving++) {
        rig_open(&r, *row);
        if (r.d->resets != NULL && !r.d->resets())
            cr_skip_test("%s: this system gives peers no reset", r.ops->name);
        struct far f = rig_attach(&r, OWNER, &slot);
        r.ops->receive(r.io, slot, receiving != 0);
        r.d->reset(f);
        cr_assert_eq(rig_expect(&r, IO_FAILED, OWNER).error, NACRE_E_CONNRESET);
        rig_quiet(&r);
        cr_assert_eq(r.ops->send(r.io, slot, &s, 1), NACRE_OK);
        r.ops->receive(r.io, slot, true);
        r.ops->shut(r.io, slot);
        rig_quiet(&r);
        rig_detach(&r, OWNER, slot);
        r.d->let_go(f);
        rig_close(&r);
    }
}

/* What was in flight has either ended or failed, not both, and nothing follows. */
CASE(backend_end, an_error_ends_the_send_in_flight)
{
    enum {
        LOTS = 16 << 20
    };
    struct rig r;
    uint32_t slot;
    io_socket s;
    struct io_done d;
    uint8_t *out = calloc(1, LOTS);
    rig_open(&r, *row);
    struct far f = r.d->pair(&s);
    r.d->narrow(f, s);
    cr_assert_eq(r.ops->attach(r.io, s, OWNER, &slot), NACRE_OK);
    const struct span all = span_of(out, LOTS);
    do {
        cr_assert_eq(r.ops->send(r.io, slot, &all, 1), NACRE_OK);
    } while (rig_next(&r, &d, RIG_QUIET_MS));
    r.d->reset(f);
    cr_assert_eq(rig_expect(&r, IO_FAILED, OWNER).error, NACRE_E_CONNRESET);
    rig_quiet(&r);
    rig_detach(&r, OWNER, slot);
    r.d->let_go(f);
    free(out);
    rig_close(&r);
}

/* The old user's bytes, FIN and error were on their way when it was detached. */
CASE(backend_end, nothing_of_a_slots_earlier_user_is_told_to_the_next)
{
    struct rig r;
    uint32_t old_slot, slot;
    uint8_t got[3];
    rig_open(&r, *row);
    for (unsigned i = 0; i < 20; i++) {
        struct far old = rig_attach(&r, OWNER, &old_slot);
        r.ops->receive(r.io, old_slot, true);
        if (i % 2 != 0)
            cr_assert(r.d->feed(old, "old", 3));
        if (i % 3 != 0)
            r.d->reset(old);
        rig_detach(&r, OWNER, old_slot);
        struct far f = rig_attach(&r, OWNER + 1 + i, &slot);
        r.ops->receive(r.io, slot, true);
        cr_assert(r.d->feed(f, "new", 3));
        rig_receive(&r, OWNER + 1 + i, got, 3);
        cr_assert_arr_eq(got, "new", 3);
        rig_detach(&r, OWNER + 1 + i, slot);
        r.d->let_go(old);
        r.d->let_go(f);
    }
    rig_quiet(&r);
    rig_close(&r);
}

CASE(backend_end, slots_are_used_again_and_no_descriptor_is_lost)
{
    struct rig r;
    uint32_t slot;
    rig_open(&r, *row);
    size_t before = r.d->sockets();
    for (unsigned i = 0; i < 2 * RIG_SLOTS; i++) {
        struct far f = rig_attach(&r, OWNER + i, &slot);
        rig_detach(&r, OWNER + i, slot);
        r.d->let_go(f);
    }
    cr_assert_eq(r.d->sockets(), before);
    rig_close(&r);
}

CASE(backend_end, slots_have_a_limit_and_the_socket_stays_the_callers)
{
    enum {
        FEW = 3
    };
    struct rig r;
    uint32_t slot[FEW], none;
    struct far f[FEW];
    io_socket s;
    rig_open(&r, *row);
    r.ops->close(r.io);
    const struct io_options few = {
        .pool = &r.pool, .receive_bytes = RIG_RECEIVE, .headroom = RIG_HEADROOM, .max_slots = FEW};
    cr_assert_eq(r.ops->open(&r.io, &few), NACRE_OK);
    for (unsigned i = 0; i < FEW; i++)
        f[i] = rig_attach(&r, OWNER + i, &slot[i]);
    struct far more = r.d->pair(&s);
    cr_assert_eq(r.ops->attach(r.io, s, OWNER, &none), NACRE_E_TOO_MANY_CONNECTIONS);
    cr_assert_neq(r.ops->attach(r.io, IO_NO_SOCKET, OWNER, &none), NACRE_OK);
    r.d->close(s);
    r.d->let_go(more);
    for (unsigned i = 0; i < FEW; i++) {
        rig_detach(&r, OWNER + i, slot[i]);
        r.d->let_go(f[i]);
    }
    rig_close(&r);
}
