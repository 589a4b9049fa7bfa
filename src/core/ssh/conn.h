/* SPDX-License-Identifier: Apache-2.0 */
/* One SSH connection without I/O: no socket, no thread, no clock, no lock. Bytes and the current time go in; bytes,
 * events and questions come out. Plays both roles: the server is the product, the client serves tests and load
 * generation.
 *
 * This header is the outside of src/core/ssh: what the engine, the tests and nacre-bench see. The inside is
 * ssh/conn_priv.h.
 *
 * The caller's contract:
 * - Every call on one conn is made by one thread at a time; callbacks (struct conn_sink) come from inside those calls,
 * on the same thread. A callback may call nacre_conn_answer(), nacre_conn_close() and the sending calls on the same
 * conn (they take effect without re-entering the parser), but not nacre_conn_feed() or nacre_conn_free().
 * - After any call, the caller looks at nacre_conn_output() and nacre_conn_deadline().
 * - Spans in events are valid until the callback returns; channel data in a CONN_CHANNEL_DATA event may be kept by
 *   referencing `block`, when that is not NULL. */
#ifndef SSH_CONN_H
#define SSH_CONN_H

#include "base/pool.h"
#include "base/span.h"
#include "crypto/algs.h"
#include "crypto/cert.h"
#include "nacre/errors.h"

struct conn;
struct conn_event;
struct conn_answer;
struct work;

enum conn_role {
    CONN_SERVER,
    CONN_CLIENT
};

/* ---- configuration --------------------------------------------------------------------------------------------- */

enum {
    CONN_VERSION_MAX = 255,  /* RFC 4253 section 4.2, CR LF included */
    CONN_PACKET_MAX = 35000, /* RFC 4253 section 6.1; whole packet we accept and send */
    CONN_PAYLOAD_MAX = 32768,
    CONN_INFLATE_MAX = 262144, /* rule R13: a packet inflates to no more */
    CONN_PASSWORD_MAX = 1024,  /* rule R12 */
    CONN_USER_MAX = 255,
    CONN_KBDINT_PROMPTS = 16,
    CONN_CHANNEL_PACKET = 32768, /* maximum packet size we grant a channel */
};

/* RFC 4254 and OpenSSH names in preference order, comma-separated. */
struct conn_algorithms {
    const char *kex, *host_key, *cipher, *mac, *comp;
    const char *user_signature; /* accepted in publickey logins; sent as server-sig-algs */
    bool all_usable;            /* all but a server's host_key name nothing else, and go out as they stand */
};

/* Drops from a list what `crypto` does not know. */
void nacre_names_keep_usable(const struct nacre_crypto *crypto, enum alg_kind kind, char *names);

/* Shared by all connections accepted with it and never changed after the first use. Strings outlive every conn that
 * uses it. */
