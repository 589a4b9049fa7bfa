/* SPDX-License-Identifier: Apache-2.0 */
/* See rig.h. */
#include "backend/rig.h"

#include <stdlib.h>
#include <string.h>

#include "base/plat.h"
#include "support/fake_io.h"

static int64_t in_ms(int ms)
{
    return nacre_clock_ns() + ms * INT64_C(1000000);
}

void rig_open(struct rig *r, size_t row)
{
    rig_open_resting(r, row, NULL, NULL, NULL);
}

void rig_open_only(struct rig *r, const char *name)
{
    size_t row = 0;
    while (driver_at(row) != NULL && strcmp(driver_at(row)->ops->name, name) != 0)
        row++;
    cr_assert_not_null(driver_at(row));
    if (!driver_is_wanted(driver_at(row)))
        cr_skip_test("it is about another back end");
    rig_open(r, row);
}

void rig_open_resting(struct rig *r, size_t row, void (*rest)(void *, int64_t), void (*resume)(void *), void *context)
{
    *r = (struct rig){.d = driver_at(row), .max = RIG_BATCH};
    r->ops = r->d->ops;
    r->sockets = r->d->sockets();
    nacre_pool_init(&r->pool, 0);
    const struct io_options options = {.pool = &r->pool,
                                       .receive_bytes = RIG_RECEIVE,
                                       .headroom = RIG_HEADROOM,
                                       .max_slots = RIG_SLOTS,
                                       .rest = rest,
                                       .resume = resume,
                                       .context = context};
    const char *why_not = NULL;
    cr_assert(r->ops->usable(&why_not), "%s", why_not);
    cr_assert_eq(r->ops->open(&r->io, &options), NACRE_OK);
}

void rig_close(struct rig *r)
{
    cr_expect_eq(r->at, r->count, "%s: reports are left", r->ops->name);
    cr_expect_eq(r->ops->wait(r->io, 0, r->batch, RIG_BATCH), 0);
    r->ops->close(r->io);
    cr_expect_eq(atomic_load(&r->pool.used), 0, "%s: blocks are left", r->ops->name);
    nacre_pool_destroy(&r->pool);
    cr_expect_eq(r->d->sockets(), r->sockets, "%s: descriptors are left", r->ops->name);
    fake_reset();
}

struct far rig_attach(struct rig *r, uint64_t owner, uint32_t *slot)
{
    io_socket s;
    struct far f = r->d->pair(&s);
    cr_assert_eq(r->ops->attach(r->io, s, owner, slot), NACRE_OK);
    return f;
}

struct far rig_open_one(struct rig *r, size_t row, uint64_t owner, uint32_t *slot)
{
    rig_open(r, row);
    return rig_attach(r, owner, slot);
}

bool rig_next(struct rig *r, struct io_done *out, int ms)
{
    if (r->at == r->count) {
        r->at = 0;
        r->count = r->ops->wait(r->io, in_ms(ms), r->batch, r->max);
        cr_assert_leq(r->count, r->max);
    }
    if (r->at == r->count)
        return false;
    *out = r->batch[r->at++];
    return true;
}

struct io_done rig_expect(struct rig *r, enum io_kind kind, uint64_t owner)
{
    struct io_done d = {.kind = IO_WOKEN};
    cr_assert(rig_next(r, &d, RIG_WAIT_MS), "%s: no report, kind %d was expected", r->ops->name, kind);
    cr_assert_eq(d.kind, kind, "%s: kind %d, not %d", r->ops->name, d.kind, kind);
    cr_assert_eq(d.owner, owner, "%s: owner %d", r->ops->name, (int)d.owner);
    return d;
}

void rig_quiet(struct rig *r)
{
    struct io_done d;
    bool came = rig_next(r, &d, RIG_QUIET_MS);
    cr_assert(!came, "%s: kind %d of owner %d came unasked", r->ops->name, d.kind, (int)d.owner);
}

void rig_receive(struct rig *r, uint64_t owner, void *to, size_t len)
{
    for (size_t got = 0; got < len;) {
        struct io_done d = rig_expect(r, IO_RECEIVED, owner);
        cr_assert(d.block != NULL && d.len != 0, "%s: FIN after %zu bytes", r->ops->name, got);
        cr_assert_eq(d.len, d.block->len);
        cr_assert_leq(d.len, RIG_RECEIVE);
        cr_assert_leq(got + d.len, len);
        cr_assert_geq(d.block->start, RIG_HEADROOM);
        memcpy((uint8_t *)to + got, d.block->at + d.block->start, d.len);
        memset(d.block->at, 0xee, d.block->start); /* the headroom is the shard's */
        got += d.len;
        nacre_block_release(d.block);
    }
}

void rig_detach(struct rig *r, uint64_t owner, uint32_t slot)
{
    r->ops->detach(r->io, slot);
    (void)rig_expect(r, IO_GONE, owner);
    cr_assert_eq(r->at, r->count, "%s: a report came with IO_GONE", r->ops->name);
    cr_assert_eq(r->ops->wait(r->io, 0, r->batch, RIG_BATCH), 0);
}

void rig_close_one(struct rig *r, uint64_t owner, uint32_t slot, struct far f)
{
    rig_detach(r, owner, slot);
    r->d->let_go(f);
    rig_close(r);
}

unsigned rig_send_all(struct rig *r, uint64_t owner, uint32_t slot, struct far f, const uint8_t *bytes, size_t len)
{
    unsigned sends = 0;
    size_t sent = 0, taken = 0;
    bool under_way = false;
    uint8_t *got = malloc(len);
    struct io_done d;
    while (taken < len) {
        const struct span rest = span_of(bytes + sent, len - sent);
        if (!under_way && rest.len != 0) {
            cr_assert_eq(r->ops->send(r->io, slot, &rest, 1), NACRE_OK);
            under_way = true;
            sends++;
        }
        if (under_way && rig_next(r, &d, 1)) {
            cr_assert(d.kind == IO_SENT && d.owner == owner && d.len != 0 && d.len <= rest.len);
            sent += d.len;
            under_way = false;
        }
        taken += r->d->take(f, got + taken, len - taken, 1);
    }
    cr_assert_eq(sent, len);
    cr_assert_arr_eq(got, bytes, len);
    free(got);
    return sends;
}

void rig_pattern(uint8_t *at, size_t len)
{
    for (size_t i = 0; i < len; i++)
        at[i] = (uint8_t)(i * 2654435761U >> 13);
}
