/* SPDX-License-Identifier: Apache-2.0 */
/* The engine over the scripted back end: whose turn it is in a worker, and for how long. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "ssh/conn_priv.h"
#include "unit/engine/memory.h"
#include "wire/wr.h"

/* ---- MaxReadTime ----------------------------------------------------------------------------------------------- */

/* The worker that is looked at, and the most that one connection's input held at the end of a turn. Of the worker,
 * until it is gone. */
static _Atomic(const struct shard *) watched;
static size_t held_most;

static void look_at_inputs(void)
{
    const struct shard *s = atomic_load(&watched);
    for (uint32_t n = 0; s != NULL && n < s->connections.made; n++) {
        const struct connection *c = nacre_table_at(&s->connections, n);
        if (c != NULL && c->input != NULL && c->input->len > held_most)
            held_most = c->input->len;
    }
}

/* Everything there is in one turn: the scripted back end itself gives a block a turn. */
static unsigned wait_for_all(struct io *io, int64_t until_ns, struct io_done *out, unsigned max)
{
    look_at_inputs();
    unsigned more = fake_io.wait(io, until_ns, out, max), count = more;
    while (more != 0 && count < max) {
        more = fake_io.wait(io, 0, out + count, max - count);
        count += more;
    }
    return count;
}

static void feed_at_once(struct memory_client *c)
{
    memory_feed(c, SIZE_MAX);
}

enum {
    WORD = 100
};

/* A client that has logged in, with a channel. */
struct talker {
    struct memory_client client;
    uint32_t channel;
};

static void talk(struct talker *t, io_socket listener, const char *cipher)
{
    memory_begin_with(&t->client, listener, cipher);
    cr_assert(memory_log_in(&t->client));
    t->channel = memory_open_session(&t->client);
}

static void prepare(struct talker *t, size_t len)
{
    struct block *b = nacre_chan_block(&t->client.pool, len);
    memset(b->at + b->start, 'r', len);
    cr_assert_eq(nacre_chan_send(t->client.conn, t->channel, 0, b, nacre_clock_ns()), NACRE_OK);
}

static void say(struct talker *t, size_t len)
{
    prepare(t, len);
    feed_at_once(&t->client);
}

/* One turn of the worker has what `flood` has prepared, and a word of `other` (NULL: nobody) beside it. The worker
 * cannot pass its inbox meanwhile: if it wakes up for a first word, the turn after that has both of them. */
static void speak_at_once(struct shard *s, struct talker *flood, struct talker *other)
{
    nacre_mutex_lock(&s->inbox_lock);
    if (other != NULL)
        say(other, WORD);
    feed_at_once(&flood->client);
    if (other != NULL)
        say(other, WORD);
    nacre_mutex_unlock(&s->inbox_lock);
}

/* A client floods with what takes long to decrypt, with another beside it that says a word in the same turn, or not;
 * gives the most that had to wait for another turn. */
static size_t held_with(const char *setting, bool beside)
{
    enum {
        CHUNKS = 16
    };
    struct io_backend greedy = fake_io;
    struct engine e;
    struct talker flood, other;
    size_t all = (size_t)CHUNKS * MEMORY_CHUNK + (beside ? 2 * WORD : 0);
    greedy.wait = wait_for_all;
    held_most = 0;
    engine_start_on(&e, &greedy, setting);
    e.server->echo = false;
    talk(&flood, e.listener, "3des-cbc");
    if (beside)
        talk(&other, e.listener, "aes128-ctr");
    for (int i = 0; i < CHUNKS; i++)
        prepare(&flood, MEMORY_CHUNK);
    atomic_store(&watched, &e.server->nacre->shards[0]);
    speak_at_once(&e.server->nacre->shards[0], &flood, beside ? &other : NULL);
    cr_assert(server_wait_bytes_in(e.server, all));
    cr_assert_eq(server_bytes_in(e.server), all);
    fake_fin(flood.client.peer);
    if (beside)
        fake_fin(other.client.peer);
    cr_assert(server_wait_empty(e.server));
    memory_end(&flood.client);
    if (beside)
        memory_end(&other.client);
    engine_stop(&e);
    atomic_store(&watched, NULL);
    return held_most;
}

Test(shard_fake, max_read_time_leaves_the_rest_of_a_flood_for_another_turn, .timeout = 240)
{
    size_t briefly = held_with("MaxReadTime=1", false);
    size_t at_once = held_with("MaxReadTime=60000", false);
    cr_expect_gt(briefly, 3U * MEMORY_CHUNK, "%zu bytes", briefly);
    cr_expect_lt(at_once, 3U * MEMORY_CHUNK, "%zu bytes", at_once);
}

