/* SPDX-License-Identifier: Apache-2.0 */
/* Every back end: sending, FIN. */
#include <stdlib.h>
#include <string.h>

#include "backend/rig.h"

enum {
    OWNER = 3,
    LOTS = 1 << 20,
    TAKE_MS = RIG_WAIT_MS,
    FULL_MS = 400 /* longer than TCP puts off an acknowledgement */
};

static void take_all(struct rig *r, struct far f, void *to, size_t len)
{
    for (size_t got = 0; got < len;) {
        size_t n = r->d->take(f, (uint8_t *)to + got, len - got, TAKE_MS);
        cr_assert_neq(n, 0, "%s: %zu of %zu bytes came", r->ops->name, got, len);
        got += n;
    }
}

CASE(backend_send, spans_arrive_in_order_and_once)
{
    struct rig r;
    uint32_t slot;
    uint8_t out[IO_SPANS * 3], got[sizeof out];
    struct span spans[IO_SPANS];
    struct far f = rig_open_one(&r, *row, OWNER, &slot);
    rig_pattern(out, sizeof out);
    for (unsigned i = 0; i < IO_SPANS; i++)
        spans[i] = span_of(out + 3 * (size_t)i, 3);
    cr_assert_eq(r.ops->send(r.io, slot, spans, IO_SPANS), NACRE_OK);
    memset(spans, 0, sizeof spans); /* the list is the caller's again, unlike the bytes */
    cr_assert_eq(rig_expect(&r, IO_SENT, OWNER).len, sizeof out);
    take_all(&r, f, got, sizeof got);
    cr_assert_arr_eq(got, out, sizeof out);
    rig_quiet(&r);
    rig_close_one(&r, OWNER, slot, f);
}

CASE(backend_send, empty_spans_do_not_matter)
{
    struct rig r;
    uint32_t slot;
    uint8_t got[4];
    struct far f = rig_open_one(&r, *row, OWNER, &slot);
    const struct span spans[] = {{NULL, 0}, span_str("ab"), {NULL, 0}, span_str("cd"), {NULL, 0}};
    cr_assert_eq(r.ops->send(r.io, slot, spans, 5), NACRE_OK);
    cr_assert_eq(rig_expect(&r, IO_SENT, OWNER).len, 4);
    take_all(&r, f, got, 4);
    cr_assert_arr_eq(got, "abcd", 4);
    cr_assert_eq(r.ops->send(r.io, slot, spans, 1), NACRE_OK);
    cr_assert_eq(rig_expect(&r, IO_SENT, OWNER).len, 0);
    rig_close_one(&r, OWNER, slot, f);
}

CASE(backend_send, one_is_in_flight_at_most)
{
    struct rig r;
    uint32_t slot;
    struct span many[IO_SPANS + 1] = {{NULL, 0}};
    struct far f = rig_open_one(&r, *row, OWNER, &slot);
    const struct span s = span_str("x");
    cr_assert_eq(r.ops->send(r.io, slot, many, IO_SPANS + 1), NACRE_E_INVAL);
    cr_assert_eq(r.ops->send(r.io, slot, &s, 1), NACRE_OK);
    cr_assert_neq(r.ops->send(r.io, slot, &s, 1), NACRE_OK);
    cr_assert_eq(rig_expect(&r, IO_SENT, OWNER).len, 1);
    rig_quiet(&r);
    cr_assert_eq(r.ops->send(r.io, slot, &s, 1), NACRE_OK);
    cr_assert_eq(rig_expect(&r, IO_SENT, OWNER).len, 1);
    rig_close_one(&r, OWNER, slot, f);
}

CASE(backend_send, short_sends_are_told_and_go_on)
{
    struct rig r;
    uint32_t slot;
    io_socket s;
    uint8_t *out = malloc(LOTS);
    rig_open(&r, *row);
    struct far f = r.d->pair(&s);
    r.d->narrow(f, s);
    cr_assert_eq(r.ops->attach(r.io, s, OWNER, &slot), NACRE_OK);
    rig_pattern(out, LOTS);
    cr_expect_gt(rig_send_all(&r, OWNER, slot, f, out, LOTS), 1, "%s: no send was short", r.ops->name);
    rig_quiet(&r);
    rig_detach(&r, OWNER, slot);
    r.d->let_go(f);
    free(out);
    rig_close(&r);
}

/* Sends until nothing is taken any more: one send stays in flight. Gives the bytes that went out. */
static size_t fill(struct rig *r, uint32_t slot, const uint8_t *bytes, size_t len)
{
    size_t sent = 0;
    struct io_done d;
    const struct span all = span_of(bytes, len);
    cr_assert_eq(r->ops->send(r->io, slot, &all, 1), NACRE_OK);
    while (rig_next(r, &d, FULL_MS)) {
        cr_assert(d.kind == IO_SENT && d.owner == OWNER);
        sent += d.len;
        const struct span rest = span_of(bytes + sent, len - sent);
        cr_assert_neq(rest.len, 0);
        cr_assert_eq(r->ops->send(r->io, slot, &rest, 1), NACRE_OK);
    }
    return sent;
}

