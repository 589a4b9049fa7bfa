/* SPDX-License-Identifier: Apache-2.0 */
/* Tunnels that begin at the server: what it listens on for a client, and what becomes of it. */
#include <criterion/criterion.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "class/tunnels.h"
#include "wire/rd.h"

/* ---- reverse --------------------------------------------------------------------------------------------------- */

Test(class_tunnels, a_reverse_tunnel_brings_connections_to_the_client)
{
    struct fixture f;
    struct server_seen asked;
    tunnels_set_up(&f, NULL);
    int port = tunnels_forward(&f.c, "127.0.0.1");
    cr_assert(server_wait(f.s, EVENT_SSH_TUNNEL_REQUESTED, 0, &asked));
    cr_assert_eq(asked.len, 1);
    cr_assert_eq(asked.code, 0);
    cr_assert_not(asked.verified, "it is no path");
    f.far = client_socket(NULL, port);
    cr_assert(client_wait(&f.c, &f.c.their_channel_opened));
    int channel = (int)f.c.their_channel;
    cr_assert_str_eq(f.c.their_kind, "forwarded-tcpip");
    struct rd r = rd_over(span_of(f.c.their_data, f.c.their_data_len));
    cr_assert(span_is(rd_string(&r, 100), "127.0.0.1"));
    cr_assert_eq(rd_u32(&r), (uint32_t)port);
    cr_assert(span_is(rd_string(&r, 100), "127.0.0.1"));
    cr_assert_neq(rd_u32(&r), 0);
    cr_assert(rd_end(&r));
    cr_assert_eq(send(f.far, "inwards", 7, 0), 7);
    tunnels_expect_data(&f.c, channel, "inwards");
    cr_assert(client_send(&f.c, channel, "outwards", 8));
    tunnels_expect_bytes(&f.c, f.far, "outwards");
    close(f.far);
    tunnels_tear_down(&f);
}

Test(class_tunnels, a_connection_that_the_client_refuses_is_closed)
{
    struct fixture f;
    tunnels_set_up(&f, NULL);
    f.c.refuses_opens = true;
    f.far = client_socket(NULL, tunnels_forward(&f.c, "127.0.0.1"));
    tunnels_expect_fin(&f.c, f.far);
    close(f.far);
    tunnels_tear_down(&f);
}

Test(class_tunnels, a_cancelled_forward_listens_no_more_and_its_connections_stay)
{
    struct fixture f;
    tunnels_set_up(&f, NULL);
    int port = tunnels_forward(&f.c, "127.0.0.1");
    f.far = client_socket(NULL, port);
    cr_assert(client_wait(&f.c, &f.c.their_channel_opened));
    cr_assert_not(tunnels_ask_tcp(&f.c, "cancel-tcpip-forward", "127.0.0.2", port));
    cr_assert(tunnels_ask_tcp(&f.c, "cancel-tcpip-forward", "127.0.0.1", port));
    cr_assert_not(tunnels_ask_tcp(&f.c, "cancel-tcpip-forward", "127.0.0.1", port));
    cr_assert(server_wait(f.s, EVENT_SSH_TUNNEL_CLOSED, 0, NULL));
    cr_assert_eq(client_socket(NULL, port), -1);
    cr_assert_eq(send(f.far, "still", 5, 0), 5);
    tunnels_expect_data(&f.c, (int)f.c.their_channel, "still");
    close(f.far);
    tunnels_tear_down(&f);
}

Test(class_tunnels, the_handler_may_choose_another_port)
{
    struct fixture f;
    struct wishes w = {.port = tunnels_free_port()};
    int asked = tunnels_free_port();
    tunnels_set_up(&f, &w);
    cr_assert(tunnels_ask_tcp(&f.c, "tcpip-forward", "127.0.0.1", asked));
    cr_assert_eq(f.c.global_data_len, 0);
    cr_assert_eq(client_socket(NULL, asked), -1);
    f.far = client_socket(NULL, w.port);
    cr_assert(client_wait(&f.c, &f.c.their_channel_opened));
    /* The client knows it by the port it asked for. */
    struct rd r = rd_over(span_of(f.c.their_data, f.c.their_data_len));
    (void)rd_string(&r, 100);
    cr_assert_eq(rd_u32(&r), (uint32_t)asked);
    cr_assert(tunnels_ask_tcp(&f.c, "cancel-tcpip-forward", "127.0.0.1", asked));
    cr_assert_eq(client_socket(NULL, w.port), -1);
    close(f.far);
    tunnels_tear_down(&f);
}