/* R47: broken once by giving share_ns MaxReadTime's value; the flood was then read to its end before the other. */
Test(shard_fake, r47_a_flood_has_no_more_than_its_share_of_a_turn_with_others, .timeout = 240)
{
    size_t shared = held_with("MaxReadTime=60000", true);
    cr_expect_gt(shared, 3U * MEMORY_CHUNK, "%zu bytes", shared);
}

/* ---- who sleeps while blocks are full ---------------------------------------------------------------------------- */

enum {
    FULL = RECEIVE_BYTES, /* what the worker receives at a time */
    FLOW_NS = 100 * 1000
};

static struct {
    unsigned late;        /* the worker looked for more and had woken nobody for what there was */
    bool slept, too_late; /* and would have slept, or had gone on for longer than it may */
} flow;

static void look_at_callers(int64_t until_ns)
{
    const struct shard *s = atomic_load(&watched);
    if (s != NULL && s->untold_ns != 0) {
        flow.late++;
        flow.slept = flow.slept || until_ns != 0;
        flow.too_late = flow.too_late || s->now_ns - s->untold_ns >= FLOW_NS;
    }
}

static unsigned wait_in_flow(struct io *io, int64_t until_ns, struct io_done *out, unsigned max)
{
    look_at_callers(until_ns);
    return fake_io.wait(io, until_ns, out, max);
}

static unsigned wait_for_all_in_flow(struct io *io, int64_t until_ns, struct io_done *out, unsigned max)
{
    look_at_callers(until_ns);
    return wait_for_all(io, until_ns, out, max);
}

/* What others say has not to wait for it. */
Test(shard_fake, callers_are_woken_at_once_for_a_word_beside_a_full_block, .timeout = 240)
{
    struct io_backend looking = fake_io;
    struct engine e;
    struct talker t, other;
    looking.wait = wait_for_all_in_flow;
    engine_start_on(&e, &looking, "MaxReadTime=60000");
    e.server->echo = false;
    talk(&t, e.listener, "aes128-ctr");
    talk(&other, e.listener, "aes128-ctr");
    for (int i = 0; i < 3; i++)
        prepare(&t, MEMORY_CHUNK);
    struct shard *s = &e.server->nacre->shards[0];
    atomic_store(&watched, s);
    nacre_mutex_lock(&s->inbox_lock); /* see speak_at_once() */
    say(&other, WORD);
    memory_feed(&t.client, FULL);
    say(&other, WORD);
    nacre_mutex_unlock(&s->inbox_lock);
    cr_assert(server_wait_bytes_in(e.server, 2 * WORD + 1));
    feed_at_once(&t.client);
    cr_assert(server_wait_bytes_in(e.server, 3 * MEMORY_CHUNK + 2 * WORD));
    cr_expect_eq(server_bytes_in(e.server), 3U * MEMORY_CHUNK + 2U * WORD);
    fake_fin(t.client.peer);
    fake_fin(other.client.peer);
    cr_assert(server_wait_empty(e.server));
    memory_end(&t.client);
    memory_end(&other.client);
    engine_stop(&e);
    atomic_store(&watched, NULL);
    cr_expect_eq(flow.late, 0U);
}

Test(shard_fake, callers_are_woken_when_nothing_follows_a_full_block_and_not_before, .timeout = 240)
{
    enum {
        CHUNKS = 24
    };
    struct io_backend looking = fake_io;
    struct engine e;
    struct talker t;
    looking.wait = wait_in_flow;
    engine_start_on(&e, &looking, "MaxReadTime=60000");
    e.server->echo = false;
    talk(&t, e.listener, "aes128-ctr");
    for (int i = 0; i < CHUNKS; i++)
        prepare(&t, MEMORY_CHUNK);
    atomic_store(&watched, &e.server->nacre->shards[0]);
    memory_feed(&t.client, FULL);
    cr_assert(server_wait_bytes_in(e.server, 1));
    feed_at_once(&t.client);
    cr_assert(server_wait_bytes_in(e.server, (size_t)CHUNKS * MEMORY_CHUNK));
    cr_expect_eq(server_bytes_in(e.server), (size_t)CHUNKS * MEMORY_CHUNK);
    fake_fin(t.client.peer);
    cr_assert(server_wait_empty(e.server));
    memory_end(&t.client);
    engine_stop(&e);
    atomic_store(&watched, NULL);
    cr_expect_gt(flow.late, 0U);
    cr_expect_not(flow.slept);
    cr_expect_not(flow.too_late);
}

