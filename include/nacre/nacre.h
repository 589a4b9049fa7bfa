/* SPDX-License-Identifier: Apache-2.0 */
/* nacre: an SSH server engine to link into a program.
 *
 * A server is created, given a host key and handlers, and told to listen. Worker threads of its own move the bytes and
 * speak the protocol; what concerns the application comes out of nacre_do_events(), on the thread that calls it.
 *
 * Threads. Every call may be made from any thread, and from inside a handler, unless it says otherwise. Several threads
 * may be in nacre_do_events() at once: events of one connection come in order and never overlap. (Short pieces of
 * channel data may be put together with what came before them on their channel, past data of other channels.) Calls
 * that start and stop listening, open a channel or answer a ticket wait until the worker has done it, a moment.
 *
 * Results. Calls return 0 or a code of nacre/errors.h; nacre_last_error() has the sentence. Any call may also return
 * NACRE_E_INVAL (a NULL or impossible argument) and NACRE_E_NOBUFS (out of memory), and one about a connection or
 * channel NACRE_E_WOULDBLOCK (65,536 calls wait for its worker); a call that fails has changed nothing, unless it says
 * otherwise. What ends something is always taken, however short memory is: nacre_send_eof(), nacre_close_channel(),
 * nacre_disconnect(), nacre_stop_listening(), nacre_shutdown().
 *
 * Ownership. Strings are UTF-8 and NUL-terminated; binary values are a pointer and a length in bytes. Arguments are
 * borrowed for the call. Values come out as copies into the caller's buffer: NACRE_E_BUFFER_SIZE when it is too small,
 * and nothing is written then. A length that goes both ways (*len: room in, bytes out) becomes what is needed.
 *
 * The class this follows, and each name in it, is described in docs/class.md. */
#ifndef NACRE_NACRE_H
#define NACRE_NACRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nacre/errors.h"

/* What the shared library exports. Whoever links with nacre.dll may define it as __declspec(dllimport), which saves a
 * jump in every call; the CMake package's nacre::shared does. */
#ifndef NACRE_API
#ifdef __GNUC__
#define NACRE_API __attribute__((visibility("default")))
#else
#define NACRE_API
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define NACRE_VERSION "0.1.0"

typedef struct nacre_server nacre_server;

/* Ids are positive, never 0 and never used again. A stale one is NACRE_E_CONNECTION_ID or NACRE_E_CHANNEL_ID, never
 * another connection or channel. */
typedef int64_t nacre_connection_id;
typedef int64_t nacre_channel_id;

/* ---- events ---------------------------------------------------------------------------------------------------- */

/* A question that will be answered later: see nacre_defer(). All zero: no ticket. */
typedef struct nacre_ticket {
    nacre_connection_id connection;
    uint64_t serial;
} nacre_ticket;

/* The first member of every event struct; nacre's own. */
struct nacre_event {
    int type;
    bool deferred;
    nacre_ticket ticket;
};

/* Event structs and everything they point to are valid until the handler returns. Fields marked [out] are the decision:
 * preset with what happens when the handler leaves them alone. Strings from the peer hold no NUL inside: a peer that
 * sends one is refused before an event is made. */

/* A client has connected by TCP and has not been heard yet. A connection that is not accepted ends without a further
 * event, but for lines of on_log: what is kept for a connection_id only seen there is never given back. */
struct nacre_connection_request {
    struct nacre_event event;
    const char *address; /* numeric */
    int port;
    bool accept; /* [out] preset from AllowedClients and BlockedClients */
};

/* A connection was accepted; nothing has been sent yet. When cert_store is set to something other than NULL, this
 * connection gets the key found there instead of the server's (types as ssh_cert_store_type). A key that cannot be read
 * fires on_error and ends the connection. The pointers set must stay valid until the handler returns. */
struct nacre_connected {
    struct nacre_event event;
    nacre_connection_id connection_id;
    int status_code; /* 0 */
    const char *description;
    int cert_store_type;       /* [out] */
    const void *cert_store;    /* [out] */
    size_t cert_store_len;     /* [out] bytes; 0: cert_store is a NUL-terminated string */
    const char *cert_password; /* [out] */
    const char *cert_subject;  /* [out] preset "*", the first there is */
    /* [out] An OpenSSH certificate of the host for the key in cert_store, as HostCertificate has it; NULL: none. One
     * that is for another key, or that is no good one of a host, is an error as such a key is; outside its time it is
     * passed over. */
    const char *cert_host_certificate;
};

/* The last event of every connection that had on_connected, or, where that handler is not set, of every one that was
 * accepted; always comes, exactly once, unless nacre_free() comes before it. status_code 0 is an orderly end. */
struct nacre_disconnected {
    struct nacre_event event;
    nacre_connection_id connection_id;
    int status_code;
    const char *description;
};

struct nacre_error_event {
    struct nacre_event event;
    nacre_connection_id connection_id; /* 0: not about a connection */
    int error_code;
    const char *description;
};

struct nacre_log {
    struct nacre_event event;
    nacre_connection_id connection_id; /* 0: not about a connection */
    int log_level;                     /* 1 info, 2 verbose, 3 debug */
    const char *message;
    const char *log_type; /* "" */
};

struct nacre_ssh_status {
    struct nacre_event event;
    nacre_connection_id connection_id;
    const char *message;
};

/* RFC 4253 section 10. Preset true for ssh-userauth. */
struct nacre_ssh_service_request {
    struct nacre_event event;
    nacre_connection_id connection_id;
    const char *service;
    bool accept; /* [out] */
};

