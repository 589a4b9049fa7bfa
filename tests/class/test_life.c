/* SPDX-License-Identifier: Apache-2.0 */
/* Create, listen, stop, start again, shut down, free; and what each refuses. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/plat.h"
#include "engine/server.h"
#include "engine/shard.h"
#include "support/client.h"
#include "support/refusal.h"
#include "support/server.h"

Test(class_life, a_server_is_created_without_threads_or_descriptors)
{
    size_t before = server_descriptors();
    nacre_server *n;
    cr_assert_eq(nacre_create(&n), 0);
    cr_assert_eq(server_descriptors(), before);
    nacre_free(n);
    nacre_free(NULL);
    cr_assert_eq(nacre_create(NULL), NACRE_E_INVAL);
}

Test(class_life, starting_without_a_key_is_1301)
{
    nacre_server *n;
    cr_assert_eq(nacre_create(&n), 0);
    cr_assert_eq(nacre_set_local_port(n, 0), 0);
    cr_assert_eq(nacre_start_listening(n), 1301);
    cr_assert_str_not_empty(nacre_last_error(n));
    nacre_free(n);
}

Test(class_life, what_cannot_change_while_listening_has_its_own_code)
{
    struct server *s = server_new();
    server_start(s, 0);
    cr_assert_eq(nacre_start_listening(s->nacre), 104);
    cr_assert_eq(nacre_set_listening(s->nacre, true), 104);
    cr_assert_eq(nacre_set_local_port(s->nacre, 2222), 106);
    cr_assert_eq(nacre_set_local_host(s->nacre, "127.0.0.2"), 107);
    cr_assert_eq(nacre_config(s->nacre, "MaxConnections=7", NULL, 0), 108);
    cr_assert_eq(nacre_config(s->nacre, "WorkerThreads=3", NULL, 0), NACRE_E_SETTING_LATE);
    cr_assert_eq(nacre_config(s->nacre, "BindExclusively=False", NULL, 0), NACRE_E_SETTING_LATE);
    cr_assert_eq(nacre_set_connection_backlog(s->nacre, 7), NACRE_E_SETTING_LATE);
    cr_assert_eq(nacre_set_handlers(s->nacre, &s->handlers, s), NACRE_E_LISTENING);
    int port = 0;
    cr_assert_eq(nacre_get_local_port(s->nacre, &port), 0);
    cr_assert_eq(port, s->port);
    cr_assert_gt(port, 0);
    cr_assert_eq(nacre_stop_listening(s->nacre), 0);
    cr_assert_eq(nacre_set_local_port(s->nacre, 0), 0, "after stopping it may change");
    server_free(s);
}

/* What different threads write is meant to lie on different lines of the cache. */
Test(class_life, servers_and_workers_lie_in_memory_as_their_types_ask)
{
    for (int count = 1; count <= 4; count++) {
        char setting[32];
        struct server *s = server_new();
        (void)snprintf(setting, sizeof setting, "WorkerThreads=%d", count);
        server_set(s, setting);
        server_start(s, 0);
        cr_expect_eq((uintptr_t)s->nacre % _Alignof(struct nacre_server), 0U);
        cr_expect_eq((uintptr_t)s->nacre->shards % _Alignof(struct shard), 0U, "%d workers", count);
        server_free(s);
    }
}

/* As the test class_own_tables runs this suite: else it would be the same once more. */
Test(class_life, workers_have_tables_of_their_own_where_the_limit_asks_for_them)
{
    struct rlimit limit;
    struct server *s = server_new();
    server_start(s, 0);
    unsigned connections = (unsigned)s->nacre->settings.max_connections.number;
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    bool asks = limit.rlim_max < connections + 64;
    bool own = s->nacre->plan.own_tables;
    server_free(s);
    if (!asks)
        cr_skip_test("one table has room for all");
    cr_expect(own);
}

