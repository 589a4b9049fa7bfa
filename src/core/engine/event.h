/* SPDX-License-Identifier: Apache-2.0 */
/* An event on its way from a worker to a handler and back.
 *
 *   worker: nacre_event_new, fill            -> connection's fresh list
 *   worker: nacre_outbox_publish             -> connection's queue (outbox lock), connection on the ready list
 *   caller of do_events: take, run handler   -> the answer is written into the event
 *   caller: nacre_inbox_done                 -> back at the worker: applies answer, gives window, keeps the event for
 * reuse
 *
 * An event has one owner at a time and is never copied. Short contents lie inside it; long ones in a block it
 * references. */
#ifndef ENGINE_EVENT_H
#define ENGINE_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/pool.h"
#include "base/span.h"
#include "nacre/nacre.h"

struct connection;
struct channel;
struct shard;

enum event_type {
#define EV(name, NAME, decision) EVENT_##NAME,
#include "nacre/events.def"
#undef EV
    EVENT_TYPES
};

enum {
    EVENT_TEXTS = 4,
    EVENT_INLINE = 320
};

struct event {
    struct event *next;
    struct connection *connection; /* a slot stays in memory: the pointer is good even when the connection is gone;
                                      NULL: the shard's */
    struct channel *channel;
    enum event_type type;
    bool answered; /* set by the worker side before queuing when nobody is to be asked */
    bool accept;   /* preset, then the handler's answer */
    bool partial;
    bool deferred;
    bool verified;
    bool user_present, user_verified;        /* what a security key says */
    bool no_touch_required, verify_required; /* of the answer */
    bool secret;                             /* wipe when done */
    bool want_reply;
    bool is_path; /* a tunnel's address */
    bool calm;    /* nobody waits for it to come back: not its peer for the window, nor the worker for the memory */
    int64_t connection_id, channel_id;
    uint64_t serial; /* of the question */
    int code;        /* error, status or data type code; log level */
    int port;
    uint32_t number;               /* a tunnel's: the conn's channel */
    uint32_t reason;               /* of the answer: why a channel is refused */
    const char *text[EVENT_TEXTS]; /* in the order of the event struct's strings; "" when absent */
    const uint8_t *data;           /* NUL-terminated when it is a string */
    size_t data_len;
    const char *new_password;                                            /* NULL: none */
    const char *client_host, *client_user;                               /* NULL: not hostbased */
    const char *certificate_id, *certificate_extensions, *force_command; /* NULL: no certificate; none in it */
    const char *certificate_principals;                                  /* with certificate_id */
    struct span certificate_authority;
    uint64_t certificate_serial;
    bool certified;           /* it is for this user, by an authority that is trusted */
    char *methods;            /* available_methods of the answer; malloc'd */
    char *change_prompt;      /* of the answer; malloc'd */
    struct cert_choice *cert; /* on_connected's answer; malloc'd */
    struct block *block;      /* holds data, or the strings */
    size_t used;              /* of room[] */
    uint32_t cost;            /* bytes it counts as while it is out */
    char room[EVENT_INLINE];
};

/* A key chosen in on_connected: everything copied. */
struct cert_choice {
    int type;
    char *store;
    size_t store_len;
    char *password;
    char *subject;
    char *host_certificate; /* NULL: none */
};

/* A cleared event of the shard, or NULL. `bytes` is how much nacre_event_keep() will need at least. Shard thread. */
struct event *nacre_event_new(struct shard *s, enum event_type type, size_t bytes);

/* Copies `s` into the event's room, with a NUL behind it. NULL only when more is asked than nacre_event_new() was told.
 */
const char *nacre_event_keep(struct event *e, struct span s);

/* Adds bytes to an event of short channel data that nobody has looked at yet, when they are of the same channel and
 * kind and there is room: a peer that sends many small packets shall not cost an event each. */
bool nacre_event_append(struct event *e, int64_t channel_id, int code, struct span data);

/* The same with the bytes of another event. */
bool nacre_event_merge(struct event *e, const struct event *more);

/* Gives the event back for reuse. Shard thread. */
void nacre_event_free(struct shard *s, struct event *e);

/* Frees the events that are kept to be used again. */
void nacre_event_free_kept(struct shard *s);

/* Frees those of them that nobody has taken since the last time. True: some stay. Shard thread. */
bool nacre_event_tidy(struct shard *s);

/* Copies everything; `store_len` 0: `store` is a string. NULL: out of memory. */
struct cert_choice *nacre_cert_choice_new(int type, const void *store, size_t store_len, const char *password,
                                          const char *subject, const char *host_certificate);
void nacre_cert_choice_free(struct cert_choice *c); /* NULL is allowed */

#endif
