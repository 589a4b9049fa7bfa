/* SPDX-License-Identifier: Apache-2.0 */
/* Channel requests both ways, RFC 4254 section 5.4. Replies come in the order of the requests: a channel waits for the
 * answer to each. What a request means is the application's business. */
#include "ssh/chan.h"

enum {
    REPLIES_DUE_MAX = 1024,
    REQUESTS_QUEUED_MAX = 1024 /* behind data that the peer does not take */
};

enum step nacre_on_channel_request(struct conn *c, struct span body)
{
    struct rd r = rd_over(body);
    struct chan *chan = nacre_chan_of(c, &r);
    struct span kind = rd_string(&r, NAME_MAX_LEN);
    bool want_reply = rd_bool(&r);

    if (chan == NULL)
        return STEP_CLOSE;
    if (r.bad)
        return nacre_conn_fail(c, NACRE_E_PACKET, "malformed CHANNEL_REQUEST");
    if (nacre_chan_holds_back(c, chan, MSG_CHANNEL_REQUEST, body) || chan->close_out)
        return STEP_NEXT;
    return nacre_conn_ask(c, ASK_CHANNEL_REQUEST,
                          &(struct conn_event){.type = CONN_CHANNEL_REQUEST,
                                               .channel = chan->number,
                                               .kind = kind,
                                               .want_reply = want_reply,
                                               .data = body});
}

enum step nacre_resume_channel_request(struct conn *c, const struct ask *ask, const struct conn_answer *answer)
{
    struct chan *chan = nacre_chan_find(c, ask->channel);
    struct packet p;

    if (chan == NULL)
        return STEP_NEXT;
    if (ask->want_reply && !chan->close_out) {
        nacre_packet_open(c, &p, answer->accept ? MSG_CHANNEL_SUCCESS : MSG_CHANNEL_FAILURE, 4);
        wr_u32(&p.w, chan->remote);
        if (nacre_packet_close(c, &p) == STEP_CLOSE)
            return STEP_CLOSE;
    }
    return nacre_chan_run_lane(c, ask->channel);
}

/* Rule R21: a reply that nobody waits for is dropped. */
static enum step on_reply(struct conn *c, struct span body, bool accepted)
{
    struct rd r = rd_over(body);
    struct chan *chan = nacre_chan_of(c, &r);

    if (chan == NULL)
        return STEP_CLOSE;
    if (!rd_end(&r))
        return nacre_conn_fail(c, NACRE_E_PACKET, "malformed reply to a channel request");
    if (chan->replies_due == 0)
        return STEP_NEXT;
    chan->replies_due--;
    nacre_conn_event(c,
                     &(struct conn_event){.type = CONN_CHANNEL_REPLY, .channel = chan->number, .accepted = accepted});
    return STEP_NEXT;
}

enum step nacre_on_channel_success(struct conn *c, struct span body)
{
    return on_reply(c, body, true);
}

enum step nacre_on_channel_failure(struct conn *c, struct span body)
{
    return on_reply(c, body, false);
}

static enum nacre_error may_request(const struct conn *c, const struct chan *chan, struct span kind, struct span data)
{
    if (conn_is_closing(c) || chan == NULL)
        return NACRE_E_CHANNEL_ID;
    if (chan->close_wanted || chan->close_in)
        return NACRE_E_SOCKET_SHUTDOWN;
    if (kind.len > NAME_MAX_LEN || data.len > CHAN_REQUEST_MAX)
        return NACRE_E_MSGSIZE;
    bool is_behind = chan->requests >= REQUESTS_QUEUED_MAX || chan->replies_due >= REPLIES_DUE_MAX;
    return is_behind ? NACRE_E_TOO_MUCH_QUEUED : NACRE_OK;
}

/* The request travels through the channel's queue, so that it stays behind the data that was sent before, and waits
 * there for room in the output and for the end of a key exchange. */
enum nacre_error nacre_chan_request(struct conn *c, uint32_t channel, struct span kind, bool want_reply,
                                    struct span data, int64_t now_ns)
{
    struct chan *chan = nacre_chan_find(c, channel);
    enum nacre_error error = may_request(c, chan, kind, data);
    size_t len = 5 + kind.len + data.len;

    if (error != NACRE_OK)
        return error;
    struct block *b = nacre_pool_alloc(c->pool, len);
    if (b == NULL)
        return NACRE_E_NOBUFS;
    struct wr w = wr_over(b->at, len);
    wr_string(&w, kind);
    wr_bool(&w, want_reply);
    wr_bytes(&w, data.at, data.len);
    b->start = 0;
    b->len = len;
    c->now_ns = now_ns;
    chan->replies_due += want_reply ? 1 : 0;
    return nacre_chan_queue_request(c, chan, b) ? NACRE_OK : NACRE_E_NOBUFS;
}