Test(class_life, an_address_in_use_is_10048)
{
    struct server *a = server_new(), *b = server_new();
    server_start(a, 0);
    cr_assert_eq(nacre_set_local_port(b->nacre, a->port), 0);
    cr_assert_eq(nacre_start_listening(b->nacre), 10048);
    bool listening = true;
    cr_assert_eq(nacre_get_listening(b->nacre, &listening), 0);
    cr_assert_not(listening);
    cr_assert_eq(nacre_set_local_port(b->nacre, 0), 0);
    cr_assert_eq(nacre_start_listening(b->nacre), 0, "it can be tried again: %s", nacre_last_error(b->nacre));
    server_free(a);
    server_free(b);
}

Test(class_life, an_address_of_another_host_is_10049)
{
    struct server *s = server_new();
    cr_assert_eq(nacre_set_local_host(s->nacre, "192.0.2.1"), 0);
    cr_assert_eq(nacre_start_listening(s->nacre), 10049);
    server_free(s);
}

Test(class_life, a_name_that_does_not_exist_is_an_11001_or_its_neighbour)
{
    struct server *s = server_new();
    cr_assert_eq(nacre_set_local_host(s->nacre, "no-such-host.invalid"), 0);
    int e = nacre_start_listening(s->nacre);
    cr_assert(e >= 11001 && e <= 11004, "%d", e);
    server_free(s);
}

Test(class_life, impossible_arguments_are_10022)
{
    struct server *s = server_new();
    int number;
    cr_assert_eq(nacre_start_listening(NULL), 10022);
    cr_assert_eq(nacre_stop_listening(NULL), 10022);
    cr_assert_eq(nacre_shutdown(NULL), 10022);
    cr_assert_eq(nacre_do_events(NULL), 10022);
    cr_assert_eq(nacre_event_fd(NULL), -1);
    cr_assert_eq(nacre_set_handlers(s->nacre, NULL, NULL), 10022);
    cr_assert_eq(nacre_config(s->nacre, NULL, NULL, 0), 10022);
    cr_assert_eq(nacre_config(s->nacre, "LogLevel", NULL, 0), 10022);
    cr_assert_eq(nacre_get_local_port(s->nacre, NULL), 10022);
    cr_assert_eq(nacre_get_local_port(NULL, &number), 10022);
    cr_assert_eq(nacre_set_local_host(s->nacre, NULL), 10022);
    cr_assert_eq(nacre_answer(s->nacre, (nacre_ticket){1, 1}, NULL), 10022);
    cr_assert_eq(nacre_send_text(s->nacre, 1, NULL), 10022);
    cr_assert_eq(nacre_send_bytes(s->nacre, 1, NULL, 1), 10022);
    server_free(s);
}

Test(class_life, stopping_keeps_connections_and_starting_again_takes_new_ones, .timeout = 240)
{
    struct server *s = server_new();
    struct client old, more;
    s->echo = true;
    server_start(s, 1);
    cr_assert(client_start(&old, s->port));
    int ch = client_open(&old, "session");
    cr_assert_eq(nacre_stop_listening(s->nacre), 0);
    cr_assert_eq(nacre_stop_listening(s->nacre), 0, "not listening is no error");
    cr_assert_eq(client_socket(NULL, s->port), -1, "still accepting");
    cr_assert(client_send(&old, ch, "still", 5));
    cr_assert(client_wait_count(&old, &old.channels[ch].received, 5));
    cr_assert_eq(nacre_set_handlers(s->nacre, &s->handlers, s), NACRE_E_LISTENING, "connections are left");
    cr_assert_eq(nacre_start_listening(s->nacre), 0);
    cr_assert_eq(nacre_get_local_port(s->nacre, &s->port), 0);
    cr_assert(client_start(&more, s->port));
    client_free(&more);
    client_free(&old);
    server_free(s);
}

