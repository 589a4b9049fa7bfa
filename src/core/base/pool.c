/* SPDX-License-Identifier: Apache-2.0 */
/* Size-classed blocks with bounded free lists.
 *
 * The classes fit what the engine moves: small messages; a 4 KiB read; a 16 KiB channel packet; a 32 KiB packet; a
 * small read behind the headroom of one; a 64 KiB send; and a receive of as much behind a packet's headroom. The free
 * lists are last in, first out: the block freed last is the one still in the cache. */
#include "base/pool.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    size_t size;   /* bytes at block->at */
    unsigned keep; /* free blocks kept at most */
} classes[POOL_CLASSES] = {
    {1024, 1024}, {4096, 512}, {17 * 1024, 128}, {33 * 1024, 64}, {41 * 1024, 64}, {69 * 1024, 32}, {105 * 1024, 32},
};

/* What a pool takes from the shared budget at a time, and keeps at most double of. */
static const size_t piece = 128 * 1024;
static const size_t peak_least = 1024 * 1024;

void nacre_pool_init(struct pool *p, size_t max_bytes)
{
    *p = (struct pool){.max_bytes = max_bytes};
    atomic_init(&p->used, 0);
    atomic_init(&p->charged, 0);
    atomic_init(&p->drawn, 0);
    atomic_init(&p->made, 0);
    atomic_init(&p->most, 0);
    nacre_mutex_init(&p->lock);
}

void nacre_pool_share(struct pool *p, struct budget *budget)
{
    p->budget = budget;
}

void nacre_pool_destroy(struct pool *p)
{
    nacre_pool_trim(p);
    if (p->budget != NULL)
        nacre_budget_give(p->budget, atomic_load_explicit(&p->drawn, memory_order_relaxed));
    nacre_mutex_destroy(&p->lock);
}

static unsigned class_of(size_t size)
{
    unsigned c = 0;
    while (c < POOL_CLASSES && size > classes[c].size)
        c++;
    return c;
}

static size_t in_use(const struct pool *p)
{
    return atomic_load_explicit(&p->used, memory_order_relaxed) +
           atomic_load_explicit(&p->charged, memory_order_relaxed);
}

/* Makes sure that what is in use has been taken from the shared budget. */
static bool draw(struct pool *p)
{
    if (p->budget == NULL)
        return true;
    size_t drawn = atomic_load_explicit(&p->drawn, memory_order_relaxed);
    for (size_t used; (used = in_use(p)) > drawn;) {
        size_t more = (used - drawn + piece - 1) / piece * piece;
        if (!nacre_budget_take(p->budget, more)) {
            more = used - drawn; /* the last of it */
            if (!nacre_budget_take(p->budget, more))
                return false;
        }
        drawn = atomic_fetch_add_explicit(&p->drawn, more, memory_order_relaxed) + more;
    }
    return true;
}

/* Gives back what has been drawn and is not needed, piece by piece. */
static void undraw(struct pool *p)
{
    if (p->budget == NULL)
        return;
    size_t drawn = atomic_load_explicit(&p->drawn, memory_order_relaxed);
    while (drawn > in_use(p) + 2 * piece) {
        size_t much = (drawn - in_use(p) - piece) / piece * piece;
        if (!atomic_compare_exchange_weak_explicit(&p->drawn, &drawn, drawn - much, memory_order_relaxed,
                                                   memory_order_relaxed))
            continue;
        nacre_budget_give(p->budget, much);
        drawn -= much;
    }
}

/* Takes `size` bytes off the pool's own budget; false when it is out. */
static bool own_take(struct pool *p, size_t size)
{
    if (p->max_bytes == 0) {
        atomic_fetch_add_explicit(&p->used, size, memory_order_relaxed);
        return true;
    }
    size_t used = atomic_load_explicit(&p->used, memory_order_relaxed);
    do {
        if (size > p->max_bytes || used > p->max_bytes - size)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&p->used, &used, used + size, memory_order_relaxed,
                                                    memory_order_relaxed));
    return true;
}

static void budget_give(struct pool *p, size_t size)
{
    atomic_fetch_sub_explicit(&p->used, size, memory_order_relaxed);
    undraw(p);
}

/* Takes `size` bytes off both budgets; false when one is out. */
static bool budget_take(struct pool *p, size_t size)
{
    if (!own_take(p, size))
        return false;
    if (draw(p))
        return true;
    budget_give(p, size);
    return false;
}

bool nacre_pool_charge(struct pool *p, size_t bytes)
{
    atomic_fetch_add_explicit(&p->charged, bytes, memory_order_relaxed);
    if (draw(p))
        return true;
    nacre_pool_uncharge(p, bytes);
    return false;
}

