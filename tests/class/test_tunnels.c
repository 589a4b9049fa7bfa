/* SPDX-License-Identifier: Apache-2.0 */
/* Tunnels: what the application is asked, where the relay leads, and every way it ends. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/plat.h"
#include "class/tunnels.h"
#include "wire/wr.h"

/* ---- forward --------------------------------------------------------------------------------------------------- */

Test(class_tunnels, a_forward_tunnel_relays_both_ways)
{
    struct fixture f;
    struct server_seen asked;
    tunnels_set_up_tunnel(&f);
    cr_assert(client_send(&f.c, f.channel, "there", 5));
    tunnels_expect_bytes(&f.c, f.far, "there");
    cr_assert_eq(send(f.far, "back", 4, 0), 4);
    tunnels_expect_data(&f.c, f.channel, "back");
    cr_assert(server_wait(f.s, EVENT_SSH_TUNNEL_REQUESTED, 0, &asked));
    cr_assert_str_eq(asked.text, "127.0.0.1");
    cr_assert_eq(asked.code, f.port);
    cr_assert_eq(asked.len, 0);
    cr_assert_eq(server_count(f.s, EVENT_SSH_CHANNEL_OPENED), 0);
    cr_assert_eq(server_count(f.s, EVENT_SSH_CHANNEL_DATA_IN), 0);
    close(f.far);
    tunnels_tear_down(&f);
}

Test(class_tunnels, many_bytes_in_pieces_of_every_size_arrive_in_order)
{
    enum {
        TOTAL = 4 * 1024 * 1024
    };
    struct fixture f;
    uint8_t *sent = malloc(TOTAL), *got = malloc(TOTAL);
    size_t out = 0, in = 0;
    tunnels_set_up_tunnel(&f);
    for (size_t i = 0; i < TOTAL; i++)
        sent[i] = (uint8_t)(i * 31 + (i >> 12));
    for (size_t piece = 1; in < TOTAL; piece = piece * 3 % 40009) {
        size_t len = out + piece < TOTAL ? piece : TOTAL - out;
        if (out < TOTAL && nacre_chan_queued(f.c.conn, (uint32_t)f.channel) < 256 * 1024 && len != 0) {
            cr_assert(client_send(&f.c, f.channel, sent + out, len));
            out += len;
        }
        (void)client_turn(&f.c, 0);
        ssize_t n = recv(f.far, got + in, TOTAL - in, MSG_DONTWAIT);
        in += n > 0 ? (size_t)n : 0;
        cr_assert_neq(n, 0);
    }
    cr_assert_arr_eq(got, sent, TOTAL);
    close(f.far);
    free(sent);
    free(got);
    tunnels_tear_down(&f);
}

Test(class_tunnels, small_pieces_for_an_end_that_stalls_take_little_memory)
{
    static const uint8_t zeros[32 * 1024];
    struct fixture f;
    tunnels_set_up_tunnel(&f);
    /* First what the sockets take, so that a send stays under way. */
    for (int i = 0; i < 600 && nacre_chan_queued(f.c.conn, (uint32_t)f.channel) == 0; i++) {
        cr_assert(client_send(&f.c, f.channel, zeros, i < 60 ? sizeof zeros : 16));
        client_pump(&f.c, 1);
    }
    cr_assert_lt(server_pool_bytes(f.s), 24 * 1024 * 1024);
    close(f.far);
    tunnels_tear_down(&f);
}

Test(class_tunnels, names_are_looked_up)
{
    struct fixture f;
    tunnels_set_up(&f, NULL);
    cr_assert(tunnels_open(&f.c, "direct-tcpip", "localhost", f.port, &f.channel));
    f.far = accept(f.listener, NULL, NULL);
    cr_assert(client_send(&f.c, f.channel, "by name", 7));
    tunnels_expect_bytes(&f.c, f.far, "by name");
    close(f.far);
    tunnels_tear_down(&f);
}

