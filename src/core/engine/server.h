/* SPDX-License-Identifier: Apache-2.0 */
/* The server: settings, keys, handlers, and the shards. */
#ifndef ENGINE_SERVER_H
#define ENGINE_SERVER_H

#include <stdatomic.h>

#include "engine/access.h"
#include "engine/offload.h"
#include "engine/profile.h"
#include "engine/shard.h"
#include "nacre/nacre.h"

enum {
    ALT_CERTS_MAX = PROFILE_CERTS_MAX - 1,
    USER_AUTHORITIES_MAX = 1 << 20
};

/* One set of the class's certificate properties and the key they led to. */
struct cert {
    int type;
    char *store; /* owned; NULL: the default "MY" */
    size_t store_len;
    char *password, *subject;
    struct key *key;
    struct key *host_certificate; /* the key again in its OpenSSH certificate; NULL: none */
    struct buf certificate;       /* DER of the X.509 certificate beside the key; empty: none */
};

/* A caller of do_events that sleeps, on its stack. */
struct waiter {
    struct waiter *next;
    struct shard *rides; /* it waits there for the kernel (engine/wheel.h); NULL: in its place */
    bool called;         /* under ready_lock: it was taken from the list */
    plat_park place;
};

struct nacre_server {
    /* Protects what follows up to `handlers`. Taken before any shard's locks; held while waiting for a worker when
     * listening starts or stops, and no worker takes it. */
    plat_mutex lock;
    struct nacre_crypto *crypto;
    struct settings settings;
    struct cert certs[1 + ALT_CERTS_MAX]; /* 0: ssh_cert_*; then AltSSHCert */
    int alt_count;
    struct prompt prompts[PROMPTS_MAX];
    int prompt_count;
    char algorithm_profile[16];
    char *allowed, *blocked; /* AllowedClients and BlockedClients with names looked up; NULL: as they are set */
    struct buf user_authorities, known_authorities; /* "string blob" each */
    char uid[17];                                   /* what every ConnectionUID begins with; written once */
    bool listening;
    bool is_paced; /* what nacre_sock_paces() said when it began to listen */
    int bound_port;
    io_socket *listeners;
    unsigned listener_count;

    /* Written while there are no connections and none can come, read-only else; shards stay until nacre_free(). */
    struct nacre_handlers handlers;
    void *context;
    const char *io_asked; /* static: a back end's name or "auto"; NULL: the default one */
    const struct io_backend *ops;
    struct limit_plan plan; /* what the shards go by */
    struct shard *shards;
    _Atomic unsigned shard_count; /* release when the shards stand, acquire to reach them */
    _Atomic int select_wait_ms;   /* relaxed copies of settings that do_events and sends read */
    _Atomic bool process_idle_events;
    _Atomic int code_page;

    /* Any thread, and written all the time: on other lines than what is above, which all threads read. */
    _Alignas(64) struct offload offload, lookups;
    struct admission admission;
    struct budget memory;       /* MemoryLimit */
    _Atomic int64_t patient_ns; /* relaxed: since when patience is had with those who hold much; 0: it was not needed */
    _Atomic int64_t enough_ns;  /* relaxed: since when it has not been needed; 0: it is */
    _Atomic int64_t kept_out_ns; /* relaxed: when somebody was last refused for want of memory */
    _Atomic unsigned
        connection_count; /* relaxed: accepted and not yet gone; for MaxConnections and ssh_connection_count */
    _Atomic unsigned channel_count; /* relaxed: a figure */
    _Atomic unsigned own_events;    /* of no connection, and not yet worked off; release when one has been */

    /* do_events. */
    _Alignas(64) _Atomic unsigned turn; /* relaxed: where the next one starts, so that shards take turns */
    _Atomic unsigned busy;              /* relaxed: the shard that last had an event; a hint */
    _Atomic unsigned ready;    /* seq_cst with `waiters`: who adds sees who waits, or who waits sees what was added */
    _Atomic unsigned waiters;  /* seq_cst, see `ready`; how many `waiting` are */
    plat_mutex ready_lock;     /* protects the next two, and the handle */
    struct waiter *waiting;    /* who sleeps, the last to do so first: its memory is the warmest */
    _Atomic unsigned woken;    /* of `waiters` no more, but on their way; seq_cst: who takes itself out sees what those
                                  added that saw it */
    _Atomic intptr_t event_fd; /* -1 before it was asked for; written under ready_lock, seq_cst with `ready` */
    bool event_fd_set;         /* readable; under ready_lock */
    intptr_t event_fd_spare;   /* open already for when it is asked for; -1: it is not */
};

/* `count` more connections of the shard have become ready: wakes callers that wait. Any thread. */
void nacre_server_ready(const struct shard *s, unsigned count);

/* The same in two steps. */
void nacre_server_count(struct nacre_server *server, unsigned count);
void nacre_server_wake(const struct shard *s);

/* Events are ready, and nobody who could take them sleeps. A hint. Any thread. */
bool nacre_server_is_behind(const struct nacre_server *server);

/* Wakes all that wait, whatever there is to do. Any thread. */
void nacre_server_wake_all(const struct shard *s);

/* One ready connection has been taken. Any thread. */
void nacre_server_taken(struct nacre_server *server);

/* The shard an id belongs to, or NULL. Any thread. */
struct shard *nacre_server_shard(struct nacre_server *server, int64_t id);

/* Makes a profile from the present settings; NULL: out of memory. The server's lock is held. */
struct profile *nacre_server_profile(struct nacre_server *server);

/* Sends what the server goes by now to the shards, when there are any. On failure (NOBUFS) none has been told, and the
 * caller puts back what it had changed. The server's lock is held. */
enum nacre_error nacre_server_changed(struct nacre_server *server);

/* Exchanges the settings with `*next` and tells the shards; on failure (NOBUFS) all is as it was. The server's lock is
 * held. */
enum nacre_error nacre_server_exchange(struct nacre_server *server, struct settings *next);

/* Sets one value from text (nacre_setting_set) and tells the shards; on failure all is as it was. The server's lock is
 * held. */
enum nacre_error nacre_server_set(struct nacre_server *server, const struct setting_row *row, const char *value,
                                  bool late, char *why, size_t why_size);

/* Remembers the calling thread's error for nacre_last_error() and returns it. `why` NULL or "": the error's general
 * text. Any thread. */
int nacre_fail(enum nacre_error error, const char *why);
int nacre_succeed(void);

/* For a caller that waits elsewhere than in nacre_server_wait(). enter() puts it among those who sleep; false:
 * something is ready, and it is not there. leave() comes after it: it is on its way from then on, until ended(), which
 * says whether something is ready. */
bool nacre_waiter_enter(struct nacre_server *server, struct waiter *w);
void nacre_waiter_leave(struct nacre_server *server, struct waiter *w);
bool nacre_waiter_ended(struct nacre_server *server);

/* Waits until an event is ready or `until_ns`. Any thread. */
void nacre_server_wait(struct nacre_server *server, int64_t until_ns);

/* The handle, opened if need be: a worker that gets a descriptor table of its own has it there only when it is in the
 * process's before. -1: the system has none left. */
intptr_t nacre_server_prepare_fd(struct nacre_server *server);

void nacre_server_close_fd(struct nacre_server *server);

void nacre_cert_init(struct cert *c);
void nacre_cert_free(struct cert *c);

/* Copies a string out; BUFFER_SIZE when it does not fit. */
int nacre_copy_out(char *value, size_t size, const char *text);

/* Inside a handler: gives events already handled back to their worker, before waiting for something it may have to do.
 */
void nacre_deliver_flush(void);

#endif
