/* SPDX-License-Identifier: Apache-2.0 */
/* An application that keeps something for a tunnel hears of the tunnel's end, or of the connection's when there is no
 * memory to tell of the tunnel's: for every allocation that may fail while a listener is cancelled. */
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "alloc.h"
#include "check.h"
#include "engine/server.h"
#include "served.h"
#include "support/client.h"
#include "wire/rd.h"
#include "wire/wr.h"

enum {
    MANY = 10000
};

static atomic_uint closed;

static void on_auth(nacre_server *n, struct nacre_ssh_user_auth_request *e, void *context)
{
    (void)n;
    (void)context;
    e->accept = true;
}

static void on_tunnel(nacre_server *n, struct nacre_ssh_tunnel_requested *e, void *context)
{
    (void)n;
    (void)context;
    e->accept = true;
}

static void on_closed(nacre_server *n, struct nacre_ssh_tunnel_closed *e, void *context)
{
    (void)n;
    (void)e;
    (void)context;
    atomic_fetch_add(&closed, 1);
}

static void ask(struct client *c, const char *kind, uint32_t port)
{
    uint8_t data[64];
    struct wr w = wr_over(data, sizeof data);
    wr_cstring(&w, "127.0.0.1");
    wr_u32(&w, port);
    (void)nacre_conn_global_request(c->conn, span_str(kind), true, wr_span(&w), nacre_clock_ns());
}

/* Events that were used before need no memory. Whoever has the wheel is the worker. */
static void free_events(struct shard *s)
{
    nacre_mutex_lock(&s->wheel);
    nacre_event_free_kept(s);
    nacre_mutex_unlock(&s->wheel);
}

/* The n-th allocation of the cancelling fails. True: there were so many. */
static bool cancel(struct served *s, long n)
{
    struct client c;
    unsigned before = atomic_load(&closed);
    client_init(&c);
    check(client_connect(&c, s->port) && client_login(&c, "user", "pw"), "log in");
    ask(&c, "tcpip-forward", 0);
    check(client_wait_unsigned(&c, &c.global_granted, 1), "the listener is granted");
    struct rd r = rd_over(span_of(c.global_data, c.global_data_len));
    uint32_t port = rd_u32(&r);
    free_events(&s->nacre->shards[0]);
    alloc_fail_nth(n);
    ask(&c, "cancel-tcpip-forward", port);
    (void)client_wait_unsigned(&c, &c.global_replies, 2);
    bool failed = alloc_fail_none();
    bool ended = c.ended;
    for (int i = 0; i < 50 && !ended && atomic_load(&closed) == before; i++)
        (void)usleep(10000);
    check(ended || atomic_load(&closed) == before + 1, "the end of a listener was not told");
    client_free(&c);
    served_wait_empty(s);
    return failed;
}

int main(void)
{
    static const struct nacre_handlers handlers = {
        .on_ssh_user_auth_request = on_auth, .on_ssh_tunnel_requested = on_tunnel, .on_ssh_tunnel_closed = on_closed};
    struct served s;
    long n = 0;
    served_start(&s, &handlers, "WorkerThreads=1");
    served_turn_events(&s);
    while (n < MANY && cancel(&s, n))
        n++;
    check(n > 0 && n < MANY, "every allocation has failed once");
    served_end(&s);
    return EXIT_SUCCESS;
}