Test(class_tunnels, the_client_is_told_the_port_that_the_handler_chose_for_0)
{
    struct fixture f;
    struct wishes w = {.port = tunnels_free_port()};
    tunnels_set_up(&f, &w);
    cr_assert_eq(tunnels_forward(&f.c, "127.0.0.1"), w.port);
    tunnels_tear_down(&f);
}

Test(class_tunnels, a_port_in_use_is_refused)
{
    struct fixture f;
    struct server_seen error;
    tunnels_set_up(&f, NULL);
    cr_assert_not(tunnels_ask_tcp(&f.c, "tcpip-forward", "127.0.0.1", f.port));
    cr_assert(server_wait(f.s, EVENT_ERROR, 0, &error));
    cr_assert_eq(error.code, NACRE_E_FORWARD_CONNECT);
    tunnels_tear_down(&f);
}

Test(class_tunnels, a_reverse_unix_socket_is_private_and_removed)
{
    struct fixture f;
    struct stat st;
    struct server_seen asked;
    const char *path = tunnels_own_path("reverse");
    tunnels_set_up(&f, NULL);
    cr_assert(tunnels_ask_unix(&f.c, "streamlocal-forward@openssh.com", path));
    cr_assert(server_wait(f.s, EVENT_SSH_TUNNEL_REQUESTED, 0, &asked));
    cr_assert(asked.verified, "it is a path");
    cr_assert_eq(stat(path, &st), 0);
    cr_assert(S_ISSOCK(st.st_mode));
    cr_assert_eq(st.st_mode & 0777, 0600);
    f.far = tunnels_connect_unix(path);
    cr_assert(client_wait(&f.c, &f.c.their_channel_opened));
    cr_assert_str_eq(f.c.their_kind, "forwarded-streamlocal@openssh.com");
    cr_assert_eq(send(f.far, "inwards", 7, 0), 7);
    tunnels_expect_data(&f.c, (int)f.c.their_channel, "inwards");
    cr_assert(client_send(&f.c, (int)f.c.their_channel, "outwards", 8));
    tunnels_expect_bytes(&f.c, f.far, "outwards");
    cr_assert(tunnels_ask_unix(&f.c, "cancel-streamlocal-forward@openssh.com", path));
    cr_assert_neq(access(path, F_OK), 0);
    close(f.far);
    tunnels_tear_down(&f);
}

Test(class_tunnels, a_path_that_exists_is_refused_and_stays)
{
    struct fixture f;
    const char *path = tunnels_own_path("exists");
    int listener = tunnels_listen_unix(path);
    tunnels_set_up(&f, NULL);
    cr_assert_not(tunnels_ask_unix(&f.c, "streamlocal-forward@openssh.com", path));
    cr_assert_eq(access(path, F_OK), 0);
    close(listener);
    unlink(path);
    tunnels_tear_down(&f);
}

Test(class_tunnels, the_listeners_of_a_connection_are_counted)
{
    enum {
        MAX = 256
    };
    struct fixture f;
    tunnels_set_up(&f, NULL);
    int port = 0;
    for (int i = 0; i < MAX; i++)
        port = tunnels_forward(&f.c, "127.0.0.1");
    cr_assert_not(tunnels_ask_tcp(&f.c, "tcpip-forward", "127.0.0.1", 0));
    cr_assert(tunnels_ask_tcp(&f.c, "cancel-tcpip-forward", "127.0.0.1", port));
    (void)tunnels_forward(&f.c, "127.0.0.1");
    tunnels_tear_down(&f);
}
