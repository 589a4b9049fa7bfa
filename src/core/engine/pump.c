/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes between the back end and the conn, with back pressure both ways.
 *
 * Received bytes are fed where they lie. What the conn leaves is put in front of the next block's data, whose headroom
 * is there for that. At the end of each turn of the worker, a connection that something happened to is flushed: what is
 * left of its input, which goes on in the next turn or is kept in a block that fits, output, receive wish, timer. */
#include <string.h>

#include "engine/connection.h"
#include "engine/memory.h"
#include "engine/server.h"

/* Events a connection may have out before we stop reading from its peer. Channel data does not count at first: windows
 * bound it, and whoever is to take it may wait for what comes behind it. But a peer may send it a byte at a time. */
enum {
    EVENTS_OUT_MAX = 2048,
    EVENTS_ALL_MAX = 65536,
    HELD_INPUT_MAX = 16 * 1024,
    FEED_BYTES = 2 * 1024, /* then the clock is looked at */
    WHOLE_NEWCOMERS = 8    /* that keep the block their input came in */
};
_Static_assert((int)CONN_PACKET_MAX + MAC_MAX <= RECEIVE_BYTES, "a packet is received at once");

/* What a connection may take of a turn in which others have something to do, too: with a block full of small packets
 * it would be milliseconds. */
static const int64_t share_ns = 100 * 1000;

/* After so long all newcomers wait for the next turn: one key exchange is longer and is all there is in a turn, of what
 * leads to it there is more. */
static const int64_t newcomers_ns = 30 * 1000;

bool nacre_pump_is_behind(const struct connection *c)
{
    return c->plain_out >= EVENTS_OUT_MAX || c->events_out >= EVENTS_ALL_MAX;
}

static bool may_feed(const struct connection *c)
{
    return !nacre_pump_is_behind(c) && !nacre_memory_holds_back(c) && nacre_conn_wants_input(c->conn);
}

/* A question before login holds all input. The socket is read on all the same, up to a bound, so that a client that
 * goes away does not stay until the answer comes. */
static bool waits_for_login(const struct connection *c)
{
    struct conn_info info;
    if (c->questions == NULL)
        return false;
    nacre_conn_info(c->conn, &info);
    return !info.authenticated;
}

static bool may_receive(const struct connection *c)
{
    return may_feed(c) || ((c->input == NULL || c->input->len < HELD_INPUT_MAX) && waits_for_login(c));
}

/* MaxReadTime, or its share: what one connection sends is worked off for at most so long a turn, then others get
 * theirs. */
static bool has_read_time(struct connection *c)
{
    if (c->read_turn != c->shard->turn) {
        c->read_turn = c->shard->turn;
        c->read_ns = 0;
    }
    int64_t most_ns = c->profile->settings.max_read_ms.number * INT64_C(1000000);
    return c->read_ns < (c->shard->crowded ? share_ns : most_ns);
}

/* What was not used is kept in as little memory as fits. */
static void fit_rest(struct connection *c)
{
    struct block *b = c->input;
    if (b == NULL)
        return;
    /* What goes on in the next turn stays where it is: else the events of each turn would hold another copy of it. */
    bool goes_on = c->logged_in && c->is_cut && may_feed(c);
    if (goes_on || (block_is_sole(b) && b->len > b->size / 2))
        return;
    c->input = nacre_block_fit(b);
}

/* In a turn that is about it alone, a connection is charged with all of the turn. */
static void charge_time(struct connection *c, int64_t *begun_ns)
{
    int64_t now_ns = nacre_clock_ns();
    c->read_ns = c->shard->crowded ? c->read_ns + now_ns - *begun_ns : now_ns - c->shard->now_ns;
    *begun_ns = now_ns;
}

/* What lies of a packet at the end of a block is moved in front of the next one. A peer that fills blocks is read up to
 * where its packets end, as far as they go on to be as long. */
static void receive_whole(struct connection *c, size_t rest)
{
    struct shard *s = c->shard;
    size_t whole = nacre_conn_packet_bytes(c->conn);
    if (s->ops->portion == NULL || whole == 0)
        return;
    size_t next = (RECEIVE_BYTES + rest) / whole * whole - rest;
    s->ops->portion(s->io, c->io_slot, next, RECEIVE_BYTES / whole * whole);
}

