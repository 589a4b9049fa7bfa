/* SPDX-License-Identifier: Apache-2.0 */
/* How tunnels come to be: the client's requests, the application's decision, names, connecting and listening. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "engine/outbox.h"
#include "engine/server.h"
#include "engine/tunnel.h"
#include "wire/rd.h"
#include "wire/wr.h"

enum {
    HOST_MAX = 255,
    PATH_MAX_LEN = 107,
    FORWARDS_MAX = 256, /* of one connection */
    BACKLOG = 128,
    OPEN_CONNECT_FAILED = 2, /* RFC 4254 section 5.1 */
    OPEN_RESOURCE_SHORTAGE = 4,
};

static const int64_t connect_ns = INT64_C(30000000000);

/* What a request names. */
struct target {
    char address[HOST_MAX + 1];
    int port;
    bool is_unix;
};

static const struct {
    const char *kind;
    bool is_unix, reverse, cancel;
} kinds[] = {
    {"direct-tcpip", false, false, false},       {"direct-streamlocal@openssh.com", true, false, false},
    {"tcpip-forward", false, true, false},       {"streamlocal-forward@openssh.com", true, true, false},
    {"cancel-tcpip-forward", false, true, true}, {"cancel-streamlocal-forward@openssh.com", true, true, true},
};

static int kind_of(struct span kind)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (span_is(kind, kinds[i].kind))
            return (int)i;
    return -1;
}

bool nacre_tunnel_is_kind(struct span kind)
{
    int found = kind_of(kind);
    return found >= 0 && !kinds[found].reverse;
}

static bool copy_address(struct target *t, struct span s)
{
    if (s.len >= sizeof t->address || span_has_nul(s))
        return false;
    if (s.len != 0)
        memcpy(t->address, s.at, s.len);
    t->address[s.len] = '\0';
    return true;
}

/* RFC 4254 sections 7.1 and 7.2: address and port first; what a direct request says of its origin is only for the eye.
 */
static bool read_target(struct span data, bool is_unix, struct target *t)
{
    struct rd r = rd_over(data);
    struct span address = rd_string(&r, is_unix ? PATH_MAX_LEN : HOST_MAX);
    uint32_t port = is_unix ? 0 : rd_u32(&r);
    t->port = (int)(port & 0xffff);
    t->is_unix = is_unix;
    return !r.bad && port <= UINT16_MAX && copy_address(t, address);
}

/* ---- the question ---------------------------------------------------------------------------------------------- */

static bool ask_application(struct connection *c, const struct conn_event *v, const struct target *t, bool reverse)
{
    const struct span address = span_str(t->address);
    struct event *e =
        nacre_event_new(c->shard, EVENT_SSH_TUNNEL_REQUESTED, address.len + v->kind.len + v->data.len + 3);
    if (e == NULL)
        return false;
    e->text[0] = nacre_event_keep(e, address);
    e->text[1] = nacre_event_keep(e, v->kind);
    e->data = (const uint8_t *)nacre_event_keep(e, v->data);
    e->data_len = v->data.len;
    e->code = reverse ? TUNNEL_REVERSE : TUNNEL_FORWARD;
    e->port = t->port;
    e->is_path = t->is_unix;
    e->number = v->channel;
    e->connection_id = c->slot.id;
    if (!nacre_question_add(c, e, v->serial)) {
        nacre_event_free(c->shard, e);
        return false;
    }
    nacre_outbox_add(c, e);
    return true;
}

bool nacre_tunnel_ask(struct connection *c, const struct conn_event *v, struct conn_answer *answer)
{
    struct target t;
    int kind = kind_of(v->kind);
    *answer = (struct conn_answer){.accept = false, .reason = OPEN_CONNECT_FAILED};
    if (kind < 0 || kinds[kind].reverse != (v->type == CONN_GLOBAL_REQUEST) ||
        c->shard->server->handlers.on_ssh_tunnel_requested == NULL || !read_target(v->data, kinds[kind].is_unix, &t))
        return true;
    if (kinds[kind].cancel) {
        answer->accept = nacre_forward_cancel(c, t.is_unix, t.address, t.port);
        return true;
    }
    if (ask_application(c, v, &t, kinds[kind].reverse))
        return false;
    answer->reason = OPEN_RESOURCE_SHORTAGE;
    return true;
}

