/* SPDX-License-Identifier: Apache-2.0 */
/* Every back end: much comes, for one or for many, and blocks to receive into are few. */
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backend/rig.h"

enum {
    OWNER = 7,
    LITTLE = 2048,           /* as much as a receive brings to who is not known to get much */
    MUCH = 10 * RIG_RECEIVE, /* more than an instance has blocks for */
    WIDE = 2 * 1024 * 1024,
    STREAMS = 16,
    WAITS = 300
};

static const uint8_t junk[MUCH];

/* Takes MUCH at once, so that feeding does not wait. */
static struct far attach_wide(struct rig *r, uint64_t owner, uint32_t *slot)
{
    io_socket s;
    int bytes = WIDE;
    struct far f = r->d->pair(&s);
    if (f.peer == NULL) {
        cr_assert_eq(setsockopt(s, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes), 0);
        cr_assert_eq(setsockopt(f.fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes), 0);
    }
    cr_assert_eq(r->ops->attach(r->io, s, owner, slot), NACRE_OK);
    return f;
}

static void feed_and_receive(struct rig *r, uint64_t owner, struct far f, size_t len)
{
    static uint8_t got[MUCH];
    cr_assert(r->d->feed(f, junk, len));
    rig_receive(r, owner, got, len);
}

/* Much comes before what made the stream one that gets little is looked at. */
CASE(backend_bulk, who_gets_little_and_then_much_goes_on)
{
    struct rig r;
    uint32_t slot, other;
    rig_open(&r, *row);
    struct far f = attach_wide(&r, OWNER, &slot), g = attach_wide(&r, OWNER + 1, &other);
    r.ops->receive(r.io, slot, true);
    r.ops->receive(r.io, other, true);
    feed_and_receive(&r, OWNER, f, 2 * LITTLE);
    rig_quiet(&r);
    for (int i = 0; i < 7; i++)
        feed_and_receive(&r, OWNER, f, 1);
    rig_quiet(&r);
    r.max = 1;
    cr_assert(r.d->feed(g, "x", 1));
    cr_assert(r.d->feed(f, "x", 1));
    bool other_came = false;
    for (size_t got = 0; got < 1 + MUCH || !other_came;) {
        struct io_done d;
        cr_assert(rig_next(&r, &d, RIG_WAIT_MS), "%s: %zu bytes came", r.ops->name, got);
        cr_assert_eq(d.kind, IO_RECEIVED);
        cr_assert(d.owner == OWNER || !other_came);
        if (d.owner == OWNER) {
            got += d.len;
        } else {
            other_came = true;
            cr_assert(r.d->feed(f, junk, MUCH));
        }
        nacre_block_release(d.block);
    }
    r.max = RIG_BATCH;
    rig_detach(&r, OWNER, slot);
    rig_detach(&r, OWNER + 1, other);
    r.d->let_go(f);
    r.d->let_go(g);
    rig_close(&r);
}

/* What is left to receive before the error needs a block, and nobody else asks for one of that size. */
CASE(backend_bulk, an_error_met_while_out_of_memory_is_told_when_there_is_some)
{
    enum {
        PIECES = 600, /* more than there are places for what came and found no memory */
        SMALL = 4096
    };
    struct rig r;
    struct io_done d = {.kind = IO_WOKEN};
    uint32_t greedy, slot;
    rig_open(&r, *row);
    struct far f = rig_attach(&r, OWNER, &greedy), g = rig_attach(&r, OWNER + 1, &slot);
    struct block *all = nacre_pool_alloc(&r.pool, 1);
    const size_t none = atomic_load(&r.pool.used);
    r.pool.max_bytes = none;
    r.max = 1; /* what little memory there is first serves one, then another */
    r.ops->receive(r.io, greedy, true);
    for (int i = 0; i < PIECES; i++) {
        cr_assert(r.d->feed(f, "x", 1));
        cr_assert(!rig_next(&r, &d, 0));
    }
    r.ops->receive(r.io, slot, true);
    rig_quiet(&r);
    cr_assert(r.d->feed(g, "0123456789", 10));
    r.d->reset(g);
    const struct span s = span_str("hello");
    cr_assert_eq(r.ops->send(r.io, slot, &s, 1), NACRE_OK);
    bool failed = false;
    for (int ms = RIG_QUIET_MS; !failed;) {
        if (rig_next(&r, &d, ms)) {
            failed = d.kind == IO_FAILED && d.owner == OWNER + 1;
            if (d.kind == IO_RECEIVED)
                nacre_block_release(d.block);
        } else if (r.pool.max_bytes == none) {
            r.pool.max_bytes = none + SMALL;
        } else {
            cr_assert_neq(r.pool.max_bytes, 0, "%s: the error was not told", r.ops->name);
            r.pool.max_bytes = 0;
            ms = RIG_WAIT_MS;
        }
    }
    r.max = RIG_BATCH;
    while (rig_next(&r, &d, RIG_QUIET_MS))
        nacre_block_release(d.block);
    nacre_block_release(all);
    rig_detach(&r, OWNER, greedy);
    rig_detach(&r, OWNER + 1, slot);
    r.d->let_go(f);
    r.d->let_go(g);
    rig_close(&r);
}

