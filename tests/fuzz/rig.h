/* SPDX-License-Identifier: Apache-2.0 */
/* A connection under fuzzing, or two joined in memory: what the application would do is decided by the input, and what
 * every application relies on is checked: events of live channels alone (rule R37), a login only after a yes, an end
 * that is told once. */
#ifndef FUZZ_RIG_H
#define FUZZ_RIG_H

#include "base/buf.h"
#include "fuzz/fuzz.h"
#include "fuzz/input.h"
#include "ssh/conn.h"

enum {
    RIG_CHANNELS = 16,
    RIG_SERIALS = 8,
    RIG_WIRE_MAX = 8 << 20,
};

struct rig;

struct rig_side {
    struct rig *rig;
    struct conn *conn;
    struct conn_config config;
    bool asked[RIG_CHANNELS];      /* channels that are being opened, or were refused */
    bool live[RIG_CHANNELS];       /* channels that are open */
    size_t unread[RIG_CHANNELS];   /* bytes to be given back */
    uint64_t serials[RIG_SERIALS]; /* questions left open */
    unsigned serial_count;
    struct work *work; /* not yet run */
    bool ended, logged_in, said_yes;
    bool is_deaf;  /* the far end does not read */
    bool own_mind; /* questions are answered by `says` and not out of the input */
    uint8_t says;
    struct buf wanted; /* client: keys that it wants to be proved */
    struct buf out;    /* sealed bytes on their way out */
    uint64_t sum;      /* every byte of every event is read into it */
};

struct rig {
    struct pool pool;
    struct input *in;
    int64_t now_ns;
    struct key *host_keys[FUZZ_KEYS]; /* the server's; by rig_init() one */
    size_t host_key_count;
    struct rig_side server, client;
};

/* The application's side of a connection: its context is a rig_side. */
extern const struct conn_sink rig_sink;

void rig_init(struct rig *r, struct input *in);
void rig_free(struct rig *r);

/* Starts one side; what its peer would hear waits in `out`. */
void rig_start(struct rig *r, struct rig_side *s);

/* As if keys had been exchanged, without any: what follows is plain. rig_skip_login(): as if "user" had logged in. */
void rig_skip_kex(struct rig_side *s);
void rig_skip_login(struct rig_side *s);

/* What the side has received; nothing is kept of what it does not take. */
void rig_feed(struct rig_side *s, struct span bytes);

/* A payload in a packet without protection. */
void rig_feed_payload(struct rig_side *s, struct span payload);

/* Both sides hear each other until they are silent. */
void rig_join(struct rig *r);

/* Takes what the side has to say into `out`; what `out` held before is forgotten by rig_discard(). */
void rig_drain(struct rig_side *s);
void rig_discard(struct rig_side *s);

enum {
    ACTIONS_FROM = 0xe0 /* bytes from here on are actions, below it message numbers */
};

enum rig_action {
    RIG_ANSWER,
    RIG_WORK,
    RIG_READ,
    RIG_WAIT,
    RIG_OPEN,
    RIG_SEND,
    RIG_SEND_MUCH,
    RIG_EOF,
    RIG_CLOSE,
    RIG_REQUEST,
    RIG_GLOBAL,
    RIG_REKEY,
    RIG_DEAF,
    RIG_HEAR,
    RIG_PING,
    RIG_LOGIN,
    RIG_PAYLOAD,
    RIG_FIN,
    RIG_LEAVE,
    RIG_ACTIONS
};

/* What the application or the time does next, by a byte of the input and what follows it. */
void rig_act(struct rig_side *s, uint8_t action);

/* A message number and a body out of the input, as a payload in `room`. */
struct span rig_payload(struct rig *r, uint8_t number, uint8_t *room, size_t size);

#endif
