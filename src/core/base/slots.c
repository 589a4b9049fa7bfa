/* SPDX-License-Identifier: Apache-2.0 */
/* Numbered slots and their queues. */
#include "base/slots.h"

#include <stdlib.h>

bool nacre_slots_init(struct slots *s, size_t size, size_t link, uint32_t max)
{
    *s = (struct slots){.size = size, .link = link, .max = max};
    s->slabs = (void **)calloc(max / SLAB_SLOTS + 1, sizeof *s->slabs);
    return s->slabs != NULL;
}

void nacre_slots_destroy(struct slots *s)
{
    for (uint32_t i = 0; i < s->made; i += SLAB_SLOTS)
        free(s->slabs[i / SLAB_SLOTS]);
    free(s->slabs);
    *s = (struct slots){.size = s->size, .link = s->link};
}

/* Adds a slab of free slots. */
static enum nacre_error grow(struct slots *s)
{
    uint32_t left = s->max - s->made;
    uint32_t count = left < SLAB_SLOTS ? left : SLAB_SLOTS;
    if (count == 0)
        return NACRE_E_TOO_MANY_CONNECTIONS;
    void *slab = calloc(count, s->size);
    if (slab == NULL)
        return NACRE_E_NOBUFS;
    s->slabs[s->made / SLAB_SLOTS] = slab;
    for (uint32_t i = s->made + count; i-- > s->made;) {
        *slots_link(s, s->link, i) = s->free_first;
        s->free_first = i + 1;
    }
    s->made += count;
    return NACRE_OK;
}

enum nacre_error nacre_slots_take(struct slots *s, uint32_t *number)
{
    enum nacre_error error = s->free_first != 0 ? NACRE_OK : grow(s);
    if (error != NACRE_OK)
        return error;
    *number = s->free_first - 1;
    uint32_t *link = slots_link(s, s->link, *number);
    s->free_first = *link;
    *link = 0;
    return NACRE_OK;
}

void nacre_slots_give(struct slots *s, uint32_t number)
{
    *slots_link(s, s->link, number) = s->free_first;
    s->free_first = number + 1;
}

void nacre_slot_queue_add(const struct slots *s, struct slot_queue *q, uint32_t number)
{
    uint32_t *link = slots_link(s, q->link, number);
    if (*link != 0)
        return;
    *link = SLOT_QUEUE_END;
    if (q->first == 0)
        q->first = number + 1;
    else
        *slots_link(s, q->link, q->last - 1) = number + 1;
    q->last = number + 1;
}

void nacre_slot_queue_remove(const struct slots *s, struct slot_queue *q, uint32_t number)
{
    uint32_t before = 0, at = q->first;
    while (at != number + 1) {
        if (at == 0 || at == SLOT_QUEUE_END)
            return;
        before = at;
        at = *slots_link(s, q->link, at - 1);
    }
    uint32_t *link = slots_link(s, q->link, number);
    bool is_last = *link == SLOT_QUEUE_END;
    if (before != 0)
        *slots_link(s, q->link, before - 1) = *link;
    else
        q->first = is_last ? 0 : *link;
    if (is_last)
        q->last = before;
    *link = 0;
}
