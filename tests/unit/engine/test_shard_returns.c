/* SPDX-License-Identifier: Apache-2.0 */
/* The engine over the scripted back end: what comes back from handlers, and whether the worker is woken for it. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "engine/command.h"
#include "engine/connection.h"
#include "ssh/chan.h"
#include "unit/engine/memory.h"

enum {
    WORD = 256, /* short enough to be copied into its event */
    WINDOW = 32768,
    PATIENCE_MS = 20000
};

/* A client with a channel on a server that echoes nothing. */
static struct {
    struct engine engine;
    struct memory_client client;
    uint32_t channel;
    size_t said;
} world;

static struct shard *worker(void)
{
    return &world.engine.server->nacre->shards[0];
}

static void begin(const char *setting)
{
    engine_start_on(&world.engine, &fake_io, setting);
    world.engine.server->echo = false;
    world.engine.server->closes_on_eof = false;
}

static void log_in(void)
{
    memory_begin(&world.client, world.engine.listener);
    cr_assert(memory_log_in(&world.client));
    world.channel = memory_open_session(&world.client);
}

static void end(void)
{
    fake_fin(world.client.peer);
    cr_assert(server_wait_empty(world.engine.server));
    memory_end(&world.client);
    engine_stop(&world.engine);
}

static void prepare(uint32_t channel, unsigned extended, size_t len)
{
    struct block *b = nacre_chan_block(&world.client.pool, len);
    memset(b->at + b->start, 'w', len);
    cr_assert_eq(nacre_chan_send(world.client.conn, channel, extended, b, nacre_clock_ns()), NACRE_OK);
}

static void say_word(void)
{
    prepare(world.channel, 0, WORD);
    memory_carry(&world.client);
    world.said += WORD;
}

static bool wait_for_ms(bool (*is_so)(void), int ms)
{
    for (int i = 0; i < ms && !is_so(); i++)
        (void)usleep(1000);
    return is_so();
}

static bool wait_until(bool (*is_so)(void))
{
    return wait_for_ms(is_so, PATIENCE_MS);
}

static bool all_is_heard(void)
{
    return server_bytes_in(world.engine.server) == world.said;
}

/* Events have come back, and the worker has not looked at them. */
static bool some_lie_there(void)
{
    struct shard *s = worker();
    nacre_mutex_lock(&s->inbox_lock);
    bool lie = s->done_first != NULL && !s->done_waits && !s->awake;
    nacre_mutex_unlock(&s->inbox_lock);
    return lie;
}

/* It does not show before something else wakes the worker; now and then one comes back while that is awake. Fails when
 * every event that comes back wakes it. */
Test(shard_returns, a_word_that_nobody_waits_for_wakes_nobody, .timeout = 240)
{
    enum {
        WORDS = 400,
        LIE_MS = 50
    };
    bool lay = false;
    begin("WorkerThreads=1");
    log_in();
    for (int i = 0; i < WORDS && !lay; i++) {
        say_word();
        lay = wait_for_ms(some_lie_there, LIE_MS);
    }
    cr_expect(lay);
    end();
}

/* Half of the window has been taken, a word at a time, and the client says no more until it gets some back. Fails when
 * what a grant is due for is returned like any other word. */
Test(shard_returns, the_word_that_makes_a_grant_due_wakes_the_worker, .timeout = 240)
{
    int64_t until = nacre_clock_ns() + PATIENCE_MS * INT64_C(1000000);
    begin("ChannelWindowMax=32768");
    log_in();
    for (int i = 0; i < WINDOW / 2 / WORD; i++) {
        say_word();
        cr_assert(wait_until(all_is_heard));
    }
    const struct chan *chan = nacre_chan_find(world.client.conn, world.channel);
    while (chan->window_out <= WINDOW / 2 && nacre_clock_ns() < until)
        memory_carry(&world.client);
    cr_expect_gt(chan->window_out, WINDOW / 2);
    end();
}

/* ---- when it wakes somebody all the same ------------------------------------------------------------------------ */

static struct shard bare;

