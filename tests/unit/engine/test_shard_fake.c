/* SPDX-License-Identifier: Apache-2.0 */
/* The engine over the scripted back end: what a connection, a listener and an application may do to a worker. */
#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

#include "engine/connection.h"
#include "unit/engine/memory.h"
#include "wire/wr.h"

enum {
    LOTS = 200 * 1000,
};

static void log_in_and_echo(size_t send_most, size_t receive_most, size_t len)
{
    struct engine e;
    struct memory_client c;
    engine_start(&e);
    fake_limit(fake_peer_of(e.listener), send_most, receive_most);
    memory_begin(&c, e.listener);
    cr_assert(memory_log_in(&c));
    memory_echo(&c, memory_open_session(&c), len);
    fake_fin(c.peer);
    cr_assert(server_wait(e.server, EVENT_DISCONNECTED, 0, NULL));
    memory_end(&c);
    engine_stop(&e);
}

Test(shard_fake, login_and_echo)
{
    log_in_and_echo(0, 0, LOTS);
}

Test(shard_fake, every_send_moves_one_byte)
{
    log_in_and_echo(1, 0, 2000);
}

Test(shard_fake, every_receive_brings_one_byte)
{
    log_in_and_echo(0, 1, 2000);
}

Test(shard_fake, sends_and_receives_of_odd_sizes)
{
    log_in_and_echo(37, 113, 20000);
}

Test(shard_fake, a_connection_that_breaks_at_any_moment_leaves_nothing)
{
    struct engine e;
    engine_start(&e);
    fake_limit(fake_peer_of(e.listener), 64, 64);
    for (unsigned turns = 0; turns < 40; turns++) {
        struct memory_client c;
        memory_begin(&c, e.listener);
        for (unsigned i = 0; i < turns; i++) {
            memory_carry(&c);
            if (c.ready && !c.authenticated)
                (void)nacre_conn_auth_password(c.conn, span_str("user"), span_str("pw"));
        }
        fake_cut(c.peer, NACRE_E_CONNRESET);
        cr_assert(server_wait_empty(e.server));
        memory_end(&c);
    }
    engine_stop(&e);
}

/* What is to be sent stays in flight until the connection is cut. */
Test(shard_fake, a_peer_that_takes_nothing_is_let_go)
{
    struct engine e;
    engine_start(&e);
    struct memory_client c;
    memory_begin(&c, e.listener);
    cr_assert(memory_log_in(&c));
    uint32_t channel = memory_open_session(&c);
    memory_echo(&c, channel, 100);
    fake_room(c.peer, 0);
    struct block *b = nacre_chan_block(&c.pool, MEMORY_CHUNK);
    memset(b->at + b->start, 'x', MEMORY_CHUNK);
    cr_assert_eq(nacre_chan_send(c.conn, channel, 0, b, nacre_clock_ns()), NACRE_OK);
    memory_carry(&c);
    cr_assert(server_wait(e.server, EVENT_SSH_CHANNEL_DATA_IN, 1, NULL));
    fake_cut(c.peer, NACRE_E_CONNRESET);
    cr_assert(server_wait_empty(e.server));
    memory_end(&c);
    engine_stop(&e);
}

Test(shard_fake, accepting_that_fails_is_told_and_goes_on)
{
    struct engine e;
    struct server_seen seen;
    struct memory_client c;
    engine_start(&e);
    fake_listener_fail(e.listener, NACRE_E_MFILE);
    cr_assert(server_wait(e.server, EVENT_ERROR, 0, &seen));
    cr_assert_eq(seen.code, NACRE_E_MFILE);
    memory_begin(&c, e.listener);
    cr_assert(memory_log_in(&c));
    fake_fin(c.peer);
    cr_assert(server_wait_empty(e.server));
    memory_end(&c);
    engine_stop(&e);
}

