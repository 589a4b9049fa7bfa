/* SPDX-License-Identifier: Apache-2.0 */
/* Rule R30: what peers make the server hold has one budget, and one connection cannot spend what all live on. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "engine/server.h"
#include "ssh/chan.h"
#include "support/client.h"
#include "support/pair.h"
#include "support/refusal.h"
#include "support/server.h"
#include "wire/wr.h"

enum {
    LIMIT = 16 * 1024 * 1024,
    CHANNELS = 24,
    CHUNK = 16 * 1024,
};

static size_t memory_used(struct server *s)
{
    char text[32];
    cr_assert_eq(nacre_config(s->nacre, "MemoryUsed", text, sizeof text), 0);
    return strtoull(text, NULL, 10);
}

/* ---- data that the application does not take ------------------------------------------------------------------- */

/* Channels of the first client are paused as they open. */
static void pause_first(nacre_server *n, struct nacre_ssh_channel_opened *e, void *context)
{
    struct server *s = context;
    struct server_seen first;
    if (server_wait(s, EVENT_CONNECTED, 0, &first) && first.connection == e->connection_id)
        cr_assert_eq(nacre_pause_channel(n, e->channel_id), 0);
    server_note(s, (struct server_seen){
                       .type = EVENT_SSH_CHANNEL_OPENED, .connection = e->connection_id, .channel = e->channel_id});
}

/* Sends on all channels until nothing moves for two seconds, or the connection has ended. */
static void send_all_it_may(struct client *c, const int *channels, size_t count)
{
    static uint8_t junk[CHUNK];
    size_t before;
    do {
        before = c->sent_bytes;
        for (size_t i = 0; i < count && !c->ended; i++)
            (void)client_send(c, channels[i], junk, sizeof junk);
        client_pump(c, 20);
        if (c->sent_bytes == before)
            client_pump(c, 2000);
    } while (!c->ended && c->sent_bytes != before);
}

Test(security, r30_paused_channels_hold_no_more_than_the_budget, .timeout = 240)
{
    struct server *s = server_new();
    struct client greedy, other;
    int channels[CHANNELS];
    char setting[40];
    s->handlers.on_ssh_channel_opened = pause_first;
    s->echo = true;
    s->records_data = false;
    (void)snprintf(setting, sizeof setting, "MemoryLimit=%d", LIMIT);
    server_set(s, setting);
    server_set(s, "WorkerThreads=2");
    server_start(s, 2);
    cr_assert(client_start(&greedy, s->port));
    for (int i = 0; i < CHANNELS; i++)
        cr_assert_geq(channels[i] = client_open(&greedy, "session"), 0);
    cr_assert(server_wait(s, EVENT_SSH_CHANNEL_OPENED, CHANNELS - 1, NULL));
    cr_assert(client_start(&other, s->port));
    int echo = client_open(&other, "session");
    cr_assert_geq(echo, 0);

    send_all_it_may(&greedy, channels, CHANNELS);
    cr_expect_gt(memory_used(s), LIMIT / 2, "%zu: it got somewhere", memory_used(s));
    cr_expect_leq(memory_used(s), LIMIT);

    cr_assert(client_send(&other, echo, "still here", 10));
    cr_assert(client_wait_count(&other, &other.channels[echo].received, 10), "the other goes on");
    struct refusal_seen r = refusal_of(NULL, s->port, SERVER_WAIT_MS);
    cr_expect(r.refused, "a new one is refused");
    cr_expect_not_null(strstr(r.text, "memory"), "%s", r.text);

    client_reset(&greedy);
    client_free(&greedy);
    int fd = -1;
    for (int i = 0; i < SERVER_WAIT_MS / 10 && fd < 0; i++) {
        fd = half_open(NULL, s->port);
        usleep(10000);
    }
    cr_expect_geq(fd, 0, "and let in when there is memory again");
    close(fd);
    client_free(&other);
    server_free(s);
}

