/* SPDX-License-Identifier: Apache-2.0 */
/* One process of the load: its connections, and the gates at which all processes wait for each other.
 *
 *   connect ... prepared ->| GO |-> measured work ... done ->| CLOSE |-> close all, exit
 *                                 storm: ... | STORM | ...
 *
 * The parent opens a gate by a byte on the process's channel (process.h), and a process says there how far it is. So
 * what is measured starts in all processes at once, and the parent can look at the server while every connection is
 * still open. */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include "client.h"

enum gate {
    GATE_GO,
    GATE_STORM, /* storm: logins begin beside what is measured */
    GATE_CLOSE,
    GATES
};
enum {
    LOAD_PREPARED = 'p',
    LOAD_DONE = 'd'
}; /* what a process says */

struct load;

struct mode {
    size_t client_size;  /* of a connection's state, which begins with its struct client */
    bool connects_first; /* before the gate GO opens; else the mode starts clients itself */
    struct client_ops ops;
    void (*go)(struct load *l);
    void (*storm)(struct load *l); /* the gate STORM opens; NULL: nothing to do */
};

struct load {
    struct client_shared shared;
    const struct mode *mode;
    unsigned first, count; /* numbers of this process's connections */
    uint64_t share;        /* of --total */
    uint64_t begun;        /* handshake: attempts so far */
    unsigned char *clients;
    unsigned started, prepared, busy, alive;
    bool going, done, closing;
    bool storming;         /* the gate STORM is open */
    bool waits_for_storm;  /* not done before it opens */
    int64_t until_ns;      /* INT64_MAX: the total decides */
    struct timer deadline; /* attack */
    struct watch channel;  /* to the parent */
    bool orphaned;         /* which has ended */
};

extern const struct mode bench_handshake, bench_echo, bench_bulk, bench_idle, bench_storm_logins, bench_attack;

/* What the parent gives to each process. */
struct load_start {
    const struct options *options;
    struct nacre_crypto *crypto;
    struct key *key;
    struct tally *tally;
    unsigned process;
    bool storms; /* the process that logs in beside the others */
    plat_socket channel;
};

/* Runs the process to its end; returns its exit status. */
int bench_load_run(const struct load_start *start);

static inline struct load *load_of(const struct client *c)
{
    return (struct load *)c->shared->load;
}

static inline struct client *load_client(const struct load *l, unsigned i)
{
    return (struct client *)(void *)(l->clients + (size_t)i * l->mode->client_size);
}

/* How much of `total` belongs to the connections below number `n`: shares differ by one at most and add up exactly. */
uint64_t bench_share_below(const struct options *o, unsigned n);

void bench_load_connect(struct load *l, unsigned i);

/* A client is ready for the measurement. */
void bench_load_prepared(struct client *c);

/* A client takes part in the measurement; its part is over. */
void bench_load_begin(struct client *c);
void bench_load_end(struct client *c);

/* The go() of modes that connect first: every client that is ready takes part, and first() is what it does first. */
void bench_load_begin_all(struct load *l, void (*first)(struct client *c));

/* To be called when no client is busy and none will be: tells the parent. */
void bench_load_check_done(struct load *l);

/* The gone() of modes that have nothing to add. */
void bench_load_gone(struct client *c);

/* For the gone() of modes in which one client follows another: returns the place that is free for the next one. */
unsigned bench_load_vacate(struct client *c);

#endif