Test(class_life, a_server_starts_and_stops_many_times_without_leaving_descriptors, .timeout = 240)
{
    struct server *s = server_new();
    struct client c;
    server_start(s, 1);
    size_t before = server_descriptors();
    for (int i = 0; i < 20; i++) {
        cr_assert_eq(nacre_stop_listening(s->nacre), 0);
        cr_assert_eq(nacre_start_listening(s->nacre), 0, "%s", nacre_last_error(s->nacre));
    }
    cr_assert_eq(server_descriptors(), before);
    cr_assert_eq(nacre_get_local_port(s->nacre, &s->port), 0);
    cr_assert(client_start(&c, s->port));
    client_free(&c);
    server_free(s);
}

Test(class_life, handlers_may_change_after_the_last_connection_is_gone)
{
    struct server *s = server_new();
    struct client c;
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
    client_free(&c);
    cr_assert_eq(nacre_stop_listening(s->nacre), 0);
    cr_assert(server_wait_empty(s));
    cr_assert_eq(nacre_set_handlers(s->nacre, &s->handlers, s), 0);
    cr_assert_eq(nacre_start_listening(s->nacre), 0);
    server_free(s);
}

/* An on_error of no connection is under way, and goes on until the test says so. */
static void stay(nacre_server *n, struct nacre_error_event *e, void *context)
{
    struct server *s = context;
    (void)n;
    (void)e;
    server_note(s, (struct server_seen){.type = EVENT_ERROR});
    while (!atomic_load((atomic_bool *)s->test))
        usleep(1000);
}

/* Fails when the handlers change beneath the one that runs. */
Test(class_life, handlers_stay_while_an_error_of_no_connection_is_told, .timeout = 240)
{
    struct server *s = server_new();
    atomic_bool may_end = false;
    int fd, e = NACRE_E_LISTENING;
    s->handlers.on_error = stay;
    s->test = &may_end;
    server_set(s, "MaxConnections=1");
    server_start(s, 2);
    cr_assert_geq(fd = half_open(NULL, s->port), 0);
    cr_assert(is_refused("127.0.0.2", s->port));
    cr_assert(server_wait(s, EVENT_ERROR, 0, NULL));
    (void)close(fd);
    cr_assert_eq(nacre_stop_listening(s->nacre), 0);
    for (int left = 1; left != 0; usleep(1000))
        cr_assert_eq(nacre_get_ssh_connection_count(s->nacre, &left), 0);
    cr_expect_eq(nacre_set_handlers(s->nacre, &s->handlers, s), NACRE_E_LISTENING);
    atomic_store(&may_end, true);
    for (int i = 0; i < SERVER_WAIT_MS && e != 0; i++, usleep(1000))
        e = nacre_set_handlers(s->nacre, &s->handlers, s);
    cr_expect_eq(e, 0, "it has been told");
    server_free(s);
}

Test(class_life, the_first_start_after_a_shutdown_works)
{
    struct server *s = server_new();
    struct client c;
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
    cr_assert_eq(nacre_shutdown(s->nacre), 0);
    cr_assert(client_wait_end(&c));
    client_free(&c);
    cr_assert(server_wait_empty(s));
    cr_assert_eq(nacre_start_listening(s->nacre), 0);
    cr_assert_eq(nacre_get_local_port(s->nacre, &s->port), 0);
    cr_assert(client_start(&c, s->port));
    client_free(&c);
    server_free(s);
}

/* Nobody takes events while data floods in; then the server goes away under the open connections. */
Test(class_life, freeing_drops_queued_events_and_open_connections, .timeout = 240)
{
    enum {
        CLIENTS = 8
    };
    size_t before = server_descriptors();
    struct server *s = server_new();
    struct client c[CLIENTS];
    server_start(s, 1);
    for (int i = 0; i < CLIENTS; i++) {
        cr_assert(client_start(&c[i], s->port));
        cr_assert_eq(client_open(&c[i], "session"), 0);
    }
    server_join(s);
    for (int n = 0; n < 1500; n++)
        for (int i = 0; i < CLIENTS; i++) {
            cr_assert(client_send(&c[i], 0, "tiny", 4));
            if (n % 50 == 0)
                client_turn(&c[i], 0);
        }
    for (int i = 0; i < CLIENTS; i++)
        client_pump(&c[i], 50);
    server_free(s); /* a test that hangs fails */
    for (int i = 0; i < CLIENTS; i++)
        client_free(&c[i]);
    cr_assert_eq(server_descriptors(), before);
}