/* RFC 4252. Nothing is accepted unless a handler says so. auth_method and auth_param:
 *   "none"                    ""
 *   "password"                the password
 *   "publickey"               the public key blob, RFC 4253 section 6.6. First as a query (verified false), where
 *                             accepting means "this key may sign"; then, after its signature was checked and found
 *                             good, again with verified true: only that one logs in. Decide what the user may do on
 *                             the verified one. (A key that signs for our host key, which is OpenSSH's
 *                             publickey-hostbound-v00@openssh.com, comes under this name as well; one that signs for
 *                             another host key is refused.)
 *   "hostbased"               the public key blob of the client's host, section 9; asked once its signature was found
 *                             good, with verified true. client_host and client_user are what that host says.
 *   "keyboard-interactive-N"  the response to prompt N, from 1; all must be accepted, then
 *   "keyboard-interactive"    ""
 *   "sigstatus"               with FireAuthRequestAfterSig, once a signature was checked: "1" good, "0" bad. A report:
 *                             its fields are not looked at. */
struct nacre_ssh_user_auth_request {
    struct nacre_event event;
    nacre_connection_id connection_id;
    const char *user;
    const char *service;
    const char *auth_method;
    const char *auth_param;
    size_t auth_param_len;     /* bytes; a NUL follows them and is not counted */
    const char *key_algorithm; /* publickey, hostbased: the signature algorithm; else "" */
    /* password, in answer to change_prompt: the new one; auth_param is the old one. Else NULL. Accepting says that it
     * was changed and lets in; a refusal, that it was not. */
    const char *new_password;
    /* hostbased, else "". The name is the client's word: letters, digits, '-', '.', '_' and ':', without a dot at the
     * end. Accept only when the key in auth_param is known to be that host's, and when the host is trusted to say who
     * its users are. */
    const char *client_host;
    const char *client_user; /* hostbased: who is logged in there; else "" */
    bool verified;
    /* publickey with a security key, when verified: somebody touched the device; and was verified by PIN or
     * fingerprint. Of other keys both are true. */
    bool user_present, user_verified;
    bool accept;          /* [out] preset false, but see `certified` */
    bool partial_success; /* [out] preset false: this factor is good, more are needed */
    /* [out] comma-separated; NULL leaves the list as it is. Not looked at when a query is answered with yes. */
    const char *available_methods;
    /* [out] password: not NULL asks for another password by this text of at most 4096 bytes, in place of a yes or no:
     * the old one has expired, or the new one would not do (section 8). It lets nobody in, and counts towards a cap of
     * its own that is larger than MaxAuthAttempts. Not looked at with other methods. */
    const char *change_prompt;
    /* [out] A security key, and not in a certificate: nobody need have touched it; its user has to be verified. Preset
     * false: by default `accept` of a signature that nobody touched the device for is a refusal. */
    bool no_touch_required, verify_required;
    /* publickey with an OpenSSH certificate: for this user, in its time and from its source addresses, signed by an
     * authority of nacre_add_user_ca(). `accept` is then preset true, unless there is a force_command: whoever accepts
     * that one takes it upon himself to run it in place of whatever the client asks for. What the certificate permits
     * besides commands stands in its extensions ("permit-pty", "permit-port-forwarding", "permit-agent-forwarding" ...)
     * and is the handlers' to enforce. */
    bool certified;
    const char *certificate_id; /* the key id in it; else "" */
    uint64_t certificate_serial;
    const char *certificate_extensions; /* their names, comma-separated; else "" */
    const char *force_command;          /* NULL: none */
    /* publickey with an OpenSSH certificate: the public key that signed it, and for whom, comma-separated (a name with
     * a comma or a NUL in it is left out). Else NULL, 0 and "". With `certified` false the authority is one of
     * nacre_add_known_user_ca(): whether its word counts for this user is the handler's to say, with all that
     * `certified` says about force_command and extensions. Nothing but the user was left unchecked. */
    const void *certificate_authority;
    size_t certificate_authority_len;
    const char *certificate_principals;
};

/* RFC 4254 section 5.1. A handler that accepts after AnswerTimeout is too late: the client has been refused, and
 * on_ssh_channel_closed follows. */
struct nacre_ssh_channel_open_request {
    struct nacre_event event;
    nacre_connection_id connection_id;
    nacre_channel_id channel_id;
    const char *service; /* channel type: "session", "direct-tcpip" ... */
    const uint8_t *parameters;
    size_t parameters_len;
    bool accept;     /* [out] preset false */
    uint32_t reason; /* [out] why not, for the client: SSH_OPEN_* of section 5.1; 0 is 1, administratively prohibited */
};

struct nacre_ssh_channel_opened {
    struct nacre_event event;
    nacre_connection_id connection_id;
    nacre_channel_id channel_id;
};

/* The channel can take data: when it has opened, and again after a send answered NACRE_E_WOULDBLOCK. */
struct nacre_ssh_channel_ready_to_send {
    struct nacre_event event;
    nacre_connection_id connection_id;
    nacre_channel_id channel_id;
};

/* The peer is given window for these bytes once the handler has returned (RFC 4254 section 5.2). */
struct nacre_ssh_channel_data_in {
    struct nacre_event event;
    nacre_connection_id connection_id;
    nacre_channel_id channel_id;
    const uint8_t *data;
    size_t data_len;
    int data_type; /* 0, or the data type code of extended data: 1 is stderr */
};

struct nacre_ssh_channel_eof {
    struct nacre_event event;
    nacre_connection_id connection_id;
    nacre_channel_id channel_id;
};

/* Last event of a channel; its id is stale when the handler has returned. */
struct nacre_ssh_channel_closed {
    struct nacre_event event;
    nacre_connection_id connection_id;
    nacre_channel_id channel_id;
};

/* RFC 4254 section 5.4. `packet` is the whole request behind its message number: recipient channel, type, want reply,
 * and what belongs to the type, as nacre_get_ssh_param() reads it. */
struct nacre_ssh_channel_request {
    struct nacre_event event;
    nacre_connection_id connection_id;
    nacre_channel_id channel_id;
    const char *request_type;
    const uint8_t *packet;
    size_t packet_len;
    bool success; /* [out] preset false */
};

