/* SPDX-License-Identifier: Apache-2.0 */
/* A server under test: threads that turn nacre_do_events(), and a record of every event in the order of delivery.
 *
 * Its handlers record, and say yes to whoever knows the password "pw" or has any key. A test replaces members of
 * `handlers` before server_start(); its own handlers may call the recording ones (server_on_*). The handlers' context
 * is the struct server. */
#ifndef TESTS_SERVER_H
#define TESTS_SERVER_H

#include <pthread.h>
#include <stdatomic.h>

#include "engine/event.h"
#include "nacre/nacre.h"

enum {
    SERVER_SEEN = 1 << 16,
    SERVER_THREADS = 8,
    SERVER_WAIT_MS = 100000,
};

/* One event as it came. */
struct server_seen {
    enum event_type type;
    int64_t connection, channel;
    int code; /* status, error, data type, port */
    size_t len;
    bool verified;
    int64_t at_ns;
    char text[112]; /* first string of the event: address, description, user, service, request type */
    char more[64];  /* second one: method */
};

struct client;

struct server {
    nacre_server *nacre;
    struct nacre_handlers handlers;
    int port;
    bool echo;          /* data comes back */
    bool closes_on_eof; /* eof is answered by eof, exit-status 7 and close */
    bool records_data;  /* default true: false when a test moves too much to record */
    void *test;         /* the test's own */

    pthread_t threads[SERVER_THREADS];
    unsigned thread_count;
    atomic_bool stopping;

    pthread_mutex_t lock; /* protects what follows */
    size_t seen_count;
    struct server_seen *seen;
};

/* A server with an ed25519 key on 127.0.0.1, port 0. The process ends when that cannot be had. */
struct server *server_new(void);

/* nacre_config() that must succeed. */
void server_set(struct server *s, const char *setting);

/* Listens, with `threads` in nacre_do_events(). */
void server_start(struct server *s, unsigned threads);

/* The threads leave nacre_do_events(); the server stays. */
void server_join(struct server *s);

/* server_join() and nacre_free(). */
void server_free(struct server *s);

/* Waits for the n-th (from 0) event of that type, and copies it when `out` is not NULL. */
bool server_wait(struct server *s, enum event_type type, size_t n, struct server_seen *out);

/* As server_wait(), with own patience. */
bool server_wait_ms(struct server *s, enum event_type type, size_t n, struct server_seen *out, int ms);

/* As server_wait(), moving that client's bytes meanwhile. */
bool server_wait_turning(struct server *s, struct client *c, enum event_type type, size_t n, struct server_seen *out);

size_t server_count(struct server *s, enum event_type type);
size_t server_total(struct server *s);

/* Bytes of channel data in all events so far. */
size_t server_bytes_in(struct server *s);

/* Waits until there are so many. */
bool server_wait_bytes_in(struct server *s, size_t bytes);

/* The place of the n-th event of that type among all events, or SIZE_MAX. */
size_t server_place(struct server *s, enum event_type type, size_t n);

/* Waits until nothing is left: connection and channel counts are 0. */
bool server_wait_empty(struct server *s);

/* Adds to the record. */
void server_note(struct server *s, struct server_seen seen);

/* The server's end of the client's socket, by its addresses among this process's descriptors; -1: there is none. It is
 * the server's: to be looked at alone. */
int server_socket_of(const struct server *s, int client_fd);

/* Its listening socket, or one of them. */
int server_listener(const struct server *s);

/* Open descriptors of this process. */
size_t server_descriptors(void);

/* Bytes of the server's pools that are handed out, all shards together. */
size_t server_pool_bytes(struct server *s);

/* Recording handlers. */
void server_on_connection_request(nacre_server *n, struct nacre_connection_request *e, void *context);
void server_on_connected(nacre_server *n, struct nacre_connected *e, void *context);
void server_on_ssh_user_auth_request(nacre_server *n, struct nacre_ssh_user_auth_request *e, void *context);
void server_on_ssh_channel_open_request(nacre_server *n, struct nacre_ssh_channel_open_request *e, void *context);
void server_on_ssh_channel_request(nacre_server *n, struct nacre_ssh_channel_request *e, void *context);
void server_on_ssh_channel_data_in(nacre_server *n, struct nacre_ssh_channel_data_in *e, void *context);
void server_on_ssh_channel_eof(nacre_server *n, struct nacre_ssh_channel_eof *e, void *context);

#endif