/* ---- what is left of a turn ------------------------------------------------------------------------------------ */

/* The connection that sends breaks as soon as its bytes have been taken. */
static _Atomic(struct fake_peer *) breaks;

static unsigned wait_and_break(struct io *io, int64_t until_ns, struct io_done *out, unsigned max)
{
    unsigned count = wait_for_all(io, until_ns, out, max);
    for (unsigned i = 0; i < count; i++) {
        struct fake_peer *peer = atomic_load(&breaks);
        if (out[i].kind != IO_RECEIVED || out[i].len < MEMORY_CHUNK / 2 || peer == NULL)
            continue;
        fake_cut(peer, NACRE_E_CONNRESET);
        atomic_store(&breaks, NULL);
    }
    return count;
}

Test(shard_fake, what_came_before_a_reset_is_worked_off_though_it_takes_more_than_a_turn, .timeout = 240)
{
    enum {
        PIECES = 4
    };
    struct io_backend breaking = fake_io;
    struct engine e;
    struct talker flood, other;
    struct server_seen seen;
    breaking.wait = wait_and_break;
    engine_start_on(&e, &breaking, "MaxReadTime=50");
    e.server->echo = false;
    talk(&flood, e.listener, "3des-cbc");
    talk(&other, e.listener, "aes128-ctr");
    for (int i = 0; i < PIECES; i++)
        prepare(&flood, MEMORY_CHUNK / PIECES);
    atomic_store(&breaks, flood.client.peer);
    speak_at_once(&e.server->nacre->shards[0], &flood, &other);
    cr_assert(server_wait(e.server, EVENT_DISCONNECTED, 0, &seen));
    cr_expect_eq(seen.code, NACRE_E_CONNRESET);
    fake_fin(other.client.peer);
    cr_assert(server_wait_empty(e.server));
    cr_expect_eq(server_bytes_in(e.server), MEMORY_CHUNK + 2 * WORD, "%zu", server_bytes_in(e.server));
    memory_end(&flood.client);
    memory_end(&other.client);
    engine_stop(&e);
}

/* Events refer to the block that their data came in: what is left of it is not copied again for those of each turn. */
Test(shard_fake, turns_that_end_early_hold_no_more_memory, .timeout = 240)
{
    enum {
        PIECE = 2304,
        PIECES = 170
    };
    struct engine e;
    struct talker t[2];
    engine_start_on(&e, &fake_io, "MaxReadTime=50");
    e.server->echo = false;
    for (int i = 0; i < 2; i++)
        talk(&t[i], e.listener, "3des-cbc");
    struct shard *s = &e.server->nacre->shards[0];
    engine_hold_events(true);
    for (int i = 0; i < 2 * PIECES; i++)
        prepare(&t[i % 2], PIECE);
    nacre_mutex_lock(&s->inbox_lock);
    for (int i = 0; i < 2; i++)
        feed_at_once(&t[i].client);
    nacre_mutex_unlock(&s->inbox_lock);
    size_t most = 0;
    for (int i = 0; i < 500; i++) {
        size_t used = atomic_load(&s->pool.used);
        most = used > most ? used : most;
        usleep(1000);
    }
    cr_expect_lt(most, 4U * 2 * PIECES * PIECE, "%zu bytes", most);
    engine_hold_events(false);
    cr_assert(server_wait_bytes_in(e.server, 2U * PIECES * PIECE));
    cr_expect_eq(server_bytes_in(e.server), 2U * PIECES * PIECE);
    for (int i = 0; i < 2; i++)
        fake_fin(t[i].client.peer);
    cr_assert(server_wait_empty(e.server));
    for (int i = 0; i < 2; i++)
        memory_end(&t[i].client);
    engine_stop(&e);
}

/* RFC 4252 section 5.1: a client may ask again before it has heard. */
static void ask_with_password(struct memory_client *c, const char *password)
{
    uint8_t bytes[200];
    struct wr w = wr_over(bytes, sizeof bytes);
    wr_u8(&w, 50);
    wr_string(&w, span_str("user"));
    wr_string(&w, span_str("ssh-connection"));
    wr_string(&w, span_str("password"));
    wr_bool(&w, false);
    wr_string(&w, span_str(password));
    cr_assert_eq(nacre_packet_payload(c->conn, wr_span(&w)), STEP_NEXT);
    feed_at_once(c);
}