/* Fails when each failure is reported: a listener without descriptors tries ten times a second. */
Test(shard_fake, accepting_that_fails_over_and_over_is_told_once, .timeout = 240)
{
    static const enum nacre_error errors[] = {NACRE_E_MFILE, NACRE_E_NOBUFS};
    struct engine e;
    engine_start(&e);
    for (size_t i = 0; i < 2; i++)
        for (unsigned round = 0; round < 3; round++) {
            struct memory_client c;
            fake_listener_fail(e.listener, errors[i]);
            memory_begin(&c, e.listener); /* is accepted when the listener has rested */
            cr_assert(memory_log_in(&c));
            fake_fin(c.peer);
            cr_assert(server_wait_empty(e.server));
            memory_end(&c);
            cr_expect_eq(server_count(e.server, EVENT_ERROR), i + 1, "round %u", round);
        }
    engine_stop(&e);
}

/* Fails when the worker stops at it, or does not tell. */
Test(shard_fake, waiting_that_fails_is_told_and_goes_on)
{
    struct engine e;
    struct memory_client c;
    struct server_seen seen;
    engine_start(&e);
    memory_begin(&c, e.listener);
    cr_assert(memory_log_in(&c));
    uint32_t channel = memory_open_session(&c);
    for (unsigned i = 0; i < 3; i++) {
        fake_fail_next(FAKE_WAIT, NACRE_E_NOBUFS);
        memory_echo(&c, channel, 1000);
    }
    cr_assert(server_wait(e.server, EVENT_ERROR, 0, &seen));
    cr_expect_eq(seen.code, NACRE_E_NOBUFS);
    fake_fin(c.peer);
    cr_assert(server_wait_empty(e.server));
    memory_end(&c);
    engine_stop(&e);
}

/* Fails when the error of send() is dropped: the client waits for ever then. */
Test(shard_fake, a_send_that_is_refused_ends_its_connection_alone)
{
    struct engine e;
    struct memory_client good, bad;
    engine_start(&e);
    memory_begin(&good, e.listener);
    cr_assert(memory_log_in(&good));
    uint32_t channel = memory_open_session(&good);
    fake_fail_next(FAKE_SEND, NACRE_E_NOBUFS);
    memory_begin(&bad, e.listener); /* the server's version line and KEXINIT are what cannot go out */
    cr_assert(server_wait(e.server, EVENT_DISCONNECTED, 0, NULL));
    memory_echo(&good, channel, 1000);
    fake_fin(good.peer);
    cr_assert(server_wait_empty(e.server));
    memory_end(&good);
    memory_end(&bad);
    engine_stop(&e);
}

/* ---- an application that stops ---------------------------------------------------------------------------------- */

/* Puts the client's output on the wire without listening to what comes. */
static void say(struct memory_client *c)
{
    struct span s;
    while (nacre_conn_output(c->conn, &s, 1) != 0) {
        (void)fake_feed(c->peer, s.at, s.len);
        nacre_conn_output_take(c->conn, s.len, nacre_clock_ns());
    }
}

/* A byte to the server's channel 0, in turns as data and as stderr, so that each is an event of its own. */
static void say_byte(struct memory_client *c, unsigned i)
{
    uint8_t room[16];
    struct wr w = wr_over(room, sizeof room);
    wr_u8(&w, i % 2 == 0 ? 94 : 95);
    wr_u32(&w, 0);
    if (i % 2 != 0)
        wr_u32(&w, 1);
    wr_u32(&w, 1);
    wr_u8(&w, (uint8_t)(i % 251));
    cr_assert_eq(nacre_conn_send_payload(c->conn, wr_span(&w), nacre_clock_ns()), NACRE_OK);
    say(c);
}

/* What is left unread by the server once it reads no more. */
static size_t unread_at_rest(struct memory_client *c)
{
    size_t before = 0, now = fake_unread(c->peer);
    for (unsigned same = 0; same < 50; same = now == before ? same + 1 : 0) {
        before = now;
        (void)usleep(20 * 1000);
        now = fake_unread(c->peer);
    }
    return now;
}

