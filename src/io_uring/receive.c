/* SPDX-License-Identifier: Apache-2.0 */
/* The io_uring back end: receiving.
 *
 * One standing request a stream brings small receives, each in a landing buffer. A stream that fills those is given one
 * for big blocks instead, until little comes again. What arrives when the shard does not want it,
 * or when there is no memory for it, is kept in order and reported first. */
#include <errno.h>
#include <sys/socket.h>

#include "engine/sock.h"
#include "io_uring/uring.h"

enum {
    FULL_RUNS = 2,  /* full landing buffers in a row, then big blocks */
    SHORT_RUNS = 8, /* big ones with little in them, then back */
};

static const int64_t hunger_ns = 10 * 1000 * 1000;

static bool has_kept(const struct uring_slot *s)
{
    return s->kept_first != NULL || s->parked_first != 0;
}

/* ---- waiting for buffers or memory ----------------------------------------------------------------------------- */

static void starve(struct io *io, uint32_t slot, unsigned list)
{
    nacre_slot_queue_add(&io->slots, &io->starved[list], slot);
}

static void release_starved(struct io *io, unsigned list)
{
    uint32_t slot = slot_queue_pop(&io->slots, &io->starved[list]);
    if (list == BIG_GROUP)
        uring_set(uring_slot_at(io, slot), SLOT_TURN);
    nacre_slot_queue_add(&io->slots, &io->work, slot);
}

/* Takes those that were detached out of a list. */
static void sweep(struct io *io, unsigned list)
{
    struct slot_queue all = io->starved[list];
    io->starved[list].first = 0;
    while (all.first != 0) {
        uint32_t slot = slot_queue_pop(&io->slots, &all);
        if (uring_has(uring_slot_at(io, slot), SLOT_DETACHED))
            nacre_slot_queue_add(&io->slots, &io->work, slot);
        else
            starve(io, slot, list);
    }
}

/* Out of memory or budget: the peers wait, and we try again in a while. */
static void go_hungry(struct io *io)
{
    if (io->hungry_until == 0)
        io->hungry_until = nacre_clock_ns() + hunger_ns;
}

void nacre_uring_feed(struct io *io)
{
    if (io->sweep)
        for (unsigned i = 0; i < STARVED_LISTS; i++)
            sweep(io, i);
    io->sweep = false;
    if (io->hungry_until != 0) {
        if (nacre_clock_ns() < io->hungry_until)
            return;
        io->hungry_until = 0;
    }
    /* Who waits for a big block may need none any more, or one only before an error. */
    bool big_wanted = io->starved[BIG_GROUP].first != 0;
    if (io->big_users != 0 || big_wanted)
        nacre_uring_big_fill(io);
    else if (io->big_free != 0 && io->big_flying == 0)
        nacre_uring_big_clear(io);
    if (big_wanted && io->big_free == 0)
        go_hungry(io);
    for (unsigned n = io->landing_free; n != 0 && io->starved[LANDING_GROUP].first != 0; n--)
        release_starved(io, LANDING_GROUP);
    for (unsigned n = io->big_free; n != 0 && io->starved[BIG_GROUP].first != 0; n--)
        release_starved(io, BIG_GROUP);
    while (io->starved[PARKED].first != 0)
        release_starved(io, PARKED);
}

bool nacre_uring_can_feed(const struct io *io)
{
    return io->sweep || (io->hungry_until == 0 && ((io->starved[LANDING_GROUP].first != 0 && io->landing_free != 0) ||
                                                   (io->starved[BIG_GROUP].first != 0 && io->big_free != 0)));
}

/* ---- asking the kernel ----------------------------------------------------------------------------------------- */

/* Big blocks are few. A request that stands takes all of them while its stream has bytes, so only who is alone has one;
 * who has received queues behind those that have waited. */
