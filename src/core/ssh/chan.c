/* SPDX-License-Identifier: Apache-2.0 */
/* The life of channels, RFC 4254 sections 5.1 and 5.3: numbers, opening from either side, EOF, close.
 *
 * A number is taken from the moment a channel is asked for until both sides have closed it, and counts towards the
 * limit all that time (rule R20). A message for a number that is not live ends the connection (rule R37). */
#include "ssh/chan.h"

#include <stdlib.h>

enum {
    OPEN_ADMINISTRATIVELY_PROHIBITED = 1,
    OPEN_RESOURCE_SHORTAGE = 4,
    FIRST_TABLE = 4
};

/* ---- the table ---------------------------------------------------------------------------------------------- */

struct chan *nacre_chan_find(const struct conn *c, uint32_t number)
{
    return number < c->chan_room ? c->chans[number] : NULL;
}

static bool table_grow(struct conn *c)
{
    uint32_t room = c->chan_room == 0 ? FIRST_TABLE : 2 * c->chan_room;
    struct chan **chans = realloc(c->chans, room * sizeof(struct chan *));

    if (chans == NULL)
        return false;
    for (uint32_t i = c->chan_room; i < room; i++)
        chans[i] = NULL;
    c->chans = chans;
    c->chan_room = room;
    return true;
}

/* A channel under the lowest free number. NULL: the limit, or out of memory. */
static struct chan *chan_new(struct conn *c, enum chan_state state)
{
    uint32_t number = 0;

    if (c->chan_count >= c->config->max_channels || (c->chan_count == c->chan_room && !table_grow(c)))
        return NULL;
    while (c->chans[number] != NULL)
        number++;
    struct chan *chan = calloc(1, sizeof *chan);
    if (chan == NULL)
        return NULL;
    list_init(&chan->ready);
    chan->number = number;
    chan->state = state;
    nacre_chan_first_window(c, chan);
    chan->granted_ns = c->now_ns;
    c->chans[number] = chan;
    c->chan_count++;
    return chan;
}

/* What has become of a channel's lane since it was `before`. */
static void count_lane(struct conn *c, const struct lane *before, const struct lane *now)
{
    c->lanes_bytes += now->bytes - before->bytes;
    c->lanes_room += now->room - before->room;
}

static void chan_free(struct conn *c, struct chan *chan)
{
    nacre_asks_drop_channel(c, chan->number);
    c->chans[chan->number] = NULL;
    c->chan_count--;
    list_remove(&chan->ready);
    nacre_chan_drop_queue(chan);
    nacre_chan_drop_window(c, chan);
    struct lane lane = chan->lane;
    nacre_lane_free(&chan->lane);
    count_lane(c, &lane, &chan->lane);
    free(chan);
    if (c->chan_count == 0) {
        free(c->chans);
        c->chans = NULL;
        c->chan_room = 0;
    }
}

void nacre_chans_free(struct conn *c)
{
    for (uint32_t i = 0; i < c->chan_room; i++) {
        if (c->chans[i] != NULL)
            chan_free(c, c->chans[i]);
    }
    free(c->chans);
    c->chans = NULL;
    c->chan_room = 0;
}

bool nacre_chan_bury(struct conn *c, struct chan *chan)
{
    struct conn_event closed = {.type = CONN_CHANNEL_CLOSED, .channel = chan->number, .bytes = chan->unconsumed};

    if (!chan->close_in || !chan->close_out)
        return false;
    chan_free(c, chan);
    nacre_conn_event(c, &closed);
    return true;
}

struct chan *nacre_chan_of(struct conn *c, struct rd *r)
{
    uint32_t number = rd_u32(r);
    struct chan *chan = r->bad ? NULL : nacre_chan_find(c, number);

    if (chan == NULL || chan->state != CHAN_OPEN || chan->close_in) {
        (void)nacre_conn_fail(c, r->bad ? NACRE_E_PACKET : NACRE_E_UNEXPECTED,
                              "message for a channel that is not open");
        return NULL;
    }
    return chan;
}

/* ---- the lane ----------------------------------------------------------------------------------------------- */

