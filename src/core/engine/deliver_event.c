/* SPDX-License-Identifier: Apache-2.0 */
/* One queued event to its handler: the public struct is filled, the handler called, the decision read back. */
#include <stdlib.h>
#include <string.h>

#include "engine/connection.h"
#include "engine/deliver.h"

/* Fills the first member of an event struct. */
static struct nacre_event head_of(const struct event *e)
{
    return (struct nacre_event){.type = (int)e->type, .deferred = false, .ticket = {e->connection_id, e->serial}};
}

static void deliver_connection_request(struct nacre_server *server, struct event *e)
{
    struct nacre_connection_request v = {head_of(e), e->text[0], e->port, e->accept};
    server->handlers.on_connection_request(server, &v, server->context);
    e->deferred = v.event.deferred;
    e->accept = v.accept;
}

static void deliver_connected(struct nacre_server *server, struct event *e)
{
    struct nacre_connected v = {
        .event = head_of(e), .connection_id = e->connection_id, .description = "OK", .cert_subject = "*"};
    server->handlers.on_connected(server, &v, server->context);
    e->deferred = v.event.deferred;
    if (!e->deferred && v.cert_store != NULL)
        e->cert = nacre_cert_choice_new(v.cert_store_type, v.cert_store, v.cert_store_len, v.cert_password,
                                        v.cert_subject, v.cert_host_certificate);
    /* A key of its own was asked for: going on with the server's would be the wrong one. */
    e->accept = v.cert_store == NULL || e->cert != NULL;
}

static void deliver_disconnected(struct nacre_server *server, struct event *e)
{
    struct nacre_disconnected v = {head_of(e), e->connection_id, e->code, e->text[0]};
    server->handlers.on_disconnected(server, &v, server->context);
}

static void deliver_error(struct nacre_server *server, struct event *e)
{
    struct nacre_error_event v = {head_of(e), e->connection_id, e->code, e->text[0]};
    server->handlers.on_error(server, &v, server->context);
}

static void deliver_log(struct nacre_server *server, struct event *e)
{
    struct nacre_log v = {head_of(e), e->connection_id, e->code, e->text[0], ""};
    server->handlers.on_log(server, &v, server->context);
}

static void deliver_ssh_status(struct nacre_server *server, struct event *e)
{
    struct nacre_ssh_status v = {head_of(e), e->connection_id, e->text[0]};
    server->handlers.on_ssh_status(server, &v, server->context);
}

static void deliver_ssh_service_request(struct nacre_server *server, struct event *e)
{
    struct nacre_ssh_service_request v = {head_of(e), e->connection_id, e->text[0], e->accept};
    server->handlers.on_ssh_service_request(server, &v, server->context);
    e->deferred = v.event.deferred;
    e->accept = v.accept;
}

static void deliver_ssh_user_auth_request(struct nacre_server *server, struct event *e)
{
    struct nacre_ssh_user_auth_request v = {
        .event = head_of(e),
        .connection_id = e->connection_id,
        .user = e->text[0],
        .service = e->text[1],
        .auth_method = e->text[2],
        .auth_param = (const char *)e->data,
        .auth_param_len = e->data_len,
        .key_algorithm = e->text[3],
        .new_password = e->new_password,
        .client_host = e->client_host == NULL ? "" : e->client_host,
        .client_user = e->client_user == NULL ? "" : e->client_user,
        .verified = e->verified,
        .user_present = e->user_present,
        .user_verified = e->user_verified,
        .accept = e->accept,
        .certified = e->certified,
        .certificate_id = e->certificate_id == NULL ? "" : e->certificate_id,
        .certificate_serial = e->certificate_serial,
        .certificate_extensions = e->certificate_extensions == NULL ? "" : e->certificate_extensions,
        .force_command = e->force_command,
        .certificate_authority = e->certificate_authority.at,
        .certificate_authority_len = e->certificate_authority.len,
        .certificate_principals = e->certificate_principals == NULL ? "" : e->certificate_principals};
    server->handlers.on_ssh_user_auth_request(server, &v, server->context);
    e->deferred = v.event.deferred;
    e->accept = v.accept;
    e->partial = v.partial_success;
    e->no_touch_required = v.no_touch_required;
    e->verify_required = v.verify_required;
    if (!e->deferred && v.available_methods != NULL && (e->methods = strdup(v.available_methods)) == NULL)
        e->accept = e->partial = false;
    if (!e->deferred && v.change_prompt != NULL && (e->change_prompt = strdup(v.change_prompt)) == NULL)
        e->accept = e->partial = false;
}

