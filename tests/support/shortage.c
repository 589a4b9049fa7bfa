/* SPDX-License-Identifier: Apache-2.0 */
#include "support/shortage.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/server.h"

enum {
    CHUNK = 16 * 1024,
    BLOCK_MAX = 256 * 1024, /* no packet and no socket asks for more */
    SPARE = 1024 * 1024,    /* what the workers use by themselves */
    APART_MS = 2,
    LOOKS = 5, /* in a row that find nothing: what the worker had in use has come back by then */
    LOOK_US = 20000
};

size_t shortage_used(struct server *s)
{
    char text[32];
    cr_assert_eq(nacre_config(s->nacre, "MemoryUsed", text, sizeof text), 0);
    return strtoull(text, NULL, 10);
}

void shortage_fill(struct client *c, const int *channels, size_t count)
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

void shortage_trickle(struct client *c, int channel, size_t len, size_t count)
{
    static const uint8_t junk[CHUNK];
    cr_assert_leq(len, sizeof junk);
    for (size_t i = 0; i < count; i++) {
        cr_assert(client_send(c, channel, junk, len));
        client_pump(c, APART_MS);
    }
}

void shortage_expect_fit(struct server *s, size_t bytes)
{
    size_t held = server_pool_bytes(s);
    cr_expect_lt(held, 4 * bytes + SPARE, "%zu for %zu", held, bytes);
}

/* Every class of blocks has its own that are kept. */
static bool take_more(struct pool *p, struct block **taken)
{
    bool more = false;
    for (size_t size = BLOCK_MAX; size != 0; size /= 2) {
        for (struct block *b; (b = nacre_pool_alloc(p, size)) != NULL; *taken = b) {
            b->next = *taken;
            more = true;
        }
    }
    return more;
}

struct block *shortage_begin(struct server *s)
{
    struct block *taken = NULL;
    atomic_store(&s->nacre->memory.limit, 1);
    for (int quiet = 0; quiet < LOOKS;) {
        quiet = take_more(&s->nacre->shards[0].pool, &taken) ? 0 : quiet + 1;
        usleep(LOOK_US);
    }
    return taken;
}

void shortage_end(struct server *s, struct block *taken)
{
    for (struct block *next; taken != NULL; taken = next) {
        next = taken->next;
        nacre_block_release(taken);
    }
    atomic_store(&s->nacre->memory.limit, 0);
}
