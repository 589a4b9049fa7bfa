/* SPDX-License-Identifier: Apache-2.0 */
/* A shard: one worker thread with its connections, timers, blocks, listener and back end. Shared-nothing but for two
 * crossings:
 *
 *   inbox   application -> worker: commands, and events that come back done
 *   outbox  worker -> application: connections with events waiting
 *
 * Functions run on the shard's thread unless their comment says "any thread". That is the worker, or for a moment a
 * thread of the application that has the shard's wheel (engine/wheel.h). */
#ifndef ENGINE_SHARD_H
#define ENGINE_SHARD_H

#include <stdatomic.h>

#include "base/list.h"
#include "base/plat.h"
#include "base/pool.h"
#include "base/table.h"
#include "base/timers.h"
#include "engine/command.h"
#include "engine/event.h"
#include "engine/io.h"
#include "engine/limit.h"
#include "engine/profile.h"

struct nacre_server;

enum {
    SHARDS_MAX = 1 << ID_SHARD_BITS,
    TURN_MAX = 64, /* completions; of more, the first have left the processor's cache before they are answered */
    PLAIN_RECEIVE_BYTES = 2 * CONN_CHANNEL_PACKET, /* what becomes data of two packets: a tunnel's */
    RECEIVE_BYTES = PLAIN_RECEIVE_BYTES + 2048,    /* two such packets with what is around the data */
};

/* Where a connection stands. Only forward. */
enum stage {
    STAGE_REQUESTED, /* on_connection_request is out, or about to be decided  */
    STAGE_CONNECTED, /* accepted; on_connected is out, or its key being read  */
    STAGE_RUNNING,   /* attached to the back end, speaking SSH                */
    STAGE_LINGER,    /* over; our last bytes are on their way, then FIN       */
    STAGE_DETACHED,  /* waiting for IO_GONE                                   */
    STAGE_GONE,      /* waiting for its events to come back                   */
};

/* A question that is with the application. */
struct question {
    struct question *next;
    uint64_t serial;   /* the ticket's: no other question of this connection ever has it */
    uint64_t asked_as; /* the conn's number of it, which a tunnel's has in common with the question that may follow;
                          0: the engine's own, before SSH starts */
    uint32_t number;   /* a tunnel's: the conn's channel */
    enum event_type type;
    struct channel *channel; /* the question is about it; NULL: about the connection */
    int64_t channel_id;
    struct event *event;             /* came back deferred; NULL while it is out */
    struct nacre_answer_copy *early; /* answered before the event came back */
    int64_t due_ns;                  /* refused after this */
};

/* Who has a channel of the conn: the application or a tunnel. */
struct end {
    struct channel *channel;
    struct tunnel *tunnel;
};

struct connection {
    struct slot slot; /* written under both locks: under either, and on the worker without, it can be read */
    struct shard *shard;

    /* Shard thread only. */
    enum stage stage;
    io_socket socket; /* while it is not attached */
    uint32_t io_slot;
    bool attached, receiving, sending, shut, failed;
    bool peer_left;          /* it ended the connection, not we */
    bool peer_eof, told_eof; /* the peer's FIN came; the conn has been told */
    bool announced;          /* on_connected was due: so is on_disconnected */
    bool owes_end;           /* on_disconnected could not be made for want of memory */
    bool on_dirty;
    bool logged_in;
    bool is_cut;    /* its input is more than the front of a packet: it was left because it has to wait */
    bool is_queued; /* among the shard's newcomers */
    struct list newcomer;
    struct admitted admitted; /* what it is counted as until its socket is gone */
    struct conn *conn;
    struct profile *profile;
    struct block *input; /* received bytes the conn has not used: a partial packet, or all that came during a hold */
    struct timer timer;
    int64_t active_ns;    /* last time bytes moved */
    uint64_t read_turn;   /* the worker's turn that `read_ns` is about */
    int64_t read_ns;      /* spent on its input in that turn, against MaxReadTime */
    bool keyed;           /* the first key exchange has ended: DefaultConnectionTimeout is over */
    int64_t stage_due_ns; /* login grace before SSH starts, linger after it ended; 0: none */
    struct list dirty;
    struct end *ends; /* by the conn's numbers */
    uint32_t end_room;
    struct list all_channels; /* those, and the closed ones whose last event is still out */
    struct list tunnels, forwards;
    struct question *questions;
    uint64_t last_serial; /* of a question */
    unsigned events_out;  /* made and not come back */
    size_t held;          /* bytes of those, and of what waits for its tunnels' far ends */
    size_t charged;       /* of the pool's budget, for what is not in blocks */
    size_t orphaned;      /* bytes of data that is with the application, of channels that have closed */
    unsigned plain_out;   /* of these, all but channel data, which windows bound */
    unsigned lookups;     /* of names, under way */
    unsigned drains;      /* tunnels of its closed channels that still send */
    struct event *fresh_first, **fresh_last;
    unsigned fresh_mark;           /* changes when short data may not be added to earlier events any more */
    struct connection *fresh_next; /* on the shard's list of connections with fresh events */
    bool on_fresh;
    int status; /* for on_disconnected; before, what has failed */

