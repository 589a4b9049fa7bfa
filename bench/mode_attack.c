/* SPDX-License-Identifier: Apache-2.0 */
/* What a hostile client does, on as many connections as are asked for, each in place of the one before when the server
 * ends it. Nothing that happens to them is a failure: what counts is how those fare who are served meanwhile, which
 * another nacre-bench measures (`attacks`).
 *
 * Kinds differ in how far a connection comes (send_limit, ready) and in what it does over and over then (act). */
#include <stdlib.h>
#include <string.h>

#include "base/plat.h"
#include "load.h"
#include "wire/wr.h"

enum {
    HALF_KEXINIT = 400,   /* behind the version line */
    SESSION_BYTES = 6000, /* a client that is killed has sent up to so many: login, channel, command, some echoes */
    BURST = 16,           /* messages an act */
    JUNK = 1000,
    BOMB = 32000,
    QUEUED_MAX = 1 << 18,
    CHANNELS = 200, /* tunnels of a connection */
    TICK_MS = 10
};

enum reach {
    REACH_CONNECT, /* sends send_limit bytes, then nothing */
    REACH_KEYS,    /* exchanges keys, then nothing */
    REACH_LOGIN,   /* logs in */
    REACH_CHANNEL, /* opens a session channel and runs the command */
    REACH_GUESS    /* exchanges keys and guesses passwords */
};

struct attacker {
    struct client client;
    struct list resting; /* waits for its turn under --rate */
    bool acts;           /* has come as far as its kind comes */
    bool asked;          /* guess, rekey: the answer is not there */
    unsigned channels;   /* asked for and not closed */
};

struct attack {
    enum reach reach;
    bool (*act)(struct attacker *a); /* queues something; false: nothing to do now */
    bool deaf;                       /* does not read once it acts */
};

/* ---- what is done over and over ------------------------------------------------------------------------------- */

static int64_t now_of(const struct attacker *a)
{
    return a->client.shared->loop.now_ns;
}

static bool act_guess(struct attacker *a)
{
    struct client *c = &a->client;
    if (a->asked || c->stage != CLIENT_LOGIN)
        return false;
    a->asked = true;
    return nacre_conn_auth_password(c->conn, span_str(c->shared->options->user), span_str("not this one"));
}

static bool send_many(struct attacker *a, struct span payload)
{
    unsigned taken = 0;
    while (taken < BURST && nacre_conn_send_payload(a->client.conn, payload, now_of(a)) == NACRE_OK)
        taken++;
    return taken != 0;
}

/* RFC 4253 section 11.2. */
static bool act_ignore(struct attacker *a)
{
    static const uint8_t payload[5 + JUNK] = {2, 0, 0, JUNK >> 8, JUNK & 0xff};
    return send_many(a, span_of(payload, sizeof payload));
}

/* RFC 4253 section 11.3. */
static bool act_debug(struct attacker *a)
{
    static const uint8_t payload[6 + JUNK + 4] = {4, 1, 0, 0, JUNK >> 8, JUNK & 0xff};
    return send_many(a, span_of(payload, sizeof payload));
}

/* As IGNORE; what is sent is a thousandth of what comes out. */
static bool act_bomb(struct attacker *a)
{
    static const uint8_t payload[5 + BOMB] = {2, 0, 0, BOMB >> 8, BOMB & 0xff};
    return send_many(a, span_of(payload, sizeof payload));
}

static bool act_ping(struct attacker *a)
{
    static const uint8_t junk[JUNK];
    unsigned taken = 0;
    while (taken < BURST && nacre_conn_ping(a->client.conn, span_of(junk, sizeof junk), now_of(a)) == NACRE_OK)
        taken++;
    return taken != 0;
}

/* RFC 4254 section 4, for something that nobody knows; replies are not counted on this side. */
static bool act_global(struct attacker *a)
{
    static const uint8_t payload[] = {80, 0, 0, 0, 1, 'x', 1};
    return send_many(a, span_of(payload, sizeof payload));
}

static bool act_rekey(struct attacker *a)
{
    if (a->asked)
        return false;
    a->asked = true;
    return nacre_conn_rekey(a->client.conn, now_of(a)) == NACRE_OK;
}

/* RFC 4254 section 5.2: a byte at a time, for the session channel. */
static bool act_window(struct attacker *a)
{
    static const uint8_t payload[] = {93, 0, 0, 0, 0, 0, 0, 0, 1};
    return send_many(a, span_of(payload, sizeof payload));
}

static bool open_one(struct attacker *a, const char *kind, struct span data)
{
    uint32_t number;
    if (nacre_chan_open(a->client.conn, span_str(kind), data, &number, now_of(a)) != NACRE_OK)
        return false;
    a->channels++;
    return true;
}

