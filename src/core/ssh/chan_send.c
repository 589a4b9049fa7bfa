/* SPDX-License-Identifier: Apache-2.0 */
/* Channel data out: a queue of blocks a channel, sealed a packet a channel in turn while the output queue is below
 * send_high. A block with room around its data becomes a packet itself; other data is copied to the output queue.
 *
 * Queued requests lie between the data as blocks with a mark. Events come after a channel's turn, when it is off the
 * list, because their handlers may send, close or free it. */
#include "ssh/chan.h"

#include <stdlib.h>
#include <string.h>

enum {
    ROUND_MAX = 69 * 1024, /* room asked for ahead of bulk data */
    SPLIT_MIN = 8192,      /* rest of a block that is worth a packet of its own */
    SEAL_OVERHEAD = 256,   /* at most, of a packet around its data */
    SMALL_MAX = 4096,      /* a block of this size may hold as little as it likes */
    DATA_HEAD = 13,        /* of EXTENDED_DATA: message number, channel, type, length; of DATA it is 4 less */
    JOIN_MAX = 1024        /* data up to this size goes into the block before it, if that has room */
};

/* ---- the queue ---------------------------------------------------------------------------------------------- */

static void push(struct chan *chan, struct block *b)
{
    b->next = NULL;
    if (chan->last == NULL)
        chan->first = b;
    else
        chan->last->next = b;
    chan->last = b;
    chan->pushed++;
    chan->queue_room += b->size;
}

static bool mark_next(struct chan *chan, bool is_request)
{
    struct chan_mark *m = malloc(sizeof *m);

    if (m == NULL)
        return false;
    *m = (struct chan_mark){.position = chan->pushed, .is_request = is_request};
    if (chan->marks_last == NULL)
        chan->marks = m;
    else
        chan->marks_last->next = m;
    chan->marks_last = m;
    chan->requests += is_request ? 1 : 0;
    return true;
}

/* Takes the first block off the queue, and its reference with it. */
static struct block *take(struct chan *chan)
{
    struct block *b = chan->first;
    struct chan_mark *m = chan->marks;

    if (m != NULL && m->position == chan->popped) {
        chan->requests -= m->is_request ? 1 : 0;
        chan->marks = m->next;
        if (chan->marks == NULL)
            chan->marks_last = NULL;
        free(m);
    }
    chan->popped++;
    chan->queue_room -= b->size;
    chan->first = b->next;
    if (chan->first == NULL)
        chan->last = NULL;
    return b;
}

static void pop(struct chan *chan)
{
    nacre_block_release(take(chan));
}

static const struct chan_mark *first_mark(const struct chan *chan)
{
    return chan->marks != NULL && chan->marks->position == chan->popped ? chan->marks : NULL;
}

void nacre_chan_drop_queue(struct chan *chan)
{
    while (chan->first != NULL)
        pop(chan);
    chan->queued = 0;
}

/* ---- sending ------------------------------------------------------------------------------------------------ */

static enum step send_chan_empty(struct conn *c, const struct chan *chan, uint8_t type)
{
    struct packet p;

    nacre_packet_open(c, &p, type, 4);
    wr_u32(&p.w, chan->remote);
    return nacre_packet_close(c, &p);
}

enum step nacre_send_chan_close(struct conn *c, struct chan *chan)
{
    chan->close_wanted = chan->close_out = true;
    return send_chan_empty(c, chan, MSG_CHANNEL_CLOSE);
}

static enum step send_request_block(struct conn *c, struct chan *chan)
{
    struct packet p;
    struct block *b = chan->first;

    nacre_packet_open(c, &p, MSG_CHANNEL_REQUEST, 4 + b->len);
    wr_u32(&p.w, chan->remote);
    wr_bytes(&p.w, b->at + b->start, b->len);
    pop(chan);
    return nacre_packet_close(c, &p);
}

/* Up to `n` bytes of one kind from the front of the queue; small blocks share a packet. */
static size_t gather(struct chan *chan, struct wr *w, size_t n, bool is_extended)
{
    size_t done = 0;

    while (done < n && chan->first != NULL && (first_mark(chan) != NULL) == is_extended &&
           (!is_extended || !first_mark(chan)->is_request) && (!chan->eof_wanted || chan->popped < chan->eof_at)) {
        struct block *b = chan->first;
        size_t part = b->len < n - done ? b->len : n - done;

        wr_bytes(w, b->at + b->start, part);
        b->start += part;
        b->len -= part;
        done += part;
        if (b->len == 0)
            pop(chan);
    }
    return done;
}

/* The data that the next packet may have: window, packet size, what is queued. */
static size_t next_size(const struct chan *chan)
{
    size_t n = chan->queued < chan->window_out ? chan->queued : chan->window_out;
    size_t max = chan->packet_out < CONN_CHANNEL_PACKET ? chan->packet_out : CONN_CHANNEL_PACKET;

    return n < max ? n : max;
}