static void refuse(struct connection *c, uint64_t serial, uint32_t reason, const char *text)
{
    const struct conn_answer no = {.accept = false, .reason = reason, .text = text};
    (void)nacre_conn_answer(c->conn, serial, &no, c->shard->now_ns); /* no longer open: then it was refused already */
    nacre_connection_touch(c);
}

/* ---- forward --------------------------------------------------------------------------------------------------- */

struct resolve_job {
    struct job job;
    struct shard *shard;
    struct command *done; /* its data is the struct sock_addresses to fill */
    int port;
    char host[HOST_MAX + 1];
};

/* Those who asked may have given up or left while it was queued: then nobody behind it waits for a name server, and
 * neither does who frees the server. */
static void resolve(struct job *job)
{
    struct resolve_job *r = CONTAINER_OF(job, struct resolve_job, job);
    struct sock_addresses found = {.count = 0};
    bool unwanted = atomic_load_explicit(&r->done->unwanted, memory_order_relaxed); /* it carries nothing else */
    r->done->error = unwanted ? NACRE_E_HOST_NOT_FOUND : nacre_sock_resolve(r->host, (uint16_t)r->port, &found);
    memcpy((uint8_t *)(uintptr_t)r->done->data, &found, sizeof found);
    nacre_inbox_put(r->shard, r->done);
    free(r);
}

/* A numeric address needs nobody's answer; a name is looked up on a pool of its own. False: out of memory. */
static bool start_resolving(struct tunnel *t)
{
    static const struct sock_addresses empty;
    uint8_t bytes[16];
    struct resolve_job *r = calloc(1, sizeof *r);
    struct command *done =
        r == NULL ? NULL : nacre_command_new(COMMAND_RESOLVED, t->slot.id, NULL, &empty, sizeof empty);
    if (done == NULL) {
        free(r);
        return false;
    }
    r->job.run = resolve;
    r->shard = t->shard;
    r->done = t->lookup = done;
    r->port = t->port;
    r->job.first = t->connection->lookups++ == 0;
    done->serial = (uint64_t)t->connection->slot.id;
    (void)snprintf(r->host, sizeof r->host, "%s", t->address);
    if (nacre_sock_parse_address(t->address, bytes) != 0)
        resolve(&r->job);
    else
        nacre_offload_put(&t->shard->server->lookups, &r->job);
    return true;
}

static void start_forward(struct connection *c, const struct question *q, const struct target *target)
{
    if (!nacre_tunnel_may_open(c->shard)) {
        nacre_tunnel_error(c, NACRE_E_FORWARD_CONNECT, target->address, target->port, nacre_error_text(NACRE_E_MFILE));
        refuse(c, q->asked_as, OPEN_RESOURCE_SHORTAGE, "too many tunnels");
        return;
    }
    struct tunnel *t = nacre_tunnel_new(c, TUNNEL_FORWARD, IO_NO_SOCKET, target->address, target->port);
    if (t == NULL) {
        refuse(c, q->asked_as, OPEN_RESOURCE_SHORTAGE, "out of memory");
        return;
    }
    t->serial = q->asked_as;
    t->number = q->number;
    t->stage = TUNNEL_RESOLVING;
    nacre_timer_arm(&t->shard->timers, &t->timer, t->shard->now_ns + connect_ns);
    if (target->is_unix) {
        struct sock_addresses one = {.count = 1};
        bool fits = nacre_sock_unix_address(target->address, &one.at[0]);
        enum nacre_error unfit = target->address[0] == '\0' ? NACRE_E_DESTADDRREQ : NACRE_E_NAMETOOLONG;
        nacre_tunnel_resolved(t, fits ? NACRE_OK : unfit, &one);
    } else if (!start_resolving(t)) {
        nacre_tunnel_connected(t, NACRE_E_NOBUFS);
    }
}

