/* SPDX-License-Identifier: Apache-2.0 */
#include "load.h"

#include <stdlib.h>
#include <string.h>

#include "base/plat.h"
#include "net.h"
#include "system.h"

enum {
    WINDOW_START = 2 << 20,
    WINDOW_MAX = 16 << 20,
    SEND_HIGH = 1 << 20
};

static const struct mode *const modes[MODES] = {
    [MODE_HANDSHAKE] = &bench_handshake, [MODE_ECHO] = &bench_echo,  [MODE_BULK] = &bench_bulk,
    [MODE_IDLE] = &bench_idle,           [MODE_STORM] = &bench_echo, [MODE_ATTACK] = &bench_attack,
};

uint64_t bench_share_below(const struct options *o, unsigned n)
{
    uint64_t each = o->total / o->connections, over = o->total % o->connections;
    return each * n + (n < over ? n : over);
}

static void say(struct load *l, char what)
{
    const struct span word = span_of(&what, 1);
    while (bench_net_send(l->channel.fd, &word, 1) == NET_LATER)
        continue; /* a channel with room for two words is never full */
}

/* ---- connecting ------------------------------------------------------------------------------------------------ */

void bench_load_connect(struct load *l, unsigned i)
{
    l->alive++;
    bench_client_start(load_client(l, i), &l->shared, l->first + i);
}

static void connect_more(struct load *l)
{
    while (l->started < l->count && l->started - l->prepared < l->shared.options->logins)
        bench_load_connect(l, l->started++);
}

void bench_load_prepared(struct client *c)
{
    struct load *l = load_of(c);
    if (c->prepared)
        return;
    c->prepared = true;
    bench_client_expect(c, false);
    l->prepared++;
    connect_more(l);
    if (l->prepared == l->count)
        say(l, LOAD_PREPARED);
}

/* ---- measuring ------------------------------------------------------------------------------------------------- */

void bench_load_begin(struct client *c)
{
    c->busy = true;
    load_of(c)->busy++;
    bench_client_expect(c, true);
}

void bench_load_begin_all(struct load *l, void (*first)(struct client *c))
{
    for (unsigned i = 0; i < l->count; i++) {
        struct client *c = load_client(l, i);
        if (c->stage != CLIENT_READY)
            continue;
        bench_load_begin(c);
        first(c);
        bench_client_pump(c);
    }
}

void bench_load_check_done(struct load *l)
{
    if (!l->going || l->done || l->busy != 0 || l->waits_for_storm)
        return;
    l->done = true;
    l->shared.tally->end_ns = nacre_clock_ns();
    say(l, LOAD_DONE);
}

void bench_load_end(struct client *c)
{
    if (!c->busy)
        return;
    c->busy = false;
    bench_client_expect(c, false);
    load_of(c)->busy--;
    bench_load_check_done(load_of(c));
}

void bench_load_gone(struct client *c)
{
    struct load *l = load_of(c);
    l->alive--;
    if (l->mode->connects_first)
        bench_load_prepared(c);
    bench_load_end(c);
    if (l->closing && l->alive == 0)
        loop_stop(&l->shared.loop);
}

unsigned bench_load_vacate(struct client *c)
{
    struct load *l = load_of(c);
    l->alive--;
    l->busy--;
    return c->number - l->first;
}

/* ---- gates ----------------------------------------------------------------------------------------------------- */

static void go(struct load *l)
{
    int64_t now = nacre_clock_ns();
    l->going = true;
    l->shared.tally->start_ns = now;
    l->until_ns = l->shared.options->seconds == 0 ? INT64_MAX : now + (int64_t)l->shared.options->seconds * 1000000000;
    l->mode->go(l);
    bench_load_check_done(l);
}

static void close_all(struct load *l)
{
    l->closing = true;
    for (unsigned i = 0; i < l->count; i++) {
        struct client *c = load_client(l, i);
        if (c->stage == CLIENT_UNUSED)
            continue;
        bench_client_finish(c);
        bench_client_pump(c);
    }
    if (l->alive == 0)
        loop_stop(&l->shared.loop);
}