struct conn_config {
    enum conn_role role;
    const struct nacre_crypto *crypto;
    struct conn_algorithms algorithms;
    const char *version; /* own identification line without CR LF: "SSH-2.0-..." */
    const char
        *version_pattern;   /* accepted peers, '*' and '?' patterns, comma-separated; NULL: SSH-2.0-* and SSH-1.99-* */
    unsigned strict_kex;    /* UseStrictKeyExchange, 0 to 3 */
    uint64_t rekey_bytes;   /* in either direction; 0: never, but for ciphers with blocks of 64 bits after 2^30 */
    uint64_t rekey_packets; /* 0: 2^31 */
    int64_t rekey_ns;       /* 0: never */
    int64_t rekey_timeout_ns;      /* a rekey has to finish in this time (rule R15); 0: never given up */
    int64_t login_grace_ns;        /* from the first byte to a login; 0: unlimited */
    uint64_t login_bytes_max;      /* server: received and sent before login; 0: no limit */
    uint32_t login_packets_max;    /* server: received before login; 0: no limit */
    int64_t answer_timeout_ns;     /* a question unanswered for so long is refused; 0: never */
    int64_t keepalive_ns;          /* of silence, before keepalive@openssh.com; 0: none */
    unsigned keepalive_max;        /* unanswered in a row before the connection is dropped; 0: never */
    unsigned max_auth_attempts;    /* server: failures before a disconnect; queries have their own cap (rule R8) */
    const char *auth_methods;      /* server: offered by default, comma-separated */
    struct span user_authorities;  /* server: "string blob" of each key that may sign users' certificates; without any,
                                      none is taken */
    struct span known_authorities; /* server: the same of those whose certificates the application is asked about,
                                      whomever they are for */
    bool announce_host_keys;       /* server: after login tells clients its keys, and proves them when asked */
    unsigned max_channels;         /* opening + open + half closed (rule R20) */
    uint32_t window_bytes;         /* receive window a channel starts with */
    uint32_t window_max;           /* it grows up to this when the peer keeps it empty */
    uint64_t windows_max;          /* all channels' windows together grow up to this; 0: no limit */
    size_t send_high;   /* bytes queued for the wire above which no channel data is sealed and reading should pause */
    unsigned log_level; /* CONN_LOG: 0 none, 1 what matters, 2 a line a packet, 3 everything */
    bool log_secrets;   /* level 3 shows passwords and keyboard-interactive responses too */
    bool status;        /* CONN_STATUS wanted */
};

/* ---- life ------------------------------------------------------------------------------------------------------ */

/* What became of a work. */
enum work_fate {
    WORK_DONE,    /* it was run, inside of the call */
    WORK_OUT,     /* nacre_conn_work_done() will tell that it was */
    WORK_REFUSED, /* out of memory: it stays the conn's, and nobody runs it */
};

struct conn_sink {
    /* Something happened. */
    void (*event)(void *context, const struct conn_event *event);
    /* A question. True: *answer is filled in now. False: nacre_conn_answer() comes later with event->serial; until then
     * what the question holds (see conn_event) waits. */
    bool (*ask)(void *context, const struct conn_event *question, struct conn_answer *answer);
    /* Long computation: call work->run(work) on any thread, then, unless that was inside of this call,
     * nacre_conn_work_done() on the conn's thread. */
    enum work_fate (*work)(void *context, struct work *work);
};

/* A computation that stands alone: run() touches nothing of the connection. Freed by nacre_conn_work_done(), or by
 * nacre_work_drop() when the connection is gone (the conn forgets works that are out when it is freed). */
struct work {
    void (*run)(struct work *work);
    void (*free)(struct work *work);
    uint64_t serial; /* the conn's: which work this is */
    bool slow;       /* more than about a data packet's time: wants the offload pool */
};

/* Drops a work whose connection is gone. It must not be running. */
void nacre_work_drop(struct work *work);

/* Blocks for output and channel queues come from `pool`. `sink` and `config` must outlive the conn. NULL: out of
 * memory. Nothing is sent or asked before nacre_conn_start(). */
struct conn *nacre_conn_new(const struct conn_config *config, const struct conn_sink *sink, void *context,
                            struct pool *pool);

/* Server: the keys to offer, private, in the order of preference; each is referenced. At least one is needed before
 * start. */
bool nacre_conn_set_host_keys(struct conn *c, struct key *const *keys, size_t count);

/* Sends our identification line and first KEXINIT and starts the clocks. */
void nacre_conn_start(struct conn *c, int64_t now_ns);

/* Frees everything; no callback comes. Works that are out stay with whoever runs them: nacre_work_drop(). */
void nacre_conn_free(struct conn *c);

/* ---- bytes ----------------------------------------------------------------------------------------------------- */

/* Takes received bytes. They are decrypted in place, so `bytes` is writable; they lie inside `block`, or `block` is
 * NULL. Returns how many were used: less than `len` when a packet is incomplete, when a question or work is out that
 * holds the connection, or when the caller should stop because nacre_conn_wants_input() turned false. The caller keeps
 * the rest, which may already be partly decrypted, and feeds it again with more behind it, unchanged and in order (the
 * place in memory may differ). */
