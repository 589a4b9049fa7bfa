/* SPDX-License-Identifier: Apache-2.0 */
/* Every back end: waiting, waking, and many connections at once. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend/rig.h"
#include "base/plat.h"

enum {
    OWNER = 100,
    THREADS = 4,
    WAKES = 2000,
    MANY = 300,
};

static const int64_t ms = 1000 * 1000;

CASE(backend_wait, ends_when_the_time_has_passed_and_not_before)
{
    struct rig r;
    struct io_done d;
    rig_open(&r, *row);
    int64_t start = nacre_clock_ns();
    cr_assert_eq(r.ops->wait(r.io, 0, &d, 1), 0);
    cr_assert_eq(r.ops->wait(r.io, 1, &d, 1), 0);
    cr_assert_eq(r.ops->wait(r.io, start - 50 * ms, &d, 1), 0);
    cr_expect_lt(nacre_clock_ns() - start, 20000 * ms);
    for (int i = 1; i <= 30; i += 7) {
        start = nacre_clock_ns();
        cr_assert_eq(r.ops->wait(r.io, start + i * ms, &d, 1), 0);
        cr_assert_geq(nacre_clock_ns() - start, i * ms);
        cr_expect_lt(nacre_clock_ns() - start, (i + 20000) * ms);
    }
    rig_close(&r);
}

CASE(backend_wait, wakes_before_a_wait_make_one_report)
{
    struct rig r;
    struct io_done d;
    rig_open(&r, *row);
    for (int i = 0; i < 5; i++) {
        r.ops->wake(r.io);
        r.ops->wake(r.io);
        cr_assert_eq(r.ops->wait(r.io, INT64_MAX, &d, 1), 1);
        cr_assert_eq(d.kind, IO_WOKEN);
        rig_quiet(&r);
    }
    rig_close(&r);
}

struct waker {
    struct rig *r;
    unsigned times, pause_us;
};

static void *wake_often(void *argument)
{
    const struct waker *w = argument;
    for (unsigned i = 0; i < w->times; i++) {
        if (w->pause_us != 0)
            usleep(w->pause_us);
        w->r->ops->wake(w->r->io);
    }
    return NULL;
}

CASE(backend_wait, another_thread_ends_a_wait_without_limit)
{
    struct rig r;
    struct io_done d;
    pthread_t thread;
    rig_open(&r, *row);
    struct waker w = {.r = &r, .times = 1, .pause_us = 30000};
    int64_t start = nacre_clock_ns();
    cr_assert_eq(pthread_create(&thread, NULL, wake_often, &w), 0);
    cr_assert_eq(r.ops->wait(r.io, INT64_MAX, &d, 1), 1);
    cr_assert_eq(d.kind, IO_WOKEN);
    cr_assert_geq(nacre_clock_ns() - start, 20 * ms);
    pthread_join(thread, NULL);
    rig_quiet(&r);
    rig_close(&r);
}

/* A number that is changed before wake() is always seen after the report: no wake-up is lost. */
struct counter {
    struct rig *r;
    _Atomic unsigned value; /* relaxed: wake() and wait() make the order */
};

static void *count_up(void *argument)
{
    struct counter *c = argument;
    for (unsigned i = 0; i < WAKES; i++) {
        atomic_fetch_add_explicit(&c->value, 1, memory_order_relaxed);
        c->r->ops->wake(c->r->io);
    }
    return NULL;
}

CASE(backend_wait, no_wake_up_is_lost_among_threads)
{
    struct rig r;
    pthread_t threads[THREADS];
    struct io_done d;
    unsigned reports = 0;
    rig_open(&r, *row);
    struct counter c = {.r = &r};
    for (int i = 0; i < THREADS; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, count_up, &c), 0);
    while (atomic_load_explicit(&c.value, memory_order_relaxed) < THREADS * WAKES) {
        d = rig_expect(&r, IO_WOKEN, 0);
        reports++;
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    while (rig_next(&r, &d, RIG_QUIET_MS)) {
        cr_assert_eq(d.kind, IO_WOKEN);
        reports++;
    }
    cr_assert_leq(reports, THREADS * WAKES);
    rig_close(&r);
}

/* The system cannot be asked for a while. That is told once, wait() goes on returning, and what came meanwhile is told
 * when it can be asked again. */
