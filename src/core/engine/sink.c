/* SPDX-License-Identifier: Apache-2.0 */
/* What a conn tells and asks, made into events for the application. A handler that is not set costs nothing: the
 * default is taken here. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "engine/memory.h"
#include "engine/outbox.h"
#include "engine/sink.h"
#include "engine/tunnel.h"

/* Channel data up to this size is copied into the event; more is referenced where it was decrypted. */
enum {
    COPY_MAX = 2048,
    OPEN_RESOURCE_SHORTAGE = 4, /* RFC 4254 section 5.1 */
    LOGS_OUT_MAX = 1024
};

size_t nacre_sink_room(const struct span *texts, size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += texts[i].len + 1;
    return bytes;
}

/* An event with copies of `texts` and, behind them, of `data`. NULL: out of memory, and the connection is ending for
 * it. */
static struct event *make_event(struct connection *c, enum event_type type, const struct span *texts, size_t count,
                                struct span data)
{
    struct event *e = nacre_event_new(c->shard, type, nacre_sink_room(texts, count) + data.len + 1);
    if (e == NULL) {
        nacre_connection_close(c, NACRE_E_NOBUFS, "out of memory");
        return NULL;
    }
    for (size_t i = 0; i < count; i++)
        e->text[i] = nacre_event_keep(e, texts[i]);
    e->data = (const uint8_t *)nacre_event_keep(e, data);
    e->data_len = data.len;
    return e;
}

static void set_channel(struct event *e, struct channel *ch)
{
    e->channel = ch;
    e->channel_id = ch->slot.id;
}

bool nacre_sink_ask(struct connection *c, struct event *e, uint64_t serial, struct conn_answer *answer)
{
    *answer = (struct conn_answer){.accept = false};
    if (e == NULL)
        return true;
    e->connection_id = c->slot.id;
    if (!nacre_question_add(c, e, serial)) {
        nacre_event_free(c->shard, e);
        return true;
    }
    nacre_outbox_add(c, e);
    return false;
}

/* ---- reports --------------------------------------------------------------------------------------------------- */

static void log_line(struct connection *c, int level, struct span text)
{
    char head[96];
    if (sink_handlers(c)->on_log == NULL || level > c->profile->settings.log_level.number)
        return;
    /* A line a packet must not be what stops the packets: an application that does not keep up misses some. */
    if (level > 1 && c->plain_out >= LOGS_OUT_MAX)
        return;
    int n = snprintf(head, sizeof head, "%s port %d: ", c->remote_host, c->remote_port);
    size_t len = n < 0 ? 0 : (size_t)n;
    char *line = malloc(len + text.len + 1);
    struct event *e = line == NULL ? NULL : nacre_event_new(c->shard, EVENT_LOG, len + text.len + 1);
    if (e != NULL) {
        memcpy(line, head, len);
        if (text.len != 0)
            memcpy(line + len, text.at, text.len);
        e->code = level;
        e->secret = level > 2;
        e->text[0] = nacre_event_keep(e, span_of(line, len + text.len));
        nacre_outbox_add(c, e);
    }
    if (line != NULL)
        nacre_wipe(line, len + text.len);
    free(line);
}

void nacre_connection_log(struct connection *c, int level, const char *text)
{
    log_line(c, level, span_str(text));
}

static void told_log(struct connection *c, const struct conn_event *v)
{
    log_line(c, (int)v->level, v->text);
}

static void told_status(struct connection *c, const struct conn_event *v)
{
    if (sink_handlers(c)->on_ssh_status == NULL)
        return;
    struct event *e = make_event(c, EVENT_SSH_STATUS, &v->text, 1, span_of(NULL, 0));
    if (e != NULL)
        nacre_outbox_add(c, e);
}

/* What others may ask about the connection is copied to where they can read it. */
static void told_kex_done(struct connection *c, const struct conn_event *v)
{
    struct conn_info info;
    (void)v;
    c->keyed = true;
    nacre_conn_info(c->conn, &info);
    if (info.rekeys != 0)
        return;
    nacre_mutex_lock(&c->shard->inbox_lock);
    c->strict_kex = info.strict_kex;
    free(c->client_version);
    c->client_version = strdup(info.peer_version);
    nacre_mutex_unlock(&c->shard->inbox_lock);
}