/* The data of a channel that has closed gives no window to the one that has its number now. */
Test(security, r30_a_closed_channels_data_gives_the_next_one_no_window, .timeout = 240)
{
    enum {
        WINDOW = 65536
    };
    struct server *s = server_new();
    struct client c;
    struct server_seen closing, later;
    static uint8_t junk[WINDOW];
    s->handlers.on_ssh_channel_opened = pause_first;
    server_set(s, "WorkerThreads=1");
    server_set(s, "ChannelWindowMax=65536");
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
    int ch = client_open(&c, "session");
    cr_assert(server_wait(s, EVENT_SSH_CHANNEL_OPENED, 0, &closing));
    cr_assert(client_send(&c, ch, junk, sizeof junk));
    cr_assert_eq(nacre_chan_close(c.conn, (uint32_t)ch, nacre_clock_ns()), NACRE_OK);
    cr_assert(client_wait(&c, &c.channels[ch].closed));
    cr_assert_eq(client_open(&c, "session"), ch, "it has its number");
    cr_assert(server_wait(s, EVENT_SSH_CHANNEL_OPENED, 1, &later));
    cr_assert(client_send(&c, ch, junk, sizeof junk));
    client_pump(&c, 200);
    cr_assert_eq(nacre_chan_find(c.conn, (uint32_t)ch)->window_out, 0);

    cr_assert_eq(nacre_resume_channel(s->nacre, closing.channel), 0);
    cr_assert(server_wait(s, EVENT_SSH_CHANNEL_CLOSED, 0, NULL));
    client_pump(&c, 200);
    cr_expect_eq(nacre_chan_find(c.conn, (uint32_t)ch)->window_out, 0, "%u",
                 nacre_chan_find(c.conn, (uint32_t)ch)->window_out);
    cr_assert_eq(nacre_resume_channel(s->nacre, later.channel), 0);
    client_pump(&c, 200);
    cr_expect_eq(nacre_chan_find(c.conn, (uint32_t)ch)->window_out, WINDOW);
    client_free(&c);
    server_free(s);
}

/* ---- data that the peer does not take -------------------------------------------------------------------------- */

static void fill(nacre_server *n, struct nacre_ssh_channel_request *e, void *context)
{
    static uint8_t junk[512 * 1024];
    struct server *s = context;
    e->success = true;
    (void)nacre_set_ssh_connection_timeout(n, e->connection_id, 0);
    int result = nacre_send_bytes(n, e->channel_id, junk, sizeof junk);
    server_note(
        s, (struct server_seen){.type = EVENT_SSH_CHANNEL_REQUEST, .connection = e->connection_id, .code = result});
}

/* Sends whole queues to a client that takes nothing, channel after channel: in the end it is that client which goes. */
Test(security, r30_the_connection_that_holds_most_is_ended, .timeout = 240)
{
    struct server *s = server_new();
    struct client greedy, other;
    struct server_seen e;
    char setting[40];
    s->handlers.on_ssh_channel_request = fill;
    (void)snprintf(setting, sizeof setting, "MemoryLimit=%d", LIMIT);
    server_set(s, setting);
    server_set(s, "WorkerThreads=2");
    server_start(s, 2);
    cr_assert(client_start(&other, s->port));
    int mine = client_open(&other, "session");
    client_init(&greedy);
    greedy.config.window_bytes = greedy.config.window_max = 32768;
    cr_assert(client_connect(&greedy, s->port) && client_login(&greedy, "user", "pw"));
    for (int i = 0; i < CLIENT_CHANNELS && !greedy.ended; i++) {
        int ch = client_open(&greedy, "session");
        if (ch < 0)
            break;
        greedy.channels[ch].stalled = true;
        (void)client_request(&greedy, ch, "fill", span_of(NULL, 0));
        cr_expect_leq(memory_used(s), LIMIT);
    }
    cr_assert(client_wait_end(&greedy));
    cr_assert(server_wait(s, EVENT_DISCONNECTED, 0, &e));
    cr_expect(e.code == NACRE_E_MEMORY_LIMIT || e.code == NACRE_E_NOBUFS, "%d %s", e.code, e.text);
    client_free(&greedy);
    cr_expect(client_request(&other, mine, "fill", span_of(NULL, 0)), "the other goes on");
    cr_expect_not(other.ended);
    client_free(&other);
    server_free(s);
}