CASE(backend_wait, trouble_is_told_once_until_waiting_works_again)
{
    struct rig r;
    struct io_done d;
    uint32_t slot;
    struct far f = rig_open_one(&r, *row, OWNER, &slot);
    r.ops->receive(r.io, slot, true);
    rig_quiet(&r);
    for (int times = 0; times < 2 && r.d->deafen != NULL; times++) {
        r.d->deafen(r.io, true);
        d = rig_expect(&r, IO_TROUBLE, 0);
        cr_assert_neq(d.error, NACRE_OK);
        cr_assert(r.d->feed(f, "ping", 4));
        r.ops->wake(r.io);
        for (int i = 0; i < 5; i++)
            cr_assert_eq(r.ops->wait(r.io, INT64_MAX, &d, 1), 0);
        r.d->deafen(r.io, false);
        bool woken = false, received = false;
        while (!woken || !received) {
            cr_assert(rig_next(&r, &d, RIG_WAIT_MS));
            woken = woken || d.kind == IO_WOKEN;
            received = received || (d.kind == IO_RECEIVED && d.len == 4);
            nacre_block_release(d.block);
        }
        rig_quiet(&r);
    }
    rig_close_one(&r, OWNER, slot, f);
    if (r.d->deafen == NULL)
        cr_skip_test("%s: nothing makes it fail", r.ops->name);
}

/* Reports that do not fit wait for the next call, and everybody gets a turn. */
CASE(backend_wait, reports_as_many_as_fit)
{
    struct rig r;
    uint32_t slot[MANY];
    struct far f[MANY];
    bool seen[MANY] = {false};
    uint8_t *bytes = calloc(1, 1000);
    rig_open(&r, *row);
    r.max = 3;
    for (unsigned i = 0; i < MANY; i++) {
        f[i] = rig_attach(&r, OWNER + i, &slot[i]);
        r.ops->receive(r.io, slot[i], true);
        cr_assert(r.d->feed(f[i], bytes, 1000));
    }
    for (unsigned total = 0; total < MANY * 1000;) {
        struct io_done d;
        cr_assert(rig_next(&r, &d, RIG_WAIT_MS));
        cr_assert(d.kind == IO_RECEIVED && d.owner >= OWNER && d.owner < OWNER + MANY && d.len != 0);
        seen[d.owner - OWNER] = true;
        total += (unsigned)d.len;
        nacre_block_release(d.block);
    }
    rig_quiet(&r);
    for (unsigned i = 0; i < MANY; i++) {
        cr_assert(seen[i]);
        rig_detach(&r, OWNER + i, slot[i]);
        r.d->let_go(f[i]);
    }
    free(bytes);
    rig_close(&r);
}

/* One connection always has something to report; another one is heard all the same, and so is wake(). */
CASE(backend_wait, a_busy_connection_does_not_drown_the_others)
{
    struct rig r;
    uint32_t busy, quiet;
    struct io_done d;
    bool heard = false, woken = false;
    uint8_t *bytes = calloc(1, RIG_RECEIVE);
    rig_open(&r, *row);
    r.max = 1;
    struct far f = rig_attach(&r, OWNER, &busy), g = rig_attach(&r, OWNER + 1, &quiet);
    r.ops->receive(r.io, busy, true);
    r.ops->receive(r.io, quiet, true);
    for (unsigned i = 0; i < 200 && !(heard && woken); i++) {
        cr_assert(r.d->feed(f, bytes, 1000));
        if (i == 20) {
            cr_assert(r.d->feed(g, "x", 1));
            r.ops->wake(r.io);
        }
        cr_assert(rig_next(&r, &d, RIG_WAIT_MS));
        heard = heard || d.owner == OWNER + 1;
        woken = woken || d.kind == IO_WOKEN;
        nacre_block_release(d.block);
    }
    cr_assert(heard && woken);
    r.max = RIG_BATCH;
    while (rig_next(&r, &d, RIG_QUIET_MS))
        nacre_block_release(d.block);
    rig_detach(&r, OWNER, busy);
    rig_detach(&r, OWNER + 1, quiet);
    r.d->let_go(f);
    r.d->let_go(g);
    free(bytes);
    rig_close(&r);
}