    /* Under the inbox lock. */
    int timeout; /* seconds; 0: sends do not wait */
    int remote_port;
    bool strict_kex;
    bool over;             /* its end has been told: not connected any more */
    bool awaits_events;    /* whatever comes back of it is to be looked at: the worker writes it */
    bool disconnect_due;   /* asked for, and no command says so */
    uint8_t globals_asked; /* the application's global requests that want a reply and have none */
    char remote_host[48], local_address[48];
    char *client_version;   /* NULL before it came */
    char *banner, *prompts; /* as set for this connection, to be read back; NULL: not set */

    /* Under the outbox lock. */
    struct event *queue_first, **queue_last;
    struct list ready;
    bool taken;               /* on the ready list, or a caller of do_events has it */
    bool running;             /* a caller has it */
    struct channel *resumed;  /* to be released when it is given back */
    _Atomic unsigned holding; /* channels that are paused plus channels with held events; relaxed: 0 skips the lock */

    _Atomic size_t gathered; /* bytes of the blocks that its channels' records are gathered in; relaxed: a figure */
};

struct channel {
    struct slot slot; /* as in connection */
    struct connection *connection;
    int64_t connection_id;

    /* Shard thread only. */
    struct list sibling;
    uint32_t number;          /* the conn's */
    bool opened;              /* on_ssh_channel_opened was given */
    struct event *fresh_data; /* its last data among the connection's fresh events, if fresh_mark is the connection's */
    unsigned fresh_mark;

    /* Under the inbox lock. */
    size_t queued;    /* bytes accepted from the application, not yet sealed */
    size_t last_sent; /* bytes_sent: what the last send took */
    bool starved;     /* a send did not get all: on_ssh_channel_ready_to_send is due */
    bool clogged;     /* what is queued takes so much memory that there is no room, few bytes as it may be */
    bool waited;      /* somebody waits on shard->room */
    bool writable;    /* opened, and neither eof nor close was asked for */
    bool finished;    /* eof or close was asked for */
    bool room_due;    /* a reservation was given back, and nothing is on its way that would tell who is starved */
    bool eof_due, close_due; /* and no command says so: it is, behind the commands of that haul */
    unsigned due_haul;
    char service[64];

    /* Under the outbox lock. */
    bool paused, on_resumed;
    bool ended; /* cannot be paused any more */
    struct channel *resumed_next;
    struct event *held_first, **held_last; /* events of a paused channel, in order */

    /* Whoever has the connection taken, and under the outbox lock for changing the length. */
    _Atomic int record_length; /* relaxed: read before each record */
    struct block *record;      /* bytes of a record that is not full */
};

/* Sockets of peers that were refused, kept until they have read why. Few: in a flood the oldest goes at once. */
enum {
    FAREWELLS = 16
};

struct farewells {
    io_socket socket[FAREWELLS];
    int64_t due_ns[FAREWELLS];
    unsigned first, count;
};

/* A hundred thousand of each are held at once: what they need only for a while belongs elsewhere. */
_Static_assert(sizeof(struct connection) <= 640, "an idle connection is small");
_Static_assert(sizeof(struct channel) <= 256, "an idle channel is small");

struct shard {
    /* Written before the thread starts, read-only after that. */
    struct nacre_server *server;
    const struct io_backend *ops;
    unsigned index;
    plat_thread thread;
    bool own_table;       /* the worker has a descriptor table of its own: sockets reach it through `way` alone */
    unsigned sockets_max; /* that fit into it; 0: no bound of its own */
    io_socket way[2];     /* engine/descriptors.h; none without own_table */

