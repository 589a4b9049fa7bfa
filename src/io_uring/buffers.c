/* SPDX-License-Identifier: Apache-2.0 */
/* The io_uring back end: the buffers that the kernel picks from when bytes are there, so that a connection that waits
 * owns none. Small receives land in memory of the instance and are copied into a fitting block; who receives much does
 * so into blocks of the pool, which are there only while somebody does. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/landing.h"
#include "engine/sock.h"
#include "io_uring/uring.h"

enum {
    PAGE = 4096
};

static enum nacre_error open_ring(struct io *io, unsigned entries, int group, struct io_uring_buf_ring **out)
{
    size_t bytes = (entries * sizeof(struct io_uring_buf) + PAGE - 1) / PAGE * PAGE;
    struct io_uring_buf_ring *ring = (struct io_uring_buf_ring *)aligned_alloc(PAGE, bytes);
    if (ring == NULL)
        return NACRE_E_NOBUFS;
    memset(ring, 0, bytes);
    struct io_uring_buf_reg reg = {
        .ring_addr = (uint64_t)(uintptr_t)ring, .ring_entries = entries, .bgid = (uint16_t)group};
    int result = io_uring_register_buf_ring(&io->ring, &reg, 0);
    if (result != 0) {
        free(ring);
        return nacre_error_from_errno(-result);
    }
    *out = ring;
    return NACRE_OK;
}

enum nacre_error nacre_uring_buffers_open(struct io *io)
{
    io->landing = (uint8_t *)aligned_alloc(PAGE, (size_t)LANDING_COUNT * LANDING_BYTES);
    if (io->landing == NULL)
        return NACRE_E_NOBUFS;
    enum nacre_error error = open_ring(io, LANDING_COUNT, LANDING_GROUP, &io->landing_ring);
    if (error == NACRE_OK)
        error = open_ring(io, BIG_COUNT, BIG_GROUP, &io->big_ring);
    for (unsigned i = 0; error == NACRE_OK && i < LANDING_COUNT; i++)
        nacre_uring_landing_return(io, i);
    return error;
}

/* The ring is gone: the kernel writes to none of it any more. */
void nacre_uring_buffers_close(struct io *io)
{
    for (unsigned i = 0; i < BIG_COUNT; i++) {
        nacre_block_release(io->big[i]);
        io->big[i] = NULL;
    }
    free(io->big_ring);
    free(io->landing_ring);
    free(io->landing);
    io->big_ring = io->landing_ring = NULL;
    io->landing = NULL;
    io->landing_free = io->big_free = 0;
}

void nacre_uring_landing_return(struct io *io, unsigned number)
{
    io_uring_buf_ring_add(io->landing_ring, io->landing + (size_t)number * LANDING_BYTES, LANDING_BYTES,
                          (unsigned short)number, LANDING_COUNT - 1, 0);
    io_uring_buf_ring_advance(io->landing_ring, 1);
    io->landing_free++;
}

void nacre_uring_big_return(struct io *io, unsigned number)
{
    io_uring_buf_ring_add(io->big_ring, io->big[number]->at + io->options.headroom, (unsigned)io->options.receive_bytes,
                          (unsigned short)number, BIG_COUNT - 1, 0);
    io_uring_buf_ring_advance(io->big_ring, 1);
    io->big_free++;
}

void nacre_uring_big_fill(struct io *io)
{
    for (unsigned i = 0; i < BIG_COUNT; i++) {
        if (io->big[i] != NULL)
            continue;
        io->big[i] = nacre_pool_alloc(io->options.pool, io->options.headroom + io->options.receive_bytes);
        if (io->big[i] == NULL)
            return;
        nacre_uring_big_return(io, i);
    }
}

/* With nobody to pick from the ring, the kernel stands where we say that it ends. */
void nacre_uring_big_clear(struct io *io)
{
    io_uring_buf_ring_advance(io->big_ring, -(int)io->big_free);
    io->big_free = 0;
    for (unsigned i = 0; i < BIG_COUNT; i++) {
        nacre_block_release(io->big[i]);
        io->big[i] = NULL;
    }
}

struct block *nacre_uring_landing_copy(struct io *io, unsigned number, size_t len)
{
    const uint8_t *at = io->landing + (size_t)number * LANDING_BYTES;
    struct block *b = block_with(io->options.pool, io->options.headroom, at, len);
    if (b != NULL)
        nacre_uring_landing_return(io, number);
    return b;
}

struct block *nacre_uring_big_take(struct io *io, unsigned number, size_t len)
{
    struct block *big = io->big[number];
    struct block *small = NULL;
    if (len <= SMALL_RECEIVE)
        small = block_with(io->options.pool, io->options.headroom, big->at + io->options.headroom, len);
    if (small != NULL) {
        nacre_uring_big_return(io, number);
        return small;
    }
    io->big[number] = NULL;
    big->start = io->options.headroom;
    big->len = len;
    return big;
}