bool nacre_chan_holds_back(struct conn *c, struct chan *chan, uint8_t type, struct span body)
{
    if (!chan->held && (chan->lane.bytes == 0 || chan->lane_running))
        return false;
    /* Past the maximum nothing is read any more; one packet more may be at hand. */
    struct lane before = chan->lane;
    if (!nacre_lane_put(&chan->lane, conn_lanes_max(c) + CONN_PACKET_MAX, type, body)) {
        (void)nacre_conn_fail(c, NACRE_E_NOBUFS, "out of memory for what waits behind a channel request");
        return true;
    }
    count_lane(c, &before, &chan->lane);
    return true;
}

/* The message is taken off the lane before it is handled, as the handler may end the channel or hold it again. */
static enum step run_first(struct conn *c, struct chan *chan, struct span payload)
{
    struct buf copy;
    enum step step = STEP_CLOSE;

    nacre_buf_init(&copy, payload.len);
    if (nacre_buf_append(&copy, payload.at, payload.len)) {
        struct lane before = chan->lane;
        nacre_lane_drop(&chan->lane);
        count_lane(c, &before, &chan->lane);
        step = nacre_conn_handle(c, buf_span(&copy));
    } else {
        (void)nacre_conn_fail(c, NACRE_E_NOBUFS, "out of memory");
    }
    nacre_buf_free(&copy);
    return step;
}

enum step nacre_chan_run_lane(struct conn *c, uint32_t number)
{
    struct chan *chan = nacre_chan_find(c, number);
    struct span payload;
    struct block *block = c->block;
    size_t worked = 0;

    if (chan == NULL || chan->lane_running)
        return STEP_NEXT;
    c->block = NULL; /* what waited lies in no block of the caller */
    chan->lane_running = true;
    while (chan != NULL && !chan->held && worked < LANE_PIECE && nacre_lane_peek(&chan->lane, &payload)) {
        worked += LANE_MESSAGE + payload.len;
        if (run_first(c, chan, payload) == STEP_CLOSE)
            return STEP_CLOSE;
        chan = nacre_chan_find(c, number);
    }
    c->block = block;
    if (chan == NULL)
        return STEP_NEXT;
    chan->lane_running = false;
    if (chan->lane.bytes != 0 && !chan->held)
        c->lanes_rest = true;
    return STEP_NEXT;
}

void nacre_chans_run_lanes(struct conn *c)
{
    uint32_t first = c->lane_turn;
    bool ran = false;

    c->lanes_rest = false;
    for (uint32_t i = 0; i < c->chan_room && !c->lanes_rest; i++) {
        uint32_t number = (first + i) % c->chan_room;
        struct chan *chan = c->chans[number];
        if (chan == NULL || chan->held || chan->lane.bytes == 0)
            continue;
        if (ran) {
            c->lanes_rest = true;
            return;
        }
        ran = true;
        c->lane_turn = number + 1;
        if (nacre_chan_run_lane(c, number) == STEP_CLOSE)
            return;
    }
}

/* ---- opening: theirs ---------------------------------------------------------------------------------------- */

static enum step send_open_failure(struct conn *c, uint32_t remote, uint32_t reason, const char *text)
{
    struct span description = span_str(text);
    struct packet p;

    if (description.len > REASON_MAX)
        description.len = REASON_MAX;
    nacre_packet_open(c, &p, MSG_CHANNEL_OPEN_FAILURE, 16 + description.len);
    wr_u32(&p.w, remote);
    wr_u32(&p.w, reason);
    wr_string(&p.w, description);
    wr_cstring(&p.w, "");
    return nacre_packet_close(c, &p);
}

enum step nacre_on_channel_open(struct conn *c, struct span body)
{
    struct rd r = rd_over(body);
    struct span kind = rd_string(&r, NAME_MAX_LEN);
    uint32_t remote = rd_u32(&r), window = rd_u32(&r), packet = rd_u32(&r);
    struct span data = rd_rest(&r);

    if (!rd_end(&r))
        return nacre_conn_fail(c, NACRE_E_PACKET, "malformed CHANNEL_OPEN");
    if (packet < CHAN_PACKET_MIN)
        return send_open_failure(c, remote, OPEN_RESOURCE_SHORTAGE, "The maximum packet size is too small.");
    struct chan *chan = chan_new(c, CHAN_ASKED);
    if (chan == NULL)
        return send_open_failure(c, remote, OPEN_RESOURCE_SHORTAGE, "Too many channels.");
    chan->remote = remote;
    chan->window_out = window;
    chan->packet_out = packet;
    return nacre_conn_ask(
        c, ASK_CHANNEL_OPEN,
        &(struct conn_event){.type = CONN_CHANNEL_OPEN_REQUEST, .channel = chan->number, .kind = kind, .data = data});
}

