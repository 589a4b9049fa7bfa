/* SPDX-License-Identifier: Apache-2.0 */
/* Rule R30, tunnels: what waits for their far ends is held by their connection, in blocks and sockets that fit; and
 * without memory for a tunnel its connection ends alone. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "class/tunnels.h"
#include "support/shortage.h"

enum {
    LIMIT = 16 * 1024 * 1024,
    CHANNELS = 24,
    CHUNK = 16 * 1024,
};

/* ---- what is held ---------------------------------------------------------------------------------------------- */

static void accept_tunnel(nacre_server *n, struct nacre_ssh_tunnel_requested *e, void *context)
{
    (void)n;
    (void)context;
    e->accept = true;
}

/* One worker, that opens all tunnels; with a setting more, or NULL. */
static struct server *serve(const char *setting)
{
    struct server *s = server_new();
    s->handlers.on_ssh_tunnel_requested = accept_tunnel;
    s->records_data = false;
    server_set(s, "WorkerThreads=1");
    if (setting != NULL)
        server_set(s, setting);
    server_start(s, 2);
    return s;
}

/* To a far end that takes no more than a socket's buffer. */
static int open_tunnel(struct client *c, const char *path)
{
    int channel;
    cr_assert(tunnels_open(c, "direct-streamlocal@openssh.com", path, 0, &channel));
    return channel;
}

/* What waits for tunnels' far ends is held for their connection, so that it is the one that goes. */
Test(class_tunnels_memory, r30_what_tunnels_hold_is_their_connections, .timeout = 240)
{
    char setting[40];
    (void)snprintf(setting, sizeof setting, "MemoryLimit=%d", LIMIT);
    struct server *s = serve(setting);
    struct server_seen opened;
    struct client greedy, other;
    int channels[CHANNELS];
    const char *path = tunnels_own_path("far");
    static uint8_t junk[CHUNK];
    int far = tunnels_listen_unix(path);
    cr_assert(client_start(&other, s->port));
    int paused = client_open(&other, "session");
    cr_assert(server_wait(s, EVENT_SSH_CHANNEL_OPENED, 0, &opened));
    cr_assert_eq(nacre_pause_channel(s->nacre, opened.channel), 0);
    cr_assert(client_start(&greedy, s->port));
    for (int i = 0; i < 30; i++)
        cr_assert(client_send(&other, paused, junk, sizeof junk));
    client_pump(&other, 500);
    for (int i = 0; i < CHANNELS; i++)
        channels[i] = open_tunnel(&greedy, path);

    shortage_fill(&greedy, channels, CHANNELS);
    cr_expect_gt(shortage_used(s), LIMIT / 2, "%zu: it got somewhere", shortage_used(s));
    client_pump(&other, 200);
    cr_expect_not(other.ended, "who holds little stays");
    client_reset(&greedy);
    client_free(&greedy);
    client_free(&other);
    close(far);
    unlink(path);
    server_free(s);
}

/* Little data at a time, for a far end that takes nothing. */
Test(class_tunnels_memory, r30_small_data_for_a_tunnel_does_not_hold_big_blocks, .timeout = 240)
{
    enum {
        SIZE = 3000,
        COUNT = 400
    };
    struct server *s = serve(NULL);
    struct client c;
    const char *path = tunnels_own_path("far");
    int far = tunnels_listen_unix(path);
    cr_assert(client_start(&c, s->port));
    int ch = open_tunnel(&c, path);
    shortage_trickle(&c, ch, SIZE, COUNT);
    shortage_expect_fit(s, (size_t)SIZE * COUNT);
    client_free(&c);
    close(far);
    unlink(path);
    server_free(s);
}

/* And the other way: little at a time from a far end to a client that takes nothing. */
Test(class_tunnels_memory, r30_small_data_from_a_tunnel_does_not_hold_big_blocks, .timeout = 240)
{
    enum {
        WINDOW = 32768,
        COUNT = 180
    };
    struct server *s = serve(NULL);
    struct client c;
    const char *path = tunnels_own_path("far");
    static uint8_t junk[1500];
    int listener = tunnels_listen_unix(path);
    client_init(&c);
    c.config.window_bytes = c.config.window_max = WINDOW;
    cr_assert(client_connect(&c, s->port) && client_login(&c, "user", "pw"));
    int ch = open_tunnel(&c, path);
    c.channels[ch].stalled = true;
    int far = accept(listener, NULL, NULL);
    for (int i = 0; i < COUNT; i++) {
        cr_assert_eq(send(far, junk, sizeof junk, MSG_DONTWAIT | MSG_NOSIGNAL), (ssize_t)sizeof junk);
        client_pump(&c, 2);
    }
    shortage_expect_fit(s, COUNT * sizeof junk);
    client_free(&c);
    close(far);
    close(listener);
    unlink(path);
    server_free(s);
}