CASE(backend_send, a_peer_that_takes_nothing_holds_the_send_and_only_that)
{
    struct rig r;
    uint32_t slot;
    io_socket s;
    size_t len = 16 * (size_t)LOTS;
    uint8_t *out = malloc(len), got[2];
    rig_open(&r, *row);
    struct far f = r.d->pair(&s);
    r.d->narrow(f, s);
    cr_assert_eq(r.ops->attach(r.io, s, OWNER, &slot), NACRE_OK);
    rig_pattern(out, len);
    size_t sent = fill(&r, slot, out, len);
    r.ops->receive(r.io, slot, true);
    cr_assert(r.d->feed(f, "hi", 2));
    rig_receive(&r, OWNER, got, 2);
    uint8_t *in = malloc(sent);
    take_all(&r, f, in, sent);
    cr_assert_arr_eq(in, out, sent);
    cr_assert_neq(rig_expect(&r, IO_SENT, OWNER).len, 0);
    rig_detach(&r, OWNER, slot);
    r.d->let_go(f);
    free(in);
    free(out);
    rig_close(&r);
}

/* Who has nothing more to say may be waiting for us to hear it, and takes nothing before. */
CASE(backend_send, a_peer_that_takes_nothing_is_heard_to_its_fin)
{
    struct rig r;
    uint32_t slot;
    io_socket s;
    size_t len = 16 * (size_t)LOTS;
    uint8_t *out = malloc(len), got[4];
    rig_open(&r, *row);
    struct far f = r.d->pair(&s);
    r.d->narrow(f, s);
    cr_assert_eq(r.ops->attach(r.io, s, OWNER, &slot), NACRE_OK);
    rig_pattern(out, len);
    (void)fill(&r, slot, out, len);
    cr_assert(r.d->feed(f, "last", 4));
    r.d->fin(f);
    rig_quiet(&r);
    r.ops->receive(r.io, slot, true);
    rig_receive(&r, OWNER, got, 4);
    cr_assert_arr_eq(got, "last", 4);
    cr_assert_eq(rig_expect(&r, IO_RECEIVED, OWNER).len, 0);
    rig_quiet(&r);
    rig_detach(&r, OWNER, slot);
    r.d->let_go(f);
    free(out);
    rig_close(&r);
}

CASE(backend_send, detach_with_a_send_in_flight)
{
    struct rig r;
    uint32_t slot;
    io_socket s;
    size_t len = 16 * (size_t)LOTS;
    uint8_t *out = calloc(1, len);
    rig_open(&r, *row);
    struct far f = r.d->pair(&s);
    r.d->narrow(f, s);
    cr_assert_eq(r.ops->attach(r.io, s, OWNER, &slot), NACRE_OK);
    (void)fill(&r, slot, out, len);
    rig_detach(&r, OWNER, slot);
    rig_quiet(&r);
    free(out);
    r.d->let_go(f);
    rig_close(&r);
}

CASE(backend_send, shut_sends_fin_after_what_is_in_flight_and_receiving_goes_on)
{
    struct rig r;
    uint32_t slot;
    uint8_t got[4];
    struct far f = rig_open_one(&r, *row, OWNER, &slot);
    const struct span last = span_str("last");
    r.ops->receive(r.io, slot, true);
    cr_assert_eq(r.ops->send(r.io, slot, &last, 1), NACRE_OK);
    r.ops->shut(r.io, slot);
    cr_assert_eq(rig_expect(&r, IO_SENT, OWNER).len, 4);
    take_all(&r, f, got, 4);
    cr_assert_arr_eq(got, "last", 4);
    rig_quiet(&r);
    cr_assert(r.d->got_fin(f));
    cr_assert(r.d->feed(f, "more", 4));
    rig_receive(&r, OWNER, got, 4);
    cr_assert_arr_eq(got, "more", 4);
    r.d->fin(f);
    cr_assert_eq(rig_expect(&r, IO_RECEIVED, OWNER).len, 0);
    rig_quiet(&r);
    rig_close_one(&r, OWNER, slot, f);
}

CASE(backend_send, shut_with_nothing_in_flight_sends_fin_at_once)
{
    struct rig r;
    uint32_t slot;
    struct far f = rig_open_one(&r, *row, OWNER, &slot);
    r.ops->shut(r.io, slot);
    r.ops->shut(r.io, slot);
    rig_quiet(&r);
    cr_assert(r.d->got_fin(f));
    rig_quiet(&r);
    rig_close_one(&r, OWNER, slot, f);
}
