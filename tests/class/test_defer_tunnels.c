/* SPDX-License-Identifier: Apache-2.0 */
/* A tunnel that is not accepted is asked about once more, as a channel: the answer to one question is none to the
 * other.
 */
#include <criterion/criterion.h>

#include "support/client.h"
#include "support/server.h"

struct tickets {
    nacre_ticket tunnel, open;
    atomic_int asked; /* questions so far */
};

static void put_off_tunnel(nacre_server *n, struct nacre_ssh_tunnel_requested *e, void *context)
{
    (void)n;
    struct tickets *t = ((struct server *)context)->test;
    t->tunnel = nacre_defer(&e->event);
    atomic_fetch_add(&t->asked, 1);
}

static void put_off_open(nacre_server *n, struct nacre_ssh_channel_open_request *e, void *context)
{
    (void)n;
    struct tickets *t = ((struct server *)context)->test;
    t->open = nacre_defer(&e->event);
    atomic_fetch_add(&t->asked, 1);
}

static int answer(struct server *s, nacre_ticket t, bool accept)
{
    return nacre_answer(s->nacre, t, &(struct nacre_answer){.accept = accept});
}

static void wait_asked(struct client *c, struct tickets *t, int count)
{
    for (int i = 0; i < CLIENT_WAIT_MS && atomic_load(&t->asked) < count; i++)
        client_turn(c, 1);
    cr_assert_eq(atomic_load(&t->asked), count);
}

/* A client that has asked for a tunnel, about which the application has been asked. */
static void ask(struct server *s, struct client *c, struct tickets *t)
{
    uint32_t number;
    uint8_t bytes[64];
    struct wr w = wr_over(bytes, sizeof bytes);
    s->test = t;
    s->handlers.on_ssh_tunnel_requested = put_off_tunnel;
    s->handlers.on_ssh_channel_open_request = put_off_open;
    server_start(s, 1);
    cr_assert(client_start(c, s->port));
    wr_cstring(&w, "127.0.0.1");
    wr_u32(&w, 1);
    wr_cstring(&w, "127.0.0.1");
    wr_u32(&w, 1);
    cr_assert_eq(nacre_chan_open(c->conn, span_str("direct-tcpip"), wr_span(&w), &number, nacre_clock_ns()), NACRE_OK);
    wait_asked(c, t, 1);
}

static void expect_only_its_own_answer(struct server *s, struct client *c, struct tickets *t)
{
    wait_asked(c, t, 2);
    cr_expect_eq(answer(s, t->tunnel, true), NACRE_E_TICKET, "it decides another question");
    client_pump(c, 50);
    cr_assert_not(c->channels[0].opened, "the answer to another question has opened it");
    cr_expect_eq(answer(s, t->open, true), 0);
    for (int i = 0; i < CLIENT_WAIT_MS && !c->channels[0].opened; i++)
        client_turn(c, 1);
    cr_expect(c->channels[0].opened);
    cr_expect_eq(answer(s, t->open, true), NACRE_E_TICKET);
}

Test(class_defer_tunnels, r42_a_second_answer_to_a_tunnel_opens_no_channel, .timeout = 240)
{
    struct tickets t = {.asked = 0};
    struct server *s = server_new();
    struct client c;
    ask(s, &c, &t);
    cr_assert_eq(answer(s, t.tunnel, false), 0);
    expect_only_its_own_answer(s, &c, &t);
    client_free(&c);
    server_free(s);
}

Test(class_defer_tunnels, r42_a_late_answer_to_a_tunnel_opens_no_channel, .timeout = 240)
{
    struct tickets t = {.asked = 0};
    struct server *s = server_new();
    struct client c;
    server_set(s, "AnswerTimeout=2");
    ask(s, &c, &t);
    expect_only_its_own_answer(s, &c, &t); /* the first question is refused after 2 s */
    client_free(&c);
    server_free(s);
}