/* Tries the next address. False: it could not even begin. */
static enum nacre_error connect_next(struct tunnel *t)
{
    struct shard *s = t->shard;
    const struct io_address *to = &t->addresses->at[t->next_address++];
    enum nacre_error e = nacre_sock_open(to, &t->socket);
    if (e != NACRE_OK)
        return e;
    nacre_sock_set_nodelay(t->socket, true); /* a unix socket has no such thing, and needs none */
    e = s->ops->connect(s->io, t->socket, to, nacre_tunnel_owner(&t->slot), &t->io_slot);
    if (e != NACRE_OK) {
        nacre_sock_close(t->socket);
        t->socket = IO_NO_SOCKET;
        return e;
    }
    t->socket = IO_NO_SOCKET;
    t->attached = true;
    return NACRE_OK;
}

void nacre_tunnel_resolved(struct tunnel *t, enum nacre_error error, const struct sock_addresses *addresses)
{
    if (t->stage != TUNNEL_RESOLVING || t->connection == NULL)
        return;
    t->addresses = error == NACRE_OK ? malloc(sizeof *t->addresses) : NULL;
    if (t->addresses == NULL) {
        nacre_tunnel_connected(t, error == NACRE_OK ? NACRE_E_NOBUFS : error);
        return;
    }
    *t->addresses = *addresses;
    t->stage = TUNNEL_CONNECTING;
    error = connect_next(t);
    if (error != NACRE_OK)
        nacre_tunnel_connected(t, error);
}

/* Forgets a tunnel that did not come to be: before its client is told, since without memory for that the connection
 * ends, and lets go of all that it has. */
static void abandon(struct tunnel *t)
{
    list_remove(&t->sibling);
    t->connection = NULL;
    nacre_tunnel_let_go(t);
}

/* A socket that did not connect is let go under a tunnel of its own, and the next address gets a new one. */
static bool try_next(struct tunnel *t)
{
    struct connection *c = t->connection;
    if (t->addresses == NULL || t->next_address >= t->addresses->count)
        return false;
    struct tunnel *next = nacre_tunnel_new(c, TUNNEL_FORWARD, IO_NO_SOCKET, t->address, t->port);
    if (next == NULL)
        return false;
    next->serial = t->serial;
    next->number = t->number;
    next->addresses = t->addresses;
    next->next_address = t->next_address;
    next->stage = TUNNEL_CONNECTING;
    t->addresses = NULL;
    abandon(t);
    nacre_timer_arm(&next->shard->timers, &next->timer, next->shard->now_ns + connect_ns);
    enum nacre_error e = connect_next(next);
    if (e != NACRE_OK)
        nacre_tunnel_connected(next, e);
    return true;
}

static void succeed(struct tunnel *t)
{
    struct connection *c = t->connection;
    const struct conn_answer yes = {.accept = true};
    nacre_timer_cancel(&t->shard->timers, &t->timer);
    free(t->addresses);
    t->addresses = NULL;
    if (!nacre_channel_reserve(c, t->number)) {
        uint64_t serial = t->serial;
        abandon(t);
        refuse(c, serial, OPEN_RESOURCE_SHORTAGE, "out of memory");
        return;
    }
    c->ends[t->number].tunnel = t;
    t->stage = TUNNEL_OPENING;
    if (nacre_conn_answer(c->conn, t->serial, &yes, t->shard->now_ns)) {
        nacre_connection_touch(c);
        return; /* CONN_CHANNEL_OPENED has started it */
    }
    c->ends[t->number].tunnel = NULL;
    abandon(t);
}

