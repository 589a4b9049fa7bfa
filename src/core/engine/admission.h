/* SPDX-License-Identifier: Apache-2.0 */
/* Who is let in: what all workers count together. Connections of a source, those that have not logged in, penalties,
 * and what was refused.
 *
 * Sources lie in stripes, each with a lock that is taken once at accept and once at close, and not at all while no
 * limit looks at sources. A source has a node only while it has connections; penalties have a table of fixed size. Any
 * thread.
 */
#ifndef ENGINE_ADMISSION_H
#define ENGINE_ADMISSION_H

#include <stdatomic.h>

#include "base/plat.h"
#include "engine/admission_rules.h"

enum {
    ADMISSION_STRIPES = 64
};

enum refusal {
    REFUSED_NOT,
    REFUSED_MAX_CONNECTIONS,
    REFUSED_MAX_STARTUPS,
    REFUSED_PER_SOURCE,
    REFUSED_PENALTY,
    REFUSED_MEMORY,
    REFUSALS
};

/* All of the settings that concern it; part of a profile. */
struct admission_rules {
    struct startup_rules startups;
    struct block_rules blocks;
    struct penalty_rules penalties;
    unsigned per_source; /* 0: no limit */
};

struct source_node;

/* What a connection that was let in is counted as, to be given back when its socket is gone. */
struct admitted {
    struct source_node *node; /* NULL: not counted by source */
    bool is_startup;
};

struct source_stripe {
    plat_mutex lock;             /* protects what follows */
    struct source_node **chains; /* made with the first source */
    struct penalties penalties;
};

struct admission {
    uint64_t seed[2];                   /* written once */
    _Atomic unsigned startups;          /* relaxed: a count */
    _Atomic uint64_t dice;              /* relaxed: the state of a generator; a race costs it a number */
    _Atomic uint64_t refused[REFUSALS]; /* relaxed: figures */
    _Atomic uint64_t spared;            /* relaxed: would have been refused, but for dry-run */
    _Atomic uint64_t unsaid;            /* relaxed: refusals since the last that was reported */
    _Atomic int64_t say_again_ns[64];   /* relaxed: a source is reported again from then on; by hash */
    _Atomic int64_t say_any_ns;         /* relaxed: from then on anything is reported */
    struct source_stripe stripes[ADMISSION_STRIPES];
};

void nacre_admission_init(struct admission *a);
void nacre_admission_destroy(struct admission *a);

/* True: limits of a source are on, so `source` has to be known. */
static inline bool admission_needs_source(const struct admission_rules *rules)
{
    return rules->per_source != 0 || rules->penalties.on;
}

/* Counts a connection in, or says why not. `exempt`: only counted, never refused. */
enum refusal nacre_admission_enter(struct admission *a, const struct admission_rules *rules,
                                   const struct source *source, bool exempt, int64_t now_ns, struct admitted *out);

/* It has logged in: no startup any more. */
void nacre_admission_logged_in(struct admission *a, struct admitted *in);

/* Its socket is gone. */
void nacre_admission_leave(struct admission *a, struct admitted *in);

/* An offence of a source that is not exempt. True: it is kept out (or would be, in a dry run) from now on. */
bool nacre_admission_offend(struct admission *a, const struct penalty_rules *rules, const struct source *source,
                            enum offence offence, int64_t now_ns);

/* Counts a refusal. True: it should be reported; *unsaid is how many were not since the last one that was. A source is
 * reported once in 10 seconds, and all of them together 20 times a second at most. */
bool nacre_admission_refused(struct admission *a, enum refusal why, const struct source *source, int64_t now_ns,
                             uint64_t *unsaid);

/* The figures as text: "max-connections=0 max-startups=0 ...". */
void nacre_admission_figures(struct admission *a, char *text, size_t size);

#endif
