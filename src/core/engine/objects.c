/* SPDX-License-Identifier: Apache-2.0 */
/* Properties of connections and channels: read under the inbox lock, where the worker puts what others may see. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/send.h"
#include "engine/server.h"

/* Finds the object of an id and leaves its shard's inbox locked; NULL: nothing is locked. */
static void *lock_object(nacre_server *server, int64_t id, enum table_kind kind, struct shard **shard)
{
    struct shard *s = server == NULL || id_kind(id) != kind ? NULL : nacre_server_shard(server, id);
    if (s == NULL)
        return NULL;
    nacre_mutex_lock(&s->inbox_lock);
    void *object = nacre_table_find(kind == TABLE_CHANNELS ? &s->channels : &s->connections, id);
    if (object == NULL)
        nacre_mutex_unlock(&s->inbox_lock);
    *shard = s;
    return object;
}

static int done(struct shard *s)
{
    nacre_mutex_unlock(&s->inbox_lock);
    return nacre_succeed();
}

/* Copies the ids of all objects of a kind. */
static int copy_ids(nacre_server *server, enum table_kind kind, int64_t *ids, size_t *count)
{
    if (server == NULL || count == NULL || (ids == NULL && *count != 0))
        return nacre_fail(NACRE_E_INVAL, NULL);
    size_t room = *count, found = 0;
    unsigned shards =
        atomic_load_explicit(&server->shard_count, memory_order_acquire); /* with the release when they stand */
    for (unsigned i = 0; i < shards; i++) {
        struct shard *s = &server->shards[i];
        nacre_mutex_lock(&s->inbox_lock);
        const struct table *t = kind == TABLE_CHANNELS ? &s->channels : &s->connections;
        for (uint32_t n = 0; n < t->made; n++) {
            const struct slot *slot = nacre_table_at(t, n);
            if (slot == NULL)
                continue;
            if (found < room)
                ids[found] = slot->id;
            found++;
        }
        nacre_mutex_unlock(&s->inbox_lock);
    }
    *count = found;
    return nacre_succeed();
}

/* ---- connections ----------------------------------------------------------------------------------------------- */

int nacre_get_ssh_connection_count(nacre_server *server, int *value)
{
    if (server == NULL || value == NULL)
        return nacre_fail(NACRE_E_INVAL, NULL);
    *value = (int)atomic_load_explicit(&server->connection_count, memory_order_relaxed); /* a figure */
    return nacre_succeed();
}

int nacre_get_ssh_connection_ids(nacre_server *server, nacre_connection_id *ids, size_t *count)
{
    return copy_ids(server, TABLE_CONNECTIONS, ids, count);
}

int nacre_get_ssh_connection_connected(nacre_server *server, nacre_connection_id connection_id, bool *value)
{
    struct shard *s;
    if (server == NULL || value == NULL)
        return nacre_fail(NACRE_E_INVAL, NULL);
    const struct connection *c = lock_object(server, connection_id, TABLE_CONNECTIONS, &s);
    *value = c != NULL && !c->over;
    return c != NULL ? done(s) : nacre_succeed();
}

int nacre_set_ssh_connection_connected(nacre_server *server, nacre_connection_id connection_id, bool value)
{
    if (!value)
        return nacre_disconnect(server, connection_id);
    bool connected;
    int e = nacre_get_ssh_connection_connected(server, connection_id, &connected);
    return e != NACRE_OK || connected ? e : nacre_fail(NACRE_E_CONNECTION_ID, NULL);
}

int nacre_get_ssh_connection_local_address(nacre_server *server, nacre_connection_id connection_id, char *value,
                                           size_t size)
{
    struct shard *s;
    const struct connection *c = lock_object(server, connection_id, TABLE_CONNECTIONS, &s);
    if (c == NULL)
        return nacre_fail(NACRE_E_CONNECTION_ID, NULL);
    int e = nacre_copy_out(value, size, c->local_address);
    nacre_mutex_unlock(&s->inbox_lock);
    return e;
}

