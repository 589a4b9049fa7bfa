/* SPDX-License-Identifier: Apache-2.0 */
/* The epoll back end: instances, slots, and the table of its functions. */
#include "io_epoll/epoll.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/sock.h"

static bool epoll_usable(const char **why_not)
{
    int fd = epoll_create1(EPOLL_CLOEXEC);
    if (fd >= 0) {
        close(fd);
        return true;
    }
    *why_not = "the kernel refuses epoll_create1()";
    return errno == EMFILE || errno == ENFILE; /* nothing is wrong with epoll then: opening says what is */
}

static void epoll_close(struct io *io)
{
    if (io->event >= 0)
        close(io->event);
    if (io->epoll >= 0)
        close(io->epoll);
    landing_close(&io->landing);
    nacre_slots_destroy(&io->slots);
    free(io);
}

/* The descriptors of an instance; false leaves errno. */
static bool open_descriptors(struct io *io)
{
    io->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (io->epoll < 0)
        return false;
    io->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (io->event < 0)
        return false;
    /* Edge-triggered: each write is told once, and the counter never has to be read. */
    struct epoll_event e = {.events = EPOLLIN | EPOLLET, .data.u64 = EPOLL_TOKEN_WAKE};
    return epoll_ctl(io->epoll, EPOLL_CTL_ADD, io->event, &e) == 0;
}

static enum nacre_error epoll_open(struct io **out, const struct io_options *options)
{
    *out = NULL;
    if (options->pool == NULL || options->receive_bytes == 0 || options->max_slots == 0 ||
        options->headroom > SIZE_MAX - options->receive_bytes)
        return NACRE_E_INVAL;
    struct io *io = (struct io *)aligned_alloc(_Alignof(struct io), sizeof *io);
    if (io == NULL)
        return NACRE_E_NOBUFS;
    *io =
        (struct io){.options = *options,
                    .epoll = -1,
                    .event = -1,
                    .work.link = offsetof(struct epoll_slot, next),
                    .resting.link = offsetof(struct epoll_slot, next),
                    .hungry.link = offsetof(struct epoll_slot, next_hungry),
                    .landing = {.pool = options->pool, .headroom = options->headroom, .room = options->receive_bytes}};
    atomic_init(&io->wake_sent, false);
    enum nacre_error error = NACRE_OK;
    if (!nacre_slots_init(&io->slots, sizeof(struct epoll_slot), offsetof(struct epoll_slot, next), options->max_slots))
        error = NACRE_E_NOBUFS;
    else if (!open_descriptors(io))
        error = nacre_error_from_errno(errno);
    if (error != NACRE_OK) {
        epoll_close(io);
        return error;
    }
    *out = io;
    return NACRE_OK;
}

static enum nacre_error slot_take(struct io *io, uint32_t *slot)
{
    enum nacre_error error = nacre_slots_take(&io->slots, slot);
    if (error != NACRE_OK)
        return error;
    struct epoll_slot *s = epoll_slot_at(io, *slot);
    *s = (struct epoll_slot){.generation = s->generation, .fd = -1};
    return NACRE_OK;
}

void nacre_epoll_slot_give(struct io *io, uint32_t slot)
{
    struct epoll_slot *s = epoll_slot_at(io, slot);
    s->kind = EPOLL_FREE;
    s->flags = 0;
    s->generation++;
    nacre_slots_give(&io->slots, slot);
}

struct epoll_slot *nacre_epoll_slot_find(const struct io *io, uint32_t slot)
{
    if (slot >= io->slots.made)
        return NULL;
    struct epoll_slot *s = epoll_slot_at(io, slot);
    return s->kind == EPOLL_FREE || epoll_has(s, SLOT_DETACHED) ? NULL : s;
}

enum nacre_error nacre_epoll_watch(struct io *io, uint32_t slot, int op, uint32_t events)
{
    struct epoll_slot *s = epoll_slot_at(io, slot);
    struct epoll_event e = {.events = events, .data.u64 = epoll_token(slot, s->generation)};
    return epoll_ctl(io->epoll, op, s->fd, &e) == 0 ? NACRE_OK : nacre_error_from_errno(errno);
}