/* The request was answered with success; start what it asks for here. */
struct nacre_ssh_channel_requested {
    struct nacre_event event;
    nacre_connection_id connection_id;
    nacre_channel_id channel_id;
    const char *request_type;
    const uint8_t *packet;
    size_t packet_len;
};

/* A client asks for a tunnel (RFC 4254 section 7, and OpenSSH's streamlocal requests for unix sockets).
 *   direction 0  a channel to address and port (direct-tcpip); accepted: nacre connects and relays inside the worker.
 *                Not accepted: on_ssh_channel_open_request fires, so that the application may serve the channel itself.
 *   direction 1  to listen on address and port for the client (tcpip-forward); port 0: the system picks, and the client
 * is told. A connection has 256 such listeners at most. A path of a unix socket is in `address`, with port 0
 * (direct-streamlocal and streamlocal-forward @openssh.com). */
struct nacre_ssh_tunnel_requested {
    struct nacre_event event;
    nacre_connection_id connection_id;
    int direction;
    const char *address;
    int port;     /* [out] of a reverse tunnel: where to listen */
    bool accept;  /* [out] preset false */
    bool is_path; /* address is the path of a unix socket */
};

/* A tunnel has ended: a relay of direction 0, one connection of a reverse tunnel, or its listener. */
struct nacre_ssh_tunnel_closed {
    struct nacre_event event;
    nacre_connection_id connection_id;
    const char *address;
    int port;
};

/* Handlers, one an event; those left NULL cost nothing and their questions get the default: refuse, but for
 * on_connection_request and on_ssh_service_request, which go by their preset. Fill with designated initializers. */
struct nacre_handlers {
    void (*on_connection_request)(nacre_server *, struct nacre_connection_request *, void *context);
    void (*on_connected)(nacre_server *, struct nacre_connected *, void *context);
    void (*on_disconnected)(nacre_server *, struct nacre_disconnected *, void *context);
    void (*on_error)(nacre_server *, struct nacre_error_event *, void *context);
    void (*on_log)(nacre_server *, struct nacre_log *, void *context);
    void (*on_ssh_status)(nacre_server *, struct nacre_ssh_status *, void *context);
    void (*on_ssh_service_request)(nacre_server *, struct nacre_ssh_service_request *, void *context);
    void (*on_ssh_user_auth_request)(nacre_server *, struct nacre_ssh_user_auth_request *, void *context);
    void (*on_ssh_channel_open_request)(nacre_server *, struct nacre_ssh_channel_open_request *, void *context);
    void (*on_ssh_channel_opened)(nacre_server *, struct nacre_ssh_channel_opened *, void *context);
    void (*on_ssh_channel_ready_to_send)(nacre_server *, struct nacre_ssh_channel_ready_to_send *, void *context);
    void (*on_ssh_channel_data_in)(nacre_server *, struct nacre_ssh_channel_data_in *, void *context);
    void (*on_ssh_channel_eof)(nacre_server *, struct nacre_ssh_channel_eof *, void *context);
    void (*on_ssh_channel_closed)(nacre_server *, struct nacre_ssh_channel_closed *, void *context);
    void (*on_ssh_channel_request)(nacre_server *, struct nacre_ssh_channel_request *, void *context);
    void (*on_ssh_channel_requested)(nacre_server *, struct nacre_ssh_channel_requested *, void *context);
    void (*on_ssh_tunnel_requested)(nacre_server *, struct nacre_ssh_tunnel_requested *, void *context);
    void (*on_ssh_tunnel_closed)(nacre_server *, struct nacre_ssh_tunnel_closed *, void *context);
};

/* The decision of a deferred question; fields named as in the event structs. */
struct nacre_answer {
    bool accept; /* also stands for `success` of a channel request */
    bool partial_success;
    const char *available_methods;
    const char *change_prompt;
    bool no_touch_required, verify_required;
    int port;        /* of a reverse tunnel: 0 leaves it as asked */
    uint32_t reason; /* of a channel's opening */
    int cert_store_type;
    const void *cert_store;
    size_t cert_store_len;
    const char *cert_password;
    const char *cert_subject;
    const char *cert_host_certificate;
};

/* ---- types of the class ------------------------------------------------------------------------------------------
 *
 * Copies of what a getter of the same name saw; changing one changes nothing. */

/* SSHChannel. What its DataToSend takes goes through nacre_set_data_to_send(). */
struct nacre_channel {
    size_t bytes_sent;
    char channel_id[24]; /* decimal */
    bool ready_to_send;
    int record_length;
    char service[64];
};

/* SSHConnection. */
struct nacre_connection {
    bool connected;
    char connection_id[24]; /* decimal */
    char local_address[48];
    char remote_host[48];
    int remote_port;
    int timeout; /* seconds */
};

/* SSHPrompt, one of the keyboard-interactive prompts. */
struct nacre_prompt {
    bool echo;
    char prompt[1024];
};

/* Certificate: a host key, and the X.509 certificate beside it when its container has one. Strings are never NULL; ""
 * stands for what a bare key does not have. Freed by nacre_certificate_free(). */
struct nacre_certificate {
    char *effective_date;  /* "23-Jan-2000 15:00:00", UTC */
    char *expiration_date; /* the same */
    char *encoded;         /* the certificate as PEM */
    char *encoded_b;       /* and as DER */
    size_t encoded_b_len;
    char *extended_key_usage; /* object identifiers, comma-separated */
    char *fingerprint;        /* of the key as SSH sends it: MD5, "bc:2a:..." */
    char *fingerprint_sha1;   /* the same */
    char *fingerprint_sha256; /* the same */
    char *issuer;             /* "CN=..., O=..." */
    char *key_password;       /* "" or asterisks */
    char *private_key;        /* PKCS#8 PEM; "" when it cannot be exported */
    bool private_key_available;
    char *private_key_container; /* "": keys are found by their certificates */
    char *public_key;            /* PEM */
    char *public_key_algorithm;  /* "RSA", "EC", "ED25519" */
    int public_key_length;       /* bits */
    char *serial_number;         /* hexadecimal */
    char *signature_algorithm;
    char *store; /* as set; NUL-terminated, but a blob may hold NULs of its own: store_b */
    char *store_b;
    size_t store_b_len;
    char *store_password; /* "" or asterisks */
    int store_type;
    char *subject;
    char *subject_alt_names; /* comma-separated */
    char *thumbprint_md5;    /* of the certificate, hexadecimal */
    char *thumbprint_sha1;
    char *thumbprint_sha256;
    char *usage; /* words for usage_flags, comma-separated */
    unsigned usage_flags;
    char *version; /* "V3" */
};

