/* SPDX-License-Identifier: Apache-2.0 */
/* Methods on one connection or channel: each becomes a command for the worker that has it. */
#include <string.h>

#include "engine/outbox.h"
#include "engine/server.h"
#include "wire/wr.h"

/* True when `id` is alive; whatever happens to it until the command is carried out makes the command a no-op. */
static bool is_live(struct shard *s, int64_t id)
{
    nacre_mutex_lock(&s->inbox_lock);
    const struct table *t = id_kind(id) == TABLE_CHANNELS ? &s->channels : &s->connections;
    bool live = nacre_table_find(t, id) != NULL;
    nacre_mutex_unlock(&s->inbox_lock);
    return live;
}

/* The shard of a live id of that kind, or NULL. */
static struct shard *shard_of(nacre_server *server, int64_t id, enum table_kind kind)
{
    struct shard *s = server == NULL || id <= 0 || id_kind(id) != kind ? NULL : nacre_server_shard(server, id);
    return s != NULL && is_live(s, id) ? s : NULL;
}

static enum nacre_error stale_error(enum table_kind kind)
{
    return kind == TABLE_CHANNELS ? NACRE_E_CHANNEL_ID : NACRE_E_CONNECTION_ID;
}

static int offer(nacre_server *server, enum command_type type, int64_t id, enum table_kind kind, const char *name,
                 const void *data, size_t len)
{
    if (server == NULL)
        return nacre_fail(NACRE_E_INVAL, NULL);
    struct shard *s = shard_of(server, id, kind);
    if (s == NULL)
        return nacre_fail(stale_error(kind), NULL);
    struct command *k = nacre_command_new(type, id, name, data, len);
    if (k == NULL)
        return nacre_fail(NACRE_E_NOBUFS, NULL);
    enum nacre_error e = nacre_inbox_offer(s, k);
    return e == NACRE_OK ? nacre_succeed() : nacre_fail(e, NULL);
}

int nacre_exchange_keys(nacre_server *server, nacre_connection_id connection_id)
{
    return offer(server, COMMAND_REKEY, connection_id, TABLE_CONNECTIONS, NULL, NULL, 0);
}

/* In the same breath nothing more is taken on the channel, so that no send succeeds whose bytes would come too late. */
static void stop_sends(struct shard *s, struct channel *ch)
{
    ch->finished = true;
    ch->writable = false;
    if (ch->waited)
        nacre_cond_broadcast(&s->room);
}

/* What says so instead of a command. */
static void mark(const struct shard *s, enum command_type type, void *object)
{
    struct channel *ch = object;
    if (type == COMMAND_DISCONNECT) {
        ((struct connection *)object)->disconnect_due = true;
        return;
    }
    ch->eof_due = ch->eof_due || type == COMMAND_EOF;
    ch->close_due = ch->close_due || type == COMMAND_CLOSE;
    ch->due_haul = s->haul;
}

/* Eof, close, disconnect: what a program answers a failure with. Always taken, whether or not there is memory for a
 * command and room in the inbox. */
static int end(nacre_server *server, enum command_type type, int64_t id, enum table_kind kind)
{
    if (server == NULL)
        return nacre_fail(NACRE_E_INVAL, NULL);
    struct shard *s = id <= 0 || id_kind(id) != kind ? NULL : nacre_server_shard(server, id);
    if (s == NULL)
        return nacre_fail(stale_error(kind), NULL);
    bool wake = false;
    struct command *k = nacre_command_new(type, id, NULL, NULL, 0);
    nacre_mutex_lock(&s->inbox_lock);
    void *object = nacre_table_find(kind == TABLE_CHANNELS ? &s->channels : &s->connections, id);
    if (object != NULL && kind == TABLE_CHANNELS)
        stop_sends(s, object);
    bool queued = object != NULL && k != NULL && !nacre_inbox_is_full(s);
    if (queued) {
        wake = nacre_inbox_put_locked(s, k);
    } else if (object != NULL) {
        mark(s, type, object);
        wake = nacre_inbox_mark_locked(s);
    }
    nacre_mutex_unlock(&s->inbox_lock);
    if (wake)
        s->ops->wake(s->io);
    if (!queued && k != NULL)
        nacre_command_free(k);
    return object != NULL ? nacre_succeed() : nacre_fail(stale_error(kind), NULL);
}

int nacre_disconnect(nacre_server *server, nacre_connection_id connection_id)
{
    return end(server, COMMAND_DISCONNECT, connection_id, TABLE_CONNECTIONS);
}

int nacre_send_eof(nacre_server *server, nacre_channel_id channel_id)
{
    return end(server, COMMAND_EOF, channel_id, TABLE_CHANNELS);
}