/* 65,536 events of a connection may be out (pump.c). Fails without that bound: everything is read then and held. */
Test(shard_fake, an_application_that_stops_is_read_to_up_to_a_bound_and_loses_nothing, .timeout = 240)
{
    enum {
        BYTES = 80000,
        EVENTS_ALL_MAX = 65536,
        PACKET_MIN = 32
    };
    struct engine e;
    struct memory_client c;
    engine_start(&e);
    e.server->records_data = false;
    memory_begin(&c, e.listener);
    cr_assert(memory_log_in(&c));
    (void)memory_open_session(&c);
    engine_hold_events(true);
    for (unsigned i = 0; i < BYTES; i++)
        say_byte(&c, i);
    cr_expect_geq(unread_at_rest(&c), (size_t)(BYTES - EVENTS_ALL_MAX) * PACKET_MIN / 2, "reading has stopped");
    engine_hold_events(false);
    int64_t until = nacre_clock_ns() + 5 * MEMORY_WAIT_MS * INT64_C(1000000);
    while (c.echoed.len < BYTES && !c.ended && nacre_clock_ns() < until)
        memory_carry(&c);
    cr_assert_eq(c.echoed.len, (size_t)BYTES);
    for (unsigned i = 0; i < BYTES; i++)
        cr_assert_eq(c.echoed.at[i], i % 251, "byte %u", i);
    cr_expect_eq(fake_unread(c.peer), 0);
    fake_fin(c.peer);
    cr_assert(server_wait_empty(e.server));
    memory_end(&c);
    engine_stop(&e);
}

/* ---- an inbox that is full -------------------------------------------------------------------------------------- */

/* Nothing wakes the worker meanwhile: it makes an end of that with the next look. */
static void fill_inbox(struct shard *s)
{
    nacre_mutex_lock(&s->inbox_lock);
    s->command_count += 65536;
    nacre_mutex_unlock(&s->inbox_lock);
}

/* The id of the only thing of its kind. */
static int64_t only_id(nacre_server *server, int (*get)(nacre_server *server, int64_t *ids, size_t *count))
{
    int64_t id = 0;
    size_t count = 1;
    cr_assert_eq(get(server, &id, &count), 0);
    cr_assert_eq(count, 1);
    return id;
}

static void expect_end(struct engine *e, struct memory_client *c, bool with_room)
{
    memory_begin(c, e->listener);
    cr_assert(memory_log_in(c));
    uint32_t channel = memory_open_session(c);
    memory_echo(c, channel, 100);
    nacre_server *n = e->server->nacre;
    nacre_channel_id id = only_id(n, nacre_get_ssh_channel_ids);
    if (!with_room)
        fill_inbox(&n->shards[0]);
    cr_expect_eq(nacre_send_exit_status(n, id, 3), with_room ? 0 : NACRE_E_WOULDBLOCK);
    cr_expect_eq(nacre_close_channel(n, id), 0);
    cr_expect(memory_carry_until(c, &c->closed));
    nacre_connection_id connection = only_id(n, nacre_get_ssh_connection_ids);
    if (!with_room)
        fill_inbox(&n->shards[0]);
    cr_expect_eq(nacre_exchange_keys(n, connection), with_room ? 0 : NACRE_E_WOULDBLOCK);
    cr_expect_eq(nacre_disconnect(n, connection), 0);
    cr_expect(memory_carry_until(c, &c->ended));
    cr_expect(server_wait_empty(e->server));
    memory_end(c);
}

Test(shard_fake, what_ends_something_is_taken_by_a_full_inbox)
{
    struct engine e;
    struct memory_client c;
    engine_start(&e);
    expect_end(&e, &c, true);
    expect_end(&e, &c, false);
    engine_stop(&e);
}

/* An engine on that back end, and a client with a channel; the channel's id. */
static nacre_channel_id begin_session(struct engine *e, struct memory_client *c, const struct io_backend *ops)
{
    engine_start_on(e, ops, "WorkerThreads=1");
    memory_begin(c, e->listener);
    cr_assert(memory_log_in(c));
    memory_echo(c, memory_open_session(c), 100);
    return only_id(e->server->nacre, nacre_get_ssh_channel_ids);
}

/* Set while the worker sleeps, and then the worker's. */
static struct {
    nacre_server *server;
    nacre_channel_id channel;
} between;

/* In the midst of what the worker carries out somebody else sends, and closes without a command. */
static void send_between(struct io *io, uint32_t slot)
{
    nacre_server *n = between.server;
    between.server = NULL;
    if (n != NULL) {
        cr_expect_eq(nacre_send_bytes(n, between.channel, "before", 6), 0);
        fill_inbox(&n->shards[0]);
        cr_expect_eq(nacre_close_channel(n, between.channel), 0);
    }
    fake_io.detach(io, slot);
}

