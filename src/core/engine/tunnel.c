/* SPDX-License-Identifier: Apache-2.0 */
/* The relay: one channel, one socket. */
#include "engine/tunnel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/outbox.h"
#include "engine/server.h"

enum {
    TO_CHANNEL_MAX = 256 * 1024, /* bytes waiting for the channel above which the socket is not read */
    GATHER_MAX = 2048,           /* up to here data is copied together */
    GATHER_BLOCK = 16 * 1024,
    DRAINING_MAX = 64 * 1024 * 1024, /* of a worker: what closed channels have left; more is dropped */
    DRAINS_LEAST = 64, /* closed channels of a connection that may have left something, if MaxChannels is less */
};

/* How long a socket may take nothing of what a closed channel has left, and the same for all of it once the server
 * stops. */
static const int64_t drain_ns = INT64_C(30000000000), stop_drain_ns = INT64_C(1000000000);

/* ---- life ------------------------------------------------------------------------------------------------------ */

/* Bit 63 is free: ids are positive. Which of the two tables is told by the kind in the id. */
static const uint64_t owner_bit = UINT64_C(1) << 63;

uint64_t nacre_tunnel_owner(const struct slot *slot)
{
    return (uint64_t)slot->id | owner_bit;
}

struct tunnel *nacre_tunnel_by_owner(struct shard *s, uint64_t owner)
{
    return (owner & owner_bit) == 0 ? NULL : nacre_table_find(&s->tunnels, (int64_t)(owner & ~owner_bit));
}

struct forward *nacre_forward_by_owner(struct shard *s, uint64_t owner)
{
    return (owner & owner_bit) == 0 ? NULL : nacre_table_find(&s->forwards, (int64_t)(owner & ~owner_bit));
}

static void drop_pieces(struct tunnel *t)
{
    while (t->first != NULL) {
        struct piece *p = t->first;
        t->first = p->next;
        nacre_block_release(p->block);
        free(p);
    }
}

static void free_tunnel(struct tunnel *t)
{
    struct shard *s = t->shard;
    nacre_timer_cancel(&s->timers, &t->timer);
    list_remove(&t->sibling);
    drop_pieces(t);
    nacre_sock_close(t->socket);
    free(t->addresses);
    free(t->address);
    nacre_table_give(&s->tunnels, t);
    nacre_shard_shrank(s);
    atomic_fetch_sub_explicit(&s->load, 1, memory_order_relaxed); /* a figure */
}

static void on_timer(struct timer *timer, int64_t now_ns)
{
    struct tunnel *t = CONTAINER_OF(timer, struct tunnel, timer);
    (void)now_ns;
    nacre_tunnel_failed(t, NACRE_E_TIMEDOUT);
}

bool nacre_tunnel_may_open(const struct shard *s)
{
    return s->tunnels.used + s->forwards.used < s->server->plan.tunnels;
}

struct tunnel *nacre_tunnel_new(struct connection *c, enum tunnel_direction direction, io_socket socket,
                                const char *address, int port)
{
    char *copy = strdup(address);
    struct tunnel *t = copy == NULL ? NULL : nacre_table_take(&c->shard->tunnels);
    if (t == NULL) {
        free(copy);
        return NULL;
    }
    t->shard = c->shard;
    t->connection = c;
    t->direction = direction;
    t->socket = socket;
    t->address = copy;
    t->port = port;
    t->last = &t->first;
    timer_init(&t->timer, on_timer);
    list_append(&c->tunnels, &t->sibling);
    atomic_fetch_add_explicit(&t->shard->load, 1, memory_order_relaxed); /* a figure */
    return t;
}

struct tunnel *nacre_tunnel_of(struct connection *c, uint32_t number)
{
    return number < c->end_room ? c->ends[number].tunnel : NULL;
}

static void end_drain(struct tunnel *t)
{
    struct connection *c = nacre_table_find(&t->shard->connections, t->drains_for);
    t->shard->draining -= t->queued;
    if (c != NULL)
        c->drains--;
}

void nacre_tunnel_let_go(struct tunnel *t)
{
    nacre_timer_cancel(&t->shard->timers, &t->timer);
    if (t->lookup != NULL)
        atomic_store_explicit(&t->lookup->unwanted, true, memory_order_relaxed); /* too late: an answer for nobody */
    t->lookup = NULL;
    if (t->stage == TUNNEL_DRAINING)
        end_drain(t);
    if (!t->attached) {
        free_tunnel(t);
        return;
    }
    t->stage = TUNNEL_DETACHED;
    t->shard->ops->detach(t->shard->io, t->io_slot);
}

void nacre_tunnel_gone(struct tunnel *t)
{
    t->attached = false;
    free_tunnel(t);
}

/* ---- events ---------------------------------------------------------------------------------------------------- */

