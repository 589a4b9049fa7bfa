/* SPDX-License-Identifier: Apache-2.0 */
/* See app.h. Its threads are the engine's callers; what it keeps needs no lock, since threads change only inside calls.
 */
#include "simulation/app.h"

#include <string.h>

#include "simulation/stream.h"

enum {
    CONNECTIONS = 512,
    CHANNELS = 2048,
    TICKETS = 256,
    PIECE_MAX = 20000,
    STREAM_MAX = 300000,
};

struct app_connection {
    nacre_connection_id id;
    bool told, over, admitted;
    bool busy; /* a handler of it is running */
};

struct app_channel {
    nacre_channel_id id;
    struct app_connection *connection;
    bool opened, sent_eof, got_eof, closed;
    struct stream in, out;
};

struct app_ticket {
    nacre_ticket ticket;
    bool used, answered, accept;
    struct app_connection *connection; /* of a login; else NULL */
};

static struct {
    nacre_server *server;
    struct app_connection connections[CONNECTIONS];
    struct app_channel channels[CHANNELS];
    struct app_ticket tickets[TICKETS];
    unsigned connection_count, channel_count;
} app;

void app_begin(nacre_server *server)
{
    memset(&app, 0, sizeof app);
    app.server = server;
}

static struct app_connection *find_connection(nacre_connection_id id)
{
    for (unsigned i = 0; i < app.connection_count; i++)
        if (app.connections[i].id == id)
            return &app.connections[i];
    return NULL;
}

static struct app_connection *connection_of(nacre_connection_id id)
{
    struct app_connection *c = find_connection(id);
    sim_must(c != NULL, "an event of a connection that was never told");
    sim_must(!c->over, "an event of a connection that is over");
    return c;
}

static struct app_channel *channel_of(nacre_channel_id id)
{
    for (unsigned i = 0; i < app.channel_count; i++)
        if (app.channels[i].id == id)
            return &app.channels[i];
    sim_must(false, "R37: an event of a channel that was never told");
    return NULL;
}

/* Handlers take their time; meanwhile no other of the same connection runs. */
static struct app_connection *enter(nacre_connection_id id)
{
    struct app_connection *c = connection_of(id);
    sim_must(!c->busy, "two handlers of one connection run at once");
    c->busy = true;
    if (sim_one_in(40))
        sim_sleep((int64_t)sim_below(2000) * 1000 * 1000);
    else if (sim_one_in(4))
        sim_sleep(sim_below(1000000));
    return c;
}

static void leave(struct app_connection *c)
{
    c->busy = false;
}

/* ---- answers ---------------------------------------------------------------------------------------------------- */

static void give(struct app_ticket *t)
{
    struct nacre_answer answer = {.accept = t->accept};
    bool again = t->answered;
    if (t->accept && t->connection != NULL)
        t->connection->admitted = true;
    int e = nacre_answer(app.server, t->ticket, &answer);
    sim_must(!again || e != 0, "R42: a ticket is good once");
    t->answered = again || e != NACRE_E_NOBUFS;
    if (again)
        t->used = false;
}

/* True: it is answered by a ticket, now, later, twice or never. */
static bool defers(struct nacre_event *event, bool accept, struct app_connection *of)
{
    if (!sim_one_in(4))
        return false;
    for (unsigned i = 0; i < TICKETS; i++) {
        struct app_ticket *t = &app.tickets[i];
        if (t->used)
            continue;
        *t = (struct app_ticket){.ticket = nacre_defer(event), .used = true, .accept = accept, .connection = of};
        if (sim_one_in(3))
            give(t);
        return true;
    }
    return false;
}

/* ---- handlers --------------------------------------------------------------------------------------------------- */

static void on_connection_request(nacre_server *n, struct nacre_connection_request *e, void *context)
{
    (void)n;
    (void)context;
    if (!defers(&e->event, true, NULL))
        e->accept = !sim_one_in(20);
}

static void on_connected(nacre_server *n, struct nacre_connected *e, void *context)
{
    (void)n;
    (void)context;
    sim_must(find_connection(e->connection_id) == NULL, "on_connected came twice");
    sim_must(app.connection_count < CONNECTIONS, "the world is too small");
    app.connections[app.connection_count++] = (struct app_connection){.id = e->connection_id, .told = true};
    struct app_connection *c = enter(e->connection_id);
    (void)defers(&e->event, true, NULL);
    leave(c);
}

