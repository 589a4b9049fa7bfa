/* SPDX-License-Identifier: Apache-2.0 */
/* Channel data on its way out: which becomes a packet where it lies, which is copied, and that all of it arrives. */
#include <criterion/criterion.h>
#include <string.h>

#include "support/pair.h"

enum {
    PACKET = CONN_CHANNEL_PACKET,
    SPANS = 16,
    HEAD = 64 /* more than a packet needs in front of its data */
};

static uint8_t sample(size_t i)
{
    return (uint8_t)(i >> 8 ^ i);
}

static void fill(struct block *b)
{
    for (size_t i = 0; i < b->len; i++)
        b->at[b->start + i] = sample(i);
}

/* What goes out of the server next lies in `b`. */
static bool lies_in(const struct pair *p, const struct block *b)
{
    struct span spans[SPANS];
    size_t count = nacre_conn_output(p->server.conn, spans, SPANS);

    return count != 0 && spans[count - 1].at >= b->at && spans[count - 1].at < b->at + b->size;
}

/* The client has got `len` bytes of sample(), in packets of any size. */
static void expect_arrived(struct pair *p, size_t len, uint32_t extended)
{
    size_t at = 0;

    pair_run(p);
    for (size_t n = 0; n < side_count(&p->client, CONN_CHANNEL_DATA); n++) {
        const struct conn_event *e = side_event(&p->client, CONN_CHANNEL_DATA, n);
        cr_expect_eq(e->extended, extended);
        for (size_t i = 0; i < e->data.len; i++, at++)
            cr_assert_eq(e->data.at[i], sample(at), "byte %zu", at);
    }
    cr_expect_eq(at, len);
    pair_free(p);
}

static struct pair *open_pair(uint32_t *channel)
{
    struct pair *p = pair_new();

    p->client.config.window_bytes = p->client.config.window_max = 1024 * 1024;
    pair_login(p);
    *channel = pair_open(p);
    return p;
}

static void send_block(struct pair *p, uint32_t channel, unsigned extended, struct block *b)
{
    cr_assert_eq(nacre_chan_send(p->server.conn, channel, extended, b, p->now_ns), NACRE_OK);
}

Test(send, data_with_room_around_it_becomes_a_packet_where_it_lies)
{
    static const size_t lens[] = {1, 9000, PACKET};

    for (unsigned extended = 0; extended < 2; extended++) {
        for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
            uint32_t channel;
            struct pair *p = open_pair(&channel);
            struct block *b = nacre_chan_block(&p->pool, lens[i]);
            fill(b);
            send_block(p, channel, extended, b);
            cr_expect(lies_in(p, b), "%zu", lens[i]);
            expect_arrived(p, lens[i], extended);
        }
    }
}

/* Who does not read holds little more than what is sent to him. */
Test(send, a_block_for_a_whole_packet_is_hardly_larger)
{
    struct pool pool;

    nacre_pool_init(&pool, 0);
    struct block *b = nacre_chan_block(&pool, PACKET);
    cr_expect_leq(b->size, PACKET + PACKET / 16, "%zu", b->size);
    nacre_block_release(b);
    nacre_pool_destroy(&pool);
}

/* A block that somebody else reads is left alone. */
Test(send, data_that_others_hold_is_copied)
{
    uint32_t channel;
    struct pair *p = open_pair(&channel);
    struct block *b = block_ref(nacre_chan_block(&p->pool, PACKET));
    const uint8_t *data = b->at + b->start;

    fill(b);
    send_block(p, channel, 0, b);
    cr_expect_not(lies_in(p, b));
    for (size_t i = 0; i < PACKET; i++)
        cr_assert_eq(data[i], sample(i));
    nacre_block_release(b);
    expect_arrived(p, PACKET, 0);
}

/* The room in front or behind is a byte too little. */
Test(send, data_without_room_around_it_is_copied)
{
    enum {
        LEN = 16 * 1024
    };

    for (int behind = 0; behind < 2; behind++) {
        uint32_t channel;
        struct pair *p = open_pair(&channel);
        struct block *room = nacre_chan_block(&p->pool, LEN), *b = nacre_pool_alloc(&p->pool, LEN);
        b->start = behind == 0 ? room->start - 1 : b->size - LEN - 95;
        b->len = LEN;
        nacre_block_release(room);
        fill(b);
        send_block(p, channel, 1, b);
        cr_expect_not(lies_in(p, b), "%d", behind);
        expect_arrived(p, LEN, 1);
    }
}

/* A block that may not go at once goes in parts; what is left of it may become a packet then. */
Test(send, data_beyond_the_window_goes_in_parts)
{
    uint32_t channel;
    struct pair *p = pair_new();

    p->client.config.window_bytes = p->client.config.window_max = PACKET + 10000;
    p->client.consumes = true;
    pair_login(p);
    channel = pair_open(p);
    struct block *b = nacre_chan_block(&p->pool, (size_t)3 * PACKET);
    fill(b);
    send_block(p, channel, 0, b);
    expect_arrived(p, (size_t)3 * PACKET, 0);
}

Test(send, little_data_in_a_big_block_does_not_hold_it)
{
    uint32_t channel;
    struct pair *p = open_pair(&channel);
    struct block *b = nacre_pool_alloc(&p->pool, (size_t)2 * PACKET);

    b->start = HEAD;
    b->len = 100;
    fill(b);
    send_block(p, channel, 0, b);
    cr_expect_not(lies_in(p, b));
    expect_arrived(p, 100, 0);
}

/* What is small shares few blocks with what is there already. */
Test(send, little_data_behind_other_shares_its_block)
{
    enum {
        LITTLE = 100,
        TIMES = 100,
        BLOCKS = 5
    };
    struct span spans[SPANS];
    uint32_t channel;
    struct pair *p = open_pair(&channel);

    for (size_t at = 0; at < (size_t)LITTLE * TIMES; at += LITTLE) {
        struct block *b = nacre_chan_block(&p->pool, LITTLE);
        for (size_t i = 0; i < LITTLE; i++)
            b->at[b->start + i] = sample(at + i);
        send_block(p, channel, 0, b);
    }
    size_t blocks = nacre_conn_output(p->server.conn, spans, SPANS);
    cr_expect_leq(blocks, BLOCKS, "%zu", blocks);
    expect_arrived(p, (size_t)LITTLE * TIMES, 0);
}

Test(send, compressed_data_is_never_sealed_where_it_lies)
{
    uint32_t channel;
    struct pair *p = pair_new();

    p->server.config.algorithms.comp = p->client.config.algorithms.comp = "zlib@openssh.com";
    pair_login(p);
    channel = pair_open(p);
    struct block *b = nacre_chan_block(&p->pool, PACKET);
    fill(b);
    send_block(p, channel, 0, b);
    expect_arrived(p, PACKET, 0);
}