/* The mark comes behind a send that the worker has not taken yet: that goes out first. Fails when whatever is marked
 * by then is closed. */
Test(shard_fake, a_close_without_a_command_waits_for_the_sends_before_it)
{
    struct io_backend hooked = fake_io;
    struct engine e;
    struct memory_client c;
    hooked.detach = send_between;
    between.channel = begin_session(&e, &c, &hooked);
    between.server = e.server->nacre;
    struct shard *s = &e.server->nacre->shards[0];
    struct command unlisten = {.type = COMMAND_UNLISTEN, .lent = true};
    nacre_mutex_lock(&s->inbox_lock);
    s->has_dues = true;
    nacre_mutex_unlock(&s->inbox_lock);
    cr_assert_eq(nacre_inbox_ask(s, &unlisten, NULL), NACRE_OK);
    cr_expect(memory_carry_until(&c, &c.closed));
    cr_expect_eq(c.echoed.len, 106);
    fake_fin(c.peer);
    cr_assert(server_wait_empty(e.server));
    memory_end(&c);
    engine_stop(&e);
}

/* The worker's, from when it has taken `late_wanted`. */
static struct {
    struct shard *shard;
    nacre_channel_id channel;
    struct timer timer;
} late;

static _Atomic(struct shard *) late_wanted;
static atomic_bool late_slept; /* it would have, over the mark */

static void close_late(struct timer *t, int64_t now_ns)
{
    (void)t;
    (void)now_ns;
    fill_inbox(late.shard);
    cr_expect_eq(nacre_close_channel(late.shard->server, late.channel), 0);
}

static bool has_dues(struct shard *s)
{
    nacre_mutex_lock(&s->inbox_lock);
    bool has = s->has_dues;
    nacre_mutex_unlock(&s->inbox_lock);
    return has;
}

static unsigned wait_and_arm(struct io *io, int64_t until_ns, struct io_done *out, unsigned max)
{
    struct shard *s = atomic_exchange(&late_wanted, NULL);
    bool sleeps = late.shard != NULL && until_ns != 0 && has_dues(late.shard);
    if (s != NULL) {
        late.shard = s;
        timer_init(&late.timer, close_late);
        nacre_timer_arm(&s->timers, &late.timer, 1);
    }
    if (sleeps)
        atomic_store(&late_slept, true);
    return fake_io.wait(io, s != NULL || sleeps ? 0 : until_ns, out, max);
}

/* Timers fire when the inbox has been looked at: the mark is all there is to do, and nobody is woken for it. */
Test(shard_fake, a_close_without_a_command_is_seen_by_a_worker_on_its_way_to_sleep)
{
    struct io_backend armed = fake_io;
    struct engine e;
    struct memory_client c;
    armed.wait = wait_and_arm;
    late.channel = begin_session(&e, &c, &armed);
    struct shard *s = &e.server->nacre->shards[0];
    atomic_store(&late_wanted, s);
    armed.wake(s->io);
    cr_expect(memory_carry_until(&c, &c.closed));
    cr_expect(!atomic_load(&late_slept));
    fake_fin(c.peer);
    cr_assert(server_wait_empty(e.server));
    memory_end(&c);
    engine_stop(&e);
}

/* ---- work for a connection that has ended ------------------------------------------------------------------------ */

struct counted_work {
    struct work work;
    atomic_uint runs, freed;
};

static void count_run(struct work *work)
{
    atomic_fetch_add(&CONTAINER_OF(work, struct counted_work, work)->runs, 1);
}

static void count_free(struct work *work)
{
    atomic_fetch_add(&CONTAINER_OF(work, struct counted_work, work)->freed, 1);
}

/* Holds the only thread of the pool. */
struct plug {
    struct job job;
    atomic_bool holds, pulled;
};

static void wait_for_pull(struct job *job)
{
    struct plug *p = CONTAINER_OF(job, struct plug, job);
    atomic_store(&p->holds, true);
    while (!atomic_load(&p->pulled))
        (void)usleep(1000);
}