void nacre_tunnel_connected(struct tunnel *t, enum nacre_error error)
{
    struct connection *c = t->connection;
    if (t->stage != TUNNEL_RESOLVING && t->stage != TUNNEL_CONNECTING)
        return;
    if (c == NULL || c->stage != STAGE_RUNNING) {
        abandon(t);
        return;
    }
    if (error == NACRE_OK) {
        succeed(t);
        return;
    }
    if (try_next(t))
        return;
    uint64_t serial = t->serial;
    const char *why = nacre_error_text((int)error);
    nacre_tunnel_error(c, NACRE_E_FORWARD_CONNECT, t->address, t->port, why);
    abandon(t);
    refuse(c, serial, OPEN_CONNECT_FAILED, why);
}

/* ---- reverse --------------------------------------------------------------------------------------------------- */

static enum nacre_error listen_for(struct forward *f, const struct target *target)
{
    if (target->is_unix)
        return nacre_sock_listen_unix(target->address, BACKLOG, &f->socket);
    /* RFC 4254 section 7.1: "" and "*" are every interface; "localhost" is the loopback. */
    bool any = target->address[0] == '\0' || strcmp(target->address, "*") == 0;
    bool loopback = strcmp(target->address, "localhost") == 0;
    const struct sock_listen options = {.host = any        ? ""
                                                : loopback ? "127.0.0.1"
                                                           : target->address,
                                        .port = (uint16_t)target->port,
                                        .backlog = BACKLOG,
                                        .family = SOCK_BOTH,
                                        .exclusive = true};
    uint8_t bytes[16];
    if (!any && nacre_sock_parse_address(options.host, bytes) == 0)
        return NACRE_E_ADDRNOTAVAIL; /* an interface is named by its address: no look-up on a worker */
    return nacre_sock_listen(&options, &f->socket);
}

static struct forward *open_forward(struct connection *c, const struct target *target, enum nacre_error *error)
{
    struct shard *s = c->shard;
    *error = NACRE_E_MFILE;
    if (!nacre_tunnel_may_open(s))
        return NULL;
    struct forward *f = nacre_table_take(&s->forwards);
    char *copy = f == NULL ? NULL : strdup(target->address);
    *error = NACRE_E_NOBUFS;
    if (copy == NULL) {
        if (f != NULL)
            nacre_table_give(&s->forwards, f);
        return NULL;
    }
    f->shard = s;
    f->connection = c;
    f->is_unix = target->is_unix;
    f->address = copy;
    *error = listen_for(f, target);
    if (*error == NACRE_OK) {
        *error = s->ops->listen(s->io, f->socket, nacre_tunnel_owner(&f->slot), &f->io_slot);
        if (*error != NACRE_OK)
            nacre_forward_close(f);
    }
    if (*error != NACRE_OK) {
        nacre_forward_gone(f);
        return NULL;
    }
    list_append(&c->forwards, &f->sibling);
    return f;
}

static unsigned count_forwards(const struct connection *c)
{
    unsigned count = 0;
    for (const struct list *l = c->forwards.next; l != &c->forwards; l = l->next)
        count++;
    return count;
}

static void start_reverse(struct connection *c, const struct question *q, const struct target *target, int asked)
{
    uint8_t reply[4];
    enum nacre_error error = NACRE_E_TOO_MANY_CHANNELS;
    struct forward *f = count_forwards(c) >= FORWARDS_MAX ? NULL : open_forward(c, target, &error);
    if (f == NULL) {
        nacre_tunnel_error(c, NACRE_E_FORWARD_CONNECT, target->address, target->port, nacre_error_text((int)error));
        refuse(c, q->asked_as, 0, NULL);
        return;
    }
    /* Connections are announced with the port that the client asked for, wherever the application has put it. */
    bool want_port = !f->is_unix && asked == 0;
    f->port = want_port ? (int)nacre_sock_port(f->socket) : asked;
    struct wr w = wr_over(reply, sizeof reply);
    wr_u32(&w, (uint32_t)f->port);
    const struct conn_answer yes = {.accept = true, .reply = want_port ? wr_span(&w) : span_of(NULL, 0)};
    if (!nacre_conn_answer(c->conn, q->asked_as, &yes, c->shard->now_ns))
        (void)nacre_forward_cancel(c, f->is_unix, f->address, f->port);
    nacre_connection_touch(c);
}