size_t nacre_conn_feed(struct conn *c, uint8_t *bytes, size_t len, struct block *block, int64_t now_ns);

/* The same for a caller that has others to serve: it also stops behind the packet with which it has used `most` bytes.
 * Small packets take as long as big ones; a packet that inflates counts for a sixteenth of what comes out besides. */
size_t nacre_conn_feed_some(struct conn *c, uint8_t *bytes, size_t len, size_t most, struct block *block,
                            int64_t now_ns);

/* Bytes on the wire of the packet that has begun and not ended; 0: there is none, or its length is not known yet. */
size_t nacre_conn_packet_bytes(const struct conn *c);

/* False while feeding would use nothing: a question or work holds the connection, too much is queued for the peer, or
 * it is closing. */
bool nacre_conn_wants_input(const struct conn *c);

/* The peer's stream ended (FIN). */
void nacre_conn_feed_eof(struct conn *c, int64_t now_ns);

/* Bytes for the wire: the blocks from the first to *count-th as spans, oldest first. They stay put until taken. 0:
 * nothing to send. */
size_t nacre_conn_output(struct conn *c, struct span *spans, size_t max);
size_t nacre_conn_output_bytes(const struct conn *c);

/* `len` bytes have been sent: frees them, and lets channels go on that waited for room. */
void nacre_conn_output_take(struct conn *c, size_t len, int64_t now_ns);

/* ---- time ------------------------------------------------------------------------------------------------------ */

/* When nacre_conn_tick() should be called next; INT64_MAX: never. */
int64_t nacre_conn_deadline(const struct conn *c);
void nacre_conn_tick(struct conn *c, int64_t now_ns);

/* What the peer says waits to be read, and that is not its fault: keep-alives, and the time that a re-exchange of keys
 * may take, count from now. */
void nacre_conn_excuse(struct conn *c, int64_t now_ns);

/* What has waited behind a channel's or a global request is worked off in pieces, so that the caller can turn to others
 * between them: whether there is more, and the next piece. */
bool nacre_conn_has_rest(const struct conn *c);
void nacre_conn_go_on(struct conn *c, int64_t now_ns);

/* ---- events and questions -------------------------------------------------------------------------------------- */

enum conn_event_type {
    /* type                        answer  what waits       meaning; fields used */
    CONN_STATUS,          /* -                        progress for people: text                                       */
    CONN_LOG,             /* -                        text, level 1..3                                                */
    CONN_KEX_DONE,        /* -                        keys are in use: first (serial 1st) or again                    */
    CONN_SERVICE_REQUEST, /* yes     connection       service                                                         */
    CONN_AUTH_REQUEST,    /* yes     connection       user, service, method, param, key_algorithm, verified           */
    CONN_AUTH_INFORM,     /* -                        same fields; nothing to decide (sigstatus)                      */
    CONN_AUTHENTICATED,   /* -                        user, method                                                    */
    CONN_CHANNEL_OPEN_REQUEST, /* yes     that channel     channel, kind, data = type-specific part */
    CONN_CHANNEL_OPENED, /* -                        channel; both for theirs and ours                               */
    CONN_CHANNEL_OPEN_FAILED, /* -                        channel (ours), code = reason code, text */
    CONN_CHANNEL_DATA,    /* -                        channel, data, extended (0: normal, 1: stderr), block           */
    CONN_CHANNEL_WINDOW,  /* -                        channel may send (again): its queue went empty or first opened  */
    CONN_CHANNEL_SENT,    /* -                        channel, bytes handed over by nacre_chan_send() now sealed      */
    CONN_CHANNEL_EOF,     /* -                        channel                                                         */
    CONN_CHANNEL_CLOSED,  /* -                        channel, whose number is free now; bytes: not consumed          */
    CONN_CHANNEL_REQUEST, /* yes     that channel     channel, kind, want_reply, data = whole payload behind the message
                             byte */
    CONN_CHANNEL_REPLY,   /* -                        channel, accepted: answer to a request of ours                  */
    CONN_GLOBAL_REQUEST,  /* yes     global requests  kind, want_reply, data = request-specific part                  */
    CONN_GLOBAL_REPLY,    /* -                        accepted, data                                                  */
    CONN_DISCONNECTED,    /* -                        last event, exactly once, also after nacre_conn_close(): error (0:
                             orderly), text */
    /* client role only */
    CONN_HOST_KEY,       /* yes     connection       data = host key blob, key_algorithm                             */
    CONN_READY_FOR_AUTH, /* -                        ssh-userauth was accepted; call nacre_conn_auth_*()             */
    CONN_AUTH_FAILED,    /* -                        methods that can continue in text, accepted = partial success   */
    CONN_AUTH_PROMPTS,   /* -                        keyboard-interactive: prompts; call nacre_conn_auth_responses() */
    CONN_AUTH_KEY_OK,    /* -                        answer to a publickey query                                     */
    CONN_AUTH_CHANGE,    /* -                        another password is wanted, by text; nacre_conn_auth_change()   */
    CONN_BANNER,         /* -                        text                                                            */
    CONN_EVENT_TYPES
};

