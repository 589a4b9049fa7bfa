/* SPDX-License-Identifier: Apache-2.0 */
/* Readiness: listening sockets. When the system has no socket or memory for a connection, the listener rests: asking
 * again at once would only spin. */
#include "engine/sock.h"
#include "io_ready/ready.h"

enum {
    ACCEPTS_PER_TURN = 16, /* then the streams' turn; other workers may take the rest meanwhile */
};

static const int64_t rest_ns = 100 * 1000 * 1000;

void nacre_ready_rest(struct io *io, uint32_t slot, int64_t now_ns)
{
    struct ready_slot *s = ready_slot_at(io, slot);
    s->rest_until = now_ns + rest_ns;
    nacre_slot_queue_add(&io->slots, &io->resting, slot);
}

static void accepted(struct io *io, const struct ready_slot *s, io_socket fresh, struct ready_out *out)
{
    if (io->notifier->accepted != NULL)
        io->notifier->accepted(io, fresh);
    ready_report(out, IO_ACCEPTED, s)->accepted = fresh;
}

void nacre_ready_work_listener(struct io *io, uint32_t slot, struct ready_out *out)
{
    struct ready_slot *s = ready_slot_at(io, slot);
    unsigned failed = 0;
    for (unsigned i = 0; i < ACCEPTS_PER_TURN && !ready_out_is_full(out); i++) {
        io_socket fresh = system_accept(s->socket);
        if (fresh != IO_NO_SOCKET) {
            accepted(io, s, fresh, out);
            continue;
        }
        int number = system_error();
        if (system_would_block(number)) {
            if (io->notifier->emptied != NULL)
                io->notifier->emptied(io, slot);
            return;
        }
        failed++;
        if (nacre_sock_accept_goes_on(number) && failed < ACCEPTS_PER_TURN) /* not when nothing else comes */
            continue;
        ready_report(out, IO_LISTEN_FAILED, s)->error = nacre_error_from_errno(number);
        io->notifier->remove(io, slot);
        ready_set(s, SLOT_RESTING);
        nacre_ready_rest(io, slot, nacre_clock_ns());
        return;
    }
    /* What is left is told again: notifiers repeat themselves about listeners. */
}

void nacre_ready_end_rest(struct io *io, int64_t now_ns)
{
    while (io->resting.first != 0) {
        struct ready_slot *s = ready_slot_at(io, io->resting.first - 1);
        if (s->rest_until > now_ns)
            return;
        uint32_t slot = slot_queue_pop(&io->slots, &io->resting);
        if (io->notifier->add(io, slot) == NACRE_OK)
            ready_clear(s, SLOT_RESTING);
        else
            nacre_ready_rest(io, slot, now_ns);
    }
}
