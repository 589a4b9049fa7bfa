/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a connection, for src/core/ssh alone.
 *
 * A connection is a few small parts, each changed in one place: the phase (nacre_conn_enter), the key exchange under
 * way (kex.c), the questions (conn_ask.c) and the work that is out. The moment that messages.c asks for follows from
 * them. */
#ifndef SSH_CONN_PRIV_H
#define SSH_CONN_PRIV_H

#include "base/buf.h"
#include "base/list.h"
#include "base/secret.h"
#include "ssh/conn.h"
#include "ssh/lane.h"
#include "ssh/messages.h"
#include "ssh/packet.h"
#include "wire/rd.h"
#include "wire/wr.h"

enum phase {
    PHASE_NEW,     /* nothing sent yet            */
    PHASE_VERSION, /* identification lines        */
    PHASE_KEX,     /* first key exchange          */
    PHASE_SERVICE, /* keyed, no service yet       */
    PHASE_AUTH,    /* ssh-userauth                */
    PHASE_OPEN,    /* authenticated               */
    PHASE_CLOSING, /* CONN_DISCONNECTED was given */
};

enum {
    NAME_MAX_LEN = 64,                  /* RFC 4251 section 6: algorithm, method and request names */
    REASON_MAX = 512,                   /* text of DISCONNECT and failures; longer is cut, not refused */
    CONTROL_SLACK = 128 * 1024,         /* output above send_high that replies may add before reading stops */
    WAITING_MAX = 256 * 1024,           /* packets that wait for a key exchange (rule R14) */
    LANE_MAX = 256 * 1024,              /* messages that wait behind a question, channel data apart */
    LANE_PIECE = 32 * 1024,             /* what is worked off of a lane before others have their turn */
    LANE_MESSAGE = 64,                  /* what a message is of that beside its bytes */
    WINDOW_LEAST = CONN_CHANNEL_PACKET, /* every channel's; what makes it more has to be within the limits */
    EXT_INFO_ALLOWED = 2,               /* rule R18 */
    GLOBALS_MAX = 64,                   /* requests of the owner's without an answer, and as many keep-alives */
};

/* ---- questions ---------------------------------------------------------------------------------------------- */

enum ask_kind {
    ASK_SERVICE,
    ASK_AUTH,
    ASK_HOST_KEY,
    ASK_CHANNEL_OPEN,
    ASK_CHANNEL_REQUEST,
    ASK_GLOBAL_REQUEST,
    ASK_KINDS
};

struct ask {
    struct list link;
    uint64_t serial;
    int64_t due_ns; /* INT64_MAX: never given up */
    enum ask_kind kind;
    uint32_t channel;
    bool want_reply;
    bool on_stack; /* the sink is being asked right now */
};

/* ---- the connection ----------------------------------------------------------------------------------------- */

struct kex;
struct auth;
struct client;
struct chan;

struct conn {
    /* Given by the owner. */
    const struct conn_config *config;
    const struct conn_sink *sink;
    void *context;
    struct pool *pool;
    struct key **host_keys;
    size_t host_key_count;

    /* Where the conversation is. */
    enum phase phase;
    bool strict;          /* strict-kex was agreed (rule R3) */
    bool peer_pings;      /* the peer announced ping@openssh.com */
    bool sends_ext_info;  /* the peer asked for EXT_INFO */
    bool last_words;      /* closing, and the DISCONNECT is being written */
    bool success_is_next; /* EXT_INFO came during authentication: RFC 8308 section 2.4 */
    uint8_t ext_infos;
    unsigned banner_lines; /* client: lines before the identification */
    char *peer_version;
    char *user;
    struct kex *kex;       /* a key exchange is under way */
    struct auth *auth;     /* server, until login */
    struct client *client; /* client, until login */
    struct key *host_key;  /* of the first key exchange, until login */
    uint8_t session_id[HASH_MAX];
    uint8_t session_id_len;
    const struct kex_alg *kex_alg;
    const struct sig_alg *host_key_alg;
    uint64_t kex_count;

    /* Bytes: packet_in.c, packet_out.c, output.c. */
    struct direction in, out;
    struct partial partial;
    struct output output;
    struct lane waiting; /* packets that wait for our NEWKEYS */
    struct buf inflated;
    struct block *block; /* around the bytes being fed, or NULL */
    uint64_t padding;    /* state of the padding generator */
    uint64_t bytes_in, bytes_out;
    uint32_t login_packets; /* received before login */

    /* Questions and work: conn_ask.c. */
    struct list asks; /* oldest first */
    uint64_t next_serial;
    unsigned holds; /* questions and works that hold the whole connection */
    struct work *work;
    enum step (*work_done)(struct conn *c, struct work *work);

