/* SPDX-License-Identifier: Apache-2.0 */
#include "queue.h"

#include <stdlib.h>
#include <string.h>

enum {
    FIRST_ROOM = 16 * 1024
};

bool nacred_queue_add(struct queue *queue, const void *bytes, size_t len)
{
    size_t held = queue_len(queue);

    if (len == 0)
        return true;
    if (len > QUEUE_MAX - held)
        return false;
    if (queue->at > 0 && queue->end + len > queue->room) {
        memmove(queue->bytes, queue_bytes(queue), held);
        queue->at = 0;
        queue->end = held;
    }
    if (queue->end + len > queue->room) {
        size_t room = queue->room ? queue->room : FIRST_ROOM;
        while (room < queue->end + len)
            room *= 2;
        unsigned char *grown = realloc(queue->bytes, room);
        if (!grown)
            return false;
        queue->bytes = grown;
        queue->room = room;
    }
    memcpy(queue->bytes + queue->end, bytes, len);
    queue->end += len;
    return true;
}

void nacred_queue_drop(struct queue *queue, size_t len)
{
    queue->at += len;
    if (queue->at == queue->end)
        nacred_queue_free(queue);
}

void nacred_queue_free(struct queue *queue)
{
    free(queue->bytes);
    *queue = (struct queue){0};
}
