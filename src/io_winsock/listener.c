/* SPDX-License-Identifier: Apache-2.0 */
/* The back ends for WSAPoll and WSAAsyncSelect: listening sockets. When the system has no socket or memory for a
 * connection, the listener rests: asking again at once would only spin. */
#include "engine/sock.h"
#include "io_winsock/winsock.h"

enum {
    ACCEPTS_PER_TURN = 16, /* then the streams' turn; other workers may take the rest meanwhile */
};

static const int64_t rest_ns = 100 * 1000 * 1000;

static void rest(struct io *io, uint32_t slot, int64_t now_ns)
{
    struct winsock_slot *s = winsock_slot_at(io, slot);
    s->rest_until = now_ns + rest_ns;
    nacre_slot_queue_add(&io->slots, &io->resting, slot);
}

/* Accepted sockets are non-blocking, as the listener is. */
static void accepted(struct io *io, const struct winsock_slot *s, io_socket fresh, struct winsock_out *out)
{
    (void)SetHandleInformation((HANDLE)fresh, HANDLE_FLAG_INHERIT, 0);
    if (io->notifier->accepted != NULL)
        io->notifier->accepted(io, fresh);
    winsock_report(out, IO_ACCEPTED, s)->accepted = fresh;
}

void nacre_winsock_work_listener(struct io *io, uint32_t slot, struct winsock_out *out)
{
    struct winsock_slot *s = winsock_slot_at(io, slot);
    for (unsigned i = 0; i < ACCEPTS_PER_TURN && !winsock_out_is_full(out); i++) {
        io_socket fresh = accept(s->socket, NULL, NULL);
        if (fresh != IO_NO_SOCKET) {
            accepted(io, s, fresh, out);
            continue;
        }
        int number = WSAGetLastError();
        if (number == WSAEWOULDBLOCK) {
            if (io->notifier->emptied != NULL)
                io->notifier->emptied(io, slot);
            return;
        }
        if (nacre_sock_accept_goes_on(number))
            continue;
        winsock_report(out, IO_LISTEN_FAILED, s)->error = nacre_error_from_errno(number);
        io->notifier->remove(io, slot);
        winsock_set(s, SLOT_RESTING);
        rest(io, slot, nacre_clock_ns());
        return;
    }
    /* What is left is told again: accept() asks for that. */
}

void nacre_winsock_end_rest(struct io *io, int64_t now_ns)
{
    while (io->resting.first != 0) {
        struct winsock_slot *s = winsock_slot_at(io, io->resting.first - 1);
        if (s->rest_until > now_ns)
            return;
        uint32_t slot = slot_queue_pop(&io->slots, &io->resting);
        if (io->notifier->add(io, slot) == NACRE_OK)
            winsock_clear(s, SLOT_RESTING);
        else
            rest(io, slot, now_ns);
    }
}
