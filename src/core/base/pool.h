/* SPDX-License-Identifier: Apache-2.0 */
/* Reference-counted blocks of memory for bytes on their way: received data, channel data to send, packets to the
 * kernel.
 *
 * A pool belongs to one shard but any thread may allocate from it and release into it: one short lock protects its free
 * lists. Sizes come in classes; freed blocks are kept up to a bound a class and given back to the system past it.
 * The count of bytes handed out is the pool's budget: pool_alloc fails when it would pass `max_bytes`, or when the
 * budget that the pool shares with others is out. Memory that is not in blocks can be charged to the pool, so that the
 * shared budget knows of it. */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/budget.h"
#include "base/plat.h"

enum {
    POOL_CLASSES = 7
};

struct pool;

struct block {
    struct pool *pool;
    struct block *next;    /* free list, or a queue of the block's one owner */
    _Atomic uint32_t refs; /* release/acquire: the last release sees every use */
    uint8_t class;         /* size class; POOL_CLASSES when allocated past the largest */
    size_t size;           /* bytes at `at` */
    size_t start, len;     /* the owner's: used bytes are at[start .. start+len) */
    _Alignas(16) uint8_t at[];
};

struct pool {
    plat_mutex lock; /* protects free, kept and least */
    struct block *free[POOL_CLASSES];
    unsigned kept[POOL_CLASSES];
    unsigned least[POOL_CLASSES]; /* that were kept at any moment since nacre_pool_tidy() */
    _Atomic size_t used;          /* bytes in blocks handed out; relaxed, a budget and not an order */
    _Atomic size_t made, most;    /* relaxed: bytes of all blocks there are, and of those there were at a peak */
    size_t max_bytes;             /* 0: no bound */
    struct budget *budget;        /* NULL: none is shared */
    _Atomic size_t charged;       /* relaxed: bytes that are not in blocks */
    _Atomic size_t drawn;         /* relaxed: taken from the budget; at least used + charged, but for a race's moment */
};

void nacre_pool_init(struct pool *p, size_t max_bytes);

/* From now on what the pool hands out counts against `budget` as well, which outlives it. Before the first block. */
void nacre_pool_share(struct pool *p, struct budget *budget);

/* Counts memory that is not in blocks. False and not counted: the budget is out. */
bool nacre_pool_charge(struct pool *p, size_t bytes);
void nacre_pool_uncharge(struct pool *p, size_t bytes);

/* The shared budget is nearly used up. */
static inline bool pool_is_tight(const struct pool *p)
{
    return p->budget != NULL && budget_is_tight(p->budget);
}

/* Every block must have come back. */
void nacre_pool_destroy(struct pool *p);

/* A block of at least `size` bytes with one reference, or NULL when memory or the budget is out. Not zeroed. */
struct block *nacre_pool_alloc(struct pool *p, size_t size);

static inline struct block *block_ref(struct block *b)
{
    atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed); /* the caller holds one already */
    return b;
}

/* True when the caller's is the only reference. */
static inline bool block_is_sole(const struct block *b)
{
    return atomic_load_explicit(&b->refs, memory_order_acquire) == 1;
}

/* Drops one reference; the last one returns the block. NULL is allowed. */
void nacre_block_release(struct block *b);

/* Holding `len` bytes of it would hold a big block that little was received into. */
static inline bool block_is_waste(const struct block *b, size_t len)
{
    return len < b->size / 8;
}

/* What is in `b` in a block of its own that fits it, for the caller's reference to `b`; without memory for that, or
 * when it is one already, `b`. */
struct block *nacre_block_fit(struct block *b);

/* Gives kept free blocks back to the system. */
void nacre_pool_trim(struct pool *p);

/* Gives back those that have not been needed since the last call. True: some are kept still. */
bool nacre_pool_tidy(struct pool *p);

/* More than half of a peak that is worth the trouble has gone back to free() since this was last true: what that keeps
 * of it is worth looking for (nacre_memory_trim()). */
bool nacre_pool_peak_is_over(struct pool *p);

#endif
