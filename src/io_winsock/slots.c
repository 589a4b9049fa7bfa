/* SPDX-License-Identifier: Apache-2.0 */
/* The back ends for WSAPoll and WSAAsyncSelect: instances, slots, what a slot waits for and is told. */
#include <malloc.h>
#include <stdlib.h>

#include "engine/sock.h"
#include "io_winsock/winsock.h"

/* ---- instances ------------------------------------------------------------------------------------------------- */

void nacre_winsock_close(struct io *io)
{
    io->notifier->close(io);
    landing_close(&io->landing);
    nacre_slots_destroy(&io->slots);
    _aligned_free(io);
}

enum nacre_error nacre_winsock_open(struct io **out, const struct io_options *options, const struct notifier *notifier)
{
    *out = NULL;
    if (options->pool == NULL || options->receive_bytes == 0 || options->max_slots == 0 ||
        options->receive_bytes > INT32_MAX || options->headroom > SIZE_MAX - options->receive_bytes)
        return NACRE_E_INVAL;
    struct io *io = (struct io *)_aligned_malloc(sizeof *io, _Alignof(struct io));
    if (io == NULL)
        return NACRE_E_NOBUFS;
    *io =
        (struct io){.options = *options,
                    .notifier = notifier,
                    .work.link = offsetof(struct winsock_slot, next),
                    .resting.link = offsetof(struct winsock_slot, next),
                    .hungry.link = offsetof(struct winsock_slot, next_hungry),
                    .landing = {.pool = options->pool, .headroom = options->headroom, .room = options->receive_bytes}};
    atomic_init(&io->wake_sent, false);
    enum nacre_error error = NACRE_E_NOBUFS;
    if (nacre_slots_init(&io->slots, sizeof(struct winsock_slot), offsetof(struct winsock_slot, next),
                         options->max_slots))
        error = notifier->open(io);
    if (error != NACRE_OK) {
        nacre_winsock_close(io);
        return error;
    }
    *out = io;
    return NACRE_OK;
}

/* ---- slots ----------------------------------------------------------------------------------------------------- */

static enum nacre_error slot_take(struct io *io, uint32_t *slot)
{
    enum nacre_error error = nacre_slots_take(&io->slots, slot);
    if (error != NACRE_OK)
        return error;
    struct winsock_slot *s = winsock_slot_at(io, *slot);
    *s = (struct winsock_slot){.socket = IO_NO_SOCKET};
    return NACRE_OK;
}

void nacre_winsock_slot_give(struct io *io, uint32_t slot)
{
    struct winsock_slot *s = winsock_slot_at(io, slot);
    s->kind = WINSOCK_FREE;
    s->socket = IO_NO_SOCKET;
    s->flags = 0;
    nacre_slots_give(&io->slots, slot);
}

struct winsock_slot *nacre_winsock_slot_find(const struct io *io, uint32_t slot)
{
    if (slot >= io->slots.made)
        return NULL;
    struct winsock_slot *s = winsock_slot_at(io, slot);
    return s->kind == WINSOCK_FREE || winsock_has(s, SLOT_DETACHED) ? NULL : s;
}

/* ---- taking over and letting go -------------------------------------------------------------------------------- */

static enum nacre_error take_over(struct io *io, io_socket s, uint64_t owner, enum winsock_kind kind, unsigned flags,
                                  uint32_t *slot)
{
    if (s == IO_NO_SOCKET)
        return NACRE_E_NOTSOCK;
    enum nacre_error error = slot_take(io, slot);
    if (error != NACRE_OK)
        return error;
    struct winsock_slot *at = winsock_slot_at(io, *slot);
    at->socket = s;
    at->owner = owner;
    at->kind = (uint8_t)kind;
    winsock_set(at, flags);
    error = io->notifier->add(io, *slot);
    if (error != NACRE_OK)
        nacre_winsock_slot_give(io, *slot);
    return error;
}

enum nacre_error nacre_winsock_listen(struct io *io, io_socket listener, uint64_t owner, uint32_t *slot)
{
    return take_over(io, listener, owner, WINSOCK_LISTENER, 0, slot);
}

enum nacre_error nacre_winsock_attach(struct io *io, io_socket s, uint64_t owner, uint32_t *slot)
{
    return take_over(io, s, owner, WINSOCK_STREAM, 0, slot);
}

/* The notifier is there first, so that it has the end to tell. A refusal at once is reported by wait() like any
 * other. */