static void count_sealed(struct chan *chan, size_t n)
{
    chan->queued -= n;
    chan->sealed += n;
    chan->window_out -= (uint32_t)n;
}

/* The first block becomes a packet where it lies, if all of it may go. Little data is copied all the same when there is
 * other output that it can share a block with, more to go with it, or when it would hold a big one. */
static bool may_stay(const struct conn *c, const struct chan *chan, size_t n)
{
    const struct block *b = chan->first;
    bool is_alone = b->len == chan->queued && c->output.last == NULL;

    return b->len <= n && (b->len >= SPLIT_MIN || is_alone) && (b->size <= SMALL_MAX || !block_is_waste(b, b->len)) &&
           nacre_packet_is_room(c, b, DATA_HEAD);
}

static enum step send_block(struct conn *c, struct chan *chan)
{
    uint8_t head[DATA_HEAD];
    struct wr w = wr_over(head, sizeof head);
    bool is_extended = first_mark(chan) != NULL;
    struct block *b = take(chan);

    wr_u8(&w, is_extended ? MSG_CHANNEL_EXTENDED_DATA : MSG_CHANNEL_DATA);
    wr_u32(&w, chan->remote);
    if (is_extended)
        wr_u32(&w, 1);
    wr_u32(&w, (uint32_t)b->len);
    count_sealed(chan, b->len);
    b->start -= wr_len(&w);
    b->len += wr_len(&w);
    memcpy(b->at + b->start, head, wr_len(&w));
    return nacre_packet_seal(c, b);
}

/* Up to `n` bytes copied to the block at hand, as far as that has room. */
static enum step send_copy(struct conn *c, struct chan *chan, size_t n)
{
    bool is_extended = first_mark(chan) != NULL;
    size_t left = nacre_output_left(c);
    struct packet p;

    if (left >= SPLIT_MIN && n > left - SEAL_OVERHEAD)
        n = left - SEAL_OVERHEAD;
    size_t more = chan->queued > n ? chan->queued - n : 0;
    nacre_packet_open_bulk(c, &p, is_extended ? MSG_CHANNEL_EXTENDED_DATA : MSG_CHANNEL_DATA, DATA_HEAD + n,
                           more < ROUND_MAX ? more : ROUND_MAX);
    wr_u32(&p.w, chan->remote);
    if (is_extended)
        wr_u32(&p.w, 1);
    uint8_t *length = wr_string_open(&p.w);
    count_sealed(chan, gather(chan, &p.w, n, is_extended));
    wr_string_close(&p.w, length);
    return nacre_packet_close(c, &p);
}

static bool can_seal(struct conn *c)
{
    if (c->phase != PHASE_OPEN || c->output.bytes >= c->config->send_high)
        return false;
    if (nacre_kex_is_due(c))
        (void)nacre_kex_start(c);
    return !nacre_kex_holds_data(c);
}

enum turn {
    TURN_MORE,
    TURN_DONE
};

static bool eof_is_next(const struct chan *chan)
{
    return chan->eof_wanted && !chan->eof_out && chan->popped == chan->eof_at;
}

/* One packet of data, with what needs no window in front of and behind it. */
static enum turn take_turn(struct conn *c, struct chan *chan)
{
    bool sent = false;

    for (;;) {
        const struct chan_mark *mark = first_mark(chan);

        if (conn_is_closing(c) || chan->state != CHAN_OPEN || chan->close_out)
            return TURN_DONE;
        if (eof_is_next(chan)) {
            chan->eof_out = true;
            (void)send_chan_empty(c, chan, MSG_CHANNEL_EOF);
        } else if (chan->first == NULL) {
            if (chan->close_wanted)
                (void)nacre_send_chan_close(c, chan);
            return TURN_DONE;
        } else if (mark != NULL && mark->is_request) {
            if (!can_seal(c))
                return TURN_MORE;
            (void)send_request_block(c, chan);
        } else if (sent) {
            return TURN_MORE;
        } else {
            size_t n = next_size(chan);
            if (n == 0)
                return TURN_DONE;
            (void)(may_stay(c, chan, n) ? send_block(c, chan) : send_copy(c, chan, n));
            sent = true;
        }
    }
}

/* Tells what has been sealed, and that there is room again. The channel may be gone afterwards. */
static void report(struct conn *c, struct chan *chan)
{
    uint32_t number = chan->number;
    size_t bytes = chan->sealed;

    if (nacre_chan_bury(c, chan) || bytes == 0)
        return;
    chan->sealed = 0;
    nacre_conn_event(c, &(struct conn_event){.type = CONN_CHANNEL_SENT, .channel = number, .bytes = bytes});
    chan = nacre_chan_find(c, number);
    if (chan != NULL && chan->state == CHAN_OPEN && chan->first == NULL && !chan->close_wanted && !chan->eof_wanted)
        nacre_conn_event(c, &(struct conn_event){.type = CONN_CHANNEL_WINDOW, .channel = number});
}

