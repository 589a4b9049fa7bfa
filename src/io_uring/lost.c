/* SPDX-License-Identifier: Apache-2.0 */
/* The io_uring back end: a ring that the kernel cannot be asked by any more. What was let go of waits for completions
 * that never come. Once everything was, and the trouble has lasted, the ring is closed, which ends all that is in
 * flight and closes the sockets; a new one is made for whoever comes next. */
#include <poll.h>
#include <unistd.h>

#include "engine/sock.h"
#include "io_uring/uring.h"

static const int64_t patience_ns = 1000 * 1000 * 1000;

/* Somebody who was not let go of may go on when the trouble is over. */
static bool all_detached(const struct io *io)
{
    bool any = false;
    for (uint32_t i = 0; i < io->slots.made; i++) {
        const struct uring_slot *s = uring_slot_at(io, i);
        if (s->kind == URING_FREE)
            continue;
        if (!uring_has(s, SLOT_DETACHED))
            return false;
        any = true;
    }
    return any;
}

/* As if all of its requests had come back. `untaken`: the kernel has not seen the last requests. */
static void end_slot(struct io *io, uint32_t slot, bool untaken)
{
    struct uring_slot *s = uring_slot_at(io, slot);
    bool open = !uring_has(s, SLOT_CLOSED) || (untaken && uring_is_flying(s, OP_CLOSE));
    if (s->kind == URING_STREAM && s->fd >= 0 && open)
        close(s->fd);
    s->flying = s->cancelled = 0;
    s->accepts = 0;
    s->next_starved = 0;
    uring_set(s, SLOT_CLOSED);
    nacre_slot_queue_add(&io->slots, &io->work, slot);
}

static void give_up(struct io *io)
{
    bool untaken = io_uring_sq_ready(&io->ring) != 0;
    io_uring_queue_exit(&io->ring);
    io->have_ring = io->in_trouble = false;
    for (unsigned i = 0; i < STARVED_LISTS; i++)
        io->starved[i].first = 0;
    for (uint32_t i = 0; i < io->slots.made; i++)
        if (uring_slot_at(io, i)->kind != URING_FREE)
            end_slot(io, i, untaken);
}

void nacre_uring_look_after(struct io *io)
{
    if (!io->in_trouble) {
        io->trouble_since = 0;
        return;
    }
    int64_t now = nacre_clock_ns();
    if (io->trouble_since == 0)
        io->trouble_since = now;
    if (now - io->trouble_since >= patience_ns && all_detached(io))
        give_up(io);
}

void nacre_uring_sleep_without(struct io *io, int64_t until_ns, struct uring_out *out)
{
    struct pollfd p = {.fd = io->event, .events = POLLIN};
    int64_t left = until_ns - nacre_clock_ns(), ms = left / 1000000 + 1;
    uint64_t count;
    if (until_ns > 0 && left > 0)
        (void)poll(&p, 1, ms > IO_LOOK_MS ? IO_LOOK_MS : (int)ms);
    ssize_t written = read(io->event, &count, sizeof count);
    (void)written; /* what could not be written has to be told, too */
    nacre_uring_woken(io, out);
}
