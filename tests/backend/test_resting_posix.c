/* SPDX-License-Identifier: Apache-2.0 */
/* A thread waits for the kernel, and another one uses the instance meanwhile: back ends with reap() and due(). */
#include <pthread.h>

#include "backend/rig.h"
#include "base/plat.h"

enum {
    OWNER = 77,
    ROUNDS = 500, /* each may meet the waiting thread at another point */
};

struct resting {
    struct rig r;
    plat_mutex lock; /* whoever has it has the instance */
    plat_cond told;
    bool stops;
    struct io_done last[IO_TROUBLE + 1];
    unsigned seen[IO_TROUBLE + 1];
};

static void rest(void *context, int64_t until_ns)
{
    struct resting *t = context;
    (void)until_ns;
    nacre_mutex_unlock(&t->lock);
}

static void resume(void *context)
{
    struct resting *t = context;
    nacre_mutex_lock(&t->lock);
}

static void *wait_on(void *context)
{
    struct resting *t = context;
    nacre_mutex_lock(&t->lock);
    while (!t->stops) {
        unsigned count = t->r.ops->wait(t->r.io, INT64_MAX, t->r.batch, RIG_BATCH);
        for (unsigned i = 0; i < count; i++) {
            t->last[t->r.batch[i].kind] = t->r.batch[i];
            t->seen[t->r.batch[i].kind]++;
        }
        nacre_cond_signal(&t->told);
    }
    nacre_mutex_unlock(&t->lock);
    return NULL;
}

/* The instance is ours. Who waits does not know what we have made due. */
static void expect(struct resting *t, enum io_kind kind, unsigned times)
{
    const int64_t until = nacre_clock_ns() + RIG_WAIT_MS * INT64_C(1000000);
    if (t->r.ops->due(t->r.io) == 0)
        t->r.ops->wake(t->r.io);
    while (t->seen[kind] < times && nacre_clock_ns() < until)
        (void)nacre_cond_wait(&t->told, &t->lock, until);
    cr_assert_eq(t->seen[kind], times, "kind %d: %u, not %u", kind, t->seen[kind], times);
}

static void skip_unless_shared(struct rig *r)
{
    if (r->ops->reap != NULL)
        return;
    rig_close(r);
    cr_skip_test("%s: an instance is one thread's", r->d->ops->name);
}

/* Of two that found no memory one goes, and its slot is free when reap() has told that: whoever gets it and the other
 * one are still heard. */
CASE(backend_resting, a_slot_that_reap_frees_while_memory_is_out_is_as_good_as_new)
{
    struct rig r;
    struct io_done done;
    uint32_t gone, other, fresh;
    uint8_t got[5];
    rig_open(&r, *row);
    skip_unless_shared(&r);
    struct far f = rig_attach(&r, OWNER, &gone), g = rig_attach(&r, OWNER + 1, &other);
    struct block *all = nacre_pool_alloc(&r.pool, 1);
    r.pool.max_bytes = atomic_load(&r.pool.used);
    r.ops->receive(r.io, gone, true);
    cr_assert(r.d->feed(f, "first", 5));
    rig_quiet(&r);
    r.ops->receive(r.io, other, true);
    cr_assert(r.d->feed(g, "other", 5));
    rig_quiet(&r);
    r.ops->detach(r.io, gone);
    cr_assert_eq(r.ops->reap(r.io, &done, 1), 1);
    cr_assert_eq(done.kind, IO_GONE);
    r.d->let_go(f);
    f = rig_attach(&r, OWNER + 2, &fresh);
    cr_assert_eq(fresh, gone);
    r.pool.max_bytes = 0;
    rig_receive(&r, OWNER + 1, got, 5);
    r.ops->receive(r.io, fresh, true);
    cr_assert(r.d->feed(f, "fresh", 5));
    rig_receive(&r, OWNER + 2, got, 5);
    nacre_block_release(all);
    rig_detach(&r, OWNER + 1, other);
    rig_detach(&r, OWNER + 2, fresh);
    r.d->let_go(f);
    r.d->let_go(g);
    rig_close(&r);
}

CASE(backend_resting, a_connection_begun_while_another_thread_waits_ends_as_it_ends)
{
    struct resting t = {.stops = false};
    pthread_t thread;
    uint32_t slot;
    nacre_mutex_init(&t.lock);
    nacre_cond_init(&t.told);
    rig_open_resting(&t.r, *row, rest, resume, &t);
    skip_unless_shared(&t.r);
    struct io_address at = t.r.d->nowhere(false);
    cr_assert_eq(pthread_create(&thread, NULL, wait_on, &t), 0);
    for (unsigned i = 1; i <= ROUNDS; i++) {
        nacre_mutex_lock(&t.lock);
        cr_assert_eq(t.r.ops->connect(t.r.io, t.r.d->unconnected(&at), &at, OWNER, &slot), NACRE_OK);
        expect(&t, IO_CONNECTED, i);
        cr_assert_eq(t.last[IO_CONNECTED].error, NACRE_E_CONNREFUSED);
        t.r.ops->detach(t.r.io, slot);
        expect(&t, IO_GONE, i);
        nacre_mutex_unlock(&t.lock);
    }
    nacre_mutex_lock(&t.lock);
    t.stops = true;
    t.r.ops->wake(t.r.io);
    nacre_mutex_unlock(&t.lock);
    pthread_join(thread, NULL);
    t.r.d->nowhere_end();
    rig_close(&t.r);
    nacre_cond_destroy(&t.told);
    nacre_mutex_destroy(&t.lock);
}
