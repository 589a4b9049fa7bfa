/* SPDX-License-Identifier: Apache-2.0 */
/* The table of objects with ids. Slabs are added as they are needed; free slots form a queue through next_free. */
#include "base/table.h"

#include <stdbool.h>
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

void nacre_table_destroy(struct table *t)
{
    for (uint32_t i = 0; i * TABLE_SLAB_SLOTS < t->made; i++)
        free(t->slabs[i]);
    free(t->slabs);
    nacre_table_init(t, t->kind, t->shard, t->size, t->max);
}

static struct slot *slot_at(const struct table *t, uint32_t n)
{
    return (struct slot *)(void *)(t->slabs[n / TABLE_SLAB_SLOTS] + n % TABLE_SLAB_SLOTS * t->size);
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

static void append_free(struct table *t, uint32_t n)
{
    slot_at(t, n)->next_free = 0;
    if (t->free_first == 0)
        t->free_first = n + 1;
    else
        slot_at(t, t->free_last - 1)->next_free = n + 1;
    t->free_last = n + 1;
}

static bool make_room_for_slab(struct table *t, uint32_t slab)
{
    if (slab < t->slab_room)
        return true;
    uint32_t room = t->slab_room == 0 ? 16 : t->slab_room * 2;
    unsigned char **slabs = (unsigned char **)realloc(t->slabs, room * sizeof *slabs);
    if (slabs == NULL)
        return false;
    t->slabs = slabs;
    t->slab_room = room;
    return true;
}

/* Adds a slab of free slots. False when the table is full or memory or entropy is out. */
static bool grow(struct table *t)
{
    uint32_t random[TABLE_SLAB_SLOTS];
    uint32_t slab = t->made / TABLE_SLAB_SLOTS;
    uint32_t count = t->max - t->made < TABLE_SLAB_SLOTS ? t->max - t->made : TABLE_SLAB_SLOTS;
    if (count == 0 || !make_room_for_slab(t, slab) || !nacre_entropy(random, sizeof random))
        return false;
    t->slabs[slab] = (unsigned char *)calloc(count, t->size);
    if (t->slabs[slab] == NULL)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        slot_at(t, t->made + i)->generation = random[i] % generation_mask + 1;
        append_free(t, t->made + i);
    }
    t->made += count;
    return true;
}

void *nacre_table_take(struct table *t)
{
    if (t->free_first == 0 && !grow(t))
        return NULL;
    uint32_t n = t->free_first - 1;
    struct slot *s = slot_at(t, n);
    t->free_first = s->next_free;
    if (t->free_first == 0)
        t->free_last = 0;
    memset((unsigned char *)s + sizeof *s, 0, t->size - sizeof *s);
    s->next_free = 0;
    s->id = make_id(t, n, s->generation);
    t->used++;
    return s;
}

void nacre_table_give(struct table *t, void *object)
{
    struct slot *s = (struct slot *)object;
    if (s == NULL || s->id == 0)
        return;
    uint32_t n = slot_number(s->id);
    s->id = 0;
    s->generation = generation_after(s->generation);
    append_free(t, n);
    t->used--;
}

void *nacre_table_find(const struct table *t, int64_t id)
{
    uint32_t n = slot_number(id);
    if (id <= 0 || n >= t->made)
        return NULL;
    struct slot *s = slot_at(t, n);
    return s->id == id ? s : NULL;
}

void *nacre_table_at(const struct table *t, uint32_t n)
{
    if (n >= t->made)
        return NULL;
    struct slot *s = slot_at(t, n);
    return s->id == 0 ? NULL : s;
}