Test(class_life, freeing_with_clients_at_every_stage_leaves_nothing, .timeout = 240)
{
    size_t before = server_descriptors();
    struct server *s = server_new();
    struct client c;
    int raw[3];
    server_start(s, 1);
    raw[0] = client_socket(NULL, s->port);
    raw[1] = client_socket(NULL, s->port);
    (void)send(raw[1], "SSH-2.0-x\r\n", 11, 0);
    cr_assert(client_start(&c, s->port));
    server_join(s);
    raw[2] = client_socket(NULL, s->port); /* its question is never answered */
    usleep(50000);
    server_free(s);
    client_free(&c);
    for (int i = 0; i < 3; i++)
        close(raw[i]);
    cr_assert_eq(server_descriptors(), before);
}

Test(class_life, two_servers_in_one_process_do_not_meet)
{
    struct server *a = server_new(), *b = server_new();
    struct client c;
    server_start(a, 1);
    server_start(b, 1);
    cr_assert(client_start(&c, a->port));
    cr_assert_eq(server_count(b, EVENT_CONNECTED), 0);
    server_free(b);
    cr_assert_geq(client_open(&c, "session"), 0);
    client_free(&c);
    server_free(a);
}

Test(class_life, every_error_code_has_its_text)
{
    cr_assert_str_eq(nacre_error_text(126), "Invalid ConnectionId.");
    cr_assert_str_eq(nacre_error_text(135), "Operation would block.");
    cr_assert_str_eq(nacre_error_text(1300), "Could not authenticate client.");
    cr_assert_str_eq(nacre_error_text(99999), "Unknown error.");
    cr_assert_str_eq(nacre_error_text(-1), "Unknown error.");
}

Test(class_life, last_error_is_the_calling_threads_own)
{
    struct server *s = server_new();
    cr_assert_eq(nacre_config(s->nacre, "NoSuchThing=1", NULL, 0), NACRE_E_SETTING_UNKNOWN);
    cr_assert_str_not_empty(nacre_last_error(s->nacre));
    cr_assert(strstr(nacre_last_error(s->nacre), "NoSuchThing") != NULL, "%s", nacre_last_error(s->nacre));
    server_free(s);
}

Test(class_life, starting_with_keys_that_no_offered_algorithm_fits_is_an_error)
{
    nacre_server *server;
    char key[16384];
    cr_assert_eq(nacre_create(&server), NACRE_OK);
    cr_assert_eq(nacre_make_key("ecdsa-sha2-nistp256", key, sizeof key), NACRE_OK);
    cr_assert_eq(nacre_set_ssh_cert_store_type(server, 7), NACRE_OK);
    cr_assert_eq(nacre_set_ssh_cert_store(server, key, strlen(key)), NACRE_OK);
    cr_assert_eq(nacre_set_ssh_cert_subject(server, "*"), NACRE_OK);
    cr_assert_eq(nacre_set_local_host(server, "127.0.0.1"), NACRE_OK);
    cr_assert_eq(nacre_set_local_port(server, 0), NACRE_OK);
    cr_assert_eq(nacre_config(server, "SSHPublicKeyAlgorithms=ssh-ed25519", NULL, 0), NACRE_OK);
    cr_assert_eq(nacre_start_listening(server), NACRE_E_NO_CERTIFICATE);
    cr_assert_not_null(strstr(nacre_last_error(server), "SSHPublicKeyAlgorithms"));
    cr_assert_eq(nacre_config(server, "SSHPublicKeyAlgorithms=ssh-ed25519,ecdsa-sha2-nistp256", NULL, 0), NACRE_OK);
    cr_assert_eq(nacre_start_listening(server), NACRE_OK);
    nacre_free(server);
}
