/* SPDX-License-Identifier: Apache-2.0 */
/* Rule R33: eof, close, disconnect and shutdown are what a program answers a failure with. They need no memory. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alloc.h"
#include "check.h"
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
                                                   .on_ssh_channel_open_request = on_open};
    struct served s;
    served_start(&s, &handlers, argc > 1 ? argv[1] : "WorkerThreads=2");
    served_turn_events(&s);
    expect_orderly_close(&s);
    expect_shutdown(&s);
    served_end(&s);
    return EXIT_SUCCESS;
}