/* What came while memory was out lies where others receive, too, and must not stay there when its streams are turned
 * off: whoever is received from later needs the place. */
CASE(backend_bulk, who_is_turned_off_while_out_of_memory_holds_up_nobody)
{
    enum {
        CROWD = 300 /* more than there are such places */
    };
    struct rig r;
    static struct far f[CROWD + 1];
    static uint32_t slot[CROWD + 1];
    uint8_t got;
    rig_open(&r, *row);
    for (uint64_t i = 0; i <= CROWD; i++) {
        f[i] = rig_attach(&r, OWNER + i, &slot[i]);
        r.ops->receive(r.io, slot[i], true);
    }
    rig_quiet(&r);
    struct block *all = nacre_pool_alloc(&r.pool, 1);
    r.pool.max_bytes = atomic_load(&r.pool.used);
    for (unsigned i = 0; i < CROWD; i++)
        cr_assert(r.d->feed(f[i], &i, 1));
    rig_quiet(&r);
    for (unsigned i = 0; i < CROWD; i++)
        r.ops->receive(r.io, slot[i], false);
    rig_quiet(&r);
    r.pool.max_bytes = 0;
    cr_assert(r.d->feed(f[CROWD], "!", 1));
    rig_receive(&r, OWNER + CROWD, &got, 1);
    for (unsigned i = 0; i < CROWD; i++) {
        r.ops->receive(r.io, slot[i], true);
        rig_receive(&r, OWNER + i, &got, 1);
        cr_expect_eq(got, (uint8_t)i, "%u, not %u", got, i);
    }
    nacre_block_release(all);
    for (unsigned i = 0; i <= CROWD; i++) {
        rig_detach(&r, OWNER + i, slot[i]);
        r.d->let_go(f[i]);
    }
    rig_close(&r);
}

struct held {
    struct io_done at[MUCH / RIG_RECEIVE * 8];
    unsigned count;
};

static void *give_back(void *context)
{
    struct held *h = context;
    usleep(RIG_QUIET_MS * 1000);
    for (unsigned i = 0; i < h->count; i++)
        nacre_block_release(h->at[i].block);
    return NULL;
}

/* Somebody else gives memory back, which no call tells the instance: it looks again long before it would look for a
 * wake-up that was lost. A machine that stands still for that long spoils a try. */
