/* SPDX-License-Identifier: Apache-2.0 */
/* The io_uring back end: connected sockets, but for receiving. While nothing is received, a standing poll tells of
 * errors; which one it is, an empty send finds out, as there is no descriptor to ask. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "engine/sock.h"
#include "io_uring/uring.h"

static struct uring_slot *find_stream(const struct io *io, uint32_t slot)
{
    struct uring_slot *s = nacre_uring_slot_find(io, slot);
    return s == NULL || s->kind != URING_STREAM ? NULL : s;
}

void nacre_uring_fail(struct uring_slot *s, enum nacre_error error)
{
    if (uring_has(s, SLOT_ERROR))
        return;
    s->error = error;
    uring_set(s, SLOT_ERROR);
    uring_clear(s, SLOT_SENDING | SLOT_SENT_NOTHING | SLOT_SHUT | SLOT_PROBE);
}

/* ---- what the shard asks for ----------------------------------------------------------------------------------- */

void nacre_uring_receive(struct io *io, uint32_t slot, bool on)
{
    struct uring_slot *s = find_stream(io, slot);
    if (s == NULL || uring_has(s, SLOT_FIN_TOLD) || uring_has(s, SLOT_FAILED) || on == uring_has(s, SLOT_WANTED))
        return;
    uring_clear(s, SLOT_UNWATCHED);
    if (on)
        uring_set(s, SLOT_WANTED);
    else
        uring_clear(s, SLOT_WANTED);
    nacre_slot_queue_add(&io->slots, &io->work, slot);
}

/* One span goes as it is; more need a list, which stays in the arena until the kernel has read it. */
static struct io_uring_sqe *request_send(struct io *io, uint32_t slot, const struct span *spans, unsigned count)
{
    if (count == 1) {
        struct io_uring_sqe *sqe = nacre_uring_request(io, slot, OP_SEND);
        if (sqe != NULL)
            io_uring_prep_send(sqe, -1, spans[0].at, spans[0].len, MSG_NOSIGNAL);
        return sqe;
    }
    struct {
        struct msghdr head;
        struct iovec v[];
    } * m;
    void *at;
    struct io_uring_sqe *sqe =
        nacre_uring_request_with(io, slot, OP_SEND, sizeof *m + count * sizeof(struct iovec), &at);
    if (sqe == NULL)
        return NULL;
    m = at;
    m->head = (struct msghdr){.msg_iov = m->v, .msg_iovlen = count};
    for (unsigned i = 0; i < count; i++)
        m->v[i] = (struct iovec){.iov_base = (void *)(uintptr_t)spans[i].at, .iov_len = spans[i].len};
    io_uring_prep_sendmsg(sqe, -1, &m->head, MSG_NOSIGNAL);
    return sqe;
}

enum nacre_error nacre_uring_send(struct io *io, uint32_t slot, const struct span *spans, unsigned count)
{
    struct uring_slot *s = find_stream(io, slot);
    if (s == NULL)
        return NACRE_E_NOTSOCK;
    if (count > IO_SPANS)
        return NACRE_E_INVAL;
    if (uring_has(s, SLOT_SENDING))
        return NACRE_E_ALREADY;
    if (uring_has(s, SLOT_ERROR))
        return NACRE_OK; /* IO_FAILED is on its way, or was reported */
    size_t asked = io_spans_trim(&spans, &count);
    if (asked == 0) {
        uring_set(s, SLOT_SENT_NOTHING);
        nacre_slot_queue_add(&io->slots, &io->work, slot);
    } else {
        struct io_uring_sqe *sqe = request_send(io, slot, spans, count);
        if (sqe == NULL)
            return NACRE_E_NOBUFS;
        nacre_uring_aim(io, slot, OP_SEND, sqe);
    }
    s->unsent = asked;
    uring_set(s, SLOT_SENDING);
    return NACRE_OK;
}

void nacre_uring_shut(struct io *io, uint32_t slot)
{
    struct uring_slot *s = find_stream(io, slot);
    if (s == NULL || uring_has(s, SLOT_ERROR))
        return;
    uring_set(s, SLOT_SHUT);
    nacre_slot_queue_add(&io->slots, &io->work, slot);
}

/* ---- what there is to do --------------------------------------------------------------------------------------- */