struct conn_prompt {
    struct span prompt;
    bool echo;
};

struct conn_event {
    enum conn_event_type type;
    uint64_t serial;  /* questions: to be named in nacre_conn_answer(); never reused on one conn */
    uint32_t channel; /* our channel number */
    unsigned level;
    enum nacre_error error;
    uint32_t code;
    bool want_reply, accepted;
    bool verified; /* CONN_AUTH_REQUEST, publickey and hostbased: the signature of this very request was checked and is
                      good */
    struct key_user key_user; /* CONN_AUTH_REQUEST when verified: who was at the security key */
    bool query;               /* CONN_AUTH_REQUEST, publickey: no signature yet, asks whether the key would do */
    unsigned extended;
    struct span user, service, method;
    struct span param;        /* password, key blob, or one keyboard-interactive response */
    struct span new_password; /* password change request, else empty */
    struct span key_algorithm;
    struct span client_host;     /* hostbased: the client's host as it names itself, without a dot behind it */
    struct span client_user;     /* hostbased: who is logged in there */
    const struct key_cert *cert; /* CONN_AUTH_REQUEST, publickey with an OpenSSH certificate that one of the authorities
                                    signed. Its times and options are the owner's to look at. Else NULL */
    bool cert_trusted; /* `cert` is for this user, and by one of user_authorities; else that is to be looked at, too */
    struct span kind;  /* channel or request type */
    struct span data;
    struct block *block; /* holds `data` when not NULL */
    struct span text;
    size_t bytes;
    const struct conn_prompt *prompts;
    size_t prompt_count;
};

struct conn_answer {
    bool accept;
    bool partial_success; /* CONN_AUTH_REQUEST: this factor is good, more are needed */
    /* CONN_AUTH_REQUEST with a security key, not in a certificate: nobody need have touched it; its user has to be
     * verified. A yes to a signature that is short of that is a no (rule R10). */
    bool no_touch_required, verify_required;
    struct span available_methods; /* CONN_AUTH_REQUEST: replaces the list for this connection; empty: unchanged */
    const char *change_prompt; /* CONN_AUTH_REQUEST, password: in place of the rest, asks for another password by this
                                  text; NULL: does not */
    struct span reply;         /* CONN_GLOBAL_REQUEST: data of REQUEST_SUCCESS */
    uint32_t reason;           /* CONN_CHANNEL_OPEN_REQUEST refused: SSH_OPEN_*; 0: administratively prohibited */
    const char *text;          /* description for the refusal; NULL: a default */
};