Test(security, r30_all_of_it_comes_back, .timeout = 240)
{
    struct server *s = server_new();
    struct client c;
    server_set(s, "WorkerThreads=1");
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
    cr_assert_geq(client_open(&c, "session"), 0);
    client_disconnect(&c);
    client_free(&c);
    cr_assert(server_wait_empty(s));
    cr_expect_eq(atomic_load(&s->nacre->shards[0].pool.charged), 0);
    cr_expect_eq(atomic_load(&s->nacre->memory.promised), 0);
    server_free(s);
}

/* ---- windows --------------------------------------------------------------------------------------------------- */

Test(security, r30_windows_of_a_connection_have_a_bound_together, .timeout = 240)
{
    struct pair *p = pair_new();
    const uint64_t bound = 8 * 1024 * 1024;
    p->server.config.windows_max = bound;
    p->server.config.max_channels = p->client.config.max_channels = 256;
    p->server.config.window_bytes = 2 * 1024 * 1024;
    p->server.config.window_max = 16 * 1024 * 1024;
    pair_login(p);
    for (unsigned i = 0; i < 256; i++)
        cr_assert_neq(pair_open(p), UINT32_MAX);
    cr_expect_leq(p->server.conn->windows, bound + 256 * WINDOW_LEAST);
    for (uint32_t i = 0; i < 256; i++)
        cr_expect_geq(nacre_chan_find(p->server.conn, i)->window_in, WINDOW_LEAST, "%u has a window", i);
    /* Nor do they grow past it. */
    p->server.consumes = true;
    static uint8_t junk[CHUNK];
    for (unsigned i = 0; i < 2000; i++) {
        cr_assert_eq(pair_send(&p->client, i % 4, 0, junk, sizeof junk), NACRE_OK);
        pair_run(p);
        cr_assert_leq(p->server.conn->windows, bound + 256 * WINDOW_LEAST);
    }
    pair_free(p);
}

Test(security, r30_windows_shrink_while_memory_is_short, .timeout = 240)
{
    struct pair *p = pair_new();
    struct budget budget;
    static uint8_t junk[CHUNK];
    nacre_budget_init(&budget, 64 * 1024 * 1024);
    nacre_pool_share(&p->pool, &budget);
    p->server.config.window_bytes = p->server.config.window_max = 1024 * 1024;
    p->server.consumes = true;
    pair_login(p);
    uint32_t ch = pair_open(p);
    cr_expect_eq(nacre_chan_find(p->server.conn, ch)->window_size, 1024 * 1024);
    cr_assert(nacre_budget_take(&budget, 60 * 1024 * 1024));
    for (unsigned i = 0; i < 400; i++) {
        cr_assert_eq(pair_send(&p->client, ch, 0, junk, sizeof junk), NACRE_OK);
        pair_run(p);
    }
    cr_expect_eq(p->server.data_bytes, 400 * CHUNK, "it goes on");
    cr_expect_eq(nacre_chan_find(p->server.conn, ch)->window_size, WINDOW_LEAST);
    nacre_budget_give(&budget, 60 * 1024 * 1024);
    for (unsigned i = 0; i < 400; i++) {
        cr_assert_eq(pair_send(&p->client, ch, 0, junk, sizeof junk), NACRE_OK);
        pair_run(p);
    }
    cr_expect_eq(nacre_chan_find(p->server.conn, ch)->window_size, 1024 * 1024, "and grows again");
    pair_free(p);
}

/* Packets that come one by one are received into blocks far larger than they are: holding them must not hold those. */
Test(security, r30_small_data_held_does_not_hold_big_blocks, .timeout = 240)
{
    struct server *s = server_new();
    struct client c;
    static uint8_t junk[3000];
    s->handlers.on_ssh_channel_opened = pause_first;
    server_set(s, "WorkerThreads=1");
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
    int ch = client_open(&c, "session");
    cr_assert(server_wait(s, EVENT_SSH_CHANNEL_OPENED, 0, NULL));
    for (int i = 0; i < 200; i++) {
        cr_assert(client_send(&c, ch, junk, sizeof junk));
        client_pump(&c, 2);
    }
    size_t held = server_pool_bytes(s);
    cr_expect_lt(held, (size_t)4 * 200 * sizeof junk + 1024 * 1024, "%zu", held);
    client_free(&c);
    server_free(s);
}