static void deliver_ssh_channel_open_request(struct nacre_server *server, struct event *e)
{
    struct nacre_ssh_channel_open_request v = {head_of(e), e->connection_id, e->channel_id, e->text[0],
                                               e->data,    e->data_len,      e->accept,     0};
    server->handlers.on_ssh_channel_open_request(server, &v, server->context);
    e->deferred = v.event.deferred;
    e->accept = v.accept;
    e->reason = v.reason;
}

static void deliver_ssh_channel_opened(struct nacre_server *server, struct event *e)
{
    struct nacre_ssh_channel_opened v = {head_of(e), e->connection_id, e->channel_id};
    server->handlers.on_ssh_channel_opened(server, &v, server->context);
}

static void deliver_ssh_channel_ready_to_send(struct nacre_server *server, struct event *e)
{
    struct nacre_ssh_channel_ready_to_send v = {head_of(e), e->connection_id, e->channel_id};
    server->handlers.on_ssh_channel_ready_to_send(server, &v, server->context);
}

static void data_in(struct nacre_server *server, const struct event *e, const uint8_t *data, size_t len)
{
    struct nacre_ssh_channel_data_in v = {head_of(e), e->connection_id, e->channel_id, data, len, e->code};
    server->handlers.on_ssh_channel_data_in(server, &v, server->context);
}

/* Bytes that wait for their record to fill go to the handler before anything else does, when there are no records any
 * more. A channel that was refused before it was accepted has none. */
static void flush_record(struct nacre_server *server, const struct event *e)
{
    struct block *record = e->channel == NULL ? NULL : e->channel->record;
    if (record == NULL)
        return;
    nacre_channel_gather(e->channel, NULL);
    if (record->len != 0 && server->handlers.on_ssh_channel_data_in != NULL)
        data_in(server, e, record->at, record->len);
    nacre_block_release(record);
}

/* A block to gather a record of `length` bytes in, with room for the first `need`. It grows with what comes: a peer may
 * begin many records and end none. */
static struct block *record_block(struct channel *ch, size_t length, size_t need)
{
    struct block *old = ch->record;
    if (old != NULL && old->size >= need)
        return old;
    struct block *b = nacre_pool_alloc(&ch->connection->shard->pool, need < length / 2 ? need * 2 : length);
    if (b == NULL)
        return NULL;
    b->start = b->len = 0;
    if (old != NULL) {
        b->len = old->len;
        memcpy(b->at, old->at, b->len);
    }
    nacre_channel_gather(ch, b);
    nacre_block_release(old);
    return b;
}

/* Adds to the record from what came, and hands the record over when it is full. False: out of memory. */
static bool fill_record(struct nacre_server *server, struct event *e, size_t length, const uint8_t **at, size_t *left)
{
    struct channel *ch = e->channel;
    size_t len = ch->record == NULL ? 0 : ch->record->len;
    size_t take = len >= length ? 0 : length - len;
    take = take < *left ? take : *left;
    struct block *b = record_block(ch, length, len + take);
    if (b == NULL)
        return false;
    memcpy(b->at + len, *at, take);
    b->len += take;
    *at += take;
    *left -= take;
    if (b->len < length)
        return true;
    data_in(server, e, b->at, length);
    b->len -= length; /* more than nothing when the length was lowered meanwhile */
    memmove(b->at, b->at + length, b->len);
    if (b->len == 0) {
        nacre_channel_gather(ch, NULL);
        nacre_block_release(b);
    }
    return true;
}

