/* SPDX-License-Identifier: Apache-2.0 */
/* A server and a client connection joined in memory, with a clock that the test moves.
 *
 * Each side's events are kept as copies. The server's questions are answered from `struct side`: yes by default, or
 * left open for the test to answer. Works run inside the call. */
#ifndef TESTS_PAIR_H
#define TESTS_PAIR_H

#include "base/pool.h"
#include "ssh/conn.h"

enum {
    PAIR_EVENTS = 4096
};

/* A copy of an event; spans point into `bytes`. */
struct seen {
    struct conn_event event;
    uint8_t *bytes;
};

struct pair;

struct side {
    struct pair *pair;
    struct conn *conn;
    struct conn_config config;
    struct seen seen[PAIR_EVENTS];
    size_t seen_count;
    bool leaves_open[CONN_EVENT_TYPES]; /* questions to be answered later by the test */
    bool refuses[CONN_EVENT_TYPES];
    bool refuses_work; /* there is no memory for any */
    bool defers_work;  /* works go to `work` instead of running */
    struct work *work;
    bool echoes;     /* channel data is sent back */
    bool consumes;   /* channel data is given back at once */
    bool keeps_logs; /* CONN_LOG is kept like other events */
    uint64_t data_bytes;
    struct conn_answer answer; /* what is answered, `accept` apart */
    uint8_t *inbox;            /* bytes on their way to this side */
    size_t inbox_len, inbox_room;
};

struct pair {
    struct pool pool;
    struct nacre_crypto *crypto;
    struct key *host_key;
    struct key *more_keys[4]; /* of the host besides; set before pair_start(), freed with the pair */
    size_t more_count;
    struct side server, client;
    int64_t now_ns;
    size_t chunk; /* bytes a feed; 0: all there are */
};

/* Everything but started; change configs, then pair_start(). */
struct pair *pair_new(void);
void pair_start(struct pair *p);
void pair_free(struct pair *p);

/* Moves bytes until both sides are quiet. */
void pair_run(struct pair *p);

/* Moves what one side has to say into the other's inbox, without feeding it. */
void pair_carry(struct side *from, struct side *to);
void pair_feed(struct side *to);

/* Starts and logs in by password. */
void pair_login(struct pair *p);

/* Opens a session channel from the client; returns its number there (the server's is the same in a fresh pair). */
uint32_t pair_open(struct pair *p);

/* Sends a copy of the text on a channel. */
enum nacre_error pair_send(struct side *s, uint32_t channel, unsigned extended, const void *bytes, size_t len);

/* The n-th event of that type from 0, or NULL. */
const struct conn_event *side_event(const struct side *s, enum conn_event_type type, size_t n);
size_t side_count(const struct side *s, enum conn_event_type type);

/* Begins a new record of events. */
void side_forget(struct side *s);

#endif