Test(class_tunnels, a_name_that_is_none_fails_to_connect)
{
    struct fixture f;
    struct server_seen error;
    tunnels_set_up(&f, NULL);
    cr_assert_not(tunnels_open(&f.c, "direct-tcpip", "no such name", f.port, &f.channel));
    cr_assert_eq(f.c.channels[f.channel].code, OPEN_CONNECT_FAILED);
    cr_assert(server_wait(f.s, EVENT_ERROR, 0, &error));
    cr_assert_eq(error.code, NACRE_E_FORWARD_CONNECT);
    tunnels_tear_down(&f);
}

Test(class_tunnels, ipv6_addresses_are_reached)
{
    struct fixture f;
    int port = 0, listener = tunnels_listen_tcp(AF_INET6, &port);
    if (listener < 0)
        cr_skip_test("no IPv6 here");
    tunnels_set_up(&f, NULL);
    cr_assert(tunnels_open(&f.c, "direct-tcpip", "::1", port, &f.channel));
    f.far = accept(listener, NULL, NULL);
    cr_assert_eq(send(f.far, "six", 3, 0), 3);
    tunnels_expect_data(&f.c, f.channel, "six");
    close(f.far);
    close(listener);
    tunnels_tear_down(&f);
}

Test(class_tunnels, a_unix_socket_is_reached)
{
    struct fixture f;
    struct server_seen asked;
    const char *path = tunnels_own_path("far");
    int listener = tunnels_listen_unix(path);
    tunnels_set_up(&f, NULL);
    cr_assert(tunnels_open(&f.c, "direct-streamlocal@openssh.com", path, 0, &f.channel));
    f.far = accept(listener, NULL, NULL);
    cr_assert(client_send(&f.c, f.channel, "local", 5));
    tunnels_expect_bytes(&f.c, f.far, "local");
    cr_assert_eq(send(f.far, "too", 3, 0), 3);
    tunnels_expect_data(&f.c, f.channel, "too");
    cr_assert(server_wait(f.s, EVENT_SSH_TUNNEL_REQUESTED, 0, &asked));
    cr_assert(asked.verified, "it is a path");
    cr_assert_str_eq(asked.text, path);
    cr_assert_eq(asked.code, 0);
    close(f.far);
    close(listener);
    unlink(path);
    tunnels_tear_down(&f);
}

Test(class_tunnels, a_target_that_refuses_is_an_open_failure_and_an_error)
{
    struct fixture f;
    struct server_seen error;
    char wanted[32];
    int port = tunnels_free_port();
    tunnels_set_up(&f, NULL);
    cr_assert_not(tunnels_open(&f.c, "direct-tcpip", "127.0.0.1", port, &f.channel));
    cr_assert_eq(f.c.channels[f.channel].code, OPEN_CONNECT_FAILED);
    cr_assert(server_wait(f.s, EVENT_ERROR, 0, &error));
    cr_assert_eq(error.code, NACRE_E_FORWARD_CONNECT);
    cr_assert_eq(error.code, 1201);
    (void)snprintf(wanted, sizeof wanted, "127.0.0.1 port %d", port);
    cr_assert_not_null(strstr(error.text, wanted), "%s", error.text);
    cr_assert_eq(server_count(f.s, EVENT_SSH_TUNNEL_CLOSED), 0);
    /* The connection goes on. */
    cr_assert(tunnels_open(&f.c, "direct-tcpip", "127.0.0.1", f.port, &f.channel));
    tunnels_tear_down(&f);
}

Test(class_tunnels, a_path_without_a_socket_is_an_open_failure)
{
    struct fixture f;
    tunnels_set_up(&f, NULL);
    cr_assert_not(tunnels_open(&f.c, "direct-streamlocal@openssh.com", tunnels_own_path("nothing"), 0, &f.channel));
    cr_assert_eq(f.c.channels[f.channel].code, OPEN_CONNECT_FAILED);
    tunnels_tear_down(&f);
}

/* ---- ends ------------------------------------------------------------------------------------------------------ */