static bool wait_freed(struct counted_work *w)
{
    for (unsigned ms = 0; ms < MEMORY_WAIT_MS && atomic_load(&w->freed) == 0; ms++)
        (void)usleep(1000);
    return atomic_load(&w->freed) == 1;
}

/* What is queued behind the plug, with the client gone or still there by the time it is pulled. */
static unsigned runs_behind_plug(bool leaves)
{
    struct engine e;
    struct memory_client c;
    struct plug plug = {.job.run = wait_for_pull};
    struct counted_work mine = {.work = {.run = count_run, .free = count_free, .slow = true}};
    engine_start(&e);
    memory_begin(&c, e.listener);
    cr_assert(memory_log_in(&c));
    memory_echo(&c, memory_open_session(&c), 100); /* the worker has done with it */
    nacre_server *n = e.server->nacre;
    struct connection *connection = nacre_table_at(&n->shards[0].connections, 0);
    nacre_offload_put(&n->offload, &plug.job);
    while (!atomic_load(&plug.holds)) /* what is for a connection that has logged in would overtake it */
        (void)usleep(1000);
    cr_assert_eq(nacre_connection_sink.work(connection, &mine.work), WORK_OUT);
    if (leaves) {
        fake_cut(c.peer, NACRE_E_CONNRESET);
        cr_assert(server_wait_empty(e.server));
    }
    atomic_store(&plug.pulled, true);
    cr_assert(wait_freed(&mine));
    if (!leaves) {
        fake_fin(c.peer);
        cr_assert(server_wait_empty(e.server));
    }
    memory_end(&c);
    engine_stop(&e);
    return atomic_load(&mine.runs);
}

/* Fails when the key exchanges of a thousand clients that have left are computed before one of somebody who waits. */
Test(shard_fake, r47_what_waits_for_a_connection_that_has_ended_is_not_computed)
{
    cr_expect_eq(runs_behind_plug(false), 1);
    cr_expect_eq(runs_behind_plug(true), 0);
}

/* ---- sockets that cannot be taken ------------------------------------------------------------------------------- */

/* The socket stays the engine's then; it closes a number that the system does not know. */
Test(shard_fake, a_connection_that_cannot_be_attached_is_dropped)
{
    struct engine e;
    struct memory_client c;
    engine_start(&e);
    fake_fail_next(FAKE_ATTACH, NACRE_E_NOBUFS);
    struct fake_peer *dropped = fake_dial(e.listener);
    cr_assert(server_wait(e.server, EVENT_CONNECTED, 0, NULL));
    cr_assert(server_wait_empty(e.server));
    fake_drop(dropped);
    memory_begin(&c, e.listener);
    cr_assert(memory_log_in(&c));
    fake_fin(c.peer);
    cr_assert(server_wait_empty(e.server));
    memory_end(&c);
    engine_stop(&e);
}

/* Fails when the worker ends listening first and then lets in whom it had accepted in that same turn. */
Test(shard_fake, who_is_accepted_as_listening_ends_is_not_let_in)
{
    struct engine e;
    engine_start_on(&e, &fake_io_shared, "WorkerThreads=1");
    struct shard *s = &e.server->nacre->shards[0];
    struct command unlisten = {.type = COMMAND_UNLISTEN, .lent = true};
    engine_hold_events(true);
    cr_assert(engine_wait_asleep(s));
    nacre_mutex_lock(&s->inbox_lock);
    (void)nacre_inbox_put_locked(s, &unlisten); /* and nobody is woken for it */
    nacre_mutex_unlock(&s->inbox_lock);
    struct fake_peer *comer = fake_dial(e.listener);
    for (bool waits = true; waits; (void)usleep(1000)) {
        nacre_mutex_lock(&s->inbox_lock);
        waits = s->commands_first != NULL;
        nacre_mutex_unlock(&s->inbox_lock);
    }
    cr_assert(engine_wait_asleep(s));
    cr_expect_eq(atomic_load(&e.server->nacre->connection_count), 0);
    engine_hold_events(false);
    fake_drop(comer);
    engine_stop(&e);
}