void nacre_chans_flush(struct conn *c)
{
    struct list waiting, *node;

    if (c->flushing || list_is_empty(&c->ready))
        return;
    c->flushing = true;
    while (can_seal(c) && (node = list_pop(&c->ready)) != NULL) {
        struct chan *chan = CONTAINER_OF(node, struct chan, ready);
        if (take_turn(c, chan) == TURN_MORE)
            list_append(&c->ready, node);
        else
            report(c, chan);
    }
    /* Output is full or a rekey began: those still in turn tell how far they came. A handler may free any of them. */
    list_init(&waiting);
    list_splice(&waiting, &c->ready);
    while ((node = list_pop(&waiting)) != NULL) {
        list_append(&c->ready, node);
        report(c, CONTAINER_OF(node, struct chan, ready));
    }
    c->flushing = false;
}

void nacre_chan_wake(struct conn *c, struct chan *chan)
{
    bool has_work = chan->first != NULL || eof_is_next(chan) || (chan->close_wanted && !chan->close_out);

    if (chan->state != CHAN_OPEN || !has_work)
        return;
    if (list_is_empty(&chan->ready))
        list_append(&c->ready, &chan->ready);
    nacre_chans_flush(c);
}

/* ---- called by the application ------------------------------------------------------------------------------ */

static enum nacre_error may_send(const struct conn *c, const struct chan *chan, unsigned extended)
{
    if (conn_is_closing(c) || chan == NULL)
        return NACRE_E_CHANNEL_ID;
    if (chan->eof_wanted || chan->close_wanted || chan->close_in)
        return NACRE_E_SOCKET_SHUTDOWN;
    return extended > 1 ? NACRE_E_INVAL : NACRE_OK;
}

/* The mark of the last block; NULL: it is normal data. */
static const struct chan_mark *last_mark(const struct chan *chan)
{
    return chan->marks_last != NULL && chan->marks_last->position + 1 == chan->pushed ? chan->marks_last : NULL;
}

/* Adds short data to the last block of the queue when that is of its kind, so that a program that sends single bytes
 * does not queue a block each. */
static bool join(struct chan *chan, const struct block *b, bool is_extended)
{
    struct block *last = chan->last;
    const struct chan_mark *mark = last_mark(chan);

    if (last == NULL || (mark != NULL) != is_extended || (mark != NULL && mark->is_request))
        return false;
    if (b->len > JOIN_MAX || !block_is_sole(last) || last->size - last->start - last->len < b->len)
        return false;
    memcpy(last->at + last->start + last->len, b->at + b->start, b->len);
    last->len += b->len;
    return true;
}

/* Takes the reference over. */
static enum nacre_error enqueue(struct chan *chan, struct block *b, bool is_extended)
{
    size_t len = b->len;

    if (join(chan, b, is_extended)) {
        nacre_block_release(b);
    } else if (is_extended && !mark_next(chan, false)) {
        nacre_block_release(b);
        return NACRE_E_NOBUFS;
    } else {
        push(chan, b);
    }
    chan->queued += len;
    return NACRE_OK;
}

struct block *nacre_chan_block(struct pool *pool, size_t len)
{
    struct block *b = nacre_pool_alloc(pool, PACKET_HEAD + DATA_HEAD + len + PACKET_TAIL);

    if (b == NULL)
        return NULL;
    b->start = PACKET_HEAD + DATA_HEAD;
    b->len = len;
    return b;
}

enum nacre_error nacre_chan_send(struct conn *c, uint32_t channel, unsigned extended, struct block *block,
                                 int64_t now_ns)
{
    struct chan *chan = nacre_chan_find(c, channel);
    enum nacre_error error = may_send(c, chan, extended);

    if (error != NACRE_OK || block->len == 0) {
        nacre_block_release(block);
        return error;
    }
    c->now_ns = now_ns;
    error = enqueue(chan, block, extended != 0);
    if (error == NACRE_OK)
        nacre_chan_wake(c, chan);
    return error;
}

size_t nacre_chan_queued(const struct conn *c, uint32_t channel)
{
    const struct chan *chan = nacre_chan_find(c, channel);

    return chan == NULL ? 0 : chan->queued;
}

size_t nacre_chan_queue_room(const struct conn *c, uint32_t channel)
{
    const struct chan *chan = nacre_chan_find(c, channel);

    return chan == NULL ? 0 : chan->queue_room;
}

bool nacre_chan_queue_request(struct conn *c, struct chan *chan, struct block *b)
{
    if (!mark_next(chan, true)) {
        nacre_block_release(b);
        return false;
    }
    push(chan, b);
    nacre_chan_wake(c, chan);
    return true;
}