CASE(backend_bulk, goes_on_soon_when_memory_is_back)
{
    enum {
        TRIES = 5
    };
    struct rig r;
    uint32_t slot;
    bool soon = false;
    rig_open(&r, *row);
    struct far f = attach_wide(&r, OWNER, &slot);
    r.ops->receive(r.io, slot, true);
    feed_and_receive(&r, OWNER, f, 2 * LITTLE);
    rig_quiet(&r);
    for (int i = 0; i < TRIES && !soon; i++) {
        struct held h = {.count = 0};
        struct io_done d = {.len = 0};
        size_t left = MUCH;
        pthread_t thread;
        r.pool.max_bytes = atomic_load(&r.pool.used) + RIG_HEADROOM + 2 * RIG_RECEIVE;
        cr_assert(r.d->feed(f, junk, MUCH));
        for (; rig_next(&r, &h.at[h.count], RIG_QUIET_MS); h.count++)
            left -= h.at[h.count].len;
        cr_assert_neq(left, 0);
        cr_assert_eq(pthread_create(&thread, NULL, give_back, &h), 0);
        soon = rig_next(&r, &d, IO_LOOK_MS / 2);
        pthread_join(thread, NULL);
        for (bool came = soon; left != 0; came = false) {
            if (!came)
                d = rig_expect(&r, IO_RECEIVED, OWNER);
            left -= d.len;
            nacre_block_release(d.block);
        }
        r.pool.max_bytes = 0;
    }
    cr_expect(soon, "%s: memory was not asked for again", r.ops->name);
    rig_close_one(&r, OWNER, slot, f);
}

/* Streams that always have more than an instance has blocks for: each gets a sensible share of what comes. */
static void share(size_t row, unsigned streams)
{
    struct rig r;
    struct far f[STREAMS];
    uint32_t slot[STREAMS];
    size_t got[STREAMS] = {0}, there[STREAMS] = {0}, sum = 0;
    struct io_done d;
    rig_open(&r, row);
    for (unsigned i = 0; i < streams; i++) {
        f[i] = attach_wide(&r, OWNER + i, &slot[i]);
        r.ops->receive(r.io, slot[i], true);
    }
    for (unsigned waits = 0; waits < WAITS; waits++) {
        for (unsigned i = 0; i < streams; there[i] = MUCH, i++)
            if (there[i] != MUCH)
                cr_assert(r.d->feed(f[i], junk, MUCH - there[i]));
        cr_assert(rig_next(&r, &d, RIG_WAIT_MS));
        do {
            cr_assert_eq(d.kind, IO_RECEIVED);
            got[d.owner - OWNER] += d.len;
            there[d.owner - OWNER] -= d.len;
            sum += d.len;
            nacre_block_release(d.block);
        } while (r.at != r.count && rig_next(&r, &d, 0));
    }
    for (unsigned i = 0; i < streams; i++)
        cr_expect_geq(got[i], sum / streams / 2, "%s: stream %u of %u got %zu of %zu", r.ops->name, i, streams, got[i],
                      sum);
    for (unsigned i = 0; i < streams; i++)
        r.ops->detach(r.io, slot[i]);
    for (unsigned gone = 0; gone < streams;) {
        cr_assert(rig_next(&r, &d, RIG_WAIT_MS));
        gone += d.kind == IO_GONE;
        if (d.kind == IO_RECEIVED)
            nacre_block_release(d.block);
    }
    for (unsigned i = 0; i < streams; i++)
        r.d->let_go(f[i]);
    rig_close(&r);
}

CASE(backend_bulk, many_streams_share_the_blocks)
{
    share(*row, STREAMS);
}

CASE(backend_bulk, few_streams_share_the_blocks)
{
    share(*row, 3);
}

/* Much has come before the shard wants it, in pieces of which the first few say that much comes. */
CASE(backend_bulk, a_burst_of_any_length_is_much)
{
    struct rig r;
    uint32_t slot;
    rig_open(&r, *row);
    for (size_t pieces = 4; pieces < 30; pieces++) {
        static uint8_t got[MUCH];
        struct far f = attach_wide(&r, OWNER, &slot);
        cr_assert(r.d->feed(f, junk, pieces * LITTLE));
        r.ops->receive(r.io, slot, true);
        rig_receive(&r, OWNER, got, pieces * LITTLE);
        rig_quiet(&r);
        cr_assert(r.d->feed(f, junk, RIG_RECEIVE));
        struct io_done d = rig_expect(&r, IO_RECEIVED, OWNER);
        cr_expect_gt(d.len, LITTLE, "%s: %zu after %zu pieces", r.ops->name, d.len, pieces);
        nacre_block_release(d.block);
        rig_receive(&r, OWNER, got, RIG_RECEIVE - d.len);
        rig_detach(&r, OWNER, slot);
        r.d->let_go(f);
    }
    rig_close(&r);
}