/* Alone, what it leaves is fitted when it is flushed: the end of the packet may be in the next block of this turn.
 * Alone, its first piece is charged when another follows: most have no more, and do without the clock. */
static void feed(struct connection *c, struct block *b)
{
    bool is_half = false; /* of a packet */
    bool is_free = !c->shard->crowded && c->read_turn != c->shard->turn;
    int64_t begun_ns = c->shard->crowded ? nacre_clock_ns() : 0;
    c->input = NULL;
    while (b->len != 0 && !is_half && c->stage == STAGE_RUNNING && may_feed(c) && has_read_time(c)) {
        size_t used = nacre_conn_feed_some(c->conn, b->at + b->start, b->len, FEED_BYTES, b, c->shard->now_ns);
        b->start += used;
        b->len -= used;
        is_half = used == 0;
        if (b->len != 0 || !is_free)
            charge_time(c, &begun_ns);
    }
    if (c->stage != STAGE_RUNNING)
        b->len = 0;
    c->is_cut = b->len != 0 && !is_half;
    if (is_half)
        receive_whole(c, b->len);
    if (b->len == 0) {
        nacre_block_release(b);
        return;
    }
    c->input = b;
    if (c->shard->crowded)
        fit_rest(c);
}

/* One block with the kept bytes followed by those of `b`; consumes `b`. NULL: out of memory. */
static struct block *join(struct connection *c, struct block *b)
{
    struct block *rest = c->input;
    if (rest == NULL)
        return b;
    if (rest->len > b->start) {
        struct block *both = nacre_pool_alloc(&c->shard->pool, rest->len + b->len);
        if (both == NULL) {
            nacre_block_release(b);
            return NULL;
        }
        memcpy(both->at + rest->len, b->at + b->start, b->len);
        both->start = rest->len;
        both->len = b->len;
        nacre_block_release(b);
        b = both;
    }
    b->start -= rest->len;
    b->len += rest->len;
    memcpy(b->at + b->start, rest->at + rest->start, rest->len);
    nacre_block_release(rest);
    c->input = NULL;
    return b;
}

/* ---- newcomers -------------------------------------------------------------------------------------------------- */

/* What a connection sends before it has logged in may be a key exchange, a thousand times a data packet's work. So it
 * waits until all others have been served, and then for its turn: in a storm of logins, data goes first. */
static void queue_newcomer(struct connection *c)
{
    struct shard *s = c->shard;
    if (c->is_queued)
        return;
    c->is_queued = true;
    s->newcomer_count++;
    list_append(&s->newcomers, &c->newcomer);
}

void nacre_pump_no_newcomer(struct connection *c)
{
    if (!c->is_queued)
        return;
    c->is_queued = false;
    c->shard->newcomer_count--;
    list_remove(&c->newcomer);
}

/* The block that its input came in is far too big to keep, unless its turn is soon. */
static void keep_newcomer(struct connection *c, struct block *b)
{
    c->is_cut = true; /* nobody has looked at it */
    c->input = b;
    if (c->shard->newcomer_count >= WHOLE_NEWCOMERS)
        fit_rest(c);
    queue_newcomer(c);
    if (c->input->len >= HELD_INPUT_MAX)
        nacre_connection_touch(c); /* to stop receiving */
}

void nacre_pump_newcomers(struct shard *s)
{
    int64_t begun_ns = nacre_clock_ns();
    int64_t spent_ns = 0;
    while (s->newcomer_count != 0 && spent_ns < newcomers_ns) {
        struct connection *c = CONTAINER_OF(s->newcomers.next, struct connection, newcomer);
        nacre_pump_no_newcomer(c);
        if (c->stage == STAGE_RUNNING && c->input != NULL && may_feed(c))
            feed(c, c->input);
        nacre_connection_touch(c);
        spent_ns = nacre_clock_ns() - begun_ns;
    }
}

/* ---- completions ------------------------------------------------------------------------------------------------ */