static enum step send_confirmation(struct conn *c, const struct chan *chan)
{
    struct packet p;

    nacre_packet_open(c, &p, MSG_CHANNEL_OPEN_CONFIRMATION, 16);
    wr_u32(&p.w, chan->remote);
    wr_u32(&p.w, chan->number);
    wr_u32(&p.w, chan->window_in);
    wr_u32(&p.w, CONN_CHANNEL_PACKET);
    return nacre_packet_close(c, &p);
}

static enum step is_open_now(struct conn *c, uint32_t number)
{
    struct chan *chan;

    nacre_conn_event(c, &(struct conn_event){.type = CONN_CHANNEL_OPENED, .channel = number});
    nacre_conn_event(c, &(struct conn_event){.type = CONN_CHANNEL_WINDOW, .channel = number});
    chan = nacre_chan_find(c, number);
    if (chan != NULL)
        nacre_chan_wake(c, chan);
    return conn_is_closing(c) ? STEP_CLOSE : STEP_NEXT;
}

enum step nacre_resume_channel_open(struct conn *c, const struct ask *ask, const struct conn_answer *answer)
{
    struct chan *chan = nacre_chan_find(c, ask->channel);

    if (chan == NULL)
        return STEP_NEXT;
    if (!answer->accept) {
        uint32_t remote = chan->remote;
        chan_free(c, chan);
        return send_open_failure(c, remote, answer->reason == 0 ? OPEN_ADMINISTRATIVELY_PROHIBITED : answer->reason,
                                 answer->text == NULL ? "The channel was refused." : answer->text);
    }
    chan->state = CHAN_OPEN;
    if (send_confirmation(c, chan) == STEP_CLOSE)
        return STEP_CLOSE;
    return is_open_now(c, ask->channel);
}

/* ---- opening: ours ------------------------------------------------------------------------------------------ */

enum nacre_error nacre_chan_open(struct conn *c, struct span kind, struct span data, uint32_t *channel, int64_t now_ns)
{
    struct packet p;

    if (c->phase != PHASE_OPEN)
        return NACRE_E_NOTCONN;
    if (kind.len > NAME_MAX_LEN || data.len > CHAN_REQUEST_MAX)
        return NACRE_E_INVAL;
    if (!nacre_packet_has_room(c))
        return NACRE_E_NOBUFS;
    if (c->chan_count >= c->config->max_channels)
        return NACRE_E_TOO_MANY_CHANNELS;
    c->now_ns = now_ns;
    struct chan *chan = chan_new(c, CHAN_OPENING);
    if (chan == NULL)
        return NACRE_E_NOBUFS;
    *channel = chan->number;
    nacre_packet_open(c, &p, MSG_CHANNEL_OPEN, 16 + kind.len + data.len);
    wr_string(&p.w, kind);
    wr_u32(&p.w, chan->number);
    wr_u32(&p.w, chan->window_in);
    wr_u32(&p.w, CONN_CHANNEL_PACKET);
    wr_bytes(&p.w, data.at, data.len);
    return nacre_packet_close(c, &p) == STEP_CLOSE ? NACRE_E_NOTCONN : NACRE_OK;
}

/* An answer to an opening of ours. */
static struct chan *opening_of(struct conn *c, struct rd *r)
{
    uint32_t number = rd_u32(r);
    struct chan *chan = r->bad ? NULL : nacre_chan_find(c, number);

    return chan == NULL || chan->state != CHAN_OPENING ? NULL : chan;
}

enum step nacre_on_channel_open_confirmation(struct conn *c, struct span body)
{
    struct rd r = rd_over(body);
    struct chan *chan = opening_of(c, &r);
    uint32_t remote = rd_u32(&r), window = rd_u32(&r), packet = rd_u32(&r);