static enum nacre_error take_over(struct io *io, io_socket fd, uint64_t owner, enum epoll_kind kind, uint32_t events,
                                  uint32_t *slot)
{
    enum nacre_error error = slot_take(io, slot);
    if (error != NACRE_OK)
        return error;
    struct epoll_slot *s = epoll_slot_at(io, *slot);
    s->fd = fd;
    s->owner = owner;
    s->kind = (uint8_t)kind;
    error = nacre_epoll_watch(io, *slot, EPOLL_CTL_ADD, events);
    if (error != NACRE_OK)
        nacre_epoll_slot_give(io, *slot);
    return error;
}

/* Level-triggered, so that a batch of accepts may stop early; exclusive, so that one connection wakes one worker. */
static enum nacre_error epoll_listen(struct io *io, io_socket listener, uint64_t owner, uint32_t *slot)
{
    return take_over(io, listener, owner, EPOLL_LISTENER, EPOLLIN | EPOLLEXCLUSIVE, slot);
}

/* EPOLLOUT is added when a send finds the socket full for the first time: most connections never do. */
static enum nacre_error epoll_attach(struct io *io, io_socket s, uint64_t owner, uint32_t *slot)
{
    return take_over(io, s, owner, EPOLL_STREAM, EPOLLIN | EPOLLRDHUP | EPOLLET, slot);
}

/* Registered for EPOLLOUT from the start: that is how the kernel tells that the connection stands, or does not. A
 * refusal at once is reported by wait() like any other. */
static enum nacre_error epoll_connect(struct io *io, io_socket s, const struct io_address *to, uint64_t owner,
                                      uint32_t *slot)
{
    bool pending = false;
    enum nacre_error refused = NACRE_OK;
    if (connect(s, (const struct sockaddr *)(const void *)to->bytes, to->len) != 0) {
        pending = errno == EINPROGRESS || errno == EINTR; /* interrupted, it goes on by itself */
        refused = pending ? NACRE_OK : nacre_error_from_errno(errno);
    }
    enum nacre_error error =
        take_over(io, s, owner, EPOLL_STREAM, EPOLLIN | EPOLLOUT | EPOLLRDHUP | (uint32_t)EPOLLET, slot);
    if (error != NACRE_OK)
        return error;
    struct epoll_slot *at = epoll_slot_at(io, *slot);
    at->error = refused;
    epoll_set(at, SLOT_CONNECTING | SLOT_WATCH_WRITE | (pending ? SLOT_FULL : 0));
    if (!pending)
        nacre_slot_queue_add(&io->slots, &io->work, *slot);
    return NACRE_OK;
}

static void epoll_detach(struct io *io, uint32_t slot)
{
    struct epoll_slot *s = nacre_epoll_slot_find(io, slot);
    if (s == NULL)
        return;
    if (s->kind == EPOLL_LISTENER) {
        epoll_ctl(io->epoll, EPOLL_CTL_DEL, s->fd, NULL); /* a resting one is not there: no matter */
        nacre_slot_queue_remove(&io->slots, &io->resting, slot);
    } else {
        close(s->fd);
        if (s->next_hungry != 0)
            io->hungry_until = 0; /* the list is emptied before the slot is free */
    }
    s->fd = -1;
    epoll_set(s, SLOT_DETACHED);
    nacre_slot_queue_add(&io->slots, &io->work, slot);
}

/* epoll's own comes first: read() and write() refuse it. */
static unsigned epoll_descriptors(const struct io *io, io_socket out[IO_DESCRIPTORS])
{
    out[0] = io->epoll;
    out[1] = io->event;
    return 2;
}

const struct io_backend nacre_io_epoll = {
    .name = "epoll",
    .usable = epoll_usable,
    .open = epoll_open,
    .close = epoll_close,
    .listen = epoll_listen,
    .attach = epoll_attach,
    .connect = epoll_connect,
    .receive = nacre_epoll_receive,
    .send = nacre_epoll_send,
    .shut = nacre_epoll_shut,
    .detach = epoll_detach,
    .wait = nacre_epoll_wait,
    .wake = nacre_epoll_wake,
    .descriptors = epoll_descriptors,
    .reap = nacre_epoll_reap,
    .due = nacre_epoll_due,
};
