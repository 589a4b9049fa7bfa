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

_Static_assert(sizeof((struct nacre_connection *)0)->remote_host == sizeof((struct connection *)0)->remote_host &&
                   sizeof((struct nacre_connection *)0)->local_address ==
                       sizeof((struct connection *)0)->local_address &&
                   sizeof((struct nacre_channel *)0)->service == sizeof((struct channel *)0)->service,
               "texts are copied whole");

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

/* What a connection is at this moment, but for its id as text. `wanted`: the caller has named a place for
 * what he asks for. */
static int see_connection(nacre_server *server, int64_t id, bool wanted, struct nacre_connection *seen)
{
    struct shard *s;
    if (!wanted)
        return nacre_fail(NACRE_E_INVAL, NULL);
    const struct connection *c = lock_object(server, id, TABLE_CONNECTIONS, &s);
    if (c == NULL)
        return nacre_fail(NACRE_E_CONNECTION_ID, NULL);
    *seen = (struct nacre_connection){.connected = !c->over, .remote_port = c->remote_port, .timeout = c->timeout};
    memcpy(seen->local_address, c->local_address, sizeof seen->local_address);
    memcpy(seen->remote_host, c->remote_host, sizeof seen->remote_host);
    return done(s);
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
    struct nacre_connection seen;
    int e = see_connection(server, connection_id, true, &seen);
    return e == NACRE_OK ? nacre_copy_out(value, size, seen.local_address) : e;
}

int nacre_get_ssh_connection_remote_host(nacre_server *server, nacre_connection_id connection_id, char *value,
                                         size_t size)
{
    struct nacre_connection seen;
    int e = see_connection(server, connection_id, true, &seen);
    return e == NACRE_OK ? nacre_copy_out(value, size, seen.remote_host) : e;
}

int nacre_get_ssh_connection_remote_port(nacre_server *server, nacre_connection_id connection_id, int *value)
{
    struct nacre_connection seen;
    int e = see_connection(server, connection_id, value != NULL, &seen);
    if (e == NACRE_OK)
        *value = seen.remote_port;
    return e;
}

int nacre_get_ssh_connection_timeout(nacre_server *server, nacre_connection_id connection_id, int *seconds)
{
    struct nacre_connection seen;
    int e = see_connection(server, connection_id, seconds != NULL, &seen);
    if (e == NACRE_OK)
        *seconds = seen.timeout;
    return e;
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
    int e = see_connection(server, connection_id, value != NULL, value);
    if (e == NACRE_OK)
        (void)snprintf(value->connection_id, sizeof value->connection_id, "%" PRId64, connection_id);
    return e;
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

/* What a channel is at this moment, but for its id as text. `wanted`: the caller has named a place for
 * what he asks for. */
static int see_channel(nacre_server *server, int64_t id, bool wanted, struct nacre_channel *seen)
{
    struct shard *s;
    if (!wanted)
        return nacre_fail(NACRE_E_INVAL, NULL);
    struct channel *ch = lock_object(server, id, TABLE_CHANNELS, &s);
    if (ch == NULL)
        return nacre_fail(NACRE_E_CHANNEL_ID, NULL);
    *seen = (struct nacre_channel){
        .bytes_sent = ch->last_sent,
        .ready_to_send = ch->writable && !ch->clogged && ch->queued < SEND_QUEUE_MAX,
        .record_length = atomic_load_explicit(&ch->record_length, memory_order_relaxed), /* one value by itself */
    };
    memcpy(seen->service, ch->service, sizeof seen->service);
    return done(s);
}

int nacre_get_bytes_sent(nacre_server *server, nacre_channel_id channel_id, size_t *value)
{
    struct nacre_channel seen;
    int e = see_channel(server, channel_id, value != NULL, &seen);
    if (e == NACRE_OK)
        *value = seen.bytes_sent;
    return e;
}

int nacre_get_channel_id(nacre_server *server, nacre_channel_id channel_id, char *value, size_t size)
{
    struct nacre_channel seen;
    int e = nacre_get_channel(server, channel_id, &seen);
    return e == NACRE_OK ? nacre_copy_out(value, size, seen.channel_id) : e;
}

int nacre_get_ready_to_send(nacre_server *server, nacre_channel_id channel_id, bool *value)
{
    struct nacre_channel seen;
    int e = see_channel(server, channel_id, value != NULL, &seen);
    if (e == NACRE_OK)
        *value = seen.ready_to_send;
    return e;
}

int nacre_get_record_length(nacre_server *server, nacre_channel_id channel_id, int *value)
{
    struct nacre_channel seen;
    int e = see_channel(server, channel_id, value != NULL, &seen);
    if (e == NACRE_OK)
        *value = seen.record_length;
    return e;
}

int nacre_set_record_length(nacre_server *server, nacre_channel_id channel_id, int value)
{
    struct shard *s;
    if (value < 0 || value > RECORD_LENGTH_MAX)
        return nacre_fail(NACRE_E_INVAL, "A record length is 0 to 16777216 bytes.");
    struct channel *ch = lock_object(server, channel_id, TABLE_CHANNELS, &s);
    if (ch == NULL)
        return nacre_fail(NACRE_E_CHANNEL_ID, NULL);
    atomic_store_explicit(&ch->record_length, value, memory_order_relaxed); /* one value by itself */
    return done(s);
}

int nacre_change_record_length(nacre_server *server, nacre_channel_id channel_id, int record_length)
{
    return nacre_set_record_length(server, channel_id, record_length);
}

int nacre_get_service(nacre_server *server, nacre_channel_id channel_id, char *value, size_t size)
{
    struct nacre_channel seen;
    int e = see_channel(server, channel_id, true, &seen);
    return e == NACRE_OK ? nacre_copy_out(value, size, seen.service) : e;
}

int nacre_get_channel(nacre_server *server, nacre_channel_id channel_id, struct nacre_channel *value)
{
    int e = see_channel(server, channel_id, value != NULL, value);
    if (e == NACRE_OK)
        (void)snprintf(value->channel_id, sizeof value->channel_id, "%" PRId64, channel_id);
    return e;
}
