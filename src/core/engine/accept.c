/* SPDX-License-Identifier: Apache-2.0 */
/* New connections: which worker gets them, who may connect, and on_connection_request. Limits are in admit.c. */
#include <stdio.h>
#include <string.h>

#include "engine/connection.h"
#include "engine/descriptors.h"
#include "engine/outbox.h"
#include "engine/server.h"
#include "engine/sock.h"

enum {
    SLACK = 8, /* connections past its share that a worker keeps: what is even enough needs no crossing */
};

static const int64_t accept_quiet_ns = INT64_C(60) * 1000 * 1000 * 1000;

static void on_timer(struct timer *t, int64_t now_ns)
{
    (void)now_ns;
    nacre_connection_touch(CONTAINER_OF(t, struct connection, timer));
}

static unsigned load_of(const struct shard *s)
{
    return atomic_load_explicit(&s->load, memory_order_relaxed); /* near enough: see struct shard */
}

/* The worker that should have the next connection. The system tends to give all of a quiet listener to the same worker;
 * one that has clearly more than its share, or no room in its descriptor table, hands on what it accepts. */
static struct shard *place(struct shard *s)
{
    struct nacre_server *server = s->server;
    unsigned count = atomic_load_explicit(&server->shard_count, memory_order_acquire);
    unsigned all = atomic_load_explicit(&server->connection_count, memory_order_relaxed);
    unsigned share = count == 0 ? all : all / count;
    if (load_of(s) <= share + share / 8 + SLACK && (s->sockets_max == 0 || load_of(s) < s->sockets_max))
        return s;
    struct shard *best = s;
    for (unsigned i = 0; i < count; i++)
        if (load_of(&server->shards[i]) < load_of(best))
            best = &server->shards[i];
    return best;
}

/* Counts the connection in for a worker, unless MaxConnections are there. */
static bool count_in(struct shard *s, struct shard *to)
{
    struct nacre_server *server = s->server;
    unsigned max = (unsigned)s->profile->settings.max_connections.number;
    unsigned now = atomic_fetch_add_explicit(&server->connection_count, 1, memory_order_relaxed);
    if (now < max) {
        atomic_fetch_add_explicit(&to->load, 1, memory_order_relaxed);
        return true;
    }
    atomic_fetch_sub_explicit(&server->connection_count, 1, memory_order_relaxed);
    return false;
}

void nacre_accept_uncount(struct shard *s)
{
    atomic_fetch_sub_explicit(&s->load, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&s->server->connection_count, 1,
                              memory_order_release); /* with the acquire of nacre_set_handlers() */
}

static void set_socket_options(struct shard *s, io_socket socket)
{
    const struct settings *set = &s->profile->settings;
    if (set->tcp_no_delay.number != 0)
        nacre_sock_set_nodelay(socket, true);
    if (set->in_buffer.number != 0 || set->out_buffer.number != 0)
        nacre_sock_set_buffers(socket, (int)set->in_buffer.number, (int)set->out_buffer.number);
    if (set->tcp_keep_time.number != 0 || set->tcp_keep_interval.number != 0 || set->tcp_keep_count.number != 0)
        nacre_sock_set_keepalive(socket, (int)set->tcp_keep_time.number, (int)set->tcp_keep_interval.number,
                                 (int)set->tcp_keep_count.number);
}

/* A slot of the table for the socket, with what others may read of it filled in. */
static struct connection *take_slot(struct shard *s, io_socket socket)
{
    struct connection *c;
    char remote[sizeof c->remote_host] = "", local[sizeof c->local_address] = "";
    int port;
    /* The system is asked before the lock is taken: the application's threads need it for everything. */
    (void)nacre_sock_addresses(socket, remote, sizeof remote, &port, local, sizeof local);
    nacre_mutex_lock(&s->inbox_lock);
    nacre_mutex_lock(&s->outbox_lock);
    c = nacre_table_take(&s->connections);
    nacre_mutex_unlock(&s->outbox_lock);
    if (c != NULL) {
        memcpy(c->remote_host, remote, sizeof remote);
        memcpy(c->local_address, local, sizeof local);
        c->remote_port = port;
        c->timeout = (int)s->profile->settings.send_timeout.number;
    }
    nacre_mutex_unlock(&s->inbox_lock);
    if (c == NULL)
        return NULL;
    c->shard = s;
    c->socket = socket;
    c->profile = nacre_profile_ref(s->profile);
    c->fresh_last = &c->fresh_first;
    c->queue_last = &c->queue_first;
    list_init(&c->ready);
    list_init(&c->dirty);
    list_init(&c->newcomer);
    list_init(&c->all_channels);
    list_init(&c->tunnels);
    list_init(&c->forwards);
    timer_init(&c->timer, on_timer);
    c->active_ns = s->now_ns;
    if (c->profile->config.login_grace_ns != 0)
        c->stage_due_ns = s->now_ns + c->profile->config.login_grace_ns;
    return c;
}