Test(shard_fake, a_login_that_came_while_another_was_asked_about_is_heard, .timeout = 240)
{
    struct engine e;
    struct memory_client c;
    engine_start(&e);
    memory_begin(&c, e.listener);
    cr_assert(memory_carry_until(&c, &c.ready));
    engine_hold_events(true);
    ask_with_password(&c, "bad");
    while ((int)atomic_load(&e.server->nacre->ready) <= 0)
        usleep(1000);
    ask_with_password(&c, "pw");
    usleep(100000); /* it is taken, and cannot be worked off */
    engine_hold_events(false);
    for (int i = 0; i < MEMORY_WAIT_MS && server_count(e.server, EVENT_SSH_USER_AUTH_REQUEST) < 2; i++)
        usleep(1000);
    cr_expect_eq(server_count(e.server, EVENT_SSH_USER_AUTH_REQUEST), 2);
    fake_fin(c.peer);
    cr_assert(server_wait_empty(e.server));
    memory_end(&c);
    engine_stop(&e);
}

/* ---- a storm of logins ------------------------------------------------------------------------------------------ */

enum {
    STORM = 64,
    STORM_A_TURN = 1, /* at most: a key exchange takes more than thirty millionths of a second */
    STORM_BESIDE = 4
};

/* Seen by the worker at the end of each turn; read by the test when that has ended. `storm_on` hands them over. */
static atomic_bool storm_on;
static const struct shard *storm_shard;
static int64_t storm_known; /* the connection that has logged in */
static uint64_t storm_known_bytes;
static unsigned storm_served, storm_most, storm_before_known;
static bool storm_known_served;

static unsigned served(const struct shard *s)
{
    unsigned count = 0;
    for (uint32_t n = 0; n < s->connections.made; n++) {
        const struct connection *c = nacre_table_at(&s->connections, n);
        struct conn_info info;
        if (c == NULL || c->conn == NULL || c->slot.id == storm_known)
            continue;
        nacre_conn_info(c->conn, &info);
        count += info.bytes_in != 0;
    }
    return count;
}

static uint64_t known_bytes(const struct shard *s)
{
    const struct connection *c = nacre_table_find(&s->connections, storm_known);
    struct conn_info info;
    nacre_conn_info(c->conn, &info);
    return info.bytes_in;
}

static unsigned wait_and_look(struct io *io, int64_t until_ns, struct io_done *out, unsigned max)
{
    if (atomic_load(&storm_on)) {
        unsigned now = served(storm_shard);
        unsigned more = now - storm_served;
        storm_most = more > storm_most ? more : storm_most;
        storm_served = now;
        if (!storm_known_served && known_bytes(storm_shard) != storm_known_bytes) {
            storm_known_served = true;
            storm_before_known = now;
        }
    }
    return wait_for_all(io, until_ns, out, max);
}

/* Connects, and has its part of the key exchange ready when it has heard the server's. */
static void approach(struct memory_client *c, io_socket listener)
{
    memory_begin(c, listener);
    cr_assert(fake_wait(c->peer, nacre_clock_ns() + MEMORY_WAIT_MS * INT64_C(1000000)), "it has been greeted");
    memory_hear(c);
}

/* Sixty-four clients have sent their part of a key exchange, and then one who has logged in sends data: it is served in
 * the worker's next turn. In that, in the one under way and in every later one, no more than one of them is. */
Test(shard_fake, r47_in_a_storm_of_logins_data_goes_first, .timeout = 240)
{
    struct io_backend looked_at = fake_io;
    struct engine e;
    static struct memory_client known, storm[STORM];
    looked_at.wait = wait_and_look;
    engine_start_on(&e, &looked_at, "MaxReadTime=50");
    struct shard *s = &e.server->nacre->shards[0];
    memory_begin(&known, e.listener);
    cr_assert(memory_log_in(&known));
    uint32_t channel = memory_open_session(&known);
    memory_echo(&known, channel, 100);
    struct server_seen seen;
    cr_assert(server_wait(e.server, EVENT_CONNECTED, 0, &seen));
    for (int i = 0; i < STORM; i++)
        approach(&storm[i], e.listener);

    /* The worker cannot pass its inbox while all of them speak. */
    nacre_mutex_lock(&s->inbox_lock);
    storm_shard = s;
    storm_known = seen.connection;
    storm_known_bytes = known_bytes(s);
    atomic_store(&storm_on, true);
    for (int i = 0; i < STORM; i++)
        feed_at_once(&storm[i]);
    struct block *b = nacre_chan_block(&known.pool, 100);
    memset(b->at + b->start, 'd', 100);
    cr_assert_eq(nacre_chan_send(known.conn, channel, 0, b, nacre_clock_ns()), NACRE_OK);
    feed_at_once(&known);
    nacre_mutex_unlock(&s->inbox_lock);

    for (int i = 0; i < STORM; i++)
        cr_assert(memory_carry_until(&storm[i], &storm[i].ready), "%d", i);
    atomic_store(&storm_on, false);
    fake_fin(known.peer);
    for (int i = 0; i < STORM; i++)
        fake_fin(storm[i].peer);
    cr_assert(server_wait_empty(e.server));
    memory_end(&known);
    for (int i = 0; i < STORM; i++)
        memory_end(&storm[i]);
    engine_stop(&e);
    cr_expect(storm_known_served);
    cr_expect_leq(storm_before_known, 2 * STORM_A_TURN, "%u were served before", storm_before_known);
    cr_expect_leq(storm_most, STORM_A_TURN, "%u in one turn", storm_most);
}

