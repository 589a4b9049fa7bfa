/* SPDX-License-Identifier: Apache-2.0 */
/* The io_uring back end: instances, slots, requests, and the table of its functions.
 *
 * Sockets that the shard attaches move into the ring's own table of files and leave that of the process, so that
 * connections do not count against its limit of descriptors. A slot's number is its place in that table; slots past
 * its end keep their descriptor. */
#include "io_uring/uring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/sock.h"

/* ---- instances ------------------------------------------------------------------------------------------------- */

static void uring_close(struct io *io)
{
    if (io->have_ring)
        io_uring_queue_exit(&io->ring);
    nacre_tick_close(&io->tick);
    if (io->event >= 0)
        close(io->event);
    nacre_uring_buffers_close(io);
    nacre_slots_destroy(&io->slots);
    free(io);
}

/* The kernel allows a table as long as the process may have descriptors. */
static uint32_t files_wanted(const struct io_options *options)
{
    struct rlimit limit;
    uint32_t most = options->max_slots;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < most)
        most = (uint32_t)limit.rlim_cur;
    return most;
}

static enum nacre_error open_ring(struct io *io)
{
    int result = nacre_uring_make(&io->ring, SQ_ENTRIES, CQ_ENTRIES);
    if (result < 0)
        return nacre_error_from_errno(-result);
    io->have_ring = true;
    uint32_t files = files_wanted(&io->options);
    result = io_uring_register_files_sparse(&io->ring, files);
    if (result < 0)
        return nacre_error_from_errno(-result);
    io->files = files;
    return nacre_uring_buffers_open(io);
}

static enum nacre_error open_all(struct io *io)
{
    io->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return io->event < 0 ? nacre_error_from_errno(errno) : open_ring(io);
}

enum nacre_error nacre_uring_have_ring(struct io *io)
{
    if (io->have_ring)
        return NACRE_OK;
    nacre_uring_buffers_close(io);
    io->enabled = io->woken_armed = io->sweep = false;
    io->hungry_until = 0;
    io->big_users = io->big_flying = 0;
    io->arena_used = 0;
    enum nacre_error error = open_ring(io);
    if (error != NACRE_OK && io->have_ring) {
        io_uring_queue_exit(&io->ring);
        io->have_ring = false;
    }
    return error;
}

static enum nacre_error uring_open(struct io **out, const struct io_options *options)
{
    *out = NULL;
    if (options->pool == NULL || options->receive_bytes == 0 || options->max_slots == 0 ||
        options->receive_bytes > UINT32_MAX || options->headroom > SIZE_MAX - options->receive_bytes)
        return NACRE_E_INVAL;
    struct io *io = (struct io *)aligned_alloc(_Alignof(struct io), sizeof *io);
    if (io == NULL)
        return NACRE_E_NOBUFS;
    memset(io, 0, sizeof *io);
    io->options = *options;
    io->event = -1;
    io->tick.fd = -1;
    io->work.link = io->resting.link = offsetof(struct uring_slot, next);
    for (unsigned i = 0; i < STARVED_LISTS; i++)
        io->starved[i].link = offsetof(struct uring_slot, next_starved);
    atomic_init(&io->wake_sent, false);
    enum nacre_error error = NACRE_E_NOBUFS;
    if (nacre_slots_init(&io->slots, sizeof(struct uring_slot), offsetof(struct uring_slot, next), options->max_slots))
        error = open_all(io);
    if (error != NACRE_OK) {
        uring_close(io);
        return error;
    }
    nacre_tick_open(&io->tick); /* last: it may be done without */
    *out = io;
    return NACRE_OK;
}

/* ---- slots ----------------------------------------------------------------------------------------------------- */