    /* Channels: chan.c. */
    struct chan **chans; /* by our number */
    uint32_t chan_room, chan_count;
    struct list ready;  /* channels with something to send, in turn */
    uint64_t windows;   /* sizes of the receive windows of all channels */
    size_t lanes_bytes; /* in the lanes of all channels (rule R30) */
    size_t lanes_room;  /* what those take of memory */
    uint32_t lane_turn; /* the channel whose lane is looked at first next time */
    bool lanes_rest;    /* some of them waits for nacre_conn_go_on() */
    bool flushing;

    /* Global requests: global_request.c. */
    struct lane global_lane; /* requests that wait behind a question */
    bool global_held, global_running;
    bool global_rest;                   /* what waits there waits for nacre_conn_go_on() */
    uint8_t globals_out, globals_asked; /* requests of ours without an answer; those of them that are no keep-alives */
    uint64_t globals_silent[2];         /* bit per such request, oldest lowest: a keep-alive, not the owner's */

    /* Host keys: hostkeys.c. */
    struct work *proof; /* signatures are being made; holds the global requests */
    uint8_t proofs;     /* requests for them */
    uint8_t peer_rsa;   /* enum peer_rsa */

    /* Time. */
    int64_t now_ns;
    int64_t grace_due_ns, kex_due_ns, rekey_due_ns; /* INT64_MAX: not armed */
    int64_t heard_ns, keepalive_due_ns;
    unsigned keepalives_out;
};

_Static_assert(sizeof(struct conn) <= 768, "an idle connection is small: see engine/shard.h");

static inline bool conn_is_server(const struct conn *c)
{
    return c->config->role == CONN_SERVER;
}

/* What all channels' lanes may hold: as much as one channel may send us, and requests. */
static inline size_t conn_lanes_max(const struct conn *c)
{
    return (size_t)c->config->window_max + c->config->window_bytes + LANE_MAX;
}

static inline bool conn_is_closing(const struct conn *c)
{
    return c->phase == PHASE_CLOSING;
}

/* ---- conn.c ------------------------------------------------------------------------------------------------- */

enum moment nacre_conn_moment(const struct conn *c);
void nacre_conn_enter(struct conn *c, enum phase phase);

/* The only way to end a connection for cause; always STEP_CLOSE. */
enum step nacre_conn_fail(struct conn *c, enum nacre_error code, const char *why);

/* Ends without a DISCONNECT of ours: the peer has left. */
enum step nacre_conn_end(struct conn *c, enum nacre_error code, struct span text);

/* One message from its number on, as received. */
enum step nacre_conn_dispatch(struct conn *c, struct span payload);

/* A message that was legal when it came and waited in a lane since. */
enum step nacre_conn_handle(struct conn *c, struct span payload);

/* What follows from any change: a due rekey starts, channels that can send do. */
void nacre_conn_settle(struct conn *c);

void nacre_conn_event(struct conn *c, const struct conn_event *event);
void nacre_conn_status(struct conn *c, const char *text);

/* A line about a packet, and at level 3 its payload. */
void nacre_conn_log_packet(struct conn *c, const char *direction, struct span payload);
void nacre_conn_log_payload(struct conn *c, const char *direction, struct span payload);

static inline bool conn_logs(const struct conn *c, unsigned level)
{
    return level <= c->config->log_level;
}
void nacre_conn_log(struct conn *c, unsigned level, const char *text);

static inline int64_t due_after(int64_t now_ns, int64_t wait_ns)
{
    return wait_ns <= 0 || wait_ns > INT64_MAX - now_ns ? INT64_MAX : now_ns + wait_ns;
}

/* ---- conn_ask.c --------------------------------------------------------------------------------------------- */

/* Asks; `question` needs all but its serial. Holds what the kind holds until the answer is in, and goes on in the
 * kind's resume half. */
enum step nacre_conn_ask(struct conn *c, enum ask_kind kind, struct conn_event *question);

void nacre_asks_expire(struct conn *c);
int64_t nacre_asks_due(const struct conn *c);

/* Forgets the questions about a channel that is gone. */
void nacre_asks_drop_channel(struct conn *c, uint32_t channel);
void nacre_asks_free(struct conn *c);

enum step nacre_resume_service(struct conn *c, const struct ask *ask, const struct conn_answer *answer);
enum step nacre_resume_auth(struct conn *c, const struct ask *ask, const struct conn_answer *answer);
enum step nacre_resume_host_key(struct conn *c, const struct ask *ask, const struct conn_answer *answer);
enum step nacre_resume_channel_open(struct conn *c, const struct ask *ask, const struct conn_answer *answer);
enum step nacre_resume_channel_request(struct conn *c, const struct ask *ask, const struct conn_answer *answer);
enum step nacre_resume_global_request(struct conn *c, const struct ask *ask, const struct conn_answer *answer);