enum nacre_error nacre_winsock_connect(struct io *io, io_socket s, const struct io_address *to, uint64_t owner,
                                       uint32_t *slot)
{
    enum nacre_error error = take_over(io, s, owner, WINSOCK_STREAM, SLOT_CONNECTING | SLOT_FULL, slot);
    if (error != NACRE_OK)
        return error;
    struct winsock_slot *at = winsock_slot_at(io, *slot);
    int result = connect(s, (const struct sockaddr *)(const void *)to->bytes, (int)to->len);
    if (result != 0 && WSAGetLastError() == WSAEWOULDBLOCK)
        return NACRE_OK;
    if (result != 0)
        at->error = nacre_error_from_errno(WSAGetLastError());
    winsock_clear(at, SLOT_FULL);
    nacre_slot_queue_add(&io->slots, &io->work, *slot);
    return NACRE_OK;
}

void nacre_winsock_detach(struct io *io, uint32_t slot)
{
    struct winsock_slot *s = nacre_winsock_slot_find(io, slot);
    if (s == NULL)
        return;
    if (!winsock_has(s, SLOT_RESTING))
        io->notifier->remove(io, slot);
    if (s->kind == WINSOCK_LISTENER) {
        nacre_slot_queue_remove(&io->slots, &io->resting, slot);
    } else {
        nacre_sock_close(s->socket);
        if (s->next_hungry != 0)
            io->hungry_until = 0; /* the list is emptied before the slot is free */
    }
    s->socket = IO_NO_SOCKET;
    winsock_set(s, SLOT_DETACHED);
    nacre_slot_queue_add(&io->slots, &io->work, slot);
}

/* ---- news ------------------------------------------------------------------------------------------------------ */

unsigned nacre_winsock_interest(const struct io *io, const struct winsock_slot *s)
{
    unsigned news = 0;
    if (s->kind == WINSOCK_LISTENER)
        return NEWS_READ;
    if (winsock_has(s, SLOT_CONNECTING))
        return winsock_has(s, SLOT_FULL) ? NEWS_WRITE : 0;
    if (winsock_has(s, SLOT_ERROR))
        return 0;
    /* Read even where nothing is wanted: it tells of errors. */
    if (!winsock_has(s, SLOT_READABLE) && !winsock_has(s, SLOT_FIN))
        news |= NEWS_READ;
    if (winsock_has(s, SLOT_FULL) && !(io->notifier->repeats_hangup && winsock_has(s, SLOT_HUNG_UP)))
        news |= NEWS_WRITE;
    return news;
}

static void note_stream(struct io *io, uint32_t slot, unsigned news, enum nacre_error error)
{
    struct winsock_slot *s = winsock_slot_at(io, slot);
    if (winsock_has(s, SLOT_CONNECTING)) {
        if ((news & (NEWS_WRITE | NEWS_HANGUP | NEWS_ERROR)) != 0)
            winsock_clear(s, SLOT_FULL);
        if (error != NACRE_OK && s->error == NACRE_OK)
            s->error = error;
    } else if (error != NACRE_OK && !winsock_has(s, SLOT_ERROR)) {
        s->error = error;
        winsock_set(s, SLOT_ERROR);
        winsock_clear(s, SLOT_SENDING | SLOT_BLOCKED);
    }
    if ((news & (NEWS_READ | NEWS_HANGUP | NEWS_ERROR)) != 0)
        winsock_set(s, SLOT_READABLE);
    if ((news & (NEWS_HANGUP | NEWS_ERROR)) != 0)
        winsock_set(s, SLOT_HUNG_UP);
    if ((news & NEWS_ERROR) != 0)
        winsock_set(s, SLOT_CHECK);
    if ((news & (NEWS_WRITE | NEWS_ERROR)) != 0)
        winsock_clear(s, SLOT_FULL);
    else if (winsock_has(s, SLOT_HUNG_UP | SLOT_FULL) && io->notifier->repeats_hangup)
        nacre_winsock_go_hungry(io, slot);
    /* After FIN or an error there is nothing more to receive. */
    if (winsock_has(s, SLOT_FIN) || winsock_has(s, SLOT_FAILED))
        winsock_clear(s, SLOT_READABLE);
}

void nacre_winsock_note(struct io *io, uint32_t slot, unsigned news, enum nacre_error error)
{
    struct winsock_slot *s = nacre_winsock_slot_find(io, slot);
    if (s == NULL)
        return;
    if (s->kind == WINSOCK_STREAM)
        note_stream(io, slot, news, error);
    nacre_slot_queue_add(&io->slots, &io->work, slot);
    winsock_adjust(io, slot);
}
