/* SPDX-License-Identifier: Apache-2.0 */
/* One channel, RFC 4254 section 5: shared by chan.c (life), chan_data.c (data in), chan_send.c (data out),
 * chan_request.c. */
#ifndef SSH_CHAN_H
#define SSH_CHAN_H

#include "ssh/conn_priv.h"

enum chan_state {
    CHAN_ASKED,   /* theirs, not decided yet: the number is taken, and what we say on it waits */
    CHAN_OPENING, /* ours, not confirmed yet: the same */
    CHAN_OPEN,
};

enum {
    CHAN_PACKET_MIN = 32, /* rule R22: less than this never gets anywhere */
    CHAN_REQUEST_MAX = 32000,
};

/* What a queued block is, when it is not normal data. Normal data has no mark and so costs nothing beside its block. */
struct chan_mark {
    struct chan_mark *next;
    uint64_t position; /* of the block, as chan.pushed counts */
    bool is_request;   /* else extended data */
};

struct chan {
    struct list ready; /* in conn.ready while there is something that could go out */
    uint32_t number, remote;
    enum chan_state state;
    bool held; /* a request question is out; what comes for this channel waits in `lane` */
    bool lane_running;
    bool eof_in, eof_out; /* received, sent */
    bool close_in, close_out;
    bool eof_wanted, close_wanted;

    /* In: what the peer may still send; what the application has not taken; what it took and was not granted again. */
    uint32_t window_in, window_size;
    uint32_t unconsumed, ungranted;
    uint32_t promised; /* of the window, counted in the pool's budget */
    int64_t granted_ns;
    struct lane lane;

    /* Out. */
    uint32_t window_out, packet_out;
    struct block *first, *last;
    struct chan_mark *marks, *marks_last;
    uint64_t pushed, popped; /* blocks */
    uint64_t eof_at;         /* EOF goes out when `popped` gets here */
    size_t queued;           /* bytes of data in the queue */
    size_t queue_room;       /* what its blocks take of memory */
    unsigned requests;       /* in the queue */
    size_t sealed;           /* since CONN_CHANNEL_SENT */
    unsigned replies_due;    /* to requests of ours */
};

_Static_assert(sizeof(struct chan) <= 256, "an idle channel is small: see engine/shard.h");

/* ---- chan.c ------------------------------------------------------------------------------------------------- */

/* The channel with that number, or NULL. */
struct chan *nacre_chan_find(const struct conn *c, uint32_t number);

/* Frees the channel when both sides have closed, with its last event. True: it is gone. */
bool nacre_chan_bury(struct conn *c, struct chan *chan);

/* Reads the recipient channel at the front of a body. NULL: the connection has failed (rule R37). */
struct chan *nacre_chan_of(struct conn *c, struct rd *r);

/* True when a question holds the channel: the message was put into its lane, or the connection has failed. */
bool nacre_chan_holds_back(struct conn *c, struct chan *chan, uint8_t type, struct span body);

/* Handles a piece of what waited in the lane, or less when a question is out again. */
enum step nacre_chan_run_lane(struct conn *c, uint32_t number);

/* The next piece of one lane. */
void nacre_chans_run_lanes(struct conn *c);

/* ---- chan_data.c -------------------------------------------------------------------------------------------- */

/* The receive window that a new channel starts with. */
void nacre_chan_first_window(struct conn *c, struct chan *chan);

/* Its window counts no more. */
void nacre_chan_drop_window(struct conn *c, struct chan *chan);

/* ---- chan_send.c -------------------------------------------------------------------------------------------- */

/* There may be something to send now. */
void nacre_chan_wake(struct conn *c, struct chan *chan);
void nacre_chan_drop_queue(struct chan *chan);
enum step nacre_send_chan_close(struct conn *c, struct chan *chan);

/* Queues a request's payload behind what is queued. Takes the block over. */
bool nacre_chan_queue_request(struct conn *c, struct chan *chan, struct block *b);

#endif
