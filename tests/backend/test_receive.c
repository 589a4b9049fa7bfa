/* SPDX-License-Identifier: Apache-2.0 */
/* Every back end: receiving. */
#include <stdlib.h>
#include <string.h>

#include "backend/rig.h"

enum {
    OWNER = 7,
    LOTS = 300 * 1000
};

/* Feeding waits when the connection is full, so it comes in pieces that are received in between. */
static void feed_and_receive(struct rig *r, struct far f, size_t len)
{
    uint8_t *out = malloc(len), *in = malloc(len);
    rig_pattern(out, len);
    for (size_t at = 0; at < len; at += RIG_RECEIVE) {
        size_t piece = len - at < RIG_RECEIVE ? len - at : RIG_RECEIVE;
        cr_assert(r->d->feed(f, out + at, piece));
        rig_receive(r, OWNER, in + at, piece);
    }
    cr_assert_arr_eq(in, out, len);
    free(out);
    free(in);
}

CASE(backend_receive, a_wish_to_receive_stands)
{
    struct rig r;
    uint32_t slot;
    uint8_t got[4];
    struct far f = rig_open_one(&r, *row, OWNER, &slot);
    r.ops->receive(r.io, slot, true);
    for (int i = 0; i < 20; i++) {
        cr_assert(r.d->feed(f, "abcd", 4));
        rig_receive(&r, OWNER, got, 4);
        cr_assert_arr_eq(got, "abcd", 4);
    }
    feed_and_receive(&r, f, LOTS);
    rig_quiet(&r);
    rig_close_one(&r, OWNER, slot, f);
}

CASE(backend_receive, is_off_at_first_and_off_is_back_pressure)
{
    struct rig r;
    uint32_t slot;
    uint8_t got[10];
    struct far f = rig_open_one(&r, *row, OWNER, &slot);
    cr_assert(r.d->feed(f, "0123", 4));
    rig_quiet(&r);
    r.ops->receive(r.io, slot, true);
    rig_receive(&r, OWNER, got, 4);
    r.ops->receive(r.io, slot, false);
    cr_assert(r.d->feed(f, "456", 3));
    rig_quiet(&r);
    cr_assert(r.d->feed(f, "789", 3));
    rig_quiet(&r);
    r.ops->receive(r.io, slot, true);
    rig_receive(&r, OWNER, got + 4, 6);
    cr_assert_arr_eq(got, "0123456789", 10);
    rig_close_one(&r, OWNER, slot, f);
}

CASE(backend_receive, switching_off_and_on_loses_nothing)
{
    struct rig r;
    uint32_t slot;
    uint8_t got[5];
    struct far f = rig_open_one(&r, *row, OWNER, &slot);
    for (int i = 0; i < 5; i++) {
        r.ops->receive(r.io, slot, true);
        r.ops->receive(r.io, slot, true);
    }
    cr_assert(r.d->feed(f, "hello", 5));
    r.ops->receive(r.io, slot, false);
    r.ops->receive(r.io, slot, true);
    rig_receive(&r, OWNER, got, 5);
    cr_assert_arr_eq(got, "hello", 5);
    rig_quiet(&r);
    rig_close_one(&r, OWNER, slot, f);
}

CASE(backend_receive, a_block_is_the_shards_to_keep)
{
    struct rig r;
    uint32_t slot;
    struct far f = rig_open_one(&r, *row, OWNER, &slot);
    r.ops->receive(r.io, slot, true);
    cr_assert(r.d->feed(f, "first", 5));
    struct io_done kept = rig_expect(&r, IO_RECEIVED, OWNER);
    cr_assert_eq(kept.len, 5);
    cr_assert(block_is_sole(kept.block));
    cr_assert_geq(kept.block->start, RIG_HEADROOM);
    memset(kept.block->at, 1, RIG_HEADROOM);
    feed_and_receive(&r, f, LOTS / 10);
    rig_detach(&r, OWNER, slot);
    cr_assert_arr_eq(kept.block->at + kept.block->start, "first", 5);
    nacre_block_release(kept.block);
    r.d->let_go(f);
    rig_close(&r);
}

/* Up to where the shard has said; io_uring reads what there is. */
CASE(backend_receive, a_portion_is_not_exceeded_and_told_when_full)
{
    enum {
        NEXT = 1000,
        EACH = 3000,
        ALL = NEXT + 3 * EACH
    };
    struct rig r;
    uint32_t slot;
    uint8_t out[ALL];
    size_t sum = 0, most = NEXT;
    struct far f = rig_open_one(&r, *row, OWNER, &slot);
    if (r.ops->portion != NULL)
        r.ops->portion(r.io, slot, NEXT, EACH);
    else
        most = RIG_RECEIVE;
    rig_pattern(out, ALL);
    cr_assert(r.d->feed(f, out, ALL));
    r.ops->receive(r.io, slot, true);
    while (sum < ALL) {
        struct io_done d = rig_expect(&r, IO_RECEIVED, OWNER);
        cr_assert_leq(d.len, most);
        cr_expect_eq(d.full, d.len == most);
        cr_assert_arr_eq(d.block->at + d.block->start, out + sum, d.len);
        nacre_block_release(d.block);
        sum += d.len;
        most = r.ops->portion != NULL ? EACH : RIG_RECEIVE;
    }
    if (r.ops->portion != NULL)
        r.ops->portion(r.io, slot, 0, RIG_RECEIVE + 1);
    static const uint8_t much[3 * RIG_RECEIVE];
    cr_assert(r.d->feed(f, much, sizeof much));
    for (sum = 0, most = 0; sum < sizeof much;) {
        struct io_done d = rig_expect(&r, IO_RECEIVED, OWNER);
        cr_assert_leq(d.len, RIG_RECEIVE);
        nacre_block_release(d.block);
        sum += d.len;
        most = d.len > most ? d.len : most;
    }
    if (r.ops->portion != NULL)
        cr_expect_gt(most, EACH);
    rig_quiet(&r);
    rig_close_one(&r, OWNER, slot, f);
}

