/* SPDX-License-Identifier: Apache-2.0 */
/* Rule R30: what peers make the server hold has one budget, and one connection cannot spend what all live on. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/server.h"
#include "ssh/chan.h"
#include "support/client.h"
#include "support/pair.h"
#include "support/refusal.h"
#include "support/server.h"
#include "support/shortage.h"

enum {
    LIMIT = 16 * 1024 * 1024,
    CHANNELS = 24,
    CHUNK = 16 * 1024,
};

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

static void pause_all(nacre_server *n, struct nacre_ssh_channel_opened *e, void *context)
{
    cr_assert_eq(nacre_pause_channel(n, e->channel_id), 0);
    server_note(context, (struct server_seen){.type = EVENT_SSH_CHANNEL_OPENED,
                                              .connection = e->connection_id,
                                              .channel = e->channel_id});
}

/* The greedy one has sent as much as it may, while nobody takes it; the other has a channel that echoes. */
static struct server *start_filled(struct client *greedy, struct client *other, int *echo)
{
    struct server *s = server_new();
    int channels[CHANNELS];
    char setting[40];
    s->handlers.on_ssh_channel_opened = pause_first;
    s->echo = true;
    s->records_data = false;
    (void)snprintf(setting, sizeof setting, "MemoryLimit=%d", LIMIT);
    server_set(s, setting);
    server_set(s, "WorkerThreads=2");
    server_start(s, 2);
    cr_assert(client_start(greedy, s->port));
    for (int i = 0; i < CHANNELS; i++)
        cr_assert_geq(channels[i] = client_open(greedy, "session"), 0);
    cr_assert(server_wait(s, EVENT_SSH_CHANNEL_OPENED, CHANNELS - 1, NULL));
    cr_assert(client_start(other, s->port));
    *echo = client_open(other, "session");
    cr_assert_geq(*echo, 0);
    shortage_fill(greedy, channels, CHANNELS);
    return s;
}

