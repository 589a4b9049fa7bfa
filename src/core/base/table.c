/* SPDX-License-Identifier: Apache-2.0 */
/* The table of objects with ids. Slabs are added as they are needed; each has a queue of free slots through next_free,
 * and behind `fresh` those that have not been used. */
#include "base/table.h"

#include <stdlib.h>
#include <string.h>

#include "base/plat.h"

static const uint32_t generation_mask = (UINT32_C(1) << ID_GENERATION_BITS) - 1;
static const uint32_t slot_mask = (UINT32_C(1) << ID_SLOT_BITS) - 1;

void nacre_table_init(struct table *t, enum table_kind kind, unsigned shard, size_t size, uint32_t max)
{
    uint32_t most = UINT32_C(1) << ID_SLOT_BITS;
    *t = (struct table){.kind = kind, .shard = shard, .size = size, .max = max < most ? max : most};
}

/* Bytes of a whole slab; only the last one may have fewer slots. */
static size_t slab_bytes(const struct table *t)
{
    uint32_t slots = t->max < TABLE_SLAB_SLOTS ? t->max : TABLE_SLAB_SLOTS;
    return slots * t->size;
}

static uint32_t slab_count(const struct table *t)
{
    return (t->made + TABLE_SLAB_SLOTS - 1) / TABLE_SLAB_SLOTS;
}

void nacre_table_destroy(struct table *t)
{
    for (uint32_t i = 0; i < slab_count(t); i++)
        nacre_pages_free(t->slabs[i].at);
    free(t->slabs);
    nacre_table_init(t, t->kind, t->shard, t->size, t->max);
}

static struct slot *slot_at(const struct table *t, uint32_t n)
{
    return (struct slot *)(void *)(t->slabs[n / TABLE_SLAB_SLOTS].at + n % TABLE_SLAB_SLOTS * t->size);
}

static uint32_t slot_number(int64_t id)
{
    return (uint32_t)((uint64_t)id >> ID_GENERATION_BITS) & slot_mask;
}

static int64_t make_id(const struct table *t, uint32_t n, uint32_t generation)
{
    uint64_t id = (uint64_t)t->kind << ID_SHARD_BITS | t->shard;
    id = id << ID_SLOT_BITS | n;
    return (int64_t)(id << ID_GENERATION_BITS | generation);
}

static uint32_t generation_after(uint32_t generation)
{
    return generation >= generation_mask ? 1 : generation + 1;
}

static bool make_room_for_slab(struct table *t, uint32_t slab)
{
    if (slab < t->slab_room)
        return true;
    uint32_t room = t->slab_room == 0 ? 16 : t->slab_room * 2;
    struct table_slab *slabs = (struct table_slab *)realloc(t->slabs, room * sizeof *slabs);
    if (slabs == NULL)
        return false;
    t->slabs = slabs;
    t->slab_room = room;
    return true;
}

/* Adds a slab of free slots. False when the table is full or memory or entropy is out. */
static bool grow(struct table *t)
{
    uint32_t random;
    uint32_t slab = slab_count(t);
    uint32_t count = t->max - t->made < TABLE_SLAB_SLOTS ? t->max - t->made : TABLE_SLAB_SLOTS;
    if (count == 0 || !make_room_for_slab(t, slab) || !nacre_entropy(&random, sizeof random))
        return false;
    unsigned char *at = (unsigned char *)nacre_pages_alloc(slab_bytes(t));
    if (at == NULL)
        return false;
    t->slabs[slab] = (struct table_slab){.at = at, .generation = random % generation_mask + 1};
    t->made += count;
    t->roomy = slab;
    return true;
}

static uint32_t slots_of(const struct table *t, uint32_t slab)
{
    uint32_t left = t->made - slab * TABLE_SLAB_SLOTS;
    return left < TABLE_SLAB_SLOTS ? left : TABLE_SLAB_SLOTS;
}

/* Makes `roomy` the lowest slab with a free slot. False when there is none and none can be had. */
static bool find_room(struct table *t)
{
    uint32_t count = slab_count(t);
    while (t->roomy < count && t->slabs[t->roomy].used == slots_of(t, t->roomy))
        t->roomy++;
    return t->roomy < count || grow(t);
}

/* The number of a free slot of that slab, taken off its queue or its fresh ones. */
static uint32_t pop_free(struct table *t, uint32_t slab)
{
    struct table_slab *b = &t->slabs[slab];
    uint32_t n = b->free_first - 1;
    if (b->free_first == 0) {
        n = slab * TABLE_SLAB_SLOTS + b->fresh++;
        slot_at(t, n)->generation = b->generation;
        return n;
    }
    b->free_first = slot_at(t, n)->next_free;
    if (b->free_first == 0)
        b->free_last = 0;
    return n;
}

void *nacre_table_take(struct table *t)
{
    if (!find_room(t))
        return NULL;
    uint32_t n = pop_free(t, t->roomy);
    struct slot *s = slot_at(t, n);
    memset((unsigned char *)s + sizeof *s, 0, t->size - sizeof *s);
    s->next_free = 0;
    s->id = make_id(t, n, s->generation);
    t->slabs[t->roomy].used++;
    if (t->spare == t->roomy + 1)
        t->spare = 0;
    t->used++;
    return s;
}

static void append_free(struct table *t, uint32_t n)
{
    struct table_slab *b = &t->slabs[n / TABLE_SLAB_SLOTS];
    slot_at(t, n)->next_free = 0;
    if (b->free_first == 0)
        b->free_first = n + 1;
    else
        slot_at(t, b->free_last - 1)->next_free = n + 1;
    b->free_last = n + 1;
}

/* The slab has no slot in use. One such keeps its memory, so that a table that goes up and down by a few does not ask
 * the system each time. */
static void empty(struct table *t, uint32_t slab)
{
    struct table_slab *b = &t->slabs[slab];
    if (t->spare == 0) {
        t->spare = slab + 1;
        return;
    }
    if (b->worn)
        return;
    nacre_pages_clean(b->at, slab_bytes(t));
    b->fresh = 0;
    b->free_first = 0;
    b->free_last = 0;
}

void nacre_table_give(struct table *t, void *object)
{
    struct slot *s = (struct slot *)object;
    if (s == NULL || s->id == 0)
        return;
    uint32_t n = slot_number(s->id), slab = n / TABLE_SLAB_SLOTS;
    struct table_slab *b = &t->slabs[slab];
    s->id = 0;
    s->generation = generation_after(s->generation);
    b->worn = b->worn || s->generation == 1;
    if (s->generation > b->generation)
        b->generation = s->generation;
    append_free(t, n);
    t->used--;
    if (slab < t->roomy)
        t->roomy = slab;
    if (--b->used == 0)
        empty(t, slab);
}

static bool is_made(const struct table *t, uint32_t n)
{
    return n < t->made && n % TABLE_SLAB_SLOTS < t->slabs[n / TABLE_SLAB_SLOTS].fresh;
}

void *nacre_table_place(const struct table *t, int64_t id)
{
    uint32_t n = slot_number(id);
    return id > 0 && is_made(t, n) ? slot_at(t, n) : NULL;
}

void *nacre_table_find(const struct table *t, int64_t id)
{
    struct slot *s = nacre_table_place(t, id);
    return s != NULL && s->id == id ? s : NULL;
}

void *nacre_table_at(const struct table *t, uint32_t n)
{
    if (!is_made(t, n))
        return NULL;
    struct slot *s = slot_at(t, n);
    return s->id == 0 ? NULL : s;
}