int nacre_get_ssh_connection_remote_host(nacre_server *server, nacre_connection_id connection_id, char *value,
                                         size_t size)
{
    struct shard *s;
    const struct connection *c = lock_object(server, connection_id, TABLE_CONNECTIONS, &s);
    if (c == NULL)
        return nacre_fail(NACRE_E_CONNECTION_ID, NULL);
    int e = nacre_copy_out(value, size, c->remote_host);
    nacre_mutex_unlock(&s->inbox_lock);
    return e;
}

int nacre_get_ssh_connection_remote_port(nacre_server *server, nacre_connection_id connection_id, int *value)
{
    struct shard *s;
    if (value == NULL)
        return nacre_fail(NACRE_E_INVAL, NULL);
    const struct connection *c = lock_object(server, connection_id, TABLE_CONNECTIONS, &s);
    if (c == NULL)
        return nacre_fail(NACRE_E_CONNECTION_ID, NULL);
    *value = c->remote_port;
    return done(s);
}

int nacre_get_ssh_connection_timeout(nacre_server *server, nacre_connection_id connection_id, int *seconds)
{
    struct shard *s;
    if (seconds == NULL)
        return nacre_fail(NACRE_E_INVAL, NULL);
    const struct connection *c = lock_object(server, connection_id, TABLE_CONNECTIONS, &s);
    if (c == NULL)
        return nacre_fail(NACRE_E_CONNECTION_ID, NULL);
    *seconds = c->timeout;
    return done(s);
}

int nacre_set_ssh_connection_timeout(nacre_server *server, nacre_connection_id connection_id, int seconds)
{
    struct shard *s;
    if (seconds < 0)
        return nacre_fail(NACRE_E_INVAL, "A timeout is 0 or more seconds.");
    struct connection *c = lock_object(server, connection_id, TABLE_CONNECTIONS, &s);
    if (c == NULL)
        return nacre_fail(NACRE_E_CONNECTION_ID, NULL);
    c->timeout = seconds;
    return done(s);
}

int nacre_get_connection(nacre_server *server, nacre_connection_id connection_id, struct nacre_connection *value)
{
    struct shard *s;
    if (value == NULL)
        return nacre_fail(NACRE_E_INVAL, NULL);
    const struct connection *c = lock_object(server, connection_id, TABLE_CONNECTIONS, &s);
    if (c == NULL)
        return nacre_fail(NACRE_E_CONNECTION_ID, NULL);
    *value = (struct nacre_connection){.connected = !c->over, .remote_port = c->remote_port, .timeout = c->timeout};
    (void)snprintf(value->connection_id, sizeof value->connection_id, "%" PRId64, connection_id);
    (void)snprintf(value->local_address, sizeof value->local_address, "%s", c->local_address);
    (void)snprintf(value->remote_host, sizeof value->remote_host, "%s", c->remote_host);
    return done(s);
}

/* ---- channels -------------------------------------------------------------------------------------------------- */

int nacre_get_ssh_channel_count(nacre_server *server, int *value)
{
    if (server == NULL || value == NULL)
        return nacre_fail(NACRE_E_INVAL, NULL);
    *value = (int)atomic_load_explicit(&server->channel_count, memory_order_relaxed); /* a figure */
    return nacre_succeed();
}

int nacre_get_ssh_channel_ids(nacre_server *server, nacre_channel_id *ids, size_t *count)
{
    return copy_ids(server, TABLE_CHANNELS, ids, count);
}

int nacre_get_bytes_sent(nacre_server *server, nacre_channel_id channel_id, size_t *value)
{
    struct shard *s;
    if (value == NULL)
        return nacre_fail(NACRE_E_INVAL, NULL);
    const struct channel *ch = lock_object(server, channel_id, TABLE_CHANNELS, &s);
    if (ch == NULL)
        return nacre_fail(NACRE_E_CHANNEL_ID, NULL);
    *value = ch->last_sent;
    return done(s);
}