    (void)rd_rest(&r); /* some types add data of their own */
    if (r.bad)
        return nacre_conn_fail(c, NACRE_E_PACKET, "malformed CHANNEL_OPEN_CONFIRMATION");
    if (chan == NULL)
        return nacre_conn_fail(c, NACRE_E_UNEXPECTED, "CHANNEL_OPEN_CONFIRMATION for no channel of ours");
    if (packet < CHAN_PACKET_MIN)
        return nacre_conn_fail(c, NACRE_E_FLOW, "the maximum packet size of a channel is too small");
    chan->remote = remote;
    chan->window_out = window;
    chan->packet_out = packet;
    chan->state = CHAN_OPEN;
    return is_open_now(c, chan->number);
}

enum step nacre_on_channel_open_failure(struct conn *c, struct span body)
{
    struct rd r = rd_over(body);
    struct chan *chan = opening_of(c, &r);
    uint32_t reason = rd_u32(&r);
    struct span text = rd_string(&r, CONN_PACKET_MAX);

    (void)rd_rest(&r); /* the language tag, which some leave out */
    if (r.bad)
        return nacre_conn_fail(c, NACRE_E_PACKET, "malformed CHANNEL_OPEN_FAILURE");
    if (chan == NULL)
        return nacre_conn_fail(c, NACRE_E_UNEXPECTED, "CHANNEL_OPEN_FAILURE for no channel of ours");
    uint32_t number = chan->number;
    chan_free(c, chan);
    nacre_conn_event(
        c, &(struct conn_event){.type = CONN_CHANNEL_OPEN_FAILED, .channel = number, .code = reason, .text = text});
    return STEP_NEXT;
}

/* ---- EOF and close ------------------------------------------------------------------------------------------ */

enum step nacre_on_channel_eof(struct conn *c, struct span body)
{
    struct rd r = rd_over(body);
    struct chan *chan = nacre_chan_of(c, &r);

    if (chan == NULL)
        return STEP_CLOSE;
    if (!rd_end(&r))
        return nacre_conn_fail(c, NACRE_E_PACKET, "malformed CHANNEL_EOF");
    if (nacre_chan_holds_back(c, chan, MSG_CHANNEL_EOF, body) || chan->eof_in || chan->close_out)
        return STEP_NEXT;
    chan->eof_in = true;
    nacre_conn_event(c, &(struct conn_event){.type = CONN_CHANNEL_EOF, .channel = chan->number});
    return STEP_NEXT;
}

/* What is still queued for a peer that has closed would be thrown away there. */
enum step nacre_on_channel_close(struct conn *c, struct span body)
{
    struct rd r = rd_over(body);
    struct chan *chan = nacre_chan_of(c, &r);

    if (chan == NULL)
        return STEP_CLOSE;
    if (!rd_end(&r))
        return nacre_conn_fail(c, NACRE_E_PACKET, "malformed CHANNEL_CLOSE");
    if (nacre_chan_holds_back(c, chan, MSG_CHANNEL_CLOSE, body))
        return STEP_NEXT;
    chan->close_in = true;
    nacre_chan_drop_queue(chan);
    if (!chan->close_out && nacre_send_chan_close(c, chan) == STEP_CLOSE)
        return STEP_CLOSE;
    (void)nacre_chan_bury(c, chan);
    return STEP_NEXT;
}

enum nacre_error nacre_chan_send_eof(struct conn *c, uint32_t channel, int64_t now_ns)
{
    struct chan *chan = conn_is_closing(c) ? NULL : nacre_chan_find(c, channel);

    if (chan == NULL)
        return NACRE_E_CHANNEL_ID;
    if (chan->eof_wanted || chan->close_wanted)
        return NACRE_OK;
    c->now_ns = now_ns;
    chan->eof_wanted = true;
    chan->eof_at = chan->pushed;
    nacre_chan_wake(c, chan);
    return NACRE_OK;
}

enum nacre_error nacre_chan_close(struct conn *c, uint32_t channel, int64_t now_ns)
{
    struct chan *chan = conn_is_closing(c) ? NULL : nacre_chan_find(c, channel);

    if (chan == NULL)
        return NACRE_E_CHANNEL_ID;
    if (chan->close_wanted)
        return NACRE_OK;
    c->now_ns = now_ns;
    chan->close_wanted = true;
    nacre_chan_wake(c, chan);
    return NACRE_OK;
}
