/* SPDX-License-Identifier: Apache-2.0 */
/* Chained hash tables behind one lock each. A shard that cannot grow for lack of memory stays as it is: look-ups get
 * slower, nothing fails. */
#include "idmap.h"

#include <stdlib.h>
#include <string.h>

/* Ids carry worker, slot and generation in their bits: mix all of them into the ones used here. */
static uint64_t id_hash(int64_t id)
{
    uint64_t x = (uint64_t)id;

    x ^= x >> 32;
    x *= 0x9e3779b97f4a7c15u;
    return x ^ (x >> 29);
}

static struct idmap_shard *shard_of(struct idmap *map, uint64_t hash)
{
    return &map->shards[hash >> 58];
}

_Static_assert(IDMAP_SHARDS == 64, "shard_of() takes the top 6 bits");

void nacred_idmap_init(struct idmap *map)
{
    for (size_t i = 0; i < IDMAP_SHARDS; i++) {
        struct idmap_shard *shard = &map->shards[i];

        pthread_mutex_init(&shard->lock, NULL);
        shard->first_bucket = NULL;
        shard->buckets = &shard->first_bucket;
        shard->mask = 0;
        shard->count = 0;
    }
}

void nacred_idmap_free(struct idmap *map)
{
    for (size_t i = 0; i < IDMAP_SHARDS; i++) {
        struct idmap_shard *shard = &map->shards[i];

        if (shard->buckets != &shard->first_bucket)
            free(shard->buckets);
        pthread_mutex_destroy(&shard->lock);
    }
}

static void shard_grow(struct idmap_shard *shard)
{
    size_t room = (shard->mask + 1) * 2;
    struct idmap_node **grown = calloc(room < 16 ? 16 : room, sizeof *grown);
    size_t mask = (room < 16 ? 16 : room) - 1;

    if (!grown)
        return;
    for (size_t i = 0; i <= shard->mask; i++) {
        struct idmap_node *node = shard->buckets[i];

        while (node) {
            struct idmap_node *next = node->next;
            struct idmap_node **bucket = &grown[id_hash(node->id) & mask];

            node->next = *bucket;
            *bucket = node;
            node = next;
        }
    }
    if (shard->buckets != &shard->first_bucket)
        free(shard->buckets);
    shard->buckets = grown;
    shard->mask = mask;
}

void nacred_idmap_add(struct idmap *map, int64_t id, struct idmap_node *node)
{
    uint64_t hash = id_hash(id);
    struct idmap_shard *shard = shard_of(map, hash);

    pthread_mutex_lock(&shard->lock);
    if (shard->count > shard->mask)
        shard_grow(shard);
    struct idmap_node **bucket = &shard->buckets[hash & shard->mask];
    node->id = id;
    node->next = *bucket;
    *bucket = node;
    shard->count++;
    pthread_mutex_unlock(&shard->lock);
}

/* The link that points to the entry, or to the NULL at the end of its chain. */
static struct idmap_node **link_of(struct idmap_shard *shard, uint64_t hash, int64_t id)
{
    struct idmap_node **link = &shard->buckets[hash & shard->mask];

    while (*link && (*link)->id != id)
        link = &(*link)->next;
    return link;
}

struct idmap_node *nacred_idmap_find(struct idmap *map, int64_t id)
{
    uint64_t hash = id_hash(id);
    struct idmap_shard *shard = shard_of(map, hash);

    pthread_mutex_lock(&shard->lock);
    struct idmap_node *node = *link_of(shard, hash, id);
    pthread_mutex_unlock(&shard->lock);
    return node;
}

struct idmap_node *nacred_idmap_remove(struct idmap *map, int64_t id)
{
    uint64_t hash = id_hash(id);
    struct idmap_shard *shard = shard_of(map, hash);

    pthread_mutex_lock(&shard->lock);
    struct idmap_node **link = link_of(shard, hash, id);
    struct idmap_node *node = *link;
    if (node) {
        *link = node->next;
        shard->count--;
    }
    pthread_mutex_unlock(&shard->lock);
    return node;
}

size_t nacred_idmap_count(struct idmap *map)
{
    size_t count = 0;

    for (size_t i = 0; i < IDMAP_SHARDS; i++) {
        pthread_mutex_lock(&map->shards[i].lock);
        count += map->shards[i].count;
        pthread_mutex_unlock(&map->shards[i].lock);
    }
    return count;
}
