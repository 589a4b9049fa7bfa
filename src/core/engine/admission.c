/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/admission.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    CHAINS = 256, /* of a stripe: 16384 in all */
    SAY_SLOTS = 64,
};

static const int64_t say_source_ns = INT64_C(10000000000);
static const int64_t say_any_ns = INT64_C(50000000);

struct source_node {
    struct source_node *next;
    struct source source;
    unsigned connections;
    uint64_t hash;
};

void nacre_admission_init(struct admission *a)
{
    *a = (struct admission){.seed = {0}};
    uint64_t random[3];
    if (!nacre_entropy(random, sizeof random)) {
        random[0] = (uint64_t)nacre_clock_ns();
        random[1] = random[2] = random[0] ^ (uint64_t)(uintptr_t)a;
    }
    a->seed[0] = random[0];
    a->seed[1] = random[1];
    atomic_init(&a->dice, random[2]);
    for (unsigned i = 0; i < ADMISSION_STRIPES; i++)
        nacre_mutex_init(&a->stripes[i].lock);
}

void nacre_admission_destroy(struct admission *a)
{
    for (unsigned i = 0; i < ADMISSION_STRIPES; i++) {
        struct source_stripe *s = &a->stripes[i];
        for (unsigned n = 0; s->chains != NULL && n < CHAINS; n++)
            while (s->chains[n] != NULL) {
                struct source_node *node = s->chains[n];
                s->chains[n] = node->next;
                free(node);
            }
        free(s->chains);
        nacre_penalties_free(&s->penalties);
        nacre_mutex_destroy(&s->lock);
    }
}

static struct source_stripe *stripe_of(struct admission *a, uint64_t hash)
{
    return &a->stripes[hash % ADMISSION_STRIPES];
}

/* splitmix64 (Steele, Lea and Flood, 2014): fair dice are all that is asked of it. */
static uint32_t roll(struct admission *a)
{
    static const uint64_t golden = UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = atomic_fetch_add_explicit(&a->dice, golden, memory_order_relaxed) + golden;
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)(z ^ z >> 31);
}

/* ---- in and out ------------------------------------------------------------------------------------------------ */

/* The source's node; made when it is new. NULL: out of memory. */
static struct source_node *node_of(struct source_stripe *s, const struct source *source, uint64_t hash)
{
    if (s->chains == NULL)
        s->chains = calloc(CHAINS, sizeof *s->chains);
    if (s->chains == NULL)
        return NULL;
    struct source_node **chain = &s->chains[hash / ADMISSION_STRIPES % CHAINS];
    for (struct source_node *n = *chain; n != NULL; n = n->next)
        if (nacre_source_eq(&n->source, source))
            return n;
    struct source_node *made = malloc(sizeof *made);
    if (made == NULL)
        return NULL;
    *made = (struct source_node){.next = *chain, .source = *source, .hash = hash};
    *chain = made;
    return made;
}

static void drop_node(struct source_stripe *s, struct source_node *node)
{
    struct source_node **at = &s->chains[node->hash / ADMISSION_STRIPES % CHAINS];
    while (*at != node)
        at = &(*at)->next;
    *at = node->next;
    free(node);
}

static enum refusal enter_source(struct admission *a, const struct admission_rules *rules, const struct source *source,
                                 bool exempt, int64_t now_ns, struct admitted *out)
{
    uint64_t hash = nacre_source_hash(source, a->seed);
    struct source_stripe *s = stripe_of(a, hash);
    enum refusal why = REFUSED_NOT;
    nacre_mutex_lock(&s->lock);
    bool due = !exempt && rules->penalties.on && nacre_penalties_left(&s->penalties, source, hash, now_ns) != 0;
    if (due && rules->penalties.dry_run)
        atomic_fetch_add_explicit(&a->spared, 1, memory_order_relaxed);
    else if (due)
        why = REFUSED_PENALTY;
    struct source_node *node = why == REFUSED_NOT && rules->per_source != 0 ? node_of(s, source, hash) : NULL;
    if (node != NULL && !exempt && node->connections >= rules->per_source)
        why = REFUSED_PER_SOURCE;
    else if (node != NULL)
        node->connections++;
    nacre_mutex_unlock(&s->lock);
    out->node = why == REFUSED_NOT ? node : NULL;
    return why;
}