/* Sends FIN when it is due. Bytes that the last send was asked for and did not take go first: the shard sends them
 * again. */
static bool shut_when_due(struct io *io, uint32_t slot)
{
    struct uring_slot *s = uring_slot_at(io, slot);
    if (!uring_has(s, SLOT_SHUT) || uring_has(s, SLOT_SENDING) || s->unsent != 0 || uring_is_flying(s, OP_SHUT))
        return true;
    struct io_uring_sqe *sqe = nacre_uring_request(io, slot, OP_SHUT);
    if (sqe == NULL)
        return false;
    uring_clear(s, SLOT_SHUT);
    io_uring_prep_shutdown(sqe, -1, SHUT_WR);
    nacre_uring_aim(io, slot, OP_SHUT, sqe);
    return true;
}

static bool watch_when_idle(struct io *io, uint32_t slot)
{
    struct uring_slot *s = uring_slot_at(io, slot);
    if (uring_has(s, SLOT_WANTED) || uring_has(s, SLOT_ERROR) || uring_has(s, SLOT_UNWATCHED) ||
        uring_is_flying(s, OP_WATCH))
        return true;
    struct io_uring_sqe *sqe = nacre_uring_request(io, slot, OP_WATCH);
    if (sqe == NULL)
        return false;
    io_uring_prep_poll_multishot(sqe, -1, POLLERR);
    nacre_uring_aim(io, slot, OP_WATCH, sqe);
    return true;
}

static bool probe_when_due(struct io *io, uint32_t slot)
{
    struct uring_slot *s = uring_slot_at(io, slot);
    if (!uring_has(s, SLOT_PROBE) || uring_is_flying(s, OP_PROBE))
        return true;
    struct io_uring_sqe *sqe = nacre_uring_request(io, slot, OP_PROBE);
    if (sqe == NULL)
        return false;
    uring_clear(s, SLOT_PROBE);
    io_uring_prep_send(sqe, -1, NULL, 0, MSG_NOSIGNAL | MSG_DONTWAIT);
    nacre_uring_aim(io, slot, OP_PROBE, sqe);
    return true;
}

/* Reports in the order that the contract wants: bytes, FIN, error. False when `out` had no room for all. */
static bool report(struct io *io, uint32_t slot, struct uring_out *out)
{
    struct uring_slot *s = uring_slot_at(io, slot);
    if (uring_has(s, SLOT_SENT_NOTHING)) {
        if (uring_out_is_full(out))
            return false;
        uring_clear(s, SLOT_SENT_NOTHING | SLOT_SENDING);
        uring_report(out, IO_SENT, s);
    }
    bool wanted = uring_has(s, SLOT_WANTED);
    if (wanted && !nacre_uring_report_kept(io, slot, out))
        return false;
    if (!wanted)
        nacre_uring_keep_parked(io, slot);
    bool kept = wanted && (s->kept_first != NULL || s->parked_first != 0);
    if (wanted && !kept && uring_has(s, SLOT_FIN) && !uring_has(s, SLOT_FIN_TOLD)) {
        if (uring_out_is_full(out))
            return false;
        uring_set(s, SLOT_FIN_TOLD);
        uring_clear(s, SLOT_WANTED);
        uring_report(out, IO_RECEIVED, s);
    }
    if (kept || !uring_has(s, SLOT_ERROR) || uring_has(s, SLOT_FAILED) ||
        (uring_has(s, SLOT_WANTED) && !uring_has(s, SLOT_DRAINED)))
        return true;
    if (uring_out_is_full(out))
        return false;
    uring_set(s, SLOT_FAILED);
    uring_clear(s, SLOT_WANTED);
    uring_report(out, IO_FAILED, s)->error = s->error;
    return true;
}

static bool request_close(struct io *io, uint32_t slot)
{
    struct uring_slot *s = uring_slot_at(io, slot);
    if (uring_has(s, SLOT_CLOSED))
        return true;
    struct io_uring_sqe *sqe = nacre_uring_request(io, slot, OP_CLOSE);
    if (sqe == NULL)
        return false;
    if (slot < io->files)
        io_uring_prep_close_direct(sqe, slot);
    else
        io_uring_prep_close(sqe, s->fd);
    io_uring_sqe_set_data64(sqe, uring_token(slot, OP_CLOSE));
    uring_set(s, SLOT_CLOSED);
    return true;
}