static bool is_allowed(const struct connection *c)
{
    return nacre_access_match(c->profile->allowed, c->remote_host) &&
           !nacre_access_match(c->profile->blocked, c->remote_host);
}

/* Asks the application; false when there is nobody to ask. */
static bool ask_request(struct connection *c, bool preset)
{
    struct shard *s = c->shard;
    if (s->server->handlers.on_connection_request == NULL)
        return false;
    struct event *e = nacre_event_new(s, EVENT_CONNECTION_REQUEST, sizeof c->remote_host);
    if (e == NULL)
        return false;
    e->text[0] = nacre_event_keep(e, span_str(c->remote_host));
    e->port = c->remote_port;
    e->accept = preset;
    if (nacre_question_add(c, e, 0)) {
        nacre_outbox_add(c, e);
        return true;
    }
    nacre_event_free(s, e);
    return false;
}

/* Hands a client that is counted in for `to` over to it. False: it is still ours, and counted for `to`. */
static bool hand_over(struct shard *to, io_socket socket)
{
    struct command *k = nacre_command_new(COMMAND_ACCEPT, 0, NULL, NULL, 0);
    if (k == NULL)
        return false;
    if (!to->own_table) {
        k->socket = socket;
    } else if (nacre_descriptors_pass(to->way[0], socket, PASSED_CLIENT) == NACRE_OK) {
        nacre_sock_close(socket);
    } else {
        nacre_command_free(k);
        return false;
    }
    nacre_inbox_put(to, k);
    return true;
}

void nacre_accept(struct shard *s, io_socket socket)
{
    struct shard *to = place(s);
    if (!count_in(s, to)) {
        nacre_admit_full(s, socket);
        return;
    }
    if (to != s) {
        if (hand_over(to, socket))
            return;
        atomic_fetch_sub_explicit(&to->load, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&s->load, 1, memory_order_relaxed);
    }
    nacre_accept_here(s, socket);
}

void nacre_accept_here(struct shard *s, io_socket socket)
{
    struct connection *c = NULL;
    struct admitted admitted = {.node = NULL};
    if (socket != IO_NO_SOCKET && !s->stopping && !nacre_admit(s, socket, &admitted)) {
        nacre_accept_uncount(s);
        return;
    }
    if (socket != IO_NO_SOCKET && !s->stopping) {
        set_socket_options(s, socket);
        c = take_slot(s, socket);
    }
    if (c == NULL) {
        if (!s->stopping) /* while it counts: then the handlers stand */
            nacre_report(s, NACRE_E_NOBUFS, "A connection was closed: out of memory or descriptors.");
        nacre_accept_uncount(s);
        nacre_admit_leave(s, &admitted);
        nacre_sock_close(socket);
        return;
    }
    c->admitted = admitted;
    bool preset = is_allowed(c);
    nacre_connection_touch(c);
    if (!ask_request(c, preset))
        nacre_connection_decided(c, preset);
}

/* It fails ten times a second while descriptors are out, for the same reason. */
void nacre_accept_failed(struct shard *s, enum nacre_error error)
{
    char text[160];
    if (error == s->accept_error && s->now_ns < s->accept_quiet_ns)
        return;
    s->accept_error = error;
    s->accept_quiet_ns = s->now_ns + accept_quiet_ns;
    (void)snprintf(text, sizeof text, "Accepting connections pauses: %s", nacre_error_text((int)error));
    nacre_report(s, error, text);
}