/* ---- life ------------------------------------------------------------------------------------------------------ */

/* A server with the documented defaults. It has no thread and no socket before nacre_start_listening(). CRYPTO: the
 * cryptographic library does not start. */
NACRE_API int nacre_create(nacre_server **server);

/* Shuts down, waits for the worker threads, and frees. No other call on `server` may be under way or follow, and not
 * from inside a handler. Events that are still queued are dropped. NULL is allowed. */
NACRE_API void nacre_free(nacre_server *server);

/* Takes a copy of *handlers. NACRE_E_LISTENING while listening, while connections are left, and until do_events has
 * worked off every on_error of no connection: other threads read them without a lock. */
NACRE_API int nacre_set_handlers(nacre_server *server, const struct nacre_handlers *handlers, void *context);

/* The sentence for the calling thread's last call, on any server, when that failed; "" when it went well. Valid until
 * that thread's next call. */
NACRE_API const char *nacre_last_error(const nacre_server *server);

/* The general text of a code; "Unknown error." for one that nacre does not have. */
NACRE_API const char *nacre_error_text(int code);

/* Who has to act on a code, of a call or of an event: what to log it as, and whether it may help to try again.
 * NACRE_CLASS_OK for 0, NACRE_CLASS_INTERNAL for a code that nacre does not have. */
NACRE_API enum nacre_error_class nacre_error_class(int code);

/* ---- methods --------------------------------------------------------------------------------------------------- */

/* Sets or reads a setting. `setting` is "Name=Value", or "Name" to read; names ignore case; indexed ones are "Name[i]".
 * What each means, its bounds and its default: nacre-settings(5). Properties, which have calls of their own below, are
 * not among them.
 *
 * `value` receives the value as text, after setting too; it may be NULL when setting. Errors: SETTING_UNKNOWN,
 * SETTING_VALUE, SETTING_LATE, SETTING_READ_ONLY, LISTENING_MAX, NOT_SUPPORTED, CONNECTION_ID for settings indexed by a
 * connection; those of nacre_set_ssh_cert_subject() for keys and certificates; HOST_NOT_FOUND to NO_DATA (110xx) for
 * host names in AllowedClients and BlockedClients; CRYPTO for a library that does not start in the way asked for;
 * BUFFER_SIZE, which when setting says that the text did not fit: the setting is set.
 *
 * Beyond the class's own, more than a number or a text:
 *   AnnounceHostKeys   True by default: clients are told the server's keys after login and given proofs of them when
 *                      they ask (hostkeys-00@openssh.com), so that they know new keys before old ones go.
 *   HostCertificate[i] An OpenSSH certificate of the host for key i, numbered as in nacre_get_certificate(): its line
 *                      of text, or the name of a file; "" takes it away. Without an index it goes to the key that it is
 *                      for. KEY with the reason when it is not for hosts, not for that key, not signed well (not by
 *                      SHA-1), has critical options, or is not valid now. It is offered before the plain key, whose
 *                      algorithms' certified forms (*-cert-v01@openssh.com) need not be among SSHPublicKeyAlgorithms,
 *                      until it expires; and goes when another key takes the place of its own.
 *   IOBackend          epoll by default, io_uring or auto: the best that the system permits. Reads as the one that is
 *                      active. UseIOCP=True is the same as io_uring, this system's completion model. Both can change
 *                      before the first nacre_start_listening() only, which fails with NOT_SUPPORTED and names the
 *                      remedy where kernel or container forbid what is asked for. On Windows: wsapoll by default,
 *                      iocp (the same as UseIOCP=True, and what auto is), or wsaasyncselect (UseWindowsMessages=True,
 *                      which is NOT_SUPPORTED elsewhere). */
NACRE_API int nacre_config(nacre_server *server, const char *setting, char *value, size_t size);

/* Calls handlers for events that wait; when there are none, waits up to SelectWaitMillis for some. Nothing but an event
 * ends the wait: a thread that is to leave its loop may take that long, after nacre_shutdown() as well. While it waits,
 * a worker's part may be done on the calling thread, so that a message needs no switch of threads: the thread should
 * then have no credentials, priority or restrictions of its own. It cannot be cancelled (pthread_cancel) meanwhile. A
 * handler may call it, too; a thread that is inside of eight handlers takes nothing more, and only waits. */
NACRE_API int nacre_do_events(nacre_server *server);

/* A descriptor that polls readable while events wait, for a loop of the program's own; nacre_do_events() clears it. The
 * server's: do not read or close it. -1 when the system has none left. On Windows it is an event HANDLE. */
NACRE_API intptr_t nacre_event_fd(nacre_server *server);

/* Errors: LISTENING (104); NO_CERTIFICATE (1301): there is no private key, or none that an algorithm of
 * SSHPublicKeyAlgorithms can use, and no on_connected to bring one; the system's 100xx for the address and port, 110xx
 * for host names in AllowedClients and BlockedClients, which are looked up again; PROCLIM when threads cannot be
 * started, MFILE when MaxConnections does not fit the descriptor limit, NOT_SUPPORTED for an I/O model that this system
 * does not permit.
 * MaxConnections asks for descriptors: where the process's soft limit of open files (RLIMIT_NOFILE) is lower, it is
 * raised, which stays. Where the hard limit is lower too, each worker takes a descriptor table of its own and there are
 * as many workers as that needs, more than WorkerThreads perhaps; clients' sockets are then in no table of the
 * program's threads, so a process that it forks inherits none. Workers stay as the first start has made them until
 * nacre_free(): MFILE also when a later start needs more than they can hold. */