void nacre_tunnel_error(struct connection *c, enum nacre_error error, const char *address, int port, const char *why)
{
    char text[480];
    if (c->shard->server->handlers.on_error == NULL)
        return;
    int n = snprintf(text, sizeof text, "%s %s port %d: %s", nacre_error_text((int)error), address, port, why);
    size_t len = n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
    struct event *e = nacre_event_new(c->shard, EVENT_ERROR, len + 1);
    if (e == NULL)
        return;
    e->code = (int)error;
    e->text[0] = nacre_event_keep(e, span_of(text, len));
    nacre_outbox_add(c, e);
}

/* Without memory for it the connection ends, so that whoever keeps something for the tunnel hears of that. */
static void emit_closed(struct connection *c, const char *address, int port)
{
    size_t len = strlen(address);
    if (c->shard->server->handlers.on_ssh_tunnel_closed == NULL)
        return;
    struct event *e = nacre_event_new(c->shard, EVENT_SSH_TUNNEL_CLOSED, len + 1);
    if (e == NULL) {
        nacre_connection_close(c, NACRE_E_NOBUFS, "out of memory");
        return;
    }
    e->text[0] = nacre_event_keep(e, span_of(address, len));
    e->port = port;
    nacre_outbox_add(c, e);
}

/* ---- channel to socket ----------------------------------------------------------------------------------------- */

static struct piece *new_piece(struct tunnel *t, size_t len)
{
    struct piece *p = malloc(sizeof *p);
    if (p == NULL)
        return NULL;
    size_t size = len == 0 ? 0 : len > GATHER_BLOCK ? len : GATHER_BLOCK;
    *p = (struct piece){.block = NULL, .room = size};
    if (size == 0 || (p->block = nacre_pool_alloc(&t->shard->pool, size)) != NULL)
        return p;
    free(p);
    return NULL;
}

static void append(struct tunnel *t, struct piece *p)
{
    p->next = NULL;
    *t->last = p;
    t->last = &p->next;
}

/* The last piece, when it is a block of our own with room. It may be on its way: what is behind its end is not. */
static struct piece *tail_with_room(struct tunnel *t, size_t len)
{
    if (t->first == NULL)
        return NULL;
    struct piece *p = CONTAINER_OF(t->last, struct piece, next);
    return p->room >= len ? p : NULL;
}

static bool gather(struct tunnel *t, struct span data)
{
    struct piece *p = tail_with_room(t, data.len);
    if (p == NULL) {
        p = new_piece(t, data.len);
        if (p == NULL)
            return false;
        p->at = p->block->at;
        append(t, p);
    }
    memcpy(p->block->at + p->len + (size_t)(p->at - p->block->at), data.at, data.len);
    p->len += data.len;
    p->room -= data.len;
    return true;
}

static bool refer(struct tunnel *t, struct span data, struct block *block)
{
    struct piece *p = new_piece(t, 0);
    if (p == NULL)
        return false;
    p->block = block_ref(block);
    p->at = data.at;
    p->len = data.len;
    append(t, p);
    return true;
}

/* Hands what waits to the back end; FIN follows the channel's EOF. */
static void push(struct tunnel *t)
{
    struct span spans[IO_SPANS];
    unsigned count = 0;
    if (!t->attached || t->sending || t->failed || t->stage < TUNNEL_OPEN)
        return;
    for (const struct piece *p = t->first; p != NULL && count < IO_SPANS; p = p->next)
        spans[count++] = (struct span){p->at, p->len};
    if (count != 0) {
        t->sending = true;
        enum nacre_error e = t->shard->ops->send(t->shard->io, t->io_slot, spans, count);
        if (e != NACRE_OK) {
            t->sending = false;
            nacre_tunnel_failed(t, e);
        }
    } else if (t->stage == TUNNEL_DRAINING) {
        nacre_tunnel_let_go(t);
    } else if (t->channel_eof && !t->shut) {
        t->shut = true;
        t->shard->ops->shut(t->shard->io, t->io_slot);
    }
}

/* Both directions have ended: the channel closes, and the rest follows from that. */
static void close_when_done(struct tunnel *t)
{
    struct connection *c = t->connection;
    if (t->stage != TUNNEL_OPEN || c == NULL || !t->socket_eof || !t->channel_eof || t->first != NULL)
        return;
    (void)nacre_chan_close(c->conn, t->number, t->shard->now_ns); /* closing twice is fine */
    nacre_connection_touch(c);
}