/* Closed as soon as they are open. */
static bool act_channels(struct attacker *a)
{
    unsigned before = a->channels;
    while (a->channels < CHANNELS && a->channels - before < BURST)
        if (!open_one(a, a->channels % 2 == 0 ? "session" : "no-such-kind", span_of(NULL, 0)))
            break;
    return a->channels != before;
}

/* RFC 4254 section 7.2, to the server itself, which does not mind. */
static bool act_tunnels(struct attacker *a)
{
    uint8_t data[128];
    struct wr w = wr_over(data, sizeof data);
    const char *target = a->client.shared->options->target;
    wr_cstring(&w, "127.0.0.1");
    wr_u32(&w, (uint32_t)strtoul(strrchr(target, ':') + 1, NULL, 10));
    wr_cstring(&w, "127.0.0.1");
    wr_u32(&w, 4711);
    return a->channels < CHANNELS && open_one(a, "direct-tcpip", wr_span(&w));
}

static bool act_echo(struct attacker *a)
{
    bool is_full = nacre_chan_queued(a->client.conn, a->client.channel) >= QUEUED_MAX;
    struct block *b = is_full ? NULL : bench_client_block(&a->client, JUNK);
    if (b == NULL)
        return false;
    memset(b->at + b->start, 'x', JUNK);
    bench_client_send(&a->client, b);
    return true;
}

static const struct attack attacks[BENCH_ATTACKS] = {
    [ATTACK_SILENT] = {.reach = REACH_CONNECT},
    [ATTACK_VERSION] = {.reach = REACH_CONNECT},
    [ATTACK_KEXINIT] = {.reach = REACH_CONNECT},
    [ATTACK_AUTH] = {.reach = REACH_KEYS},
    [ATTACK_GUESS] = {.reach = REACH_GUESS, .act = act_guess},
    [ATTACK_KILL] = {.reach = REACH_CHANNEL, .act = act_echo},
    [ATTACK_REKEY] = {.reach = REACH_LOGIN, .act = act_rekey},
    [ATTACK_PING] = {.reach = REACH_LOGIN, .act = act_ping},
    [ATTACK_GLOBAL] = {.reach = REACH_LOGIN, .act = act_global},
    [ATTACK_IGNORE] = {.reach = REACH_LOGIN, .act = act_ignore},
    [ATTACK_DEBUG] = {.reach = REACH_LOGIN, .act = act_debug},
    [ATTACK_BOMB] = {.reach = REACH_LOGIN, .act = act_bomb},
    [ATTACK_WINDOW] = {.reach = REACH_CHANNEL, .act = act_window},
    [ATTACK_CHANNELS] = {.reach = REACH_LOGIN, .act = act_channels},
    [ATTACK_TUNNELS] = {.reach = REACH_LOGIN, .act = act_tunnels},
    [ATTACK_DEAF] = {.reach = REACH_LOGIN, .act = act_ping, .deaf = true},
    [ATTACK_UNREAD] = {.reach = REACH_CHANNEL, .act = act_echo, .deaf = true},
};

/* ---- one process ----------------------------------------------------------------------------------------------- */

/* A process makes one load. */
static struct {
    const struct attack *attack;
    struct timer tick;
    struct list resting;
    uint64_t acted;
    int64_t begun_ns;
    uint64_t random;
    struct loop *loop;
} own;