Test(class_tunnels, the_clients_eof_is_a_fin_and_the_other_way_goes_on)
{
    struct fixture f;
    tunnels_set_up_tunnel(&f);
    cr_assert(client_send(&f.c, f.channel, "last", 4));
    cr_assert_eq(nacre_chan_send_eof(f.c.conn, (uint32_t)f.channel, nacre_clock_ns()), NACRE_OK);
    tunnels_expect_bytes(&f.c, f.far, "last");
    tunnels_expect_fin(&f.c, f.far);
    cr_assert_eq(send(f.far, "answer", 6, 0), 6);
    tunnels_expect_data(&f.c, f.channel, "answer");
    cr_assert_not(f.c.channels[f.channel].eof);
    close(f.far);
    cr_assert(client_wait(&f.c, &f.c.channels[f.channel].eof));
    cr_assert(client_wait(&f.c, &f.c.channels[f.channel].closed));
    cr_assert(server_wait(f.s, EVENT_SSH_TUNNEL_CLOSED, 0, NULL));
    cr_assert_eq(server_count(f.s, EVENT_ERROR), 0);
    tunnels_tear_down(&f);
}

Test(class_tunnels, the_far_ends_fin_is_eof_and_the_other_way_goes_on)
{
    struct fixture f;
    tunnels_set_up_tunnel(&f);
    cr_assert_eq(send(f.far, "last", 4, 0), 4);
    cr_assert_eq(shutdown(f.far, SHUT_WR), 0);
    tunnels_expect_data(&f.c, f.channel, "last");
    cr_assert(client_wait(&f.c, &f.c.channels[f.channel].eof));
    cr_assert_not(f.c.channels[f.channel].closed);
    cr_assert(client_send(&f.c, f.channel, "answer", 6));
    tunnels_expect_bytes(&f.c, f.far, "answer");
    cr_assert_eq(nacre_chan_send_eof(f.c.conn, (uint32_t)f.channel, nacre_clock_ns()), NACRE_OK);
    tunnels_expect_fin(&f.c, f.far);
    cr_assert(client_wait(&f.c, &f.c.channels[f.channel].closed));
    close(f.far);
    tunnels_tear_down(&f);
}