/* Ends all that is in flight and closes; the slot is gone when the last of it has come back. */
static bool work_detached(struct io *io, uint32_t slot, struct uring_out *out)
{
    static const enum uring_op ops[] = {OP_CONNECT, OP_RECEIVE, OP_SEND, OP_SHUT, OP_WATCH, OP_PROBE};
    struct uring_slot *s = uring_slot_at(io, slot);
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        if (uring_is_flying(s, ops[i]) && !nacre_uring_cancel(io, slot, ops[i]))
            return false;
    if (!request_close(io, slot))
        return false;
    if (s->flying != 0 || s->next_starved != 0)
        return true; /* what is missing queues the slot again */
    if (uring_out_is_full(out))
        return false;
    uring_report(out, IO_GONE, s);
    nacre_uring_slot_give(io, slot);
    return true;
}

void nacre_uring_work_stream(struct io *io, uint32_t slot, struct uring_out *out)
{
    struct uring_slot *s = uring_slot_at(io, slot);
    bool done;
    if (uring_has(s, SLOT_DETACHED))
        done = work_detached(io, slot, out);
    else if (uring_has(s, SLOT_CONNECTING))
        done = true; /* its completion queues the slot again */
    else
        done = report(io, slot, out) && shut_when_due(io, slot) && probe_when_due(io, slot) &&
               nacre_uring_adjust_receive(io, slot) && watch_when_idle(io, slot);
    if (!done)
        nacre_slot_queue_add(&io->slots, &io->work, slot);
}

/* ---- what the kernel tells ------------------------------------------------------------------------------------- */

static void connected(struct uring_slot *s, int result, struct uring_out *out)
{
    uring_clear(s, SLOT_CONNECTING);
    if (result < 0) {
        uring_set(s, SLOT_ERROR | SLOT_DRAINED | SLOT_FAILED);
        uring_clear(s, SLOT_WANTED);
    }
    uring_report(out, IO_CONNECTED, s)->error = result < 0 ? nacre_error_from_errno(-result) : NACRE_OK;
}

static void sent(struct uring_slot *s, int result, struct uring_out *out)
{
    if (!uring_has(s, SLOT_SENDING))
        return; /* an error has ended it already */
    if (uring_goes_on(result))
        result = 0; /* the shard sends again what was not sent */
    if (result < 0) {
        nacre_uring_fail(s, nacre_error_from_errno(-result));
        return;
    }
    uring_clear(s, SLOT_SENDING);
    s->unsent -= (size_t)result;
    uring_report(out, IO_SENT, s)->len = (size_t)result;
}

/* An error is there. Who receives or sends meets it; else we have to ask. */
static void watched(struct uring_slot *s, int result)
{
    if (result < 0 && !uring_goes_on(result))
        uring_set(s, SLOT_UNWATCHED);
    if (result > 0 && (result & POLLERR) != 0 && !uring_has(s, SLOT_WANTED) && !uring_has(s, SLOT_SENDING) &&
        !uring_has(s, SLOT_ERROR))
        uring_set(s, SLOT_PROBE);
}

void nacre_uring_complete_stream(struct io *io, uint32_t slot, enum uring_op op, const struct io_uring_cqe *cqe,
                                 struct uring_out *out)
{
    struct uring_slot *s = uring_slot_at(io, slot);
    if (op == OP_RECEIVE) {
        nacre_uring_received(io, slot, cqe, out);
        return;
    }
    if ((cqe->flags & IORING_CQE_F_MORE) == 0)
        uring_land(s, op);
    if (!uring_has(s, SLOT_DETACHED)) {
        if (op == OP_CONNECT)
            connected(s, cqe->res, out);
        else if (op == OP_SEND)
            sent(s, cqe->res, out);
        else if (op == OP_WATCH)
            watched(s, cqe->res);
        else if (op == OP_PROBE && uring_goes_on(cqe->res))
            uring_set(s, SLOT_PROBE);
        else if (op == OP_PROBE && cqe->res < 0)
            nacre_uring_fail(s, nacre_error_from_errno(-cqe->res));
        if (op == OP_SEND && !uring_has(s, SLOT_SHUT) && !uring_has(s, SLOT_ERROR))
            return; /* the usual case: nothing else to do */
    }
    nacre_slot_queue_add(&io->slots, &io->work, slot);
}