    /* Shard thread only. */
    struct io *io;
    struct profile *profile;
    struct timers timers;
    struct list dirty;
    struct list newcomers; /* connections before login with input to be worked off, in the order it came */
    unsigned newcomer_count;
    struct table tunnels, forwards;
    struct timer tidy; /* armed when connections have gone: gives memory back */
    uint32_t peak;     /* connections and tunnels at once since memory was last given back */
    size_t draining;   /* bytes that tunnels still send for channels that are closed */
    struct connection *fresh;
    struct event *free_events;
    unsigned free_event_count, idle_events; /* how many; those that nobody has taken since the last look */
    io_socket listener;
    uint32_t listener_slot;
    unsigned listeners;               /* of the server's, until the back end says that they are gone */
    struct key_undertaker undertaker; /* with own_table */
    io_socket handed;                 /* a listener that came through the way and waits for its command */
    enum nacre_error accept_error;    /* the last that was reported; it is not again before accept_quiet_ns */
    int64_t accept_quiet_ns;
    bool listening, stopping;
    int64_t now_ns;        /* when the turn began */
    bool is_tight, is_out; /* memory was short, or at an end, at the last look */
    bool holds_back;       /* some connection was not read since then because memory was short */
    int64_t look_again_ns;
    struct farewells farewells;
    uint64_t turn;     /* counts rounds of the loop */
    bool crowded;      /* more than one has something to do in this turn */
    int64_t untold_ns; /* since when there is something published that nobody was woken for; 0: nothing */

    /* Any thread. */
    _Atomic size_t most_held; /* relaxed, a figure: of the connection that held most when memory was last at an end, and
                                 one more; 0: the worker has not looked */
    _Atomic bool ended;       /* release/acquire: the thread touches nothing any more */
    _Atomic unsigned load; /* relaxed: connections, those on their way here and tunnels; to find the least busy one */
    struct pool pool;
    _Alignas(64)
        plat_mutex inbox_lock; /* protects what follows up to `room`, and what struct connection and channel say */
    struct command *commands_first, **commands_last;
    unsigned command_count;
    struct command stop_command, shutdown_command; /* here, so that ending needs no memory */
    bool shutdown_waits;                           /* it is among the commands */
    bool has_dues;                                 /* some connection or channel says that something is due */
    unsigned haul;                                 /* the number of the next time that all is taken */
    struct event *done_first, **done_last;
    unsigned done_count;
    bool done_waits; /* somebody waits for one of those */
    bool awake;      /* somebody will look before the worker sleeps: no wake() needed */
    bool heavy;      /* more waits than sends and data that was taken: work for the worker, not for whoever is here */
    struct table connections,
        channels;   /* the worker changes them under both locks, inbox first; others read under either */
    plat_cond room; /* a channel's queue has drained, or it is gone */

    _Alignas(64)
        plat_mutex wheel; /* who has it is the shard's thread: all that is "shard thread only", and what follows */
    bool lends;           /* written before the thread starts: others may have the wheel */
    bool has_guest, worker_waits;       /* a caller of do_events waits here; the worker does until it has left */
    int64_t patient_ns;                 /* the worker's: before then it does not yield */
    int64_t worker_asked, worker_until; /* until when the worker waits, and by when its back end looks by itself */
    struct keyed *keyed;                /* the ciphers' contexts while nobody has the wheel */
    plat_cond guest_left;
    _Atomic unsigned wanted; /* relaxed, a hint: threads that wait for the wheel to do a round with it */
    _Atomic bool recalled;   /* relaxed, under ready_lock or behind it: the guest is wanted elsewhere */

    _Alignas(64) plat_mutex outbox_lock; /* protects the list, and what struct connection and channel say */
    struct list ready;
    struct event *own_first, **own_last; /* events that belong to no connection */
};

/* Zeroed ones, on lines as their locks want them, for nacre_pages_free(). NULL: no memory. */
struct shard *nacre_shards_new(unsigned count);

/* Sets up everything but the thread. On failure nothing is left. */
enum nacre_error nacre_shard_init(struct shard *s, struct nacre_server *server, unsigned index,
                                  const struct limit_plan *plan, struct profile *profile);
bool nacre_shard_start(struct shard *s);

/* Tells the worker to end every connection and then itself; `ended` is true when it has. Somebody has to go on taking
 * events from the outbox meanwhile. Any thread but the shard's. */
void nacre_shard_stop(struct shard *s);

/* Tells the worker to end every connection that is there by then. Any thread. */
void nacre_shard_shut_down(struct shard *s);

/* One round of the loop, with what wait() told, TURN_MAX at most. */
void nacre_shard_turn(struct shard *s, const struct io_done *done, unsigned count);

/* A small one for what somebody has just put into the inbox: no timers, no logins, no waiting. */
void nacre_shard_short_turn(struct shard *s);

/* Until when the shard may sleep: not at all while something is left to do. */
int64_t nacre_shard_sleep(struct shard *s);

/* The shard is stopping and nothing is left in it. */
bool nacre_shard_has_ended(const struct shard *s);

/* A connection or a tunnel is gone: its memory may go back to the system in a while. */
void nacre_shard_shrank(struct shard *s);

/* After its thread was joined. */
void nacre_shard_destroy(struct shard *s);

/* Marks for the end of this turn: output to send, timer to set, input that may go on. */
void nacre_connection_touch(struct connection *c);

#endif