static void on_disconnected(nacre_server *n, struct nacre_disconnected *e, void *context)
{
    (void)n;
    (void)context;
    struct app_connection *c = connection_of(e->connection_id);
    sim_must(!c->busy, "on_disconnected comes after all others have returned");
    c->over = true;
    sim_tell("connection %llx: over, %d, %s", (unsigned long long)e->connection_id, e->status_code, e->description);
}

static void on_ssh_user_auth_request(nacre_server *n, struct nacre_ssh_user_auth_request *e, void *context)
{
    (void)n;
    (void)context;
    struct app_connection *c = enter(e->connection_id);
    bool right = strcmp(e->auth_method, "password") == 0 && strcmp(e->auth_param, "pw") == 0;
    if (!defers(&e->event, right, c)) {
        e->accept = right;
        c->admitted = c->admitted || right;
    }
    leave(c);
}

static void on_ssh_channel_open_request(nacre_server *n, struct nacre_ssh_channel_open_request *e, void *context)
{
    (void)n;
    (void)context;
    struct app_connection *c = enter(e->connection_id);
    sim_must(c->admitted, "R1: a channel before a login");
    sim_must(app.channel_count < CHANNELS, "the world is too small");
    app.channels[app.channel_count++] = (struct app_channel){
        .id = e->channel_id, .connection = c, .out = {.key = sim_random(), .len = sim_below(STREAM_MAX)}};
    if (!defers(&e->event, true, NULL))
        e->accept = !sim_one_in(10);
    leave(c);
}

/* Memory may be out: what ends something is always taken (R33). */
static void end_connection(const struct app_connection *c)
{
    int e = nacre_disconnect(app.server, c->id);
    sim_must(e == NACRE_OK || e == NACRE_E_CONNECTION_ID, "R33: a disconnect is always taken");
}

static bool end_channel(const struct app_channel *ch, int (*call)(nacre_server *server, nacre_channel_id id))
{
    int e = call(app.server, ch->id);
    sim_must(e == NACRE_OK || e == NACRE_E_CHANNEL_ID, "R33: eof and close are always taken");
    return e == NACRE_OK;
}

static void send_more(struct app_channel *ch)
{
    uint8_t piece[PIECE_MAX];
    while (!ch->closed && !ch->sent_eof && stream_left(&ch->out) != 0) {
        size_t left = (size_t)stream_left(&ch->out), len = 1 + sim_below(PIECE_MAX), taken = 0;
        len = len < left ? len : left;
        stream_fill(&ch->out, piece, len);
        int e = nacre_send_bytes(app.server, ch->id, piece, len);
        if (e == 0) {
            ch->out.at += len;
            continue;
        }
        if (e == NACRE_E_WOULDBLOCK && nacre_get_bytes_sent(app.server, ch->id, &taken) == 0)
            ch->out.at += taken;
        if (e == NACRE_E_WOULDBLOCK || e == NACRE_E_CHANNEL_ID)
            return;
        /* What is taken of a send that failed is not known: the stream cannot go on. */
        end_connection(ch->connection);
        return;
    }
    if (!ch->closed && !ch->sent_eof && stream_left(&ch->out) == 0 && end_channel(ch, nacre_send_eof))
        ch->sent_eof = true;
}

static void on_ssh_channel_opened(nacre_server *n, struct nacre_ssh_channel_opened *e, void *context)
{
    (void)n;
    (void)context;
    struct app_connection *c = enter(e->connection_id);
    struct app_channel *ch = channel_of(e->channel_id);
    sim_must(!ch->opened, "a channel opens once");
    ch->opened = true;
    send_more(ch);
    leave(c);
}

static void on_ssh_channel_ready_to_send(nacre_server *n, struct nacre_ssh_channel_ready_to_send *e, void *context)
{
    (void)n;
    (void)context;
    struct app_connection *c = enter(e->connection_id);
    send_more(channel_of(e->channel_id));
    leave(c);
}