NACRE_API int nacre_start_listening(nacre_server *server);

/* Stops accepting; connections stay. Nobody listens any more when it returns. Not listening is no error. */
NACRE_API int nacre_stop_listening(nacre_server *server);

/* Stops listening and disconnects every client. Does not wait for their ends; on_disconnected follows for each. */
NACRE_API int nacre_shutdown(nacre_server *server);

/* Sends SSH_MSG_DISCONNECT and closes. What was sent before and has not gone out may be lost: whoever wants it to
 * arrive closes the channels, and waits for on_ssh_channel_closed. on_disconnected follows. NACRE_E_CONNECTION_ID. */
NACRE_API int nacre_disconnect(nacre_server *server, nacre_connection_id connection_id);

/* Starts a key re-exchange, RFC 4253 section 9. Returns at once. NACRE_E_CONNECTION_ID. */
NACRE_API int nacre_exchange_keys(nacre_server *server, nacre_connection_id connection_id);

/* Sends bytes on a channel. With the connection's timeout at 0: takes what there is room for and answers
 * NACRE_E_WOULDBLOCK when that is less than all (nacre_get_bytes_sent() says how much was taken);
 * on_ssh_channel_ready_to_send follows. There is room for 512 KiB that have not gone out, or for 2.5 MiB of memory
 * where small pieces on both streams in turns take more than they are. With a timeout: waits, handling other
 * connections' events meanwhile when ProcessIdleEvents is True, until all is taken or nothing has moved for so many
 * seconds (NACRE_E_TIMEDOUT; what was taken before goes out). Errors: NOBUFS without memory or at MemoryLimit (what was
 * taken before goes out, too; no event tells when to try again); CHANNEL_ID; SOCKET_SHUTDOWN after nacre_send_eof() and
 * nacre_close_channel(), when the client has closed the channel, and before it has opened.
 *
 * Threads that send on one channel should agree among themselves, by a lock of theirs around the send and
 * nacre_get_bytes_sent(): the number is that of the channel's last send, whoever made it, and a send that waits for
 * room, or has more than 32 KiB, is taken in pieces with others' bytes between them perhaps. */
NACRE_API int nacre_send_bytes(nacre_server *server, nacre_channel_id channel_id, const void *data, size_t len);

/* The same for text, which goes out in CodePage. INVAL also when it has characters that are not in it. */
NACRE_API int nacre_send_text(nacre_server *server, nacre_channel_id channel_id, const char *text);

/* The same as nacre_send_bytes(), under the class's other name. */
NACRE_API int nacre_send_channel_data(nacre_server *server, nacre_channel_id channel_id, const void *data, size_t len);

/* As nacre_send_bytes(), as extended data of type 1 (stderr), RFC 4254 section 5.2. */
NACRE_API int nacre_send_stderr(nacre_server *server, nacre_channel_id channel_id, const void *data, size_t len);

/* Sends SSH_MSG_CHANNEL_EOF after what was sent before. CHANNEL_ID. */
NACRE_API int nacre_send_eof(nacre_server *server, nacre_channel_id channel_id);

/* Sends the exit-status request, or exit-signal (`signal` without "SIG", RFC 4254 section 6.10), after what was sent
 * before. Send it in front of nacre_send_eof(): a client that has seen both directions end may close the channel at
 * once. CHANNEL_ID. */
NACRE_API int nacre_send_exit_status(nacre_server *server, nacre_channel_id channel_id, uint32_t status);
NACRE_API int nacre_send_exit_signal(nacre_server *server, nacre_channel_id channel_id, const char *signal,
                                     bool core_dumped, const char *message);

/* Closes a channel after what was sent before; one that has not opened yet as soon as it has. on_ssh_channel_closed
 * follows when the peer has closed too. CHANNEL_ID. */
NACRE_API int nacre_close_channel(nacre_server *server, nacre_channel_id channel_id);

/* Opens a channel to the client with the type-specific part of SSH_MSG_CHANNEL_OPEN in `data` (x11: originator address
 * and port; RFC 4254 section 6.3.2), at most 4096 bytes. Else as nacre_open_channel(). */
NACRE_API int nacre_open_channel_with(nacre_server *server, nacre_connection_id connection_id, const char *channel_type,
                                      const void *data, size_t len, nacre_channel_id *channel_id);

/* Opens a channel to the client. *channel_id is valid at once for on_ssh_channel_opened or _closed (refused, which
 * on_error tells as CHANNEL_OPEN with the client's reason) to name; another thread in nacre_do_events() may be given
 * these before the call has returned, but not while a handler of this connection runs. The type has at most 64 bytes.
 * CONNECTION_ID. NOTCONN: nobody has logged in there yet. TOO_MANY_CHANNELS: MaxChannels are there. */
NACRE_API int nacre_open_channel(nacre_server *server, nacre_connection_id connection_id, const char *channel_type,
                                 nacre_channel_id *channel_id);

/* Records of that many bytes from now on in on_ssh_channel_data_in; 0: as they come. At most 16 MiB, else INVAL. What
 * fills no record any more comes right before on_ssh_channel_eof or on_ssh_channel_closed, whichever is set. Bytes
 * that wait for their record count against MemoryLimit; with no memory for more of them they come as they are, shorter.
 * CHANNEL_ID. */
NACRE_API int nacre_change_record_length(nacre_server *server, nacre_channel_id channel_id, int record_length);