static void told_authenticated(struct connection *c, const struct conn_event *v)
{
    char text[400];
    nacre_admit_logged_in(c);
    (void)snprintf(text, sizeof text, "user %.*s logged in by %.*s", (int)v->user.len, v->user.at, (int)v->method.len,
                   v->method.at);
    nacre_connection_log(c, 1, text);
}

static void told_disconnected(struct connection *c, const struct conn_event *v)
{
    char text[256];
    (void)snprintf(text, sizeof text, "%.*s", (int)v->text.len, v->text.at);
    c->peer_left = v->error == NACRE_OK || v->error == NACRE_E_PEER_DISCONNECTED;
    nacre_connection_ended(c, v->error, text);
}

/* ---- channels -------------------------------------------------------------------------------------------------- */

static void told_opened(struct connection *c, const struct conn_event *v)
{
    struct channel *ch = nacre_channel_of(c, v->channel);
    struct tunnel *t = nacre_tunnel_of(c, v->channel);
    if (t != NULL)
        nacre_tunnel_opened(t, true);
    if (ch != NULL)
        nacre_channel_opened(ch);
}

static void told_open_failed(struct connection *c, const struct conn_event *v)
{
    struct channel *ch = nacre_channel_of(c, v->channel);
    struct tunnel *t = nacre_tunnel_of(c, v->channel);
    if (t != NULL)
        nacre_tunnel_opened(t, false);
    if (ch == NULL)
        return;
    if (sink_handlers(c)->on_error != NULL) {
        struct event *e = make_event(c, EVENT_ERROR, &v->text, 1, span_of(NULL, 0));
        if (e == NULL)
            return;
        e->code = NACRE_E_CHANNEL_OPEN;
        nacre_outbox_add(c, e);
    }
    nacre_channel_closed(ch);
}

/* Mostly nobody waits for a short word: no window is to be granted for it, and its connection is read. When that
 * changes while the word is out, the inbox knows (nacre_connection_await_events). */
static bool is_calm(const struct connection *c, const struct event *e, uint32_t channel)
{
    return e->block == NULL && nacre_memory_holds_little(c) && !nacre_chan_owes_window(c->conn, channel);
}

static void told_data(struct connection *c, const struct conn_event *v)
{
    struct channel *ch = nacre_channel_of(c, v->channel);
    struct tunnel *t = nacre_tunnel_of(c, v->channel);
    if (t != NULL) {
        nacre_tunnel_data(t, v);
        return;
    }
    if (ch == NULL || sink_handlers(c)->on_ssh_channel_data_in == NULL) {
        nacre_chan_consumed(c->conn, v->channel, v->data.len, c->shard->now_ns);
        return;
    }
    /* Channels have no order among themselves, so data goes to its channel's last, past that of others. */
    struct event *last = ch->fresh_mark == c->fresh_mark ? ch->fresh_data : NULL;
    if (last != NULL && nacre_event_append(last, ch->slot.id, (int)v->extended, v->data)) {
        last->calm = is_calm(c, last, v->channel);
        return;
    }
    bool copy = v->block == NULL || v->data.len <= COPY_MAX || block_is_waste(v->block, v->data.len);
    struct event *e = make_event(c, EVENT_SSH_CHANNEL_DATA_IN, NULL, 0, copy ? v->data : span_of(NULL, 0));
    if (e == NULL)
        return;
    if (!copy) {
        e->block = block_ref(v->block);
        e->used = 0; /* of a block that is not its own */
        e->data = v->data.at;
        e->data_len = v->data.len;
    }
    e->code = (int)v->extended;
    set_channel(e, ch);
    nacre_outbox_add(c, e);
    e->calm = is_calm(c, e, v->channel);
    ch->fresh_data = e;
    ch->fresh_mark = c->fresh_mark;
}

static void told_sent(struct connection *c, const struct conn_event *v)
{
    struct channel *ch = nacre_channel_of(c, v->channel);
    struct tunnel *t = nacre_tunnel_of(c, v->channel);
    if (ch != NULL)
        nacre_channel_sent(ch, v->bytes);
    else if (t != NULL)
        nacre_tunnel_room(t);
}

