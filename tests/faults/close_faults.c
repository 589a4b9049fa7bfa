/* SPDX-License-Identifier: Apache-2.0 */
/* Rule R33: eof, close, disconnect and shutdown are what a program answers a failure with. They need no memory. And a
 * send that fails for memory leaves nobody waiting for room. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alloc.h"
#include "check.h"
#include "engine/server.h"
#include "served.h"
#include "support/client.h"

static void on_auth(nacre_server *n, struct nacre_ssh_user_auth_request *e, void *context)
{
    (void)n;
    (void)context;
    e->accept = true;
}

static void on_open(nacre_server *n, struct nacre_ssh_channel_open_request *e, void *context)
{
    (void)n;
    (void)context;
    e->accept = true;
}

static atomic_uint told_room;

static void on_ready(nacre_server *n, struct nacre_ssh_channel_ready_to_send *e, void *context)
{
    (void)n;
    (void)e;
    (void)context;
    atomic_fetch_add(&told_room, 1);
}

/* The next allocation fails, which is the call's: the worker has nothing to do. */
static bool without_memory(int (*call)(nacre_server *server, int64_t id), nacre_server *server, int64_t id)
{
    alloc_fail_nth(0);
    int e = call(server, id);
    check(alloc_fail_none(), "the call has not asked for memory");
    return e == NACRE_OK;
}

static void log_in(struct client *c, const struct served *s)
{
    client_init(c);
    check(client_connect(c, s->port) && client_login(c, "user", "pw"), "log in");
}

static int64_t only_id(nacre_server *server, int (*get)(nacre_server *server, int64_t *ids, size_t *count))
{
    int64_t id = 0;
    size_t count = 1;
    check(get(server, &id, &count) == NACRE_OK && count == 1, "there is one");
    return id;
}

/* What was sent before goes out before. */
static void expect_orderly_close(struct served *s)
{
    struct client c;
    log_in(&c, s);
    int ch = client_open(&c, "session");
    check(ch >= 0, "open");
    struct client_channel *x = &c.channels[ch];
    int64_t id = only_id(s->nacre, nacre_get_ssh_channel_ids);
    check(nacre_send_bytes(s->nacre, id, "last words", 10) == NACRE_OK, "send");
    check(client_wait_count(&c, &x->received, 10), "the bytes come");
    check(without_memory(nacre_send_eof, s->nacre, id), "eof");
    check(nacre_send_bytes(s->nacre, id, "more", 4) == NACRE_E_SOCKET_SHUTDOWN, "nothing is taken behind eof");
    check(client_wait(&c, &x->eof), "eof comes");
    check(!x->closed, "no more than eof");
    check(without_memory(nacre_close_channel, s->nacre, id), "close");
    check(client_wait(&c, &x->closed), "close comes");
    check(without_memory(nacre_disconnect, s->nacre, only_id(s->nacre, nacre_get_ssh_connection_ids)), "disconnect");
    check(client_wait_end(&c), "the end comes");
    client_free(&c);
    served_wait_empty(s);
}

static void wait_for_room(unsigned count)
{
    for (int ms = 0; ms < 60000 && atomic_load(&told_room) < count; ms++)
        (void)usleep(1000);
    check(atomic_load(&told_room) >= count, "who waits for room is told");
}

static int send_some(nacre_server *server, int64_t id)
{
    return nacre_send_bytes(server, id, "some", 4);
}

/* Another thread has found the queue full of reservations: what this one gives back is the last of them. */
static void expect_room_to_be_told(struct served *s)
{
    struct client c;
    unsigned before = atomic_load(&told_room);
    log_in(&c, s);
    check(client_open(&c, "session") >= 0, "open");
    wait_for_room(before + 1); /* as each channel that has opened is told */
    int64_t id = only_id(s->nacre, nacre_get_ssh_channel_ids);
    struct shard *shard = nacre_server_shard(s->nacre, id);
    nacre_mutex_lock(&shard->inbox_lock);
    struct channel *ch = nacre_table_find(&shard->channels, id);
    check(ch != NULL && ch->queued == 0, "the queue is empty");
    ch->starved = true;
    nacre_mutex_unlock(&shard->inbox_lock);
    check(!without_memory(send_some, s->nacre, id), "send without memory");
    wait_for_room(before + 2);
    check(nacre_disconnect(s->nacre, only_id(s->nacre, nacre_get_ssh_connection_ids)) == NACRE_OK, "disconnect");
    check(client_wait_end(&c), "the end comes");
    client_free(&c);
    served_wait_empty(s);
}

/* It asks for no memory, so what fails is the worker's, which tries again. */
static void expect_shutdown(struct served *s)
{
    struct client c;
    log_in(&c, s);
    alloc_fail_nth(0);
    check(nacre_shutdown(s->nacre) == NACRE_OK, "shutdown");
    check(client_wait_end(&c), "the end comes");
    (void)alloc_fail_none();
    client_free(&c);
    client_init(&c);
    check(!client_connect(&c, s->port), "nobody listens");
    client_free(&c);
    served_wait_empty(s);
}

/* test_close_faults [SETTING]: "UseIOCP=True" for one. */
int main(int argc, char **argv)
{
    static const struct nacre_handlers handlers = {.on_ssh_user_auth_request = on_auth,
                                                   .on_ssh_channel_open_request = on_open,
                                                   .on_ssh_channel_ready_to_send = on_ready};
    struct served s;
    served_start(&s, &handlers, argc > 1 ? argv[1] : "WorkerThreads=2");
    served_turn_events(&s);
    expect_orderly_close(&s);
    expect_room_to_be_told(&s);
    expect_shutdown(&s);
    served_end(&s);
    return EXIT_SUCCESS;
}