static enum nacre_error slot_take(struct io *io, uint64_t owner, enum uring_kind kind, uint32_t *slot)
{
    enum nacre_error error = nacre_uring_have_ring(io);
    if (error == NACRE_OK)
        error = nacre_slots_take(&io->slots, slot);
    if (error != NACRE_OK)
        return error;
    struct uring_slot *s = uring_slot_at(io, *slot);
    *s = (struct uring_slot){.owner = owner, .kind = (uint8_t)kind, .fd = -1};
    return NACRE_OK;
}

void nacre_uring_slot_give(struct io *io, uint32_t slot)
{
    struct uring_slot *s = uring_slot_at(io, slot);
    s->kind = URING_FREE;
    s->flags = 0;
    nacre_slots_give(&io->slots, slot);
}

struct uring_slot *nacre_uring_slot_find(const struct io *io, uint32_t slot)
{
    if (slot >= io->slots.made)
        return NULL;
    struct uring_slot *s = uring_slot_at(io, slot);
    return s->kind == URING_FREE || uring_has(s, SLOT_DETACHED) ? NULL : s;
}

/* ---- requests -------------------------------------------------------------------------------------------------- */

/* Hands over what is written without waiting for anything. */
static void submit(struct io *io)
{
    (void)io_uring_submit(&io->ring);
    if (io_uring_sq_ready(&io->ring) == 0)
        io->arena_used = 0;
}

bool nacre_uring_have_room(struct io *io, size_t bytes)
{
    if (!io->have_ring)
        return false;
    if (io_uring_sq_space_left(&io->ring) == 0 || io->arena_used + bytes > ARENA_BYTES)
        submit(io);
    return io_uring_sq_space_left(&io->ring) != 0 && io->arena_used + bytes <= ARENA_BYTES;
}

struct io_uring_sqe *nacre_uring_request(struct io *io, uint32_t slot, enum uring_op op)
{
    if (!nacre_uring_have_room(io, 0))
        return NULL;
    if (op != OP_NONE)
        uring_take_off(uring_slot_at(io, slot), op);
    return io_uring_get_sqe(&io->ring);
}