static void told_eof(struct connection *c, const struct conn_event *v)
{
    struct channel *ch = nacre_channel_of(c, v->channel);
    struct tunnel *t = nacre_tunnel_of(c, v->channel);
    if (t != NULL)
        nacre_tunnel_channel_eof(t);
    else if (ch != NULL && sink_handlers(c)->on_ssh_channel_eof != NULL)
        nacre_channel_emit(ch, EVENT_SSH_CHANNEL_EOF);
}

static void told_closed(struct connection *c, const struct conn_event *v)
{
    struct channel *ch = nacre_channel_of(c, v->channel);
    struct tunnel *t = nacre_tunnel_of(c, v->channel);
    if (t != NULL)
        nacre_tunnel_channel_closed(t);
    if (t != NULL || ch == NULL)
        return;
    c->orphaned += v->bytes;
    nacre_channel_closed(ch);
}

/* ping@openssh.com, whose reply has a kind, is not ours to send. */
static void told_global_reply(struct connection *c, const struct conn_event *v)
{
    if (v->kind.len != 0)
        return;
    nacre_mutex_lock(&c->shard->inbox_lock);
    c->globals_asked--;
    nacre_mutex_unlock(&c->shard->inbox_lock);
}

/* ---- questions ------------------------------------------------------------------------------------------------- */

static bool ask_service(struct connection *c, const struct conn_event *v, struct conn_answer *answer)
{
    bool preset = span_is(v->service, "ssh-userauth") || span_is(v->service, "ssh-connection");
    if (sink_handlers(c)->on_ssh_service_request == NULL) {
        *answer = (struct conn_answer){.accept = preset};
        return true;
    }
    struct event *e = make_event(c, EVENT_SSH_SERVICE_REQUEST, &v->service, 1, span_of(NULL, 0));
    if (e != NULL)
        e->accept = preset;
    return nacre_sink_ask(c, e, v->serial, answer);
}

bool nacre_sink_ask_open(struct connection *c, const struct conn_event *v, struct conn_answer *answer)
{
    *answer = (struct conn_answer){.accept = false};
    if (sink_handlers(c)->on_ssh_channel_open_request == NULL)
        return true;
    /* First, since without memory for it the connection ends, and every channel of it. */
    struct event *e = make_event(c, EVENT_SSH_CHANNEL_OPEN_REQUEST, &v->kind, 1, v->data);
    if (e == NULL)
        return true;
    struct channel *ch = nacre_channel_add(c, v->channel, v->kind);
    if (ch == NULL) {
        nacre_event_free(c->shard, e);
        answer->reason = OPEN_RESOURCE_SHORTAGE;
        return true;
    }
    set_channel(e, ch);
    bool refused = nacre_sink_ask(c, e, v->serial, answer);
    if (refused)
        nacre_channel_remove(ch);
    return refused;
}

/* Channels that have closed have no window any more, but what they brought is held until the application takes it: as
 * much as those that are open may bring. */
static bool left_too_much(const struct connection *c)
{
    const struct settings *set = &c->profile->settings;
    int64_t windows = set->windows_max.number + set->max_channels.number * CONN_CHANNEL_PACKET;
    return (int64_t)c->orphaned > windows;
}

/* Tunnels first; what is not accepted as one comes back to nacre_sink_ask_open(). */
static bool ask_channel_open(struct connection *c, const struct conn_event *v, struct conn_answer *answer)
{
    *answer = (struct conn_answer){.accept = false, .reason = OPEN_RESOURCE_SHORTAGE};
    if (left_too_much(c))
        return true;
    if (nacre_tunnel_is_kind(v->kind) && sink_handlers(c)->on_ssh_tunnel_requested != NULL)
        return nacre_tunnel_ask(c, v, answer);
    return nacre_sink_ask_open(c, v, answer);
}

static bool ask_channel_request(struct connection *c, const struct conn_event *v, struct conn_answer *answer)
{
    struct channel *ch = nacre_channel_of(c, v->channel);
    *answer = (struct conn_answer){.accept = false};
    if (ch == NULL || sink_handlers(c)->on_ssh_channel_request == NULL)
        return true;
    struct event *e = make_event(c, EVENT_SSH_CHANNEL_REQUEST, &v->kind, 1, v->data);
    if (e != NULL)
        set_channel(e, ch);
    return nacre_sink_ask(c, e, v->serial, answer);
}

