/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/memory.h"

#include <inttypes.h>
#include <stdio.h>

#include "engine/server.h"

enum {
    HELD_LITTLE = 256 * 1024, /* who holds no more than this is read even when memory is short */
    GRAIN = 4096,             /* charges are multiples of it, so that most turns change nothing */
};

static const int64_t look_ns = INT64_C(50000000);
static const int64_t soon_ns = INT64_C(1000000);             /* for the others to have looked, too */
static const int64_t patience_ns = INT64_C(10000000000);     /* with those who hold so much that others stay out */
static const int64_t next_patience_ns = INT64_C(1000000000); /* with the next one of them */

size_t nacre_memory_limit(int64_t setting)
{
    uint64_t machine = nacre_memory_size();
    if (setting < 0)
        return (size_t)(machine / 4 * 3);
    return (uint64_t)setting > SIZE_MAX ? SIZE_MAX : (size_t)setting;
}

/* ---- what a connection holds ----------------------------------------------------------------------------------- */

void nacre_memory_event_out(struct connection *c, struct event *e)
{
    /* Data that lies in a block of others counts by its own length. */
    size_t own = e->block == NULL ? 0 : e->used == 0 ? e->data_len : e->block->size;
    e->cost = (uint32_t)(sizeof *e + (own < UINT32_MAX / 2 ? own : UINT32_MAX / 2));
    c->held += e->cost;
}

void nacre_memory_event_back(struct connection *c, const struct event *e)
{
    c->held -= e->cost;
}

bool nacre_memory_holds_little(const struct connection *c)
{
    return c->held <= HELD_LITTLE;
}

bool nacre_memory_holds_back(const struct connection *c)
{
    bool holds_back = !nacre_memory_holds_little(c) && pool_is_tight(&c->shard->pool);
    if (holds_back)
        c->shard->holds_back = true;
    return holds_back;
}

/* Outside of the pool: structs, events, and what the conn says. */
static size_t outside(const struct connection *c)
{
    size_t bytes = sizeof *c + c->end_room * sizeof *c->ends + c->events_out * sizeof(struct event);
    return bytes + (c->conn == NULL ? 0 : nacre_conn_memory(c->conn));
}

bool nacre_memory_charge(struct connection *c)
{
    struct pool *pool = &c->shard->pool;
    size_t want = (outside(c) + GRAIN - 1) / GRAIN * GRAIN;
    if (want <= c->charged) {
        if (want < c->charged)
            nacre_pool_uncharge(pool, c->charged - want);
        c->charged = want;
        return true;
    }
    if (nacre_pool_charge(pool, want - c->charged)) {
        c->charged = want;
        return true;
    }
    nacre_connection_close(c, NACRE_E_MEMORY_LIMIT, nacre_error_text(NACRE_E_MEMORY_LIMIT));
    return false;
}

void nacre_memory_uncharge(struct connection *c)
{
    if (c->charged != 0)
        nacre_pool_uncharge(&c->shard->pool, c->charged);
    c->charged = 0;
}

/* All of it, inside the pool and outside. */
static size_t all_of(const struct connection *c)
{
    size_t bytes = c->held + c->charged + (c->input == NULL ? 0 : c->input->size);
    bytes += atomic_load_explicit(&c->gathered, memory_order_relaxed); /* a figure */
    return bytes + (c->conn == NULL ? 0 : nacre_conn_queued(c->conn));
}

/* ---- when it runs short ---------------------------------------------------------------------------------------- */

static struct connection *greediest(struct shard *s, size_t *bytes)
{
    struct connection *most = NULL;
    *bytes = 0;
    for (uint32_t n = 0; n < s->connections.made; n++) {
        struct connection *c = nacre_table_at(&s->connections, n);
        size_t all = c == NULL || c->stage != STAGE_RUNNING ? 0 : all_of(c);
        if (all > *bytes) {
            most = c;
            *bytes = all;
        }
    }
    return most;
}

bool nacre_memory_keeps_out(struct shard *s, bool is_exempt)
{
    bool keeps_out = is_exempt ? budget_is_out(s->pool.budget) : pool_is_tight(&s->pool);
    if (keeps_out)
        atomic_store_explicit(&s->server->kept_out_ns, s->now_ns, memory_order_relaxed);
    return keeps_out;
}

/* Others have been refused since memory is short, and it was so for long enough. */
static bool is_lasting(const struct shard *s)
{
    int64_t since = atomic_load_explicit(&s->server->patient_ns, memory_order_relaxed);
    int64_t kept_out = atomic_load_explicit(&s->server->kept_out_ns, memory_order_relaxed);
    return since != 0 && kept_out >= since && s->now_ns - since >= patience_ns;
}

