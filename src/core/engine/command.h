/* SPDX-License-Identifier: Apache-2.0 */
/* Commands: what the application asks of a worker. A command names its target by id; one that is gone by the time makes
 * it a no-op. */
#ifndef ENGINE_COMMAND_H
#define ENGINE_COMMAND_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/plat.h"
#include "base/pool.h"
#include "engine/io.h"
#include "nacre/nacre.h"

struct shard;
struct profile;
struct work;
struct event;

enum command_type {
    COMMAND_SECLUDE,    /* data: descriptors to keep; result: why not waits */
    COMMAND_LISTEN,     /* socket, unless it came by the shard's way  waits */
    COMMAND_UNLISTEN,   /*                                            waits */
    COMMAND_ACCEPT,     /* socket, the same: accepted by another worker */
    COMMAND_PROFILE,    /* profile: for connections from now on       */
    COMMAND_DISCONNECT, /* connection                                 */
    COMMAND_SHUTDOWN,   /* every connection                           */
    COMMAND_REKEY,      /* connection                                 */
    COMMAND_PROMPTS,    /* connection, text: prompts in the class's form */
    COMMAND_BANNER,     /* connection, text                           */
    COMMAND_OPEN,       /* connection, kind; result: channel id       waits */
    COMMAND_ANSWER,     /* connection, serial, answer                 waits */
    COMMAND_SEND,       /* channel, block, number = extended          */
    COMMAND_EOF,        /* channel                                    */
    COMMAND_CLOSE,      /* channel                                    */
    COMMAND_REQUEST,    /* channel, kind, data, number = want reply   */
    COMMAND_PAYLOAD,    /* connection, data: a payload from its number on */
    COMMAND_WORK,       /* connection, work: has been run             */
    COMMAND_KEY,        /* connection, key or error with text         */
    COMMAND_RESOLVED,   /* tunnel, serial: its connection's id, error, data: struct sock_addresses */
    COMMAND_STOP,
};

/* Where a caller that waits for its command gets the result. Lives on the caller's stack. */
struct command_result {
    bool done; /* under the inbox lock */
    enum nacre_error error;
    int64_t id;
    const char *why; /* COMMAND_SECLUDE: what stands in the way */
};

struct command {
    struct command *next;
    enum command_type type;
    bool lent;            /* the memory is not the inbox's to free */
    atomic_bool unwanted; /* COMMAND_RESOLVED, relaxed: nobody waits for the look-up any more, so it need not begin */
    int64_t id;
    uint64_t serial;
    unsigned number;
    io_socket socket;
    struct block *block;
    struct profile *profile;
    struct work *work;
    struct key *key;
    struct key *host_certificate; /* `key` in it */
    enum nacre_error error;
    struct nacre_answer_copy *answer;
    struct command_result *result;
    char *kind; /* malloc'd with the command: both strings lie behind it */
    const uint8_t *data;
    size_t data_len;
};

/* An answer whose strings are copies. */
struct nacre_answer_copy {
    bool accept, partial_success, no_touch_required, verify_required;
    int port;
    uint32_t reason;
    char *methods, *change_prompt;
    struct cert_choice *cert;
};

struct nacre_answer_copy *nacre_answer_copy_new(const struct nacre_answer *answer); /* NULL: out of memory */
void nacre_answer_copy_free(struct nacre_answer_copy *a);                           /* NULL is allowed */

/* A cleared command with copies of `kind` and `data` behind it. NULL: out of memory. Any thread. */
struct command *nacre_command_new(enum command_type type, int64_t id, const char *kind, const void *data,
                                  size_t data_len);
void nacre_command_free(struct command *c);

/* Hands a command to the worker and wakes it when it sleeps; always taken. Any thread. */
void nacre_inbox_put(struct shard *s, struct command *c);

/* The same for what an application may repeat without end: WOULDBLOCK, and the command freed, when too many wait. Any
 * thread. */
enum nacre_error nacre_inbox_offer(struct shard *s, struct command *c);

/* nacre_inbox_put() under the inbox lock, which the caller holds; true: call s->ops->wake() after unlocking. Any
 * thread. */
bool nacre_inbox_put_locked(struct shard *s, struct command *c);

/* True when nacre_inbox_offer() would refuse. Under the inbox lock. */
bool nacre_inbox_is_full(const struct shard *s);

/* A connection or channel is marked with what is due where there was no command to say so. Under the inbox lock; true:
 * call s->ops->wake() after unlocking. Any thread. */
bool nacre_inbox_mark_locked(struct shard *s);

/* Hands a command over and waits until the worker has carried it out. Not on a worker's thread. */
enum nacre_error nacre_inbox_ask(struct shard *s, struct command *c, int64_t *id);

/* The same; *why is static text or NULL. */
enum nacre_error nacre_inbox_ask_why(struct shard *s, struct command *c, int64_t *id, const char **why);

/* Who has to look at events that come back, and when. */
enum haste {
    HASTE_NONE,  /* all are calm: the worker, when it looks next, or when there are many */
    HASTE_LIGHT, /* all are channel data: whoever can */
    HASTE_HEAVY  /* the worker */
};

/* Gives a chain of `count` finished events of one connection back. True: the worker is to be woken. Any thread. */
bool nacre_inbox_done(struct shard *s, struct event *first, struct event **last, unsigned count, enum haste haste);

/* Shard thread: carries out everything that waits. */
void nacre_inbox_run(struct shard *s);

/* Shard thread: the same if nothing but sends and events of channel data wait; false: it has done nothing. */
bool nacre_inbox_run_light(struct shard *s);

#endif
