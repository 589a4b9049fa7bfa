/* SPDX-License-Identifier: Apache-2.0 */
/* Global requests both ways, RFC 4254 section 4, and keep-alives, which are global requests that nobody knows.
 *
 * Replies have no number: they come in the order of the requests. So the peer's requests wait in a lane while one is
 * being decided, and for ours a bit each remembers whether it was a keep-alive. */
#include "ssh/hostkeys.h"

enum step nacre_on_global_request(struct conn *c, struct span body)
{
    struct rd r = rd_over(body);
    struct span kind = rd_string(&r, NAME_MAX_LEN);
    bool want_reply = rd_bool(&r);
    struct span data = rd_rest(&r);

    if (r.bad)
        return nacre_conn_fail(c, NACRE_E_PACKET, "malformed GLOBAL_REQUEST");
    if (c->global_held || (c->global_lane.bytes != 0 && !c->global_running)) {
        return nacre_lane_put(&c->global_lane, LANE_MAX, MSG_GLOBAL_REQUEST, body)
                   ? STEP_NEXT
                   : nacre_conn_fail(c, NACRE_E_TOO_MUCH_QUEUED, "too many global requests wait for an answer");
    }
    if (nacre_hostkeys_is_request(c, kind))
        return nacre_hostkeys_prove(c, want_reply, data);
    return nacre_conn_ask(
        c, ASK_GLOBAL_REQUEST,
        &(struct conn_event){.type = CONN_GLOBAL_REQUEST, .kind = kind, .want_reply = want_reply, .data = data});
}

enum step nacre_globals_run(struct conn *c)
{
    struct span payload;
    size_t worked = 0;

    if (c->global_running)
        return STEP_NEXT;
    c->global_running = true;
    while (!c->global_held && !conn_is_closing(c) && worked < LANE_PIECE &&
           nacre_lane_peek(&c->global_lane, &payload)) {
        worked += LANE_MESSAGE + payload.len;
        (void)nacre_conn_handle(c, payload);
        nacre_lane_drop(&c->global_lane);
    }
    c->global_running = false;
    c->global_rest = !c->global_held && c->global_lane.bytes != 0;
    return conn_is_closing(c) ? STEP_CLOSE : STEP_NEXT;
}

enum step nacre_resume_global_request(struct conn *c, const struct ask *ask, const struct conn_answer *answer)
{
    struct packet p;
    size_t room = answer->accept ? answer->reply.len : 0;

    if (ask->want_reply) {
        nacre_packet_open(c, &p, answer->accept ? MSG_REQUEST_SUCCESS : MSG_REQUEST_FAILURE, room);
        if (answer->accept)
            wr_bytes(&p.w, answer->reply.at, answer->reply.len);
        if (nacre_packet_close(c, &p) == STEP_CLOSE)
            return STEP_CLOSE;
    }
    return nacre_globals_run(c);
}

/* ---- ours --------------------------------------------------------------------------------------------------- */

static enum step send_global_request(struct conn *c, struct span kind, bool want_reply, struct span data,
                                     bool is_silent)
{
    struct packet p;

    if (want_reply) {
        if (is_silent)
            c->globals_silent[c->globals_out / 64] |= UINT64_C(1) << c->globals_out % 64;
        c->globals_asked = (uint8_t)(c->globals_asked + (is_silent ? 0 : 1));
        c->globals_out++;
    }
    nacre_packet_open(c, &p, MSG_GLOBAL_REQUEST, 5 + kind.len + data.len);
    wr_string(&p.w, kind);
    wr_bool(&p.w, want_reply);
    wr_bytes(&p.w, data.at, data.len);
    return nacre_packet_close(c, &p);
}

enum nacre_error nacre_conn_global_request(struct conn *c, struct span kind, bool want_reply, struct span data,
                                           int64_t now_ns)
{
    if (c->phase != PHASE_OPEN)
        return NACRE_E_NOTCONN;
    if (kind.len > NAME_MAX_LEN || data.len > CONN_PAYLOAD_MAX - 128)
        return NACRE_E_MSGSIZE;
    if (!nacre_packet_has_room(c) || (want_reply && c->globals_asked >= GLOBALS_MAX))
        return NACRE_E_NOBUFS;
    c->now_ns = now_ns;
    return send_global_request(c, kind, want_reply, data, false) == STEP_CLOSE ? NACRE_E_NOTCONN : NACRE_OK;
}

enum step nacre_send_keepalive(struct conn *c)
{
    if (c->globals_out - c->globals_asked >= GLOBALS_MAX)
        return STEP_NEXT;
    return send_global_request(c, span_str("keepalive@openssh.com"), true, span_of(NULL, 0), true);
}

/* Rule R21: a reply that nobody waits for is dropped. */
static enum step on_reply(struct conn *c, struct span body, bool accepted)
{
    bool is_silent = (c->globals_silent[0] & 1) != 0;

    if (c->globals_out == 0)
        return STEP_NEXT;
    c->globals_out--;
    c->globals_silent[0] = c->globals_silent[0] >> 1 | c->globals_silent[1] << 63;
    c->globals_silent[1] >>= 1;
    if (is_silent)
        return STEP_NEXT;
    c->globals_asked--;
    nacre_conn_event(c, &(struct conn_event){.type = CONN_GLOBAL_REPLY, .accepted = accepted, .data = body});
    return STEP_NEXT;
}

enum step nacre_on_request_success(struct conn *c, struct span body)
{
    return on_reply(c, body, true);
}

enum step nacre_on_request_failure(struct conn *c, struct span body)
{
    return on_reply(c, body, false);
}