enum refusal nacre_admission_enter(struct admission *a, const struct admission_rules *rules,
                                   const struct source *source, bool exempt, int64_t now_ns, struct admitted *out)
{
    *out = (struct admitted){.is_startup = true};
    unsigned count = atomic_fetch_add_explicit(&a->startups, 1, memory_order_relaxed);
    enum refusal why = REFUSED_NOT;
    if (!exempt && rules->startups.full != 0 && count >= rules->startups.start &&
        nacre_startups_drop(&rules->startups, count, roll(a)))
        why = REFUSED_MAX_STARTUPS;
    if (why == REFUSED_NOT && source->size != 0 && admission_needs_source(rules))
        why = enter_source(a, rules, source, exempt, now_ns, out);
    if (why != REFUSED_NOT)
        nacre_admission_leave(a, out);
    return why;
}

void nacre_admission_logged_in(struct admission *a, struct admitted *in)
{
    if (in->is_startup)
        atomic_fetch_sub_explicit(&a->startups, 1, memory_order_relaxed);
    in->is_startup = false;
}

void nacre_admission_leave(struct admission *a, struct admitted *in)
{
    nacre_admission_logged_in(a, in);
    struct source_node *node = in->node;
    in->node = NULL;
    if (node == NULL)
        return;
    struct source_stripe *s = stripe_of(a, node->hash);
    nacre_mutex_lock(&s->lock);
    if (--node->connections == 0)
        drop_node(s, node);
    nacre_mutex_unlock(&s->lock);
}

bool nacre_admission_offend(struct admission *a, const struct penalty_rules *rules, const struct source *source,
                            enum offence offence, int64_t now_ns)
{
    if (!rules->on || source->size == 0)
        return false;
    uint64_t hash = nacre_source_hash(source, a->seed);
    struct source_stripe *s = stripe_of(a, hash);
    size_t places = (rules->max_sources + ADMISSION_STRIPES - 1) / ADMISSION_STRIPES;
    nacre_mutex_lock(&s->lock);
    bool out = nacre_penalties_add(&s->penalties, rules, places, source, hash, offence, now_ns);
    nacre_mutex_unlock(&s->lock);
    return out;
}

/* ---- what is said ---------------------------------------------------------------------------------------------- */

/* True for one caller once `due` has passed, which is then put off. */
static bool is_my_turn(_Atomic int64_t *due, int64_t now_ns, int64_t interval_ns)
{
    int64_t at = atomic_load_explicit(due, memory_order_relaxed);
    return at <= now_ns && atomic_compare_exchange_strong_explicit(due, &at, now_ns + interval_ns, memory_order_relaxed,
                                                                   memory_order_relaxed);
}

bool nacre_admission_refused(struct admission *a, enum refusal why, const struct source *source, int64_t now_ns,
                             uint64_t *unsaid)
{
    atomic_fetch_add_explicit(&a->refused[why], 1, memory_order_relaxed);
    uint64_t hash = nacre_source_hash(source, a->seed) + why;
    if (atomic_load_explicit(&a->say_any_ns, memory_order_relaxed) <= now_ns &&
        is_my_turn(&a->say_again_ns[hash % SAY_SLOTS], now_ns, say_source_ns) &&
        is_my_turn(&a->say_any_ns, now_ns, say_any_ns)) {
        *unsaid = atomic_exchange_explicit(&a->unsaid, 0, memory_order_relaxed);
        return true;
    }
    atomic_fetch_add_explicit(&a->unsaid, 1, memory_order_relaxed);
    return false;
}

void nacre_admission_figures(struct admission *a, char *text, size_t size)
{
    uint64_t n[REFUSALS];
    for (unsigned i = 0; i < REFUSALS; i++)
        n[i] = atomic_load_explicit(&a->refused[i], memory_order_relaxed);
    (void)snprintf(text, size,
                   "max-connections=%" PRIu64 " max-startups=%" PRIu64 " per-source=%" PRIu64 " penalty=%" PRIu64
                   " memory=%" PRIu64 " penalty-dry-run=%" PRIu64,
                   n[REFUSED_MAX_CONNECTIONS], n[REFUSED_MAX_STARTUPS], n[REFUSED_PER_SOURCE], n[REFUSED_PENALTY],
                   n[REFUSED_MEMORY], atomic_load_explicit(&a->spared, memory_order_relaxed));
}
