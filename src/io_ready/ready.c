/* SPDX-License-Identifier: Apache-2.0 */
/* Readiness: instances, slots, and what a slot is told. */
#include "io_ready/ready.h"

#include "engine/sock.h"

/* ---- instances ------------------------------------------------------------------------------------------------- */

void nacre_ready_close(struct io *io)
{
    io->notifier->close(io);
    landing_close(&io->landing);
    nacre_slots_destroy(&io->slots);
    system_free(io);
}

enum nacre_error nacre_ready_open(struct io **out, const struct io_options *options, const struct notifier *notifier)
{
    *out = NULL;
    if (options->pool == NULL || options->receive_bytes == 0 || options->max_slots == 0 ||
        options->receive_bytes > INT32_MAX || options->headroom > SIZE_MAX - options->receive_bytes)
        return NACRE_E_INVAL;
    struct io *io = (struct io *)system_alloc(_Alignof(struct io), sizeof *io);
    if (io == NULL)
        return NACRE_E_NOBUFS;
    *io =
        (struct io){.options = *options,
                    .notifier = notifier,
                    .work.link = offsetof(struct ready_slot, next),
                    .resting.link = offsetof(struct ready_slot, next),
                    .hungry.link = offsetof(struct ready_slot, next_hungry),
                    .landing = {.pool = options->pool, .headroom = options->headroom, .room = options->receive_bytes}};
    atomic_init(&io->wake_sent, false);
    enum nacre_error error = NACRE_E_NOBUFS;
    if (nacre_slots_init(&io->slots, sizeof(struct ready_slot), offsetof(struct ready_slot, next), options->max_slots))
        error = notifier->open(io);
    if (error != NACRE_OK) {
        nacre_ready_close(io);
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
    struct ready_slot *s = ready_slot_at(io, *slot);
    uint32_t most = (uint32_t)io->options.receive_bytes;
    *s = (struct ready_slot){.socket = IO_NO_SOCKET, .mark = s->mark, .next_portion = most, .portion = most};
    return NACRE_OK;
}

void nacre_ready_slot_give(struct io *io, uint32_t slot)
{
    struct ready_slot *s = ready_slot_at(io, slot);
    s->kind = READY_FREE;
    s->socket = IO_NO_SOCKET;
    s->flags = 0;
    nacre_slots_give(&io->slots, slot);
}

struct ready_slot *nacre_ready_slot_find(const struct io *io, uint32_t slot)
{
    if (slot >= io->slots.made)
        return NULL;
    struct ready_slot *s = ready_slot_at(io, slot);
    return s->kind == READY_FREE || ready_has(s, SLOT_DETACHED) ? NULL : s;
}

/* ---- taking over and letting go -------------------------------------------------------------------------------- */

static enum nacre_error fill_in(struct io *io, io_socket s, uint64_t owner, enum ready_kind kind, unsigned flags,
                                uint32_t *slot)
{
    if (s == IO_NO_SOCKET)
        return NACRE_E_NOTSOCK;
    enum nacre_error error = slot_take(io, slot);
    if (error != NACRE_OK)
        return error;
    struct ready_slot *at = ready_slot_at(io, *slot);
    at->socket = s;
    at->owner = owner;
    at->kind = (uint8_t)kind;
    ready_set(at, flags);
    return NACRE_OK;
}

/* From now on the notifier tells of it. */
static enum nacre_error announce(struct io *io, uint32_t slot)
{
    enum nacre_error error = io->notifier->add(io, slot);
    if (error != NACRE_OK)
        nacre_ready_slot_give(io, slot);
    return error;
}

enum nacre_error nacre_ready_listen(struct io *io, io_socket listener, uint64_t owner, uint32_t *slot)
{
    enum nacre_error error = fill_in(io, listener, owner, READY_LISTENER, 0, slot);
    return error == NACRE_OK ? announce(io, *slot) : error;
}

enum nacre_error nacre_ready_attach(struct io *io, io_socket s, uint64_t owner, uint32_t *slot)
{
    enum nacre_error error = fill_in(io, s, owner, READY_STREAM, 0, slot);
    return error == NACRE_OK ? announce(io, *slot) : error;
}

/* False: it has ended already, which wait() reports like any other end. */
static bool begin_to_connect(struct io *io, uint32_t slot, const struct io_address *to)
{
    struct ready_slot *s = ready_slot_at(io, slot);
    bool pending, ok = io->notifier->connect != NULL ? io->notifier->connect(io, slot, to, &pending)
                                                     : system_connect(s->socket, to, &pending);
    if (!ok)
        s->error = nacre_error_from_errno(system_error());
    return pending;
}

enum nacre_error nacre_ready_connect(struct io *io, io_socket s, const struct io_address *to, uint64_t owner,
                                     uint32_t *slot)
{
    enum nacre_error error = fill_in(io, s, owner, READY_STREAM, SLOT_CONNECTING | SLOT_FULL, slot);
    if (error != NACRE_OK)
        return error;
    struct ready_slot *at = ready_slot_at(io, *slot);
    bool first = io->notifier->connects_first, pending = first && begin_to_connect(io, *slot, to);
    error = announce(io, *slot);
    if (error != NACRE_OK)
        return error;
    if (!first)
        pending = begin_to_connect(io, *slot, to);
    if (pending)
        return NACRE_OK;
    ready_clear(at, SLOT_FULL);
    nacre_slot_queue_add(&io->slots, &io->work, *slot);
    return NACRE_OK;
}

void nacre_ready_detach(struct io *io, uint32_t slot)
{
    struct ready_slot *s = nacre_ready_slot_find(io, slot);
    if (s == NULL)
        return;
    if (!ready_has(s, SLOT_RESTING))
        io->notifier->remove(io, slot);
    if (s->kind == READY_LISTENER) {
        nacre_slot_queue_remove(&io->slots, &io->resting, slot);
    } else {
        nacre_sock_close(s->socket);
        if (s->next_hungry != 0)
            io->hungry_until = 0; /* the list is emptied before the slot is free */
    }
    s->socket = IO_NO_SOCKET;
    ready_set(s, SLOT_DETACHED);
    nacre_slot_queue_add(&io->slots, &io->work, slot);
}

/* ---- news ------------------------------------------------------------------------------------------------------ */

static void note_error(struct ready_slot *s, enum nacre_error error)
{
    if (s->error == NACRE_OK)
        s->error = error;
    if (ready_has(s, SLOT_CONNECTING) || ready_has(s, SLOT_ERROR))
        return;
    ready_set(s, SLOT_ERROR);
    ready_clear(s, SLOT_SENDING | SLOT_BLOCKED);
}

void nacre_ready_note_full(struct io *io, uint32_t slot)
{
    struct ready_slot *s = ready_slot_at(io, slot);
    if (ready_has(s, SLOT_CONNECTING))
        ready_clear(s, SLOT_FULL); /* and failed */
    else if (io->notifier->repeats_hangup)
        nacre_ready_go_hungry(io, slot);
}

void nacre_ready_note(struct io *io, uint32_t slot, unsigned news, enum nacre_error error)
{
    struct ready_slot *s = nacre_ready_slot_find(io, slot);
    if (s == NULL)
        return;
    if (error != NACRE_OK && s->kind == READY_STREAM)
        note_error(s, error);
    ready_note(io, slot, news);
}
