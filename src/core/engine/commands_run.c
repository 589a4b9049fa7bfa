/* SPDX-License-Identifier: Apache-2.0 */
/* What each command does, on the worker's thread. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/connection.h"
#include "engine/descriptors.h"
#include "engine/outbox.h"
#include "engine/server.h"
#include "engine/sock.h"
#include "engine/tunnel.h"
#include "wire/namelist.h"
#include "wire/rd.h"

/* SSH must be running for what a command asks of a conn. Without memory for it the connection ends, and its channels
 * may be gone. */
static struct connection *running(struct shard *s, const struct command *k)
{
    struct connection *c = nacre_table_find(&s->connections, k->id);
    return c != NULL && c->stage == STAGE_RUNNING ? c : NULL;
}

static struct channel *channel_of(struct shard *s, const struct command *k)
{
    struct channel *ch = nacre_table_find(&s->channels, k->id);
    bool live =
        ch != NULL && ch->connection->stage == STAGE_RUNNING && nacre_channel_of(ch->connection, ch->number) == ch;
    return live ? ch : NULL;
}

struct burial {
    struct job job;
    struct key *key;
};

static void bury(struct job *job)
{
    struct burial *b = CONTAINER_OF(job, struct burial, job);
    nacre_key_free(b->key);
    free(b);
}

/* Without memory the key is left: its module works with descriptors that mean something else on this thread. */
static void send_to_be_buried(void *context, struct key *key)
{
    struct shard *s = context;
    struct burial *b = malloc(sizeof *b);
    if (b == NULL)
        return;
    *b = (struct burial){.job.run = bury, .key = key};
    nacre_offload_put(&s->server->offload, &b->job);
}

static void run_seclude(struct shard *s, struct command *k)
{
    const io_socket *keep = (const io_socket *)(const void *)k->data;
    k->error = nacre_descriptors_seclude(keep, (unsigned)(k->data_len / sizeof *keep), &k->result->why);
    if (k->error != NACRE_OK)
        return;
    s->undertaker = (struct key_undertaker){send_to_be_buried, s};
    nacre_key_set_undertaker(&s->undertaker);
}

/* Takes in what came by the shard's way. */
static void take_passed(struct shard *s)
{
    io_socket socket;
    for (enum passed what; s->own_table && (what = nacre_descriptors_take(s->way[1], &socket)) != PASSED_NONE;) {
        if (what == PASSED_CLIENT)
            nacre_accept_here(s, socket);
        else
            s->handed = socket;
    }
}

static void run_listen(struct shard *s, struct command *k)
{
    take_passed(s);
    s->listener = s->own_table ? s->handed : k->socket;
    s->handed = IO_NO_SOCKET;
    k->error = s->listener == IO_NO_SOCKET ? NACRE_E_MFILE : s->ops->listen(s->io, s->listener, 0, &s->listener_slot);
    s->listening = k->error == NACRE_OK;
    s->listeners += s->listening ? 1 : 0;
    if (!s->listening && s->own_table)
        nacre_sock_close(s->listener);
}

/* The socket of a shared table is closed by whoever opened it; this one's copy is closed here, so that the port is
 * free when the last one is gone. */
static void run_unlisten(struct shard *s, struct command *k)
{
    (void)k;
    take_passed(s);
    if (s->listening) {
        s->ops->detach(s->io, s->listener_slot);
        if (s->own_table)
            nacre_sock_close(s->listener);
    }
    nacre_sock_close(s->handed);
    s->handed = IO_NO_SOCKET;
    s->listening = false;
}

static void run_accept(struct shard *s, struct command *k)
{
    io_socket socket = k->socket;
    k->socket = IO_NO_SOCKET;
    if (s->own_table)
        take_passed(s);
    else
        nacre_accept_here(s, socket);
}

static void run_profile(struct shard *s, struct command *k)
{
    struct profile *old = s->profile;
    s->profile = k->profile;
    k->profile = old;
}

static void disconnect(struct connection *c)
{
    nacre_connection_close(c, NACRE_E_BY_APPLICATION, nacre_error_text(NACRE_E_BY_APPLICATION));
}

static void run_disconnect(struct shard *s, struct command *k)
{
    struct connection *c = nacre_table_find(&s->connections, k->id);
    if (c != NULL)
        disconnect(c);
}

