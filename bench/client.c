/* SPDX-License-Identifier: Apache-2.0 */
/* Socket to connection and back. What the connection says is in client_events.c. */
#include "client.h"

#include <stdio.h>
#include <string.h>

#include "base/plat.h"
#include "client_events.h"
#include "net.h"
#include "system.h"

enum {
    READS_PER_TURN = 4,
    ROUNDS_PER_TURN = 4
};

/* Whatever still happens to the client, its memory goes away behind this batch of events. */
static void end(struct client *c)
{
    if (c->stage == CLIENT_ENDING && !list_is_empty(&c->link))
        return;
    c->stage = CLIENT_ENDING;
    nacre_timer_cancel(&c->shared->loop.timers, &c->timer);
    loop_watch(&c->shared->loop, &c->watch, 0);
    list_append(&c->shared->dead, &c->link);
}

/* For ends that the connection itself does not know of. */
static void lose(struct client *c, enum failure kind, const char *reason)
{
    if (c->failure == FAILED_NONE && c->stage != CLIENT_ENDING) {
        c->failure = kind;
        if (c->shared->ops->heard == NULL)
            bench_tally_fail(c->shared->tally, kind, reason);
    }
    end(c);
}

static void lose_by(struct client *c, enum failure kind, const char *what, int error)
{
    char why[REASON_MAX / 2], reason[REASON_MAX];
    snprintf(reason, sizeof reason, "%s: %s", what, bench_system_text(error, why, sizeof why));
    lose(c, kind, reason);
}

enum failure bench_client_failure(const struct client *c)
{
    static const enum failure at[] = {
        [CLIENT_UNUSED] = FAILED_CONNECT, [CLIENT_CONNECTING] = FAILED_CONNECT, [CLIENT_KEX] = FAILED_HANDSHAKE,
        [CLIENT_LOGIN] = FAILED_LOGIN,    [CLIENT_READY] = FAILED_DISCONNECTED, [CLIENT_ENDING] = FAILED_DISCONNECTED};
    return at[c->stage];
}

void bench_client_finish(struct client *c)
{
    if (c->stage == CLIENT_ENDING || c->stage == CLIENT_UNUSED)
        return;
    c->finishing = true;
    bench_client_expect(c, true);
    if (c->conn == NULL)
        end(c);
    else
        nacre_conn_close(c->conn, NACRE_E_BY_APPLICATION, "done", c->shared->loop.now_ns);
}

void bench_client_fail(struct client *c, enum failure kind, const char *reason)
{
    if (c->failure != FAILED_NONE || c->finishing || c->stage == CLIENT_ENDING)
        return;
    c->failure = kind;
    if (c->shared->ops->heard == NULL)
        bench_tally_fail(c->shared->tally, kind, reason);
    bench_client_finish(c);
}

void bench_client_drop(struct client *c)
{
    if (c->stage != CLIENT_UNUSED)
        end(c);
}

/* ---- time ------------------------------------------------------------------------------------------------------ */

static int64_t timeout_ns(const struct client *c)
{
    return (int64_t)c->shared->options->timeout * 1000000000;
}

/* A timer that is armed for an earlier moment stays: it looks again when it fires, which is cheaper than moving it with
 * every packet. */
static void arm_timer(struct client *c)
{
    int64_t due = c->conn == NULL ? INT64_MAX : nacre_conn_deadline(c->conn);
    if (c->waiting && c->progress_ns + timeout_ns(c) < due)
        due = c->progress_ns + timeout_ns(c);
    if (due != INT64_MAX && (c->timer.due_ns == 0 || c->timer.due_ns > due))
        nacre_timer_arm(&c->shared->loop.timers, &c->timer, due);
}

static void on_timer(struct timer *t, int64_t now_ns)
{
    struct client *c = CONTAINER_OF(t, struct client, timer);
    if (c->waiting && now_ns >= c->progress_ns + timeout_ns(c)) {
        if (c->conn != NULL && nacre_conn_is_closing(c->conn)) { /* it need not read our goodbye */
            end(c);
            return;
        }
        static const char *const doing[] = {"", "connecting", "exchanging keys", "logging in", "in use", ""};
        char reason[REASON_MAX];
        snprintf(reason, sizeof reason, "no progress for %u s while %s", c->shared->options->timeout, doing[c->stage]);
        lose(c, FAILED_TIMEOUT, reason);
        return;
    }
    if (c->conn != NULL && now_ns >= nacre_conn_deadline(c->conn))
        nacre_conn_tick(c->conn, now_ns);
    bench_client_pump(c);
}