static void on_ssh_channel_data_in(nacre_server *n, struct nacre_ssh_channel_data_in *e, void *context)
{
    (void)n;
    (void)context;
    struct app_connection *c = enter(e->connection_id);
    struct app_channel *ch = channel_of(e->channel_id);
    sim_must(ch->opened && !ch->got_eof && !ch->closed, "R46: data outside of its channel's life");
    stream_take(&ch->in, e->data, e->data_len, "server");
    if (sim_one_in(100))
        (void)end_channel(ch, nacre_close_channel);
    leave(c);
}

static void on_ssh_channel_eof(nacre_server *n, struct nacre_ssh_channel_eof *e, void *context)
{
    (void)n;
    (void)context;
    struct app_connection *c = enter(e->connection_id);
    struct app_channel *ch = channel_of(e->channel_id);
    sim_must(stream_is_whole(&ch->in), "R46: the server was told the end after %llu of %llu bytes",
             (unsigned long long)ch->in.at, (unsigned long long)ch->in.len + STREAM_HEAD);
    ch->got_eof = true;
    leave(c);
}

static void on_ssh_channel_closed(nacre_server *n, struct nacre_ssh_channel_closed *e, void *context)
{
    (void)n;
    (void)context;
    struct app_connection *c = enter(e->connection_id);
    struct app_channel *ch = channel_of(e->channel_id);
    sim_must(!ch->closed, "a channel closes once");
    ch->closed = true;
    leave(c);
}

static void on_ssh_channel_request(nacre_server *n, struct nacre_ssh_channel_request *e, void *context)
{
    (void)n;
    (void)context;
    struct app_connection *c = enter(e->connection_id);
    if (!defers(&e->event, true, NULL))
        e->success = sim_one_in(2);
    leave(c);
}

const struct nacre_handlers app_handlers = {
    .on_connection_request = on_connection_request,
    .on_connected = on_connected,
    .on_disconnected = on_disconnected,
    .on_ssh_user_auth_request = on_ssh_user_auth_request,
    .on_ssh_channel_open_request = on_ssh_channel_open_request,
    .on_ssh_channel_opened = on_ssh_channel_opened,
    .on_ssh_channel_ready_to_send = on_ssh_channel_ready_to_send,
    .on_ssh_channel_data_in = on_ssh_channel_data_in,
    .on_ssh_channel_eof = on_ssh_channel_eof,
    .on_ssh_channel_closed = on_ssh_channel_closed,
    .on_ssh_channel_request = on_ssh_channel_request,
};

/* ---- of its own ------------------------------------------------------------------------------------------------- */

static void act_on_connection(struct app_connection *c)
{
    switch (sim_below(4)) {
    case 0:
        if (sim_one_in(10))
            end_connection(c);
        break;
    case 1:
        (void)nacre_exchange_keys(app.server, c->id);
        break;
    default:
        break;
    }
}

static void act_on_channel(struct app_channel *ch)
{
    if (sim_one_in(2))
        (void)nacre_pause_channel(app.server, ch->id);
    else
        (void)nacre_resume_channel(app.server, ch->id);
}

void app_step(void)
{
    struct app_ticket *t = &app.tickets[sim_below(TICKETS)];
    for (unsigned i = 0; i < TICKETS && !t->used; i++)
        t = &app.tickets[(unsigned)(t - app.tickets + 1) % TICKETS];
    if (t->used && sim_one_in(3))
        give(t);
    if (app.connection_count != 0 && sim_one_in(8))
        act_on_connection(&app.connections[sim_below(app.connection_count)]);
    if (app.channel_count != 0 && sim_one_in(4))
        act_on_channel(&app.channels[sim_below(app.channel_count)]);
}

void app_check_over(void)
{
    uint64_t in = 0, out = 0;
    for (unsigned i = 0; i < app.connection_count; i++)
        sim_must(app.connections[i].over, "connection %u has no end", i);
    for (unsigned i = 0; i < app.channel_count; i++) {
        in += app.channels[i].in.at;
        out += app.channels[i].out.at;
    }
    sim_tell("%u connections, %u channels, %llu bytes in, %llu out, %llu faults", app.connection_count,
             app.channel_count, (unsigned long long)in, (unsigned long long)out, (unsigned long long)sim_faults_made());
}
