/* SPDX-License-Identifier: Apache-2.0 */
/* A world from its beginning to its end: a server on the scripted back end, its callers, and clients that come, talk
 * and go. */
#include "simulation/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/command.h"
#include "engine/server.h"
#include "simulation/app.h"
#include "simulation/peer.h"
#include "simulation/sim.h"
#include "support/fake_io.h"

enum {
    PEERS = 12,
    CALLERS = 3,
    STEPS = 6000,
    END_SECONDS = 1000,
};

static struct {
    nacre_server *server;
    io_socket listener;
    plat_thread callers[CALLERS];
    unsigned caller_count, shard_count;
    bool stopping;
    struct peer peers[PEERS];
} world;

/* A client that is refused is closed before the back end has it; the linker hands that over. */
void __wrap_nacre_sock_close(io_socket s);

void __wrap_nacre_sock_close(io_socket s)
{
    fake_close(s);
}

static void call_events(void *argument)
{
    (void)argument;
    while (!world.stopping) {
        (void)nacre_do_events(world.server);
        sim_yield(); /* a call that neither waits nor finds something takes no lock */
    }
}

static void set(const char *name, uint32_t value)
{
    char setting[64];
    (void)snprintf(setting, sizeof setting, "%s=%u", name, value);
    sim_must(nacre_config(world.server, setting, NULL, 0) == 0, "%s: %s", setting, nacre_last_error(world.server));
}

static void use_key(void)
{
    char pem[16384];
    sim_must(nacre_make_key("ssh-ed25519", pem, sizeof pem) == 0, "a key can be made");
    (void)nacre_set_ssh_cert_store_type(world.server, 7);
    (void)nacre_set_ssh_cert_store(world.server, pem, strlen(pem));
    sim_must(nacre_set_ssh_cert_subject(world.server, "*") == 0, "the key is taken");
}

static void configure(void)
{
    use_key();
    set("AnswerTimeout", 1 + sim_below(30));
    set("LoginGraceTime", 5 + sim_below(100));
    set("MaxChannels", 1 + sim_below(6));
    set("ChannelWindowMax", 32768U << sim_below(6));
    set("MaxConnections", 4 + sim_below(20));
    set("SelectWaitMillis", sim_below(100));
    if (sim_one_in(2))
        set("KeyRenegotiationThreshold", 20000 + sim_below(200000));
    if (sim_one_in(2))
        set("SSHKeepAliveInterval", 1 + sim_below(20));
    if (sim_one_in(4))
        set("MemoryLimit", (8U + sim_below(32)) << 20);
    if (sim_one_in(4))
        set("MaxReadTime", 1);
    (void)nacre_set_default_timeout(world.server, sim_one_in(3) ? 5 : 0);
}

/* As nacre_start_listening() does it, with the scripted back end and a listener of its own. */
static void start_workers(void)
{
    nacre_server *n = world.server;
    world.shard_count = 1 + sim_below(3);
    n->ops = sim_one_in(4) ? &fake_io : &fake_io_shared;
    n->shards = nacre_shards_new(world.shard_count);
    nacre_mutex_lock(&n->lock);
    struct profile *profile = nacre_server_profile(n);
    nacre_mutex_unlock(&n->lock);
    sim_must(n->shards != NULL && profile != NULL, "the world has memory");
    sim_must(nacre_offload_start(&n->offload, 1 + sim_below(2), "nacre-offload"), "the pool starts");
    sim_must(nacre_offload_start(&n->lookups, 1, "nacre-lookup"), "the pool for names starts");
    for (unsigned i = 0; i < world.shard_count; i++) {
        sim_must(nacre_shard_init(&n->shards[i], n, i, &n->plan, profile) == NACRE_OK, "a worker can be made");
        sim_must(nacre_shard_start(&n->shards[i]), "a worker starts");
    }
    atomic_store_explicit(&n->shard_count, world.shard_count, memory_order_release);
    nacre_profile_unref(profile);
    world.listener = fake_listener();
}

static void tell_workers(enum command_type type)
{
    for (unsigned i = 0; i < world.shard_count; i++) {
        struct command *k = nacre_command_new(type, 0, NULL, NULL, 0);
        sim_must(k != NULL, "the world has memory");
        k->socket = type == COMMAND_LISTEN ? world.listener : IO_NO_SOCKET;
        sim_must(nacre_inbox_ask(&world.server->shards[i], k, NULL) == NACRE_OK, "a worker listens, or does not");
    }
}

/* When nobody can go on but time, nothing is left undone: whoever should do it was woken for it. */
static void check_idle(int64_t now_ns)
{
    struct nacre_server *n = world.server;
    for (unsigned i = 0; i < world.shard_count; i++) {
        const struct shard *s = &n->shards[i];
        sim_must(!fake_is_overlooked(s->io, now_ns), "worker %u sleeps over its network", i);
        sim_must(s->commands_first == NULL && !s->done_waits && !s->has_dues, "worker %u sleeps over its inbox", i);
        for (const struct event *e = s->done_first; e != NULL; e = e->next)
            sim_must(!e->connection->awaits_events, "worker %u sleeps over what a connection waits for", i);
        sim_must(nacre_timers_next(&s->timers) > now_ns, "worker %u sleeps over its timers", i);
    }
    sim_must((int)atomic_load(&n->ready) <= 0 || atomic_load(&n->waiters) == 0, "callers sleep over an event");
}