/* What closed channels have left for far ends that take nothing holds few sockets. */
Test(class_tunnels_memory, r30_far_ends_that_take_nothing_hold_few_sockets, .timeout = 240)
{
    enum {
        ROUNDS = 25,
        A_ROUND = 8,
        SENT = 256 * 1024,
        MOST = 64,
    };
    struct server *s = serve("MaxChannels=8");
    struct client c;
    const char *path = tunnels_own_path("far");
    static uint8_t junk[SENT];
    int listener = tunnels_listen_unix(path), count = 0;
    static int far[ROUNDS * A_ROUND];
    cr_assert(client_start(&c, s->port));
    size_t before = server_descriptors();
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < A_ROUND; i++) {
            for (int k = 0; k < A_ROUND; k++)
                c.channels[k].opened = false;
            int ch = open_tunnel(&c, path);
            far[count++] = accept(listener, NULL, NULL);
            cr_assert(client_send(&c, ch, junk, sizeof junk));
            cr_assert_eq(nacre_chan_close(c.conn, (uint32_t)ch, nacre_clock_ns()), NACRE_OK);
        }
        client_pump(&c, 30);
    }
    size_t used = SIZE_MAX;
    for (int i = 0; i < SERVER_WAIT_MS && used > MOST; i++) { /* the last may be on their way */
        used = server_descriptors() - before - (size_t)count;
        usleep(1000);
    }
    cr_expect_gt(used, A_ROUND, "%zu of %d wait", used, count);
    cr_expect_leq(used, MOST, "%zu of %d wait", used, count);
    while (count != 0)
        close(far[--count]);
    client_free(&c);
    cr_assert(server_wait_empty(s));
    close(listener);
    unlink(path);
    server_free(s);
}

static atomic_bool going_on;
static _Atomic unsigned errors;

static void wait_at_error(nacre_server *n, struct nacre_error_event *e, void *context)
{
    (void)n;
    (void)e;
    (void)context;
    while (!atomic_load(&going_on))
        usleep(1000);
    atomic_fetch_add(&errors, 1);
}

/* Strangers who connect to a client's listener are refused while it has all channels it may have, and each is told: but
 * no more of them than the application keeps up with. */
Test(class_tunnels_memory, r30_strangers_at_a_listener_make_no_events_without_end, .timeout = 240)
{
    enum {
        STRANGERS = 4000,
        MOST = 2100
    };
    struct server *s = server_new();
    struct client c;
    const char *path = tunnels_own_path("far");
    s->handlers.on_ssh_tunnel_requested = accept_tunnel;
    s->handlers.on_error = wait_at_error;
    server_set(s, "WorkerThreads=1");
    server_set(s, "MaxChannels=1");
    server_start(s, 2);
    cr_assert(client_start(&c, s->port));
    cr_assert_geq(client_open(&c, "session"), 0);
    cr_assert(tunnels_ask_unix(&c, "streamlocal-forward@openssh.com", path));
    for (int i = 0; i < STRANGERS; i++) {
        char byte;
        int fd = tunnels_connect_unix(path);
        cr_assert_geq(fd, 0);
        cr_assert_leq(recv(fd, &byte, 1, 0), 0, "refused");
        close(fd);
    }
    atomic_store(&going_on, true);
    client_free(&c);
    cr_assert(server_wait_empty(s));
    server_free(s);
    cr_expect_gt(atomic_load(&errors), 0);
    cr_expect_leq(atomic_load(&errors), MOST, "%u", atomic_load(&errors));
}

/* ---- no memory ------------------------------------------------------------------------------------------------- */

/* The client's connection has ended, and the server takes another. */
static void expect_one_end(struct server *s, struct client *c, struct block *taken)
{
    struct client other;
    struct server_seen e;
    cr_expect(client_wait_end(c));
    cr_assert(server_wait(s, EVENT_DISCONNECTED, 0, &e));
    cr_expect_eq(e.code, NACRE_E_NOBUFS, "%d %s", e.code, e.text);
    shortage_end(s, taken);
    client_free(c);
    cr_assert(server_wait_empty(s));
    cr_assert(client_start(&other, s->port));
    client_free(&other);
    cr_expect(server_wait_empty(s));
    server_free(s);
}