static void deliver_ssh_channel_data_in(struct nacre_server *server, struct event *e)
{
    const uint8_t *at = e->data;
    size_t left = e->data_len;
    while (left != 0 || e->channel->record != NULL) {
        /* read before each record: the handler may change it */
        int length = atomic_load_explicit(&e->channel->record_length, memory_order_relaxed);
        if (length <= 0) {
            flush_record(server, e);
            if (left != 0)
                data_in(server, e, at, left);
            return;
        }
        size_t need = (size_t)length;
        if (e->channel->record == NULL && left >= need) {
            data_in(server, e, at, need);
            at += need;
            left -= need;
            continue;
        }
        if (!fill_record(server, e, need, &at, &left)) {
            flush_record(server, e);
            data_in(server, e, at, left); /* without memory to gather it, it comes as it came: nothing is lost */
            return;
        }
        if (left == 0 && e->channel->record != NULL && e->channel->record->len < need)
            return;
    }
}

static void deliver_ssh_channel_eof(struct nacre_server *server, struct event *e)
{
    struct nacre_ssh_channel_eof v = {head_of(e), e->connection_id, e->channel_id};
    flush_record(server, e);
    server->handlers.on_ssh_channel_eof(server, &v, server->context);
}

static void deliver_ssh_channel_closed(struct nacre_server *server, struct event *e)
{
    struct nacre_ssh_channel_closed v = {head_of(e), e->connection_id, e->channel_id};
    flush_record(server, e);
    server->handlers.on_ssh_channel_closed(server, &v, server->context);
}

static void deliver_ssh_channel_request(struct nacre_server *server, struct event *e)
{
    struct nacre_ssh_channel_request v = {head_of(e), e->connection_id, e->channel_id, e->text[0],
                                          e->data,    e->data_len,      e->accept};
    server->handlers.on_ssh_channel_request(server, &v, server->context);
    e->deferred = v.event.deferred;
    e->accept = v.success;
}

static void deliver_ssh_channel_requested(struct nacre_server *server, struct event *e)
{
    struct nacre_ssh_channel_requested v = {head_of(e), e->connection_id, e->channel_id,
                                            e->text[0], e->data,          e->data_len};
    server->handlers.on_ssh_channel_requested(server, &v, server->context);
}

static void deliver_ssh_tunnel_requested(struct nacre_server *server, struct event *e)
{
    struct nacre_ssh_tunnel_requested v = {head_of(e), e->connection_id, e->code,   e->text[0],
                                           e->port,    e->accept,        e->is_path};
    server->handlers.on_ssh_tunnel_requested(server, &v, server->context);
    e->deferred = v.event.deferred;
    e->accept = v.accept;
    if (v.port >= 0 && v.port <= UINT16_MAX)
        e->port = v.port;
}

static void deliver_ssh_tunnel_closed(struct nacre_server *server, struct event *e)
{
    struct nacre_ssh_tunnel_closed v = {head_of(e), e->connection_id, e->text[0], e->port};
    server->handlers.on_ssh_tunnel_closed(server, &v, server->context);
}

/* Whether a handler is set, seen without its type. */
static bool is_set(const struct nacre_handlers *h, enum event_type type)
{
    switch (type) {
#define EV(name, NAME, decision)                                                                                       \
    case EVENT_##NAME:                                                                                                 \
        return h->on_##name != NULL;
#include "nacre/events.def"
#undef EV
    case EVENT_TYPES:
        break;
    }
    return false;
}

void nacre_deliver_event(struct nacre_server *server, struct event *e)
{
    static void (*const deliver[EVENT_TYPES])(struct nacre_server *, struct event *) = {
#define EV(name, NAME, decision) [EVENT_##NAME] = deliver_##name,
#include "nacre/events.def"
#undef EV
    };
    if (is_set(&server->handlers, e->type))
        deliver[e->type](server, e);
    else
        e->accept = false;
}
