/* SPDX-License-Identifier: Apache-2.0 */
/* Every call that moves bytes moves few of them, or is interrupted, or says that nothing can be moved now: what
 * connections and tunnels carry arrives once and in order, and all of it ends well. */
#include <errno.h>
#include <unistd.h>

#include "base/plat.h"
#include "calls/calls.h"
#include "class/tunnels.h"

enum {
    CALLERS = 6,
    BYTES = 300 * 1000,
    CHUNK = 20 * 1000,
    AHEAD = 100 * 1000,
    SEEDS = 3,
};

/* Bytes that tell where they belong, and in which stream. */
static uint8_t byte_of(uint32_t stream, size_t at)
{
    return (uint8_t)((at * 2654435761U + stream * 40503U) >> 11);
}

/* True: all of them are the ones that follow in the stream. */
static bool take(uint32_t stream, size_t *at, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (bytes[i] != byte_of(stream, *at + i))
            return false;
    *at += len;
    return true;
}

static size_t make(uint32_t stream, size_t at, uint8_t *bytes)
{
    size_t len = at + CHUNK < BYTES ? CHUNK : BYTES - at;
    for (size_t i = 0; i < len; i++)
        bytes[i] = byte_of(stream, at + i);
    return len;
}

/* One turn of a client; true: its channel brought nothing but what follows. */
static bool turn(struct client *c, int channel, uint32_t stream, size_t *got)
{
    (void)client_turn(c, 1);
    struct buf *b = &c->channels[channel].data;
    bool good = take(stream, got, b->at, b->len);
    b->len = 0;
    return good && !c->ended;
}

static bool send_more(struct client *c, int channel, uint32_t stream, size_t *sent)
{
    uint8_t bytes[CHUNK];
    if (*sent == BYTES || nacre_chan_queued(c->conn, (uint32_t)channel) >= AHEAD)
        return true;
    size_t len = make(stream, *sent, bytes);
    *sent += len;
    return client_send(c, channel, bytes, len);
}

/* The first calls fail in any case: rings are asked to receive only now and then. */
static void twist_from(unsigned seed)
{
    twist_fail_some(TWIST_SEND, EINTR, 2);
    twist_fail_some(TWIST_RECEIVE, EAGAIN, 2);
    twist_fail_some(TWIST_WAIT, EINTR, 2);
    twist_by(seed);
}

static void expect_twisted(void)
{
    cr_expect_gt(twist_failed(TWIST_SEND), 0);
    cr_expect_gt(twist_failed(TWIST_RECEIVE), 0);
    cr_expect_gt(twist_failed(TWIST_WAIT), 0);
    cr_expect_gt(twist_shortened(TWIST_SEND), 0);
}

/* ---- echoes ------------------------------------------------------------------------------------------------------ */

struct caller {
    pthread_t thread;
    int port;
    uint32_t stream;
    const char *missed; /* what went wrong; NULL: nothing */
};

/* Sends and gets back; the keys are exchanged anew on the way. */
static const char *echo(struct client *c, uint32_t stream)
{
    size_t sent = 0, got = 0;
    bool rekeyed = false;
    int64_t until = nacre_clock_ns() + 2 * CLIENT_WAIT_MS * INT64_C(1000000);
    while (got < BYTES || c->keys_done < 2) {
        if (!send_more(c, 0, stream, &sent))
            return "sending";
        if (!rekeyed && got > BYTES / 2)
            rekeyed = nacre_conn_rekey(c->conn, nacre_clock_ns()) == NACRE_OK;
        if (!turn(c, 0, stream, &got))
            return c->ended ? "it was ended" : "other bytes";
        if (nacre_clock_ns() > until)
            return "time";
    }
    return NULL;
}

static void *call(void *argument)
{
    struct caller *caller = argument;
    struct client c;
    if (!client_start(&c, caller->port) || client_open(&c, "session") != 0)
        caller->missed = "coming in";
    else
        caller->missed = echo(&c, caller->stream);
    if (caller->missed == NULL)
        client_disconnect(&c);
    client_free(&c);
    return NULL;
}

CASE(calls_traffic, echoes_are_whole_whatever_a_call_moves)
{
    struct server *s = calls_server(*row);
    struct caller callers[CALLERS];
    s->echo = true;
    s->records_data = false;
    server_start(s, 3);
    for (unsigned seed = 1; seed <= SEEDS; seed++) {
        twist_from(seed);
        for (unsigned i = 0; i < CALLERS; i++) {
            callers[i] = (struct caller){.port = s->port, .stream = seed * CALLERS + i};
            cr_assert_eq(pthread_create(&callers[i].thread, NULL, call, &callers[i]), 0);
        }
        for (unsigned i = 0; i < CALLERS; i++) {
            pthread_join(callers[i].thread, NULL);
            cr_expect_null(callers[i].missed, "seed %u, %u: %s", seed, i, callers[i].missed);
        }
        cr_assert(server_wait_empty(s));
    }
    cr_expect_eq(server_count(s, EVENT_DISCONNECTED), SEEDS * CALLERS);
    cr_expect_eq(server_count(s, EVENT_ERROR), 0);
    expect_twisted();
    server_free(s);
}

/* ---- tunnels ----------------------------------------------------------------------------------------------------- */

/* The far end of the tunnel, by hand. */
static bool far_turn(int fd, size_t *sent, size_t *got)
{
    uint8_t bytes[CHUNK];
    size_t len = make(1, *sent, bytes);
    ssize_t n = len == 0 ? 0 : send(fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    *sent += n > 0 ? (size_t)n : 0;
    n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
    return n <= 0 || take(2, got, bytes, (size_t)n);
}

CASE(calls_traffic, tunnels_are_whole_both_ways_whatever_a_call_moves)
{
    struct fixture f = {0};
    calls_need_system(*row);
    cr_assert_eq(setenv("NACRE_TEST_BACKEND", driver_at(*row)->ops->name, 1), 0);
    twist_from(7);
    tunnels_set_up_tunnel(&f);
    size_t client_sent = 0, client_got = 0, far_sent = 0, far_got = 0;
    int64_t until = nacre_clock_ns() + 2 * CLIENT_WAIT_MS * INT64_C(1000000);
    while ((client_got < BYTES || far_got < BYTES) && nacre_clock_ns() < until) {
        cr_assert(send_more(&f.c, f.channel, 2, &client_sent));
        cr_assert(turn(&f.c, f.channel, 1, &client_got), "%d %s", f.c.ended, f.c.text);
        cr_assert(far_turn(f.far, &far_sent, &far_got));
    }
    cr_assert(client_got == BYTES && far_got == BYTES, "%zu and %zu bytes came", client_got, far_got);
    expect_twisted();
    cr_assert_eq(shutdown(f.far, SHUT_WR), 0);
    cr_assert(client_wait(&f.c, &f.c.channels[f.channel].eof));
    tunnels_tear_down(&f);
}
