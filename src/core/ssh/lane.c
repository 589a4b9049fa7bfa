/* SPDX-License-Identifier: Apache-2.0 */
#include "ssh/lane.h"

#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

enum {
    PIECE_LEAST = 512,
    PIECE_MOST = 100 * 1024, /* three of the largest messages, and little enough for malloc() to give it back */
    LENGTH = sizeof(uint32_t)
};

struct lane_piece {
    struct lane_piece *next;
    size_t room; /* allocated, this struct with it */
    size_t start, end;
    uint8_t at[];
};

/* Behind the others, each twice as large as the one before. */
static struct lane_piece *add_piece(struct lane *lane, size_t size)
{
    size_t room = lane->last == NULL ? PIECE_LEAST : 2 * lane->last->room;
    if (room > PIECE_MOST)
        room = PIECE_MOST;
    if (room < sizeof(struct lane_piece) + size)
        room = sizeof(struct lane_piece) + size;
    struct lane_piece *p = malloc(room);
    if (p == NULL)
        return NULL;
    *p = (struct lane_piece){.room = room};
    if (lane->last == NULL)
        lane->first = p;
    else
        lane->last->next = p;
    lane->last = p;
    lane->room += room;
    return p;
}

static void drop_piece(struct lane *lane)
{
    struct lane_piece *p = lane->first;
    lane->first = p->next;
    if (lane->first == NULL)
        lane->last = NULL;
    lane->room -= p->room;
    nacre_wipe(p->at, p->end);
    free(p);
}

static size_t room_of(const struct lane_piece *p)
{
    return p == NULL ? 0 : p->room - sizeof *p - p->end;
}

bool nacre_lane_put(struct lane *lane, size_t max, uint8_t type, struct span body)
{
    size_t size = LENGTH + 1 + body.len;
    if (size > max || lane->bytes > max - size)
        return false;
    struct lane_piece *p = room_of(lane->last) < size ? add_piece(lane, size) : lane->last;
    if (p == NULL)
        return false;
    uint32_t len = (uint32_t)(1 + body.len);
    uint8_t *at = p->at + p->end;
    memcpy(at, &len, LENGTH);
    at[LENGTH] = type;
    if (body.len != 0)
        memcpy(at + LENGTH + 1, body.at, body.len);
    p->end += size;
    lane->bytes += size;
    return true;
}

bool nacre_lane_peek(const struct lane *lane, struct span *payload)
{
    const struct lane_piece *p = lane->first;
    uint32_t len;
    if (p == NULL)
        return false;
    memcpy(&len, p->at + p->start, LENGTH);
    *payload = span_of(p->at + p->start + LENGTH, len);
    return true;
}

void nacre_lane_drop(struct lane *lane)
{
    struct lane_piece *p = lane->first;
    struct span payload;
    (void)nacre_lane_peek(lane, &payload);
    p->start += LENGTH + payload.len;
    lane->bytes -= LENGTH + payload.len;
    if (p->start == p->end)
        drop_piece(lane);
}

void nacre_lane_free(struct lane *lane)
{
    while (lane->first != NULL)
        drop_piece(lane);
    lane->bytes = 0;
}