static bool arm(struct io *io, uint32_t slot)
{
    struct uring_slot *s = uring_slot_at(io, slot);
    bool draining = uring_has(s, SLOT_ERROR);
    bool big = uring_has(s, SLOT_BIG) || draining;
    bool others_wait = io->starved[BIG_GROUP].first != 0;
    if (big && others_wait && !uring_has(s, SLOT_TURN)) {
        starve(io, slot, BIG_GROUP);
        return true; /* feeding has let the others go by the time that we wait, or tries again soon */
    }
    if (big && io->big_free == 0)
        nacre_uring_big_fill(io);
    if ((big ? io->big_free : io->landing_free) == 0) {
        if (big)
            go_hungry(io);
        starve(io, slot, big ? BIG_GROUP : LANDING_GROUP);
        return true;
    }
    struct io_uring_sqe *sqe = nacre_uring_request(io, slot, OP_RECEIVE);
    if (sqe == NULL)
        return false;
    uring_clear(s, SLOT_BIG_ARMED | SLOT_DRAINING | SLOT_TURN);
    if (draining)
        io_uring_prep_recv(sqe, -1, NULL, 0, MSG_DONTWAIT);
    else if (big && (others_wait || io->big_users > 1))
        io_uring_prep_recv(sqe, -1, NULL, 0, 0);
    else
        io_uring_prep_recv_multishot(sqe, -1, NULL, 0, 0);
    uring_set(s, (big ? SLOT_BIG_ARMED : 0) | (draining ? SLOT_DRAINING : 0));
    io->big_flying += big;
    nacre_uring_aim(io, slot, OP_RECEIVE, sqe);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = big ? BIG_GROUP : LANDING_GROUP;
    return true;
}

/* The receive in flight is not what is wanted now. */
static bool is_wrong(const struct uring_slot *s)
{
    if (uring_has(s, SLOT_DRAINING))
        return false; /* it ends by itself */
    return !uring_has(s, SLOT_WANTED) || uring_has(s, SLOT_ERROR) ||
           uring_has(s, SLOT_BIG) != uring_has(s, SLOT_BIG_ARMED);
}

bool nacre_uring_adjust_receive(struct io *io, uint32_t slot)
{
    struct uring_slot *s = uring_slot_at(io, slot);
    if (uring_is_flying(s, OP_RECEIVE))
        return !is_wrong(s) || nacre_uring_cancel(io, slot, OP_RECEIVE);
    bool over = uring_has(s, SLOT_FIN) || uring_has(s, SLOT_FAILED) || uring_has(s, SLOT_DRAINED);
    if (!uring_has(s, SLOT_WANTED) || over || has_kept(s) || s->next_starved != 0)
        return true;
    return arm(io, slot);
}

/* ---- what came ------------------------------------------------------------------------------------------------- */

static void keep(struct uring_slot *s, struct block *b)
{
    b->next = NULL;
    if (s->kept_first == NULL)
        s->kept_first = b;
    else
        s->kept_last->next = b;
    s->kept_last = b;
}

static void park(struct io *io, struct uring_slot *s, unsigned number, size_t len)
{
    io->landing_len[number] = (uint16_t)len;
    io->landing_next[number] = 0;
    if (s->parked_first == 0)
        s->parked_first = (uint16_t)(number + 1);
    else
        io->landing_next[s->parked_last - 1] = (uint16_t)(number + 1);
    s->parked_last = (uint16_t)(number + 1);
}

static void report_block(const struct io *io, struct uring_slot *s, struct block *b, struct uring_out *out)
{
    struct io_done *d = uring_report(out, IO_RECEIVED, s);
    d->block = b;
    d->len = b->len;
    d->full = d->len == io->options.receive_bytes;
}

static struct block *unpark(struct io *io, struct uring_slot *s)
{
    unsigned number = s->parked_first - 1U;
    struct block *b = nacre_uring_landing_copy(io, number, io->landing_len[number]);
    if (b != NULL)
        s->parked_first = io->landing_next[number];
    return b;
}

void nacre_uring_keep_parked(struct io *io, uint32_t slot)
{
    struct uring_slot *s = uring_slot_at(io, slot);
    while (s->parked_first != 0 && s->next_starved == 0) {
        struct block *b = unpark(io, s);
        if (b == NULL) {
            go_hungry(io);
            starve(io, slot, PARKED);
        } else {
            keep(s, b);
        }
    }
}

bool nacre_uring_report_kept(struct io *io, uint32_t slot, struct uring_out *out)
{
    struct uring_slot *s = uring_slot_at(io, slot);
    while (has_kept(s)) {
        if (uring_out_is_full(out))
            return false;
        struct block *b = s->kept_first;
        if (b != NULL)
            s->kept_first = b->next;
        else if (s->next_starved == 0)
            b = unpark(io, s);
        if (b == NULL) {
            go_hungry(io);
            starve(io, slot, PARKED);
            return true;
        }
        report_block(io, s, b, out);
    }
    return true;
}