CASE(backend_receive, fin_is_told_once_after_the_data_and_sending_goes_on)
{
    struct rig r;
    uint32_t slot;
    uint8_t got[3];
    struct far f = rig_open_one(&r, *row, OWNER, &slot);
    r.ops->receive(r.io, slot, true);
    cr_assert(r.d->feed(f, "bye", 3));
    r.d->fin(f);
    rig_receive(&r, OWNER, got, 3);
    struct io_done d = rig_expect(&r, IO_RECEIVED, OWNER);
    cr_assert(d.len == 0 && d.block == NULL);
    rig_quiet(&r);
    r.ops->receive(r.io, slot, true);
    rig_quiet(&r);
    const uint8_t text[] = "still here";
    cr_assert_eq(rig_send_all(&r, OWNER, slot, f, text, sizeof text), 1);
    rig_quiet(&r);
    rig_close_one(&r, OWNER, slot, f);
}

CASE(backend_receive, fin_is_told_only_to_who_receives)
{
    struct rig r;
    uint32_t slot;
    struct far f = rig_open_one(&r, *row, OWNER, &slot);
    r.d->fin(f);
    rig_quiet(&r);
    r.ops->receive(r.io, slot, true);
    cr_assert_eq(rig_expect(&r, IO_RECEIVED, OWNER).len, 0);
    rig_quiet(&r);
    rig_close_one(&r, OWNER, slot, f);
}

CASE(backend_receive, idle_connections_own_no_buffer)
{
    enum {
        MANY = 100
    };
    struct rig r;
    struct far f[MANY];
    uint32_t slot[MANY];
    uint8_t got;
    rig_open(&r, *row);
    for (unsigned i = 0; i < MANY; i++) {
        f[i] = rig_attach(&r, OWNER + i, &slot[i]);
        r.ops->receive(r.io, slot[i], true);
        cr_assert(r.d->feed(f[i], "x", 1));
        rig_receive(&r, OWNER + i, &got, 1);
    }
    rig_quiet(&r);
    cr_assert_leq(atomic_load(&r.pool.used), 8 * (RIG_HEADROOM + RIG_RECEIVE)); /* an instance's own */
    for (unsigned i = 0; i < MANY; i++) {
        rig_detach(&r, OWNER + i, slot[i]);
        r.d->let_go(f[i]);
    }
    rig_close(&r);
}

/* The pool has no room: the peer waits, and gets on by itself when there is some again. */
CASE(backend_receive, out_of_memory_is_waited_for)
{
    struct rig r;
    uint32_t slot;
    uint8_t got[6];
    struct far f = rig_open_one(&r, *row, OWNER, &slot);
    struct block *all = nacre_pool_alloc(&r.pool, 1);
    r.pool.max_bytes = atomic_load(&r.pool.used);
    r.ops->receive(r.io, slot, true);
    cr_assert(r.d->feed(f, "hungry", 6));
    rig_quiet(&r);
    r.pool.max_bytes = 0;
    rig_receive(&r, OWNER, got, 6);
    cr_assert_arr_eq(got, "hungry", 6);
    nacre_block_release(all);
    rig_close_one(&r, OWNER, slot, f);
}

CASE(backend_receive, detaching_while_out_of_memory)
{
    struct rig r;
    uint32_t slot;
    uint8_t got[3];
    struct far f = rig_open_one(&r, *row, OWNER, &slot);
    struct block *all = nacre_pool_alloc(&r.pool, 1);
    r.pool.max_bytes = atomic_load(&r.pool.used);
    r.ops->receive(r.io, slot, true);
    cr_assert(r.d->feed(f, "hungry", 6));
    rig_quiet(&r);
    rig_detach(&r, OWNER, slot);
    r.d->let_go(f);
    f = rig_attach(&r, OWNER + 1, &slot);
    rig_quiet(&r);
    r.pool.max_bytes = 0;
    r.ops->receive(r.io, slot, true);
    cr_assert(r.d->feed(f, "new", 3));
    rig_receive(&r, OWNER + 1, got, 3);
    cr_assert_arr_eq(got, "new", 3);
    nacre_block_release(all);
    rig_detach(&r, OWNER + 1, slot);
    r.d->let_go(f);
    rig_close(&r);
}