CASE(backend_wait, many_connections_echo_and_end_together)
{
    struct rig r;
    uint32_t slot[MANY];
    struct far f[MANY];
    struct io_done d;
    static uint8_t text[MANY][4];
    rig_open(&r, *row);
    for (unsigned i = 0; i < MANY; i++) {
        f[i] = rig_attach(&r, OWNER + i, &slot[i]);
        r.ops->receive(r.io, slot[i], true);
        memcpy(text[i], &i, 4);
        cr_assert(r.d->feed(f[i], text[i], 4));
    }
    for (unsigned sent = 0; sent < MANY;) {
        cr_assert(rig_next(&r, &d, RIG_WAIT_MS));
        unsigned i = (unsigned)(d.owner - OWNER);
        if (d.kind == IO_RECEIVED) {
            const struct span s = span_of(text[i], 4);
            cr_assert(d.len == 4 && memcmp(d.block->at + d.block->start, text[i], 4) == 0);
            nacre_block_release(d.block);
            cr_assert_eq(r.ops->send(r.io, slot[i], &s, 1), NACRE_OK);
        } else {
            cr_assert(d.kind == IO_SENT && d.len == 4);
            sent++;
        }
    }
    for (unsigned i = 0; i < MANY; i++)
        r.ops->detach(r.io, slot[i]);
    for (unsigned i = 0; i < MANY; i++) {
        cr_assert(rig_next(&r, &d, RIG_WAIT_MS));
        cr_assert_eq(d.kind, IO_GONE);
    }
    rig_quiet(&r);
    for (unsigned i = 0; i < MANY; i++) {
        uint8_t got[4];
        cr_assert_eq(r.d->take(f[i], got, 4, RIG_WAIT_MS), 4);
        cr_assert_arr_eq(got, text[i], 4);
        r.d->let_go(f[i]);
    }
    rig_close(&r);
}

struct tally {
    unsigned bytes, fins, sents, gones;
};

/* Counts what comes until there are so many FINs, sends and ends in all. */
static void count_until(struct rig *r, struct tally *seen, unsigned fins, unsigned sents, unsigned gones)
{
    struct tally all = {0};
    while (all.fins < fins || all.sents < sents || all.gones < gones) {
        struct io_done d = {.kind = IO_WOKEN};
        cr_assert(rig_next(r, &d, RIG_WAIT_MS));
        cr_assert(d.kind == IO_RECEIVED || d.kind == IO_SENT || d.kind == IO_GONE);
        struct tally one = {.bytes = d.kind == IO_RECEIVED ? (unsigned)d.len : 0,
                            .fins = d.kind == IO_RECEIVED && d.len == 0,
                            .sents = d.kind == IO_SENT,
                            .gones = d.kind == IO_GONE};
        struct tally *t = &seen[d.owner - OWNER];
        *t = (struct tally){t->bytes + one.bytes, t->fins + one.fins, t->sents + one.sents, t->gones + one.gones};
        all = (struct tally){0, all.fins + one.fins, all.sents + one.sents, all.gones + one.gones};
        nacre_block_release(d.block);
    }
    rig_quiet(r);
}

/* More than queues and buffers of an instance hold: nothing is lost and nothing comes twice. */
CASE(backend_wait, crowds_come_and_go_all_at_once)
{
    enum {
        CROWD = 1500
    };
    struct rig r;
    static uint32_t slot[CROWD];
    static struct far f[CROWD];
    static struct tally seen[CROWD];
    const struct span s = span_str("ping");
    if (!driver_has_room(2 * CROWD + 64))
        cr_skip_test("the crowd needs more descriptors than it may have");
    rig_open(&r, *row);
    for (unsigned i = 0; i < CROWD; i++) {
        f[i] = rig_attach(&r, OWNER + i, &slot[i]);
        r.ops->receive(r.io, slot[i], true);
    }
    rig_quiet(&r);
    for (unsigned i = 0; i < CROWD; i++) {
        cr_assert_eq(r.ops->send(r.io, slot[i], &s, 1), NACRE_OK);
        cr_assert(r.d->feed(f[i], "pong", 4));
        r.d->fin(f[i]);
    }
    count_until(&r, seen, CROWD, CROWD, 0);
    for (unsigned i = 0; i < CROWD; i++) {
        cr_assert(seen[i].bytes == 4 && seen[i].fins == 1 && seen[i].sents == 1, "%s: %u: %u bytes, %u, %u",
                  r.ops->name, i, seen[i].bytes, seen[i].fins, seen[i].sents);
        r.ops->detach(r.io, slot[i]);
    }
    count_until(&r, seen, 0, 0, CROWD);
    for (unsigned i = 0; i < CROWD; i++) {
        cr_assert_eq(seen[i].gones, 1);
        r.d->let_go(f[i]);
    }
    rig_close(&r);
}