/* RFC 4254 section 7.2, and OpenSSH's PROTOCOL section 2.4. */
static bool write_origin(struct wr *w, const struct forward *f, io_socket socket)
{
    char remote[SOCK_ADDRESS_MAX], local[SOCK_ADDRESS_MAX];
    int port = 0;
    wr_cstring(w, f->address);
    if (f->is_unix) {
        wr_cstring(w, "");
        return wr_done(w);
    }
    (void)nacre_sock_addresses(socket, remote, sizeof remote, &port, local,
                               sizeof local); /* gone already: empty, and it ends */
    wr_u32(w, (uint32_t)f->port);
    wr_cstring(w, remote);
    wr_u32(w, (uint32_t)port);
    return wr_done(w);
}

void nacre_forward_accepted(struct forward *f, io_socket socket)
{
    uint8_t data[2 * HOST_MAX];
    struct wr w = wr_over(data, sizeof data);
    struct connection *c = f->connection;
    const char *kind = f->is_unix ? "forwarded-streamlocal@openssh.com" : "forwarded-tcpip";
    struct tunnel *t = NULL;
    /* Strangers can connect at any rate, and each that is refused is an event. */
    bool welcome =
        c != NULL && c->stage == STAGE_RUNNING && !nacre_pump_is_behind(c) && nacre_tunnel_may_open(f->shard);
    if (welcome && write_origin(&w, f, socket))
        t = nacre_tunnel_new(c, TUNNEL_REVERSE, socket, f->address, f->port);
    if (t == NULL) {
        nacre_sock_close(socket);
        return;
    }
    t->stage = TUNNEL_OPENING;
    enum nacre_error e = nacre_chan_open(c->conn, span_str(kind), wr_span(&w), &t->number, c->shard->now_ns);
    if (e == NACRE_OK && nacre_channel_reserve(c, t->number)) {
        c->ends[t->number].tunnel = t;
        nacre_connection_touch(c);
        return;
    }
    if (c->stage != STAGE_RUNNING)
        return; /* without memory to tell the client, and the tunnel went with its connection */
    if (e == NACRE_OK) {
        (void)nacre_chan_close(c->conn, t->number, c->shard->now_ns); /* once the client has confirmed it */
        e = NACRE_E_NOBUFS;
    }
    nacre_tunnel_error(c, NACRE_E_FORWARD_DATA, t->address, t->port, nacre_error_text((int)e));
    abandon(t);
}

/* ---- the decision ---------------------------------------------------------------------------------------------- */

void nacre_tunnel_decided(struct connection *c, const struct question *q, const struct event *e, bool accept, int port)
{
    struct target t;
    int kind = e == NULL ? -1 : kind_of(span_str(e->text[1]));
    if (kind < 0 || !read_target(span_of(e->data, e->data_len), kinds[kind].is_unix, &t)) {
        refuse(c, q->asked_as, 0, NULL);
        return;
    }
    if (kinds[kind].reverse) {
        int asked = t.port;
        t.port = port;
        if (accept)
            start_reverse(c, q, &t, asked);
        else
            refuse(c, q->asked_as, 0, NULL);
        return;
    }
    if (accept) {
        start_forward(c, q, &t);
        return;
    }
    /* The application may serve the channel itself. */
    struct conn_event v = {.type = CONN_CHANNEL_OPEN_REQUEST,
                           .serial = q->asked_as,
                           .channel = q->number,
                           .kind = span_str(e->text[1]),
                           .data = span_of(e->data, e->data_len)};
    struct conn_answer answer;
    if (nacre_sink_ask_open(c, &v, &answer)) {
        (void)nacre_conn_answer(c->conn, q->asked_as, &answer,
                                c->shard->now_ns); /* no longer open: then it was refused */
        nacre_connection_touch(c);
    }
}