void nacre_pump_received(struct connection *c, struct block *block, size_t len)
{
    if (len == 0) {
        nacre_connection_touch(c);
        nacre_block_release(block);
        c->receiving = false;
        c->peer_eof = true;
        return;
    }
    c->active_ns = c->shard->now_ns;
    if (c->stage != STAGE_RUNNING) {
        nacre_connection_touch(c);
        nacre_block_release(block);
        return;
    }
    struct block *b = join(c, block);
    if (b != NULL && !c->logged_in) {
        keep_newcomer(c, b);
        return;
    }
    nacre_connection_touch(c);
    if (b == NULL)
        nacre_connection_close(c, NACRE_E_NOBUFS, "out of memory");
    else
        feed(c, b);
}

void nacre_pump_sent(struct connection *c, size_t len)
{
    c->sending = false;
    c->active_ns = c->shard->now_ns;
    nacre_conn_output_take(c->conn, len, c->shard->now_ns);
    nacre_connection_touch(c);
}

static void detach(struct connection *c)
{
    c->stage = STAGE_DETACHED;
    c->shard->ops->detach(c->shard->io, c->io_slot);
}

void nacre_pump_failed(struct connection *c, enum nacre_error error)
{
    c->receiving = false;
    c->failed = true;
    if (c->stage == STAGE_RUNNING)
        c->status = (int)error; /* it ends when it is flushed */
    nacre_connection_touch(c);
}

static void send_output(struct connection *c)
{
    struct span spans[IO_SPANS];
    size_t count = c->sending || c->failed ? 0 : nacre_conn_output(c->conn, spans, IO_SPANS);
    if (count == 0)
        return;
    c->sending = true;
    enum nacre_error e = c->shard->ops->send(c->shard->io, c->io_slot, spans, (unsigned)count);
    if (e == NACRE_OK)
        return;
    c->sending = false;
    nacre_pump_failed(c, e);
}

static void set_receive(struct connection *c, bool on)
{
    if (on == c->receiving || c->peer_eof || c->failed)
        return;
    c->receiving = on;
    c->shard->ops->receive(c->shard->io, c->io_slot, on);
}

/* Everything is sent: FIN, then a moment for the peer to read it and close, so that our last packet is not lost to a
 * reset. */
static void flush_linger(struct connection *c)
{
    nacre_conn_drop_queued(c->conn); /* others may be waiting for that memory */
    if (c->failed || c->shard->now_ns >= c->stage_due_ns) {
        detach(c);
        return;
    }
    send_output(c);
    if (c->sending || nacre_conn_output_bytes(c->conn) != 0)
        return;
    /* A peer that said goodbye itself waits for nothing. */
    if (c->peer_eof || (!c->shut && c->peer_left)) {
        detach(c);
        return;
    }
    if (!c->shut)
        c->shard->ops->shut(c->shard->io, c->io_slot);
    c->shut = true;
    set_receive(c, true);
}

/* How long the connection may be silent: until there are keys, DefaultConnectionTimeout may say less. 0: for ever. */
static int64_t idle_limit_ns(const struct connection *c)
{
    int64_t idle_s = c->profile->settings.idle_timeout.number;
    int64_t handshake_s = c->keyed ? 0 : c->profile->settings.handshake_idle.number;
    if (handshake_s != 0 && (idle_s == 0 || handshake_s < idle_s))
        idle_s = handshake_s;
    return idle_s * INT64_C(1000000000);
}

static void check_idle(struct connection *c)
{
    int64_t idle_ns = idle_limit_ns(c);
    if (idle_ns == 0 || c->shard->now_ns - c->active_ns < idle_ns)
        return;
    bool handshake = !c->keyed && c->profile->settings.handshake_idle.number != 0;
    enum nacre_error why = handshake ? NACRE_E_TIMEDOUT : NACRE_E_TIMEOUT_IDLE;
    nacre_conn_close(c->conn, why, nacre_error_text((int)why), c->shard->now_ns);
}

static bool may_go_on(const struct connection *c)
{
    return nacre_conn_has_rest(c->conn) && !nacre_pump_is_behind(c);
}

/* What it had to wait for may be over. */
static void go_on(struct connection *c)
{
    if (c->stage == STAGE_RUNNING && may_go_on(c))
        nacre_conn_go_on(c->conn, c->shard->now_ns);
    if (c->stage != STAGE_RUNNING || c->input == NULL || !c->is_cut || !may_feed(c))
        return;
    if (!c->logged_in) {
        queue_newcomer(c);
        return;
    }
    feed(c, c->input);
    fit_rest(c);
}