static void close_all(struct shard *s)
{
    for (uint32_t n = 0; n < s->connections.made; n++) {
        struct connection *c = nacre_table_at(&s->connections, n);
        if (c != NULL)
            nacre_connection_close(c, NACRE_E_SHUTDOWN, nacre_error_text(NACRE_E_SHUTDOWN));
    }
}

static void run_shutdown(struct shard *s, struct command *k)
{
    (void)k;
    nacre_mutex_lock(&s->inbox_lock);
    s->shutdown_waits = false;
    nacre_mutex_unlock(&s->inbox_lock);
    close_all(s);
}

static void run_rekey(struct shard *s, struct command *k)
{
    struct connection *c = running(s, k);
    if (c == NULL)
        return;
    (void)nacre_conn_rekey(c->conn, s->now_ns); /* before the first keys there is nothing to renew */
    nacre_connection_touch(c);
}

/* The class's form: "First,echo=false;Second,echo=true"; checked when it was set. */
static size_t parse_prompts(struct span text, struct conn_prompt *prompts)
{
    size_t count = 0;
    while (text.len != 0 && count < PROMPTS_MAX) {
        const uint8_t *end = memchr(text.at, ';', text.len);
        struct span one = {text.at, end == NULL ? text.len : (size_t)(end - text.at)};
        size_t used = one.len + (end == NULL ? 0 : 1);
        text.at += used;
        text.len -= used;
        bool echo = nacre_glob("*,echo=true", one, true) || nacre_glob("*,echo=1", one, true);
        if (nacre_glob("*,echo=*", one, true))
            while (one.at[--one.len] != ',')
                ;
        prompts[count++] = (struct conn_prompt){one, echo};
    }
    return count;
}

static void run_prompts(struct shard *s, struct command *k)
{
    struct connection *c = running(s, k);
    struct conn_prompt prompts[PROMPTS_MAX];
    if (c == NULL)
        return;
    size_t count = parse_prompts(span_of(k->data, k->data_len), prompts);
    (void)nacre_conn_set_prompts(c->conn, span_str(c->profile->settings.kbdint_message.text), prompts, count);
}

static void run_banner(struct shard *s, struct command *k)
{
    struct connection *c = running(s, k);
    if (c != NULL)
        (void)nacre_conn_set_banner(c->conn, k->kind);
}

static void run_open(struct shard *s, struct command *k)
{
    struct connection *c = running(s, k);
    uint32_t number;
    k->error = NACRE_E_CONNECTION_ID;
    if (c == NULL)
        return;
    k->error = nacre_chan_open(c->conn, span_str(k->kind), span_of(k->data, k->data_len), &number, s->now_ns);
    nacre_connection_touch(c);
    if (k->error != NACRE_OK)
        return;
    struct channel *ch = nacre_channel_add(c, number, span_str(k->kind));
    if (ch == NULL) {
        k->error = NACRE_E_NOBUFS;
        nacre_connection_close(c, NACRE_E_NOBUFS, "out of memory");
        return;
    }
    k->result->id = ch->slot.id;
}

static void run_answer(struct shard *s, struct command *k)
{
    struct connection *c = nacre_table_find(&s->connections, k->id);
    struct nacre_answer_copy *answer = k->answer;
    k->answer = NULL;
    if (c != NULL) {
        k->error = nacre_answer_deferred(c, k->serial, answer);
        return;
    }
    nacre_answer_copy_free(answer);
    k->error = NACRE_E_TICKET;
}

static void run_send(struct shard *s, struct command *k)
{
    struct channel *ch = channel_of(s, k);
    if (ch == NULL)
        return;
    struct connection *c = ch->connection;
    struct block *b = k->block;
    k->block = NULL;
    nacre_channel_clog(ch);
    enum nacre_error e = nacre_chan_send(c->conn, ch->number, k->number, b, s->now_ns);
    /* The caller was told that these bytes go out. Other failures are told by the events of a channel that closes. */
    if (e == NACRE_E_NOBUFS)
        nacre_connection_close(c, e, "out of memory");
    nacre_connection_touch(c);
}

static void run_eof(struct shard *s, struct command *k)
{
    struct channel *ch = channel_of(s, k);
    if (ch == NULL)
        return;
    struct connection *c = ch->connection;
    (void)nacre_chan_send_eof(c->conn, ch->number, s->now_ns); /* fails when it has closed: told by its event */
    nacre_connection_touch(c);
}