/* Starts a work; the connection takes nothing in until `done` has been called with it. Takes the work over. */
enum step nacre_conn_work(struct conn *c, struct work *work, enum step (*done)(struct conn *c, struct work *work));

/* ---- transport ---------------------------------------------------------------------------------------------- */

enum step nacre_version_send(struct conn *c);
/* Takes identification lines off the front. Returns bytes used; 0: more are needed, or the connection has failed. */
size_t nacre_version_feed(struct conn *c, const uint8_t *bytes, size_t len);

/* Begins a key exchange, or a re-exchange, from our side. */
enum step nacre_kex_start(struct conn *c);
void nacre_kex_free(struct conn *c);
bool nacre_kex_peer_busy(const struct conn *c); /* between the peer's KEXINIT and its NEWKEYS */
bool nacre_kex_is_out(const struct conn *c);    /* between our KEXINIT and our NEWKEYS */
bool nacre_kex_skips_guess(struct conn *c);     /* true once: this method packet was a wrong guess */
bool nacre_kex_is_due(const struct conn *c);
/* Channel data has to wait: our KEXINIT is out, or our new keys are used up before the peer's NEWKEYS has come. */
bool nacre_kex_holds_data(const struct conn *c);

enum step nacre_send_service_request(struct conn *c);
enum step nacre_send_ext_info(struct conn *c);
enum step nacre_send_unimplemented(struct conn *c, uint32_t seq);
void nacre_send_disconnect(struct conn *c, uint32_t code, const char *text);

/* ---- authentication and connection protocol ----------------------------------------------------------------- */

void nacre_auth_free(struct conn *c);
void nacre_client_free(struct conn *c);
void nacre_client_server_sig_algs(struct conn *c, struct span names);
void nacre_client_hostbound(struct conn *c);       /* the server takes requests that are bound to its host key */
bool nacre_client_has_asked(const struct conn *c); /* a login request went out */

/* From here on the connection protocol is spoken; both roles. */
enum step nacre_conn_authenticated(struct conn *c, struct span user, struct span method);

void nacre_chans_free(struct conn *c);
void nacre_chans_flush(struct conn *c);
enum step nacre_send_keepalive(struct conn *c);

/* Takes the global requests that waited, up to the next that has to. */
enum step nacre_globals_run(struct conn *c);

/* ---- handlers, by the names in messages.c ------------------------------------------------------------------- */

enum step nacre_on_disconnect(struct conn *c, struct span body);
enum step nacre_on_ignore(struct conn *c, struct span body);
enum step nacre_on_unimplemented(struct conn *c, struct span body);
enum step nacre_on_debug(struct conn *c, struct span body);
enum step nacre_on_ping(struct conn *c, struct span body);
enum step nacre_on_pong(struct conn *c, struct span body);
enum step nacre_on_service_request(struct conn *c, struct span body);
enum step nacre_on_service_accept(struct conn *c, struct span body);
enum step nacre_on_ext_info(struct conn *c, struct span body);
enum step nacre_on_kexinit(struct conn *c, struct span body);
enum step nacre_on_newkeys(struct conn *c, struct span body);
enum step nacre_on_kex_init(struct conn *c, struct span body);
enum step nacre_on_kex_reply(struct conn *c, struct span body);
enum step nacre_on_kex_group_init(struct conn *c, struct span body);
enum step nacre_on_kex_group_reply(struct conn *c, struct span body);
enum step nacre_on_kex_group_request(struct conn *c, struct span body);
enum step nacre_on_userauth_request(struct conn *c, struct span body);
enum step nacre_on_userauth_info_response(struct conn *c, struct span body);
enum step nacre_on_userauth_failure(struct conn *c, struct span body);
enum step nacre_on_userauth_success(struct conn *c, struct span body);
enum step nacre_on_userauth_banner(struct conn *c, struct span body);
enum step nacre_on_userauth_60(struct conn *c, struct span body);
enum step nacre_on_global_request(struct conn *c, struct span body);
enum step nacre_on_request_success(struct conn *c, struct span body);
enum step nacre_on_request_failure(struct conn *c, struct span body);
enum step nacre_on_channel_open(struct conn *c, struct span body);
enum step nacre_on_channel_open_confirmation(struct conn *c, struct span body);
enum step nacre_on_channel_open_failure(struct conn *c, struct span body);
enum step nacre_on_channel_window_adjust(struct conn *c, struct span body);
enum step nacre_on_channel_data(struct conn *c, struct span body);
enum step nacre_on_channel_extended_data(struct conn *c, struct span body);
enum step nacre_on_channel_eof(struct conn *c, struct span body);
enum step nacre_on_channel_close(struct conn *c, struct span body);
enum step nacre_on_channel_request(struct conn *c, struct span body);
enum step nacre_on_channel_success(struct conn *c, struct span body);
enum step nacre_on_channel_failure(struct conn *c, struct span body);

#endif
