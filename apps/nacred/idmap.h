/* SPDX-License-Identifier: Apache-2.0 */
/* From a connection or channel id to what nacred keeps about it. Any thread.
 *
 * The map is cut into shards with a lock each, so that event threads seldom meet. It holds pointers and frees nothing:
 * who may use an entry for how long is said where the entry is declared. */
#ifndef NACRED_IDMAP_H
#define NACRED_IDMAP_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    IDMAP_SHARDS = 64
};

/* Embedded in every entry; the map's own. */
struct idmap_node {
    int64_t id;
    struct idmap_node *next;
};

struct idmap_shard {
    pthread_mutex_t lock; /* protects everything below */
    struct idmap_node **buckets;
    size_t mask; /* buckets - 1; there is at least one */
    size_t count;
    struct idmap_node *first_bucket; /* what `buckets` points to until the shard grows */
};

struct idmap {
    struct idmap_shard shards[IDMAP_SHARDS];
};

void nacred_idmap_init(struct idmap *map);
void nacred_idmap_free(struct idmap *map);

/* `id` must not be in the map yet. */
void nacred_idmap_add(struct idmap *map, int64_t id, struct idmap_node *node);

/* NULL when there is none. */
struct idmap_node *nacred_idmap_find(struct idmap *map, int64_t id);

/* Takes the entry out and returns it; NULL when there is none. */
struct idmap_node *nacred_idmap_remove(struct idmap *map, int64_t id);

/* Entries in the map; a hint while other threads change it. */
size_t nacred_idmap_count(struct idmap *map);

#endif