static void run_close(struct shard *s, struct command *k)
{
    struct channel *ch = channel_of(s, k);
    if (ch == NULL)
        return;
    struct connection *c = ch->connection;
    (void)nacre_chan_close(c->conn, ch->number, s->now_ns); /* closing twice is fine */
    nacre_connection_touch(c);
}

static void run_request(struct shard *s, struct command *k)
{
    struct channel *ch = channel_of(s, k);
    if (ch == NULL)
        return;
    struct connection *c = ch->connection;
    enum nacre_error e = nacre_chan_request(c->conn, ch->number, span_str(k->kind), k->number != 0,
                                            span_of(k->data, k->data_len), s->now_ns);
    /* As above: it was said to go out. */
    if (e == NACRE_E_TOO_MUCH_QUEUED)
        nacre_connection_close(c, e, "A client does not take its data or answer, and requests pile up behind that.");
    else if (e == NACRE_E_NOBUFS)
        nacre_connection_close(c, e, "out of memory");
    nacre_connection_touch(c);
}

/* A global request goes the conn's way, which counts the replies that are due. IGNORE and DEBUG say nothing, so they
 * are left out where there is no room for them. */
static void run_payload(struct shard *s, struct command *k)
{
    struct connection *c = running(s, k);
    struct rd r = rd_over(span_of(k->data, k->data_len));
    if (c == NULL)
        return;
    if (rd_u8(&r) == 80) {
        struct span kind = rd_string(&r, SIZE_MAX);
        bool want_reply = rd_bool(&r);
        enum nacre_error e = nacre_conn_global_request(c->conn, kind, want_reply, rd_rest(&r), s->now_ns);
        if (e == NACRE_E_NOBUFS)
            nacre_connection_close(c, NACRE_E_TOO_MUCH_QUEUED,
                                   "A client does not read or answer, and global requests pile up behind that.");
    } else {
        (void)nacre_conn_send_payload(c->conn, span_of(k->data, k->data_len), s->now_ns);
    }
    nacre_connection_touch(c); /* what could not be sent any more is told by on_disconnected */
}

static void run_work(struct shard *s, struct command *k)
{
    struct connection *c = nacre_table_find(&s->connections, k->id);
    if (c == NULL || c->conn == NULL)
        return; /* dropped with the command */
    struct work *work = k->work;
    k->work = NULL;
    nacre_conn_work_done(c->conn, work, s->now_ns);
    nacre_connection_touch(c);
}

static void run_key(struct shard *s, struct command *k)
{
    struct connection *c = nacre_table_find(&s->connections, k->id);
    if (c != NULL)
        nacre_connection_key(c, k->key, k->host_certificate, k->error, (const char *)k->data);
}

static void run_resolved(struct shard *s, struct command *k)
{
    struct tunnel *t = nacre_table_find(&s->tunnels, k->id);
    struct connection *c = nacre_table_find(&s->connections, (int64_t)k->serial);
    struct sock_addresses found;
    if (c != NULL)
        c->lookups--;
    if (t == NULL)
        return;
    t->lookup = NULL;
    memcpy(&found, k->data, sizeof found);
    nacre_tunnel_resolved(t, k->error, &found);
}

static void run_stop(struct shard *s, struct command *k)
{
    run_unlisten(s, k);
    s->stopping = true;
    close_all(s);
    for (uint32_t n = 0; n < s->connections.made; n++) {
        struct connection *c = nacre_table_at(&s->connections, n);
        if (c != NULL)
            nacre_connection_hurry(c);
    }
    for (uint32_t n = 0; n < s->tunnels.made; n++) {
        struct tunnel *t = nacre_table_at(&s->tunnels, n);
        if (t != NULL)
            nacre_tunnel_hurry(t);
    }
}

static void (*const runs[])(struct shard *, struct command *) = {
    [COMMAND_SECLUDE] = run_seclude,   [COMMAND_ACCEPT] = run_accept,   [COMMAND_LISTEN] = run_listen,
    [COMMAND_UNLISTEN] = run_unlisten, [COMMAND_PROFILE] = run_profile, [COMMAND_DISCONNECT] = run_disconnect,
    [COMMAND_SHUTDOWN] = run_shutdown, [COMMAND_REKEY] = run_rekey,     [COMMAND_PROMPTS] = run_prompts,
    [COMMAND_BANNER] = run_banner,     [COMMAND_OPEN] = run_open,       [COMMAND_ANSWER] = run_answer,
    [COMMAND_SEND] = run_send,         [COMMAND_EOF] = run_eof,         [COMMAND_CLOSE] = run_close,
    [COMMAND_REQUEST] = run_request,   [COMMAND_WORK] = run_work,       [COMMAND_KEY] = run_key,
    [COMMAND_RESOLVED] = run_resolved, [COMMAND_STOP] = run_stop,       [COMMAND_PAYLOAD] = run_payload,
};

