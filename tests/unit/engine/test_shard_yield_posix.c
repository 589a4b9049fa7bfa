/* SPDX-License-Identifier: Apache-2.0 */
/* The engine over the scripted back end: when a worker lets the application go first. */
#include <criterion/criterion.h>
#include <stdatomic.h>
#include <unistd.h>

#include "unit/engine/memory.h"

enum {
    WAKES = 20,
    MESSAGES = 60,
    GAP_US = 2000,  /* between messages */
    LONG_US = 5000, /* that others take */
    SAID_MAX = 100,
    PAUSE_MS = 50,     /* in which nobody waits for such */
    YIELDS_MAX = 1000, /* noted */
};

/* What the worker did, by way of the linker (--wrap). */
static struct {
    struct shard *shard;
    atomic_bool on, is_long, guest_turns;
    atomic_uint count;
    int64_t before[YIELDS_MAX], after[YIELDS_MAX];
} yields;

void __real_nacre_thread_yield(void);
void __wrap_nacre_thread_yield(void);

/* As if a guest had come meanwhile. */
static void have_turn(struct shard *s)
{
    nacre_mutex_lock(&s->wheel);
    s->turn++;
    nacre_mutex_unlock(&s->wheel);
}

void __wrap_nacre_thread_yield(void)
{
    __real_nacre_thread_yield();
    unsigned i = atomic_load(&yields.count);
    if (!atomic_load(&yields.on) || i == YIELDS_MAX)
        return;
    yields.before[i] = nacre_clock_ns();
    if (atomic_load(&yields.is_long))
        (void)usleep(LONG_US);
    if (atomic_load(&yields.guest_turns))
        have_turn(yields.shard);
    yields.after[i] = nacre_clock_ns();
    atomic_fetch_add(&yields.count, 1);
}

static atomic_bool in_handler, let_go;

static void stay(nacre_server *n, struct nacre_ssh_channel_data_in *e, void *context)
{
    (void)n;
    (void)e;
    (void)context;
    atomic_store(&in_handler, true);
    for (int i = 0; i < MEMORY_WAIT_MS && !atomic_load(&let_go); i++)
        (void)usleep(1000);
}

struct party {
    struct engine engine;
    struct memory_client clients[2];
    uint32_t channels[2];
};

static void say(struct party *t, int which)
{
    memory_say(&t->clients[which], t->channels[which]);
}

/* The one caller of do_events is in a handler for the first client, and the second has nothing to say yet. */
static void begin(struct party *t)
{
    engine_start_on(&t->engine, &fake_io_shared, "MaxReadTime=50");
    struct server *server = t->engine.server;
    server->handlers.on_ssh_channel_data_in = stay;
    cr_assert_eq(nacre_set_handlers(server->nacre, &server->handlers, server), 0);
    yields.shard = &server->nacre->shards[0];
    for (int i = 0; i < 2; i++) {
        memory_begin(&t->clients[i], t->engine.listener);
        cr_assert(memory_log_in(&t->clients[i]));
        t->channels[i] = memory_open_session(&t->clients[i]);
    }
    say(t, 0);
    for (int i = 0; i < MEMORY_WAIT_MS && !atomic_load(&in_handler); i++)
        (void)usleep(1000);
    cr_assert(atomic_load(&in_handler));
    cr_assert(engine_wait_asleep(yields.shard));
}

static void end(struct party *t)
{
    atomic_store(&yields.on, false);
    atomic_store(&let_go, true);
    for (int i = 0; i < 2; i++)
        fake_fin(t->clients[i].peer);
    cr_assert(server_wait_empty(t->engine.server));
    for (int i = 0; i < 2; i++)
        memory_end(&t->clients[i]);
    engine_stop(&t->engine);
}

static struct party party;

Test(shard_yield, a_worker_lets_an_application_go_first_that_is_behind, .timeout = 240)
{
    begin(&party);
    atomic_store(&yields.on, true);
    for (int i = 0; i < WAKES; i++) {
        yields.shard->ops->wake(yields.shard->io);
        cr_assert(engine_wait_asleep(yields.shard));
    }
    cr_expect_eq(atomic_load(&yields.count), 0, "nothing is ready");
    for (int i = 0; i < SAID_MAX && atomic_load(&yields.count) == 0; i++) { /* handlers may have taken long before */
        say(&party, 1);
        (void)usleep(PAUSE_MS * 1000);
    }
    cr_expect_neq(atomic_load(&yields.count), 0);
    end(&party);
}

/* The shortest time between the end of one and the beginning of the next, in ns, while the second client goes on. */
static int64_t shortest_pause(void)
{
    int64_t shortest = INT64_MAX;
    atomic_store(&yields.is_long, true);
    begin(&party);
    atomic_store(&yields.on, true);
    for (int i = 0; i < MESSAGES; i++) {
        say(&party, 1);
        (void)usleep(GAP_US);
    }
    atomic_store(&yields.on, false);
    (void)usleep(10 * LONG_US); /* the last has ended */
    unsigned count = atomic_load(&yields.count);
    cr_expect_gt(count, 1);
    for (unsigned i = 1; i < count; i++)
        if (yields.before[i] - yields.after[i - 1] < shortest)
            shortest = yields.before[i] - yields.after[i - 1];
    end(&party);
    return shortest;
}

Test(shard_yield, a_worker_does_not_wait_again_for_handlers_that_took_long, .timeout = 240)
{
    cr_expect_geq(shortest_pause(), PAUSE_MS * INT64_C(1000000));
}

Test(shard_yield, a_worker_whose_work_a_guest_did_meanwhile_yields_again, .timeout = 240)
{
    atomic_store(&yields.guest_turns, true);
    cr_expect_lt(shortest_pause(), PAUSE_MS * INT64_C(1000000));
}