/* ---- tunnels --------------------------------------------------------------------------------------------------- */

static void accept_tunnel(nacre_server *n, struct nacre_ssh_tunnel_requested *e, void *context)
{
    (void)n;
    (void)context;
    e->accept = true;
}

/* A far end that takes no more than a socket's buffer. */
static int far_end(char *path, size_t size)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    (void)snprintf(path, size, "/tmp/nacre-test-%d-far", (int)getpid());
    (void)unlink(path);
    (void)snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(fd, (const struct sockaddr *)&a, sizeof a), 0);
    cr_assert_eq(listen(fd, 128), 0);
    return fd;
}

static int open_tunnel(struct client *c, const char *path)
{
    uint8_t data[256];
    struct wr w = wr_over(data, sizeof data);
    uint32_t number;
    wr_cstring(&w, path);
    wr_cstring(&w, "");
    wr_u32(&w, 0);
    cr_assert_eq(
        nacre_chan_open(c->conn, span_str("direct-streamlocal@openssh.com"), wr_span(&w), &number, nacre_clock_ns()),
        NACRE_OK);
    cr_assert(client_wait(c, &c->channels[number].opened));
    return (int)number;
}

/* What waits for tunnels' far ends is held for their connection, so that it is the one that goes. */
Test(security, r30_what_tunnels_hold_is_their_connections, .timeout = 240)
{
    struct server *s = server_new();
    struct client greedy, other;
    int channels[CHANNELS];
    char setting[40], path[64];
    static uint8_t junk[CHUNK];
    int far = far_end(path, sizeof path);
    s->handlers.on_ssh_channel_opened = pause_first;
    s->handlers.on_ssh_tunnel_requested = accept_tunnel;
    s->records_data = false;
    (void)snprintf(setting, sizeof setting, "MemoryLimit=%d", LIMIT);
    server_set(s, setting);
    server_set(s, "WorkerThreads=1");
    server_start(s, 2);
    cr_assert(client_start(&other, s->port));
    int paused = client_open(&other, "session");
    cr_assert(client_start(&greedy, s->port));
    for (int i = 0; i < 30; i++)
        cr_assert(client_send(&other, paused, junk, sizeof junk));
    client_pump(&other, 500);
    for (int i = 0; i < CHANNELS; i++)
        channels[i] = open_tunnel(&greedy, path);

    send_all_it_may(&greedy, channels, CHANNELS);
    cr_expect_gt(memory_used(s), LIMIT / 2, "%zu: it got somewhere", memory_used(s));
    client_pump(&other, 200);
    cr_expect_not(other.ended, "who holds little stays");
    client_reset(&greedy);
    client_free(&greedy);
    client_free(&other);
    close(far);
    unlink(path);
    server_free(s);
}

/* As above, with a tunnel whose far end takes nothing. */
Test(security, r30_small_data_for_a_tunnel_does_not_hold_big_blocks, .timeout = 240)
{
    struct server *s = server_new();
    struct client c;
    char path[64];
    static uint8_t junk[3000];
    int far = far_end(path, sizeof path);
    s->handlers.on_ssh_tunnel_requested = accept_tunnel;
    server_set(s, "WorkerThreads=1");
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
    int ch = open_tunnel(&c, path);
    for (int i = 0; i < 400; i++) {
        cr_assert(client_send(&c, ch, junk, sizeof junk));
        client_pump(&c, 2);
    }
    size_t held = server_pool_bytes(s);
    cr_expect_lt(held, (size_t)4 * 400 * sizeof junk + 1024 * 1024, "%zu", held);
    client_free(&c);
    close(far);
    unlink(path);
    server_free(s);
}

