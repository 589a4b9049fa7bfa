/* SPDX-License-Identifier: Apache-2.0 */
/* The transport's small fry: DISCONNECT, IGNORE, DEBUG, UNIMPLEMENTED (RFC 4253 section 11), and OpenSSH's ping. */

#include "ssh/conn_priv.h"

enum {
    DISCONNECT_BY_APPLICATION = 11
};

static struct span cut(struct span s, size_t max)
{
    return span_of(s.at, s.len < max ? s.len : max);
}

void nacre_send_disconnect(struct conn *c, uint32_t code, const char *text)
{
    struct span reason = cut(span_str(text), REASON_MAX);
    struct packet p;

    nacre_packet_open(c, &p, MSG_DISCONNECT, 12 + reason.len);
    wr_u32(&p.w, code);
    wr_string(&p.w, reason);
    wr_cstring(&p.w, "");
    (void)nacre_packet_close(c, &p);
}

enum step nacre_on_disconnect(struct conn *c, struct span body)
{
    struct rd r = rd_over(body);
    uint32_t code = rd_u32(&r);
    struct span reason = rd_string(&r, CONN_PACKET_MAX);
    bool is_orderly = c->phase == PHASE_OPEN && code == DISCONNECT_BY_APPLICATION && !r.bad;

    if (r.bad)
        reason = span_str("The peer disconnected.");
    return nacre_conn_end(c, is_orderly ? NACRE_OK : NACRE_E_PEER_DISCONNECTED, cut(reason, REASON_MAX));
}

enum step nacre_on_ignore(struct conn *c, struct span body)
{
    (void)c;
    (void)body;
    return STEP_NEXT;
}

enum step nacre_on_debug(struct conn *c, struct span body)
{
    struct rd r = rd_over(body);

    (void)rd_bool(&r);
    struct span text = cut(rd_string(&r, CONN_PACKET_MAX), REASON_MAX);
    (void)rd_string(&r, CONN_PACKET_MAX);
    if (rd_end(&r) && conn_logs(c, 3))
        nacre_conn_event(c, &(struct conn_event){.type = CONN_LOG, .level = 3, .text = text});
    return STEP_NEXT;
}

enum step nacre_on_unimplemented(struct conn *c, struct span body)
{
    struct rd r = rd_over(body);

    (void)rd_u32(&r);
    return rd_end(&r) ? STEP_NEXT : nacre_conn_fail(c, NACRE_E_PACKET, "malformed UNIMPLEMENTED");
}

enum step nacre_send_unimplemented(struct conn *c, uint32_t seq)
{
    struct packet p;

    nacre_packet_open(c, &p, MSG_UNIMPLEMENTED, 4);
    wr_u32(&p.w, seq);
    return nacre_packet_close(c, &p);
}

/* Rule R14: no answer before login and during a key exchange, where answers would have to be queued. */
enum step nacre_on_ping(struct conn *c, struct span body)
{
    struct rd r = rd_over(body);
    struct span data = rd_string(&r, CONN_PACKET_MAX);
    struct packet p;

    if (!rd_end(&r))
        return nacre_conn_fail(c, NACRE_E_PACKET, "malformed PING");
    if (c->phase != PHASE_OPEN || c->kex != NULL)
        return STEP_NEXT;
    nacre_packet_open(c, &p, MSG_PONG, 4 + data.len);
    wr_string(&p.w, data);
    return nacre_packet_close(c, &p);
}

enum step nacre_on_pong(struct conn *c, struct span body)
{
    struct rd r = rd_over(body);
    struct span data = rd_string(&r, CONN_PACKET_MAX);

    if (!rd_end(&r))
        return nacre_conn_fail(c, NACRE_E_PACKET, "malformed PONG");
    nacre_conn_event(
        c, &(struct conn_event){.type = CONN_GLOBAL_REPLY, .accepted = true, .kind = span_str("pong"), .data = data});
    return STEP_NEXT;
}

enum nacre_error nacre_conn_ping(struct conn *c, struct span data, int64_t now_ns)
{
    struct packet p;

    if (c->phase != PHASE_OPEN)
        return NACRE_E_NOTCONN;
    if (!c->peer_pings)
        return NACRE_E_NOT_SUPPORTED;
    if (data.len > CONN_PAYLOAD_MAX - 8)
        return NACRE_E_MSGSIZE;
    if (!nacre_packet_has_room(c))
        return NACRE_E_NOBUFS;
    c->now_ns = now_ns;
    nacre_packet_open(c, &p, MSG_PING, 4 + data.len);
    wr_string(&p.w, data);
    return nacre_packet_close(c, &p) == STEP_CLOSE ? NACRE_E_NOTCONN : NACRE_OK;
}

/* Key exchange and authentication keep their own order, so their messages cannot be slipped in from outside. */
static bool may_be_sent_raw(const struct conn *c, uint8_t type)
{
    const struct msg_rule *rule = conn_is_server(c) ? &nacre_client_rules[type] : &nacre_server_rules[type];
    enum moment moment = c->phase == PHASE_SERVICE ? M_SERVICE : c->phase == PHASE_AUTH ? M_AUTH : M_OPEN;

    if (type <= MSG_DISCONNECT || (type >= MSG_SERVICE_REQUEST && type <= MSG_USERAUTH_LAST))
        return false;
    return rule->handle != NULL && msg_is_legal(rule, moment);
}

enum nacre_error nacre_conn_send_payload(struct conn *c, struct span payload, int64_t now_ns)
{
    if (c->phase < PHASE_SERVICE || conn_is_closing(c))
        return NACRE_E_NOTCONN;
    if (payload.len == 0 || !may_be_sent_raw(c, payload.at[0]))
        return NACRE_E_INVAL;
    if (payload.len > CONN_PAYLOAD_MAX)
        return NACRE_E_MSGSIZE;
    if (!nacre_packet_has_room(c))
        return NACRE_E_NOBUFS;
    c->now_ns = now_ns;
    return nacre_packet_payload(c, payload) == STEP_CLOSE ? NACRE_E_NOTCONN : NACRE_OK;
}