int nacre_get_channel_id(nacre_server *server, nacre_channel_id channel_id, char *value, size_t size)
{
    struct shard *s;
    char text[24];
    if (lock_object(server, channel_id, TABLE_CHANNELS, &s) == NULL)
        return nacre_fail(NACRE_E_CHANNEL_ID, NULL);
    nacre_mutex_unlock(&s->inbox_lock);
    (void)snprintf(text, sizeof text, "%" PRId64, channel_id);
    return nacre_copy_out(value, size, text);
}

int nacre_get_ready_to_send(nacre_server *server, nacre_channel_id channel_id, bool *value)
{
    struct shard *s;
    if (value == NULL)
        return nacre_fail(NACRE_E_INVAL, NULL);
    const struct channel *ch = lock_object(server, channel_id, TABLE_CHANNELS, &s);
    if (ch == NULL)
        return nacre_fail(NACRE_E_CHANNEL_ID, NULL);
    *value = ch->writable && ch->queued < SEND_QUEUE_MAX;
    return done(s);
}

int nacre_get_record_length(nacre_server *server, nacre_channel_id channel_id, int *value)
{
    struct shard *s;
    if (value == NULL)
        return nacre_fail(NACRE_E_INVAL, NULL);
    struct channel *ch = lock_object(server, channel_id, TABLE_CHANNELS, &s);
    if (ch == NULL)
        return nacre_fail(NACRE_E_CHANNEL_ID, NULL);
    *value = atomic_load_explicit(&ch->record_length, memory_order_relaxed); /* one value by itself */
    return done(s);
}

int nacre_set_record_length(nacre_server *server, nacre_channel_id channel_id, int value)
{
    struct shard *s;
    if (value < 0 || value > RECORD_LENGTH_MAX)
        return nacre_fail(NACRE_E_INVAL, "A record length is 0 to 16777216 bytes.");
    struct channel *ch = lock_object(server, channel_id, TABLE_CHANNELS, &s);
    if (ch == NULL)
        return nacre_fail(NACRE_E_CHANNEL_ID, NULL);
    atomic_store_explicit(&ch->record_length, value, memory_order_relaxed); /* as above */
    return done(s);
}

int nacre_change_record_length(nacre_server *server, nacre_channel_id channel_id, int record_length)
{
    return nacre_set_record_length(server, channel_id, record_length);
}

int nacre_get_service(nacre_server *server, nacre_channel_id channel_id, char *value, size_t size)
{
    struct shard *s;
    const struct channel *ch = lock_object(server, channel_id, TABLE_CHANNELS, &s);
    if (ch == NULL)
        return nacre_fail(NACRE_E_CHANNEL_ID, NULL);
    int e = nacre_copy_out(value, size, ch->service);
    nacre_mutex_unlock(&s->inbox_lock);
    return e;
}

int nacre_get_channel(nacre_server *server, nacre_channel_id channel_id, struct nacre_channel *value)
{
    struct shard *s;
    if (value == NULL)
        return nacre_fail(NACRE_E_INVAL, NULL);
    struct channel *ch = lock_object(server, channel_id, TABLE_CHANNELS, &s);
    if (ch == NULL)
        return nacre_fail(NACRE_E_CHANNEL_ID, NULL);
    *value = (struct nacre_channel){
        .bytes_sent = ch->last_sent,
        .ready_to_send = ch->writable && ch->queued < SEND_QUEUE_MAX,
        .record_length = atomic_load_explicit(&ch->record_length, memory_order_relaxed), /* one value by itself */
    };
    (void)snprintf(value->channel_id, sizeof value->channel_id, "%" PRId64, channel_id);
    (void)snprintf(value->service, sizeof value->service, "%s", ch->service);
    return done(s);
}