void nacre_pool_uncharge(struct pool *p, size_t bytes)
{
    atomic_fetch_sub_explicit(&p->charged, bytes, memory_order_relaxed);
    undraw(p);
}

static struct block *take_kept(struct pool *p, unsigned class)
{
    nacre_mutex_lock(&p->lock);
    struct block *b = p->free[class];
    if (b != NULL) {
        p->free[class] = b->next;
        p->kept[class]--;
        if (p->kept[class] < p->least[class])
            p->least[class] = p->kept[class];
    }
    nacre_mutex_unlock(&p->lock);
    return b;
}

static struct block *make_block(struct pool *p, unsigned class, size_t size)
{
    if (size > SIZE_MAX - sizeof(struct block))
        return NULL;
    struct block *b = (struct block *)malloc(sizeof *b + size);
    if (b == NULL)
        return NULL;
    b->pool = p;
    b->class = (uint8_t) class;
    b->size = size;
    atomic_init(&b->refs, 0);
    size_t made = atomic_fetch_add_explicit(&p->made, size, memory_order_relaxed) + size;
    if (made > atomic_load_explicit(&p->most, memory_order_relaxed))
        atomic_store_explicit(&p->most, made, memory_order_relaxed);
    return b;
}

struct block *nacre_pool_alloc(struct pool *p, size_t size)
{
    unsigned class = class_of(size);
    size_t bytes = class < POOL_CLASSES ? classes[class].size : size;
    if (!budget_take(p, bytes))
        return NULL;
    struct block *b = class < POOL_CLASSES ? take_kept(p, class) : NULL;
    if (b == NULL)
        b = make_block(p, class, bytes);
    if (b == NULL) {
        budget_give(p, bytes);
        return NULL;
    }
    b->next = NULL;
    b->start = 0;
    b->len = 0;
    atomic_store_explicit(&b->refs, 1, memory_order_relaxed);
    return b;
}

void nacre_block_release(struct block *b)
{
    if (b == NULL || atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1)
        return;
    struct pool *p = b->pool;
    unsigned class = b->class;
    nacre_mutex_lock(&p->lock);
    bool kept = class < POOL_CLASSES && p->kept[class] < classes[class].keep;
    if (kept) {
        b->next = p->free[class];
        p->free[class] = b;
        p->kept[class]++;
    }
    /* Last and under the lock: whoever sees `used` at 0 may destroy the pool, and has to take the lock for it. */
    budget_give(p, b->size);
    if (!kept)
        atomic_fetch_sub_explicit(&p->made, b->size, memory_order_relaxed);
    nacre_mutex_unlock(&p->lock);
    if (!kept)
        free(b);
}

struct block *nacre_block_fit(struct block *b)
{
    if (block_is_sole(b) && class_of(b->len) == b->class && b->class < POOL_CLASSES)
        return b;
    struct block *small = nacre_pool_alloc(b->pool, b->len);
    if (small == NULL)
        return b;
    memcpy(small->at, b->at + b->start, b->len);
    small->start = 0;
    small->len = b->len;
    nacre_block_release(b);
    return small;
}

/* Takes up to `count` blocks out of the free list and gives them back to the system. How many stay. */
static unsigned give_back(struct pool *p, unsigned class, unsigned count)
{
    struct block *given = NULL;
    nacre_mutex_lock(&p->lock);
    for (struct block *b; count != 0 && (b = p->free[class]) != NULL; count--) {
        p->free[class] = b->next;
        p->kept[class]--;
        b->next = given;
        given = b;
    }
    unsigned stay = p->least[class] = p->kept[class];
    nacre_mutex_unlock(&p->lock);
    while (given != NULL) {
        struct block *next = given->next;
        atomic_fetch_sub_explicit(&p->made, given->size, memory_order_relaxed);
        free(given);
        given = next;
    }
    return stay;
}

void nacre_pool_trim(struct pool *p)
{
    for (unsigned class = 0; class < POOL_CLASSES; class ++)
        (void)give_back(p, class, UINT_MAX);
}

bool nacre_pool_tidy(struct pool *p)
{
    bool some = false;
    for (unsigned class = 0; class < POOL_CLASSES; class ++) {
        nacre_mutex_lock(&p->lock);
        unsigned unused = p->least[class];
        nacre_mutex_unlock(&p->lock);
        some = give_back(p, class, unused) != 0 || some;
    }
    return some;
}

bool nacre_pool_peak_is_over(struct pool *p)
{
    size_t made = atomic_load_explicit(&p->made, memory_order_relaxed);
    size_t most = atomic_load_explicit(&p->most, memory_order_relaxed);
    if (most < peak_least || made > most / 2)
        return false;
    atomic_store_explicit(&p->most, made, memory_order_relaxed);
    return true;
}