/* There is more, and it goes on in the next turn. */
static bool waits_for_turn(struct connection *c)
{
    if (c->stage == STAGE_RUNNING && c->is_queued)
        return true;
    if (c->stage != STAGE_RUNNING)
        return false;
    bool waits = (c->input != NULL && c->is_cut && may_feed(c)) || may_go_on(c);
    if (waits)
        nacre_connection_touch(c);
    return waits;
}

/* The peer will say no more. What came before is worked off first, by those who have logged in. */
static void take_end(struct connection *c, bool waits)
{
    int64_t now = c->shard->now_ns;
    if (c->stage == STAGE_RUNNING && c->failed && !(waits && c->logged_in))
        nacre_conn_close(c->conn, (enum nacre_error)c->status, nacre_error_text(c->status), now);
    if (c->stage != STAGE_RUNNING || !c->peer_eof || c->told_eof || waits)
        return;
    if ((c->input != NULL && c->is_cut && !waits_for_login(c)) || nacre_conn_has_rest(c->conn))
        return;
    c->told_eof = true;
    nacre_conn_feed_eof(c->conn, now);
}

static void flush_running(struct connection *c)
{
    int64_t now = c->shard->now_ns;
    if (nacre_conn_deadline(c->conn) <= now) {
        if (nacre_pump_is_behind(c) || nacre_memory_holds_back(c))
            nacre_conn_excuse(c->conn, now);
        nacre_conn_tick(c->conn, now);
    }
    go_on(c);
    bool waits = waits_for_turn(c);
    take_end(c, waits);
    if (c->stage == STAGE_RUNNING)
        check_idle(c);
    if (c->stage != STAGE_RUNNING)
        return;
    nacre_connection_await_events(c, nacre_pump_is_behind(c) || nacre_memory_holds_back(c));
    send_output(c);
    set_receive(c, c->stage == STAGE_RUNNING && !waits && may_receive(c));
}

static int64_t due_ns(const struct connection *c)
{
    int64_t due = c->stage_due_ns == 0 ? INT64_MAX : c->stage_due_ns;
    if (c->owes_end)
        return c->shard->now_ns + INT64_C(100000000);
    for (const struct question *q = c->questions; q != NULL; q = q->next)
        due = q->due_ns < due ? q->due_ns : due;
    if (c->stage != STAGE_RUNNING)
        return due;
    int64_t idle_ns = idle_limit_ns(c);
    if (idle_ns != 0 && c->active_ns + idle_ns < due)
        due = c->active_ns + idle_ns;
    int64_t conn_due = nacre_conn_deadline(c->conn);
    return conn_due < due ? conn_due : due;
}

/* Moves the timer only when it would fire too late: deadlines mostly move away, and a timer that fires early costs one
 * look. */
static void set_timer(struct connection *c)
{
    int64_t due = due_ns(c);
    if (due == INT64_MAX || (c->timer.due_ns != 0 && c->timer.due_ns <= due))
        return;
    nacre_timer_arm(&c->shard->timers, &c->timer, due);
}

void nacre_pump_flush(struct connection *c)
{
    nacre_question_expire(c);
    nacre_connection_owed(c);
    if (c->stage == STAGE_GONE) {
        nacre_timer_cancel(&c->shard->timers, &c->timer);
        if (c->owes_end)
            set_timer(c);
        nacre_connection_settle(c);
        return;
    }
    if ((c->stage == STAGE_REQUESTED || c->stage == STAGE_CONNECTED) && c->stage_due_ns != 0 &&
        c->shard->now_ns >= c->stage_due_ns) {
        nacre_connection_close(c, NACRE_E_TIMEOUT_LOGIN, nacre_error_text(NACRE_E_TIMEOUT_LOGIN));
        return; /* the slot may be gone */
    }
    if (c->stage == STAGE_RUNNING) {
        fit_rest(c);
        if (nacre_memory_charge(c))
            flush_running(c);
    }
    if (c->stage == STAGE_LINGER)
        flush_linger(c);
    if (c->stage < STAGE_DETACHED)
        set_timer(c);
}
