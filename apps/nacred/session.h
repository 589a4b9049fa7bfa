/* SPDX-License-Identifier: Apache-2.0 */
/* A session channel: RFC 4254 section 6.
 *
 *   opened --exec/shell/subsystem--> a child (child_session.c), or a command answered here (bench_commands.c)
 *   child ended, its output sent --> eof, exit status, close --> closed by the peer
 *   closed by the peer before    --> hang-up to the child, and wait for its end
 *
 * A session lives as long as its channel is in the table or its child in the loop: one reference each. */
#ifndef NACRED_SESSION_H
#define NACRED_SESSION_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "app.h"
#include "child.h"
#include "environment.h"
#include "idmap.h"
#include "loop.h"
#include "nacre/nacre.h"
#include "peers.h"
#include "pty.h"
#include "queue.h"

/* What the channel was opened for. Set once, by the first request that asks for something. */
enum session_work {
    WORK_NONE,
    WORK_SHELL,
    WORK_EXEC,
    WORK_SFTP,
    WORK_BENCH_ECHO,
    WORK_BENCH_SINK,
    WORK_BENCH_SOURCE,
};

struct session;

/* One output of a child on its way to the channel. */
struct output {
    struct watch watch;
    struct session *session;
    bool is_stderr;
    bool ended;          /* nothing more comes from the child */
    struct queue unsent; /* read from the child, not taken by the channel; the child is not read meanwhile */
};

struct session {
    struct idmap_node node; /* by channel id */
    struct app *app;
    nacre_channel_id id;
    atomic_int references; /* acquire-release: who drops the last one frees what others wrote */

    /* Event handlers of the connection only, which never overlap. */
    struct session *next_of_peer;
    enum session_work work;
    struct terminal *terminal; /* NULL: none asked for */
    struct environment environment;
    char *command;
    uint64_t source_left;
    struct queue echo_unsent;
    bool bench_ended; /* the client has sent its eof */
    bool bench_done;
    struct seats *seats; /* the connection's */

    pthread_mutex_t lock; /* protects everything below */
    struct peer *peer;    /* NULL once the channel is closed */
    bool paused;          /* the channel: no more data comes from it */
    bool counted;         /* among app->processes */
    bool has_child;
    bool exited;
    bool finished; /* the channel was told how the child ended */
    struct process process;
    struct child_end how; /* once exited */
    bool on_terminal;
    bool input_ended; /* the client has sent its eof */
    struct queue input_unsent;
    struct watch input;
    struct watch end; /* of the process */
    struct output outputs[2];
    struct post hang_up;
    struct post drain;
    struct post drop;

    /* app->children_lock. */
    struct session *next_child, **link_of_child;
};

/* Table and life. `peer` gets the session into its list. False, with *full: it has --max-sessions of them. */
bool nacred_session_open(struct app *app, struct peer *peer, nacre_channel_id id, bool *full);
struct session *nacred_session_find(struct app *app, nacre_channel_id id);
void nacred_session_release(struct session *session);

/* The process is no more, or will never be. The session's lock is held. */
void nacred_session_uncount(struct session *session);

/* The channel is gone, or its connection is. */
void nacred_session_close(struct session *session);

/* Channel requests: whether it succeeds, and then what it starts. */
bool nacred_session_request(struct session *session, const char *type, const uint8_t *packet, size_t len);
void nacred_session_start(struct session *session, const char *type);

/* What comes from the channel. */
void nacred_session_data(struct session *session, const uint8_t *data, size_t len);
void nacred_session_eof(struct session *session);
void nacred_session_ready(struct session *session);

#endif