void nacre_uring_stop_receiving(struct io *io, uint32_t slot)
{
    struct uring_slot *s = uring_slot_at(io, slot);
    for (struct block *b = s->kept_first, *next; b != NULL; b = next) {
        next = b->next;
        nacre_block_release(b);
    }
    s->kept_first = NULL;
    for (unsigned at = s->parked_first; at != 0; at = io->landing_next[at - 1])
        nacre_uring_landing_return(io, at - 1);
    s->parked_first = 0;
    if (uring_has(s, SLOT_BIG))
        io->big_users--;
    uring_clear(s, SLOT_BIG);
    if (s->next_starved != 0)
        io->sweep = true;
}

/* Chooses the kind of buffer by what came. */
static void note_amount(struct io *io, struct uring_slot *s, size_t len)
{
    bool is_big = uring_has(s, SLOT_BIG);
    if (is_big != uring_has(s, SLOT_BIG_ARMED))
        return; /* the other kind is chosen already: this says nothing about it */
    bool other = is_big ? len <= LANDING_BYTES : len == LANDING_BYTES;
    s->runs = other ? (uint8_t)(s->runs + 1) : 0;
    if (s->runs < (is_big ? SHORT_RUNS : FULL_RUNS))
        return;
    s->runs = 0;
    if (is_big) {
        uring_clear(s, SLOT_BIG);
        io->big_users--;
    } else {
        uring_set(s, SLOT_BIG);
        io->big_users++;
    }
}

static void take_bytes(struct io *io, uint32_t slot, unsigned number, size_t len, struct uring_out *out)
{
    struct uring_slot *s = uring_slot_at(io, slot);
    bool at_once = uring_has(s, SLOT_WANTED) && !has_kept(s);
    struct block *b = NULL;
    if (uring_has(s, SLOT_BIG_ARMED))
        b = nacre_uring_big_take(io, number, len);
    else if (s->parked_first == 0)
        b = nacre_uring_landing_copy(io, number, len);
    if (b == NULL)
        park(io, s, number, len);
    else if (at_once)
        report_block(io, s, b, out);
    else
        keep(s, b);
    note_amount(io, s, len);
}

/* A receive that ended without bytes. */
static void note_end(struct io *io, uint32_t slot, int result)
{
    struct uring_slot *s = uring_slot_at(io, slot);
    if (uring_has(s, SLOT_DETACHED))
        return;
    if (result == 0)
        uring_set(s, SLOT_FIN | SLOT_DRAINED);
    else if (result == -ENOBUFS && s->parked_first != 0)
        return; /* it waits for memory anyway */
    else if (result == -ENOBUFS)
        starve(io, slot, uring_has(s, SLOT_BIG_ARMED) ? BIG_GROUP : LANDING_GROUP);
    else if (result != -ECANCELED && (uring_has(s, SLOT_DRAINING) ? result != -EINTR : !uring_goes_on(result))) {
        uring_set(s, SLOT_DRAINED);
        if (!uring_has(s, SLOT_DRAINING))
            nacre_uring_fail(s, nacre_error_from_errno(-result));
    }
}

static void take_buffer(struct io *io, uint32_t slot, const struct io_uring_cqe *cqe, struct uring_out *out)
{
    struct uring_slot *s = uring_slot_at(io, slot);
    unsigned number = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
    bool big = uring_has(s, SLOT_BIG_ARMED);
    if (big)
        io->big_free--;
    else
        io->landing_free--;
    if (cqe->res > 0 && !uring_has(s, SLOT_DETACHED) && !uring_has(s, SLOT_FAILED))
        take_bytes(io, slot, number, (size_t)cqe->res, out);
    else if (big)
        nacre_uring_big_return(io, number);
    else
        nacre_uring_landing_return(io, number);
}

void nacre_uring_received(struct io *io, uint32_t slot, const struct io_uring_cqe *cqe, struct uring_out *out)
{
    struct uring_slot *s = uring_slot_at(io, slot);
    bool more = (cqe->flags & IORING_CQE_F_MORE) != 0;
    if (!more)
        uring_land(s, OP_RECEIVE);
    if (!more && uring_has(s, SLOT_BIG_ARMED))
        io->big_flying--;
    if ((cqe->flags & IORING_CQE_F_BUFFER) != 0)
        take_buffer(io, slot, cqe, out);
    if (cqe->res <= 0)
        note_end(io, slot, cqe->res);
    /* While the request stands and suits, there is nothing to do. */
    if (!more || has_kept(s) || is_wrong(s))
        nacre_slot_queue_add(&io->slots, &io->work, slot);
}