static bool wakes_for(struct connection *c, unsigned count)
{
    struct event word = {.connection = c};
    bare.awake = bare.done_waits = false;
    bare.done_last = &bare.done_first; /* the last one's word is gone */
    bool wakes = nacre_inbox_done(&bare, &word, &word.next, count, HASTE_NONE);
    cr_expect_eq(bare.done_waits, wakes);
    return wakes;
}

/* Its slot waits for it, or reading does, or it would lie there with too many. Fails when no word wakes the worker. */
Test(shard_returns, a_word_that_is_waited_for_wakes_the_worker)
{
    struct connection quiet = {.over = false}, waiting = {.awaits_events = true};
    nacre_mutex_init(&bare.inbox_lock);
    cr_expect(wakes_for(&waiting, 1));
    cr_expect_not(wakes_for(&quiet, 1));
    for (int i = 0; i < 28; i++)
        cr_expect_not(wakes_for(&quiet, 1));
    cr_expect_not(wakes_for(&quiet, 1));
    cr_expect(wakes_for(&quiet, 1), "the 32nd");
    nacre_mutex_destroy(&bare.inbox_lock);
}

/* The word lies in the inbox when the worker begins to wait for what comes back. Fails when it is not looked at. */
Test(shard_returns, a_word_that_is_there_already_is_looked_at)
{
    struct connection c = {.shard = &bare};
    struct event word = {.connection = &c};
    bare.done_last = &bare.done_first;
    nacre_mutex_init(&bare.inbox_lock);
    cr_expect_not(nacre_inbox_done(&bare, &word, &word.next, 1, HASTE_NONE));
    nacre_connection_await_events(&c, true);
    cr_expect(bare.done_waits);
    nacre_mutex_destroy(&bare.inbox_lock);
}

/* ---- reading that waits for them -------------------------------------------------------------------------------- */

static bool is_awaited(void)
{
    struct shard *s = worker();
    nacre_mutex_lock(&s->inbox_lock);
    const struct connection *c = nacre_table_at(&s->connections, 0);
    bool awaited = c != NULL && c->awaits_events;
    nacre_mutex_unlock(&s->inbox_lock);
    return awaited;
}

static nacre_channel_id newest_channel(void)
{
    nacre_channel_id ids[2] = {0};
    size_t count = 2;
    cr_assert_eq(nacre_get_ssh_channel_ids(world.engine.server->nacre, ids, &count), 0);
    return ids[count - 1];
}

/* One channel keeps so many events that its connection is not read any more, another one a few words that were calm
 * when they came. These come back, and make room for what was said behind them. Fails when only words that were not
 * calm are looked at. */
Test(shard_returns, reading_goes_on_when_calm_words_have_made_room, .timeout = 240)
{
    enum {
        EVENTS_ALL_MAX = 65536, /* as in engine/pump.c */
        WORDS = 8
    };
    begin("WorkerThreads=1");
    log_in();
    nacre_channel_id quiet = newest_channel();
    world.client.opened = false;
    uint32_t other = memory_open_session(&world.client);
    nacre_channel_id many = newest_channel();
    cr_assert(many != quiet);
    cr_assert_eq(nacre_pause_channel(world.engine.server->nacre, quiet), 0);
    cr_assert_eq(nacre_pause_channel(world.engine.server->nacre, many), 0);
    for (int i = 0; i < WORDS; i++)
        say_word();
    for (unsigned i = 0; i < EVENTS_ALL_MAX - WORDS; i++) /* kinds in turns, so that no two become one event */
        prepare(other, i & 1, 1);
    int64_t until = nacre_clock_ns() + PATIENCE_MS * INT64_C(1000000);
    while (!is_awaited() && nacre_clock_ns() < until)
        memory_carry(&world.client);
    cr_assert(is_awaited());
    say_word();
    cr_assert_eq(nacre_resume_channel(world.engine.server->nacre, quiet), 0);
    cr_expect(wait_until(all_is_heard));
    cr_assert_eq(nacre_resume_channel(world.engine.server->nacre, many), 0);
    end();
}