/* Holds back on_ssh_channel_data_in of a channel, and what comes behind it on that channel (eof, requests, close),
 * until it is resumed or its connection ends: the peer's window closes and it stops sending, while other channels of
 * the connection go on. Data that a handler on another thread is being given is not called back. Pausing twice is once.
 * CHANNEL_ID. */
NACRE_API int nacre_pause_channel(nacre_server *server, nacre_channel_id channel_id);
NACRE_API int nacre_resume_channel(nacre_server *server, nacre_channel_id channel_id);

/* Sends the message `packet_type` (RFC 4250 section 4.1.2) with a payload made by nacre_set_ssh_param(). What belongs
 * to a channel (94 data, 95 extended data, 96 eof, 97 close, 98 request) goes to `channel_id`, whose recipient number
 * is put in front: the payload begins behind it. A global request (80), ignore (2) and debug (4) go to that channel's
 * connection. All others are nacre's own to send: NACRE_E_INVAL, as is a payload of more than 32,000 bytes.
 * NACRE_E_PACKET: the payload is not what the message has. CHANNEL_ID, and what the calls that send the same give.
 * WOULDBLOCK: 64 global requests that want a reply have none yet; it was not sent. Requests wait while the client does
 * not read; a connection that has 1024 of a channel waiting or unanswered, or more global ones than its output holds,
 * ends, and on_disconnected says so. Ignore and debug are left out then. */
NACRE_API int nacre_send_ssh_packet(nacre_server *server, nacre_channel_id channel_id, int packet_type,
                                    const void *payload, size_t payload_len);

/* Stops listening, disconnects every client, and sets every property, setting and key to its default. Handlers stay.
 * on_disconnected follows for each client. Workers stay as the first nacre_start_listening() has made them: IOBackend,
 * UseIOCP and UseWindowsMessages go on reading as the back end that they are on, and WorkerThreads, which reads as its
 * default again, does not change how many they are. */
NACRE_API int nacre_reset(nacre_server *server);

/* ---- questions answered later ------------------------------------------------------------------------------------ */

/* Inside a handler of a question only: its fields are not looked at when the handler returns; the ticket is to be
 * answered with nacre_answer(). The connection (during authentication), that channel or the global requests wait
 * meanwhile. A ticket that is not answered within AnswerTimeout seconds, or LoginGraceTime before login, is a refusal.
 * Zero ticket: the event is no question. */
NACRE_API nacre_ticket nacre_defer(struct nacre_event *event);

/* Answers a ticket. NACRE_E_TICKET: answered already, expired, or its connection or channel is gone. */
NACRE_API int nacre_answer(nacre_server *server, nacre_ticket ticket, const struct nacre_answer *answer);

/* ---- properties of the server ------------------------------------------------------------------------------------ */

/* A value out of bounds, or a name in a list that this build cannot do, is SETTING_VALUE. A change is for connections
 * accepted from then on. */

/* The address to listen on; "", the default: every one. Which family is UseIPv6's to say: an IPv6 address needs 1 (IPv6
 * alone) or 2 (both), an IPv4 one 0, the default, or 2; else nacre_start_listening() fails with NO_DATA (11004). */
NACRE_API int nacre_get_local_host(nacre_server *server, char *value, size_t size);
NACRE_API int nacre_set_local_host(nacre_server *server, const char *value); /* LISTENING_HOST */
/* 0 to 65535, 22 by default; 0 takes a free one, with each start another. While listening it reads as the port in use.
 */
NACRE_API int nacre_get_local_port(nacre_server *server, int *value);
NACRE_API int nacre_set_local_port(nacre_server *server, int value); /* LISTENING_PORT */
/* How many clients may wait to be accepted: 1 to 65535, 5 by default. SETTING_LATE while listening. */
NACRE_API int nacre_get_connection_backlog(nacre_server *server, int *value);
NACRE_API int nacre_set_connection_backlog(nacre_server *server, int value);
NACRE_API int nacre_get_listening(nacre_server *server, bool *value);
NACRE_API int nacre_set_listening(nacre_server *server,
                                  bool value); /* as nacre_start_listening() and nacre_stop_listening() */
/* Of none, password, publickey, keyboard-interactive and hostbased, comma-separated; "password,publickey" by default.
 */
NACRE_API int nacre_get_default_auth_methods(nacre_server *server, char *value, size_t size);
NACRE_API int nacre_set_default_auth_methods(nacre_server *server, const char *value);
/* Seconds without a byte either way until a connection is ended: up to a year; 0, the default: never. */
NACRE_API int nacre_get_default_idle_timeout(nacre_server *server, int *seconds);
NACRE_API int nacre_set_default_idle_timeout(nacre_server *server, int seconds);
/* What ssh_connection_timeout of a connection begins as: how many seconds a send waits, up to a year; 60 by default. 0:
 * sends do not wait. One that waits in a handler holds the thread that the handler runs on: where few threads are in
 * nacre_do_events(), clients that do not read can hold all of them, and it should be 0. */
NACRE_API int nacre_get_default_timeout(nacre_server *server, int *seconds);
NACRE_API int nacre_set_default_timeout(nacre_server *server, int seconds);
/* What clients are shown above the prompts, up to 4096 bytes; "" by default. */
NACRE_API int nacre_get_keyboard_interactive_message(nacre_server *server, char *value, size_t size);
NACRE_API int nacre_set_keyboard_interactive_message(nacre_server *server, const char *value);
/* Without a prompt, as by default, keyboard-interactive is refused. Those that a higher count brings are "", without
 * echo. A count out of bounds and an index from the count on are INVAL. */
NACRE_API int nacre_get_keyboard_interactive_prompt_count(nacre_server *server, int *value);
NACRE_API int nacre_set_keyboard_interactive_prompt_count(nacre_server *server, int value); /* 0 to 16 */
NACRE_API int nacre_get_keyboard_interactive_prompt_echo(nacre_server *server, int prompt_index, bool *value);
NACRE_API int nacre_set_keyboard_interactive_prompt_echo(nacre_server *server, int prompt_index, bool value);
NACRE_API int nacre_get_keyboard_interactive_prompt_prompt(nacre_server *server, int prompt_index, char *value,
                                                           size_t size);
