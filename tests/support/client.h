/* SPDX-License-Identifier: Apache-2.0 */
/* A blocking SSH client over a real socket, made of the project's own client role. What arrives is kept in plain
 * fields; client_wait() moves bytes until one of them turns true. One thread at a time. */
#ifndef TESTS_CLIENT_H
#define TESTS_CLIENT_H

#include "base/buf.h"
#include "base/pool.h"
#include "ssh/conn.h"

enum {
    CLIENT_CHANNELS = 64,
    CLIENT_WAIT_MS = 100000, /* a wait that takes so long has failed; sanitizers and two cores are slow */
};

struct client_channel {
    bool opened, failed, eof, closed;
    bool stalled;              /* set by the test: received bytes are not given back */
    uint32_t code;             /* of a refusal */
    struct buf data, errors;   /* received, normal and stderr */
    size_t received;           /* all bytes */
    unsigned replies, granted; /* to our requests */
    int exit_status;           /* -1 before it came */
    char exit_signal[32];
    bool eof_before_status, status_before_close; /* order of the end */
    bool kept_nothing;                           /* set by the test: bytes are only counted */
};

struct client {
    int fd;
    struct conn *conn;
    struct conn_config config;
    struct pool pool;
    struct nacre_crypto *crypto;
    struct buf in;   /* received and not yet used */
    struct buf sent; /* everything sent, when `records` */
    bool records;
    size_t send_limit; /* no more bytes than that go out; 0: no limit */
    size_t sent_bytes;

    bool ready, authenticated, ended, fin; /* ended: CONN_DISCONNECTED was seen; fin: the server's FIN or reset */
    bool reset;
    bool host_key_seen, refuses_host_key;
    enum nacre_error error;
    char text[256];
    unsigned failures; /* failed logins */
    bool partial;
    char methods[128];
    unsigned key_oks;
    unsigned changes; /* another password was asked for */
    char change_prompt[128];
    char banner[512];
    bool prompted;
    unsigned prompt_rounds;
    char instruction[64];
    size_t prompt_count;
    char prompts[CONN_KBDINT_PROMPTS][64];
    bool echo[CONN_KBDINT_PROMPTS];
    unsigned keys_done;     /* key exchanges that ended */
    bool refuses_opens;     /* channels that the server opens */
    uint32_t their_channel; /* the last one they opened */
    bool their_channel_opened;
    char their_kind[64];
    uint8_t their_data[512]; /* the type-specific part */
    size_t their_data_len;
    unsigned global_replies, global_granted; /* to our global requests */
    uint8_t global_data[16];                 /* of the last reply */
    size_t global_data_len;
    struct buf host_key;     /* of the last key exchange */
    unsigned announcements;  /* of host keys */
    struct buf host_keys;    /* of the last: "string blob" each */
    struct buf global_reply; /* the last reply, whole */
    bool echoes;             /* received data is sent back */
    struct client_channel channels[CLIENT_CHANNELS];
};

/* A client that is not connected; change `config`, then client_connect(). */
void client_init(struct client *c);

/* The same with a context of the library that it shares with others. */
void client_init_with(struct client *c, struct nacre_crypto *crypto);

/* Connects to the port on 127.0.0.1 and waits until logins may begin. False: it ended before, see `error`. */
bool client_connect(struct client *c, int port);

/* The same from another address of 127.0.0.0/8 without waiting for anything. */
bool client_dial(struct client *c, const char *from, int port);

/* Logs in by password and waits for the outcome. */
bool client_login(struct client *c, const char *user, const char *password);

/* connect, login as "user" by "pw": what most tests begin with. */
bool client_start(struct client *c, int port);

/* Opens a "session" (or `kind`) channel and waits; -1: refused. */
int client_open(struct client *c, const char *kind);

/* A request with reply; waits for it. True: granted. */
bool client_request(struct client *c, int channel, const char *kind, struct span data);
bool client_exec(struct client *c, int channel, const char *command);

bool client_send(struct client *c, int channel, const void *bytes, size_t len);

/* Moves bytes until *flag is true. False: it did not become so in time, or the connection ended first. */
bool client_wait(struct client *c, const bool *flag);

/* The same until *count is at least `wanted`. */
bool client_wait_count(struct client *c, const size_t *count, size_t wanted);
bool client_wait_unsigned(struct client *c, const unsigned *count, unsigned wanted);

/* Moves bytes for `ms`, or until the connection ends. */
void client_pump(struct client *c, int ms);

/* One turn: sends, receives for at most `ms`. False once the connection has ended and nothing more can come. */
bool client_turn(struct client *c, int ms);

/* Waits until the server has ended the connection; true with that SSH error seen (NACRE_OK: any). */
bool client_wait_end(struct client *c);

/* Ways to leave: SSH_MSG_DISCONNECT, FIN, RST. client_free() follows. */
void client_disconnect(struct client *c);
void client_drop(struct client *c);
void client_reset(struct client *c);
void client_free(struct client *c);

/* A socket to the port of 127.0.0.1, blocking, for tests that speak by hand; -1: refused. */
int client_socket(const char *from, int port);

#endif
