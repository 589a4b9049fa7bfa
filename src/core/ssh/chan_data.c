/* SPDX-License-Identifier: Apache-2.0 */
/* Channel data in, and both windows, RFC 4254 section 5.2.
 *
 * Window is granted when the application has taken bytes, not when they arrive, so that a slow application slows its
 * peer and nobody buffers without bound; half a window at a time, so that grants are few, and a quarter of a large one:
 * what waits to be granted is of no use to a sender far away. A window doubles when it goes by in less than
 * GROW_BELOW_NS and little is left with the application: over a path of that round trip it would be the brake. */
#include "ssh/chan.h"

enum {
    GROW_BELOW_NS = 1000 * 1000 * 1000,
    LARGE_WINDOW = 1 << 20
};

enum step nacre_on_channel_window_adjust(struct conn *c, struct span body)
{
    struct rd r = rd_over(body);
    struct chan *chan = nacre_chan_of(c, &r);
    uint32_t more = rd_u32(&r);

    if (chan == NULL)
        return STEP_CLOSE;
    if (!rd_end(&r))
        return nacre_conn_fail(c, NACRE_E_PACKET, "malformed CHANNEL_WINDOW_ADJUST");
    /* Rule R23. */
    if ((uint64_t)chan->window_out + more > UINT32_MAX)
        return nacre_conn_fail(c, NACRE_E_FLOW, "a channel window grew past 2^32 - 1");
    chan->window_out += more;
    nacre_chan_wake(c, chan);
    return conn_is_closing(c) ? STEP_CLOSE : STEP_NEXT;
}

/* Window for what nobody will take. */
static void give_back(struct conn *c, uint32_t channel, size_t len)
{
    nacre_chan_consumed(c, channel, len, c->now_ns);
}

static enum step take_data(struct conn *c, struct chan *chan, uint32_t type, struct span data)
{
    uint32_t number = chan->number;
    bool is_inflated = c->in.keys.comp != NULL;

    if (chan->eof_in)
        return nacre_conn_fail(c, NACRE_E_UNEXPECTED, "channel data behind EOF");
    if (data.len > chan->window_in || data.len > CONN_CHANNEL_PACKET)
        return nacre_conn_fail(c, NACRE_E_FLOW, "channel data beyond the window or packet size");
    /* Our CLOSE is out: data that crossed it is legal and dropped. */
    if (chan->close_out || data.len == 0)
        return STEP_NEXT;
    chan->window_in -= (uint32_t)data.len;
    chan->unconsumed += (uint32_t)data.len;
    if (type > 1) {
        give_back(c, number, data.len);
        return STEP_NEXT;
    }
    nacre_conn_event(c, &(struct conn_event){.type = CONN_CHANNEL_DATA,
                                             .channel = number,
                                             .data = data,
                                             .extended = type,
                                             .block = is_inflated ? NULL : c->block});
    return conn_is_closing(c) ? STEP_CLOSE : STEP_NEXT;
}

enum step nacre_on_channel_data(struct conn *c, struct span body)
{
    struct rd r = rd_over(body);
    struct chan *chan = nacre_chan_of(c, &r);
    struct span data = rd_string(&r, CONN_PACKET_MAX);

    if (chan == NULL)
        return STEP_CLOSE;
    if (!rd_end(&r))
        return nacre_conn_fail(c, NACRE_E_PACKET, "malformed CHANNEL_DATA");
    if (nacre_chan_holds_back(c, chan, MSG_CHANNEL_DATA, body))
        return STEP_NEXT;
    return take_data(c, chan, 0, data);
}

enum step nacre_on_channel_extended_data(struct conn *c, struct span body)
{
    struct rd r = rd_over(body);
    struct chan *chan = nacre_chan_of(c, &r);
    uint32_t type = rd_u32(&r);
    struct span data = rd_string(&r, CONN_PACKET_MAX);

    if (chan == NULL)
        return STEP_CLOSE;
    if (!rd_end(&r))
        return nacre_conn_fail(c, NACRE_E_PACKET, "malformed CHANNEL_EXTENDED_DATA");
    if (nacre_chan_holds_back(c, chan, MSG_CHANNEL_EXTENDED_DATA, body))
        return STEP_NEXT;
    return take_data(c, chan, type == 0 ? UINT32_MAX : type, data);
}

/* ---- the size of windows ------------------------------------------------------------------------------------ */