/* splitmix64: where to cut needs no secret. */
static uint64_t random_number(void)
{
    uint64_t z = own.random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* --rate is that of all processes together. */
static bool has_turn(const struct client *c)
{
    const struct options *o = c->shared->options;
    if (o->rate == 0)
        return true;
    double seconds = (double)(c->shared->loop.now_ns - own.begun_ns) / 1e9;
    return (double)own.acted < seconds * o->rate / o->processes;
}

static bool act(struct client *c)
{
    struct attacker *a = (struct attacker *)(void *)c;
    if (!a->acts || own.attack->act == NULL || nacre_conn_is_closing(c->conn))
        return false;
    if (!has_turn(c)) {
        if (list_is_empty(&a->resting))
            list_append(&own.resting, &a->resting);
        return false;
    }
    if (!own.attack->act(a))
        return false;
    own.acted++;
    tally_add(&c->shared->tally->operations, 1);
    return true;
}

static void on_tick(struct timer *t, int64_t now_ns)
{
    struct list turn;
    list_init(&turn);
    list_splice(&turn, &own.resting);
    for (struct list *node; (node = list_pop(&turn)) != NULL;)
        bench_client_pump(&CONTAINER_OF(node, struct attacker, resting)->client);
    nacre_timer_arm(&own.loop->timers, t, now_ns + TICK_MS * INT64_C(1000000));
}

/* How many bytes a connection sends. */
static size_t limit_of(const struct client_shared *s)
{
    size_t version = strlen(s->config.version) + 2;
    switch ((unsigned)s->options->attack) {
    case ATTACK_SILENT:
        return 0;
    case ATTACK_VERSION:
        return version;
    case ATTACK_KEXINIT:
        return version + HALF_KEXINIT;
    case ATTACK_KILL:
        return (size_t)(random_number() % SESSION_BYTES);
    default:
        return SIZE_MAX;
    }
}

static void begin(struct load *l, unsigned i)
{
    struct attacker *a = (struct attacker *)(void *)load_client(l, i);
    bench_load_connect(l, i);
    bench_load_begin(&a->client);
    a->acts = a->asked = false;
    a->channels = 0;
    list_init(&a->resting);
    a->client.send_limit = limit_of(&l->shared);
    l->begun++;
}

static bool may_begin(const struct load *l)
{
    bool all_begun = l->shared.options->total != 0 && l->begun >= l->share;
    return !l->closing && !all_begun && nacre_clock_ns() < l->until_ns;
}

static void end_all(struct timer *t, int64_t now_ns)
{
    struct load *l = CONTAINER_OF(t, struct load, deadline);
    (void)now_ns;
    for (unsigned i = 0; i < l->count; i++)
        bench_client_drop(load_client(l, i));
}

static void go(struct load *l)
{
    own.attack = &attacks[l->shared.options->attack];
    own.random = (uint64_t)nacre_clock_ns();
    own.begun_ns = nacre_clock_ns();
    own.loop = &l->shared.loop;
    list_init(&own.resting);
    timer_init(&own.tick, on_tick);
    if (l->shared.options->rate != 0)
        nacre_timer_arm(&own.loop->timers, &own.tick, own.begun_ns + TICK_MS * INT64_C(1000000));
    timer_init(&l->deadline, end_all);
    if (l->until_ns != INT64_MAX)
        nacre_timer_arm(&own.loop->timers, &l->deadline, l->until_ns);
    for (unsigned i = 0; i < l->count && may_begin(l); i++)
        begin(l, i);
}

/* ---- one connection -------------------------------------------------------------------------------------------- */

static void acts_from_now(struct client *c)
{
    struct attacker *a = (struct attacker *)(void *)c;
    a->acts = true;
    c->deaf = own.attack->deaf;
    bench_client_expect(c, false);
}

static bool ready(struct client *c)
{
    if (own.attack->reach == REACH_KEYS || own.attack->reach == REACH_GUESS)
        acts_from_now(c);
    return own.attack->reach != REACH_KEYS && own.attack->reach != REACH_GUESS;
}

static void logged_in(struct client *c)
{
    if (own.attack->reach == REACH_CHANNEL)
        bench_client_open(c);
    else
        acts_from_now(c);
}

/* The session channel, or one of many. */
static bool opened(struct client *c, uint32_t channel)
{
    struct attacker *a = (struct attacker *)(void *)c;
    if (own.attack->act == act_channels)
        (void)nacre_chan_close(c->conn, channel, now_of(a));
    else if (own.attack->reach == REACH_CHANNEL)
        bench_client_exec(c, c->shared->options->command);
    else if (a->channels == CHANNELS)
        bench_client_drop(c);
    return true;
}

static bool heard(struct client *c, const struct conn_event *e)
{
    struct attacker *a = (struct attacker *)(void *)c;
    switch ((unsigned)e->type) {
    case CONN_AUTH_FAILED:
    case CONN_KEX_DONE:
        a->asked = false;
        return true;
    case CONN_CHANNEL_OPENED:
        return opened(c, e->channel);
    case CONN_CHANNEL_OPEN_FAILED:
    case CONN_CHANNEL_CLOSED:
        a->channels -= a->channels != 0 ? 1 : 0;
        return true;
    default:
        return false;
    }
}

/* All that this one sends is sent. */
static void cut(struct client *c)
{
    if (c->shared->options->attack == ATTACK_KILL)
        bench_client_drop(c);
    else
        bench_client_expect(c, false);
}

static void gone(struct client *c)
{
    struct load *l = load_of(c);
    struct attacker *a = (struct attacker *)(void *)c;
    list_remove(&a->resting);
    if (!may_begin(l)) {
        bench_load_gone(c);
        return;
    }
    begin(l, bench_load_vacate(c));
}

const struct mode bench_attack = {
    .client_size = sizeof(struct attacker),
    .connects_first = false,
    .ops = {.heard = heard,
            .ready = ready,
            .logged_in = logged_in,
            .running = acts_from_now,
            .idle = act,
            .cut = cut,
            .gone = gone},
    .go = go,
};