NACRE_API int nacre_set_keyboard_interactive_prompt_prompt(nacre_server *server, int prompt_index, const char *value);

/* Echo and prompt of one at once. BUFFER_SIZE when the prompt is longer than the struct holds. */
NACRE_API int nacre_get_prompt(nacre_server *server, int prompt_index, struct nacre_prompt *value);
NACRE_API int nacre_set_prompt(nacre_server *server, int prompt_index, const struct nacre_prompt *value);

/* The server's host key. Set store, type and password first, the subject last: setting the subject opens the container
 * and takes the certificate of that subject, else one whose subject contains it, "*" the first; "" drops the key. The
 * property then reads as the whole subject. The only key of a file, without a certificate beside it, is taken whatever
 * the subject, which then reads as the name that the file has for the key (a comment of OpenSSH's, say), often "".
 *
 * Types, where two stand together of a file by its name and of its bytes: 0 cstUser and 1 cstMachine, 2 and 3 PFX, 6
 * and 7 PEM (OpenSSH's among them), 8 and 9 public keys and certificates, 13 and 10 SSH's public keys, 11 and 12 P7B,
 * 14 and 15 PPK, 16 and 17 XML, 18 and 19 JWK, 23 PKCS#11, 99 auto: whichever of the files it is. Other numbers are
 * INVAL; 4, 5, 21 and 22 are Java's, whose subject is NOT_SUPPORTED. Of PKCS#11 the store is the path of the module,
 * and behind it ";pkcs11:token=LABEL" (RFC 7512) where there are several tokens; the password is the PIN, and the
 * subject may be the label of a key.
 *
 * cstUser and cstMachine are Windows' certificate stores of that name ("MY" by default): the key need not be
 * exportable, nobody is asked for a PIN at a screen, and of certificates that answer equally well the one that is in
 * force and expires last is taken. NOT_SUPPORTED elsewhere.
 *
 * The types for public keys and certificates (8 to 13), XML, JWK and auto may give a public key:
 * nacre_get_certificate() tells about it, and nacre_start_listening() refuses it with NO_CERTIFICATE. Errors: KEY (also
 * of a file that is not there), KEY_PASSWORD, KEY_TYPE, NO_CERTIFICATE, NOT_SUPPORTED, the system's 100xx for files;
 * the key is dropped then and the subject is "".
 *
 * While listening, a change is for new connections: those that are there keep their keys, in re-exchanges as well. The
 * key then serves until another has taken its place: a failure leaves it in use, and so does a key that no algorithm of
 * SSHPublicKeyAlgorithms can use. AltSSHCertCount and the other AltSSHCert settings work the same way. To let clients
 * learn a key before it is needed, offer it as AltSSHCert for a while, see AnnounceHostKeys.
 *
 * The password is write-only: reading it gives "" or asterisks. */
NACRE_API int nacre_get_ssh_cert_store(nacre_server *server, void *value, size_t *len); /* *len: room in, bytes out */
NACRE_API int nacre_set_ssh_cert_store(nacre_server *server, const void *value, size_t len);
NACRE_API int nacre_get_ssh_cert_store_password(nacre_server *server, char *value, size_t size);
NACRE_API int nacre_set_ssh_cert_store_password(nacre_server *server, const char *value);
NACRE_API int nacre_get_ssh_cert_store_type(nacre_server *server, int *value);
NACRE_API int nacre_set_ssh_cert_store_type(nacre_server *server, int value);
NACRE_API int nacre_get_ssh_cert_subject(nacre_server *server, char *value, size_t size);
NACRE_API int nacre_set_ssh_cert_subject(nacre_server *server, const char *value);

/* Trusts an authority for users' OpenSSH certificates, from the next connection on: `blob` is its public key as SSH
 * sends it. NULL and 0: none is trusted any more. The certificates' algorithms (*-cert-v01@openssh.com) have to be
 * among SSHPubKeyAuthSigAlgorithms. Errors: KEY. */
NACRE_API int nacre_add_user_ca(nacre_server *server, const void *blob, size_t len);

/* The same for an authority that is known, but trusted by some users only, or by names of its own: its certificates
 * come to on_ssh_user_auth_request whomever they are for, with `certified` and the preset of `accept` false. Who is
 * among those of nacre_add_user_ca() too is trusted for the users that it names. */
NACRE_API int nacre_add_known_user_ca(nacre_server *server, const void *blob, size_t len);

/* The certificate of the host key as PEM, "" without one. Setting it (PEM, base64 or DER) looks in the store for the
 * private key that it was made for, and fails with NO_CERTIFICATE when that is not there, else as the subject does; ""
 * drops the key. */
NACRE_API int nacre_get_ssh_cert_encoded(nacre_server *server, void *value, size_t *len); /* *len: room in, bytes out */
NACRE_API int nacre_set_ssh_cert_encoded(nacre_server *server, const void *value, size_t len);

/* Everything about host key number `index` (0: the ssh_cert_* one, then AltSSHCert). One that is not set has its
 * defaults. NACRE_E_INVAL: there is no such number. */
NACRE_API int nacre_get_certificate(nacre_server *server, int index, struct nacre_certificate *certificate);
NACRE_API void nacre_certificate_free(struct nacre_certificate *certificate); /* wipes; NULL is allowed */

NACRE_API int nacre_get_ssh_compression_algorithms(nacre_server *server, char *value, size_t size);
NACRE_API int nacre_set_ssh_compression_algorithms(nacre_server *server, const char *value);
NACRE_API int nacre_get_ssh_encryption_algorithms(nacre_server *server, char *value, size_t size);
NACRE_API int nacre_set_ssh_encryption_algorithms(nacre_server *server, const char *value);

