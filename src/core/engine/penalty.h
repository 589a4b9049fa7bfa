/* SPDX-License-Identifier: Apache-2.0 */
/* What a source has coming to it for misbehaving: a time until which it is not let in.
 *
 * Each offence adds its time to what is left, which passes by itself; below a minimum nothing happens, above a maximum
 * no more is added. The table has a fixed size: eight places a set, and in a full set the one whose time is over first
 * makes room. So remembering offenders costs the same whatever they do. One thread at a time. */
#ifndef ENGINE_PENALTY_H
#define ENGINE_PENALTY_H

#include "engine/source.h"

enum offence {
    OFFENCE_AUTHFAIL, /* left or was thrown out after a login that failed */
    OFFENCE_NOAUTH,   /* left without having tried to log in */
    OFFENCE_GRACE,    /* took longer than LoginGraceTime */
    OFFENCE_PROTOCOL, /* broke the protocol before login */
    OFFENCES
};

/* PerSourcePenalties, taken apart. */
struct penalty_rules {
    bool on, dry_run;
    unsigned max_sources;
    int64_t ns[OFFENCES];
    int64_t min_ns, max_ns;
};

struct penalty {
    struct source source;
    bool active;    /* it has reached the minimum */
    int64_t due_ns; /* over by then */
};

struct penalties {
    struct penalty *sets; /* made with the first offence */
    size_t set_count;
};

void nacre_penalties_free(struct penalties *p);

/* Adds an offence; without memory it is forgotten. `places`: how many sources to remember. True: the source has just
 * come to be kept out. */
bool nacre_penalties_add(struct penalties *p, const struct penalty_rules *rules, size_t places,
                         const struct source *source, uint64_t hash, enum offence offence, int64_t now_ns);

/* How long the source is still kept out; 0: it is not. */
int64_t nacre_penalties_left(const struct penalties *p, const struct source *source, uint64_t hash, int64_t now_ns);

#endif