void bench_client_expect(struct client *c, bool waiting)
{
    c->waiting = waiting;
    c->progress_ns = c->shared->loop.now_ns;
}

/* ---- bytes ----------------------------------------------------------------------------------------------------- */

/* Hands over bytes in scratch memory; keeps what was not used. */
static void feed(struct client *c, size_t len)
{
    uint8_t *at = c->shared->scratch;
    size_t used = nacre_conn_feed(c->conn, at, len, NULL, c->shared->loop.now_ns);
    c->rest.len = 0;
    c->held = used < len && !nacre_conn_wants_input(c->conn);
    if (used == len)
        nacre_buf_free(&c->rest); /* an idle connection owns no buffer */
    else if (!nacre_buf_append(&c->rest, at + used, len - used))
        lose(c, FAILED_LOCAL, "out of memory for received bytes");
}

/* Brings the rest back to scratch memory; returns its length. */
static size_t fetch_rest(struct client *c)
{
    if (c->rest.len != 0)
        memcpy(c->shared->scratch, c->rest.at, c->rest.len);
    return c->rest.len;
}

static bool feed_held(struct client *c)
{
    if (!c->held || c->stage == CLIENT_ENDING || !nacre_conn_wants_input(c->conn))
        return false;
    c->held = false;
    feed(c, fetch_rest(c));
    return true;
}

/* Bytes have moved. Of a connection in use its events tell whether that is progress, or parts of what is larger than a
 * keep-alive. */
static void made_progress(struct client *c, bool is_part)
{
    if (c->stage < CLIENT_READY || is_part)
        c->progress_ns = c->shared->loop.now_ns;
}

static void receive(struct client *c)
{
    for (unsigned i = 0; i < READS_PER_TURN && !c->deaf && c->stage != CLIENT_ENDING && nacre_conn_wants_input(c->conn);
         i++) {
        size_t kept = fetch_rest(c);
        ptrdiff_t got = bench_net_receive(c->watch.fd, c->shared->scratch + kept, CLIENT_SCRATCH - kept);
        if (got == NET_LATER)
            return;
        if (got == NET_FAILED) {
            lose_by(c, bench_client_failure(c), "connection lost", bench_system_error());
            return;
        }
        if (got == 0) {
            nacre_conn_feed_eof(c->conn, c->shared->loop.now_ns);
            if (c->stage != CLIENT_ENDING && !nacre_conn_is_closing(c->conn))
                lose(c, bench_client_failure(c), "the server closed the connection");
            return;
        }
        feed(c, kept + (size_t)got);
        made_progress(c, c->rest.len != 0);
        if (kept + (size_t)got < CLIENT_SCRATCH)
            return; /* the socket was most likely emptied; the loop tells otherwise */
    }
}

/* Sends until all is out or the socket is full. True when all is out. */
static bool flush(struct client *c)
{
    struct span spans[NET_SPANS];
    for (size_t count; (count = nacre_conn_output(c->conn, spans, NET_SPANS)) != 0;) {
        unsigned used = 0;
        for (size_t left = c->send_limit; used < count && left != 0; used++) {
            spans[used].len = spans[used].len < left ? spans[used].len : left;
            left -= spans[used].len;
        }
        if (used == 0) {
            if (c->shared->ops->cut != NULL)
                c->shared->ops->cut(c);
            return true;
        }
        ptrdiff_t sent = bench_net_send(c->watch.fd, spans, used);
        if (sent == NET_LATER)
            return false;
        if (sent == NET_FAILED) {
            if (!nacre_conn_is_closing(c->conn))
                lose_by(c, bench_client_failure(c), "connection lost", bench_system_error());
            return true;
        }
        c->send_limit -= c->send_limit == SIZE_MAX ? 0 : (size_t)sent;
        nacre_conn_output_take(c->conn, (size_t)sent, c->shared->loop.now_ns);
        made_progress(c, nacre_conn_output_bytes(c->conn) != 0);
    }
    return true;
}

