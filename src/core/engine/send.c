/* SPDX-License-Identifier: Apache-2.0 */
/* Sending on a channel from any thread: a share of the channel's queue is reserved under the inbox lock, the bytes are
 * copied once into a block outside it, and the block is handed to the worker. */
#include "engine/send.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "engine/codepage.h"
#include "engine/deliver.h"
#include "engine/wheel.h"

enum {
    WAIT_SLICE_MS = 20
};

/* Whether the channel, NULL when it is gone, takes data; the inbox lock is held. */
static enum nacre_error is_open(const struct channel *ch)
{
    if (ch == NULL)
        return NACRE_E_CHANNEL_ID;
    return ch->writable ? NACRE_OK : NACRE_E_SOCKET_SHUTDOWN;
}

/* What a call was given of the channel's queue. */
struct share {
    size_t took;   /* bytes; 0: there is no room */
    size_t queued; /* in all */
    int timeout;   /* seconds that the call may wait */
};

/* Reserves up to `len` bytes for a call that has sent `sent` so far. */
static enum nacre_error reserve(struct shard *s, int64_t id, size_t sent, size_t len, struct share *share)
{
    *share = (struct share){.took = 0};
    nacre_mutex_lock(&s->inbox_lock);
    struct channel *ch = nacre_table_find(&s->channels, id);
    enum nacre_error e = is_open(ch);
    if (e == NACRE_OK) {
        size_t room = ch->clogged || ch->queued >= SEND_QUEUE_MAX ? 0 : SEND_QUEUE_MAX - ch->queued;
        share->took = len < room ? len : room;
        ch->queued += share->took;
        ch->starved = ch->starved || share->took == 0;
        share->queued = ch->queued;
        share->timeout = ch->connection->timeout;
    }
    if (ch != NULL)
        ch->last_sent = sent + share->took;
    nacre_mutex_unlock(&s->inbox_lock);
    return e;
}

/* A reservation is given back when what it was for cannot be handed over; `sent` as in reserve(). It may have been what
 * another thread found the queue full of. */
static void unreserve(struct shard *s, int64_t id, size_t sent, size_t len)
{
    bool wake = false;
    nacre_mutex_lock(&s->inbox_lock);
    struct channel *ch = nacre_table_find(&s->channels, id);
    if (ch != NULL) {
        ch->queued -= len;
        ch->last_sent = sent; /* others may have sent meanwhile, too */
        ch->room_due = ch->queued == 0 && ch->starved;
        wake = ch->room_due && nacre_inbox_mark_locked(s);
    }
    nacre_mutex_unlock(&s->inbox_lock);
    if (wake)
        s->ops->wake(s->io);
}

/* What a handler sends first, and what fills a packet, it carries out itself: to wake the worker, which would find that
 * alone and sleep again, is dearer. Of its further small pieces many go together, which the worker does. So does it all
 * that is sent elsewhere, whose threads go on with making it, and what a handler hands out to other workers'
 * connections, which they seal beside each other. */
static void wake_for(struct shard *s, bool wake, size_t len)
{
    enum sending sending = nacre_deliver_sending(s);
    bool is_worth_it = sending == SENDING_FIRST || (sending == SENDING_MORE && len == CONN_CHANNEL_PACKET);
    if (wake && is_worth_it)
        nacre_wheel_nudge(s);
    else if (wake)
        s->ops->wake(s->io);
}

/* Behind an eof that another thread has sent since the reservation, the bytes would be lost: they are not taken. */
static enum nacre_error hand_over(struct shard *s, int64_t id, unsigned extended, const uint8_t *data, size_t sent,
                                  size_t len)
{
    struct command *k = nacre_command_new(COMMAND_SEND, id, NULL, NULL, 0);
    struct block *b = k == NULL ? NULL : nacre_chan_block(&s->pool, len);
    if (b == NULL) {
        free(k);
        unreserve(s, id, sent, len);
        return NACRE_E_NOBUFS;
    }
    memcpy(b->at + b->start, data + sent, len);
    k->block = b;
    k->number = extended;
    nacre_mutex_lock(&s->inbox_lock);
    enum nacre_error e = is_open(nacre_table_find(&s->channels, id));
    bool wake = e == NACRE_OK && nacre_inbox_put_locked(s, k);
    nacre_mutex_unlock(&s->inbox_lock);
    wake_for(s, wake, len);
    if (e == NACRE_OK)
        return e;
    nacre_command_free(k);
    unreserve(s, id, sent, len);
    return e;
}