/* Tells a caller that waits. The result is on its stack and gone once it knows. */
static void tell(struct shard *s, struct command *k)
{
    nacre_mutex_lock(&s->inbox_lock);
    k->result->error = k->error;
    k->result->done = true;
    nacre_cond_broadcast(&s->room);
    nacre_mutex_unlock(&s->inbox_lock);
}

/* ---- what is due without a command ------------------------------------------------------------------------------ */

/* All are looked at: without memory there was none to note which. */
static void run_disconnects_due(struct shard *s)
{
    for (uint32_t n = 0; n < s->connections.made; n++) {
        struct connection *c = nacre_table_at(&s->connections, n);
        if (c == NULL)
            continue;
        nacre_mutex_lock(&s->inbox_lock);
        bool due = c->disconnect_due;
        c->disconnect_due = false;
        nacre_mutex_unlock(&s->inbox_lock);
        if (due)
            disconnect(c);
    }
}

static void run_channels_due(struct shard *s, unsigned haul)
{
    for (uint32_t n = 0; n < s->channels.made; n++) {
        struct channel *ch = nacre_table_at(&s->channels, n);
        if (ch == NULL)
            continue;
        struct command k = {.id = ch->slot.id};
        nacre_mutex_lock(&s->inbox_lock);
        bool now = ch->due_haul == haul, eof = now && ch->eof_due, closing = now && ch->close_due;
        bool room = ch->room_due;
        ch->room_due = false;
        ch->eof_due = ch->eof_due && !now;
        ch->close_due = ch->close_due && !now;
        nacre_mutex_unlock(&s->inbox_lock);
        if (room)
            nacre_channel_sent(ch, 0);
        if (eof)
            run_eof(s, &k);
        if (closing)
            run_close(s, &k);
    }
}

/* ---- the inbox -------------------------------------------------------------------------------------------------- */

/* What waited in it. */
struct haul {
    struct command *commands;
    struct event *done;
    bool has_dues;
    unsigned number;
};

/* Takes all of it; the inbox lock is held. */
static struct haul take_all(struct shard *s)
{
    struct haul h = {s->commands_first, s->done_first, s->has_dues, s->haul++};
    s->commands_first = NULL;
    s->commands_last = &s->commands_first;
    s->command_count = 0;
    s->done_first = NULL;
    s->done_last = &s->done_first;
    s->done_count = 0;
    s->done_waits = false;
    s->has_dues = false;
    s->heavy = false;
    s->awake = true; /* and there will be another look before sleep: until then nobody has to wake it */
    return h;
}

/* What a handler called comes before what it answers by returning: it may have disconnected the client it then
 * accepts. */
static void carry_out(struct shard *s, struct haul h)
{
    if (h.has_dues)
        run_disconnects_due(s);
    for (struct command *k = h.commands, *next; k != NULL; k = next) {
        next = k->next;
        bool lent = k->lent, asked = k->result != NULL; /* a lent one that nobody waits for may be used again by then */
        runs[k->type](s, k);
        if (asked)
            tell(s, k);
        if (!lent)
            nacre_command_free(k);
    }
    if (h.has_dues)
        run_channels_due(s, h.number);
    for (struct event *e = h.done, *next; e != NULL; e = next) {
        next = e->next;
        if (e->connection == NULL)
            nacre_event_free(s, e);
        else
            nacre_answer_event(e->connection, e);
    }
}

void nacre_inbox_run(struct shard *s)
{
    nacre_mutex_lock(&s->inbox_lock);
    struct haul h = take_all(s);
    nacre_mutex_unlock(&s->inbox_lock);
    carry_out(s, h);
}

bool nacre_inbox_run_light(struct shard *s)
{
    struct haul h = {.commands = NULL};
    nacre_mutex_lock(&s->inbox_lock);
    bool light = !s->heavy;
    if (light)
        h = take_all(s);
    nacre_mutex_unlock(&s->inbox_lock);
    carry_out(s, h);
    return light;
}