void bench_client_pump(struct client *c)
{
    if (c->conn == NULL || c->stage <= CLIENT_CONNECTING || !list_is_empty(&c->link))
        return;
    const struct client_ops *ops = c->shared->ops;
    bool all_out, more = false;
    unsigned rounds = 0;
    do {
        all_out = flush(c);
        if (!list_is_empty(&c->link))
            return;
        more = all_out && ops->idle != NULL && ops->idle(c);
    } while (feed_held(c) || (more && ++rounds < ROUNDS_PER_TURN));
    if (!list_is_empty(&c->link))
        return;
    if (nacre_conn_is_closing(c->conn) && all_out) {
        end(c);
        return;
    }
    bool reads = nacre_conn_wants_input(c->conn) && !c->deaf;
    uint32_t events = (all_out && !more ? 0U : READY_OUT) | (reads ? READY_IN : 0U);
    if (!loop_watch(&c->shared->loop, &c->watch, events))
        lose_by(c, FAILED_LOCAL, "wait for the socket", bench_system_error());
    else
        arm_timer(c);
}

/* ---- life ------------------------------------------------------------------------------------------------------ */

static void connected(struct client *c)
{
    int error = 0;
    sock_len len = sizeof error;
    getsockopt(c->watch.fd, SOL_SOCKET, SO_ERROR, (void *)&error, &len);
    if (error != 0) {
        lose_by(c, FAILED_CONNECT, "connect", error);
        return;
    }
    c->conn = nacre_conn_new(&c->shared->config, &bench_client_sink, c, &c->shared->pool);
    if (c->conn == NULL) {
        lose(c, FAILED_LOCAL, "out of memory for a connection");
        return;
    }
    c->stage = CLIENT_KEX;
    nacre_conn_start(c->conn, c->shared->loop.now_ns);
}

static void on_ready(struct watch *w, uint32_t events)
{
    struct client *c = CONTAINER_OF(w, struct client, watch);
    if (c->stage == CLIENT_CONNECTING)
        connected(c);
    else if ((events & READY_IN) != 0 || nacre_conn_wants_input(c->conn))
        receive(c);
    else if ((events & READY_LOST) != 0)
        lose(c, bench_client_failure(c), "connection lost");
    bench_client_pump(c);
}

/* RFC 1122: all of 127/8 is this host, so that each address brings its own set of ports. */
static bool bind_source(const struct client *c)
{
    const struct options *o = c->shared->options;
    if (o->source_addresses == 0)
        return true;
    struct sockaddr_in from = {.sin_family = AF_INET};
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + c->number % o->source_addresses);
    return bench_net_bind(c->watch.fd, &from);
}

static void reset(struct client *c, struct client_shared *s, unsigned number)
{
    memset(c, 0, sizeof *c);
    c->watch.fd = IO_NO_SOCKET;
    c->watch.ready = on_ready;
    timer_init(&c->timer, on_timer);
    list_init(&c->link);
    c->shared = s;
    c->number = number;
    c->exit_status = -1;
    c->send_limit = SIZE_MAX;
    nacre_buf_init(&c->rest, CLIENT_SCRATCH);
    c->stage = CLIENT_CONNECTING;
    c->started_ns = nacre_clock_ns();
    c->progress_ns = c->started_ns;
    c->waiting = true;
}

void bench_client_start(struct client *c, struct client_shared *s, unsigned number)
{
    reset(c, s, number);
    const struct options *o = s->options;
    if (nacre_sock_make(o->address.ss_family, &c->watch.fd) != NACRE_OK) {
        lose_by(c, FAILED_LOCAL, "socket", bench_system_error());
        return;
    }
    (void)nacre_sock_set_nodelay(c->watch.fd, true);
    if (!bind_source(c))
        lose_by(c, FAILED_CONNECT, "bind to a source address", bench_system_error());
    else if (!bench_net_connect(c->watch.fd, (const struct sockaddr *)&o->address, o->address_len))
        lose_by(c, FAILED_CONNECT, "connect", bench_system_error());
    else if (!loop_watch(&s->loop, &c->watch, READY_OUT))
        lose_by(c, FAILED_LOCAL, "wait for the socket", bench_system_error());
    else
        arm_timer(c);
}

void bench_client_bury(struct client_shared *s)
{
    struct list dead;
    list_init(&dead);
    list_splice(&dead, &s->dead);
    for (struct list *node; (node = list_pop(&dead)) != NULL;) {
        struct client *c = CONTAINER_OF(node, struct client, link);
        bench_client_record(c);
        if (c->conn != NULL)
            nacre_conn_free(c->conn);
        c->conn = NULL;
        nacre_buf_free(&c->rest);
        nacre_sock_close(c->watch.fd);
        c->watch.fd = IO_NO_SOCKET;
        c->stage = CLIENT_UNUSED;
        if (s->ops->gone != NULL)
            s->ops->gone(c);
    }
    s->loop.again = !list_is_empty(&s->dead); /* who follows has failed at once: not before others have been heard */
}
