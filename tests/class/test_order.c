/* SPDX-License-Identifier: Apache-2.0 */
/* Every event of a whole visit: fields and order. */
#include <criterion/criterion.h>

#include "support/client.h"
#include "support/server.h"

static const enum event_type visit[] = {
    EVENT_CONNECTION_REQUEST,
    EVENT_CONNECTED,
    EVENT_SSH_SERVICE_REQUEST,
    EVENT_SSH_USER_AUTH_REQUEST,
    EVENT_SSH_CHANNEL_OPEN_REQUEST,
    EVENT_SSH_CHANNEL_OPENED,
    EVENT_SSH_CHANNEL_READY_TO_SEND,
    EVENT_SSH_CHANNEL_REQUEST,
    EVENT_SSH_CHANNEL_REQUESTED,
    EVENT_SSH_CHANNEL_DATA_IN,
    EVENT_SSH_CHANNEL_EOF,
    EVENT_SSH_CHANNEL_CLOSED,
    EVENT_DISCONNECTED,
};

static void make_visit(struct server *s, struct client *c)
{
    s->closes_on_eof = true;
    server_start(s, 2);
    cr_assert(client_start(c, s->port), "%s", c->text);
    int ch = client_open(c, "session");
    cr_assert_geq(ch, 0);
    cr_assert(client_exec(c, ch, "work"));
    cr_assert(client_send(c, ch, "hello", 5));
    cr_assert_eq(nacre_chan_send_eof(c->conn, (uint32_t)ch, 0), NACRE_OK);
    cr_assert(client_wait(c, &c->channels[ch].closed));
    client_disconnect(c);
    cr_assert(server_wait(s, EVENT_DISCONNECTED, 0, NULL));
}

Test(class_order, a_visit_brings_every_event_in_order)
{
    struct server *s = server_new();
    struct client c;
    server_set(s, "LogLevel=0");
    make_visit(s, &c);
    size_t before = 0;
    for (size_t i = 0; i < sizeof visit / sizeof *visit; i++) {
        size_t place = server_place(s, visit[i], 0);
        cr_assert_neq(place, SIZE_MAX, "event %d is missing", (int)visit[i]);
        if (i != 0)
            cr_assert_gt(place, before, "event %d came before event %d", (int)visit[i], (int)visit[i - 1]);
        before = place;
    }
    cr_assert_eq(before, server_total(s) - 1, "on_disconnected is not the last");
    client_free(&c);
    server_free(s);
}

Test(class_order, events_carry_the_fields_of_their_moment)
{
    struct server *s = server_new();
    struct client c;
    struct server_seen e, opened;
    make_visit(s, &c);
    cr_assert(server_wait(s, EVENT_CONNECTION_REQUEST, 0, &e));
    cr_assert_str_eq(e.text, "127.0.0.1");
    cr_assert_gt(e.code, 0);
    cr_assert(server_wait(s, EVENT_CONNECTED, 0, &e));
    cr_assert_gt(e.connection, 0);
    cr_assert_eq(e.code, 0);
    cr_assert_str_eq(e.text, "OK");
    int64_t connection = e.connection;
    cr_assert(server_wait(s, EVENT_SSH_SERVICE_REQUEST, 0, &e));
    cr_assert_str_eq(e.text, "ssh-userauth");
    cr_assert_eq(e.code, 1, "preset to accept");
    cr_assert(server_wait(s, EVENT_SSH_USER_AUTH_REQUEST, 0, &e));
    cr_assert_str_eq(e.text, "user");
    cr_assert(server_wait(s, EVENT_SSH_CHANNEL_OPENED, 0, &opened));
    cr_assert_gt(opened.channel, 0);
    cr_assert_neq(opened.channel, connection);
    cr_assert(server_wait(s, EVENT_SSH_CHANNEL_DATA_IN, 0, &e));
    cr_assert_eq(e.channel, opened.channel);
    cr_assert_eq(e.connection, connection);
    cr_assert_eq(e.len, 5);
    cr_assert_str_eq(e.text, "hello");
    cr_assert(server_wait(s, EVENT_SSH_CHANNEL_REQUESTED, 0, &e));
    cr_assert_str_eq(e.text, "exec");
    cr_assert(server_wait(s, EVENT_DISCONNECTED, 0, &e));
    cr_assert_eq(e.connection, connection);
    cr_assert_eq(e.code, 0);
    cr_assert_eq(server_count(s, EVENT_ERROR), 0);
    cr_assert_gt(server_count(s, EVENT_SSH_STATUS), 0);
    cr_assert_gt(server_count(s, EVENT_LOG), 0);
    client_free(&c);
    server_free(s);
}

Test(class_order, eof_exit_status_and_close_reach_the_client_in_the_order_of_the_calls)
{
    struct server *s = server_new();
    struct client c;
    make_visit(s, &c);
    cr_assert(c.channels[0].eof);
    cr_assert_eq(c.channels[0].exit_status, 7);
    cr_assert(c.channels[0].eof_before_status);
    cr_assert(c.channels[0].status_before_close);
    client_free(&c);
    server_free(s);
}