/* Makes the window larger, when neither the connection's windows together nor the memory of all say no. */
static bool may_widen(struct conn *c, struct chan *chan, uint32_t more)
{
    uint64_t max = c->config->windows_max;

    if (max != 0 && (c->windows > max || more > max - c->windows))
        return false;
    if (c->pool->budget != NULL) {
        if (pool_is_tight(c->pool) || !nacre_budget_promise(c->pool->budget, more))
            return false;
        chan->promised += more;
    }
    return true;
}

static void widen(struct conn *c, struct chan *chan, uint32_t more)
{
    chan->window_size += more;
    c->windows += more;
}

void nacre_chan_first_window(struct conn *c, struct chan *chan)
{
    uint32_t least = c->config->window_bytes < WINDOW_LEAST ? c->config->window_bytes : WINDOW_LEAST;
    uint32_t more = c->config->window_bytes - least;

    widen(c, chan, least);
    while (more >= least && !may_widen(c, chan, more))
        more /= 4;
    if (more >= least)
        widen(c, chan, more);
    chan->window_in = chan->window_size;
}

static void unpromise(struct conn *c, struct chan *chan, uint32_t bytes)
{
    if (bytes > chan->promised)
        bytes = chan->promised;
    if (bytes != 0)
        nacre_budget_release(c->pool->budget, bytes);
    chan->promised -= bytes;
}

void nacre_chan_drop_window(struct conn *c, struct chan *chan)
{
    unpromise(c, chan, chan->promised);
    c->windows -= chan->window_size;
}

/* True when a whole window goes by in less than GROW_BELOW_NS, going by the part that is about to be granted. */
static bool is_fast(const struct conn *c, const struct chan *chan)
{
    int64_t took = c->now_ns - chan->granted_ns;

    return took < GROW_BELOW_NS && took * chan->window_size < (int64_t)GROW_BELOW_NS * chan->ungranted;
}

/* How much more than what was taken may be granted: the window doubles while the peer keeps pace with it. */
static uint32_t growth(struct conn *c, struct chan *chan)
{
    uint32_t max = c->config->window_max, more = chan->window_size;

    if (chan->unconsumed > chan->window_size / 4 || chan->window_size >= max || !is_fast(c, chan))
        return 0;
    if (more > max - chan->window_size)
        more = max - chan->window_size;
    return may_widen(c, chan, more) ? more : 0;
}

/* How much of what was taken is not granted again: while memory is short, windows become smaller. */
static uint32_t shrinkage(struct conn *c, struct chan *chan)
{
    uint32_t room = chan->window_size > WINDOW_LEAST ? chan->window_size - WINDOW_LEAST : 0;
    uint32_t less = chan->ungranted < room ? chan->ungranted : room;

    if (!pool_is_tight(c->pool) || less == 0)
        return 0;
    unpromise(c, chan, less);
    return less;
}

static void grant(struct conn *c, struct chan *chan)
{
    uint32_t less = shrinkage(c, chan), more = growth(c, chan);
    uint32_t bytes = chan->ungranted - less + more;
    struct packet p;

    chan->window_size -= less;
    c->windows -= less;
    widen(c, chan, more);
    chan->window_in += bytes;
    chan->ungranted = 0;
    chan->granted_ns = c->now_ns;
    if (bytes == 0)
        return;
    nacre_packet_open(c, &p, MSG_CHANNEL_WINDOW_ADJUST, 8);
    wr_u32(&p.w, chan->remote);
    wr_u32(&p.w, bytes);
    (void)nacre_packet_close(c, &p);
}

/* How much has to be taken before it is granted again. */
static uint32_t grant_from(const struct chan *chan)
{
    return chan->window_size / (chan->window_size >= LARGE_WINDOW ? 4 : 2);
}

void nacre_chan_consumed(struct conn *c, uint32_t channel, size_t bytes, int64_t now_ns)
{
    struct chan *chan = conn_is_closing(c) ? NULL : nacre_chan_find(c, channel);

    if (chan == NULL || chan->state != CHAN_OPEN)
        return;
    c->now_ns = now_ns;
    if (bytes > chan->unconsumed)
        bytes = chan->unconsumed;
    chan->unconsumed -= (uint32_t)bytes;
    chan->ungranted += (uint32_t)bytes;
    if (chan->ungranted >= grant_from(chan) && chan->ungranted != 0 && !chan->eof_in && !chan->close_out)
        grant(c, chan);
}

bool nacre_chan_owes_window(const struct conn *c, uint32_t channel)
{
    const struct chan *chan = nacre_chan_find(c, channel);
    return chan != NULL && chan->unconsumed + chan->ungranted >= grant_from(chan);
}