/* ---- the sink -------------------------------------------------------------------------------------------------- */

static void ignore(struct connection *c, const struct conn_event *v)
{
    (void)c;
    (void)v;
}

/* Every report has a row, so that a new one cannot be forgotten; questions and the client's own stand as ignored. */
static void (*const told[CONN_EVENT_TYPES])(struct connection *, const struct conn_event *) = {
    [CONN_STATUS] = told_status,
    [CONN_LOG] = told_log,
    [CONN_KEX_DONE] = told_kex_done,
    [CONN_AUTH_INFORM] = nacre_sink_told_signature,
    [CONN_AUTHENTICATED] = told_authenticated,
    [CONN_CHANNEL_OPENED] = told_opened,
    [CONN_CHANNEL_OPEN_FAILED] = told_open_failed,
    [CONN_CHANNEL_DATA] = told_data,
    [CONN_CHANNEL_WINDOW] = ignore,
    [CONN_CHANNEL_SENT] = told_sent,
    [CONN_CHANNEL_EOF] = told_eof,
    [CONN_CHANNEL_CLOSED] = told_closed,
    [CONN_CHANNEL_REPLY] = ignore,
    [CONN_GLOBAL_REPLY] = told_global_reply,
    [CONN_DISCONNECTED] = told_disconnected,
};

static void sink_event(void *context, const struct conn_event *v)
{
    if (told[v->type] != NULL)
        told[v->type](context, v);
}

static bool sink_ask(void *context, const struct conn_event *v, struct conn_answer *answer)
{
    static bool (*const asks[CONN_EVENT_TYPES])(struct connection *, const struct conn_event *,
                                                struct conn_answer *) = {
        [CONN_SERVICE_REQUEST] = ask_service,           [CONN_AUTH_REQUEST] = nacre_sink_ask_auth,
        [CONN_CHANNEL_OPEN_REQUEST] = ask_channel_open, [CONN_CHANNEL_REQUEST] = ask_channel_request,
        [CONN_GLOBAL_REQUEST] = nacre_tunnel_ask, /* those of tunnels; it refuses the others */
    };
    if (asks[v->type] != NULL)
        return asks[v->type](context, v, answer);
    *answer = (struct conn_answer){.accept = false};
    return true;
}

struct work_job {
    struct job job;
    struct shard *shard;
    struct command *command;
};

/* Any thread. */
static bool is_over(struct shard *s, int64_t connection_id)
{
    nacre_mutex_lock(&s->inbox_lock);
    const struct connection *c = nacre_table_find(&s->connections, connection_id);
    bool over = c == NULL || c->over;
    nacre_mutex_unlock(&s->inbox_lock);
    return over;
}

/* Clients that come and go faster than their key exchanges can be computed shall hold up nobody who stays, so what
 * waited for longer than its connection lasted is only given back. */
static void run_work(struct job *job)
{
    struct work_job *w = CONTAINER_OF(job, struct work_job, job);
    if (!is_over(w->shard, w->command->id))
        w->command->work->run(w->command->work);
    nacre_inbox_put(w->shard, w->command);
    free(w);
}

/* Short work is done here; long work goes to the offload pool, or is done here as well when there is no memory to send
 * it. A worker with a descriptor table of its own cannot do it, as it may be a token's. */
static enum work_fate sink_work(void *context, struct work *work)
{
    struct connection *c = context;
    struct work_job *w = work->slow ? malloc(sizeof *w) : NULL;
    struct command *done = w == NULL ? NULL : nacre_command_new(COMMAND_WORK, c->slot.id, NULL, NULL, 0);
    if (done == NULL) {
        bool may_run = !work->slow || !c->shard->own_table;
        free(w);
        if (!may_run)
            return WORK_REFUSED;
        work->run(work);
        return WORK_DONE;
    }
    done->work = work;
    *w = (struct work_job){.job.run = run_work, .job.first = c->logged_in, .shard = c->shard, .command = done};
    nacre_offload_put(&c->shard->server->offload, &w->job);
    return WORK_OUT;
}

const struct conn_sink nacre_connection_sink = {.event = sink_event, .ask = sink_ask, .work = sink_work};