Test(class_tunnels, the_far_ends_reset_is_an_error_and_closes_the_channel)
{
    struct fixture f;
    struct server_seen error, closed;
    const struct linger now = {1, 0};
    tunnels_set_up_tunnel(&f);
    cr_assert_eq(setsockopt(f.far, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
    close(f.far);
    cr_assert(client_wait(&f.c, &f.c.channels[f.channel].closed));
    cr_assert(server_wait(f.s, EVENT_ERROR, 0, &error));
    cr_assert_eq(error.code, NACRE_E_FORWARD_DATA);
    cr_assert_eq(error.code, 1202);
    cr_assert(server_wait(f.s, EVENT_SSH_TUNNEL_CLOSED, 0, &closed));
    cr_assert_eq(closed.code, f.port);
    cr_assert_str_eq(closed.text, "127.0.0.1");
    tunnels_tear_down(&f);
}

Test(class_tunnels, what_a_channel_brought_before_its_close_still_arrives)
{
    struct fixture f;
    char got[64 * 1024];
    size_t total = 0;
    static const uint8_t zeros[600 * 1024];
    tunnels_set_up_tunnel(&f);
    cr_assert(client_send(&f.c, f.channel, zeros, sizeof zeros));
    cr_assert_eq(nacre_chan_close(f.c.conn, (uint32_t)f.channel, nacre_clock_ns()), NACRE_OK);
    cr_assert(client_wait(&f.c, &f.c.channels[f.channel].closed));
    while (tunnels_readable(&f.c, f.far)) {
        ssize_t n = recv(f.far, got, sizeof got, 0);
        cr_assert_geq(n, 0);
        if (n == 0)
            break;
        total += (size_t)n;
    }
    cr_assert_eq(total, sizeof zeros);
    close(f.far);
    tunnels_tear_down(&f);
}

Test(class_tunnels, the_end_of_the_connection_ends_its_tunnels_and_forwards)
{
    struct fixture f;
    const char *path = tunnels_own_path("listener");
    tunnels_set_up_tunnel(&f);
    int port = tunnels_forward(&f.c, "127.0.0.1");
    cr_assert(tunnels_ask_unix(&f.c, "streamlocal-forward@openssh.com", path));
    f.c.their_channel_opened = false; /* the client's own first channel has the number 0 too */
    int inside = client_socket(NULL, port);
    cr_assert(client_wait(&f.c, &f.c.their_channel_opened));
    cr_assert_eq(send(inside, "x", 1, 0), 1);
    tunnels_expect_data(&f.c, (int)f.c.their_channel, "x"); /* the server knows it as open */
    client_reset(&f.c);
    cr_assert(server_wait(f.s, EVENT_SSH_TUNNEL_CLOSED, 3, NULL));
    cr_assert(server_wait(f.s, EVENT_DISCONNECTED, 0, NULL));
    cr_assert_lt(server_place(f.s, EVENT_SSH_TUNNEL_CLOSED, 3), server_place(f.s, EVENT_DISCONNECTED, 0));
    cr_assert_eq(client_socket(NULL, port), -1);
    cr_assert_neq(access(path, F_OK), 0);
    char byte;
    cr_assert_leq(recv(f.far, &byte, 1, 0), 0);
    cr_assert_leq(recv(inside, &byte, 1, 0), 0);
    close(f.far);
    close(inside);
    tunnels_tear_down(&f);
}

Test(class_tunnels, a_server_that_is_freed_does_not_wait_for_an_end_that_stalls)
{
    struct fixture f;
    static const uint8_t zeros[64 * 1024];
    tunnels_set_up_tunnel(&f);
    for (int i = 0; i < 400 && nacre_chan_queued(f.c.conn, (uint32_t)f.channel) < 512 * 1024; i++) {
        cr_assert(client_send(&f.c, f.channel, zeros, sizeof zeros));
        client_pump(&f.c, 2);
    }
    cr_assert_gt(nacre_chan_queued(f.c.conn, (uint32_t)f.channel), 0);
    int64_t start = nacre_clock_ns();
    client_free(&f.c);
    server_free(f.s);
    cr_assert_lt(nacre_clock_ns() - start, INT64_C(60000000000));
    close(f.far);
    close(f.listener);
}

/* ---- decisions ------------------------------------------------------------------------------------------------- */

Test(class_tunnels, without_a_handler_they_are_refused)
{
    struct server *s = server_new();
    struct client c;
    int channel, port = 0, listener = tunnels_listen_tcp(AF_INET, &port);
    s->handlers.on_ssh_channel_open_request = NULL;
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
    cr_assert_not(tunnels_open(&c, "direct-tcpip", "127.0.0.1", port, &channel));
    cr_assert_not(tunnels_ask_tcp(&c, "tcpip-forward", "127.0.0.1", 0));
    cr_assert_not(tunnels_ask_unix(&c, "streamlocal-forward@openssh.com", tunnels_own_path("refused")));
    cr_assert_not(tunnels_ask_tcp(&c, "cancel-tcpip-forward", "127.0.0.1", 0));
    client_free(&c);
    close(listener);
    server_free(s);
}

Test(class_tunnels, what_is_not_accepted_as_a_tunnel_is_offered_as_a_channel)
{
    struct fixture f;
    struct wishes w = {.refuses = true};
    struct server_seen asked;
    tunnels_set_up(&f, &w);
    f.s->echo = true;
    cr_assert(tunnels_open(&f.c, "direct-tcpip", "127.0.0.1", f.port, &f.channel));
    cr_assert(server_wait(f.s, EVENT_SSH_CHANNEL_OPEN_REQUEST, 0, &asked));
    cr_assert_str_eq(asked.text, "direct-tcpip");
    cr_assert(client_send(&f.c, f.channel, "served here", 11));
    tunnels_expect_data(&f.c, f.channel, "served here");
    cr_assert_not(tunnels_ask_tcp(&f.c, "tcpip-forward", "127.0.0.1", 0));
    tunnels_tear_down(&f);
}

static void answer_later(struct fixture *f, struct wishes *w, bool accept)
{
    f->channel = tunnels_begin_open(&f->c, "direct-tcpip", "127.0.0.1", f->port);
    for (int i = 0; i < CLIENT_WAIT_MS && !atomic_load(&w->asked); i++)
        (void)client_turn(&f->c, 5);
    cr_assert(atomic_load(&w->asked));
    client_pump(&f->c, 50);
    cr_assert_not(f->c.channels[f->channel].opened);
    cr_assert_eq(nacre_answer(f->s->nacre, w->ticket, &(struct nacre_answer){.accept = accept}), 0);
}

Test(class_tunnels, a_decision_may_come_later)
{
    struct fixture f;
    struct wishes w = {.defers = true};
    tunnels_set_up(&f, &w);
    answer_later(&f, &w, true);
    cr_assert(client_wait(&f.c, &f.c.channels[f.channel].opened));
    f.far = accept(f.listener, NULL, NULL);
    cr_assert(client_send(&f.c, f.channel, "late", 4));
    tunnels_expect_bytes(&f.c, f.far, "late");
    close(f.far);
    tunnels_tear_down(&f);
}

Test(class_tunnels, a_late_no_offers_a_channel)
{
    struct fixture f;
    struct wishes w = {.defers = true};
    tunnels_set_up(&f, &w);
    answer_later(&f, &w, false);
    cr_assert(client_wait(&f.c, &f.c.channels[f.channel].opened));
    cr_assert_eq(server_count(f.s, EVENT_SSH_CHANNEL_OPEN_REQUEST), 1);
    tunnels_tear_down(&f);
}

Test(class_tunnels, a_client_may_leave_while_it_waits_for_a_decision)
{
    struct fixture f;
    struct wishes w = {.defers = true};
    tunnels_set_up(&f, &w);
    f.channel = tunnels_begin_open(&f.c, "direct-tcpip", "127.0.0.1", f.port);
    for (int i = 0; i < CLIENT_WAIT_MS && !atomic_load(&w.asked); i++)
        (void)client_turn(&f.c, 5);
    client_reset(&f.c);
    cr_assert(server_wait(f.s, EVENT_DISCONNECTED, 0, NULL));
    cr_assert_neq(nacre_answer(f.s->nacre, w.ticket, &(struct nacre_answer){.accept = true}), 0);
    tunnels_tear_down(&f);
}

/* ---- malformed ------------------------------------------------------------------------------------------------- */

Test(class_tunnels, r_requests_that_are_malformed_are_refused)
{
    struct fixture f;
    uint8_t data[512];
    tunnels_set_up(&f, NULL);
    cr_assert_not(tunnels_ask(&f.c, "tcpip-forward", span_of(NULL, 0)));
    cr_assert_not(tunnels_ask(&f.c, "tcpip-forward", span_str("abc")));
    cr_assert_not(tunnels_ask_tcp(&f.c, "tcpip-forward", "127.0.0.1", 70000));
    struct wr w = wr_over(data, sizeof data);
    wr_string(&w, span_of("127.0.0.1\0x", 11));
    wr_u32(&w, 0);
    cr_assert_not(tunnels_ask(&f.c, "tcpip-forward", wr_span(&w)));
    cr_assert_not(
        tunnels_ask_unix(&f.c, "streamlocal-forward@openssh.com",
                         "/tmp/a path that is longer than what a unix socket's address has room for, which is a "
                         "hundred and seven bytes"));
    cr_assert_eq(server_count(f.s, EVENT_SSH_TUNNEL_REQUESTED), 0);
    cr_assert(tunnels_open(&f.c, "direct-tcpip", "127.0.0.1", f.port, &f.channel));
    tunnels_tear_down(&f);
}