/* Answers a question that was left open. False and no effect when `serial` is not open (answered, expired, closed): a
 * stale answer can never admit anyone (rules R6, R42). */
bool nacre_conn_answer(struct conn *c, uint64_t serial, const struct conn_answer *answer, int64_t now_ns);

/* A work has been run. Continues the connection and frees the work. */
void nacre_conn_work_done(struct conn *c, struct work *work, int64_t now_ns);

/* ---- server ---------------------------------------------------------------------------------------------------- */

/* Sent before the first authentication failure or success; NULL or "": none. Copied. */
bool nacre_conn_set_banner(struct conn *c, const char *text);

/* What keyboard-interactive asks from now on. Copied; at most CONN_KBDINT_PROMPTS. Without prompts the method is
 * refused. Each response is a CONN_AUTH_REQUEST with method "keyboard-interactive-N" (N from 1), then one with
 * "keyboard-interactive" and an empty param; all must be accepted. */
bool nacre_conn_set_prompts(struct conn *c, struct span instruction, const struct conn_prompt *prompts, size_t count);

/* ---- client ---------------------------------------------------------------------------------------------------- */

bool nacre_conn_auth_none(struct conn *c, struct span user);
bool nacre_conn_auth_password(struct conn *c, struct span user, struct span password);
bool nacre_conn_auth_change(struct conn *c, struct span user, struct span password, struct span new_password);
/* Signs (as a work) and sends; `alg` NULL takes the first fitting algorithm the server named. What is signed names the
 * server's host key when the server takes that. */
bool nacre_conn_auth_publickey(struct conn *c, struct span user, struct key *key, const char *alg);
/* Asks whether the key would do, without a signature. */
bool nacre_conn_auth_query(struct conn *c, struct span user, struct key *key, const char *alg);
/* By the key of the client's host, which says who is logged in there; `client_host` is a full name, with or without a
 * dot behind it. */
bool nacre_conn_auth_hostbased(struct conn *c, struct span user, struct key *key, const char *alg,
                               struct span client_host, struct span client_user);
bool nacre_conn_auth_kbdint(struct conn *c, struct span user);
bool nacre_conn_auth_responses(struct conn *c, const struct span *responses, size_t count);

/* After CONN_GLOBAL_REQUEST "hostkeys-00@openssh.com", whose data is "string blob" of each of the server's keys, a
 * client sends those it does not know as "hostkeys-prove-00@openssh.com" with nacre_conn_global_request(). True: the
 * reply proves all of `blobs`, in their order. */
bool nacre_conn_proof_holds(const struct conn *c, struct span blobs, struct span signatures);

/* ---- channels and requests ------------------------------------------------------------------------------------- */

/* Opens a channel from our side; `data` is the type-specific part. *channel is its number at once; CONN_CHANNEL_OPENED
 * or _OPEN_FAILED follows. Errors: TOO_MANY_CHANNELS, NOTCONN before authentication, NOBUFS. */
enum nacre_error nacre_chan_open(struct conn *c, struct span kind, struct span data, uint32_t *channel, int64_t now_ns);

/* A block for `len` bytes of data, to be written to at[start .. start+len). There is room around them, so that they
 * need not be copied to become a packet. NULL: no memory. CONN_CHANNEL_PACKET at a time suits most peers. */
struct block *nacre_chan_block(struct pool *pool, size_t len);

/* Queues data; takes over the caller's reference to `block`, whose bytes at[start .. start+len) are sent as windows and
 * keys allow. `extended` 0 or 1. CONN_CHANNEL_SENT tells how much has been sealed. Errors (the reference is taken all
 * the same): CHANNEL_ID, SOCKET_SHUTDOWN after eof or close. */
enum nacre_error nacre_chan_send(struct conn *c, uint32_t channel, unsigned extended, struct block *block,
                                 int64_t now_ns);

/* Bytes queued and not yet sealed. */
size_t nacre_chan_queued(const struct conn *c, uint32_t channel);

