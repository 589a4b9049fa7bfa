/* SPDX-License-Identifier: Apache-2.0 */
/* The engine over the scripted back end: how much is received at a time, and what is kept of it. */
#include <criterion/criterion.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "engine/connection.h"
#include "ssh/chan.h"
#include "unit/engine/memory.h"

enum {
    CHUNKS = 8, /* as the window is */
    RECEIVES_MAX = 64
};

/* What the worker has received since the record was begun. */
static struct {
    _Atomic unsigned count;
    size_t len[RECEIVES_MAX];
} record;

static unsigned wait_and_record(struct io *io, int64_t until_ns, struct io_done *out, unsigned max)
{
    unsigned count = fake_io.wait(io, until_ns, out, max);
    for (unsigned i = 0; i < count; i++) {
        unsigned n = atomic_load(&record.count);
        if (out[i].kind != IO_RECEIVED || n == RECEIVES_MAX)
            continue;
        record.len[n] = out[i].len;
        atomic_store(&record.count, n + 1);
    }
    return count;
}

static void prepare(struct memory_client *c, uint32_t channel)
{
    struct block *b = nacre_chan_block(&c->pool, MEMORY_CHUNK);
    memset(b->at + b->start, 'p', MEMORY_CHUNK);
    cr_assert_eq(nacre_chan_send(c->conn, channel, 0, b, nacre_clock_ns()), NACRE_OK);
}

/* Gives the bytes of one packet, of which CHUNKS have been received and heard. */
static size_t hear_chunks(struct engine *e, struct memory_client *c)
{
    memory_begin_with(c, e->listener, "aes128-gcm@openssh.com");
    cr_assert(memory_log_in(c));
    uint32_t channel = memory_open_session(c);
    memory_carry(c);
    prepare(c, channel);
    size_t whole = nacre_conn_output_bytes(c->conn);
    for (int i = 1; i < CHUNKS; i++)
        prepare(c, channel);
    cr_assert_eq(nacre_conn_output_bytes(c->conn), CHUNKS * whole);
    atomic_store(&record.count, 0);
    memory_feed(c, SIZE_MAX);
    cr_assert(server_wait_bytes_in(e->server, (size_t)CHUNKS * MEMORY_CHUNK));
    cr_assert_eq(server_bytes_in(e->server), (size_t)CHUNKS * MEMORY_CHUNK);
    return whole;
}

static void end(struct engine *e, struct memory_client *c)
{
    fake_fin(c->peer);
    cr_assert(server_wait_empty(e->server));
    memory_end(c);
    engine_stop(e);
}

/* The first block ends anywhere, each one behind it where a packet does. Fails when the back end is not told. */
Test(shard_portions, a_peer_that_fills_blocks_is_read_up_to_where_its_packets_end, .timeout = 240)
{
    struct io_backend recording = fake_io;
    struct engine e;
    struct memory_client c;
    recording.wait = wait_and_record;
    engine_start_on(&e, &recording, "MaxReadTime=60000");
    e.server->echo = false;
    size_t whole = hear_chunks(&e, &c);
    unsigned count = atomic_load(&record.count);
    size_t sum = record.len[0];
    cr_expect_eq(record.len[0], (size_t)RECEIVE_BYTES);
    cr_expect_neq(sum % whole, 0U);
    cr_assert_gt(count, CHUNKS / 4U);
    for (unsigned i = 1; i < count; i++) {
        sum += record.len[i];
        cr_expect_eq(sum % whole, 0U, "receive %u of %zu bytes", i, record.len[i]);
    }
    cr_expect_eq(sum, CHUNKS * whole);
    end(&e, &c);
}

/* What the system decides about is left to it. */
Test(shard_portions, a_back_end_without_portions_reads_what_there_is, .timeout = 240)
{
    struct io_backend recording = fake_io;
    struct engine e;
    struct memory_client c;
    recording.wait = wait_and_record;
    recording.portion = NULL;
    engine_start_on(&e, &recording, "MaxReadTime=60000");
    e.server->echo = false;
    size_t whole = hear_chunks(&e, &c);
    size_t full = CHUNKS * whole / PLAIN_RECEIVE_BYTES;
    for (size_t i = 0; i < full; i++)
        cr_expect_eq(record.len[i], (size_t)PLAIN_RECEIVE_BYTES);
    end(&e, &c);
}

/* A connection keeps what is left of a block in one that fits it, not in the one that it came in. Fails when it is not
 * fitted at the end of the turn. */
Test(shard_portions, half_a_packet_is_kept_in_little_memory, .timeout = 240)
{
    enum {
        HALF = 3000
    };
    struct engine e;
    struct memory_client c;
    engine_start_on(&e, &fake_io, "WorkerThreads=1");
    e.server->echo = false;
    (void)hear_chunks(&e, &c);
    struct pool *pool = &e.server->nacre->shards[0].pool;
    for (int i = 0; i < MEMORY_WAIT_MS && atomic_load(&pool->used) != 0; i++)
        usleep(1000);
    cr_assert_eq(atomic_load(&pool->used), 0U);
    memory_carry(&c); /* the window is given back */
    prepare(&c, 0);
    memory_feed(&c, HALF);
    for (int i = 0; i < MEMORY_WAIT_MS / 10 && atomic_load(&pool->used) != 4096; i++)
        usleep(1000);
    cr_expect_eq(atomic_load(&pool->used), 4096U);
    memory_feed(&c, SIZE_MAX);
    cr_assert(server_wait_bytes_in(e.server, (CHUNKS + 1U) * MEMORY_CHUNK));
    cr_expect_eq(server_bytes_in(e.server), (CHUNKS + 1U) * MEMORY_CHUNK);
    end(&e, &c);
}
