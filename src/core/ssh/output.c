/* SPDX-License-Identifier: Apache-2.0 */
/* Sealed bytes on their way to the wire: a queue of pool blocks.
 *
 * Many packets share a block. The first block of an idle connection is as small as its packet needs; each further one
 * doubles, and bulk data asks for the largest at once, so that an echoing connection does not pin big blocks. When all
 * is sent, no block is left. */
#include "ssh/conn_priv.h"

enum {
    OUTPUT_BLOCK_MAX = 69 * 1024
}; /* two full data packets, and a size class of the pool */

size_t nacre_output_left(const struct conn *c)
{
    const struct block *b = c->output.last;

    return b == NULL ? 0 : b->size - b->start - b->len;
}

void nacre_output_append(struct conn *c, struct block *b)
{
    b->next = NULL;
    if (c->output.last == NULL)
        c->output.first = b;
    else
        c->output.last->next = b;
    c->output.last = b;
}

struct block *nacre_output_room(struct conn *c, size_t need, size_t more)
{
    struct block *last = c->output.last;
    size_t size = need + more;

    if (nacre_output_left(c) >= need)
        return last;
    if (last != NULL && size < 2 * last->size)
        size = 2 * last->size;
    if (size > OUTPUT_BLOCK_MAX)
        size = need > OUTPUT_BLOCK_MAX ? need : OUTPUT_BLOCK_MAX;
    struct block *b = nacre_pool_alloc(c->pool, size);
    if (b == NULL && size > need)
        b = nacre_pool_alloc(c->pool, need);
    if (b == NULL)
        return NULL;
    b->start = b->len = 0;
    nacre_output_append(c, b);
    return b;
}

void nacre_output_add(struct conn *c, struct block *b, size_t len)
{
    b->len += len;
    c->output.bytes += len;
    c->bytes_out += len;
}

bool nacre_output_put(struct conn *c, struct span bytes)
{
    struct block *b = nacre_output_room(c, bytes.len, 0);

    if (b == NULL)
        return false;
    struct wr w = wr_over(b->at + b->start + b->len, bytes.len);
    wr_bytes(&w, bytes.at, bytes.len);
    nacre_output_add(c, b, bytes.len);
    return true;
}

size_t nacre_conn_output(struct conn *c, struct span *spans, size_t max)
{
    size_t count = 0;

    for (struct block *b = c->output.first; b != NULL && count < max; b = b->next) {
        if (b->len != 0)
            spans[count++] = span_of(b->at + b->start, b->len);
    }
    return count;
}

size_t nacre_conn_output_bytes(const struct conn *c)
{
    return c->output.bytes;
}

static void drop_first(struct output *o)
{
    struct block *b = o->first;

    o->first = b->next;
    if (o->first == NULL)
        o->last = NULL;
    nacre_block_release(b);
}

void nacre_conn_output_take(struct conn *c, size_t len, int64_t now_ns)
{
    c->now_ns = now_ns;
    while (c->output.first != NULL) {
        struct block *b = c->output.first;
        size_t n = len < b->len ? len : b->len;

        b->start += n;
        b->len -= n;
        c->output.bytes -= n;
        len -= n;
        if (b->len != 0)
            break;
        drop_first(&c->output);
    }
    nacre_conn_settle(c);
}

void nacre_output_free(struct conn *c)
{
    while (c->output.first != NULL)
        drop_first(&c->output);
    c->output.bytes = 0;
}