struct io_uring_sqe *nacre_uring_request_with(struct io *io, uint32_t slot, enum uring_op op, size_t bytes, void **at)
{
    bytes = (bytes + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
    *at = NULL;
    if (!nacre_uring_have_room(io, bytes))
        return NULL;
    *at = io->arena + io->arena_used;
    io->arena_used += bytes;
    return nacre_uring_request(io, slot, op);
}

void nacre_uring_aim(const struct io *io, uint32_t slot, enum uring_op op, struct io_uring_sqe *sqe)
{
    if (slot < io->files) {
        sqe->fd = (int)slot;
        sqe->flags |= IOSQE_FIXED_FILE;
    } else {
        sqe->fd = uring_slot_at(io, slot)->fd;
    }
    io_uring_sqe_set_data64(sqe, uring_token(slot, op));
}

bool nacre_uring_cancel(struct io *io, uint32_t slot, enum uring_op op)
{
    struct uring_slot *s = uring_slot_at(io, slot);
    if ((s->cancelled & 1U << op) != 0)
        return true;
    struct io_uring_sqe *sqe = nacre_uring_request(io, slot, OP_NONE);
    if (sqe == NULL)
        return false;
    io_uring_prep_cancel64(sqe, uring_token(slot, op), op == OP_ACCEPT ? IORING_ASYNC_CANCEL_ALL : 0);
    io_uring_sqe_set_data64(sqe, uring_token(0, OP_NONE));
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    s->cancelled = (uint16_t)(s->cancelled | 1U << op);
    return true;
}

/* ---- taking over and letting go -------------------------------------------------------------------------------- */

/* Other workers wait on the same socket unless each has its own on the address (SO_REUSEPORT). */
static bool is_shared(io_socket listener)
{
    int on = 0;
    socklen_t len = sizeof on;
    return getsockopt(listener, SOL_SOCKET, SO_REUSEPORT, &on, &len) != 0 || on == 0;
}

static enum nacre_error uring_listen(struct io *io, io_socket listener, uint64_t owner, uint32_t *slot)
{
    enum nacre_error error = slot_take(io, owner, URING_LISTENER, slot);
    if (error != NACRE_OK)
        return error;
    struct uring_slot *s = uring_slot_at(io, *slot);
    s->fd = listener;
    if (is_shared(listener))
        uring_set(s, SLOT_SHARED);
    nacre_slot_queue_add(&io->slots, &io->work, *slot);
    return NACRE_OK;
}

/* Moves the descriptor into the table of files. On failure it stays the caller's. */
static enum nacre_error place(struct io *io, uint32_t slot, int fd)
{
    if (slot >= io->files) {
        uring_slot_at(io, slot)->fd = fd;
        return NACRE_OK;
    }
    int result = io_uring_register_files_update(&io->ring, slot, &fd, 1);
    if (result != 1)
        return result < 0 ? nacre_error_from_errno(-result) : NACRE_E_NOBUFS;
    close(fd);
    return NACRE_OK;
}

static enum nacre_error uring_attach(struct io *io, io_socket fd, uint64_t owner, uint32_t *slot)
{
    if (fd < 0)
        return NACRE_E_NOTSOCK;
    enum nacre_error error = slot_take(io, owner, URING_STREAM, slot);
    if (error != NACRE_OK)
        return error;
    error = place(io, *slot, fd);
    if (error != NACRE_OK)
        nacre_uring_slot_give(io, *slot);
    else
        nacre_slot_queue_add(&io->slots, &io->work, *slot);
    return error;
}

static enum nacre_error uring_connect(struct io *io, io_socket fd, const struct io_address *to, uint64_t owner,
                                      uint32_t *slot)
{
    enum nacre_error error = nacre_uring_have_ring(io);
    if (error == NACRE_OK)
        error = nacre_uring_have_room(io, sizeof *to) ? uring_attach(io, fd, owner, slot) : NACRE_E_NOBUFS;
    if (error != NACRE_OK)
        return error;
    struct io_address *at = (struct io_address *)(void *)(io->arena + io->arena_used);
    io->arena_used += sizeof *to;
    *at = *to;
    struct io_uring_sqe *sqe = nacre_uring_request(io, *slot, OP_CONNECT);
    io_uring_prep_connect(sqe, -1, (const struct sockaddr *)(const void *)at->bytes, at->len);
    nacre_uring_aim(io, *slot, OP_CONNECT, sqe);
    uring_set(uring_slot_at(io, *slot), SLOT_CONNECTING);
    return NACRE_OK;
}

/* Cancelled here and now, so that as a rule nothing holds the socket that the caller may close next. */
static void stop_accepting(struct io *io, uint32_t slot)
{
    struct uring_slot *s = uring_slot_at(io, slot);
    nacre_slot_queue_remove(&io->slots, &io->resting, slot);
    if (s->accepts == 0 || !nacre_uring_cancel(io, slot, OP_ACCEPT))
        return;
    (void)io_uring_submit_and_get_events(&io->ring);
    if (io_uring_sq_ready(&io->ring) == 0)
        io->arena_used = 0;
}

static void uring_detach(struct io *io, uint32_t slot)
{
    struct uring_slot *s = nacre_uring_slot_find(io, slot);
    if (s == NULL)
        return;
    uring_set(s, SLOT_DETACHED);
    if (s->kind == URING_LISTENER)
        stop_accepting(io, slot);
    else
        nacre_uring_stop_receiving(io, slot);
    nacre_slot_queue_add(&io->slots, &io->work, slot);
}

const struct io_backend nacre_io_uring = {
    .name = "io_uring",
    .usable = nacre_uring_usable,
    .open = uring_open,
    .close = uring_close,
    .listen = uring_listen,
    .attach = uring_attach,
    .connect = uring_connect,
    .receive = nacre_uring_receive,
    .send = nacre_uring_send,
    .shut = nacre_uring_shut,
    .detach = uring_detach,
    .wait = nacre_uring_wait,
    .wake = nacre_uring_wake,
};