int nacre_close_channel(nacre_server *server, nacre_channel_id channel_id)
{
    return end(server, COMMAND_CLOSE, channel_id, TABLE_CHANNELS);
}

int nacre_send_exit_status(nacre_server *server, nacre_channel_id channel_id, uint32_t status)
{
    uint8_t data[4];
    struct wr w = wr_over(data, sizeof data);
    wr_u32(&w, status);
    return offer(server, COMMAND_REQUEST, channel_id, TABLE_CHANNELS, "exit-status", data, wr_len(&w));
}

int nacre_send_exit_signal(nacre_server *server, nacre_channel_id channel_id, const char *signal, bool core_dumped,
                           const char *message)
{
    uint8_t data[512];
    struct wr w = wr_over(data, sizeof data);
    if (signal == NULL)
        return nacre_fail(NACRE_E_INVAL, NULL);
    wr_cstring(&w, signal);
    wr_bool(&w, core_dumped);
    wr_cstring(&w, message == NULL ? "" : message);
    wr_cstring(&w, ""); /* language tag */
    if (!wr_done(&w))
        return nacre_fail(NACRE_E_INVAL, "The message is too long.");
    return offer(server, COMMAND_REQUEST, channel_id, TABLE_CHANNELS, "exit-signal", data, wr_len(&w));
}

int nacre_open_channel_with(nacre_server *server, nacre_connection_id connection_id, const char *channel_type,
                            const void *data, size_t len, nacre_channel_id *channel_id)
{
    if (server == NULL || channel_type == NULL || channel_id == NULL || (data == NULL && len != 0) || len > 4096 ||
        channel_type[0] == '\0' || strlen(channel_type) > 64)
        return nacre_fail(NACRE_E_INVAL, NULL);
    struct shard *s = shard_of(server, connection_id, TABLE_CONNECTIONS);
    if (s == NULL)
        return nacre_fail(NACRE_E_CONNECTION_ID, NULL);
    struct command *k = nacre_command_new(COMMAND_OPEN, connection_id, channel_type, data, len);
    if (k == NULL)
        return nacre_fail(NACRE_E_NOBUFS, NULL);
    enum nacre_error e = nacre_inbox_ask(s, k, channel_id);
    return e == NACRE_OK ? nacre_succeed() : nacre_fail(e, NULL);
}

int nacre_open_channel(nacre_server *server, nacre_connection_id connection_id, const char *channel_type,
                       nacre_channel_id *channel_id)
{
    return nacre_open_channel_with(server, connection_id, channel_type, NULL, 0, channel_id);
}

static int pause_channel(nacre_server *server, nacre_channel_id channel_id, bool pause)
{
    struct shard *s = shard_of(server, channel_id, TABLE_CHANNELS);
    enum nacre_error e = s == NULL ? NACRE_E_CHANNEL_ID : nacre_outbox_pause(s, channel_id, pause);
    return e == NACRE_OK ? nacre_succeed() : nacre_fail(e, NULL);
}

int nacre_pause_channel(nacre_server *server, nacre_channel_id channel_id)
{
    return pause_channel(server, channel_id, true);
}

int nacre_resume_channel(nacre_server *server, nacre_channel_id channel_id)
{
    return pause_channel(server, channel_id, false);
}

nacre_ticket nacre_defer(struct nacre_event *event)
{
    if (event == NULL || event->ticket.serial == 0)
        return (nacre_ticket){0, 0};
    event->deferred = true;
    return event->ticket;
}

int nacre_answer(nacre_server *server, nacre_ticket ticket, const struct nacre_answer *answer)
{
    if (server == NULL || answer == NULL)
        return nacre_fail(NACRE_E_INVAL, NULL);
    struct shard *s = shard_of(server, ticket.connection, TABLE_CONNECTIONS);
    if (s == NULL || ticket.serial == 0)
        return nacre_fail(NACRE_E_TICKET, NULL);
    struct command *k = nacre_command_new(COMMAND_ANSWER, ticket.connection, NULL, NULL, 0);
    struct nacre_answer_copy *copy = k == NULL ? NULL : nacre_answer_copy_new(answer);
    if (copy == NULL) {
        if (k != NULL)
            nacre_command_free(k);
        return nacre_fail(NACRE_E_NOBUFS, NULL);
    }
    k->serial = ticket.serial;
    k->answer = copy;
    enum nacre_error e = nacre_inbox_ask(s, k, NULL);
    return e == NACRE_OK ? nacre_succeed() : nacre_fail(e, NULL);
}
