/* SPDX-License-Identifier: Apache-2.0 */
/* Objects of one size addressed by 64-bit ids that are never used twice.
 *
 * An id is [kind:1][shard:10][slot:22][generation:30] below a zero sign bit, so it is positive and never 0. Look-up is
 * two array accesses. Slots live in slabs that are allocated on demand and never move or go away before the table does,
 * so a pointer to a slot may be kept and its id compared later. The first generations of each slab are random: an id of
 * another table does not fit this one.
 *
 * The lowest slab with a free slot is used first, so that a table that has shrunk empties its upper ones. The memory of
 * empty slabs but one goes back to the system, and reads as zeros until it is used again. One thread, or under its
 * owner's lock. */
#ifndef BASE_TABLE_H
#define BASE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum table_kind {
    TABLE_CONNECTIONS = 0,
    TABLE_CHANNELS = 1
};

enum {
    ID_GENERATION_BITS = 30,
    ID_SLOT_BITS = 22,
    ID_SHARD_BITS = 10,
    TABLE_SLAB_SLOTS = 256,
};

/* The head of every object in a table. `id` is 0 while the slot is free. */
struct slot {
    int64_t id;
    uint32_t generation; /* of the present or next use; 1 to 2^30 - 1 */
    uint32_t next_free;  /* slot number + 1; 0 ends the list */
};

struct table_slab {
    unsigned char *at;
    uint32_t used;
    uint32_t fresh;      /* slots from here on have not been used since the memory was new */
    uint32_t free_first; /* slot number + 1; first in, first out, so that generations last */
    uint32_t free_last;
    uint32_t generation; /* that no slot has had: fresh ones begin with it */
    bool worn;           /* generations have wrapped: the memory stays, since it alone knows them */
};

struct table {
    enum table_kind kind;
    unsigned shard;
    size_t size;   /* of one object, its struct slot included */
    uint32_t max;  /* slots at most */
    uint32_t made; /* slots in slabs so far */
    uint32_t used;
    struct table_slab *slabs;
    uint32_t slab_room;
    uint32_t roomy; /* no slab below this one has a free slot */
    uint32_t spare; /* the empty slab that keeps its memory: slab number + 1 */
};

/* `size` is that of an object whose first member is a struct slot; `max` is at most 2^22. */
void nacre_table_init(struct table *t, enum table_kind kind, unsigned shard, size_t size, uint32_t max);
void nacre_table_destroy(struct table *t);

/* A slot in use with a fresh id and everything behind its struct slot zeroed, or NULL when full or out of memory. */
void *nacre_table_take(struct table *t);

/* Frees the slot; its id is stale from now on. The object's bytes are left alone, or become zeros, until it is taken
 * again. */
void nacre_table_give(struct table *t, void *object);

/* The object with this id, or NULL when the id is stale, of another shard, kind or table, or nonsense. */
void *nacre_table_find(const struct table *t, int64_t id);

/* Where the object with this id stands, if it is there still: the memory may be anybody's. NULL: nobody's. Reads
 * nothing of it. */
void *nacre_table_place(const struct table *t, int64_t id);

/* The object in slot `n` (below t->made) or NULL when free. For walking over all. */
void *nacre_table_at(const struct table *t, uint32_t n);

static inline unsigned id_shard(int64_t id)
{
    return (unsigned)((uint64_t)id >> (ID_SLOT_BITS + ID_GENERATION_BITS)) & ((1U << ID_SHARD_BITS) - 1);
}

static inline enum table_kind id_kind(int64_t id)
{
    return (enum table_kind)((uint64_t)id >> (ID_SHARD_BITS + ID_SLOT_BITS + ID_GENERATION_BITS) & 1);
}

#endif
