/* SPDX-License-Identifier: Apache-2.0 */
/* One connection of the load: a socket and nacre's client role, driven by the loop of its process. Logs in and tells
 * its mode. */
#ifndef BENCH_CLIENT_H
#define BENCH_CLIENT_H

#include "base/buf.h"
#include "base/list.h"
#include "base/pool.h"
#include "loop.h"
#include "options.h"
#include "ssh/conn.h"
#include "tally.h"

struct client;

/* What a mode hears, inside the loop. It may call the functions below on any client at any time. NULL members are not
 * called. */
struct client_ops {
    bool (*ready)(struct client *c); /* keys are there; false: no login */
    void (*logged_in)(struct client *c);
    void (*opened)(struct client *c);  /* the session channel is open */
    void (*running)(struct client *c); /* the command was accepted */
    void (*data)(struct client *c, struct span data);
    void (*sent)(struct client *c,
                 size_t bytes);      /* so many bytes of bench_client_send() have been sealed; there is room */
    void (*ended)(struct client *c); /* the server's EOF or close, whichever comes; may come twice */
    bool (*idle)(struct client *c);  /* all is sent: may send more; true when it did */
    void (*cut)(struct client *c);   /* send_limit bytes are sent */
    /* A load that means ill: nothing that happens counts as a failure, and it hears everything first. True: that was
     * all. */
    bool (*heard)(struct client *c, const struct conn_event *e);
    void (*gone)(struct client *c); /* last; client.failure says how. The struct may be started again */
};

/* What all connections of a process share. */
struct client_shared {
    struct loop loop;
    const struct options *options;
    const struct client_ops *ops;
    struct tally *tally;
    struct conn_config config;
    struct nacre_crypto *crypto;
    struct key *key; /* NULL: password */
    struct pool pool;
    uint8_t *scratch; /* CLIENT_SCRATCH bytes that every read goes to */
    struct list dead; /* to be freed when the batch of events is over */
    void *load;       /* the mode's side */
};

enum {
    CLIENT_SCRATCH = 512 * 1024
};

enum client_stage {
    CLIENT_UNUSED,
    CLIENT_CONNECTING,
    CLIENT_KEX,
    CLIENT_LOGIN,
    CLIENT_READY,
    CLIENT_ENDING
};

struct client {
    struct watch watch;
    struct timer timer;
    struct list link; /* in shared->dead, else alone */
    struct client_shared *shared;
    struct conn *conn;
    struct buf rest; /* received and not yet used */
    bool held;       /* the rest waits for the connection, not for more bytes */
    bool waiting;    /* the server owes us something: the time-out counts */
    bool finishing;  /* we have ended it ourselves */
    bool closed;     /* the channel was, by the server */
    bool counted;    /* in tally.open */
    bool prepared;   /* load.c: has come as far as it should before the measurement, or has failed on the way */
    bool busy;       /* load.c: has a part in the measurement that is not over */
    enum client_stage stage;
    enum failure failure;
    bool deaf;         /* does not read */
    size_t send_limit; /* bytes that go out at most; SIZE_MAX: all */
    unsigned number;   /* over all processes */
    uint32_t channel;
    int exit_status; /* of the command; -1: not known */
    int64_t started_ns;
    int64_t progress_ns;
    char complaint[96]; /* what the command wrote to its standard error, or the server's last words */
};

/* Connects. Failures come as gone(), never from inside this call. */
void bench_client_start(struct client *c, struct client_shared *s, unsigned number);

void bench_client_open(struct client *c);
void bench_client_exec(struct client *c, const char *command);

/* Takes over the reference. */
void bench_client_send(struct client *c, struct block *block);
void bench_client_send_eof(struct client *c);

/* Ends the connection, in order or for a reason that is counted. gone() follows, from outside this call. */
void bench_client_finish(struct client *c);
void bench_client_fail(struct client *c, enum failure kind, const char *reason);

/* Ends it as a process that is killed does. gone() follows. */
void bench_client_drop(struct client *c);

/* Writes what is queued; to be called after use of a client from outside its own callbacks. */
void bench_client_pump(struct client *c);

/* Frees what has ended; for bench_loop_run(). */
void bench_client_bury(struct client_shared *s);

/* The peer owes us something from now on (or nothing). */
void bench_client_expect(struct client *c, bool waiting);

/* A block of `size` bytes for bench_client_send(), its length set, or NULL after failing the client. */
struct block *bench_client_block(struct client *c, size_t size);

#endif
