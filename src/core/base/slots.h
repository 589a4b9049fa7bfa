/* SPDX-License-Identifier: Apache-2.0 */
/* Numbered slots of one size, and queues of them: what a back end keeps about its sockets.
 *
 * Slots come in slabs, which are added as they are needed and stay where they are until the end; a slot that was given
 * back is the next to be taken. A slot has a link, a uint32_t of its owner's choice, for the list of free ones and for
 * the queues; a slot stands in one queue at most by each link that it has. One thread. */
#ifndef BASE_SLOTS_H
#define BASE_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nacre/errors.h"

enum {
    SLAB_SLOTS = 256,
};

struct slots {
    void **slabs;
    size_t size; /* of a slot */
    size_t link; /* where in a slot its link stands */
    uint32_t max;
    uint32_t made;       /* slots in slabs so far */
    uint32_t free_first; /* slot number + 1 */
};

/* First in, first out. The link of who stands in it is the next one's number + 1, or SLOT_QUEUE_END for the last, and 0
 * of who does not. */
#define SLOT_QUEUE_END UINT32_MAX
struct slot_queue {
    uint32_t first, last; /* slot number + 1; 0: the queue is empty, and `last` says nothing */
    size_t link;          /* where in a slot the link for this queue stands */
};

/* `max` is less than UINT32_MAX - 1. False: out of memory. */
bool nacre_slots_init(struct slots *s, size_t size, size_t link, uint32_t max);
/* Zeros are allowed. */
void nacre_slots_destroy(struct slots *s);

/* A slot to use, with its link 0 and its other bytes as they were left, zeros at first. NACRE_E_TOO_MANY_CONNECTIONS
 * when all are taken, NACRE_E_NOBUFS when memory is out. */
enum nacre_error nacre_slots_take(struct slots *s, uint32_t *number);
/* Frees it; it stands in no queue. */
void nacre_slots_give(struct slots *s, uint32_t number);

static inline void *slots_at(const struct slots *s, uint32_t number)
{
    return (unsigned char *)s->slabs[number / SLAB_SLOTS] + number % SLAB_SLOTS * s->size;
}

static inline uint32_t *slots_link(const struct slots *s, size_t link, uint32_t number)
{
    return (uint32_t *)(void *)((unsigned char *)slots_at(s, number) + link);
}

/* Puts a slot at the end; one that stands in a queue by that link already stays there. */
void nacre_slot_queue_add(const struct slots *s, struct slot_queue *q, uint32_t number);
/* Takes the first one out. The caller has seen that there is one. */
static inline uint32_t slot_queue_pop(const struct slots *s, struct slot_queue *q)
{
    uint32_t number = q->first - 1;
    uint32_t *link = slots_link(s, q->link, number);
    q->first = *link == SLOT_QUEUE_END ? 0 : *link;
    *link = 0;
    return number;
}

/* Takes a slot out, if it stands there; looks at all before it. */
void nacre_slot_queue_remove(const struct slots *s, struct slot_queue *q, uint32_t number);

#endif
