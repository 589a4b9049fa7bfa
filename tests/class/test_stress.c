/* SPDX-License-Identifier: Apache-2.0 */
/* Clients that die at every byte, and many that talk at once. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/plat.h"
#include "support/client.h"
#include "support/server.h"

/* Lets a whole visit run with at most `limit` bytes from the client, then leaves. Returns the bytes sent. */
static size_t visit(struct server *s, size_t limit, bool reset)
{
    struct client c;
    client_init(&c);
    c.send_limit = limit;
    if (client_dial(&c, NULL, s->port)) {
        bool asked = false, opened = false, sent = false;
        int64_t until = nacre_clock_ns() + CLIENT_WAIT_MS * INT64_C(1000000);
        while (nacre_clock_ns() < until && !c.ended && !(c.channels[0].received >= 5)) {
            if (c.ready && !asked)
                asked = nacre_conn_auth_password(c.conn, span_str("user"), span_str("pw"));
            if (c.authenticated && !opened) {
                uint32_t number;
                opened = nacre_chan_open(c.conn, span_str("session"), span_of(NULL, 0), &number, 0) == NACRE_OK;
            }
            if (c.channels[0].opened && !sent)
                sent = client_send(&c, 0, "hello", 5);
            if (limit != 0 && c.sent_bytes >= limit)
                break;
            if (!client_turn(&c, 5))
                break;
        }
    }
    size_t bytes = c.sent_bytes;
    if (reset)
        client_reset(&c);
    client_free(&c);
    return bytes;
}

/* Each worker may keep a receive block at hand. */
enum {
    KEPT_MAX = 2 * 128 * 1024
};

static size_t kill_everywhere(struct server *s, size_t whole)
{
    size_t step = whole / 150 + 1, visits = 0;
    for (size_t limit = 1; limit <= whole; limit += step) {
        (void)visit(s, limit, limit % 2 == 0);
        visits++;
    }
    cr_assert(server_wait_empty(s), "connections are left");
    return visits;
}

Test(class_stress, r45_a_client_killed_at_any_byte_leaves_nothing, .timeout = 240)
{
    struct server *s = server_new();
    s->echo = true;
    s->records_data = false;
    server_start(s, 2);
    size_t whole = visit(s, 0, false);
    cr_assert_gt(whole, 500);
    cr_assert(server_wait_empty(s));
    size_t descriptors = server_descriptors();
    size_t visits = kill_everywhere(s, whole);
    size_t bytes = server_pool_bytes(s);
    cr_assert_leq(bytes, KEPT_MAX);
    visits += kill_everywhere(s, whole);
    cr_assert_eq(server_descriptors(), descriptors);
    cr_assert_eq(server_pool_bytes(s), bytes, "%zu bytes of blocks, not %zu", server_pool_bytes(s), bytes);
    cr_assert_eq(server_count(s, EVENT_DISCONNECTED), server_count(s, EVENT_CONNECTED));
    cr_assert_geq(server_count(s, EVENT_CONNECTED), visits);
    size_t opened = server_count(s, EVENT_SSH_CHANNEL_OPEN_REQUEST), closed = server_count(s, EVENT_SSH_CHANNEL_CLOSED);
    cr_assert_eq(opened, closed);
    server_free(s);
}

Test(class_stress, r45_sockets_that_say_nothing_leave_nothing, .timeout = 240)
{
    enum {
        SOCKETS = 200
    };
    struct server *s = server_new();
    int fds[SOCKETS];
    cr_assert_eq(nacre_set_connection_backlog(s->nacre, SOCKETS), 0);
    server_start(s, 1);
    size_t descriptors = server_descriptors();
    for (int i = 0; i < SOCKETS; i++) {
        fds[i] = client_socket(NULL, s->port);
        cr_assert_geq(fds[i], 0);
    }
    for (int i = 0; i < SOCKETS; i++)
        close(fds[i]);
    cr_assert(server_wait(s, EVENT_DISCONNECTED, SOCKETS - 1, NULL));
    cr_assert(server_wait_empty(s));
    cr_assert_eq(server_descriptors(), descriptors);
    cr_assert_leq(server_pool_bytes(s), KEPT_MAX);
    server_free(s);
}

/* ---- many at once ------------------------------------------------------------------------------------------------ */

enum {
    STRESS_CONNECTIONS = 32,
    STRESS_CLIENT_THREADS = 2,
    STRESS_MS = 8000,
    STRESS_BYTES = 1000000, /* so much at least, however slow the machine */
    SLOWEST_MS = 100000
};

/* An echo stream: what was sent is a function of its place, so that the echo can be checked without keeping it. */
struct stream {
    size_t sent, checked;
    uint32_t key;
};

struct visitor {
    struct client c;
    struct stream streams[3];
    int channels;
    bool alive;
};

