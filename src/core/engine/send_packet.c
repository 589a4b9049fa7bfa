/* SPDX-License-Identifier: Apache-2.0 */
/* nacre_send_ssh_packet(): each message that an application may build takes the way of the call that sends it, so that
 * windows, order and replies stay counted. */
#include <string.h>

#include "engine/server.h"
#include "wire/rd.h"

/* RFC 4250 section 4.1.2. */
enum {
    PACKET_IGNORE = 2,
    PACKET_DEBUG = 4,
    PACKET_GLOBAL_REQUEST = 80,
    PACKET_CHANNEL_DATA = 94,
    PACKET_CHANNEL_EXTENDED_DATA = 95,
    PACKET_CHANNEL_EOF = 96,
    PACKET_CHANNEL_CLOSE = 97,
    PACKET_CHANNEL_REQUEST = 98,
    KIND_MAX = 64,
    GLOBALS_ASKED_MAX = 64, /* what the conn remembers */
    PAYLOAD_MAX = 32000
};

static int malformed(void)
{
    return nacre_fail(NACRE_E_PACKET, "The payload is not what a message of that type has.");
}

/* The connection of a live channel. */
static bool connection_of(nacre_server *server, nacre_channel_id id, struct shard **s, int64_t *connection_id)
{
    *s = id_kind(id) == TABLE_CHANNELS ? nacre_server_shard(server, id) : NULL;
    if (*s == NULL)
        return false;
    nacre_mutex_lock(&(*s)->inbox_lock);
    const struct channel *ch = nacre_table_find(&(*s)->channels, id);
    if (ch != NULL)
        *connection_id = ch->connection_id;
    nacre_mutex_unlock(&(*s)->inbox_lock);
    return ch != NULL;
}

static int offer(struct shard *s, struct command *k)
{
    enum nacre_error e = k == NULL ? NACRE_E_NOBUFS : nacre_inbox_offer(s, k);
    return e == NACRE_OK ? nacre_succeed() : nacre_fail(e, NULL);
}

static bool kind_is_good(struct span kind)
{
    return kind.len != 0 && kind.len <= KIND_MAX && !span_has_nul(kind);
}

/* RFC 4254 section 5.4: type, want reply, and what belongs to it. */
static int send_request(struct shard *s, nacre_channel_id id, struct span payload)
{
    char kind[KIND_MAX + 1];
    struct rd r = rd_over(payload);
    struct span name = rd_string(&r, KIND_MAX);
    bool want_reply = rd_bool(&r);
    struct span rest = rd_rest(&r);
    if (r.bad || !kind_is_good(name))
        return malformed();
    memcpy(kind, name.at, name.len);
    kind[name.len] = '\0';
    struct command *k = nacre_command_new(COMMAND_REQUEST, id, kind, rest.at, rest.len);
    if (k != NULL)
        k->number = want_reply;
    return offer(s, k);
}

/* Counts a global request that wants a reply, or takes it back; false: so many have none already. */
static bool count_global(struct shard *s, int64_t connection_id, int by)
{
    nacre_mutex_lock(&s->inbox_lock);
    struct connection *c = nacre_table_find(&s->connections, connection_id);
    bool counted = c == NULL || by < 0 || c->globals_asked < GLOBALS_ASKED_MAX;
    if (c != NULL && counted)
        c->globals_asked = (uint8_t)(c->globals_asked + by);
    nacre_mutex_unlock(&s->inbox_lock);
    return counted;
}

static int send_payload(struct shard *s, int64_t connection_id, int type, struct span payload)
{
    uint8_t whole[1 + PAYLOAD_MAX];
    struct rd r = rd_over(payload);
    bool wants_reply = false;
    if (type == PACKET_GLOBAL_REQUEST && !kind_is_good(rd_string(&r, KIND_MAX)))
        return malformed();
    if (type == PACKET_GLOBAL_REQUEST)
        wants_reply = rd_bool(&r);
    if (type == PACKET_DEBUG)
        (void)rd_u8(&r);
    if (type != PACKET_GLOBAL_REQUEST)
        (void)rd_string(&r, PAYLOAD_MAX); /* RFC 4253 sections 11.2 and 11.3 */
    if (r.bad)
        return malformed();
    whole[0] = (uint8_t)type;
    if (payload.len != 0)
        memcpy(whole + 1, payload.at, payload.len);
    if (wants_reply && !count_global(s, connection_id, 1))
        return nacre_fail(NACRE_E_WOULDBLOCK, "The client has not answered the global requests before this one.");
    int e = offer(s, nacre_command_new(COMMAND_PAYLOAD, connection_id, NULL, whole, payload.len + 1));
    if (e != 0 && wants_reply)
        (void)count_global(s, connection_id, -1);
    return e;
}

static int send_data(nacre_server *server, nacre_channel_id id, int type, struct span payload)
{
    struct rd r = rd_over(payload);
    uint32_t kind = type == PACKET_CHANNEL_DATA ? 1 : rd_u32(&r);
    struct span data = rd_string(&r, PAYLOAD_MAX);
    if (!rd_end(&r) || kind != 1)
        return malformed();
    return type == PACKET_CHANNEL_DATA ? nacre_send_bytes(server, id, data.at, data.len)
                                       : nacre_send_stderr(server, id, data.at, data.len);
}

int nacre_send_ssh_packet(nacre_server *server, nacre_channel_id channel_id, int packet_type, const void *payload,
                          size_t payload_len)
{
    struct shard *s;
    int64_t connection_id;
    struct span all = span_of(payload, payload_len);
    if (server == NULL || (payload == NULL && payload_len != 0) || payload_len > PAYLOAD_MAX)
        return nacre_fail(NACRE_E_INVAL, NULL);
    if (!connection_of(server, channel_id, &s, &connection_id))
        return nacre_fail(NACRE_E_CHANNEL_ID, NULL);
    switch (packet_type) {
    case PACKET_CHANNEL_DATA:
    case PACKET_CHANNEL_EXTENDED_DATA:
        return send_data(server, channel_id, packet_type, all);
    case PACKET_CHANNEL_EOF:
        return payload_len == 0 ? nacre_send_eof(server, channel_id) : malformed();
    case PACKET_CHANNEL_CLOSE:
        return payload_len == 0 ? nacre_close_channel(server, channel_id) : malformed();
    case PACKET_CHANNEL_REQUEST:
        return send_request(s, channel_id, all);
    case PACKET_GLOBAL_REQUEST:
    case PACKET_IGNORE:
    case PACKET_DEBUG:
        return send_payload(s, connection_id, packet_type, all);
    default:
        return nacre_fail(NACRE_E_INVAL, "Only messages 2, 4, 80 and 94 to 98 can be sent.");
    }
}