void nacre_tunnel_data(struct tunnel *t, const struct conn_event *v)
{
    struct connection *c = t->connection;
    bool taken = v->extended == 0 && !t->failed && t->stage == TUNNEL_OPEN;
    bool copy = v->block == NULL || v->data.len <= GATHER_MAX || block_is_waste(v->block, v->data.len);
    if (!taken) {
        nacre_chan_consumed(c->conn, t->number, v->data.len, t->shard->now_ns);
        return;
    }
    if (!(copy ? gather(t, v->data) : refer(t, v->data, v->block))) {
        nacre_connection_close(c, NACRE_E_NOBUFS, "out of memory");
        return;
    }
    t->queued += v->data.len;
    c->held += v->data.len;
    push(t);
}

/* Forgets the first `len` bytes of what waits. */
static void drop_sent(struct tunnel *t, size_t len)
{
    while (len != 0 && t->first != NULL) {
        struct piece *p = t->first;
        size_t used = len < p->len ? len : p->len;
        p->at += used;
        p->len -= used;
        len -= used;
        if (p->len != 0)
            return;
        t->first = p->next;
        if (t->first == NULL)
            t->last = &t->first;
        nacre_block_release(p->block);
        free(p);
    }
}

static void drained(struct tunnel *t, size_t len)
{
    t->shard->draining -= len;
    if (!t->shard->stopping)
        nacre_timer_arm(&t->shard->timers, &t->timer, t->shard->now_ns + drain_ns);
}

/* Without memory to grant the window the connection ends, and has let go of the tunnel. So what was sent is forgotten
 * before. */
void nacre_tunnel_sent(struct tunnel *t, size_t len)
{
    struct connection *c = t->connection;
    t->sending = false;
    if (t->failed)
        return;
    t->queued -= len;
    drop_sent(t, len);
    if (t->stage == TUNNEL_DRAINING)
        drained(t, len);
    if (c != NULL && t->stage == TUNNEL_OPEN) {
        c->held -= len;
        nacre_chan_consumed(c->conn, t->number, len, t->shard->now_ns);
        nacre_connection_touch(c);
    }
    close_when_done(t);
    if (t->stage == TUNNEL_OPEN || t->stage == TUNNEL_DRAINING)
        push(t);
}

void nacre_tunnel_channel_eof(struct tunnel *t)
{
    t->channel_eof = true;
    push(t);
    close_when_done(t);
}

/* ---- socket to channel ----------------------------------------------------------------------------------------- */

void nacre_tunnel_room(struct tunnel *t)
{
    if (!t->attached || t->stage != TUNNEL_OPEN || t->socket_eof || t->failed)
        return;
    bool on = nacre_chan_queued(t->connection->conn, t->number) < TO_CHANNEL_MAX;
    if (on == t->receiving)
        return;
    t->receiving = on;
    t->shard->ops->receive(t->shard->io, t->io_slot, on);
}

/* What has to wait in the channel's queue does so in a block that fits. */
static struct block *fit(const struct tunnel *t, struct block *b)
{
    bool waits = nacre_chan_queued(t->connection->conn, t->number) != 0;
    return waits && block_is_waste(b, b->len) ? nacre_block_fit(b) : b;
}

void nacre_tunnel_received(struct tunnel *t, struct block *block, size_t len)
{
    struct connection *c = t->connection;
    if (t->stage != TUNNEL_OPEN || c == NULL) {
        nacre_block_release(block);
        return;
    }
    c->active_ns = t->shard->now_ns;
    if (len == 0) {
        nacre_block_release(block);
        t->socket_eof = true;
        t->receiving = false;
        (void)nacre_chan_send_eof(c->conn, t->number,
                                  t->shard->now_ns); /* fails when it has closed: then that is on its way */
        close_when_done(t);
    } else {
        (void)nacre_chan_send(c->conn, t->number, 0, fit(t, block), t->shard->now_ns); /* as above */
        nacre_tunnel_room(t);
    }
    nacre_connection_touch(c);
}

/* ---- ends ------------------------------------------------------------------------------------------------------ */

/* Sockets that still send for closed channels have a bound as channels have, or who opens and closes them without end
 * could take all descriptors. */
static bool may_drain(const struct tunnel *t, const struct connection *c)
{
    int64_t channels = c->profile->settings.max_channels.number;
    return t->queued <= DRAINING_MAX - t->shard->draining &&
           c->drains < (channels > DRAINS_LEAST ? channels : DRAINS_LEAST);
}

/* The channel is gone. What it brought before still goes to the socket, for as long as that takes it. */
void nacre_tunnel_channel_closed(struct tunnel *t)
{
    struct connection *c = t->connection;
    if (nacre_tunnel_of(c, t->number) == t)
        c->ends[t->number].tunnel = NULL;
    list_remove(&t->sibling);
    t->connection = NULL;
    c->held -= t->queued;
    if (t->stage == TUNNEL_OPEN)
        emit_closed(c, t->address, t->port);
    bool drains = t->stage == TUNNEL_OPEN && t->first != NULL && !t->failed && may_drain(t, c);
    if (!drains) {
        nacre_tunnel_let_go(t);
        return;
    }
    t->stage = TUNNEL_DRAINING;
    t->drains_for = c->slot.id;
    c->drains++;
    t->shard->draining += t->queued;
    nacre_timer_arm(&t->shard->timers, &t->timer, t->shard->now_ns + (t->shard->stopping ? stop_drain_ns : drain_ns));
    if (t->receiving)
        t->shard->ops->receive(t->shard->io, t->io_slot, false);
    t->receiving = false;
    push(t);
}