/* What is sent to one channel while the worker sends something else to another client, and how many newcomers had been
 * served at each of the two. */
static struct {
    atomic_bool on;
    const struct shard *shard;
    nacre_server *server;
    int64_t asking, answered, channel;
    bool is_asked, is_sent;
    unsigned served_when_asked, served_when_sent;
} answer;

static bool is_slot_of(int64_t connection, uint32_t slot)
{
    const struct connection *c = nacre_table_find(&answer.shard->connections, connection);
    return c != NULL && c->io_slot == slot;
}

static enum nacre_error send_and_answer(struct io *io, uint32_t slot, const struct span *spans, unsigned count)
{
    if (!atomic_load(&answer.on))
        return fake_io.send(io, slot, spans, count);
    if (!answer.is_asked && is_slot_of(answer.asking, slot)) {
        answer.is_asked = true;
        answer.served_when_asked = served(answer.shard);
        cr_expect_eq(nacre_send_bytes(answer.server, answer.channel, "answer", 6), NACRE_OK);
    } else if (answer.is_asked && !answer.is_sent && is_slot_of(answer.answered, slot)) {
        answer.is_sent = true;
        answer.served_when_sent = served(answer.shard);
    }
    return fake_io.send(io, slot, spans, count);
}

/* What the application sends while a turn serves who has logged in goes out before the turn's first newcomer. */
Test(shard_fake, r47_in_a_storm_of_logins_answers_go_out_first, .timeout = 240)
{
    struct io_backend looked_at = fake_io;
    struct engine e;
    static struct memory_client storm[STORM_BESIDE];
    static struct talker asking, answered;
    struct server_seen seen;
    looked_at.wait = wait_for_all;
    looked_at.send = send_and_answer;
    engine_start_on(&e, &looked_at, "MaxReadTime=50");
    struct shard *s = &e.server->nacre->shards[0];
    answer.shard = s;
    answer.server = e.server->nacre;
    talk(&asking, e.listener, "aes128-ctr");
    cr_assert(server_wait(e.server, EVENT_CONNECTED, 0, &seen));
    answer.asking = seen.connection;
    talk(&answered, e.listener, "aes128-ctr");
    cr_assert(server_wait(e.server, EVENT_CONNECTED, 1, &seen));
    answer.answered = seen.connection;
    cr_assert(server_wait(e.server, EVENT_SSH_CHANNEL_OPENED, 1, &seen));
    answer.channel = seen.channel;
    for (int i = 0; i < STORM_BESIDE; i++)
        approach(&storm[i], e.listener);

    /* The worker cannot pass its inbox while all of them speak. */
    nacre_mutex_lock(&s->inbox_lock);
    for (int i = 0; i < STORM_BESIDE; i++)
        feed_at_once(&storm[i]);
    cr_assert_eq(nacre_conn_ping(asking.client.conn, span_str("?"), nacre_clock_ns()), NACRE_OK);
    feed_at_once(&asking.client);
    atomic_store(&answer.on, true);
    nacre_mutex_unlock(&s->inbox_lock);

    for (int i = 0; i < STORM_BESIDE; i++)
        cr_assert(memory_carry_until(&storm[i], &storm[i].ready), "%d", i);
    fake_fin(asking.client.peer);
    fake_fin(answered.client.peer);
    for (int i = 0; i < STORM_BESIDE; i++)
        fake_fin(storm[i].peer);
    cr_assert(server_wait_empty(e.server));
    memory_end(&asking.client);
    memory_end(&answered.client);
    for (int i = 0; i < STORM_BESIDE; i++)
        memory_end(&storm[i]);
    engine_stop(&e);
    cr_expect(answer.is_sent);
    cr_expect_eq(answer.served_when_sent, answer.served_when_asked, "%u newcomers before, %u after",
                 answer.served_when_asked, answer.served_when_sent);
}