/* Waits for room in the queue, for a slice of time; events go on meanwhile when the setting says so. */
static void wait_for_room(nacre_server *server, struct shard *s, int64_t id)
{
    nacre_deliver_flush();
    bool pump = atomic_load_explicit(&server->process_idle_events, memory_order_relaxed); /* a setting of its own */
    if (pump && nacre_deliver_one(server))
        return;
    nacre_mutex_lock(&s->inbox_lock);
    struct channel *ch = nacre_table_find(&s->channels, id);
    if (ch != NULL && ch->writable && (ch->clogged || ch->queued > SEND_QUEUE_LOW)) {
        ch->waited = true;
        (void)nacre_cond_wait(&s->room, &s->inbox_lock, nacre_clock_ns() + WAIT_SLICE_MS * INT64_C(1000000));
    }
    nacre_mutex_unlock(&s->inbox_lock);
}

static enum nacre_error send_all(nacre_server *server, struct shard *s, int64_t id, unsigned extended,
                                 const uint8_t *data, size_t len)
{
    size_t sent = 0, queued = 0; /* the latter when nothing was taken last */
    int64_t waiting_ns = 0;      /* since then nothing has moved */
    do {
        size_t left = len - sent;
        struct share share;
        enum nacre_error e = reserve(s, id, sent, left < CONN_CHANNEL_PACKET ? left : CONN_CHANNEL_PACKET, &share);
        if (e == NACRE_OK && share.took != 0)
            e = hand_over(s, id, extended, data, sent, share.took);
        if (e != NACRE_OK)
            return e;
        sent += share.took;
        if (share.took != 0 || left == 0) {
            queued = 0;
            continue;
        }
        if (share.timeout == 0)
            return NACRE_E_WOULDBLOCK;
        int64_t now_ns = nacre_clock_ns();
        if (queued == 0 || share.queued < queued)
            waiting_ns = now_ns;
        queued = share.queued;
        if (now_ns - waiting_ns >= share.timeout * INT64_C(1000000000))
            return NACRE_E_TIMEDOUT;
        wait_for_room(server, s, id);
    } while (sent < len);
    return NACRE_OK;
}

static int send_data(nacre_server *server, int64_t id, unsigned extended, const void *data, size_t len)
{
    if (server == NULL || (data == NULL && len != 0))
        return nacre_fail(NACRE_E_INVAL, NULL);
    struct shard *s = nacre_server_shard(server, id);
    if (s == NULL)
        return nacre_fail(NACRE_E_CHANNEL_ID, NULL);
    enum nacre_error e = send_all(server, s, id, extended, data, len);
    return e == NACRE_OK ? nacre_succeed() : nacre_fail(e, NULL);
}

int nacre_send_bytes(nacre_server *server, nacre_channel_id channel_id, const void *data, size_t len)
{
    return send_data(server, channel_id, 0, data, len);
}

int nacre_send_channel_data(nacre_server *server, nacre_channel_id channel_id, const void *data, size_t len)
{
    return send_data(server, channel_id, 0, data, len);
}

int nacre_set_data_to_send(nacre_server *server, nacre_channel_id channel_id, const void *data, size_t len)
{
    return send_data(server, channel_id, 0, data, len);
}

int nacre_send_stderr(nacre_server *server, nacre_channel_id channel_id, const void *data, size_t len)
{
    return send_data(server, channel_id, 1, data, len);
}

int nacre_send_text(nacre_server *server, nacre_channel_id channel_id, const char *text)
{
    struct buf bytes;
    if (server == NULL || text == NULL)
        return nacre_fail(NACRE_E_INVAL, NULL);
    int page = atomic_load_explicit(&server->code_page, memory_order_relaxed); /* a setting of its own */
    if (page == CODEPAGE_UTF8)
        return send_data(server, channel_id, 0, text, strlen(text));
    nacre_buf_init(&bytes, SIZE_MAX);
    int e = nacre_codepage_encode(page, span_str(text), &bytes)
                ? send_data(server, channel_id, 0, bytes.at, bytes.len)
                : nacre_fail(NACRE_E_INVAL, "The text has characters that CodePage does not have.");
    nacre_buf_wipe(&bytes);
    return e;
}
