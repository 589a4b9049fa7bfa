/* SPDX-License-Identifier: Apache-2.0 */
/* Round trips: each connection has one message under way. Without --rate it sends the next when that is back (a closed
 * loop: a server that stalls is asked less often meanwhile, so the percentiles are those of the messages sent, not of a
 * constant rate). With --rate each message is due at its moment; one that is late because the one before was not back
 * counts from then, so a stall shows in all that it delays. In storm mode those before the logins begin are counted
 * apart from those beside them; a message counts for the time in which it came back. */
#include "base/plat.h"
#include "load.h"
#include "probe.h"

/* One connection of this mode. */
struct echoer {
    struct prober prober;
    struct list resting; /* until its next message is due */
    int64_t due_ns;      /* under --rate */
};

/* What is of one process. */
static struct {
    struct load *load;
    struct list resting; /* whoever is due first stands first */
    int64_t period_ns;   /* of a connection's messages; 0: each when the one before is back */
} own;

static struct echoer *echoer_of(struct client *c)
{
    return (struct echoer *)(void *)c;
}

static void opened(struct client *c)
{
    bench_client_exec(c, c->shared->options->command);
}

static void set_alarm(void)
{
    const struct list *first = own.resting.next;
    struct loop *loop = &own.load->shared.loop;
    loop->wake_ns = first == &own.resting ? INT64_MAX : CONTAINER_OF(first, struct echoer, resting)->due_ns;
}

/* Nearly always behind the last one, since all have the same period. Whose message is due behind the end rests until
 * then. */
static void rest(struct echoer *e)
{
    struct list *after = own.resting.prev;
    int64_t until_ns = own.load->until_ns;
    e->due_ns = e->due_ns < until_ns ? e->due_ns : until_ns;
    while (after != &own.resting && CONTAINER_OF(after, struct echoer, resting)->due_ns > e->due_ns)
        after = after->prev;
    list_append(after->next, &e->resting);
    bench_client_expect(&e->prober.client, false);
    set_alarm();
}

/* Who rests when the time is over has a message due then, which is not sent. */
static void next(struct client *c)
{
    struct echoer *e = echoer_of(c);
    int64_t now_ns = nacre_clock_ns(), until_ns = own.load->until_ns;
    if (now_ns >= until_ns) {
        bench_load_end(c);
        return;
    }
    if (own.period_ns == 0) {
        bench_probe_send(c);
        return;
    }
    e->due_ns += own.period_ns;
    if (e->due_ns <= now_ns) {
        bench_probe_send(c);
        e->prober.sent_ns = e->due_ns;
        return;
    }
    rest(e);
}

/* What this process is late by is not the server's. */
static void wake(struct loop *loop)
{
    while (!list_is_empty(&own.resting)) {
        struct echoer *e = CONTAINER_OF(own.resting.next, struct echoer, resting);
        struct client *c = &e->prober.client;
        if (e->due_ns > loop->now_ns)
            break;
        list_remove(&e->resting);
        if (e->due_ns >= own.load->until_ns) {
            bench_load_end(c);
            continue;
        }
        bench_client_expect(c, true);
        bench_probe_send(c);
        bench_client_pump(c);
    }
    set_alarm();
}

/* The connections' first messages are spread over one period. */
static void first(struct client *c)
{
    struct echoer *e = echoer_of(c);
    const struct options *o = c->shared->options;
    if (o->rate == 0) {
        bench_probe_send(c);
        return;
    }
    e->due_ns = nacre_clock_ns() + (int64_t)(1e9 * c->number / o->rate);
    rest(e);
}

static void go(struct load *l)
{
    const struct options *o = l->shared.options;
    own.load = l;
    own.period_ns = o->rate == 0 ? 0 : (int64_t)(1e9 * o->connections / o->rate);
    l->shared.loop.wake = wake;
    list_init(&own.resting);
    bench_load_begin_all(l, first);
}

static void data(struct client *c, struct span bytes)
{
    struct tally *t = c->shared->tally;
    bool quiet = c->shared->options->mode == MODE_STORM && !own.load->storming;
    uint64_t took_ns;
    if (!bench_probe_take(c, bytes, &took_ns))
        return;
    bench_histogram_add(quiet ? &t->quiet : &t->latency, took_ns);
    tally_add(&t->operations, 1);
    next(c);
}

static void gone(struct client *c)
{
    struct echoer *e = echoer_of(c);
    if (e->resting.next != NULL) /* it has rested */
        list_remove(&e->resting);
    bench_load_gone(c);
}

const struct mode bench_echo = {
    .client_size = sizeof(struct echoer),
    .connects_first = true,
    .ops = {.logged_in = bench_client_open,
            .opened = opened,
            .running = bench_load_prepared,
            .data = data,
            .ended = bench_probe_ended,
            .gone = gone},
    .go = go,
};