/* And the other way: the far end sends little at a time to a client that takes nothing. */
Test(security, r30_small_data_from_a_tunnel_does_not_hold_big_blocks, .timeout = 240)
{
    enum {
        WINDOW = 32768
    };
    struct server *s = server_new();
    struct client c;
    char path[64];
    static uint8_t junk[1500];
    int listener = far_end(path, sizeof path);
    s->handlers.on_ssh_tunnel_requested = accept_tunnel;
    server_set(s, "WorkerThreads=1");
    server_start(s, 1);
    client_init(&c);
    c.config.window_bytes = c.config.window_max = WINDOW;
    cr_assert(client_connect(&c, s->port) && client_login(&c, "user", "pw"));
    int ch = open_tunnel(&c, path);
    c.channels[ch].stalled = true;
    int far = accept(listener, NULL, NULL);
    for (int i = 0; i < 180; i++) {
        cr_assert_eq(send(far, junk, sizeof junk, MSG_DONTWAIT | MSG_NOSIGNAL), (ssize_t)sizeof junk);
        client_pump(&c, 2);
    }
    size_t held = server_pool_bytes(s);
    cr_expect_lt(held, (size_t)4 * 180 * sizeof junk + 1024 * 1024, "%zu", held);
    client_free(&c);
    close(far);
    close(listener);
    unlink(path);
    server_free(s);
}

/* What closed channels have left for far ends that take nothing holds few sockets. */
Test(security, r30_far_ends_that_take_nothing_hold_few_sockets, .timeout = 240)
{
    enum {
        ROUNDS = 25,
        A_ROUND = 8,
        SENT = 256 * 1024,
        MOST = 64,
    };
    struct server *s = server_new();
    struct client c;
    char path[64];
    static uint8_t junk[SENT];
    int listener = far_end(path, sizeof path), count = 0;
    static int far[ROUNDS * A_ROUND];
    s->handlers.on_ssh_tunnel_requested = accept_tunnel;
    server_set(s, "WorkerThreads=1");
    server_set(s, "MaxChannels=8");
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
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
    uint32_t used = s->nacre->shards[0].tunnels.used;
    cr_expect_gt(used, A_ROUND, "%u of %d wait", used, count);
    cr_expect_leq(used, MOST, "%u of %d wait", used, count);
    while (count != 0)
        close(far[--count]);
    client_free(&c);
    cr_assert(server_wait_empty(s));
    close(listener);
    unlink(path);
    server_free(s);
}

/* ---- tunnels that end for want of memory --------------------------------------------------------------------------
 */

/* Nothing is left for the only worker's packets, until it is given back. */
static struct block *take_all_memory(struct server *s)
{
    struct block *taken = NULL;
    atomic_store(&s->nacre->memory.limit, 1);
    for (struct block *b; (b = nacre_pool_alloc(&s->nacre->shards[0].pool, 1)) != NULL; taken = b)
        b->next = taken;
    return taken;
}

static void give_back_memory(struct server *s, struct block *taken)
{
    for (struct block *next; taken != NULL; taken = next) {
        next = taken->next;
        nacre_block_release(taken);
    }
    atomic_store(&s->nacre->memory.limit, 0);
}

/* The client's connection has ended, and the server takes another. */
static void expect_one_end(struct server *s, struct client *c, struct block *taken)
{
    struct client other;
    struct server_seen e;
    cr_expect(client_wait_end(c));
    cr_assert(server_wait(s, EVENT_DISCONNECTED, 0, &e));
    cr_expect_eq(e.code, NACRE_E_NOBUFS, "%d %s", e.code, e.text);
    give_back_memory(s, taken);
    client_free(c);
    cr_assert(server_wait_empty(s));
    cr_assert(client_start(&other, s->port));
    client_free(&other);
    cr_expect(server_wait_empty(s));
    server_free(s);
}