Test(class_order, ids_are_stale_after_the_last_event)
{
    struct server *s = server_new();
    struct client c;
    struct server_seen e, opened;
    int port;
    make_visit(s, &c);
    cr_assert(server_wait(s, EVENT_CONNECTED, 0, &e));
    cr_assert(server_wait(s, EVENT_SSH_CHANNEL_OPENED, 0, &opened));
    cr_assert(server_wait_empty(s));
    cr_assert_eq(nacre_get_ssh_connection_remote_port(s->nacre, e.connection, &port), NACRE_E_CONNECTION_ID);
    cr_assert_eq(nacre_send_text(s->nacre, opened.channel, "x"), NACRE_E_CHANNEL_ID);
    client_free(&c);
    server_free(s);
}

/* ---- handlers left NULL ---------------------------------------------------------------------------------------- */

Test(class_order, no_auth_handler_refuses_every_login)
{
    struct server *s = server_new();
    struct client c;
    s->handlers.on_ssh_user_auth_request = NULL;
    server_start(s, 1);
    client_init(&c);
    cr_assert(client_connect(&c, s->port));
    cr_assert_not(client_login(&c, "user", "pw"));
    cr_assert_eq(c.failures, 1);
    client_free(&c);
    server_free(s);
}

Test(class_order, no_open_handler_refuses_channels_as_prohibited)
{
    struct server *s = server_new();
    struct client c;
    s->handlers.on_ssh_channel_open_request = NULL;
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
    cr_assert_eq(client_open(&c, "session"), -1);
    cr_assert_eq(c.channels[0].code, 1, "SSH_OPEN_ADMINISTRATIVELY_PROHIBITED");
    int channels = -1;
    cr_assert_eq(nacre_get_ssh_channel_count(s->nacre, &channels), 0);
    cr_assert_eq(channels, 0);
    client_free(&c);
    server_free(s);
}

static void refuses_for_want_of_room(nacre_server *n, struct nacre_ssh_channel_open_request *e, void *context)
{
    (void)n;
    (void)context;
    e->reason = 4; /* SSH_OPEN_RESOURCE_SHORTAGE */
}

Test(class_order, a_refused_channel_is_refused_for_the_reason_given)
{
    struct server *s = server_new();
    struct client c;
    s->handlers.on_ssh_channel_open_request = refuses_for_want_of_room;
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
    cr_assert_eq(client_open(&c, "session"), -1);
    cr_assert_eq(c.channels[0].code, 4);
    client_free(&c);
    server_free(s);
}

Test(class_order, no_request_handler_answers_failure)
{
    struct server *s = server_new();
    struct client c;
    s->handlers.on_ssh_channel_request = NULL;
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
    int ch = client_open(&c, "session");
    cr_assert_not(client_exec(&c, ch, "x"));
    cr_assert_eq(c.channels[ch].replies, 1);
    client_free(&c);
    server_free(s);
}

Test(class_order, no_data_handler_drops_data_and_gives_window_back)
{
    struct server *s = server_new();
    struct client c;
    static const uint8_t chunk[65536];
    s->handlers.on_ssh_channel_data_in = NULL;
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
    int ch = client_open(&c, "session");
    for (int i = 0; i < 96; i++) { /* three windows full */
        cr_assert(client_send(&c, ch, chunk, sizeof chunk));
        client_turn(&c, 0);
    }
    for (int i = 0; i < CLIENT_WAIT_MS && nacre_chan_queued(c.conn, (uint32_t)ch) != 0; i++)
        client_turn(&c, 10);
    cr_assert_eq(nacre_chan_queued(c.conn, (uint32_t)ch), 0, "the window was not given back");
    client_free(&c);
    server_free(s);
}

Test(class_order, a_server_with_login_alone_works_without_every_other_handler)
{
    struct server *s = server_new();
    struct client c;
    s->handlers = (struct nacre_handlers){.on_ssh_user_auth_request = server_on_ssh_user_auth_request,
                                          .on_ssh_channel_open_request = server_on_ssh_channel_open_request};
    server_start(s, 1);
    cr_assert(client_start(&c, s->port), "%s", c.text);
    cr_assert_geq(client_open(&c, "session"), 0);
    client_disconnect(&c);
    cr_assert(server_wait_empty(s), "nothing may wait for events that nobody takes");
    client_free(&c);
    server_free(s);
}

static void refuse_service(nacre_server *n, struct nacre_ssh_service_request *e, void *context)
{
    (void)n;
    (void)context;
    e->accept = false;
}

Test(class_order, a_refused_service_ends_the_connection)
{
    struct server *s = server_new();
    struct client c;
    s->handlers.on_ssh_service_request = refuse_service;
    server_start(s, 1);
    client_init(&c);
    cr_assert_not(client_connect(&c, s->port));
    struct server_seen e;
    cr_assert(server_wait(s, EVENT_DISCONNECTED, 0, &e));
    cr_assert_eq(e.code, NACRE_E_SERVICE);
    client_free(&c);
    server_free(s);
}
