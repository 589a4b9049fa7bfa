/* SPDX-License-Identifier: Apache-2.0 */
/* Where bytes are received that may be many: one big block for all sockets of a thread. What turns out to be little is
 * copied into a block that fits, and the big one serves the next receive; with much in it, it is handed over itself. So
 * a connection that waits owns no block. */
#ifndef BASE_LANDING_H
#define BASE_LANDING_H

#include <string.h>

#include "base/pool.h"

enum {
    SMALL_RECEIVE = 4096, /* up to here a copy into a fitting block is cheaper than a big block being kept */
};

struct landing {
    struct pool *pool;
    size_t headroom; /* bytes kept free in front */
    size_t room;     /* of a receive, behind the headroom */
    struct block *block;
};

static inline void landing_close(struct landing *l)
{
    nacre_block_release(l->block);
    l->block = NULL;
}

/* Where to receive up to `room` bytes; NULL: memory or the budget is out. */
static inline uint8_t *landing_at(struct landing *l)
{
    if (l->block == NULL)
        l->block = nacre_pool_alloc(l->pool, l->headroom + l->room);
    return l->block == NULL ? NULL : l->block->at + l->headroom;
}

/* A fitting block with a copy of `n` bytes behind the headroom; NULL: memory or the budget is out. */
static inline struct block *block_with(struct pool *pool, size_t headroom, const uint8_t *bytes, size_t n)
{
    struct block *b = nacre_pool_alloc(pool, headroom + n);
    if (b == NULL)
        return NULL;
    memcpy(b->at + headroom, bytes, n);
    b->start = headroom;
    b->len = n;
    return b;
}

/* A block with the `n` bytes that were received there. */
static inline struct block *landing_take(struct landing *l, size_t n)
{
    struct block *big = l->block, *small = NULL;
    if (n <= SMALL_RECEIVE)
        small = block_with(l->pool, l->headroom, big->at + l->headroom, n);
    if (small != NULL)
        return small;
    l->block = NULL;
    big->start = l->headroom;
    big->len = n;
    return big;
}

#endif