static void begin(void)
{
    memset(&world, 0, sizeof world);
    sim_must(nacre_create(&world.server) == 0, "a server can be made");
    app_begin(world.server);
    sim_must(nacre_set_handlers(world.server, &app_handlers, NULL) == 0, "handlers can be set");
    configure();
    start_workers();
    sim_when_idle(check_idle);
    tell_workers(COMMAND_LISTEN);
    world.caller_count = 1 + sim_below(CALLERS);
    for (unsigned i = 0; i < world.caller_count; i++)
        sim_must(nacre_thread_start(&world.callers[i], call_events, NULL, "caller"), "a caller starts");
}

/* ---- its life --------------------------------------------------------------------------------------------------- */

/* What has a bound keeps it, at any moment. */
static void check(void)
{
    const struct nacre_server *n = world.server;
    unsigned used = 0;
    size_t limit = atomic_load(&n->memory.limit), held = atomic_load(&n->memory.used);
    for (unsigned i = 0; i < world.shard_count; i++)
        used += n->shards[i].connections.used;
    sim_must(used <= (unsigned)n->settings.max_connections.number, "MaxConnections is kept: %u", used);
    sim_must(limit == 0 || held <= limit, "MemoryLimit is kept: %zu of %zu", held, limit);
}

static void step_peer(struct peer *p)
{
    if (!p->used) {
        if (sim_one_in(20))
            peer_begin(p, world.listener);
        return;
    }
    for (unsigned i = sim_below(6); i != 0; i--)
        peer_step(p);
    if (peer_is_over(p))
        peer_end(p);
}

/* What the system does to a server that is well. */
static void disturb(void)
{
    static const enum fake_call calls[] = {FAKE_ATTACH, FAKE_SEND, FAKE_WAIT};
    static const enum nacre_error errors[] = {NACRE_E_MFILE, NACRE_E_NOBUFS, NACRE_E_CONNABORTED};
    uint32_t what = sim_below(8);
    sim_tell("disturbed by %u", what);
    if (what == 0)
        sim_leap((int64_t)sim_below(6 * 3600) * 1000 * 1000 * 1000);
    else if (what == 1)
        sim_set_calendar((int64_t)sim_below(20000) - 10000);
    else if (what < 5)
        fake_listener_fail(world.listener, errors[what - 2]);
    else
        fake_fail_next(calls[what - 5], NACRE_E_NOBUFS);
}

static void live(void)
{
    for (unsigned i = 0; i < STEPS; i++) {
        if (sim_one_in(500))
            disturb();
        step_peer(&world.peers[sim_below(PEERS)]);
        if (sim_one_in(10))
            app_step();
        if (sim_one_in(30))
            sim_sleep(sim_below(50 * 1000 * 1000));
        else if (sim_one_in(400))
            sim_sleep((int64_t)sim_below(8000) * 1000 * 1000);
        else
            sim_yield();
        check();
    }
}

/* ---- its end ---------------------------------------------------------------------------------------------------- */

static void wait_until_empty(void)
{
    for (unsigned i = 0; atomic_load(&world.server->connection_count) != 0; i++) {
        sim_must(i < END_SECONDS, "%u connections stay when everybody has gone",
                 atomic_load(&world.server->connection_count));
        sim_sleep(INT64_C(1000000000));
    }
}

static void check_empty(void)
{
    const struct nacre_server *n = world.server;
    for (unsigned i = 0; i < world.shard_count; i++) {
        const struct shard *s = &n->shards[i];
        sim_must(s->connections.used == 0 && s->channels.used == 0 && s->tunnels.used == 0, "R45: tables are empty");
        sim_must(atomic_load(&s->pool.used) == 0, "R45: worker %u has %zu bytes of blocks out", i,
                 atomic_load(&s->pool.used));
        sim_must(atomic_load(&s->pool.charged) == 0, "R45: worker %u is charged for %zu bytes", i,
                 atomic_load(&s->pool.charged));
    }
    sim_must(atomic_load(&n->channel_count) == 0, "R45: channels are counted that there are not");
    sim_must(fake_sockets() <= 1, "R45: %zu sockets are open", fake_sockets());
}

static void end(void)
{
    sim_faults(0, 0);
    sim_sleep(INT64_C(1000000000)); /* a listener that rests has those who wait let in */
    tell_workers(COMMAND_UNLISTEN);
    for (unsigned i = 0; i < PEERS; i++)
        if (world.peers[i].used) {
            peer_leave(&world.peers[i]);
            peer_end(&world.peers[i]);
        }
    wait_until_empty();
    sim_sleep(INT64_C(5000000000));
    check_empty();
    world.stopping = true;
    for (unsigned i = 0; i < world.caller_count; i++)
        nacre_thread_join(world.callers[i]);
    sim_when_idle(NULL);
    app_check_over();
    for (unsigned i = 0; i < world.shard_count; i++)
        sim_must(!world.server->shards[i].has_guest, "worker %u has a guest when nobody calls", i);
    nacre_free(world.server);
    fake_close(world.listener);
    fake_reset();
}

uint64_t world_rides(void)
{
    return fake_shared_waits();
}

uint64_t world_run(uint64_t seed, bool loud)
{
    sim_faults_prepare();
    sim_begin(seed, loud);
    begin();
    if (sim_one_in(2))
        sim_faults(sim_one_in(4) ? 0 : 20 + sim_below(400), sim_one_in(4) ? 0 : 200 + sim_below(4000));
    live();
    end();
    return sim_trace();
}