struct crew {
    struct server *s;
    unsigned seed;
    atomic_size_t *echoed;
    atomic_int *wrong, *lost;
    pthread_t thread;
};

static unsigned draw(unsigned *seed)
{
    *seed = *seed * 1664525U + 1013904223U;
    return *seed >> 8;
}

static uint8_t stream_byte(const struct stream *st, size_t n)
{
    return (uint8_t)((n * 2654435761U + st->key) >> 9);
}

/* Echo with a channel paused now and then, by whoever is called. */
static void echo_or_pause(nacre_server *n, struct nacre_ssh_channel_data_in *e, void *context)
{
    struct server *s = context;
    atomic_uint *dice = s->test;
    unsigned throw = atomic_fetch_add(dice, 2654435761U) >> 24;
    if (throw < 4)
        (void)nacre_pause_channel(n, e->channel_id);
    if (throw == 5)
        (void)nacre_exchange_keys(n, e->connection_id);
    (void)nacre_send_bytes(n, e->channel_id, e->data, e->data_len); /* waits: the timeout is not 0 */
}

static void *resume_all(void *argument)
{
    struct server *s = argument;
    nacre_channel_id ids[256];
    while (!atomic_load(&s->stopping)) {
        size_t count = 256;
        (void)nacre_get_ssh_channel_ids(s->nacre, ids, &count);
        for (size_t i = 0; i < count && i < 256; i++)
            (void)nacre_resume_channel(s->nacre, ids[i]);
        usleep(2000);
    }
    return NULL;
}

static bool check_stream(struct client *c, int channel, struct stream *st)
{
    struct buf *b = &c->channels[channel].data;
    for (size_t i = 0; i < b->len; i++)
        if (b->at[i] != stream_byte(st, st->checked + i))
            return false;
    st->checked += b->len;
    b->len = 0;
    return true;
}

static bool talk(struct visitor *v, int channel, unsigned *seed)
{
    uint8_t bytes[8192];
    struct stream *st = &v->streams[channel];
    size_t len = 1 + draw(seed) % (draw(seed) % 4 == 0 ? sizeof bytes : 200);
    if (st->sent - st->checked > 100000 || nacre_chan_queued(v->c.conn, (uint32_t)channel) > 100000)
        return true;
    for (size_t i = 0; i < len; i++)
        bytes[i] = stream_byte(st, st->sent + i);
    st->sent += len;
    return client_send(&v->c, channel, bytes, len);
}

static bool arrive(struct visitor *v, int port, unsigned *seed)
{
    memset(v->streams, 0, sizeof v->streams);
    v->alive = client_start(&v->c, port);
    v->channels = v->alive ? 1 + (int)(draw(seed) % 3) : 0;
    for (int i = 0; i < v->channels; i++) {
        v->streams[i].key = draw(seed);
        v->alive = v->alive && client_open(&v->c, "session") == i;
    }
    return v->alive;
}

/* One turn of one visitor; false: something is wrong with what came back, or it was thrown out. */
static bool live(struct visitor *v, struct crew *crew)
{
    unsigned *seed = &crew->seed;
    size_t before = 0, after = 0;
    for (int i = 0; i < v->channels; i++) {
        before += v->streams[i].checked;
        if (draw(seed) % 3 == 0 && !talk(v, i, seed))
            return false;
    }
    if (draw(seed) % 400 == 0)
        (void)nacre_conn_rekey(v->c.conn, nacre_clock_ns());
    (void)client_turn(&v->c, 0);
    for (int i = 0; i < v->channels; i++) {
        if (!check_stream(&v->c, i, &v->streams[i])) {
            atomic_fetch_add(crew->wrong, 1);
            return false;
        }
        after += v->streams[i].checked;
    }
    atomic_fetch_add(crew->echoed, after - before);
    return !v->c.ended;
}

/* Everything sent has to come back before an orderly goodbye. */
static bool drain(struct visitor *v)
{
    int64_t until = nacre_clock_ns() + CLIENT_WAIT_MS * INT64_C(1000000);
    for (int i = 0; i < v->channels; i++)
        while (v->streams[i].checked < v->streams[i].sent) {
            if (!client_turn(&v->c, 1) || v->c.ended || nacre_clock_ns() > until)
                return false;
            for (int j = 0; j < v->channels; j++)
                if (!check_stream(&v->c, j, &v->streams[j]))
                    return false;
        }
    return true;
}

static void leave(struct visitor *v, struct crew *crew, unsigned how)
{
    if (how == 0 && !drain(v)) {
        (void)fprintf(stderr, "lost: ended %d (%d %s)\n", v->c.ended, (int)v->c.error, v->c.text);
        atomic_fetch_add(crew->lost, 1);
    }
    if (how == 1)
        client_reset(&v->c);
    if (how == 0)
        client_disconnect(&v->c);
    client_free(&v->c);
    v->alive = false;
}