/* ---- properties of a connection: CONNECTION_ID for a stale id ---------------------------------------------------- */

NACRE_API int nacre_get_ssh_connection_count(nacre_server *server, int *value);
/* Fills `ids` with up to *count ids of connections that are there now; *count becomes how many there are, and no error
 * says that it was too few. */
NACRE_API int nacre_get_ssh_connection_ids(nacre_server *server, nacre_connection_id *ids, size_t *count);
/* False, without an error, for an id that is stale. */
NACRE_API int nacre_get_ssh_connection_connected(nacre_server *server, nacre_connection_id connection_id, bool *value);
NACRE_API int nacre_set_ssh_connection_connected(nacre_server *server, nacre_connection_id connection_id,
                                                 bool value); /* false disconnects */
NACRE_API int nacre_get_ssh_connection_local_address(nacre_server *server, nacre_connection_id connection_id,
                                                     char *value, size_t size);
NACRE_API int nacre_get_ssh_connection_remote_host(nacre_server *server, nacre_connection_id connection_id, char *value,
                                                   size_t size);
NACRE_API int nacre_get_ssh_connection_remote_port(nacre_server *server, nacre_connection_id connection_id, int *value);
/* How many seconds a send on one of its channels waits, see nacre_send_bytes(); 0: it does not. */
NACRE_API int nacre_get_ssh_connection_timeout(nacre_server *server, nacre_connection_id connection_id, int *seconds);
NACRE_API int nacre_set_ssh_connection_timeout(nacre_server *server, nacre_connection_id connection_id, int seconds);
NACRE_API int nacre_get_connection(nacre_server *server, nacre_connection_id connection_id,
                                   struct nacre_connection *value);

/* ---- properties of a channel: CHANNEL_ID for a stale id ---------------------------------------------------------- */

NACRE_API int nacre_get_ssh_channel_count(nacre_server *server, int *value);
/* As nacre_get_ssh_connection_ids(). */
NACRE_API int nacre_get_ssh_channel_ids(nacre_server *server, nacre_channel_id *ids, size_t *count);
/* Bytes the last send on the channel has taken, whichever thread made it: see nacre_send_bytes(). */
NACRE_API int nacre_get_bytes_sent(nacre_server *server, nacre_channel_id channel_id, size_t *value);
NACRE_API int nacre_get_channel_id(nacre_server *server, nacre_channel_id channel_id, char *value, size_t size);
/* The same as nacre_send_bytes(), as the class's property. */
NACRE_API int nacre_set_data_to_send(nacre_server *server, nacre_channel_id channel_id, const void *data, size_t len);
NACRE_API int nacre_get_ready_to_send(nacre_server *server, nacre_channel_id channel_id, bool *value);
/* See nacre_change_record_length(). */
NACRE_API int nacre_get_record_length(nacre_server *server, nacre_channel_id channel_id, int *value);
NACRE_API int nacre_set_record_length(nacre_server *server, nacre_channel_id channel_id, int value);
/* The channel's type: "session", "direct-tcpip" ... */
NACRE_API int nacre_get_service(nacre_server *server, nacre_channel_id channel_id, char *value, size_t size);
NACRE_API int nacre_get_channel(nacre_server *server, nacre_channel_id channel_id, struct nacre_channel *value);

/* ---- keys -------------------------------------------------------------------------------------------------------- */

/* Makes a private key and writes it as PKCS#8 PEM into `pem` (NUL-terminated), for a first start. `type`:
 * "ssh-ed25519", "ecdsa-sha2-nistp256", "-nistp384", "-nistp521", or "ssh-rsa" (3072 bits). KEY_TYPE, CRYPTO,
 * BUFFER_SIZE (16 KiB is always enough). */
NACRE_API int nacre_make_key(const char *type, char *pem, size_t size);

/* "SHA256:..." of the server's host key number `index` (0: the ssh_cert_* one, then AltSSHCert); NACRE_E_NO_CERTIFICATE
 * when there is none. */
NACRE_API int nacre_get_host_key_fingerprint(nacre_server *server, int index, char *value, size_t size);

/* ---- packets ----------------------------------------------------------------------------------------------------- */

/* Reads a field of a packet: of a channel request (RFC 4254 section 5.4) by its name in the class ("Command",
 * "TerminalType", ...), or of any packet by types. Types are those of nacre_set_ssh_param(). The list "%s,i,s" reads a
 * string, an integer and a string from the start of the payload and gives the last: for the parameters of a channel
 * open request. In the packet of a channel request the list is the class's own: the type of the wanted field first,
 * then the types before it in what belongs to the request: "%s,f" is the string behind a flag. (A list that begins with
 * the request's head, "%i,s,f,...", is read from the start there too.) The text form goes to `value`, written as
 * nacre_set_ssh_param() takes it. NACRE_E_PACKET: the packet has no such field. NACRE_E_INVAL: no such name or type. */
NACRE_API int nacre_get_ssh_param(const void *payload, size_t payload_len, const char *field, char *value, size_t size);

/* The same as raw bytes. *len: room in, bytes out. */
NACRE_API int nacre_get_ssh_param_bytes(const void *payload, size_t payload_len, const char *field, void *value,
                                        size_t *len);

/* Writes a field behind a payload: *result gets the payload and the field, and may be the payload itself. *result_len:
 * room in, bytes out. Types and how their value is written:
 *   s   text                      sb  bytes in hexadecimal, "A1B23C"
 *   i   32-bit integer            l   64-bit integer           b   byte            "1234" or "0x4D2"
 *   m   large integer, not negative, as decimal or hexadecimal digits
 *   f   "true" or "false"
 * Errors: INVAL for an unknown type or a value that does not fit it, BUFFER_SIZE. */
NACRE_API int nacre_set_ssh_param(const void *payload, size_t payload_len, const char *field_type,
                                  const char *field_value, void *result, size_t *result_len);

#ifdef __cplusplus
}
#endif

#endif
