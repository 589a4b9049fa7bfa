/* SPDX-License-Identifier: Apache-2.0 */
/* The growing byte buffer. Growth doubles, up to the buffer's maximum, so that n appends cost O(n) copies. */
#include "base/buf.h"

#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

enum {
    FIRST_ROOM = 64
};

void nacre_buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.max = max};
}

void nacre_buf_free(struct buf *b)
{
    free(b->at);
    nacre_buf_init(b, b->max);
}

void nacre_buf_wipe(struct buf *b)
{
    /* All of the room: nacre_buf_drop() leaves bytes behind the end. */
    nacre_wipe(b->at, b->room);
    nacre_buf_free(b);
}

/* The room to allocate for `need` bytes, need <= max. */
static size_t room_for(const struct buf *b, size_t need)
{
    size_t room = b->room < FIRST_ROOM ? FIRST_ROOM : b->room;
    while (room < need)
        room = room > b->max / 2 ? b->max : room * 2;
    return room < b->max ? room : b->max;
}

uint8_t *nacre_buf_reserve(struct buf *b, size_t more)
{
    if (b->max == 0 || b->len > b->max || more > b->max - b->len)
        return NULL;
    if (b->at != NULL && more <= b->room - b->len)
        return b->at + b->len;
    size_t room = room_for(b, b->len + more);
    uint8_t *at = (uint8_t *)malloc(room);
    if (at == NULL)
        return NULL;
    /* Not realloc(): it would leave copies that nacre_buf_wipe() cannot reach. */
    if (b->at != NULL) {
        memcpy(at, b->at, b->len);
        nacre_wipe(b->at, b->room);
        free(b->at);
    }
    b->at = at;
    b->room = room;
    return at + b->len;
}

bool nacre_buf_append(struct buf *b, const void *bytes, size_t len)
{
    if (len == 0)
        return true;
    uint8_t *at = nacre_buf_reserve(b, len);
    if (at == NULL)
        return false;
    memcpy(at, bytes, len);
    b->len += len;
    return true;
}

void nacre_buf_drop(struct buf *b, size_t len)
{
    if (len >= b->len) {
        b->len = 0;
        return;
    }
    if (len == 0)
        return;
    memmove(b->at, b->at + len, b->len - len);
    b->len -= len;
}
