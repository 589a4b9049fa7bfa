/* SPDX-License-Identifier: Apache-2.0 */
/* The back end for I/O completion ports: waiting and waking. */
#include "base/list.h"
#include "engine/sock.h"
#include "io_iocp/iocp.h"

static const int64_t ms_ns = 1000 * 1000;
static const DWORD trouble_ms = 10;

void nacre_iocp_wake(struct io *io)
{
    if (atomic_exchange_explicit(&io->wake_sent, true, memory_order_acq_rel))
        return;
    /* Out of memory: the next call tries again. */
    if (!PostQueuedCompletionStatus(io->port, 0, KEY_WAKE, NULL))
        atomic_store_explicit(&io->wake_sent, false, memory_order_release);
}

static void note(struct io *io, const OVERLAPPED_ENTRY *e)
{
    if (e->lpCompletionKey == KEY_WAKE) {
        /* Before the shard looks at what it was woken for: a wake() after that look makes a new report. */
        atomic_exchange_explicit(&io->wake_sent, false, memory_order_acq_rel);
        io->woken = true;
        return;
    }
    struct iocp_op *op = CONTAINER_OF(e->lpOverlapped, struct iocp_op, overlapped);
    op->is_flying = false;
    if (e->lpCompletionKey == KEY_ACCEPT)
        CONTAINER_OF(op, struct iocp_accept, op)->has_ended = true;
    else
        nacre_iocp_ended(io, op);
    /* A listener that rests goes on when it has rested. */
    nacre_slot_queue_add(&io->slots, &io->work, op->slot);
}

/* The time left, in whole milliseconds, rounded up. */
static DWORD left_ms(int64_t until_ns)
{
    if (until_ns == INT64_MAX)
        return INFINITE;
    int64_t left = until_ns <= 0 ? 0 : until_ns - nacre_clock_ns();
    int64_t ms = left <= 0 ? 0 : left / ms_ns + (left % ms_ns != 0);
    return ms < INT32_MAX ? (DWORD)ms : INT32_MAX;
}

/* Asks the port and notes what it tells. */
static enum nacre_error poll_port(struct io *io, int64_t until_ns)
{
    OVERLAPPED_ENTRY entries[ENTRIES_PER_POLL];
    ULONG count = 0;
    io->skipped_poll = false;
    if (!GetQueuedCompletionStatusEx(io->port, entries, ENTRIES_PER_POLL, &count, left_ms(until_ns), FALSE)) {
        DWORD number = GetLastError();
        return number == WAIT_TIMEOUT ? NACRE_OK : nacre_error_from_errno((int)number);
    }
    for (ULONG i = 0; i < count; i++)
        note(io, &entries[i]);
    return NACRE_OK;
}

/* The port could not be asked: that costs a pause, not a processor. */
static void rest_in_trouble(struct io *io, enum nacre_error error, struct iocp_out *out)
{
    if (!io->in_trouble)
        out->at[out->count++] = (struct io_done){.kind = IO_TROUBLE, .error = error, .accepted = IO_NO_SOCKET};
    else if (out->count == 0)
        Sleep(trouble_ms);
    io->in_trouble = true;
}

static void ask_port(struct io *io, int64_t until_ns, struct iocp_out *out)
{
    enum nacre_error error = poll_port(io, until_ns);
    if (error == NACRE_OK)
        io->in_trouble = false;
    else if (!iocp_out_is_full(out))
        rest_in_trouble(io, error, out);
}

static void work(struct io *io, uint32_t slot, struct iocp_out *out)
{
    if (iocp_slot_at(io, slot)->kind == IOCP_LISTENER)
        nacre_iocp_work_listener(io, slot, out);
    else
        nacre_iocp_work_stream(io, slot, out);
}

/* Works through those that stand in the queue now, each once. */
static void work_once(struct io *io, struct iocp_out *out)
{
    if (io->woken && !iocp_out_is_full(out)) {
        io->woken = false;
        out->at[out->count++] = (struct io_done){.kind = IO_WOKEN, .accepted = IO_NO_SOCKET};
    }
    uint32_t last = io->work.last;
    while (io->work.first != 0 && !iocp_out_is_full(out)) {
        bool done = io->work.first == last;
        work(io, slot_queue_pop(&io->slots, &io->work), out);
        if (done)
            return;
    }
}

/* Until when the port may be waited for. */
static int64_t sleep_until(const struct io *io, int64_t until_ns)
{
    if (io->work.first != 0 || io->woken)
        return 0;
    if (io->resting.first != 0 && iocp_slot_at(io, io->resting.first - 1)->rest_until < until_ns)
        until_ns = iocp_slot_at(io, io->resting.first - 1)->rest_until;
    if (io->hungry.first != 0 && io->hungry_until < until_ns)
        until_ns = io->hungry_until;
    return until_ns;
}

static void end_pauses(struct io *io)
{
    if (io->resting.first == 0 && io->hungry.first == 0)
        return;
    int64_t now = nacre_clock_ns();
    nacre_iocp_end_rest(io, now);
    nacre_iocp_end_hunger(io, now);
}

unsigned nacre_iocp_wait(struct io *io, int64_t until_ns, struct io_done *out, unsigned max)
{
    struct iocp_out o = {.at = out, .max = max};
    if (max == 0)
        return 0;
    for (;;) {
        end_pauses(io);
        work_once(io, &o);
        /* Enough to report as it is; but every other time the port is asked all the same, or a busy few would keep the
         * rest from being heard. */
        if (o.count != 0 && !io->skipped_poll) {
            io->skipped_poll = true;
            return o.count;
        }
        ask_port(io, o.count != 0 ? 0 : sleep_until(io, until_ns), &o);
        end_pauses(io);
        work_once(io, &o);
        if (o.count != 0 || io->in_trouble || until_ns <= 0 || (until_ns != INT64_MAX && nacre_clock_ns() >= until_ns))
            return o.count;
    }
}