/* A window cannot be granted when the far end has taken bytes, unless these have made room. */
Test(security, r30_a_tunnel_whose_window_cannot_be_granted_ends_its_connection_alone, .timeout = 240)
{
    enum {
        SENT = 400 * 1024
    };
    struct server *s = server_new();
    struct client c, other;
    char path[64];
    static uint8_t junk[CHUNK], got[SENT];
    int listener = far_end(path, sizeof path);
    size_t len = 0;
    const struct timeval patience = {.tv_usec = 500000};
    s->handlers.on_ssh_tunnel_requested = accept_tunnel;
    server_set(s, "WorkerThreads=1");
    server_set(s, "ChannelWindowMax=32768");
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
    int ch = open_tunnel(&c, path);
    int far = accept(listener, NULL, NULL);
    for (size_t i = 0; i < SENT / sizeof junk; i++) {
        memset(junk, (int)i, sizeof junk);
        cr_assert(client_send(&c, ch, junk, sizeof junk));
    }
    client_pump(&c, 500);
    struct block *taken = take_all_memory(s);
    cr_assert_eq(setsockopt(far, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    for (ssize_t n; len < SENT && (n = recv(far, got + len, SENT - len, 0)) > 0;)
        len += (size_t)n;
    give_back_memory(s, taken);
    for (size_t i = 0; i < len; i++)
        cr_assert_eq(got[i], (uint8_t)(i / sizeof junk), "%zu of %zu", i, len);
    close(far);
    close(listener);
    unlink(path);
    client_free(&c);
    cr_assert(server_wait_empty(s));
    cr_expect_eq(s->nacre->shards[0].draining, 0);
    cr_assert(client_start(&other, s->port));
    client_free(&other);
    server_free(s);
}

/* Nor can the client be told of who has connected to its listener. */
Test(security, r30_a_tunnel_that_cannot_be_announced_ends_its_connection_alone, .timeout = 240)
{
    struct server *s = server_new();
    struct client c;
    char path[64];
    uint8_t data[256];
    struct wr w = wr_over(data, sizeof data);
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    close(far_end(path, sizeof path));
    unlink(path);
    s->handlers.on_ssh_tunnel_requested = accept_tunnel;
    server_set(s, "WorkerThreads=1");
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
    wr_cstring(&w, path);
    cr_assert_eq(nacre_conn_global_request(c.conn, span_str("streamlocal-forward@openssh.com"), true, wr_span(&w),
                                           nacre_clock_ns()),
                 NACRE_OK);
    cr_assert(client_wait_unsigned(&c, &c.global_granted, 1));
    struct block *taken = take_all_memory(s);
    (void)snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    int far = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(connect(far, (const struct sockaddr *)&a, sizeof a), 0);
    expect_one_end(s, &c, taken);
    close(far);
}

static struct block *taken_in_handler;

static void accept_without_memory(nacre_server *n, struct nacre_ssh_tunnel_requested *e, void *context)
{
    (void)n;
    taken_in_handler = take_all_memory(context);
    e->accept = true;
}

/* Nor that a tunnel has not come to be. */
Test(security, r30_a_tunnel_that_cannot_be_refused_ends_its_connection_alone, .timeout = 240)
{
    struct server *s = server_new();
    struct client c;
    uint8_t data[256];
    struct wr w = wr_over(data, sizeof data);
    uint32_t number;
    s->handlers.on_ssh_tunnel_requested = accept_without_memory;
    server_set(s, "WorkerThreads=1");
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
    wr_cstring(&w, "");
    wr_cstring(&w, "");
    wr_u32(&w, 0);
    cr_assert_eq(
        nacre_chan_open(c.conn, span_str("direct-streamlocal@openssh.com"), wr_span(&w), &number, nacre_clock_ns()),
        NACRE_OK);
    cr_assert(client_wait_end(&c));
    expect_one_end(s, &c, taken_in_handler);
}

/* ---- records --------------------------------------------------------------------------------------------------- */

static char gathered[64];

static void gather(nacre_server *n, struct nacre_ssh_channel_data_in *e, void *context)
{
    size_t len = strlen(gathered);
    (void)n;
    cr_assert_lt(e->data_len, sizeof gathered - len);
    memcpy(gathered + len, e->data, e->data_len);
    server_note(context, (struct server_seen){.type = EVENT_SSH_CHANNEL_DATA_IN, .len = e->data_len});
}

/* The record became longer while it was gathered, and there is no memory for the longer one. */
Test(security, r30_records_without_memory_keep_the_order_of_their_bytes, .timeout = 240)
{
    struct server *s = server_new();
    struct client c;
    struct server_seen opened;
    s->handlers.on_ssh_channel_data_in = gather;
    server_set(s, "WorkerThreads=1");
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
    int ch = client_open(&c, "session");
    cr_assert(server_wait(s, EVENT_SSH_CHANNEL_OPENED, 0, &opened));
    cr_assert_eq(nacre_change_record_length(s->nacre, opened.channel, 10), 0);
    cr_assert(client_send(&c, ch, "abcde", 5));
    client_pump(&c, 200);
    cr_assert_eq(server_count(s, EVENT_SSH_CHANNEL_DATA_IN), 0);
    cr_assert_eq(nacre_change_record_length(s->nacre, opened.channel, 100000), 0);
    cr_assert_eq(nacre_pause_channel(s->nacre, opened.channel), 0);
    cr_assert(client_send(&c, ch, "fghij", 5));
    client_pump(&c, 200);
    struct block *taken = take_all_memory(s);
    cr_assert_eq(nacre_resume_channel(s->nacre, opened.channel), 0);
    cr_assert(server_wait(s, EVENT_SSH_CHANNEL_DATA_IN, 0, NULL));
    give_back_memory(s, taken);
    client_drop(&c);
    cr_assert(server_wait(s, EVENT_DISCONNECTED, 0, NULL));
    cr_expect_str_eq(gathered, "abcdefghij");
    client_free(&c);
    server_free(s);
}

/* ---- the setting ----------------------------------------------------------------------------------------------- */

Test(security, r30_limits_are_read_and_refused)
{
    struct server *s = server_new();
    char text[32];
    cr_expect_eq(nacre_config(s->nacre, "MemoryLimit=1000", NULL, 0), NACRE_E_SETTING_VALUE);
    cr_expect_eq(nacre_config(s->nacre, "MemoryLimit=-2", NULL, 0), NACRE_E_SETTING_VALUE);
    cr_expect_eq(nacre_config(s->nacre, "MemoryUsed=0", NULL, 0), NACRE_E_SETTING_READ_ONLY);
    cr_expect_eq(nacre_config(s->nacre, "MemoryLimit", text, sizeof text), 0);
    cr_expect_str_eq(text, "-1");
    size_t limit = atomic_load(&s->nacre->memory.limit);
    cr_expect(limit > 16U * 1024 * 1024, "%zu: three quarters of this machine", limit);
    cr_expect_eq(nacre_config(s->nacre, "MemoryLimit=0", NULL, 0), 0);
    cr_expect_eq(atomic_load(&s->nacre->memory.limit), 0);
    server_free(s);
}

/* ---- events ---------------------------------------------------------------------------------------------------- */

/* One byte on one channel, one on another, and so on, in one piece: an event a channel, not one a byte. */
Test(security, r30_tiny_data_on_two_channels_is_merged, .timeout = 240)
{
    enum {
        TINY = 400
    };
    struct server *s = server_new();
    struct client c;
    size_t got = 0;
    server_set(s, "WorkerThreads=1");
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
    int a = client_open(&c, "session"), b = client_open(&c, "session");
    cr_assert(a >= 0 && b >= 0);
    for (int i = 0; i < TINY; i++)
        cr_assert(client_send(&c, i % 2 == 0 ? a : b, "x", 1));
    for (int i = 0; i < SERVER_WAIT_MS / 10 && got < TINY; i++) {
        struct server_seen e;
        got = 0;
        for (size_t n = 0; n < server_count(s, EVENT_SSH_CHANNEL_DATA_IN); n++)
            got += server_wait(s, EVENT_SSH_CHANNEL_DATA_IN, n, &e) ? e.len : 0;
        client_pump(&c, 10);
    }
    cr_expect_eq(got, TINY);
    cr_expect_lt(server_count(s, EVENT_SSH_CHANNEL_DATA_IN), TINY / 4, "%zu events",
                 server_count(s, EVENT_SSH_CHANNEL_DATA_IN));
    client_free(&c);
    server_free(s);
}