static void open_gate(struct load *l, enum gate gate)
{
    switch (gate) {
    case GATE_GO:
        go(l);
        break;
    case GATE_STORM:
        l->storming = true;
        if (l->mode->storm != NULL)
            l->mode->storm(l);
        bench_load_check_done(l);
        break;
    case GATE_CLOSE:
        close_all(l);
        break;
    case GATES:
        break;
    }
}

static void on_channel(struct watch *w, uint32_t events)
{
    struct load *l = CONTAINER_OF(w, struct load, channel);
    uint8_t words[GATES];
    (void)events;
    ptrdiff_t got = bench_net_receive(w->fd, words, sizeof words);
    for (ptrdiff_t i = 0; i < got; i++)
        open_gate(l, (enum gate)words[i]);
    if (got == 0 || got == NET_FAILED) { /* a load without a parent would never end */
        l->orphaned = true;
        loop_stop(&l->shared.loop);
    }
}

/* ---- life ------------------------------------------------------------------------------------------------------ */

static const char *or_usable(const struct nacre_crypto *crypto, const char *chosen, enum alg_kind kind)
{
    return chosen != NULL ? chosen : nacre_algs_usable(crypto, kind);
}

static void configure(struct client_shared *s)
{
    const struct options *o = s->options;
    s->config = (struct conn_config){
        .role = CONN_CLIENT,
        .crypto = s->crypto,
        .algorithms =
            {
                .kex = or_usable(s->crypto, o->kex, ALG_KEX),
                .host_key = or_usable(s->crypto, o->host_key, ALG_KEY),
                .cipher = or_usable(s->crypto, o->cipher, ALG_CIPHER),
                .mac = or_usable(s->crypto, o->mac, ALG_MAC),
                .comp = o->comp != NULL ? o->comp : "none",
                .user_signature = nacre_algs_usable(s->crypto, ALG_KEY),
            },
        .version = "SSH-2.0-nacre-bench_" NACRE_BENCH_VERSION,
        .strict_kex = 1,
        .rekey_bytes = o->rekey_bytes,
        .max_channels = 256,
        .window_bytes = WINDOW_START,
        .window_max = WINDOW_MAX,
        .send_high = SEND_HIGH,
    };
}

static bool set_up(struct load *l, const struct load_start *start)
{
    const struct options *o = start->options;
    unsigned each = o->connections / o->processes, over = o->connections % o->processes, p = start->process;
    memset(l, 0, sizeof *l);
    l->mode = modes[o->mode];
    l->first = each * p + (p < over ? p : over);
    l->count = each + (p < over ? 1 : 0);
    if (start->storms) {
        l->mode = &bench_storm_logins;
        l->first = o->connections;
        l->count = o->storm;
    }
    l->share = bench_share_below(o, l->first + l->count) - bench_share_below(o, l->first);
    l->channel = (struct watch){.fd = start->channel, .ready = on_channel};
    l->clients = calloc(l->count, l->mode->client_size);

    struct client_shared *s = &l->shared;
    s->options = o;
    s->ops = &l->mode->ops;
    s->tally = start->tally;
    s->crypto = start->crypto;
    s->key = start->key;
    s->load = l;
    s->scratch = malloc(CLIENT_SCRATCH);
    list_init(&s->dead);
    nacre_pool_init(&s->pool, 0);
    configure(s);
    return l->clients != NULL && s->scratch != NULL && bench_loop_init(&s->loop) &&
           loop_watch(&s->loop, &l->channel, READY_IN);
}

static void after_batch(void *context)
{
    bench_client_bury((struct client_shared *)context);
}

int bench_load_run(const struct load_start *start)
{
    static struct load l;
    if (!set_up(&l, start)) {
        char why[REASON_MAX];
        bench_tally_fail(start->tally, FAILED_LOCAL, bench_system_text(bench_system_error(), why, sizeof why));
        return 1;
    }
    if (l.mode->connects_first)
        connect_more(&l);
    else
        say(&l, LOAD_PREPARED);
    after_batch(&l.shared); /* what failed at once is not seen by any event */
    bench_loop_run(&l.shared.loop, after_batch, &l.shared);
    bench_loop_free(&l.shared.loop);
    free(l.clients);
    free(l.shared.scratch);
    nacre_pool_destroy(&l.shared.pool);
    return l.orphaned ? 1 : 0;
}