void nacre_tunnel_hurry(struct tunnel *t)
{
    if (t->stage == TUNNEL_DRAINING)
        nacre_timer_arm(&t->shard->timers, &t->timer, t->shard->now_ns + stop_drain_ns);
}

void nacre_tunnel_failed(struct tunnel *t, enum nacre_error error)
{
    struct connection *c = t->connection;
    if (t->stage == TUNNEL_DRAINING) {
        nacre_tunnel_let_go(t);
        return;
    }
    if (t->stage == TUNNEL_RESOLVING || t->stage == TUNNEL_CONNECTING) {
        nacre_tunnel_connected(t, error);
        return;
    }
    if (t->stage != TUNNEL_OPEN || t->failed)
        return;
    size_t queued = t->queued;
    t->failed = true;
    t->sending = false;
    t->queued = 0; /* the bytes themselves stay put until IO_GONE: a send may be in flight */
    c->held -= queued;
    /* Told first, since without memory to grant the window the connection ends, and nothing follows its end. */
    nacre_tunnel_error(c, NACRE_E_FORWARD_DATA, t->address, t->port, nacre_error_text((int)error));
    nacre_chan_consumed(c->conn, t->number, queued, t->shard->now_ns);
    (void)nacre_chan_close(c->conn, t->number, t->shard->now_ns); /* closing twice is fine */
    nacre_connection_touch(c);
}

/* Hands the socket to the back end and starts to move bytes. */
static enum nacre_error attach(struct tunnel *t)
{
    struct shard *s = t->shard;
    if (!t->attached)
        nacre_sock_set_nodelay(t->socket, true); /* a unix socket has no such thing, and needs none */
    enum nacre_error e =
        t->attached ? NACRE_OK : s->ops->attach(s->io, t->socket, nacre_tunnel_owner(&t->slot), &t->io_slot);
    if (e != NACRE_OK)
        return e;
    t->socket = IO_NO_SOCKET;
    t->attached = true;
    if (s->ops->portion != NULL)
        s->ops->portion(s->io, t->io_slot, PLAIN_RECEIVE_BYTES, PLAIN_RECEIVE_BYTES);
    t->stage = TUNNEL_OPEN;
    nacre_tunnel_room(t);
    return NACRE_OK;
}

void nacre_tunnel_opened(struct tunnel *t, bool opened)
{
    struct connection *c = t->connection;
    if (!opened) {
        nacre_tunnel_channel_closed(t);
        return;
    }
    enum nacre_error e = attach(t);
    if (e == NACRE_OK)
        return;
    nacre_tunnel_error(c, NACRE_E_FORWARD_DATA, t->address, t->port, nacre_error_text((int)e));
    (void)nacre_chan_close(c->conn, t->number, t->shard->now_ns); /* its end comes back as closed */
}

void nacre_forward_close(const struct forward *f)
{
    nacre_sock_close_listener(f->socket);
    if (f->is_unix)
        nacre_sock_unlink(f->address);
}

/* Told when it is the connection's no more, which may end over that. */
static void end_forward(struct forward *f)
{
    struct connection *c = f->connection;
    list_remove(&f->sibling);
    f->connection = NULL;
    f->detached = true;
    f->shard->ops->detach(f->shard->io, f->io_slot);
    nacre_forward_close(f);
    emit_closed(c, f->address, f->port);
}

void nacre_forward_gone(struct forward *f)
{
    free(f->address);
    nacre_table_give(&f->shard->forwards, f);
}

bool nacre_forward_cancel(struct connection *c, bool is_unix, const char *address, int port)
{
    for (struct list *l = c->forwards.next; l != &c->forwards; l = l->next) {
        struct forward *f = CONTAINER_OF(l, struct forward, sibling);
        if (f->is_unix == is_unix && f->port == port && strcmp(f->address, address) == 0) {
            end_forward(f);
            return true;
        }
    }
    return false;
}

void nacre_tunnel_end_all(struct connection *c)
{
    while (!list_is_empty(&c->forwards))
        end_forward(CONTAINER_OF(c->forwards.next, struct forward, sibling));
    while (!list_is_empty(&c->tunnels))
        nacre_tunnel_channel_closed(CONTAINER_OF(c->tunnels.next, struct tunnel, sibling));
}
