/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the notifier for I/O completion ports.
 *
 * Beside each slot stand its operations, which the system writes to until their packets have come out of the port; a
 * slot is free again when that is so for all of them, so that no packet can meet a later user of the slot. All of it
 * runs on the shard's thread but waking and the callback of a listener (listener.c). */
#ifndef IO_IOCP_IOCP_H
#define IO_IOCP_IOCP_H

#include "io_ready/ready.h"
/* ready.h stands before the others, or the older winsock.h comes with them. */
#include <mswsock.h>

/* Keys of the port's packets. */
enum iocp_key {
    KEY_SOCKET, /* an operation of a stream ended */
    KEY_ACCEPT, /* one of a listener */
    KEY_WAKE,
};

/* An operation of the system, which writes here until it has ended. */
struct iocp_op {
    OVERLAPPED overlapped;
    uint32_t slot;
    bool is_flying; /* its packet has not been taken from the port */
};

struct iocp_accept;
struct iocp_accepts;

/* What stands beside a slot. */
struct iocp_side {
    struct iocp_op receive; /* of no bytes */
    struct iocp_op send;    /* or connect */
    struct iocp_accepts *accepts;
};

struct notes {
    HANDLE port;
    LPFN_ACCEPTEX accept;
    LPFN_CONNECTEX connect;
    struct iocp_side **slabs; /* as the slots' */
    /* Accepts that have ended and of which the port was not told, by their `next_untold`; the callback adds to it. */
    _Atomic(struct iocp_accept *) untold;
};

static inline struct iocp_side *iocp_side_at(const struct io *io, uint32_t n)
{
    return &io->notes->slabs[n / SLAB_SLOTS][n % SLAB_SLOTS];
}

/* Listeners. */
enum nacre_error nacre_iocp_listen(struct io *io, uint32_t slot);
void nacre_iocp_work_listener(struct io *io, uint32_t slot, struct ready_out *out);
/* One of the connections that a listener waits for has come, or will not. */
void nacre_iocp_accept_ended(struct io *io, struct iocp_op *op);
/* The same of those that no packet could tell of. */
void nacre_iocp_look_for_untold(struct io *io);
/* Asks the operations in flight to end. */
void nacre_iocp_stop_accepting(struct io *io, uint32_t slot);
/* False: that has not happened yet. Else what the listener had is freed. */
bool nacre_iocp_listener_is_over(struct io *io, uint32_t slot);

#endif