static void *work_visitors(void *argument)
{
    enum {
        MINE = STRESS_CONNECTIONS / STRESS_CLIENT_THREADS
    };
    struct crew *crew = argument;
    struct visitor *v = calloc(MINE, sizeof *v);
    int64_t begun = nacre_clock_ns();
    while (nacre_clock_ns() < begun + STRESS_MS * INT64_C(1000000) ||
           (atomic_load(crew->echoed) <= STRESS_BYTES && nacre_clock_ns() < begun + SLOWEST_MS * INT64_C(1000000)))
        for (int i = 0; i < MINE; i++) {
            if (!v[i].alive && !arrive(&v[i], crew->s->port, &crew->seed)) {
                atomic_fetch_add(crew->lost, 1);
                client_free(&v[i].c);
                continue;
            }
            if (!live(&v[i], crew)) {
                (void)fprintf(stderr, "thrown out: %d %s\n", (int)v[i].c.error, v[i].c.text);
                atomic_fetch_add(crew->lost, 1);
                leave(&v[i], crew, 2);
            } else if (draw(&crew->seed) % 2000 == 0) {
                leave(&v[i], crew, draw(&crew->seed) % 3);
            }
        }
    for (int i = 0; i < MINE; i++)
        if (v[i].alive)
            leave(&v[i], crew, 0);
    free(v);
    return NULL;
}

Test(class_stress, r46_streams_come_back_byte_for_byte_through_pauses_rekeys_and_ends, .timeout = 240)
{
    struct server *s = server_new();
    struct crew crews[STRESS_CLIENT_THREADS];
    atomic_size_t echoed = 0;
    atomic_int wrong = 0, lost = 0;
    atomic_uint dice = 12345;
    pthread_t resumer;
    s->test = &dice;
    s->records_data = false;
    s->handlers.on_ssh_channel_data_in = echo_or_pause;
    server_set(s, "KeyRenegotiationThreshold=3000000");
    server_start(s, 4);
    cr_assert_eq(pthread_create(&resumer, NULL, resume_all, s), 0);
    for (unsigned i = 0; i < STRESS_CLIENT_THREADS; i++) {
        crews[i] = (struct crew){.s = s, .seed = 77 + i, .echoed = &echoed, .wrong = &wrong, .lost = &lost};
        cr_assert_eq(pthread_create(&crews[i].thread, NULL, work_visitors, &crews[i]), 0);
    }
    for (unsigned i = 0; i < STRESS_CLIENT_THREADS; i++)
        pthread_join(crews[i].thread, NULL);
    cr_assert_eq(atomic_load(&wrong), 0, "bytes came back wrong");
    cr_assert_eq(atomic_load(&lost), 0, "connections were lost");
    cr_assert_gt(atomic_load(&echoed), STRESS_BYTES, "only %zu bytes went through", atomic_load(&echoed));
    cr_assert(server_wait_empty(s));
    cr_assert_leq(server_pool_bytes(s), KEPT_MAX);
    cr_assert_eq(server_count(s, EVENT_DISCONNECTED), server_count(s, EVENT_CONNECTED));
    server_join(s);
    pthread_join(resumer, NULL);
    server_free(s);
}

/* The server goes away in the middle of it all. */
Test(class_stress, r42_shutting_down_and_freeing_under_load_ends_everything, .timeout = 240)
{
    enum {
        CLIENTS = 12
    };
    size_t descriptors = server_descriptors();
    struct server *s = server_new();
    struct client c[CLIENTS];
    static const uint8_t chunk[65536];
    s->echo = true;
    s->records_data = false;
    server_start(s, 3);
    for (int i = 0; i < CLIENTS; i++) {
        cr_assert(client_start(&c[i], s->port));
        cr_assert_eq(client_open(&c[i], "session"), 0);
        c[i].channels[0].stalled = i % 2 == 0;
    }
    for (int n = 0; n < 40; n++)
        for (int i = 0; i < CLIENTS; i++) {
            if (nacre_chan_queued(c[i].conn, 0) < 2 * sizeof chunk)
                cr_assert(client_send(&c[i], 0, chunk, sizeof chunk));
            client_turn(&c[i], 0);
        }
    cr_assert_eq(nacre_shutdown(s->nacre), 0);
    for (int i = 0; i < CLIENTS; i++) {
        cr_assert(client_wait_end(&c[i]));
        client_free(&c[i]);
    }
    cr_assert(server_wait(s, EVENT_DISCONNECTED, CLIENTS - 1, NULL));
    cr_assert(server_wait_empty(s));
    cr_assert_eq(server_count(s, EVENT_DISCONNECTED), CLIENTS);
    server_free(s);
    cr_assert_eq(server_descriptors(), descriptors);
}