/* A window cannot be granted when the far end has taken bytes, unless these have made room. */
Test(class_tunnels_memory, r30_a_tunnel_whose_window_cannot_be_granted_ends_its_connection_alone, .timeout = 240)
{
    enum {
        SENT = 400 * 1024
    };
    struct server *s = serve("ChannelWindowMax=32768");
    struct client c, other;
    const char *path = tunnels_own_path("far");
    static uint8_t junk[CHUNK], got[SENT];
    int listener = tunnels_listen_unix(path);
    size_t len = 0;
    const struct timeval patience = {.tv_usec = 500000};
    cr_assert(client_start(&c, s->port));
    int ch = open_tunnel(&c, path);
    int far = accept(listener, NULL, NULL);
    for (size_t i = 0; i < SENT / sizeof junk; i++) {
        memset(junk, (int)i, sizeof junk);
        cr_assert(client_send(&c, ch, junk, sizeof junk));
    }
    client_pump(&c, 500);
    struct block *taken = shortage_begin(s);
    cr_assert_eq(setsockopt(far, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    for (ssize_t n; len < SENT && (n = recv(far, got + len, SENT - len, 0)) > 0;)
        len += (size_t)n;
    shortage_end(s, taken);
    for (size_t i = 0; i < len; i++)
        cr_assert_eq(got[i], (uint8_t)(i / sizeof junk), "%zu of %zu", i, len);
    close(far);
    close(listener);
    unlink(path);
    client_free(&c);
    cr_assert(server_wait_empty(s));
    cr_assert(client_start(&other, s->port));
    client_free(&other);
    server_free(s);
}

/* Nor when the far end is gone with what it has not taken. That is told before the end, which nothing follows. Its FIN
 * came before, so that its failure waits for no memory to read with. */
Test(class_tunnels_memory, r30_a_far_end_that_fails_without_memory_is_told_before_the_connections_end, .timeout = 240)
{
    enum {
        SENT = 400 * 1024
    };
    struct server *s = serve("ChannelWindowMax=32768");
    struct client c;
    const char *path = tunnels_own_path("far");
    static const uint8_t junk[CHUNK];
    int listener = tunnels_listen_unix(path);
    cr_assert(client_start(&c, s->port));
    int ch = open_tunnel(&c, path);
    int far = accept(listener, NULL, NULL);
    cr_assert_eq(shutdown(far, SHUT_WR), 0);
    cr_assert(client_wait(&c, &c.channels[ch].eof));
    for (size_t i = 0; i < SENT / sizeof junk; i++)
        cr_assert(client_send(&c, ch, junk, sizeof junk));
    client_pump(&c, 500);
    struct block *taken = shortage_begin(s);
    close(far);
    cr_expect(client_wait_end(&c));
    shortage_end(s, taken);
    client_free(&c);
    cr_assert(server_wait_empty(s));
    cr_expect_eq(server_count(s, EVENT_ERROR), 2, "the far end's and the connection's");
    cr_expect_eq(server_place(s, EVENT_DISCONNECTED, 0), server_total(s) - 1);
    close(listener);
    unlink(path);
    server_free(s);
}

/* Nor can the client be told of who has connected to its listener. */
Test(class_tunnels_memory, r30_a_tunnel_that_cannot_be_announced_ends_its_connection_alone, .timeout = 240)
{
    struct server *s = serve(NULL);
    struct client c;
    const char *path = tunnels_own_path("far");
    cr_assert(client_start(&c, s->port));
    cr_assert(tunnels_ask_unix(&c, "streamlocal-forward@openssh.com", path));
    struct block *taken = shortage_begin(s);
    int far = tunnels_connect_unix(path);
    cr_assert_geq(far, 0);
    expect_one_end(s, &c, taken);
    close(far);
}

static _Atomic(struct block *) taken_in_handler;

static void accept_without_memory(nacre_server *n, struct nacre_ssh_tunnel_requested *e, void *context)
{
    (void)n;
    atomic_store(&taken_in_handler, shortage_begin(context));
    e->accept = true;
}

/* Nor that a tunnel has not come to be. */
Test(class_tunnels_memory, r30_a_tunnel_that_cannot_be_refused_ends_its_connection_alone, .timeout = 240)
{
    struct server *s = server_new();
    struct client c;
    s->handlers.on_ssh_tunnel_requested = accept_without_memory;
    server_set(s, "WorkerThreads=1");
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
    cr_assert_geq(tunnels_begin_open(&c, "direct-streamlocal@openssh.com", "", 0), 0);
    cr_assert(client_wait_end(&c));
    expect_one_end(s, &c, atomic_load(&taken_in_handler));
}