Test(security, r30_paused_channels_hold_no_more_than_the_budget, .timeout = 240)
{
    struct client greedy, other;
    int echo;
    struct server *s = start_filled(&greedy, &other, &echo);
    cr_expect_gt(shortage_used(s), LIMIT / 2, "%zu: it got somewhere", shortage_used(s));
    cr_expect_leq(shortage_used(s), LIMIT);

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

/* Fails when closing a channel makes room for the next one to bring as much, and so on. */
Test(security, r30_closed_channels_hold_no_more_than_open_ones_could, .timeout = 240)
{
    enum {
        A_CHANNEL = 24 * 1024, /* less than any window, so that its close does not wait */
        MANY = 60
    };
    struct server *s = server_new();
    struct client c;
    static uint8_t junk[A_CHANNEL];
    int channels = 0, opened = 0;
    s->handlers.on_ssh_channel_opened = pause_all;
    s->records_data = false;
    server_set(s, "WorkerThreads=1");
    server_set(s, "MaxChannels=2");
    server_set(s, "ConnectionWindowMax=262144");
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
    for (int ch; opened < MANY && (ch = client_open(&c, "session")) >= 0; opened++) {
        cr_assert(client_send(&c, ch, junk, sizeof junk));
        client_pump(&c, 50);
        cr_assert_eq(nacre_chan_close(c.conn, (uint32_t)ch, nacre_clock_ns()), NACRE_OK);
        cr_assert(client_wait(&c, &c.channels[ch].closed));
        c.channels[ch].opened = c.channels[ch].closed = false;
    }
    cr_assert_eq(nacre_get_ssh_channel_count(s->nacre, &channels), 0);
    cr_expect_lt(opened, MANY, "%d channels hold %zu bytes", channels, server_pool_bytes(s));
    for (int i = 0; i < opened; i++) {
        struct server_seen e;
        cr_assert(server_wait(s, EVENT_SSH_CHANNEL_OPENED, (size_t)i, &e));
        cr_assert_eq(nacre_resume_channel(s->nacre, e.channel), 0);
    }
    cr_assert(server_wait(s, EVENT_SSH_CHANNEL_CLOSED, (size_t)opened - 1, NULL));
    cr_expect_geq(client_open(&c, "session"), 0, "when that has been taken it may go on");
    cr_expect_not(c.ended);
    client_reset(&c);
    client_free(&c);
    server_free(s);
}

/* What small packets take of memory is more than their bytes, by which windows go. */
Test(security, r30_who_keeps_to_its_windows_may_open_channels, .timeout = 240)
{
    enum {
        PACKET = 4200,
        MANY = 238 /* of them are a window of 1 MiB but for a little */
    };
    struct server *s = server_new();
    struct client c;
    s->handlers.on_ssh_channel_opened = pause_all;
    s->records_data = false;
    server_set(s, "WorkerThreads=1");
    server_set(s, "MaxChannels=2");
    server_set(s, "ConnectionWindowMax=1048576");
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
    int ch = client_open(&c, "session");
    shortage_trickle(&c, ch, PACKET, MANY);
    client_pump(&c, 300);
    cr_assert_gt(server_pool_bytes(s), (size_t)2 * MANY * PACKET, "%zu", server_pool_bytes(s));
    cr_expect_geq(client_open(&c, "session"), 0);
    client_free(&c);
    server_free(s);
}

/* Its answers to keep-alives wait in the socket. */
Test(security, r30_who_is_not_read_for_want_of_memory_is_not_dead, .timeout = 240)
{
    struct server *s = server_new();
    struct client c;
    int channels[CHANNELS];
    char setting[40];
    s->handlers.on_ssh_channel_opened = pause_all;
    s->records_data = false;
    (void)snprintf(setting, sizeof setting, "MemoryLimit=%d", LIMIT);
    server_set(s, setting);
    server_set(s, "WorkerThreads=1");
    server_set(s, "SSHKeepAliveInterval=1");
    server_set(s, "SSHKeepAliveCountMax=1");
    server_start(s, 2);
    cr_assert(client_start(&c, s->port));
    for (int i = 0; i < CHANNELS; i++)
        cr_assert_geq(channels[i] = client_open(&c, "session"), 0);
    shortage_fill(&c, channels, CHANNELS);
    cr_assert(budget_is_tight(&s->nacre->memory));
    client_pump(&c, 4000);
    cr_expect_eq(server_count(s, EVENT_DISCONNECTED), 0);
    client_reset(&c);
    client_free(&c);
    server_free(s);
}

/* Fails when those who hold much need only stay below the end of memory to keep everybody out. Of patience all but the
 * last bit is taken here. */
Test(security, r30_who_holds_much_does_not_keep_others_out, .timeout = 240)
{
    const int64_t patience_ns = INT64_C(10000000000);
    struct client greedy, other;
    struct server_seen e;
    int echo;
    struct server *s = start_filled(&greedy, &other, &echo);
    cr_assert(budget_is_tight(&s->nacre->memory) && !budget_is_out(&s->nacre->memory));

    client_pump(&greedy, 300);
    atomic_fetch_sub(&s->nacre->patient_ns, patience_ns);
    client_pump(&greedy, 300);
    cr_expect_eq(server_count(s, EVENT_DISCONNECTED), 0, "nobody wants in");
    atomic_store(&s->nacre->patient_ns, nacre_clock_ns());
    cr_assert(is_refused(NULL, s->port));
    client_pump(&greedy, 300);
    cr_expect_eq(server_count(s, EVENT_DISCONNECTED), 0, "not at once");
    server_set(s, "PerSourceExemptList=127.0.0.2");
    int fd = half_open("127.0.0.2", s->port);
    cr_expect_geq(fd, 0, "who looks after the server is let in");
    close(fd);
    cr_assert(server_wait(s, EVENT_DISCONNECTED, 0, NULL));

    atomic_fetch_sub(&s->nacre->patient_ns, patience_ns);
    atomic_store(&s->nacre->kept_out_ns, nacre_clock_ns());
    cr_expect(client_wait_end(&greedy));
    cr_assert(server_wait(s, EVENT_DISCONNECTED, 1, &e));
    cr_expect_eq(e.code, NACRE_E_MEMORY_LIMIT, "%d %s", e.code, e.text);
    cr_assert(client_send(&other, echo, "still here", 10));
    cr_expect(client_wait_count(&other, &other.channels[echo].received, 10), "the other goes on");
    cr_expect_geq(fd = half_open(NULL, s->port), 0, "and a new one is let in");
    close(fd);
    client_free(&greedy);
    client_free(&other);
    server_free(s);
}

/* Fails when patience begins anew each time that there is enough for a moment. */
Test(security, r30_who_lets_go_of_a_little_keeps_nobody_out_either, .timeout = 240)
{
    enum {
        LITTLE = LIMIT / 16
    };
    struct client greedy, other;
    struct server_seen e;
    int echo;
    struct server *s = start_filled(&greedy, &other, &echo);
    struct budget *b = &s->nacre->memory;
    cr_assert(budget_is_tight(b) && !budget_is_out(b));
    client_pump(&greedy, 300);
    atomic_fetch_sub(&s->nacre->patient_ns, INT64_C(9500000000));
    nacre_budget_give(b, LITTLE);
    cr_assert_not(budget_is_tight(b));
    client_pump(&greedy, 300);
    for (int i = 0; i < 50 && !budget_is_tight(b); i++) /* it has more to say */
        client_pump(&greedy, 100);
    cr_assert(budget_is_tight(b) && !budget_is_out(b));
    for (int i = 0; i < 30 && server_count(s, EVENT_DISCONNECTED) == 0; i++) {
        (void)is_refused(NULL, s->port); /* but the last one perhaps */
        client_pump(&greedy, 100);
    }
    cr_assert_geq(server_count(s, EVENT_DISCONNECTED), 1);
    cr_assert(server_wait(s, EVENT_DISCONNECTED, 0, &e));
    cr_expect_eq(e.code, NACRE_E_MEMORY_LIMIT, "%d %s", e.code, e.text);
    cr_expect(client_wait_end(&greedy));
    atomic_fetch_add(&b->used, LITTLE);
    client_free(&greedy);
    client_free(&other);
    server_free(s);
}

/* Sends whole queues to the first client, and takes nothing from the others. */
static void fill_first(nacre_server *n, struct nacre_ssh_channel_opened *e, void *context)
{
    static uint8_t junk[512 * 1024];
    struct server *s = context;
    struct server_seen first;
    cr_assert(server_wait(s, EVENT_CONNECTED, 0, &first));
    if (first.connection != e->connection_id) {
        cr_assert_eq(nacre_pause_channel(n, e->channel_id), 0);
        return;
    }
    (void)nacre_set_ssh_connection_timeout(n, e->connection_id, 0);
    (void)nacre_send_bytes(n, e->channel_id, junk, sizeof junk);
}

/* Any of them holds enough to be the one that goes. Fails when a worker ends its own without having heard what those of
 * the other hold. */
Test(security, r30_who_holds_most_goes_whichever_worker_has_it, .timeout = 240)
{
    enum {
        COUNT = 24, /* so many that no worker keeps all of them */
        EACH = 2,   /* channels, since a window is less than that */
        HELD = 300 * 1024
    };
    struct server *s = server_new();
    static struct client others[COUNT];
    struct client greedy;
    struct server_seen e;
    static uint8_t junk[HELD / EACH];
    char setting[40];
    s->handlers.on_ssh_channel_opened = fill_first;
    s->records_data = false;
    (void)snprintf(setting, sizeof setting, "MemoryLimit=%d", 2 * LIMIT);
    server_set(s, setting);
    server_set(s, "WorkerThreads=2");
    server_set(s, "ChannelWindowMax=262144"); /* so that all windows fit */
    server_start(s, 2);
    client_init(&greedy);
    greedy.config.window_bytes = greedy.config.window_max = 32768;
    cr_assert(client_connect(&greedy, s->port) && client_login(&greedy, "user", "pw"));
    for (int i = 0; i < COUNT; i++) {
        cr_assert(client_start(&others[i], s->port));
        for (int k = 0; k < EACH; k++) {
            int ch = client_open(&others[i], "session");
            cr_assert(ch >= 0 && client_send(&others[i], ch, junk, sizeof junk));
        }
        client_pump(&others[i], 20);
    }
    cr_assert_gt(shortage_used(s), COUNT * HELD);
    for (unsigned i = 0; i < 2; i++)
        cr_assert_gt(atomic_load(&s->nacre->shards[i].load), 0);
    while (!budget_is_tight(&s->nacre->memory)) {
        int ch = client_open(&greedy, "session");
        cr_assert_geq(ch, 0);
        greedy.channels[ch].stalled = true;
        client_pump(&greedy, 50);
    }
    cr_assert_not(budget_is_out(&s->nacre->memory));
    cr_assert(is_refused(NULL, s->port));
    client_pump(&greedy, 200);
    atomic_fetch_sub(&s->nacre->patient_ns, INT64_C(10000000000));
    atomic_store(&s->nacre->kept_out_ns, nacre_clock_ns());
    cr_expect(client_wait_end(&greedy));
    client_pump(&others[0], 300);
    cr_expect_eq(server_count(s, EVENT_DISCONNECTED), 1);
    cr_assert(server_wait(s, EVENT_DISCONNECTED, 0, &e));
    cr_expect_eq(e.code, NACRE_E_MEMORY_LIMIT, "%d %s", e.code, e.text);
    client_free(&greedy);
    for (int i = 0; i < COUNT; i++)
        client_free(&others[i]);
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
        cr_expect_leq(shortage_used(s), LIMIT);
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

/* Fails when bytes are counted: who holds most in small pieces would look as if it held least. */
Test(security, r30_what_is_queued_counts_with_the_memory_that_it_takes, .timeout = 240)
{
    enum {
        COUNT = 1000
    };
    struct pair *p = pair_new();
    p->client.consumes = false;
    p->client.config.window_bytes = p->client.config.window_max = WINDOW_LEAST;
    pair_login(p);
    uint32_t channel = pair_open(p);
    static uint8_t junk[WINDOW_LEAST];
    cr_assert_eq(pair_send(&p->server, channel, 0, junk, sizeof junk), NACRE_OK);
    pair_run(p);
    size_t blocks = atomic_load(&p->pool.used), queued = nacre_conn_queued(p->server.conn);
    for (unsigned i = 0; i < COUNT; i++)
        cr_assert_eq(pair_send(&p->server, channel, i % 2, junk, 1), NACRE_OK);
    blocks = atomic_load(&p->pool.used) - blocks;
    cr_assert_gt(blocks, COUNT * 100, "each has its own");
    cr_expect_eq(nacre_conn_queued(p->server.conn) - queued, blocks);
    nacre_conn_drop_queued(p->server.conn);
    cr_expect_eq(nacre_conn_queued(p->server.conn), nacre_conn_output_bytes(p->server.conn));
    pair_free(p);
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
    enum {
        SIZE = 3000,
        COUNT = 200
    };
    struct server *s = server_new();
    struct client c;
    s->handlers.on_ssh_channel_opened = pause_first;
    server_set(s, "WorkerThreads=1");
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
    int ch = client_open(&c, "session");
    cr_assert(server_wait(s, EVENT_SSH_CHANNEL_OPENED, 0, NULL));
    shortage_trickle(&c, ch, SIZE, COUNT);
    shortage_expect_fit(s, (size_t)SIZE * COUNT);
    client_free(&c);
    server_free(s);
}

/* Fails when each event counts all of the block that its data lies in: who holds little in many packets would be taken
 * for who holds most. */
Test(security, r30_data_that_shares_a_block_counts_by_its_length, .timeout = 240)
{
    enum {
        SIZE = 14000, /* less would be copied */
        COUNT = 100
    };
    struct server *s = server_new();
    struct client c;
    struct server_seen e;
    static uint8_t junk[SIZE];
    s->handlers.on_ssh_channel_opened = pause_all;
    server_set(s, "WorkerThreads=1");
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
    int ch = client_open(&c, "session");
    cr_assert(server_wait(s, EVENT_SSH_CHANNEL_OPENED, 0, &e));
    for (int i = 0; i < COUNT; i++)
        cr_assert(client_send(&c, ch, junk, sizeof junk));
    client_pump(&c, 300);
    struct shard *shard = &s->nacre->shards[0];
    nacre_mutex_lock(&shard->inbox_lock);
    const struct connection *held_by = nacre_table_find(&shard->connections, e.connection);
    size_t held = held_by == NULL ? 0 : held_by->held;
    nacre_mutex_unlock(&shard->inbox_lock);
    cr_expect_geq(held, (size_t)SIZE * COUNT);
    cr_expect_lt(held, 2 * (size_t)SIZE * COUNT, "%zu", held);
    client_free(&c);
    server_free(s);
}

static void pause_first_channel(nacre_server *n, struct nacre_ssh_channel_opened *e, void *context)
{
    struct server *s = context;
    if (server_count(s, EVENT_SSH_CHANNEL_OPENED) == 0)
        cr_assert_eq(nacre_pause_channel(n, e->channel_id), 0);
    server_note(s, (struct server_seen){.type = EVENT_SSH_CHANNEL_OPENED, .channel = e->channel_id});
}

/* Nor what comes in the same block with much that is taken at once. */
Test(security, r30_small_data_held_beside_much_does_not_hold_big_blocks, .timeout = 240)
{
    enum {
        SIZE = 2100,
        COUNT = 300,
        MUCH = 30000
    };
    static uint8_t junk[MUCH];
    struct server *s = server_new();
    struct client c;
    s->handlers.on_ssh_channel_opened = pause_first_channel;
    s->records_data = false;
    server_set(s, "WorkerThreads=1");
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
    int held = client_open(&c, "session"), taken = client_open(&c, "session");
    cr_assert(server_wait(s, EVENT_SSH_CHANNEL_OPENED, 1, NULL));
    for (int i = 0; i < COUNT; i++) {
        cr_assert(client_send(&c, held, junk, SIZE) && client_send(&c, taken, junk, MUCH));
        cr_assert(client_send(&c, taken, junk, MUCH));
        client_pump(&c, 3);
    }
    client_pump(&c, 500);
    shortage_expect_fit(s, (size_t)SIZE * COUNT);
    client_free(&c);
    server_free(s);
}

/* ---- records --------------------------------------------------------------------------------------------------- */

static char gathered[4096];

static void gather(nacre_server *n, struct nacre_ssh_channel_data_in *e, void *context)
{
    size_t len = strlen(gathered);
    (void)n;
    cr_assert_lt(e->data_len, sizeof gathered - len);
    memcpy(gathered + len, e->data, e->data_len);
    server_note(context, (struct server_seen){.type = EVENT_SSH_CHANNEL_DATA_IN, .len = e->data_len});
}

/* The record became longer while it was gathered, and there is no memory for as much as has come. */
Test(security, r30_records_without_memory_keep_the_order_of_their_bytes, .timeout = 240)
{
    struct server *s = server_new();
    struct client c;
    struct server_seen opened;
    char more[2000];
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
    memset(more, 'f', sizeof more);
    cr_assert(client_send(&c, ch, more, sizeof more));
    client_pump(&c, 200);
    struct block *taken = shortage_begin(s);
    cr_assert_eq(nacre_resume_channel(s->nacre, opened.channel), 0);
    cr_assert(server_wait(s, EVENT_SSH_CHANNEL_DATA_IN, 0, NULL));
    shortage_end(s, taken);
    client_drop(&c);
    cr_assert(server_wait(s, EVENT_DISCONNECTED, 0, NULL));
    cr_expect_eq(strlen(gathered), 5 + sizeof more);
    cr_expect(memcmp(gathered, "abcde", 5) == 0 && memcmp(gathered + 5, more, sizeof more) == 0);
    client_free(&c);
    server_free(s);
}

enum {
    GATHERERS = 60
};

/* So many channels have records of that many bytes, from that one on. */
static int record_length;
static size_t first_gatherer;

static void begin_records(nacre_server *n, struct nacre_ssh_channel_opened *e, void *context)
{
    struct server *s = context;
    size_t number = server_count(s, EVENT_SSH_CHANNEL_OPENED);
    if (number >= first_gatherer && number < first_gatherer + GATHERERS)
        cr_assert_eq(nacre_set_record_length(n, e->channel_id, record_length), 0);
    server_note(s, (struct server_seen){
                       .type = EVENT_SSH_CHANNEL_OPENED, .connection = e->connection_id, .channel = e->channel_id});
}

static void start_short(struct server *s, int length, size_t first)
{
    char setting[40];
    record_length = length;
    first_gatherer = first;
    s->handlers.on_ssh_channel_opened = begin_records;
    s->echo = true;
    s->records_data = false;
    (void)snprintf(setting, sizeof setting, "MemoryLimit=%d", LIMIT);
    server_set(s, setting);
    server_set(s, "WorkerThreads=2");
    server_start(s, 1);
}

static void open_gatherers(struct server *s, struct client *c, int *channels)
{
    cr_assert(client_start(c, s->port));
    for (int i = 0; i <= GATHERERS; i++)
        cr_assert_geq(channels[i] = client_open(c, "session"), 0);
    cr_assert(server_wait(s, EVENT_SSH_CHANNEL_OPENED, first_gatherer + GATHERERS, NULL));
}

/* Fails when a byte takes a record's memory: a client needs hardly any to keep all others out. */
Test(security, r30_the_first_byte_of_a_record_does_not_hold_all_of_it, .timeout = 240)
{
    struct server *s = server_new();
    struct client c;
    int channels[GATHERERS + 1];
    start_short(s, LIMIT / 16, 0);
    open_gatherers(s, &c, channels);
    for (int i = 0; i <= GATHERERS; i++)
        cr_assert(client_send(&c, channels[i], "x", 1));
    cr_assert(client_wait_count(&c, &c.channels[channels[GATHERERS]].received, 1), "all of them were taken");
    cr_expect_lt(shortage_used(s), LIMIT / 2, "%zu", shortage_used(s));
    int fd = half_open(NULL, s->port);
    cr_expect_geq(fd, 0, "a new one is let in");
    close(fd);
    client_free(&c);
    server_free(s);
}

/* Fails when what is gathered counts for nobody: the other goes, who holds a tenth. */
Test(security, r30_who_fills_memory_with_records_is_ended, .timeout = 240)
{
    enum {
        RECORD = 256 * 1024
    };
    struct server *s = server_new();
    struct client greedy, other;
    struct server_seen e;
    int channels[GATHERERS + 1];
    static uint8_t junk[LIMIT / 10];
    start_short(s, RECORD, 1);
    cr_assert(client_start(&other, s->port));
    int mine = client_open(&other, "session");
    cr_assert(server_wait(s, EVENT_SSH_CHANNEL_OPENED, 0, &e));
    cr_assert_eq(nacre_pause_channel(s->nacre, e.channel), 0);
    cr_assert(client_send(&other, mine, junk, sizeof junk));
    client_pump(&other, 200);
    open_gatherers(s, &greedy, channels);
    for (int i = 0; i < GATHERERS && server_count(s, EVENT_DISCONNECTED) == 0; i++) {
        (void)client_send(&greedy, channels[i], junk, RECORD - CHUNK);
        client_pump(&greedy, 100);
    }
    cr_assert(server_wait(s, EVENT_DISCONNECTED, 0, &e), "memory was at an end");
    cr_expect_eq(e.code, NACRE_E_MEMORY_LIMIT, "%d %s", e.code, e.text);
    client_pump(&other, 200);
    cr_expect_not(other.ended, "the other goes on");
    client_free(&greedy);
    client_free(&other);
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