/* Bytes of memory that this takes, and requests that wait with it: small pieces that cannot share a block, as those of
 * the one kind of data between the other, take a thousand times what they are. */
size_t nacre_chan_queue_room(const struct conn *c, uint32_t channel);

/* EOF, close: sent after what is queued. Closing twice is fine. */
enum nacre_error nacre_chan_send_eof(struct conn *c, uint32_t channel, int64_t now_ns);
enum nacre_error nacre_chan_close(struct conn *c, uint32_t channel, int64_t now_ns);

/* A channel request; replies come in order as CONN_CHANNEL_REPLY when want_reply. Sent in order with queued data. */
enum nacre_error nacre_chan_request(struct conn *c, uint32_t channel, struct span kind, bool want_reply,
                                    struct span data, int64_t now_ns);

/* The application has taken `bytes` of received channel data: grants window back (RFC 4254 section 5.2). A channel that
 * is gone is ignored. */
void nacre_chan_consumed(struct conn *c, uint32_t channel, size_t bytes, int64_t now_ns);

/* Whether taking all that the channel has told of would grant something. False for a channel that is gone. */
bool nacre_chan_owes_window(const struct conn *c, uint32_t channel);

enum nacre_error nacre_conn_global_request(struct conn *c, struct span kind, bool want_reply, struct span data,
                                           int64_t now_ns);

/* Starts a key re-exchange; one that is under way is enough. NOTCONN before the first has ended. */
enum nacre_error nacre_conn_rekey(struct conn *c, int64_t now_ns);

/* ping@openssh.com with `data` echoed back as CONN_GLOBAL_REPLY of kind "pong"; NOT_SUPPORTED when the peer did not
 * announce it. */
enum nacre_error nacre_conn_ping(struct conn *c, struct span data, int64_t now_ns);

/* A payload built elsewhere, from its message number on. Only messages that this role may send at this moment: USAGE
 * errors otherwise. */
enum nacre_error nacre_conn_send_payload(struct conn *c, struct span payload, int64_t now_ns);

/* Ends the connection for cause: SSH_MSG_DISCONNECT with the error's code and `text` is queued, CONN_DISCONNECTED
 * follows at once, and no other event after it. Send the remaining output, then free. */
void nacre_conn_close(struct conn *c, enum nacre_error why, const char *text, int64_t now_ns);

/* True once CONN_DISCONNECTED was given: send what nacre_conn_output() still has, then free. */
bool nacre_conn_is_closing(const struct conn *c);

/* ---- what is known --------------------------------------------------------------------------------------------- */

struct conn_info {
    const char *peer_version;   /* without CR LF; "" before it came */
    const char *user;           /* authenticated user, "" before */
    const char *kex, *host_key; /* negotiated names, "" before */
    const char *cipher_in, *cipher_out, *mac_in, *mac_out, *comp_in, *comp_out;
    bool strict_kex;
    bool authenticated;
    bool keyed;              /* the first key exchange has ended */
    unsigned login_failures; /* server, before login */
    uint64_t rekeys;
    uint64_t bytes_in, bytes_out; /* on the wire */
};

/* The connection is going to be fed or flushed soon: has the processor fetch its memory. Its parts are found there, so
 * they are for a second call a moment later. NULL is fine. */
void nacre_conn_prefetch(const struct conn *c);
void nacre_conn_prefetch_parts(const struct conn *c);

/* Bytes of memory that the connection holds outside of the pool, about. */
size_t nacre_conn_memory(const struct conn *c);

/* Bytes in blocks of the pool: output and what channels have to send. */
size_t nacre_conn_queued(const struct conn *c);

/* Frees what channels have to send: after CONN_DISCONNECTED nothing of it goes out any more. Not from a callback. */
void nacre_conn_drop_queued(struct conn *c);

/* Pointers are valid until the next call on `c`. */
void nacre_conn_info(const struct conn *c, struct conn_info *info);

#endif