/* There is enough. Patience is only interrupted: who lets go of a little now and then would have it for ever. */
static void interrupt_patience(const struct shard *s)
{
    int64_t none = 0;
    (void)atomic_compare_exchange_strong_explicit(&s->server->enough_ns, &none, s->now_ns, memory_order_relaxed,
                                                  memory_order_relaxed);
}

/* What it lasts does not count the time in which there was enough, and after a while of that it begins anew. */
static void go_on_with_patience(const struct shard *s)
{
    struct nacre_server *server = s->server;
    int64_t enough = atomic_exchange_explicit(&server->enough_ns, 0, memory_order_relaxed);
    int64_t since = atomic_load_explicit(&server->patient_ns, memory_order_relaxed);
    if (since == 0 || (enough != 0 && s->now_ns - enough >= patience_ns))
        atomic_store_explicit(&server->patient_ns, s->now_ns, memory_order_relaxed);
    else if (enough != 0 && s->now_ns > enough)
        atomic_fetch_add_explicit(&server->patient_ns, s->now_ns - enough, memory_order_relaxed);
}

/* The one that holds most goes, when it is this worker's. A worker that sleeps does not know yet what its connections
 * hold by now, so all are woken to look. When to look again. */
static int64_t relieve(struct shard *s, bool out)
{
    struct nacre_server *server = s->server;
    size_t bytes, others = 0;
    struct connection *c = greediest(s, &bytes);
    unsigned count = atomic_load_explicit(&server->shard_count, memory_order_acquire), unknown = 0;
    /* It stands until the next look, whoever goes: what was held takes a turn to free. */
    atomic_store_explicit(&s->most_held, bytes + 1, memory_order_relaxed);
    for (unsigned i = 0; i < count; i++) {
        const struct shard *other = &server->shards[i];
        if (other == s)
            continue;
        size_t most = atomic_load_explicit(&other->most_held, memory_order_relaxed); /* may be old: it will be looked
                                                                                        at again */
        others = most > others ? most : others;
        unknown += most == 0;
        if (!s->is_out)
            other->ops->wake(other->io);
    }
    if (unknown != 0 && !s->is_out)
        return s->now_ns + soon_ns;
    if (c == NULL || bytes < HELD_LITTLE || bytes + 1 < others)
        return s->now_ns + look_ns;
    if (!out)
        atomic_store_explicit(&server->patient_ns, s->now_ns - patience_ns + next_patience_ns, memory_order_relaxed);
    nacre_connection_close(c, NACRE_E_MEMORY_LIMIT,
                           out ? "MemoryLimit is reached, and this connection holds most."
                               : "MemoryLimit keeps others out, and this connection holds most.");
    return s->now_ns + look_ns;
}

/* Those that were held back for want of memory may go on. One whose input was looked at before memory came, and whether
 * to receive from it after, is received from already. */
static void let_go_on(struct shard *s)
{
    for (uint32_t n = 0; n < s->connections.made; n++) {
        struct connection *c = nacre_table_at(&s->connections, n);
        if (c != NULL && c->stage == STAGE_RUNNING && (!c->receiving || c->is_cut))
            nacre_connection_touch(c);
    }
}

void nacre_memory_turn(struct shard *s)
{
    bool tight = pool_is_tight(&s->pool);
    if (!tight && !s->is_tight && !s->holds_back)
        return;
    if (!tight) {
        s->is_tight = s->is_out = s->holds_back = false;
        atomic_store_explicit(&s->most_held, 0, memory_order_relaxed);
        interrupt_patience(s);
        let_go_on(s);
        return;
    }
    go_on_with_patience(s);
    bool at_end = budget_is_out(s->pool.budget), out = at_end || is_lasting(s);
    if (!s->is_tight)
        nacre_pool_trim(&s->pool);
    if (out && (!s->is_out || s->now_ns >= s->look_again_ns))
        s->look_again_ns = relieve(s, at_end);
    if (!out)
        atomic_store_explicit(&s->most_held, 0, memory_order_relaxed);
    s->is_tight = true;
    s->is_out = out;
}

int64_t nacre_memory_sleep(const struct shard *s, int64_t until_ns)
{
    if (!s->is_tight && pool_is_tight(&s->pool)) /* since the last turn */
        return 0;
    int64_t look = s->is_out ? s->look_again_ns : s->now_ns + look_ns;
    return (s->is_tight || s->holds_back) && look < until_ns ? look : until_ns;
}
