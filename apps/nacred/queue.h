/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes that wait because whoever should take them is slow. Owns memory only while it holds some. */
#ifndef NACRED_QUEUE_H
#define NACRED_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

enum {
    QUEUE_HIGH = 256 * 1024,     /* above it, the producer is to be stopped */
    QUEUE_LOW = 64 * 1024,       /* below it, it may go on */
    QUEUE_MAX = 4 * 1024 * 1024, /* what is never passed, whatever happens */
};

struct queue {
    unsigned char *bytes;
    size_t at; /* first byte that still waits */
    size_t end;
    size_t room;
};

static inline size_t queue_len(const struct queue *queue)
{
    return queue->end - queue->at;
}

static inline const unsigned char *queue_bytes(const struct queue *queue)
{
    return queue->bytes + queue->at;
}

/* False when out of memory or past QUEUE_MAX; nothing was added then. */
bool nacred_queue_add(struct queue *queue, const void *bytes, size_t len);

/* Forgets the first `len` bytes, of those that there are. */
void nacred_queue_drop(struct queue *queue, size_t len);

void nacred_queue_free(struct queue *queue);

#endif
